"""What one event tells, while it is read, and how its texts are put back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Path
from guardrails.wire.numerals import number_or_text
from guardrails.wire.streams.finding import Found
from guardrails.wire.streams.model import Change, PartHead, Said, StreamEvent

__all__ = [
    "BESIDE",
    "DERIVED",
    "LONGEST_KNOWN",
    "MOST_AT_ONCE",
    "MOST_KNOWN",
    "MOST_PARTS",
    "MOST_PLACES",
    "Json",
    "Numbering",
    "Spot",
    "Telling",
    "TooManyPartsError",
    "fields",
    "index",
    "less",
    "put",
    "without",
    "without_logprobs",
]

Json = dict[str, Any]
Spot = Path | None
"""Where a text stands in its event's data; None where nothing else can be put."""

BESIDE: Path = ()
"""The spot of what stands beside the data. It goes when anything of the event changes."""

MOST_PARTS = 20_000
"""Texts that one stream may have: each is remembered to its end, with some 3 kB."""


MOST_AT_ONCE = 5_000
"""Texts that one event may have: it is read without a pause."""

MOST_KNOWN = 2_000
LONGEST_KNOWN = 200
"""Texts beside a reply that are remembered, of so many characters: said again, such as an id, one
is no further part."""

MOST_PLACES = 10_000
"""Blocks, choices, calls or items that are told apart."""


class TooManyPartsError(WireFormatError):
    """A stream with more texts than are told apart here."""


class Numbering:
    """Gives the parts of one stream their keys."""

    __slots__ = ("_next", "beside")

    def __init__(self) -> None:
        self._next = 0
        self.beside: dict[str, int] = {}
        """What stood beside the data of events → its part."""

    def number(self) -> int:
        key = self._next
        if key >= MOST_PARTS:
            raise TooManyPartsError("a stream of more parts than are read here")
        self._next = key + 1
        return key

    def last(self) -> int:
        """A key for what nobody can read, of which there may be any number."""
        key = self._next
        self._next = key + 1
        return key


class Telling:
    """The parts that an event opens, says and closes, in order; `spots` has one for each text, and
    `change` writes the event with others. What stands at `drops` is left out of it."""

    __slots__ = ("_numbering", "change", "closes", "drops", "ends", "opens", "says", "spots")

    def __init__(self, numbering: Numbering) -> None:
        self._numbering = numbering
        self.opens: list[PartHead] = []
        self.says: list[Said] = []
        self.spots: list[Spot] = []
        self.drops: list[Path] = []
        self.closes: list[int] = []
        self.ends = False
        self.change: Change | None = None

    def open(
        self,
        part: Part,
        *,
        whole: bool = False,
        json: bool = False,
        fixed: bool = False,
        within: int | None = None,
    ) -> int:
        if len(self.opens) >= MOST_AT_ONCE:
            raise TooManyPartsError("an event of more texts than are read at once")
        key = self._numbering.number()
        self.opens.append(
            PartHead(
                key=key,
                role=part.role,
                kind=part.kind,
                name=part.name,
                path=part.path,
                whole=whole,
                json=json,
                fixed=fixed,
                within=within,
            )
        )
        return key

    def say(self, key: int, text: str, spot: Spot, *, repeats: bool = False) -> None:
        self.says.append(Said(part=key, text=text, repeats=repeats))
        self.spots.append(spot)

    def close(self, key: int) -> None:
        self.closes.append(key)

    def aside(
        self,
        part: Part,
        spot: Spot = None,
        *,
        json: bool = False,
        fixed: bool = False,
        within: int | None = None,
    ) -> int:
        """A part that is all in this event."""
        key = self.open(part, whole=True, json=json, fixed=fixed, within=within)
        if part.text:
            self.say(key, part.text, spot)
        self.closes.append(key)
        return key

    def beside(self, text: str) -> None:
        """What stands beside the data. Said again, such as a comment that keeps the connection, it
        is no further part, for which all that comes behind it would have to wait."""
        known = self._numbering.beside
        key = known.get(text)
        if key is not None:
            self.say(key, text, BESIDE, repeats=True)
            return
        key = self.aside(Part(text=text, role="assistant"), BESIDE)
        if len(text) <= LONGEST_KNOWN and len(known) < MOST_KNOWN:
            known[text] = key

    def all(self, found: Iterable[Found], spot: Path, *, skip: int = 0) -> None:
        """Each text as a part that is all in this event. The value in which they were found stands
        at `spot` in the data; the first `skip` steps of their paths lead to it."""
        for one in found:
            where = None if one.fixed else (*spot, *one.part.path[skip:])
            self.aside(one.part, where, json=one.json, fixed=one.fixed)

    def opaque(self, why: str) -> None:
        """The event, or what it brings, cannot be read. `why` holds no text of it."""
        key = self._numbering.last()
        self.opens.append(
            PartHead(key=key, role="assistant", kind="opaque", name=why, whole=True, fixed=True)
        )
        self.closes.append(key)

    def event(self, raw: bytes) -> StreamEvent:
        return StreamEvent(
            raw=raw,
            opens=tuple(self.opens),
            says=tuple(self.says),
            closes=tuple(self.closes),
            ends=self.ends,
            change=self.change,
        )


