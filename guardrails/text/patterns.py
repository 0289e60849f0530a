"""Patterns of a constitution: google-re2, with Unicode's `\\w \\d \\s \\b` and a width for each.

A hit is never wider than the pattern's width, in which an unbounded repeat counts 100 characters;
hits do not overlap, and of those that start at one place the first alternative's, longest repeat's
is taken. `\\b` stands only at the ends of a pattern or of its alternatives, next to a character
that is surely a word character (`\\p{L} \\p{M} \\p{N} _`). RE2 matches in time linear in the text;
what could make the search around it start over is bounded here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import groupby
from typing import Any

import re2

from guardrails.text.dialect import PatternError, read
from guardrails.text.expression import WORD, Choice, Edge, Node, Repeat, Sequence, begun, is_word
from guardrails.text.normalise import SURROGATE

__all__ = ["Pattern", "PatternError", "Span", "compile_pattern", "compiled", "encoded"]

Span = tuple[int, int]

MAX_WEIGHT = 250_000
"""Steps of an RE2 program: some 15 MB and 0.1 s to compile."""

BYTES_PER_STEP = 128
"""RE2 takes a quarter of two thirds of `max_mem` for a program of 16-byte steps; see re2.h."""

MIN_MEMORY = 4 << 20
LONGEST_CHARACTER = 4
"""Bytes of UTF-8."""


class Pattern:
    """A compiled pattern; immutable, equal by source and case, safe to share between threads."""

    def __init__(self, *, source: str, case: bool, branches: tuple[_Branch, ...]) -> None:
        self.source = source
        self.case = case
        self.width = branches[0].width
        """The most characters of a hit."""
        self.weight = sum(branch.weight for branch in branches)
        self._branches = branches

    def __repr__(self) -> str:
        return f"Pattern({self.source!r}, case={self.case}, width={self.width})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pattern):
            return NotImplemented
        return (self.source, self.case) == (other.source, other.case)

    def __hash__(self) -> int:
        return hash((self.source, self.case))

    @cached_property
    def necessary(self) -> str:
        """An expression for RE2 that hits every text in which this pattern does, and few others."""
        return "|".join(branch.necessary for branch in self._branches)

    @property
    def begun(self) -> str:
        """An expression for RE2 that matches any begin of a hit, and maybe more."""
        return "|".join(branch.begun for branch in self._branches)

    def findall(self, text: str) -> list[Span]:
        """All hits in order; they do not overlap."""
        return self.find(text, encoded(text))

    def find(self, text: str, data: bytes) -> list[Span]:
        """`findall` for a caller that has the text `encoded` already."""
        ascii_only = len(text) == len(data)
        searches = [
            search
            for branch in self._branches
            if (search := branch.search(data, ascii_only=ascii_only)) is not None
        ]
        spans = list(_in_order(searches)) if searches else []
        return spans if ascii_only else list(_characters(data, spans))


@lru_cache(maxsize=1024)
def compile_pattern(source: str, *, case: bool = False) -> Pattern:
    """Raises PatternError with the reason and what to write instead. Case is ignored by default."""
    node = read(source)
    if not node.least:
        raise PatternError("matches the empty text, so it would hit everywhere")
    branches = tuple(
        _Branch(Choice(tuple(bodies)), width=node.most, case=case, left=left, right=right)
        for (left, right), bodies in _by_edges(_alternatives(node))
    )
    pattern = Pattern(source=source, case=case, branches=branches)
    if pattern.weight > MAX_WEIGHT:
        raise PatternError(
            f"expands to some {pattern.weight:,} steps and at most {MAX_WEIGHT:,} are allowed; "
            r"repeat less often, or narrower classes (\w is 1,600 steps, [a-z] is 8)"
        )
    for branch in branches:
        branch.coarse  # noqa: B018  # compiled now, so that what RE2 refuses is refused at load
    return pattern


def encoded(text: str) -> bytes:
    """UTF-8, one character for one character: a lone surrogate becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:  # also where two stand together, which are two characters here
        return SURROGATE.sub("\ufffd", text).encode()


