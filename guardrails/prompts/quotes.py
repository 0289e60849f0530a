"""Finding again what a model quotes: verbatim, but for the blanks between words."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from guardrails.prompts.walls import harmless
from guardrails.verdict import Span

__all__ = ["LONGEST_QUOTE", "find_quote", "places"]

LONGEST_QUOTE = 2_000
"""A longer one is no quote of a breach, but a copy of the text."""

_STRAY = "\"'“”„«»‹›「」『』 \t\r\n"
_WORD = re.compile(r"\S+")


def find_quote(text: str, quote: str) -> Span | None:
    """Where the text holds the quote first; None if it does not. Blanks between words may differ,
    and quotation marks round the quote are the model's own. An empty quote is in no text."""
    return next(iter(places(text, quote)), None)


def places(text: str, quote: str) -> list[Span]:
    """Where the text holds a quote, at most twice: as it is if it is there so, else but for blanks
    and for quotation marks round it. Takes time in proportion to the text, whatever is quoted."""
    if not quote.strip() or len(quote) > LONGEST_QUOTE:
        return []
    seen = harmless(text)
    wanted = dict.fromkeys((quote, harmless(quote), quote.strip(), quote.strip(_STRAY)))
    for exact in filter(None, wanted):
        if found := _twice(seen, exact):
            return [(at, at + len(exact)) for at in found]
    words = list(_WORD.finditer(seen))
    flat = " ".join(word[0] for word in words)
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word[0]) + 1)

    def back(at: int) -> int:
        n = bisect_right(starts, at) - 1
        return words[n].start() + at - starts[n]

    for said in filter(None, dict.fromkeys(" ".join(each.split()) for each in wanted)):
        if found := _twice(flat, said):
            return [(back(at), back(at + len(said) - 1) + 1) for at in found]
    return []


def _twice(text: str, wanted: str) -> list[int]:
    """The first two places, which may overlap."""

    def found() -> Iterator[int]:
        at = text.find(wanted)
        if at >= 0:
            yield at
            if (again := text.find(wanted, at + 1)) >= 0:
                yield again

    return list(found())
