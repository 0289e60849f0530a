"""Which tool a call means: an allow-list knows exact names, a rule also what looks like one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate

from guardrails.constitution.forms import TOOL
from guardrails.constitution.tool_names import ANY, fits, is_pattern
from guardrails.text.normalise import normalise

__all__ = ["alike", "folded", "is_plain"]

_PLAIN = re.compile(TOOL)
_SEPARATOR = re.compile(r"[\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a word begins in `sendMail` and in `HTMLPage`."""


def is_plain(name: str | None) -> bool:
    """Whether a name can be told from all others: of ASCII letters, digits and _ . : / -."""
    return name is not None and len(name) <= 64 and _PLAIN.fullmatch(name) is not None


def folded(name: str) -> str:
    """A name without letter case, separators and what shows nothing."""
    return _SEPARATOR.sub("", normalise(name).text.casefold())


def alike(name: str, other: str) -> bool:
    """Whether two names are one to a careless reader: `send_mail`, `SendMail`, `send-mail`. The
    other may be a pattern: then whether the name is, or looks like, one that it stands for."""
    if fits(name, other):
        return True
    if is_pattern(other):
        return _looks_like(name, other)
    return bool(folded(name)) and folded(name) == folded(other)


def _looks_like(name: str, pattern: str) -> bool:
    """Whether a name has the letters of a pattern, however they are parted; where a separator
    stands beside a `*`, a word begins or ends: `SendMail` looks like `send_*`, `sender` does not.
    Takes time as one length times the other at most."""
    pieces = _pieces(pattern)
    if pieces is None:
        return False
    words = _words(name)
    text, edges = "".join(words), frozenset(accumulate(map(len, words), initial=0))
    first, *middle, last = pieces
    at, end = len(first.text), len(text) - len(last.text)
    if at > end or not (first.stands(text, 0, edges) and last.stands(text, end, edges)):
        return False
    for piece in middle:
        found = text.find(piece.text, at, end)
        while found >= 0 and not piece.stands(text, found, edges):
            found = text.find(piece.text, found + 1, end)
        if found < 0:
            return False
        at = found + len(piece.text)
    return True


def _words(name: str) -> list[str]:
    """`sendMail` and `SEND-MAIL` are both `send` and `mail`."""
    parts = _SEPARATOR.split(_HUMP.sub("_", normalise(name).text))
    return [part.casefold() for part in parts if part]


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stands beside a `*`, folded. `begins`, `ends`: a word does, on that side of it."""

    text: str
    begins: bool
    ends: bool

    def stands(self, text: str, at: int, edges: frozenset[int]) -> bool:
        after = at + len(self.text)
        return (
            text.startswith(self.text, at)
            and (at in edges or not self.begins)
            and (after in edges or not self.ends)
        )


@lru_cache(maxsize=4_096)
def _pieces(pattern: str) -> tuple[_Piece, ...] | None:
    """None for a pattern with nothing but separators beside a `*`, as `_*`: what looks like one of
    its names would be any name."""
    pieces: list[_Piece] = []
    for said in pattern.split(ANY):
        text = "".join(_words(said))
        if said and not text:
            return None
        begins = bool(_SEPARATOR.match(said)) and bool(pieces)
        ends = bool(said) and _SEPARATOR.fullmatch(said[-1]) is not None
        pieces.append(_Piece(text, begins, ends))
    pieces[-1] = replace(pieces[-1], ends=False)
    return tuple(pieces)
