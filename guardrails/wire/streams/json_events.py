"""Streams of events whose data is JSON: what the providers' readers have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from guardrails.errors import WireFormatError
from guardrails.exchange import Path
from guardrails.wire.place import Place
from guardrails.wire.quiet import IDENTIFIER
from guardrails.wire.refusals import known_of
from guardrails.wire.shapes import Reads
from guardrails.wire.streams.event_reader import EventReader, frame_of
from guardrails.wire.streams.finding import find
from guardrails.wire.streams.frames import Frames, write_frame
from guardrails.wire.streams.model import StreamEvent
from guardrails.wire.streams.telling import BESIDE, Json, Spot, Telling, less, put
from guardrails.wire.streams.unnamed import UnnamedFields
from guardrails.wire.strict_json import dump_json, parse_json

__all__ = ["JsonEventReader", "Wording"]


class JsonEventReader(EventReader):
    """Reads frames, has each told by its format, and writes those that change."""

    def __init__(self, request: Json | None = None, *, declines: bool = False) -> None:
        super().__init__(Frames())
        self._is_first = True
        self._known: Json = known_of({"model": (request or {}).get("model")})
        self._declines = declines
        self._unnamed = UnnamedFields()

    def _told(self, telling: Telling, raw: bytes) -> None:
        frame = frame_of(telling, raw, first=self._is_first)
        self._is_first = False
        if frame.data is None and not telling.spots:
            return  # it says nothing: a line that keeps the connection
        wording = telling.change = Wording(self, telling.spots, telling.drops)
        if frame.data is not None:
            wording.name, wording.data = frame.name, self._parsed(frame.data)
            self._tell(telling, frame.name, wording.data)

    def _parsed(self, text: str) -> Json:
        data = parse_json(text.encode())
        if not isinstance(data, dict):
            raise WireFormatError("an event whose data is no JSON object")
        return data

    # -- for the formats ---------------------------------------------------------------------

    @abstractmethod
    def _tell(self, telling: Telling, name: str, data: Json) -> None:
        """Tell of one event. Raises WireFormatError for one that cannot be placed."""

    @abstractmethod
    def _was_sent(self, event: StreamEvent, wording: Wording) -> None:
        """An event is at the client."""

    def _found(self, telling: Telling, value: object, place: Place, spot: Path) -> None:
        """Tell of all texts in a value as parts of their own; it stands at `spot` in the data."""
        telling.all(find(value, place), spot, skip=len(place.path))

    def _beside(self, telling: Telling, data: Json, known: Sequence[str]) -> None:
        """The texts of the fields that are not among the known ones."""
        for key, value in data.items():
            if key != "type" and key not in known:
                self._unnamed.tell(telling, (), key, value)

    def _quiet(
        self, telling: Telling, data: Json, key: str, reads: Reads = IDENTIFIER, path: Path = ()
    ) -> None:
        """A field that should hold no text."""
        value = data.get(key)
        if value is not None:
            place = Place(path=path, role="assistant", reads=reads)
            self._found(telling, value, place, (key,))

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
        if data and wording.drops:
            data = less(data, wording.drops)
        if data is wording.data and not is_other:
            return event.raw
        return write_frame(wording.name, dump_json(data).decode()) if data else b""

    def sent(self, event: StreamEvent, text_of: Mapping[int, str]) -> None:
        super().sent(event, text_of)
        if isinstance(event.change, Wording):
            self._was_sent(event, event.change)


class Wording:
    """An event's own words, for writing it with others."""

    __slots__ = ("_reader", "data", "drops", "name", "spots")

    def __init__(
        self, reader: JsonEventReader, spots: Sequence[Spot], drops: Sequence[Path]
    ) -> None:
        self._reader, self.spots, self.drops = reader, spots, drops
        self.name = ""
        self.data: Json = {}

    def __call__(self, event: StreamEvent, texts: Sequence[str] | None) -> bytes:
        return self._reader._written(event, self, texts)  # its own other half
