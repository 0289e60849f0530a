"""Plain text as it comes: one part, in whichever pieces the bytes come in."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from typing import ClassVar

from guardrails.exchange import Role
from guardrails.wire.streams.model import PartHead, Said, StreamEvent

__all__ = ["PARAGRAPH", "TextReader"]

PARAGRAPH = "\n\n"
"""Stands between what was released and a reply that is said after it in the same text."""


class TextReader:
    """Reads one text in one encoding. Each piece is an event; a character that is cut in two
    belongs to the event in which it ends."""

    repeats: ClassVar[bool] = False
    can_refuse: ClassVar[bool] = True

    def __init__(self, encoding: str, *, role: Role = "assistant") -> None:
        self._encoding, self._role = encoding, role
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._held = b""
        self._parts = 0
        self._text: int | None = None
        """The part that is open."""
        self._is_lost = False
        self.unread = ""

    def feed(self, data: bytes) -> list[StreamEvent]:
        if not data:
            return []
        if self._is_lost:
            return [self._opaque(data)]
        data = self._held + data
        try:
            text = self._decoder.decode(data[len(self._held) :])
        except UnicodeDecodeError as error:
            return self._broken(data, error.start)
        self._held, _ = self._decoder.getstate()
        return self._said(data[: len(data) - len(self._held)], text)

    def close(self) -> list[StreamEvent]:
        events = [self._opaque(self._held)] if self._held else []
        self._held = b""
        if self._text is not None:
            events.append(StreamEvent(raw=b"", closes=(self._text,)))
            self._text = None
        return events

    def _broken(self, data: bytes, at: int) -> list[StreamEvent]:
        """What comes before the byte that cannot be read is text all the same."""
        self._is_lost, self._held = True, b""
        before = self._said(data[:at], data[:at].decode(self._encoding))
        return [*before, self._opaque(data[at:])]

    def _said(self, raw: bytes, text: str) -> list[StreamEvent]:
        if not raw:
            return []
        opens: tuple[PartHead, ...] = ()
        if self._text is None:
            self._text = self._number()
            opens = (PartHead(key=self._text, role=self._role),)
        says = (Said(part=self._text, text=text),) if text else ()
        return [StreamEvent(raw=raw, opens=opens, says=says, change=self._change)]

    def _number(self) -> int:
        self._parts += 1
        return self._parts - 1

    def _opaque(self, raw: bytes) -> StreamEvent:
        key = self._number()
        why = self.unread = f"text that is not {self._encoding}"
        head = PartHead(key=key, role=self._role, kind="opaque", name=why, whole=True, fixed=True)
        return StreamEvent(raw=raw, opens=(head,), closes=(key,))

    def _change(self, event: StreamEvent, texts: Sequence[str] | None) -> bytes:
        if texts is None or [said.text for said in event.says] == list(texts):
            return event.raw
        return "".join(texts).encode(self._encoding, "replace")

    def sent(self, event: StreamEvent, text_of: Mapping[int, str]) -> None:
        """Nothing is open at the client but the text."""

    def drop(self, key: int) -> bool:
        return False

    def cut(self, text: str, *, released: bool) -> bytes:
        said = PARAGRAPH + text if released and text else text
        return said.encode(self._encoding, "replace")

    def fail(self, status: int, message: str) -> bytes:
        """A text has no place for an error: who sends it breaks off."""
        return b""
