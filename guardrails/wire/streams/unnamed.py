"""Fields of a chunk that no list names. Vendors repeat some in every chunk, and some may be texts
in pieces: what stands in one place and is another text each time is judged by itself and joined."""

from __future__ import annotations

from dataclasses import dataclass, replace

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Path
from guardrails.wire.place import Place
from guardrails.wire.shapes import FREE
from guardrails.wire.streams.finding import Found, find
from guardrails.wire.streams.telling import MOST_PLACES, Telling

__all__ = ["UnnamedFields"]

LONGEST = 200
"""Characters that are remembered of what stands in one place."""

MOST_AGAIN = 8
"""How often what was said again is put before what is said then."""

FEW, LONG = 100, 4_000
"""Values in a field, and characters, that are seen at a glance to be the same; and fields."""

LEVELS = frozenset({"safe", "low", "medium", "high"})
"""What filters of content say of it. They may change, and add up to nothing."""


@dataclass(slots=True)
class _Trail:
    """What was said in one place, how often, and the part in which it is joined with the next."""

    said: int
    """The hash of it."""
    end: str
    times: int = 1
    key: int | None = None


@dataclass(slots=True)
class _Same:
    """What a field said last, and how often it was not gone through."""

    value: object
    times: int = 0


class UnnamedFields:
    """Nothing of them can be changed, for they are not told each time that they are said."""

    def __init__(self) -> None:
        self._same: dict[Path, _Same] = {}
        self._trails: dict[tuple[Path, bool], _Trail] = {}

    def tell(self, telling: Telling, path: Path, key: str, value: object) -> None:
        """`path` leads to what the field stands in. Raises WireFormatError."""
        at = (*path, key)
        same = self._same.get(at)
        if same is not None and same.value == value:
            same.times += 1
            return
        times = same.times if same else 0
        self._same.pop(at, None)
        is_joined = False
        for found in find({key: value}, Place(path=path, role="assistant", reads=FREE)):
            is_joined |= self._found(telling, replace(found, fixed=True), times)
        if not is_joined and len(self._same) < FEW and _is_small({key: value}):
            self._same[at] = _Same(value)

    def open_parts(self) -> list[int]:
        """Let go of all that is open, and say which parts that were."""
        open = [trail.key for trail in self._trails.values() if trail.key is not None]
        self._trails.clear()
        return open

    def _found(self, telling: Telling, found: Found, times: int) -> bool:
        """Whether it is joined with what was said there before, all `times` that it was."""
        part = found.part
        by = (part.path, found.names)
        trail = self._trails.get(by)
        if trail is None:
            telling.all((found,), ())
            if len(self._trails) >= MOST_PLACES:
                raise WireFormatError("a stream of more fields than are told apart here")
            if part.readable:
                self._trails[by] = _Trail(hash(part.text), part.text[-LONGEST:])
            return False
        is_same = hash(part.text) == trail.said
        if not is_same:
            telling.all((found,), ())
        if trail.key is None:
            trail.times += times + is_same
            if is_same or part.text in LEVELS:
                return False
            trail.key = telling.open(Part(text="", role="assistant", path=part.path), fixed=True)
            telling.say(trail.key, trail.end * min(trail.times, MOST_AGAIN), None)
        trail.said = hash(part.text)
        if part.text:
            telling.say(trail.key, part.text, None)
        return True


def _is_small(value: object) -> bool:
    """Whether it is little to remember; what is not is gone through each time."""
    waiting, count, characters = [value], 0, 0
    while waiting:
        one = waiting.pop()
        count += 1
        if isinstance(one, str):
            characters += len(one)
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        if count + len(waiting) > FEW or characters > LONG:
            return False
    return True
