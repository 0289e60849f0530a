"""One search for many patterns: what most texts get is one pass that finds nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

from guardrails.text.patterns import Pattern, PatternError, Span, compiled, encoded

__all__ = ["MOST_HITS", "Scan", "bounded"]

MOST_HITS = 1_000
"""With more of them in a text the last one covers all the rest of it."""

PATTERNS_AT_ONCE = 48
"""A larger union has more states than RE2 keeps, and is then slower than several."""

PARTS = 4
UNION_WEIGHT = 100_000

What = TypeVar("What")
Numbered = Sequence[tuple[int, Pattern]]


def bounded(hits: Sequence[tuple[What, Span]], end: int) -> Sequence[tuple[What, Span]]:
    """Hits in a text that is so long; of too many the first ones, and one for all that follow."""
    if len(hits) <= MOST_HITS:
        return hits
    ordered = sorted(hits, key=lambda hit: hit[1])
    what, (start, _) = ordered[MOST_HITS]
    return [*ordered[:MOST_HITS], (what, (start, end))]


class Scan:
    """Finds what each of its patterns would find alone.

    The union is one alternation searched by plain RE2, which goes on without its automaton where
    memory runs out. (`re2.Set` says that nothing matched then, which would be failing open.)
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        numbered = list(enumerate(patterns))
        starts = range(0, len(numbered), PATTERNS_AT_ONCE)
        self._unions = tuple(_Union(numbered[at : at + PATTERNS_AT_ONCE]) for at in starts)

    def run(self, text: str) -> dict[int, list[Span]]:
        """Index of a pattern → its hits; a pattern without a hit is absent."""
        data = encoded(text)
        return {
            index: spans
            for union in self._unions
            for index, pattern in union.candidates(data)
            if (spans := pattern.find(text, data))
        }


class _Union:
    """Some patterns as one alternation; its parts are made when it first hits."""

    def __init__(self, patterns: Numbered) -> None:
        self._patterns = patterns
        try:
            union = "|".join(pattern.necessary for _, pattern in patterns)
            self._program: Any = compiled(union, weight=UNION_WEIGHT)
        except PatternError:  # too large: only its parts are searched
            self._program = None

    def candidates(self, data: bytes) -> Iterator[tuple[int, Pattern]]:
        """The patterns that may hit."""
        if self._program is not None and self._program.search(data) is None:
            return
        if len(self._patterns) <= PARTS:
            yield from self._patterns
            return
        for part in self._parts:
            yield from part.candidates(data)

    @cached_property
    def _parts(self) -> tuple[_Union, ...]:
        size = -(-len(self._patterns) // PARTS)
        starts = range(0, len(self._patterns), size)
        return tuple(_Union(self._patterns[at : at + size]) for at in starts)
