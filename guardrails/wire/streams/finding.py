"""The texts in a piece of a reply, found as `walk` finds them in a whole one."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from guardrails.errors import WireFormatError
from guardrails.exchange import Part
from guardrails.wire.place import Place
from guardrails.wire.quiet import Quiet
from guardrails.wire.shapes import FREE, Json, Shape
from guardrails.wire.walk import Walk, is_name

__all__ = ["Found", "find"]


@dataclass(frozen=True, slots=True)
class Found:
    """One text, and whether something else than the string at its path can be put there."""

    part: Part
    fixed: bool = False
    json: bool = False
    sealed: bool = False
    """It stands in something signed."""
    names: bool = False
    """It is the name of the field at its path, and not what the field holds."""


def find(value: object, place: Place) -> list[Found]:
    """Raises WireFormatError for what is too deep or holds too many values."""
    seen = _Seen()
    try:
        _Finder(seen).value(value, place)
    except RecursionError:
        raise WireFormatError("the value is nested too deeply to be read here") from None
    return seen.found


class _Seen:
    """What was seen so far, and where the finder is."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.is_sealed = self.is_name = False

    def see(self, part: Part, *, fixed: bool = False) -> str:
        fixed = fixed or self.is_sealed or not part.readable
        self._add(part, fixed=fixed)
        return part.text

    def see_json(self, part: Part) -> None:
        self._add(part, fixed=self.is_sealed, json=True)

    def _add(self, part: Part, *, fixed: bool, json: bool = False) -> None:
        one = Found(part, fixed=fixed, json=json, sealed=self.is_sealed, names=self.is_name)
        self.found.append(one)

    def called(self, name: str | None, arguments: object, mark: int) -> None:
        """Told by the texts that it is of, once they are whole."""

    def mark(self) -> int:
        return 0

    def forget(self, mark: int) -> None:
        raise AssertionError("a finder changes nothing, so nothing is left out")


class _Finder(Walk):
    """Reads, and changes nothing. A tool's arguments that are a string stay one: they come in
    pieces, and are parsed when they are whole."""

    def __init__(self, seen: _Seen) -> None:
        super().__init__(seen)
        self._seen = seen

    def _string(self, value: str, text: str, at: Place) -> object:
        if not isinstance(at.reads, Json):
            return super()._string(value, text, at)
        self._seen.see_json(self._part(text, at))
        return value

    def _number(self, value: Any, at: Place) -> object:
        return super()._number(value, at if at.numbers else replace(at, fixed=True))

    def _free(
        self, fields: Mapping[Any, object], at: Place, told: AbstractSet[Any]
    ) -> dict[Any, tuple[Any, object]]:
        """A key stands where nothing else can be put: what comes later may say it again."""
        reads = at.reads if isinstance(at.reads, Quiet) else FREE
        for position, (key, old) in enumerate(fields.items()):
            below = at.below(key, position, reads)
            if key in told and not is_name(key, reads):
                self._seen.is_name = True
                self._value(key, replace(below, reads=FREE, fixed=True))
                self._seen.is_name = False
            self._value(old, below)
        return {}

    def _shaped(
        self, fields: Mapping[Any, object], at: Place, shape: Shape, told: AbstractSet[Any]
    ) -> dict[Any, tuple[Any, object]]:
        above = self._seen.is_sealed
        self._seen.is_sealed = above or shape.sealed
        super()._shaped(fields, at, shape, told)
        self._seen.is_sealed = above
        return {}
