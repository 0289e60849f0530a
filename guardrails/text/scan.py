"""One search for many patterns: what most texts get is one pass that finds nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from guardrails.text.patterns import Pattern, PatternError, Span, compiled, encoded

__all__ = ["Scan"]

PATTERNS_AT_ONCE = 48
"""A larger union has more states than RE2 keeps, and is then slower than several."""

UNION_WEIGHT = 100_000


class Scan:
    """Finds what each of its patterns would find alone.

    The union is one alternation searched by plain RE2, which goes on without its automaton where
    memory runs out. (`re2.Set` says that nothing matched then, which would be failing open.)
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._groups = tuple(_grouped(list(enumerate(patterns))))

    def run(self, text: str) -> dict[int, list[Span]]:
        """Index of a pattern → its hits; a pattern without a hit is absent."""
        data = encoded(text)
        return {
            index: spans
            for union, patterns in self._groups
            if union.search(data) is not None
            for index, pattern in patterns
            if (spans := pattern.find(text, data))
        }


Numbered = list[tuple[int, Pattern]]


def _grouped(patterns: Numbered) -> Iterator[tuple[Any, Numbered]]:
    for start in range(0, len(patterns), PATTERNS_AT_ONCE):
        yield from _unions(patterns[start : start + PATTERNS_AT_ONCE])


def _unions(patterns: Numbered) -> Iterator[tuple[Any, Numbered]]:
    """One union, or several where one is too large for RE2."""
    union = "|".join(pattern.necessary for _, pattern in patterns)
    try:
        yield compiled(union, weight=UNION_WEIGHT), patterns
    except PatternError:
        if len(patterns) == 1:
            raise
        middle = len(patterns) // 2
        yield from _unions(patterns[:middle])
        yield from _unions(patterns[middle:])
