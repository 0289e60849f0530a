"""Plain text of which nobody said that it is no JSON: many an application reads it as JSON all the
same, so what begins as JSON does is held until it is whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from guardrails.errors import WireFormatError
from guardrails.wire.place import Place
from guardrails.wire.shapes import FREE
from guardrails.wire.streams.auto import UnreadReader
from guardrails.wire.streams.finding import find
from guardrails.wire.streams.frames import LONGEST
from guardrails.wire.streams.lines import JsonValue
from guardrails.wire.streams.model import StreamEvent, StreamReader
from guardrails.wire.streams.telling import DERIVED, Numbering, Telling
from guardrails.wire.streams.text import TextReader
from guardrails.wire.strict_json import JSON_BLANKS, JSON_STARTS, holds_json, parse_json

__all__ = ["PlainSniffer"]


class PlainSniffer:
    """`place_of` says how to read a JSON value."""

    def __init__(self, encoding: str, place_of: Callable[[object], Place]) -> None:
        self._encoding, self._place_of = encoding, place_of

    def feed(self, data: bytes) -> StreamReader | None:
        begins = data.lstrip(JSON_BLANKS)
        if not begins:
            return None
        if begins[0] in JSON_STARTS:
            return _HeldReader(self._encoding, self._place_of)
        return TextReader(self._encoding)

    def close(self) -> StreamReader:
        return TextReader(self._encoding)


class _HeldReader:
    """Reads all of it as one event: JSON if it is, else text."""

    repeats: ClassVar[bool] = False
    can_refuse: ClassVar[bool] = True

    def __init__(self, encoding: str, place_of: Callable[[object], Place]) -> None:
        self._text = TextReader(encoding)
        self._place_of = place_of
        self._held = bytearray()
        self._unread: UnreadReader | None = None
        self.unread = ""

    def feed(self, data: bytes) -> list[StreamEvent]:
        if self._unread is not None:
            return self._unread.feed(data)
        self._held += data
        if len(self._held) <= LONGEST:
            return []
        self.unread = "what may be JSON, and is longer than is read here"
        self._unread = UnreadReader(self.unread)
        return self._unread.feed(self._taken())

    def close(self) -> list[StreamEvent]:
        if self._unread is not None:
            return self._unread.close()
        raw = self._taken()
        if not holds_json(raw):
            return [*self._text.feed(raw), *self._text.close()]
        telling = Telling(Numbering())
        try:
            value = parse_json(raw)
            place = self._place_of(value)
            derived = () if place.reads is FREE else DERIVED
            telling.change = JsonValue(value, telling.spots, derived=derived)
            telling.all(find(value, place), (JsonValue.KEY,))
        except WireFormatError as error:
            self.unread = str(error)
            telling.opaque(self.unread)
        return [telling.event(raw)]

    def _taken(self) -> bytes:
        raw = bytes(self._held)
        self._held.clear()
        return raw

    def sent(self, event: StreamEvent, text_of: Mapping[int, str]) -> None:
        """Nothing is open at the client."""

    def drop(self, key: int) -> bool:
        return False

    def cut(self, text: str, *, released: bool) -> bytes:
        return self._text.cut(text, released=released)

    def fail(self, status: int, message: str) -> bytes:
        return b""
