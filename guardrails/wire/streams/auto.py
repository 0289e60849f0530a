"""Streams whose format is found by what they begin with. Until it is, nothing is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from guardrails.errors import WireFormatError
from guardrails.wire.event_fields import ANTHROPIC_EVENTS
from guardrails.wire.sse import DONE
from guardrails.wire.streams.event_reader import EventReader, LostError
from guardrails.wire.streams.frames import LONGEST, Frames, read_frame
from guardrails.wire.streams.model import StreamEvent, StreamReader
from guardrails.wire.streams.telling import Telling
from guardrails.wire.strict_json import parse_json

__all__ = ["AutoReader", "EventSniffer", "Sniffer", "UnreadReader"]


class Sniffer(Protocol):
    """Finds the reader of a body by its beginning."""

    def feed(self, data: bytes) -> StreamReader | None:
        """None while more is needed."""

    def close(self) -> StreamReader:
        """There is no more."""


class AutoReader:
    """Holds what comes until its reader is known. `instead` knows how to refuse where the body was
    not recognised, by what was asked."""

    def __init__(self, sniffer: Sniffer, instead: StreamReader | None) -> None:
        self._sniffer, self._instead = sniffer, instead
        self._held = bytearray()
        self._reader: StreamReader | None = None
        self._has_sent = False

    @property
    def repeats(self) -> bool:
        return self._reader is None or self._reader.repeats

    def feed(self, data: bytes) -> list[StreamEvent]:
        if self._reader is None:
            self._held += data
            self._reader = self._sniffer.feed(data)
            if self._reader is None and len(self._held) > LONGEST:
                self._reader = UnreadReader("a stream that does not say what it is")
            return self._let_go()
        return self._reader.feed(data)

    def close(self) -> list[StreamEvent]:
        if self._reader is None:
            self._reader = self._sniffer.close()
        return [*self._let_go(), *self._reader.close()]

    def _let_go(self) -> list[StreamEvent]:
        if self._reader is None or not self._held:
            return []
        held = bytes(self._held)
        self._held.clear()
        return self._reader.feed(held)

    def sent(self, event: StreamEvent, text_of: Mapping[int, str]) -> None:
        self._has_sent = True
        if self._reader is not None:
            self._reader.sent(event, text_of)

    def drop(self, key: int) -> bool:
        return self._reader is not None and self._reader.drop(key)

    def cut(self, text: str, *, released: bool) -> bytes:
        reader = self._known()
        return reader.cut(text, released=released) if reader else b""

    def fail(self, status: int, message: str) -> bytes:
        reader = self._known()
        return reader.fail(status, message) if reader else b""

    def _known(self) -> StreamReader | None:
        """Whoever knows how this stream may end."""
        if self._reader is not None and not isinstance(self._reader, UnreadReader):
            return self._reader
        return None if self._has_sent else self._instead


class _Uncut:
    """Takes bytes as they come."""

    def feed(self, data: bytes) -> list[bytes]:
        return [data] if data else []

    def rest(self) -> bytes:
        return b""


class UnreadReader(EventReader):
    """Reads nothing; `why` holds no text of the body."""

    def __init__(self, why: str) -> None:
        super().__init__(_Uncut())
        self._why = why

    def _told(self, telling: Telling, raw: bytes) -> None:
        raise LostError(self._why)

    def _open_parts(self) -> Iterable[int]:
        return ()

    def cut(self, text: str, *, released: bool) -> bytes:
        return b""

    def fail(self, status: int, message: str) -> bytes:
        return b""


class EventSniffer:
    """Knows an event stream by its first event with data; each reader reads on from the start, and
    finds out itself if what follows is not of its format."""

    UNKNOWN = "an event stream of no provider's format; for plain text in events say 'text'"

    def __init__(self, readers: Mapping[str, Callable[[], StreamReader]]) -> None:
        self._frames = Frames()
        self._readers = readers
        self._is_first = True

    def feed(self, data: bytes) -> StreamReader | None:
        for raw in self._frames.feed(data):
            if (reader := self._reader_of(raw)) is not None:
                return reader
        return None

    def close(self) -> StreamReader:
        rest = self._frames.rest()
        return (self._reader_of(rest) if rest else None) or UnreadReader(self.UNKNOWN)

    def _reader_of(self, raw: bytes) -> StreamReader | None:
        """None for what says nothing by itself."""
        try:
            frame = read_frame(raw, first=self._is_first)
            self._is_first = False
            if frame.data is None:
                return None
            data = {} if frame.data.strip() == DONE else parse_json(frame.data.encode())
        except WireFormatError:
            return UnreadReader(self.UNKNOWN)
        name = _format_of(data) if isinstance(data, dict) else None
        return self._readers[name]() if name else UnreadReader(self.UNKNOWN)


def _format_of(data: dict[str, Any]) -> str | None:
    kind = data.get("type")
    if isinstance(kind, str) and kind != "error":
        if kind.startswith("response."):
            return "openai-responses"
        return "anthropic" if kind in ANTHROPIC_EVENTS else None
    if kind == "error":
        return "anthropic" if isinstance(data.get("error"), dict) else "openai-responses"
    return "openai-chat" if "choices" in data or "error" in data else None
