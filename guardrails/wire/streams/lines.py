"""Newline-delimited JSON as it comes: each line is a value. Source: ndjson.org, jsonlines.org."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Path, Role
from guardrails.wire.place import Place
from guardrails.wire.pointer import Pointer, path_of, placed
from guardrails.wire.shapes import FREE
from guardrails.wire.streams.event_reader import EventReader, LostError
from guardrails.wire.streams.finding import find
from guardrails.wire.streams.frames import LONGEST
from guardrails.wire.streams.model import StreamEvent
from guardrails.wire.streams.telling import Spot, Telling, put, without_logprobs
from guardrails.wire.streams.text import PARAGRAPH
from guardrails.wire.strict_json import dump_json, parse_json

__all__ = ["JsonValue", "LineReader"]


class _Lines:
    """Cuts bytes into lines, each with its end."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        first = data.find(b"\n") + 1
        if not first:
            self._held += data
            return [self.rest()] if len(self._held) > LONGEST else []
        lines = [bytes(self._held) + data[:first]]
        self._held.clear()
        while end := data.find(b"\n", first) + 1:
            lines.append(data[first:end])
            first = end
        self._held += data[first:]
        if len(self._held) > LONGEST:
            lines.append(self.rest())
        return lines

    def rest(self) -> bytes:
        rest = bytes(self._held)
        self._held.clear()
        return rest


class LineReader(EventReader):
    """Every string of every line is a part of its own. With a pointer, what stands there in each
    line is a piece of one text: the route's author has said that the rest is none."""

    def __init__(self, pointer: Pointer | None = None, *, role: Role = "assistant") -> None:
        super().__init__(_Lines())
        self._pointer = pointer
        self._role: Role = role
        self._text: int | None = None
        self._is_open = False
        self._lines = 0

    def close(self) -> list[StreamEvent]:
        events = super().close()
        if self._pointer is not None and self._lines and self._text is None:
            telling = Telling(self._numbering)
            self.unread = self.unread or f"there is no text at {self._pointer.text!r}"
            telling.opaque(self.unread)
            events.append(telling.event(b""))
        return events

    def _told(self, telling: Telling, raw: bytes) -> None:
        if not raw.strip():
            return
        if len(raw) > LONGEST:
            raise LostError("a line that is longer than is read here")
        value = parse_json(raw)
        self._lines += 1
        telling.change = JsonValue(value, telling.spots)
        if self._pointer is not None:
            self._piece(telling, value, self._pointer)
            return
        place = Place(role=self._role, reads=FREE)
        telling.all(find(value, place), (JsonValue.KEY,))

    def _piece(self, telling: Telling, value: object, pointer: Pointer) -> None:
        try:
            said = pointer.find(value)
        except WireFormatError:
            return
        if said is None:
            return
        if not isinstance(said, str):
            raise WireFormatError(f"there is no text at {pointer.text!r}")
        if self._text is None:
            self._text = telling.open(Part(text="", role=self._role))
            self._is_open = True
        if said:
            telling.say(self._text, said, (JsonValue.KEY, *path_of(value, pointer)))

    def _open_parts(self) -> Iterable[int]:
        was_open, self._is_open = self._is_open, False
        return (self._text,) if was_open and self._text is not None else ()

    def cut(self, text: str, *, released: bool) -> bytes:
        """A line with the text where one is expected; nothing if nobody said where that is."""
        if self._pointer is None or not text:
            return b""
        said = PARAGRAPH + text if released else text
        return dump_json(placed(self._pointer, said)) + b"\n"

    def fail(self, status: int, message: str) -> bytes:
        """Lines have no place for an error: who sends them breaks off."""
        return b""


class JsonValue:
    """The JSON that an event is, for writing it with other texts. Their spots begin with `KEY`;
    `derived` is what goes with a text that stands beside it, log-probabilities wherever they are.
    """

    KEY = "value"

    __slots__ = ("_derived", "_spots", "_value")

    def __init__(self, value: Any, spots: Sequence[Spot], *, derived: Sequence[str] = ()) -> None:
        self._value, self._spots, self._derived = value, spots, derived

    def __call__(self, event: StreamEvent, texts: Sequence[str] | None) -> bytes:
        changes: dict[Path, str] = {}
        for said, spot, text in zip(event.says, self._spots, texts or [], strict=False):
            if text == said.text:
                continue
            if spot is None:
                raise WireFormatError("a text that cannot be changed where it stands")
            changes[spot] = text
        if not changes:
            return event.raw
        held = put({self.KEY: self._value}, changes, derived=self._derived)
        if self._derived:
            held = without_logprobs(held)
        end = b"\n" if event.raw.endswith(b"\n") else b""
        return dump_json(held[self.KEY]) + end
