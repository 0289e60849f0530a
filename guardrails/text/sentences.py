"""Where sentences end: the one place that says so, for streams, remedies and critics alike.

A full stop ends one before a space or the end of the text, so 3.5 and a.b are not cut (but
abbreviations are); ! and ?, wide ones too, do unless something of ASCII follows. Other marks and
line breaks end one by themselves. Quotes and brackets that close, and the spaces after, belong to
what they follow. No language is assumed.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import itemgetter

from guardrails.text.normalise import normalise

__all__ = [
    "CONTEXT",
    "MAX_CHARACTERS",
    "covering",
    "next_end",
    "sentence_at",
    "sentences",
    "whole_sentences",
]

Span = tuple[int, int]

MAX_CHARACTERS = 1_000
"""A sentence is cut here if nothing ends it."""

CONTEXT = 64
"""So much before a place is read to tell whether a sentence ends there."""

LONGEST_END = 9
"""A mark and the quotes and brackets that close behind it, without the spaces."""

_CLOSING = r"""["'”’»›)\]}」』）】*_]{0,8}"""
_BREAKS = r"\n\r\x0b\x0c\x85\u2028\u2029"
_ALWAYS = "。｡।॥؟۔։።"
_UNLESS_MORE = "!?！？"  # not in a URL, in an address, or before another
_END = re.compile(  # one mark at a time, and what follows bounded: linear on any text
    rf"[.{_UNLESS_MORE}{_ALWAYS}{_BREAKS}]"
    rf"(?:(?<=[{_BREAKS}])|(?<=[{_ALWAYS}]){_CLOSING}"
    rf"|(?<=\.)(?={_CLOSING}(?:\s|\Z)){_CLOSING}"
    rf"|(?<=[{_UNLESS_MORE}])(?={_CLOSING}(?:[^\x21-\x7e]|\Z)){_CLOSING})"
    r"\s*"
)


def sentences(text: str) -> list[Span]:
    """Tile the text with sentences of at most 1,000 characters."""
    tiles: list[Span] = []
    for start, end in whole_sentences(text):
        while start < end:
            stop = min(end, start + MAX_CHARACTERS)
            tiles.append((start, stop))
            start = stop
    return tiles


def whole_sentences(text: str) -> list[Span]:
    """Tile the text with sentences, however long they are."""
    ends = [match.end() for match in _END.finditer(text)]
    starts = [0, *ends]
    return [
        (start, end) for start, end in zip(starts, [*ends, len(text)], strict=True) if start < end
    ]


def next_end(text: str, start: int = 0) -> int | None:
    """Where the first sentence that ends behind `start` ends, with the spaces after it; None while
    that cannot be told: what comes next may belong to it. Where it ends, it does so in the
    normalised text, too."""
    for match in _END.finditer(text, max(0, start - LONGEST_END)):
        if match.end() == len(text):
            return None
        if match.end() > start and not _goes_on_as_seen(text, match):
            return match.end()
    return None


def _goes_on_as_seen(text: str, end: re.Match[str]) -> bool:
    """Whether what follows a mark is not what it seems, so that it may read as ASCII."""
    following = text[end.end()]
    if following.isascii() or end[0][0] not in _UNLESS_MORE or end[0][-1].isspace():
        return False
    return normalise(following).text != following


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
