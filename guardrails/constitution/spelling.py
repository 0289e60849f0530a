"""What somebody may have meant by a word nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "meant"]

LONGEST_WORD = 100
"""The time to compare grows with the square of the length; nobody misspells more than that."""


def meant(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to a misspelt one, or None if nothing is near."""
    if len(word) > LONGEST_WORD:
        return None
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'severity'?`, or "" if nothing is near."""
    near = meant(word, known)
    return f"did you mean {near!r}?" if near else ""
