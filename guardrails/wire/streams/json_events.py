"""Streams of events whose data is JSON: what the providers' readers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Path
from guardrails.wire.refusals import known_of
from guardrails.wire.shapes import FREE, IDENTIFIER, Reads
from guardrails.wire.streams.finding import find
from guardrails.wire.streams.frames import LONGEST, Frame, Frames, read_frame, write_frame
from guardrails.wire.streams.model import StreamEvent
from guardrails.wire.streams.telling import (
    BESIDE,
    Json,
    Numbering,
    Spot,
    Telling,
    TooManyPartsError,
    put,
)
from guardrails.wire.strict_json import AmbiguousError, dump_json, parse_json
from guardrails.wire.walk import Place

__all__ = ["JsonEventReader", "Wording"]


class JsonEventReader(ABC):
    """Reads frames, has each told by its format, and writes those that change."""

    def __init__(self, request: Json | None = None, *, declines: bool = False) -> None:
        self._frames = Frames()
        self._numbering = Numbering()
        self._lost = ""
        """Why nothing that comes now can be read."""
        self._is_first = True
        self._is_over = False
        self._known: Json = known_of({"model": (request or {}).get("model")})
        self._declines = declines
        self._released: Mapping[int, str] = {}

    # -- reading -----------------------------------------------------------------------------

    def feed(self, data: bytes) -> list[StreamEvent]:
        if self._lost:
            return [self._unread(data)] if data else []
        return self._events(self._frames.feed(data))

    def close(self) -> list[StreamEvent]:
        rest = self._frames.rest()
        events = self._events([rest] if rest else [])
        if left := list(self._open_parts()):
            events.append(StreamEvent(raw=b"", closes=tuple(left)))
        return events

    def _events(self, frames: Sequence[bytes]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for at, raw in enumerate(frames):
            events.append(self._event(raw))
            if self._lost and at + 1 < len(frames):
                events.append(self._unread(b"".join(frames[at + 1 :])))
                break
        if self._lost and (rest := self._frames.rest()):
            events.append(self._unread(rest))
        return events

    def _event(self, raw: bytes) -> StreamEvent:
        telling = Telling(self._numbering)
        wording = Wording(self, telling.spots)
        try:
            if len(raw) > LONGEST:
                raise _LostError("an event that is longer than is read here")
            frame = _read(raw, first=self._is_first)
            self._is_first = False
            for said in frame.asides:
                telling.aside(Part(text=said, role="assistant"), BESIDE)
            if frame.data is None:
                self._name_aside(telling, frame)
            else:
                wording.name, wording.data = frame.name, self._parsed(frame.data)
                self._tell(telling, frame.name, wording.data)
        except (_LostError, TooManyPartsError) as error:
            self._lost = str(error)
            telling.opaque(str(error))
        except WireFormatError as error:
            telling.opaque(str(error))
        return telling.event(raw, wording)

    def _name_aside(self, telling: Telling, frame: Frame) -> None:
        if frame.name not in ("", "message"):
            telling.aside(Part(text=frame.name, role="assistant"), BESIDE)

    def _parsed(self, text: str) -> Json:
        data = parse_json(text.encode())
        if not isinstance(data, dict):
            raise WireFormatError("an event whose data is no JSON object")
        return data

    def _unread(self, raw: bytes) -> StreamEvent:
        telling = Telling(self._numbering)
        telling.opaque(self._lost)
        return telling.event(raw, None)

    # -- for the formats ---------------------------------------------------------------------

    @abstractmethod
    def _tell(self, telling: Telling, name: str, data: Json) -> None:
        """Tell of one event. Raises WireFormatError for one that cannot be placed."""

    @abstractmethod
    def _open_parts(self) -> Iterable[int]:
        """Let go of all that is open, and say which parts that were."""

    @abstractmethod
    def _was_sent(self, event: StreamEvent, wording: Wording) -> None:
        """An event is at the client."""

    def _found(self, telling: Telling, value: object, place: Place, spot: Path) -> None:
        """Tell of all texts in a value as parts of their own; it stands at `spot` in the data."""
        skip = len(place.path)
        for found in find(value, place):
            where: Spot = None if found.fixed else (*spot, *found.part.path[skip:])
            telling.aside(found.part, where, json=found.json, fixed=found.fixed)

    def _beside(self, telling: Telling, data: Json, known: Sequence[str]) -> None:
        """The texts of the fields that are not among the known ones."""
        for key, value in data.items():
            if key != "type" and key not in known:
                self._found(telling, {key: value}, _ASIDE, ())

    def _quiet(
        self, telling: Telling, data: Json, key: str, reads: Reads = IDENTIFIER, path: Path = ()
    ) -> None:
        """A field that should hold no text."""
        value = data.get(key)
        if value is not None:
            place = Place(path=path, role="assistant", reads=reads)
            self._found(telling, value, place, (key,))

    @abstractmethod
    def cut(self, text: str, *, released: bool) -> bytes:
        """See `StreamReader`."""

    @abstractmethod
    def fail(self, status: int, message: str) -> bytes:
        """See `StreamReader`."""

    # -- writing -----------------------------------------------------------------------------

    def _moved(self, data: Json) -> Json | None:
        """The data as it must be after what was dropped or changed before; None if it is to be
        left out."""
        return data

    def _settled(self, data: Json, changed: Iterable[Path]) -> Json | None:
        """The data in which the texts at these places were changed, without what depends on them;
        None if nothing is left to say."""
        return data

    def _is_gone(self, part: int) -> bool:
        """Whether what the part stands in was dropped."""
        return False

    def _written(self, event: StreamEvent, wording: Wording, texts: Sequence[str] | None) -> bytes:
        data: Json | None = wording.data
        changes: dict[Path, str] = {}
        is_other = False
        if texts is not None:
            for said, spot, text in zip(event.says, wording.spots, texts, strict=True):
                if text == said.text or self._is_gone(said.part):
                    continue
                if spot is None:
                    raise WireFormatError("a text that cannot be changed where it stands")
                is_other = True
                if spot is not BESIDE:
                    changes[spot] = text
        if changes:
            data = self._settled(put(wording.data, changes), changes)
        data = self._moved(data) if data else data
        if data is wording.data and not is_other:
            return event.raw
        return write_frame(wording.name, dump_json(data).decode()) if data else b""

    def sent(self, event: StreamEvent, text_of: Mapping[int, str]) -> None:
        self._released = text_of
        if event.ends:
            self._is_over = True
        if isinstance(event.change, Wording):
            self._was_sent(event, event.change)

    def drop(self, key: int) -> bool:
        return False


class Wording:
    """An event's own words, for writing it with others."""

    __slots__ = ("_reader", "data", "name", "spots")

    def __init__(self, reader: JsonEventReader, spots: Sequence[Spot]) -> None:
        self._reader, self.spots = reader, spots
        self.name = ""
        self.data: Json = {}

    def __call__(self, event: StreamEvent, texts: Sequence[str] | None) -> bytes:
        return self._reader._written(event, self, texts)  # its own other half


class _LostError(WireFormatError):
    """After this nothing can be read."""


_ASIDE = Place(role="assistant", reads=FREE)


def _read(raw: bytes, *, first: bool) -> Frame:
    try:
        return read_frame(raw, first=first)
    except AmbiguousError as error:
        raise _LostError(str(error)) from None
