"""Event streams whose data is JSON of the application's own: its author has said where the pieces
of the reply stand. All else that the events say is judged as well, each by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Path, Role
from guardrails.wire.embedded import hides_words
from guardrails.wire.event_shape import EventShape, Spot
from guardrails.wire.place import Place
from guardrails.wire.pointer import Pointer, path_of, placed, planted
from guardrails.wire.shapes import FREE
from guardrails.wire.sse import DONE
from guardrails.wire.streams.event_reader import EventReader, frame_of
from guardrails.wire.streams.finding import Found, find
from guardrails.wire.streams.frames import LONGEST, Frame, Frames, read_frame, write_frame
from guardrails.wire.streams.model import StreamEvent
from guardrails.wire.streams.telling import BESIDE, LONGEST_KNOWN, MOST_KNOWN, Telling, put
from guardrails.wire.streams.text import PARAGRAPH
from guardrails.wire.strict_json import dump_json, holds_json, parse_json

__all__ = ["OwnEventReader"]

UNNAMED = "message"
"""What an event is that has no name."""

KEY = "value"
"""Where an event's data stands while it is changed: the data itself may be a text."""


@dataclass(slots=True)
class _Text:
    """A text that comes in pieces, and what came of it."""

    key: int
    is_open: bool = True
    size: int = 0
    digest: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def add(self, text: str) -> None:
        self.size += len(text)
        self.digest.update(text.encode())

    def says(self, text: str) -> bool:
        if len(text) != self.size:
            return False
        same = hashlib.blake2b(text.encode(), digest_size=16)
        return same.digest() == self.digest.digest()


