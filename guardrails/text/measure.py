"""How far so many characters of normalised text reach in the text that came.

What shows nothing, and what is joined with the character before it, may be gone once a text is
normalised: whatever is so many characters wide there can be much wider here. Counted are the
characters of which surely something is left, so that what is measured reaches too far rather than
not far enough.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby, islice

from guardrails.text.normalise import is_plain, joins

__all__ = ["fewest", "reach_back", "reach_on", "shortened"]

LONGEST_STEP = 1_024

MOST_JOINED = 32
"""More characters in a row that show nothing, or that are joined with one, tell nothing about what
stands around them."""

MAX_REMEMBERED = 20_000


class _Counted(dict[int, int | None]):
    """For `str.translate`: nothing for a character that may be gone."""

    def __missing__(self, code: int) -> int | None:
        counted = None if joins(chr(code)) else code
        if len(self) < MAX_REMEMBERED:
            self[code] = counted
        return counted


_COUNTED = _Counted()


def fewest(text: str) -> int:
    """How many characters of normalised text a text, or a piece of one, is at least."""
    return len(text) if is_plain(text) else len(text.translate(_COUNTED))


def reach_on(text: str, start: int, count: int) -> tuple[int, int]:
    """Where in a text so many counted characters behind a place are over, or the text's end; and
    how many of them are missing there."""
    length, missing = _length_of(
        count, len(text) - start, lambda first, last: text[start + first : start + last]
    )
    return start + length, missing


def reach_back(text: str, end: int, count: int) -> int:
    """Where the last so many counted characters before a place begin; 0 if there are fewer."""
    length, _ = _length_of(count, end, lambda first, last: text[end - last : end - first])
    return end - length


def _length_of(count: int, most: int, between: Callable[[int, int], str]) -> tuple[int, int]:
    """How long a stretch is that has so many counted characters, and how many are missing."""
    length, step = 0, count
    while count > 0 and length < most:
        step = max(count, step)
        last = min(length + step, most)
        found = fewest(between(length, last))
        if found > count:
            step //= 2
            continue
        length, count, step = last, count - found, min(2 * step, LONGEST_STEP)
    return length, count


def shortened(text: str) -> str:
    """A text without most of what is in a long run of characters that show nothing."""
    if len(text) - fewest(text) <= MOST_JOINED:
        return text
    return "".join(
        "".join(islice(run, MOST_JOINED) if joined else run)
        for joined, run in groupby(text, key=joins)
    )
