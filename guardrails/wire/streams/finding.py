"""The texts in a piece of a reply, found as `walk` finds them in a whole one."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from guardrails.errors import WireFormatError
from guardrails.exchange import Part
from guardrails.wire.shapes import FREE, Json, Quiet, Shape
from guardrails.wire.walk import Place, Walk

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
    finder = _Finder()
    try:
        finder.value(value, place)
    except RecursionError:
        raise WireFormatError("the value is nested too deeply to be read here") from None
    return finder.found


class _Finder(Walk):
    """Reads, and changes nothing. A tool's arguments that are a string stay one: they come in
    pieces, and are parsed when they are whole."""

    def __init__(self) -> None:
        super().__init__(self)
        self.found: list[Found] = []
        self._sealed = self._names = False

    def see(self, part: Part, *, fixed: bool = False) -> str:
        fixed = fixed or self._sealed or not part.readable
        self.found.append(Found(part, fixed=fixed, sealed=self._sealed, names=self._names))
        return part.text

    def called(self, name: str | None, arguments: object, mark: int) -> None:
        """Told by the texts that it is of, once they are whole."""

    def mark(self) -> int:
        return 0

    def forget(self, mark: int) -> None:
        raise AssertionError("a finder changes nothing, so nothing is left out")

    def _string(self, value: str, text: str, at: Place) -> object:
        if not isinstance(at.reads, Json):
            return super()._string(value, text, at)
        found = Found(self._part(text, at), fixed=self._sealed, json=True, sealed=self._sealed)
        self.found.append(found)
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
            if key in told:
                self._names = True
                self._value(key, replace(below, fixed=True))
                self._names = False
            self._value(old, below)
        return {}

    def _shaped(
        self, fields: Mapping[Any, object], at: Place, shape: Shape, told: AbstractSet[Any]
    ) -> dict[Any, tuple[Any, object]]:
        above, self._sealed = self._sealed, self._sealed or shape.sealed
        super()._shaped(fields, at, shape, told)
        self._sealed = above
        return {}