class OwnEventReader(EventReader):
    """Reads events as a shape says. Nothing is told before the first piece of the reply is there:
    with a pointer that leads nowhere, pieces would be judged as if each were a text."""

    repeats: ClassVar[bool] = True

    def __init__(self, shape: EventShape, *, role: Role = "assistant") -> None:
        super().__init__(Frames())
        self._shape = shape
        self._role: Role = role
        self._place = Place(role=role, reads=FREE)
        self._sentinels = {DONE, *(one.data.strip() for one in shape.done if not one.event)}
        self._is_first = True
        self._texts: dict[Spot, _Text] = {}
        self._kinds: dict[Spot, str] = {}
        """The one name of the events in which a text comes, where the shape says none."""
        self._known: dict[tuple[Path, str, bool], int] = {}
        """Texts beside the reply by where they stand, and whether they are names of fields."""
        self._name = ""
        """Of the events that hold the reply, as it was sent."""
        self._unnamed: set[str] = set()
        """Names of events that were changed, and so are left out."""
        self._has_begun = False
        self._waiting: list[bytes] = []
        self._waits = 0
        """Bytes that wait."""
        self._said_before = 0
        """Events before the reply that say anything."""
        self._said_at: dict[Path, str] = {}
        """What events without a character of the reply said first, by its place."""
        self._is_held = False

    # -- before the reply --------------------------------------------------------------------

    def feed(self, data: bytes) -> list[StreamEvent]:
        if self._lost or self._has_begun:
            return super().feed(data)
        return self._begun(self._cutter.feed(data))

    def close(self) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        if not self._has_begun and not self._lost:
            rest = self._cutter.rest()
            events = self._begun([rest] if rest else [], is_all=True)
        return [*events, *super().close()]

    def _begun(self, frames: list[bytes], *, is_all: bool = False) -> list[StreamEvent]:
        """What may be told of what came before the reply, and of its begin."""
        for at, raw in enumerate(frames):
            self._waiting.append(raw)
            self._waits += len(raw)
            self._look(raw)
            if self._has_begun:
                return self._events([*self._let_go(), *frames[at + 1 :]])
        if self._waits > LONGEST or (is_all and self._said_before > 1):
            pointers = " nor ".join(repr(spot.pointer.text) for spot in self._shape.deltas[:3])
            self._lost = f"there is no piece of a reply at {pointers}"
            return [self._unread(b"".join(self._let_go()))]
        return self._events(self._let_go()) if is_all or not self._is_held else []

    def _let_go(self) -> list[bytes]:
        waiting, self._waiting, self._waits = self._waiting, [], 0
        self._said_at.clear()
        return waiting

    def _look(self, raw: bytes) -> None:
        """Whether the reply begins here, or if not, whether something is said here."""
        try:
            self._look_into(read_frame(raw, first=self._is_first and len(self._waiting) == 1))
        except WireFormatError:  # it is told as what nobody can read
            self._has_begun = True

    def _look_into(self, frame: Frame) -> None:
        if frame.data is None or not frame.data.strip():
            return
        if self._is_end(frame.name, frame.data):
            self._has_begun = self._said_before <= 1
            return
        if self._holds_plain(frame.name, frame.data, is_end=False):
            return
        value = parse_json(frame.data.encode())
        kind = self._kind(frame.name, value)
        pieces = list(_at(self._shape.deltas, kind, value))
        if any(said for _, said, _ in pieces):
            self._has_begun = True
        elif any(said for _, said, _ in _at(self._shape.wholes, kind, value)):
            self._has_begun = self._said_before <= 1
        if self._has_begun or kind in self._shape.silent:
            return
        self._is_held = True
        if not pieces or self._says_more(value):
            self._said_before += 1

    def _says_more(self, value: object) -> bool:
        """Whether an event in which a piece is empty says in one place another thing than those
        before it: that may be a text in pieces, of which nobody has said so."""
        is_more = False
        for found in find(value, self._place):
            said = found.part.text
            if not found.names:
                is_more |= self._said_at.setdefault(found.part.path, said) != said
        return is_more

    # -- reading -----------------------------------------------------------------------------

    def _told(self, telling: Telling, raw: bytes) -> None:
        frame = frame_of(telling, raw, first=self._is_first)
        self._is_first = False
        if frame.data is None and not telling.spots:
            return
        words = telling.change = _Words(self, frame.name, frame.data, telling.spots)
        if frame.data is None:
            return
        is_end = self._is_end(frame.name, frame.data)
        if not self._is_named(frame.name):
            self._beside(telling, Part(text=frame.name, role=self._role), BESIDE)
        if frame.data.strip() and not (is_end and frame.data.strip() in self._sentinels):
            if self._holds_plain(frame.name, frame.data, is_end=is_end):
                if hides_words(frame.data):
                    raise WireFormatError("JSON that cannot be parsed")
                self._beside(telling, Part(text=frame.data, role=self._role), BESIDE)
                words.data = None
            else:
                words.value = parse_json(frame.data.encode())
                self._tell(telling, self._kind(frame.name, words.value), words, is_end=is_end)
        if is_end:
            telling.closes += self._open_parts()
            telling.ends = True

    def _tell(self, telling: Telling, kind: str, words: _Words, *, is_end: bool) -> None:
        shape, value = self._shape, words.value
        deltas: Iterable[Spot] = shape.deltas
        if is_end and not isinstance(value, str):  # an end is no piece because all others are
            deltas = (spot for spot in deltas if spot.pointer.steps)
        pieces, wholes = list(_at(deltas, kind, value)), list(_at(shape.wholes, kind, value))
        own = {path for _, _, path in (*pieces, *wholes)}
        if shape.by is not None and kind in shape.kinds:
            own.add(path_of(value, shape.by))
        # Before the pieces, for what is opened behind a text is judged once that one has ended.
        self._all_beside(telling, value, own)
        for spot, said, path in pieces:
            if spot.kind is None and self._kinds.setdefault(spot, kind) != kind:
                raise WireFormatError("pieces in events of several names: say 'delta' for each")
            words.is_piece = True
            self._piece(telling, spot, said, path)
        for _, said, path in wholes:
            self._said_again(telling, said, path)

    def _all_beside(self, telling: Telling, value: object, own: set[Path]) -> None:
        """What stands beside the reply, at none of its `own` places."""
        quiet = [at for pointer in self._shape.quiet if (at := _path(value, pointer)) is not None]
        named = {path[:end] for path in own for end in range(1, len(path) + 1)}
        if not isinstance(value, dict):
            self._rest(telling, value, own, named, quiet)
            return
        for key, held in value.items():
            if (key,) not in own and not self._is_told(telling, key, held):
                self._rest(telling, {key: held}, own, named, quiet)

    def _rest(
        self,
        telling: Telling,
        value: object,
        own: set[Path],
        named: set[Path],
        quiet: Sequence[Path],
    ) -> None:
        for found in find(value, self._place):
            path = found.part.path
            if path in (named if found.names else own):
                continue
            if quiet and any(path[: len(at)] == at for at in quiet):
                continue
            self._found(telling, found)

    def _is_told(self, telling: Telling, key: str, held: object) -> bool:
        """Whether a field and its text were told before, as that of an id is: then they are told
        without going through them."""
        if type(held) is not str:
            return False
        name, text = self._known.get(((key,), key, True)), self._known.get(((key,), held, False))
        if name is None or text is None:
            return False
        telling.say(name, key, None, repeats=True)
        telling.say(text, held, (KEY, key), repeats=True)
        return True

    def _piece(self, telling: Telling, spot: Spot, said: str, path: Path) -> None:
        if not said:
            return
        text = self._texts.get(spot)
        if text is None:
            key = telling.open(Part(text="", role=self._role))
            text = self._texts[spot] = _Text(key)
        if not text.is_open:
            raise WireFormatError("a text that goes on after all of it was said again")
        text.add(said)
        telling.say(text.key, said, (KEY, *path))

    def _said_again(self, telling: Telling, said: str, path: Path) -> None:
        if not said:
            return
        for text in self._texts.values():
            if text.says(said):
                if text.is_open:
                    text.is_open = False
                    telling.close(text.key)
                telling.say(text.key, said, (KEY, *path), repeats=True)
                return
        self._beside(telling, Part(text=said, role=self._role, path=path), (KEY, *path))

    def _found(self, telling: Telling, found: Found) -> None:
        part = found.part
        if not part.readable:
            telling.aside(part, fixed=True)
            return
        spot = None if found.fixed else (KEY, *part.path)
        self._beside(telling, part, spot, names=found.names)

    def _beside(
        self, telling: Telling, part: Part, spot: Path | None, *, names: bool = False
    ) -> None:
        """A text beside the reply; one that stood there before is the same part."""
        known = (part.path, part.text, names)
        key = self._known.get(known)
        if key is not None:
            telling.say(key, part.text, spot, repeats=True)
            return
        key = telling.aside(part, spot, fixed=spot is None)
        if 0 < len(part.text) <= LONGEST_KNOWN and len(self._known) < MOST_KNOWN:
            self._known[known] = key

    def _open_parts(self) -> Iterable[int]:
        left = [text for text in self._texts.values() if text.is_open]
        for text in left:
            text.is_open = False
        return [text.key for text in left]

    # -- what the shape says -----------------------------------------------------------------

    def _is_end(self, name: str, data: str) -> bool:
        return data.strip() == DONE or any(one.is_in(name, data) for one in self._shape.done)

    def _holds_plain(self, name: str, data: str, *, is_end: bool) -> bool:
        """Whether it is an event that the author knows to hold no piece, and its data no JSON."""
        is_known = is_end or (self._shape.by is None and name in self._shape.silent)
        return is_known and not holds_json(data.encode())

    def _is_named(self, name: str) -> bool:
        """Whether the name of an event is one of the author's, or none."""
        if name in ("", UNNAMED) or (self._shape.by is None and name in self._shape.kinds):
            return True
        return any(one.event == name for one in self._shape.done)

    def _kind(self, name: str, value: object) -> str:
        if self._shape.by is None:
            return name or UNNAMED
        _hold_to_case(value, self._shape.by)
        path = _path(value, self._shape.by)
        found = None if path is None else self._shape.by.find(value)
        return found if isinstance(found, str) else ""

    # -- writing -----------------------------------------------------------------------------

    def _written(self, event: StreamEvent, words: _Words, texts: Sequence[str] | None) -> bytes:
        changes: dict[Path, str] = {}
        is_other = False
        for said, spot, text in zip(event.says, words.spots, texts or (), strict=texts is not None):
            if text == said.text:
                continue
            if spot is None:
                raise WireFormatError("a text that cannot be changed where it stands")
            is_other = True
            if spot is not BESIDE:
                changes[spot] = text
            elif said.text == words.name:
                self._unnamed.add(words.name)
        if not is_other:
            return event.raw
        data = words.data
        if changes:
            held = put({KEY: words.value}, changes, derived=())
            data = dump_json(held[KEY]).decode()
        return b"" if data is None else write_frame(self._named(words.name), data)

    def _named(self, name: str) -> str:
        return "" if name in self._unnamed else name

    def sent(self, event: StreamEvent, text_of: Mapping[int, str]) -> None:
        super().sent(event, text_of)
        if isinstance(event.change, _Words) and event.change.is_piece:
            self._name = self._named(event.change.name)

    def cut(self, text: str, *, released: bool) -> bytes:
        """The event that the author has said, or else one more piece; then the reply's end."""
        if self._is_over:
            return b""
        shape, stop, first = self._shape, self._shape.stop, self._shape.deltas[0]
        name = self._name
        if stop is not None:
            name, data = stop.event, planted(stop.data, stop.text, text)
        else:
            said = PARAGRAPH + text if released and text else text
            data = placed(first.pointer, said)
            if shape.by is not None:
                data = planted(data, shape.by, first.kind)
            elif first.kind not in (None, UNNAMED):
                name = first.kind or ""
        made = write_frame(name, dump_json(data).decode()) if text else b""
        return made + b"".join(write_frame(one.event, one.data) for one in shape.done[:1])

    def fail(self, status: int, message: str) -> bytes:
        """There is no other error than the reply that stands in the place of the rest."""
        return b""


