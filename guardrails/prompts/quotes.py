"""Finding again what a model quotes: verbatim, but for the blanks between words."""

from __future__ import annotations

import re

from guardrails.prompts.walls import harmless
from guardrails.verdict import Span

__all__ = ["LONGEST_QUOTE", "find_quote"]

LONGEST_QUOTE = 2_000
"""A longer one is no quote of a breach, but a copy of the text."""

_STRAY = "\"'“”„«»‹›「」『』 \t\r\n"


def find_quote(text: str, quote: str) -> Span | None:
    """Where the text holds the quote; None if it does not. Blanks between words may differ, and
    quotation marks round the quote are the model's own. An empty quote is in no text."""
    if len(quote) > LONGEST_QUOTE:
        return None
    seen = harmless(text)
    for wanted in dict.fromkeys((quote.strip(), quote.strip(_STRAY))):
        if not wanted:
            continue
        at = seen.find(wanted)
        if at >= 0:
            return at, at + len(wanted)
        loose = re.search(r"\s+".join(map(re.escape, wanted.split())), seen)
        if loose:
            return loose.span()
    return None
