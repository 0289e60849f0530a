"""Names of tools with `*` in them, which stands for any letters, digits and signs, or none. Pure.

`*` is the only sign that stands for others, and letter case counts. What a name looks like to a
careless reader is the critic `tools`' to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

__all__ = ["ANY", "covered", "covers", "fits", "is_pattern", "overlaps"]

ANY = "*"


def is_pattern(name: str) -> bool:
    return ANY in name


def fits(name: str, pattern: str) -> bool:
    """Whether the name is that one, or one that the pattern stands for. Takes time as length of
    name times length of pattern at most."""
    first, *rest = pattern.split(ANY)
    if not rest:
        return name == pattern
    *middle, last = rest
    if not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return at <= end


def covers(pattern: str, other: str) -> bool:
    """Whether every name that fits `other` fits `pattern`: only a `*` can stand for a `*`."""
    return fits(other, pattern)


def covered(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns covers a name or a pattern."""
    return any(fits(name, pattern) for pattern in patterns)


@lru_cache(maxsize=4_096)
def overlaps(one: str, other: str) -> bool:
    """Whether some name fits both."""
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        a, b = waiting.pop()
        if (a, b) == (len(one), len(other)):
            return True
        for step in _steps(one[a : a + 1], other[b : b + 1]):
            place = (a + step[0], b + step[1])
            if place not in reached:
                reached.add(place)
                waiting.append(place)
    return False


def _steps(sign: str, other: str) -> list[tuple[int, int]]:
    """How far both may go: a `*` ends, or takes what the other one has there."""
    steps = []
    if sign == ANY:
        steps += [(1, 0), (0, 1)] if other else [(1, 0)]
    if other == ANY:
        steps += [(0, 1), (1, 0)] if sign else [(0, 1)]
    if sign and sign == other:
        steps.append((1, 1))
    return steps
