"""What was copied from one text into another: evidence of copying, and none of paraphrase.

Two texts share a run when 24 letters and digits in a row stand in both, whatever the letter case,
accents, spacing and punctuation; an argument is copied whole from 12 on. Identifiers (addresses,
links, numbers, codes) are recognised by themselves, however short. Time grows linearly with both
texts: every stretch of an argument is kept once, and each source is read once per length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Generic, TypeVar

from guardrails.text.normalise import normalise

__all__ = ["MOST", "TooMuchError", "Traces", "identifiers"]

RUN = 24
WHOLE = 12
MOST = 200_000
"""Characters of arguments that are compared; more takes too much memory."""

DIGITS = 5
GLUED_DIGITS = 7
CODE = 6

_GAP = re.compile(r"[\W_]+")
_BETWEEN = re.compile(r"[\s<>\"'`()\[\]{},;|\\\u2018-\u201f\u00ab\u00bb]+")
_GLUED = re.compile(r"\d[\d .()/-]{3,30}\d")
_GROUPED = re.compile(r"(?<![\d.,'])(\d{1,3}([ .,'\u2019])\d{3}(?:\2\d{3})*)(?:[.,]\d{1,2})?(?!\d)")
_DECIMAL = re.compile(r"(?<![\d.,])(\d{5,})[.,]\d{1,2}(?![.,]?\d)")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]{0,20}://(?:www\.)?|^www\.")

Owner = TypeVar("Owner")


class TooMuchError(Exception):
    """More text than can be compared."""


def _folded(text: str) -> str:
    """In one letter case: some letters are the same only once they are large, as `ı` and `i`."""
    return text.upper().casefold()


def _squashed(text: str) -> str:
    """Its letters and digits, without accents, which some letters lose once they are large."""
    folded = _folded(text)
    if folded.isascii():
        return _GAP.sub("", folded)
    return unicodedata.normalize("NFC", _GAP.sub("", unicodedata.normalize("NFD", folded)))


def identifiers(text: str) -> Iterator[str]:
    """What names one thing in the world: addresses, links, long numbers, codes. `text` is
    normalised."""
    text = _folded(text)
    for word in _BETWEEN.split(text):
        yield from _in_word(word.strip(".:!?*-_"))
    for number in _GLUED.findall(text):
        digits = "".join(filter(str.isdecimal, number))
        if len(digits) >= GLUED_DIGITS:
            yield f"number {_plain(digits)}"
    for written in _GROUPED.finditer(text):  # as 77,120 or 77 120.00
        digits = "".join(filter(str.isdecimal, written[1]))
        if len(digits) >= DIGITS:
            yield f"number {_plain(digits)}"
    for written in _DECIMAL.finditer(text):
        yield f"number {_plain(written[1])}"


def _in_word(word: str) -> Iterator[str]:
    link = _SCHEME.match(word)
    if link:
        place = word[link.end() :].rstrip("/")
        if len(place) > len("a.io"):
            yield f"link {place}"
            yield f"link {re.split('[?#]', place)[0].rstrip('/')}"
        return
    name, at, host = re.split("[:=]", word)[-1].rpartition("@")
    if at and name and "." in host:
        yield f"address {name}@{host}"
        return
    bare = _GAP.sub("", word)
    digits = sum(map(str.isdecimal, bare))
    if digits == len(bare):
        if digits >= DIGITS:
            yield f"number {_plain(bare)}"
    elif digits and len(bare) >= CODE and len(bare) < 200:
        yield f"code {bare}"


def _plain(digits: str) -> str:
    return "".join(str(int(sign)) for sign in digits)


class Traces(Generic[Owner]):
    """What some texts would be recognised by, and to whom each belongs."""

    def __init__(self) -> None:
        self._runs: dict[int, dict[str, Owner]] = {}
        self._marks: dict[str, Owner] = {}
        self._size = 0

    def add(self, text: str, owner: Owner, *, name: bool = False) -> None:
        """`name`: of an argument, which is no copy just for standing somewhere. Raises
        TooMuchError."""
        seen = normalise(text).text
        bare = _squashed(seen)
        self._size += len(bare)
        if self._size > MOST:
            raise TooMuchError
        for mark in identifiers(seen):
            self._marks.setdefault(mark, owner)
        if len(bare) >= RUN:
            runs = self._runs.setdefault(RUN, {})
            for start in range(len(bare) - RUN + 1):
                runs.setdefault(bare[start : start + RUN], owner)
        elif len(bare) >= WHOLE and not name:
            self._runs.setdefault(len(bare), {}).setdefault(bare, owner)

    def __bool__(self) -> bool:
        return bool(self._marks) or any(self._runs.values())

    def forget(self, text: str) -> None:
        """Leave out what stands in a text of which copies are nobody's concern."""
        for mark in identifiers(text):
            self._marks.pop(mark, None)
        bare = _squashed(text)
        for length, runs in self._runs.items():
            if not runs:
                continue
            for start in range(len(bare) - length + 1):
                runs.pop(bare[start : start + length], None)

    def found_in(self, text: str) -> Owner | None:
        """Whose text was copied from this one, if any was. `text` is normalised."""
        for mark in identifiers(text) if self._marks else ():
            if mark in self._marks:
                return self._marks[mark]
        bare = _squashed(text)
        for length, runs in self._runs.items():
            if not runs:
                continue
            for start in range(len(bare) - length + 1):
                owner = runs.get(bare[start : start + length])
                if owner is not None:
                    return owner
        return None
