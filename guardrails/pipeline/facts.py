"""Whether a revision states something new: numbers, names and links that nothing vouches for. Pure.

A model that mends a text may make things up; what it may not make up are facts a reader acts on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from guardrails.text.sentences import sentences

__all__ = ["new_facts"]

_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+|[\w.+-]+@[\w-]+\.[\w.-]+")
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def new_facts(text: str, known: Iterable[str]) -> list[str]:
    """The numbers, links and names in a text that none of the known texts holds."""
    sources = "\n".join(known)
    folded = sources.casefold()
    numbers = {_value(number) for number in _NUMBER.findall(sources)}
    rest = _LINK.sub(" ", text)
    return [
        *(link for link in _LINK.findall(text) if link.rstrip(".,;:!?").casefold() not in folded),
        *(number for number in _NUMBER.findall(rest) if _value(number) not in numbers),
        *(name for name in _names(rest) if name.casefold() not in folded),
    ]


def _value(number: str) -> str:
    """1,200 and 1200 are one number; so are 07 and 7."""
    return number.replace(",", "").lstrip("0") or "0"


def _names(text: str) -> Iterator[str]:
    """Words with a capital that do not begin a sentence; in German, where every noun has one, a
    noun of the revision's own is taken for a name, which only costs an attempt."""
    for start, end in sentences(text):
        words = list(_WORD.finditer(text, start, end))
        for word in words[1:]:
            if word[0][0].isupper() and len(word[0]) > 1:
                yield word[0]