def compiled(expression: str, *, weight: int) -> Any:
    """Compile for RE2, quietly. Raises PatternError."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = max(MIN_MEMORY, weight * BYTES_PER_STEP)
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise PatternError(f"RE2 refuses it: {said}") from None


# -- edges ---------------------------------------------------------------------------------------


def _alternatives(node: Node) -> Iterator[Node]:
    """The top-level alternatives, those of a group that is the whole pattern included."""
    if isinstance(node, Choice):
        for alternative in node.alternatives:
            yield from _alternatives(alternative)
    else:
        yield node


def _by_edges(
    alternatives: Iterable[Node],
) -> Iterator[tuple[tuple[bool, bool], list[Node]]]:
    """Neighbouring alternatives of the same edges together, their `\\b` taken off."""
    trimmed = [_trimmed(alternative) for alternative in alternatives]
    for edges, group in groupby(trimmed, key=lambda item: item[:2]):
        yield edges, [body for _, _, body in group]


def _trimmed(node: Node) -> tuple[bool, bool, Node]:
    parts = list(node.parts) if isinstance(node, Sequence) else [node]
    left = bool(parts) and isinstance(parts[0], Edge)
    right = len(parts) > 1 and isinstance(parts[-1], Edge)
    body = Sequence(tuple(parts[left : len(parts) - right]))
    if _has_edge(body):
        raise PatternError(
            r"`\b` may stand only at the ends of the pattern or of its top-level alternatives; "
            "name the neighbouring characters instead, or write the alternatives out"
        )
    if (left and not body.word_at(0)) or (right and not body.word_at(-1)):
        raise PatternError(
            r"`\b` must stand next to what is surely a word character "
            r"(a letter, a digit, _, \w, \d, \pL); leave it out there, or write it per alternative"
        )
    return left, right, body


def _has_edge(node: Node) -> bool:
    match node:
        case Edge():
            return True
        case Sequence(parts=nodes) | Choice(alternatives=nodes):
            return any(map(_has_edge, nodes))
        case Repeat(node=inner):
            return _has_edge(inner)
        case _:
            return False


# -- search --------------------------------------------------------------------------------------


class _Branch:
    """Neighbouring alternatives that begin and end in the same kind of edge."""

    def __init__(self, body: Choice, *, width: int, case: bool, left: bool, right: bool) -> None:
        self.width = width
        self.weight = body.weight + (left + right) * WORD.weight + 10
        self.left = left
        self.right = right
        self.unbounded = body.unbounded
        self._body = body
        self._case = case

    def written(self, *, coarse: bool) -> str:
        word = WORD.written(coarse=False, negated=True) if not coarse else WORD.ascii
        left = rf"(?:\A|[^{word}])" if self.left else ""
        right = rf"(?:[^{word}]|\z)" if self.right else ""
        flag = "-i" if self._case else "i"
        return f"(?{flag}:{left}(?:{self._body.written(coarse=coarse)}){right})"

    @property
    def begun(self) -> str:
        flag = "-i" if self._case else "i"
        return f"(?{flag}:{begun(self._body).written(coarse=True)})"

    @cached_property
    def necessary(self) -> str:
        return self.written(coarse=True)

    @cached_property
    def coarse(self) -> Any:
        return compiled(self.necessary, weight=self.weight)

    @cached_property
    def exact(self) -> Any:
        """Large where it has `\\w` or an edge, so only made when a text beyond ASCII needs it."""
        return compiled(self.written(coarse=False), weight=self.weight)

    def search(self, data: bytes, *, ascii_only: bool) -> _Search | None:
        """None if there can be no hit."""
        if self.coarse.search(data) is None:
            return None
        return _Search(self, self.coarse if ascii_only else self.exact, data, ascii_only)


class _Search:
    """One branch at work on one text. Places are in bytes, and always between characters."""

    def __init__(self, branch: _Branch, program: Any, data: bytes, ascii_only: bool) -> None:
        self._branch = branch
        self._program = program
        self._data = data
        self._ascii_only = ascii_only
        self._reach = (branch.width + 2) * (1 if ascii_only else LONGEST_CHARACTER)

    def first(self, at: int) -> Span | None:
        """The first hit that starts at `at` or later."""
        if not self._branch.left or at == 0:
            return self._next(at)
        # The character before may be the edge; at the begin of the text `\A` may be one as well.
        span = self._next(self._stepped(at, -1))
        return self._next(at) if span is not None and span[0] < at else span

    def _next(self, at: int) -> Span | None:
        if self._branch.unbounded:
            return self._next_within_width(at)
        match = self._program.search(self._data, at)
        return None if match is None else self._core(match)

    def _next_within_width(self, at: int) -> Span | None:
        """In growing blocks, so that no search reads far beyond where a hit may end."""
        end, block = len(self._data), 4 * self._reach
        while True:
            stop = min(at + block, end)
            match = self._program.search(self._data, at, stop)
            if match is None and stop == end:
                return None
            if match is None:
                at, block = self._aligned(stop - self._reach), block * 2
            elif match.start() + self._reach > stop < end:
                at, block = match.start(), 4 * self._reach
            else:
                span = self._narrowed(match)
                if span is not None:
                    return span
                at, block = self._beyond(match), 4 * self._reach

    def _narrowed(self, match: Any) -> Span | None:
        """The hit at the same place that is no wider than the width."""
        span = self._core(match)
        if span[1] - span[0] <= self._branch.width:  # in bytes, so surely in characters
            return span
        stop = self._stepped(span[0], self._branch.width)
        if span[1] <= stop:
            return span
        # The edge may be one more character. Where the text ends there, that one may be taken for
        # part of the hit; then what ends in it is too wide.
        for seen in (self._stepped(stop, 1), stop) if self._branch.right else (stop,):
            again = self._program.match(self._data, match.start(), seen)
            if again is not None and self._core(again)[1] <= stop:
                return self._core(again)
        return None

    def _beyond(self, match: Any) -> int:
        """Where to go on after a match that is too wide.

        No match ends before the earliest end, so what starts too far before that is too wide too.
        """
        start, low, high = match.start(), match.start(), match.end()
        while low < high:
            middle = (low + high) // 2
            if self._program.search(self._data, start, middle) is None:
                low = middle + 1
            else:
                high = middle
        here = self._stepped(self._core(match)[0], 1)
        return max(here, self._stepped(self._aligned(high), -self._branch.width - 2))

    def _core(self, match: Any) -> Span:
        """The hit without the characters that made its edges. Its own ends are word characters, so
        what stands there tells whether the text's end was the edge; capturing would cost RE2 more.
        """
        start, end = match.span()
        if self._branch.left and (start > 0 or not self._word(start)):
            start = self._stepped(start, 1)
        if self._branch.right:
            last = self._stepped(end, -1)
            end = last if end < len(self._data) or not self._word(last) else end
        return start, end

    def _word(self, at: int) -> bool:
        return is_word(self._data[at : self._stepped(at, 1)].decode())

    def _stepped(self, at: int, characters: int) -> int:
        """The place so many characters on, or back; not beyond the text."""
        data = self._data
        if self._ascii_only:
            return min(max(at + characters, 0), len(data))
        while characters > 0 and at < len(data):
            at += 1
            characters -= at == len(data) or data[at] & 0xC0 != 0x80
        while characters < 0 and at > 0:
            at -= 1
            characters += data[at] & 0xC0 != 0x80
        return at

    def _aligned(self, at: int) -> int:
        while at < len(self._data) and self._data[at] & 0xC0 == 0x80:
            at -= 1
        return at


def _in_order(searches: list[_Search]) -> Iterator[Span]:
    """The hits of several branches as of one alternation: leftmost, then first branch."""
    found = [search.first(0) for search in searches]
    while spans := [span for span in found if span is not None]:
        hit = min(spans, key=lambda span: span[0])
        yield hit
        found = [
            search.first(hit[1]) if span is not None and span[0] < hit[1] else span
            for search, span in zip(searches, found, strict=True)
        ]


def _characters(data: bytes, spans: Iterable[Span]) -> Iterator[Span]:
    """Places in bytes as places in characters; the spans are in order."""
    byte, character = 0, 0
    for start, end in spans:
        first = character + len(data[byte:start].decode())
        byte, character = end, first + len(data[start:end].decode())
        yield first, character
