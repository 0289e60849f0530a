"""Semantic versions and the ranges in which a child accepts its parents."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import total_ordering

__all__ = ["NUMBER", "VERSION", "Range", "Version"]

NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_LABEL = r"(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_PRERELEASE = rf"-{_LABEL}(?:\.{_LABEL})*"
_BUILD = r"\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
VERSION = rf"{NUMBER}\.{NUMBER}\.{NUMBER}(?:{_PRERELEASE})?(?:{_BUILD})?"
"""Semantic Versioning 2.0.0, with numbers of at most nine digits."""

_CLAUSE = re.compile(
    rf"(?P<sign>\^|~|>=|<=|>|<|=)?\s*"
    rf"(?P<numbers>{NUMBER}(?:\.{NUMBER}){{0,2}})(?P<label>{_PRERELEASE})?"
)
_LOWEST = ("0",)
"""The label before all others: `2.0.0-0` precedes every version that starts with 2."""


@total_ordering
class Version:
    """A version, ordered as semver 2.0.0 (clause 11) orders; build metadata counts for nothing."""

    __slots__ = ("_key", "text")

    def __init__(self, text: str) -> None:
        core, _, label = text.partition("+")[0].partition("-")
        self.text = text
        self._key = _key(tuple(map(int, core.split("."))), tuple(label.split(".") if label else ()))

    @classmethod
    def of(cls, numbers: tuple[int, ...], label: tuple[str, ...] = ()) -> Version:
        padded = ".".join(map(str, (*numbers, 0, 0)[:3]))
        return cls(f"{padded}-{'.'.join(label)}" if label else padded)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key


def _key(numbers: tuple[int, ...], label: tuple[str, ...]) -> tuple[object, ...]:
    """Numbers first; a version with a label comes before the one without."""
    parts = tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in label)
    return (numbers, 0 if label else 1, parts)


class Range:
    """`^1`, `~1.2`, `>=1.0 <2`, `1.2.3`, or `1.2` for all that starts so.

    Raises ValueError for anything else.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._holds: list[Callable[[Version], bool]] = []
        rest = text.strip()
        while rest:
            clause = _CLAUSE.match(rest)
            if not clause or (clause.end() < len(rest) and not rest[clause.end()].isspace()):
                raise ValueError(
                    f"not a range of versions: {text!r}; "
                    "expected such as ^1, ~1.2, 1.2.3 or '>=1.0 <2'"
                )
            self._add(clause)
            rest = rest[clause.end() :].lstrip()
        if not self._holds:
            raise ValueError("no version after '@'; expected such as ^1")

    def __contains__(self, version: Version) -> bool:
        return all(holds(version) for holds in self._holds)

    def _add(self, clause: re.Match[str]) -> None:
        sign = clause["sign"] or "="
        numbers = tuple(map(int, clause["numbers"].split(".")))
        label = tuple(clause["label"][1:].split(".")) if clause["label"] else ()
        low = Version.of(numbers, label)
        after = Version.of(_next(numbers), _LOWEST)
        partial = len(numbers) < 3
        match sign:
            case "^":
                self._between(low, Version.of(_next(numbers[: _leading(numbers)]), _LOWEST))
            case "~":
                self._between(low, Version.of(_next(numbers[:2]), _LOWEST))
            case "=" if partial:
                self._between(low, after)
            case "=":
                self._holds.append(lambda version: version == low)
            case ">=":
                self._holds.append(lambda version: version >= low)
            case ">":
                self._holds.append(lambda v: v >= after if partial else v > low)
            case "<=":
                self._holds.append(lambda v: v < after if partial else v <= low)
            case _:
                end = Version.of(numbers, _LOWEST) if partial else low
                self._holds.append(lambda version: version < end)

    def _between(self, low: Version, end: Version) -> None:
        self._holds.append(lambda version: low <= version < end)


def _next(numbers: tuple[int, ...]) -> tuple[int, ...]:
    return (*numbers[:-1], numbers[-1] + 1)


def _leading(numbers: tuple[int, ...]) -> int:
    """How many numbers `^` keeps: up to and with the first that is not 0."""
    return next((n for n, number in enumerate(numbers, 1) if number), len(numbers))
