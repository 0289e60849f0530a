"""Where sentences end: the one place that says so, for streams, remedies and critics alike.

A full stop ends one before a space or the end of the text, so 3.5 and a.b are not cut (but
abbreviations are). Other marks and line breaks end one by themselves. Quotes and brackets that
close, and the spaces after, belong to what they follow. No language is assumed.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import itemgetter

__all__ = ["MAX_CHARACTERS", "covering", "next_end", "sentence_at", "sentences"]

Span = tuple[int, int]

MAX_CHARACTERS = 1_000
"""A sentence is cut here if nothing ends it."""

LONGEST_END = 9
"""A mark and the quotes and brackets that close behind it, without the spaces."""

_CLOSING = r"""["'”’»›)\]}」』）】*_]{0,8}"""
_BREAKS = r"\n\r\x0b\x0c\x85\u2028\u2029"
_ALWAYS = "。！？｡।॥؟۔։።"
_END = re.compile(  # one mark at a time, and what follows bounded: linear on any text
    rf"[.!?{_ALWAYS}{_BREAKS}]"
    rf"(?:(?<=[{_BREAKS}])|(?<=[{_ALWAYS}]){_CLOSING}"
    rf"|(?<=\.)(?={_CLOSING}(?:\s|\Z)){_CLOSING}"
    rf"|(?<=[!?])(?={_CLOSING}(?:[^\x21-\x7e]|\Z)){_CLOSING})"  # not in a URL or before another
    r"\s*"
)


def sentences(text: str) -> list[Span]:
    """Tile the text with sentences of at most 1,000 characters."""
    tiles: list[Span] = []
    start = 0
    for end in (*(match.end() for match in _END.finditer(text)), len(text)):
        while start < end:
            stop = min(end, start + MAX_CHARACTERS)
            tiles.append((start, stop))
            start = stop
    return tiles


def next_end(text: str, start: int = 0) -> int | None:
    """Where the first sentence that ends behind `start` ends, with the spaces after it; None while
    that cannot be told: what comes next may belong to it."""
    for match in _END.finditer(text, max(0, start - LONGEST_END)):
        if match.end() == len(text):
            return None
        if match.end() > start:
            return match.end()
    return None


def covering(tiles: Sequence[Span], span: Span) -> Span:
    """The smallest run of tiles that covers a span, for callers who have many spans of one text."""
    if not tiles:
        return span
    first = bisect_right(tiles, span[0], key=itemgetter(0)) - 1
    last = max(first, min(bisect_left(tiles, span[1], key=itemgetter(1)), len(tiles) - 1))
    return tiles[first][0], tiles[last][1]


def sentence_at(text: str, span: Span) -> Span:
    """The run of sentences that covers a span of the text; reads the whole text each time."""
    return covering(sentences(text), span)
