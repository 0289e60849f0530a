"""The text that critics see, with a map back to the text that came.

Characters that show nothing are taken out, lone surrogates become U+FFFD, and the rest is put into
NFKC: full-width letters, ligatures and composed forms read as what a reader sees. What did not
change costs nothing: only the stretches in between are remembered.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

__all__ = ["View", "normalise"]

Span = tuple[int, int]
Replacement = tuple[Span, str]

INVISIBLE = re.compile(
    "["
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "]+"
)
"""Unicode's Default_Ignorable_Code_Point (zero-width and joining characters, soft hyphen, bidi
controls and isolates, variation selectors, fillers, tags), and interlinear annotation."""

SURROGATE = re.compile("[\ud800-\udfff]")
BEYOND_ASCII = re.compile(r"\A[^\x00-\x7f]+[\x00-\x7f]?[^\x00-\x7f]*|[\x00-\x7f]?[^\x00-\x7f]+")
"""A run that may change, with the character before it, which an accent may join; at the begin of
the text with the one after it, which what is invisible goes with."""

ONE_FOR_ONE = re.compile(
    "[\u00a0\u00aa\u00b2\u00b3\u00b5\u00b9\u00ba\u2000-\u200a\u202f\u205f\u2070-\u2089"
    "\u2460-\u2468\u24b6-\u24e9\u3000\uff01-\uff5e\U0001d400-\U0001d7ff]+"
)
"""Blocks of characters that NFKC mostly exchanges one for one: wide and mathematical letters, wide
punctuation (all of Chinese has it), spaces. Exchanged at once, they leave no change to remember."""

EXCHANGED = str.maketrans(
    {
        character: normal
        for first, last in re.findall(r"(.)(?:-(.))?", ONE_FOR_ONE.pattern[1:-2])
        for character in map(chr, range(ord(first), ord(last or first) + 1))
        if len(normal := unicodedata.normalize("NFKC", character)) == 1
    }
)

PIECE = 256
"""A run is looked at in pieces of about this length; one that is normal is passed over."""

SHORT = 3
"""Up to this length what becomes of a run is remembered for the next time."""

LONG_CLUSTER = 64
"""Past this length marks are sorted here: `unicodedata` does it in quadratic time."""

JOINING_STARTERS = frozenset(
    "\u09be\u09d7\u0b3e\u0b56\u0b57\u0bbe\u0bd7\u0cc2\u0cd5\u0cd6\u0d3e\u0d57\u0dcf\u0ddf\u102e"
    "\u1b35\U00011127\U0001133e\U00011357\U000114b0\U000114ba\U000114bd\U000115af\U00011930"
    "\U000113b8\U000113bb\U000113c2\U000113c9\U0001611e\U0001611f\U00016120\U00016129\U00016d67"
) | frozenset(map(chr, [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]))
"""Characters of combining class 0 that compose with the one before: vowel signs and Hangul's.
Those of Unicode 16 are among them for later Pythons; one too many only makes a cluster longer."""


@dataclass(frozen=True, slots=True)
class View:
    """A text as it is seen, and how to get from it to the original and back.

    Both ways a span is mapped to the smallest that covers it and cuts through nothing that was
    changed together.
    """

    text: str = field(repr=False)
    original: str = field(repr=False)
    _changes: _Changes | None = field(default=None, repr=False, compare=False)

    def to_original(self, span: Span) -> Span:
        changes = self._changes
        return span if changes is None else _mapped(span, changes.seen, changes.original)

    def to_view(self, span: Span) -> Span:
        changes = self._changes
        return span if changes is None else _mapped(span, changes.original, changes.seen)

    def replace(self, edits: Sequence[tuple[Span, str]]) -> View:
        """The view with spans of it replaced. Raises ValueError unless they are in order and apart.

        What touches a replacement maps to the whole of what was replaced.
        """
        pieces: list[str] = []
        at = 0
        for (start, end), new in edits:
            if not at <= start <= end <= len(self.text):
                raise ValueError("edits must be in order, apart from each other and in the text")
            pieces += (self.text[at:start], new)
            at = end
        pieces.append(self.text[at:])
        return View("".join(pieces), self.original, self._after(edits))

    def _after(self, edits: Sequence[tuple[Span, str]]) -> _Changes:
        """The changes there were, joined with the edits that overlap them."""
        there = (
            []
            if self._changes is None
            else [_Change(seen, original, 0) for seen, original in self._changes.pairs()]
        )
        made = [
            _Change(span, self.to_original(span), len(new) - (span[1] - span[0]))
            for span, new in edits
        ]
        changes, shift = _Changes(), 0
        for change in _joined(sorted(there + made, key=lambda change: change.seen)):
            start, end = change.seen
            changes.add(seen=(start + shift, end + shift + change.growth), original=change.original)
            shift += change.growth
        return changes


def normalise(text: str) -> View:
    """NFKC of the text without what shows nothing. Doing it twice changes nothing more."""
    if text.isascii() or _is_normal(text):
        return View(text, text)
    like = ONE_FOR_ONE.sub(_exchanged, text)
    if _is_normal(like):
        return View(like, text)
    changes = _Changes()
    pieces: list[str] = []
    at = shift = 0
    for (start, end), new in _replacements(like):
        pieces += (like[at:start], new)
        at = end
        if end - start != len(new) or len(new) != 1:  # one for one needs no remembering
            changes.add(seen=(start + shift, start + shift + len(new)), original=(start, end))
            shift += len(new) - (end - start)
    pieces.append(like[at:])
    return View("".join(pieces), text, changes)


# -- what changes --------------------------------------------------------------------------------


def _is_normal(text: str) -> bool:
    return (
        unicodedata.is_normalized("NFKC", text)
        and INVISIBLE.search(text) is None
        and SURROGATE.search(text) is None
    )


def _exchanged(run: re.Match[str]) -> str:
    return run[0].translate(EXCHANGED)


def _replacements(text: str) -> Iterator[Replacement]:
    """Every cluster that changes, with what it becomes."""
    for match in BEYOND_ASCII.finditer(text):
        run, at = match[0], match.start()
        for (start, end), new in _in_short(run) if len(run) <= SHORT else _in_run(run):
            yield (at + start, at + end), new


@lru_cache(maxsize=4096)
def _in_short(run: str) -> tuple[Replacement, ...]:
    return tuple(_in_run(run))


def _in_run(run: str) -> Iterator[Replacement]:
    for start, end in _pieces(run):
        if _is_normal(run[start:end]):
            continue
        for cluster in _clusters(run, start, end):
            seen = run[slice(*cluster)]
            new = _normal(seen)
            if new != seen:
                yield cluster, new


def _pieces(run: str) -> Iterator[Span]:
    start, end = 0, len(run)
    while start < end:
        hidden = INVISIBLE.match(run, start)
        stop = _boundary(run, (hidden.end() if hidden else start) + PIECE, end)
        yield start, stop
        start = stop


def _clusters(run: str, start: int, end: int) -> Iterator[Span]:
    """The smallest stretches that can be normalised each by itself."""
    hidden = INVISIBLE.match(run, start, end)  # only at the very begin; it goes with what follows
    base = hidden.end() if hidden else start
    while start < end:
        stop = base = _boundary(run, base + 1, end)
        yield start, stop
        start = stop


def _boundary(run: str, at: int, end: int) -> int:
    while at < end and _joins(run[at]):
        at += 1
    return min(at, end)


@lru_cache(maxsize=4096)
def _joins(character: str) -> bool:
    """Whether normalising may join it with what stands before it."""
    if INVISIBLE.match(character):
        return True
    first = unicodedata.normalize("NFKD", character)[0]
    return unicodedata.combining(first) != 0 or first in JOINING_STARTERS


def _normal(cluster: str) -> str:
    visible = SURROGATE.sub("\ufffd", INVISIBLE.sub("", cluster))
    if len(visible) > LONG_CLUSTER:
        return unicodedata.normalize("NFC", _decomposed(visible))
    return unicodedata.normalize("NFKC", visible)


def _decomposed(text: str) -> str:
    """NFKD in time n log n: runs of marks in a stable order of their combining class."""
    characters = "".join(unicodedata.normalize("NFKD", character) for character in text)
    return "".join(
        "".join(sorted(run, key=unicodedata.combining) if marks else run)
        for marks, run in groupby(characters, key=lambda c: unicodedata.combining(c) != 0)
    )


# -- the map -------------------------------------------------------------------------------------


class _Spans(NamedTuple):
    """Spans of one side, in order, in flat arrays: there may be millions."""

    starts: array[int]
    ends: array[int]

    def add(self, span: Span) -> None:
        self.starts.append(span[0])
        self.ends.append(span[1])


class _Changes:
    """The stretches that changed, on both sides. All between them is the same, one for one."""

    __slots__ = ("original", "seen")

    def __init__(self) -> None:
        self.seen = _Spans(array("I"), array("I"))
        self.original = _Spans(array("I"), array("I"))

    def add(self, *, seen: Span, original: Span) -> None:
        self.seen.add(seen)
        self.original.add(original)

    def pairs(self) -> Iterator[tuple[Span, Span]]:
        seen = zip(self.seen.starts, self.seen.ends, strict=True)
        original = zip(self.original.starts, self.original.ends, strict=True)
        return zip(seen, original, strict=True)


class _Change(NamedTuple):
    """`growth`: how many characters longer the view becomes by it."""

    seen: Span
    original: Span
    growth: int


def _mapped(span: Span, near: _Spans, far: _Spans) -> Span:
    """The smallest span of the far side that covers a span of the near one."""
    start, end = span
    index = bisect_right(near.starts, start) - 1
    if index >= 0:
        inside = start < near.ends[index]
        start = far.starts[index] if inside else far.ends[index] + start - near.ends[index]
    index = bisect_left(near.starts, end) - 1
    if index >= 0:
        inside = end <= near.ends[index]
        end = far.ends[index] if inside else far.ends[index] + end - near.ends[index]
    return start, max(start, end)


def _joined(changes: Iterable[_Change]) -> Iterator[_Change]:
    """Changes in order, overlapping ones as one."""
    last: _Change | None = None
    for change in changes:
        if last is not None and change.seen[0] < last.seen[1]:
            change = _Change(
                (last.seen[0], max(last.seen[1], change.seen[1])),
                (
                    min(last.original[0], change.original[0]),
                    max(last.original[1], change.original[1]),
                ),
                last.growth + change.growth,
            )
        elif last is not None:
            yield last
        last = change
    if last is not None:
        yield last
