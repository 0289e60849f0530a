"""What all readers of bodies that consist of events share: one piece of bytes after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Protocol

from guardrails.errors import WireFormatError
from guardrails.wire.sse import MARK, MARKED
from guardrails.wire.streams.frames import LONGEST, Frame, read_frame
from guardrails.wire.streams.model import StreamEvent
from guardrails.wire.streams.telling import Numbering, Telling, TooManyPartsError
from guardrails.wire.strict_json import AmbiguousError

__all__ = ["EventReader", "LostError", "frame_of", "name_aside"]


class LostError(WireFormatError):
    """After this nothing can be read."""


class _Cutter(Protocol):
    """Cuts bytes into the pieces that are events."""

    def feed(self, data: bytes) -> list[bytes]: ...

    def rest(self) -> bytes: ...


class EventReader(ABC):
    """Has each piece told by its format. One that cannot be read is a part that nobody can judge;
    where nothing behind it can be read either, the rest is told as such, a piece for each `feed`.
    """

    repeats: ClassVar[bool] = False
    can_refuse: ClassVar[bool] = True

    def __init__(self, cutter: _Cutter) -> None:
        self._cutter = cutter
        self._numbering = Numbering()
        self.unread = ""
        self._lost = ""
        """Why nothing that comes now can be read."""
        self._is_over = False
        self._released: Mapping[int, str] = {}

    def feed(self, data: bytes) -> list[StreamEvent]:
        if self._lost:
            return [self._unread(data)] if data else []
        return self._events(self._cutter.feed(data))

    def close(self) -> list[StreamEvent]:
        rest = self._cutter.rest()
        events = self._events([rest] if rest else [])
        if left := tuple(self._open_parts()):
            events.append(StreamEvent(raw=b"", closes=left))
        return events

    def _events(self, pieces: Sequence[bytes]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        silent: list[bytes] = []
        for at, raw in enumerate(pieces):
            event = self._event(raw)
            if _is_silent(event):
                silent.append(raw)
                continue
            if silent:
                events.append(StreamEvent(raw=b"".join(silent)))
                silent = []
            events.append(event)
            if self._lost:
                if rest := b"".join([*pieces[at + 1 :], self._cutter.rest()]):
                    events.append(self._unread(rest))
                break
        if silent:
            events.append(StreamEvent(raw=b"".join(silent)))
        return events

    def _event(self, raw: bytes) -> StreamEvent:
        telling = Telling(self._numbering)
        try:
            if len(raw) > LONGEST:
                raise LostError("an event that is longer than is read here")
            self._told(telling, raw)
        except WireFormatError as error:
            if isinstance(error, LostError | TooManyPartsError):
                self._lost = str(error)
            self.unread = self.unread or str(error)
            telling.opaque(str(error))
            telling.change = _all_or_nothing
        return telling.event(raw)

    def _unread(self, raw: bytes) -> StreamEvent:
        telling = Telling(self._numbering)
        self.unread = self.unread or self._lost
        telling.opaque(self._lost)
        return telling.event(raw)

    def sent(self, event: StreamEvent, text_of: Mapping[int, str]) -> None:
        self._released = text_of
        self._is_over = self._is_over or event.ends

    def drop(self, key: int) -> bool:
        return False

    @abstractmethod
    def _told(self, telling: Telling, raw: bytes) -> None:
        """Tell of one piece. Raises WireFormatError for one that cannot be read."""

    @abstractmethod
    def _open_parts(self) -> Iterable[int]:
        """Let go of all that is open, and say which parts that were."""

    @abstractmethod
    def cut(self, text: str, *, released: bool) -> bytes:
        """See `StreamReader`."""

    @abstractmethod
    def fail(self, status: int, message: str) -> bytes:
        """See `StreamReader`."""


def _is_silent(event: StreamEvent) -> bool:
    """Whether it goes as it came, whatever becomes of the reply: many of them are one."""
    return event.change is None and not (event.opens or event.says or event.closes or event.ends)


def _all_or_nothing(event: StreamEvent, texts: Sequence[str] | None) -> bytes:
    """What could not be read to its end goes as it came, or not at all if a text of it changed."""
    is_other = texts is not None and list(texts) != [said.text for said in event.says]
    return b"" if is_other else event.raw


def frame_of(telling: Telling, raw: bytes, *, first: bool) -> Frame:
    """A frame, with what stands beside its data told. Raises LostError if it cannot be read."""
    try:
        frame = read_frame(raw, first=first)
    except AmbiguousError as error:
        raise LostError(str(error)) from None
    for said in frame.asides:
        if said.startswith(MARK):
            raise LostError(MARKED)
        telling.beside(said)
    if frame.data is None:
        name_aside(telling, frame.name)
    return frame


def name_aside(telling: Telling, name: str) -> None:
    """Tell of the name of an event that says nothing by itself."""
    if name not in ("", "message"):
        telling.beside(name)
