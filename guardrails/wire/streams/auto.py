"""Streams whose format is found by what they begin with. Until it is, nothing is told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol

from guardrails.errors import WireFormatError
from guardrails.wire.event_fields import ANTHROPIC_EVENTS
from guardrails.wire.sse import DONE, JSON_AS_TEXT, UNKNOWN_EVENTS, tells_json
from guardrails.wire.streams.event_reader import EventReader, LostError
from guardrails.wire.streams.frames import LONGEST, Frames, read_frame, write_frame
from guardrails.wire.streams.model import StreamEvent, StreamReader
from guardrails.wire.streams.telling import Telling
from guardrails.wire.streams.text_events import TextEventReader
from guardrails.wire.strict_json import dump_json, parse_json

__all__ = ["AutoReader", "EventSniffer", "Sniffer", "TextSniffer", "UnreadReader", "error_event"]


class Sniffer(Protocol):
    """Finds the reader of a body by its beginning."""

    def feed(self, data: bytes) -> StreamReader | None:
        """None while more is needed."""

    def close(self) -> StreamReader:
        """There is no more."""


class AutoReader:
    """Holds what comes until its reader is known. `instead` knows how to refuse where the body was
    not recognised, by what was asked. `is_events`: where nobody knows, an event can say so."""

    def __init__(
        self, sniffer: Sniffer, instead: StreamReader | None, *, is_events: bool = False
    ) -> None:
        self._sniffer, self._instead, self._is_events = sniffer, instead, is_events
        self._held = bytearray()
        self._reader: StreamReader | None = None
        self._has_sent = False

    @property
    def repeats(self) -> bool:
        return self._reader is None or self._reader.repeats

    @property
    def unread(self) -> str:
        return "" if self._reader is None else self._reader.unread

    @property
    def can_refuse(self) -> bool:
        return self._known() is not None

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
        if reader is None:
            return error_event(text) if self._is_events else b""
        return reader.cut(text, released=released)

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

    can_refuse: ClassVar[bool] = False

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


def error_event(text: str) -> bytes:
    """What a stream of unknown shape ends with. Its name keeps it from whoever reads messages: to
    an EventSource it is an error, with which most close, since they would ask again else."""
    return write_frame("error", dump_json({"error": {"message": text}}).decode())


class _FrameSniffer(ABC):
    """Knows an event stream by its first events; each reader reads on from the start."""

    def __init__(self) -> None:
        self._frames = Frames()
        self._is_first = True

    def feed(self, data: bytes) -> StreamReader | None:
        for raw in self._frames.feed(data):
            if (reader := self._reader_of(raw)) is not None:
                return reader
        return None

    def close(self) -> StreamReader:
        rest = self._frames.rest()
        return (self._reader_of(rest) if rest else None) or self._unknown()

    def _data(self, raw: bytes) -> str | None:
        """None for what says nothing by itself. Raises WireFormatError."""
        frame = read_frame(raw, first=self._is_first)
        self._is_first = False
        return frame.data

    @abstractmethod
    def _reader_of(self, raw: bytes) -> StreamReader | None:
        """None while one more event must be seen."""

    @abstractmethod
    def _unknown(self) -> StreamReader:
        """Where too little came to tell."""


class EventSniffer(_FrameSniffer):
    """By the first event with data; a reader finds out itself if what follows is not of its
    format."""

    def __init__(self, readers: Mapping[str, Callable[[], StreamReader]]) -> None:
        super().__init__()
        self._readers = readers

    def _unknown(self) -> StreamReader:
        return UnreadReader(UNKNOWN_EVENTS)

    def _reader_of(self, raw: bytes) -> StreamReader | None:
        try:
            said = self._data(raw)
            if said is None:
                return None
            data = {} if said.strip() == DONE else parse_json(said.encode())
        except WireFormatError:
            return self._unknown()
        name = _format_of(data) if isinstance(data, dict) else None
        return self._readers[name]() if name else self._unknown()


class TextSniffer(_FrameSniffer):
    """Tells events that are pieces of a plain text from JSON, whose syntax would stand between the
    pieces: a finding that is cut over two of them would not be seen."""

    def __init__(self) -> None:
        super().__init__()
        self._first: list[str] = []

    def _unknown(self) -> StreamReader:
        return TextEventReader()

    def _reader_of(self, raw: bytes) -> StreamReader | None:
        try:
            said = self._data(raw)
        except WireFormatError:
            return TextEventReader()  # which tells of it
        if said is None or not said.strip():
            return None
        if said == DONE:
            return TextEventReader()
        self._first.append(said)
        is_json = tells_json(self._first)
        if is_json is None:
            return None
        return UnreadReader(JSON_AS_TEXT) if is_json else TextEventReader()


def _format_of(data: dict[str, Any]) -> str | None:
    kind = data.get("type")
    if isinstance(kind, str) and kind != "error":
        if kind.startswith("response."):
            return "openai-responses"
        return "anthropic" if kind in ANTHROPIC_EVENTS else None
    if kind == "error":
        return "anthropic" if isinstance(data.get("error"), dict) else "openai-responses"
    is_chunk = isinstance(data.get("choices"), list) or data.get("error")
    return "openai-chat" if is_chunk else None