DERIVED = ("citations", "annotations", "logprobs")
"""What stands beside a text in the providers' formats and depends on it."""


def put(data: Json, changes: Mapping[Path, str], *, derived: Sequence[str] = DERIVED) -> Json:
    """The data with these texts in it. What is on the way to one is copied, all else is shared.

    What repeats the text or points into it goes with it: `derived` fields beside it.
    """
    made: dict[int, Any] = {}

    def own(value: Any) -> Any:
        if id(value) in made:
            return value
        copy = list(value) if isinstance(value, list) else dict(value)
        made[id(copy)] = copy
        return copy

    whole: Json = own(data)
    for path, text in changes.items():
        holder: Any = whole
        for step in path[:-1]:
            if step in derived and isinstance(holder, dict):
                _empty(holder, step)
                break
            holder[step] = own(holder[step])
            holder = holder[step]
        else:
            last = path[-1]
            old = holder[last]
            holder[last] = text if isinstance(old, str) else number_or_text(text)
            if isinstance(holder, dict):
                for name in derived:
                    _empty(holder, name)
    return whole


def less(data: Json, drops: Iterable[Path]) -> Json:
    """The data without what stands at these places; log-probabilities become none."""
    whole: Json = dict(data)
    for path in drops:
        holder: Any = whole
        for step in path[:-1]:
            held = holder[step]
            holder[step] = list(held) if isinstance(held, list) else dict(held)
            holder = holder[step]
        if path[-1] == "logprobs":
            _empty(holder, "logprobs")
        else:
            del holder[path[-1]]
    return whole


def _empty(holder: Json, name: str | int) -> None:
    """Leave nothing of such a thing, if it is there."""
    if holder.get(str(name)):
        is_list = isinstance(holder[str(name)], list) and name != "citations"
        holder[str(name)] = [] if is_list else None


def without_logprobs(data: Json) -> Json:
    """The data with no log-probabilities in it: they may tell the text before it was changed."""

    def rid(value: Any) -> Any:
        if isinstance(value, list):
            return [rid(item) for item in value]
        if not isinstance(value, dict):
            return value
        made = {key: rid(item) for key, item in value.items()}
        _empty(made, "logprobs")
        return made

    return {key: rid(value) for key, value in data.items()}


def without(data: Json, *names: str) -> Json:
    """The data without these fields."""
    return {key: value for key, value in data.items() if key not in names}


def fields(data: Json, name: str) -> Json:
    value: Any = data.get(name)
    if not isinstance(value, dict):
        raise WireFormatError(f"an event without its {name}")
    return value


def index(data: Json, name: str = "index") -> int:
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MOST_PLACES:
        raise WireFormatError("an event that cannot be placed")
    return value
