"""Where sentences end."""

from __future__ import annotations

import re

Span = tuple[int, int]

__all__ = ["sentence_at", "sentences"]

_END = re.compile(r"[.!?](?=\s|$)\s*|[。！？।؟\n]\s*")


def sentences(text: str) -> list[Span]:
    """Tile the text with sentences."""
    spans, start = [], 0
    for match in _END.finditer(text):
        spans.append((start, match.end()))
        start = match.end()
    return [*spans, (start, len(text))] if start < len(text) else spans


def sentence_at(text: str, span: Span) -> Span:
    """The run of sentences that covers a span."""
    touched = [s for s in sentences(text) if s[0] < max(span[1], span[0] + 1) and span[0] < s[1]]
    return (touched[0][0], touched[-1][1]) if touched else span