class _Words:
    """An event's own words, for writing it with others."""

    __slots__ = ("_reader", "data", "is_piece", "name", "spots", "value")

    def __init__(
        self, reader: OwnEventReader, name: str, data: str | None, spots: Sequence[Path | None]
    ) -> None:
        self._reader, self.name, self.data, self.spots = reader, name, data, spots
        self.value: Any = None
        self.is_piece = False

    def __call__(self, event: StreamEvent, texts: Sequence[str] | None) -> bytes:
        return self._reader._written(event, self, texts)  # its own other half


def _path(value: object, pointer: Pointer) -> Path | None:
    """Where that is in the value; None if nothing is there."""
    try:
        pointer.find(value)
    except WireFormatError:
        return None
    return path_of(value, pointer)


def _at(spots: Iterable[Spot], kind: str, value: object) -> Iterable[tuple[Spot, str, Path]]:
    """The texts at the spots of a kind; null is one without a character. Raises WireFormatError
    for what is no text, and where there might be another one."""
    for spot in spots:
        if spot.kind is not None and spot.kind != kind:
            continue
        _hold_to_case(value, spot.pointer)
        path = _path(value, spot.pointer)
        if path is None:
            continue
        said = spot.pointer.find(value)
        if said is None:
            said = ""
        if not isinstance(said, str):
            raise WireFormatError(f"there is no text at {spot.pointer.text!r}")
        yield spot, said, path


def _hold_to_case(value: Any, pointer: Pointer) -> None:
    """Raises WireFormatError if there is a field that some clients (in Go, in C#) take for one of
    the pointer's, for they compare names without their case."""
    for step in pointer.steps:
        if isinstance(value, dict):
            folded = step.casefold()
            if [key for key in value if key.casefold() == folded and key != step]:
                raise WireFormatError(f"a field like one of {pointer.text!r} in another case")
            value = value.get(step)
        elif isinstance(value, list) and len(step) < 10 and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return
