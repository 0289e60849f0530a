"""One search for many patterns."""

from __future__ import annotations

from collections.abc import Sequence

from guardrails.text.patterns import Pattern, Span

__all__ = ["Scan"]


class Scan:
    """Finds all hits of all its patterns."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = tuple(patterns)

    def run(self, text: str) -> dict[int, list[Span]]:
        found = ((i, pattern.findall(text)) for i, pattern in enumerate(self._patterns))
        return {i: spans for i, spans in found if spans}
