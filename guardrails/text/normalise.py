"""The text that critics see, with a map back to the text that came.

Characters that show nothing and lines through letters are taken out, lone surrogates become U+FFFD,
and the rest is put into NFKC: full-width letters, ligatures and composed forms read as what a
reader sees. Decimal digits of all scripts become ASCII's, white letters on black become plain ones.
What separates lines stays. What did not change costs nothing: only the stretches in between are
remembered.

Known misses: flags spelt as letters, characters of private use, accents on letters, lines above.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

__all__ = ["View", "is_plain", "joins", "normalise"]

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

CONTROLS = bytes([*range(9), *range(14, 32), 127])
"""Those of ASCII that show nothing: all but the tabulator and what separates lines."""

_CONTROLS = "\x00-\x08\x0e-\x1f\x7f"
_OVERLAYS = "\u0332\u0334-\u0337\u0488\u0489\u1abe\u20d0-\u20f0\ua670-\ua672"
_LAST = "".join(f"{chr(end - 1)}-{chr(end)}" for end in range(0x1FFFF, 0x110000, 0x10000))

HIDDEN = re.compile(
    f"[{INVISIBLE.pattern[1:-2]}{_CONTROLS}\x80-\x84\x86-\x9f{_OVERLAYS}"
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\ufdd0-\ufdef\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001345f"
    f"{_LAST}]+"
)
"""All that is taken out: what is invisible, controls that separate no lines, further characters of
format, noncharacters, and marks that only cross, underline or enclose the character before."""

NEGATION = "\u0338"
"""A mark that crosses what is before it, too, but makes another character of some: ≠ of =."""

SURROGATE = re.compile("[\ud800-\udfff]")
BEYOND_ASCII = re.compile(r"\A[^\t-\r -~]+[\t-\r -~]?[^\t-\r -~]*|[\t-\r -~]?[^\t-\r -~]+")
"""A run that may change (of what is not ASCII, or a control), with the character before it, which
an accent may join; at the begin of the text with the one after it, which what is hidden goes with.
"""

ZEROS = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50\u0ed0\u0f20"
    "\u1040\u1090\u17e0\u1810\u1946\u19d0\u1a80\u1a90\u1b50\u1bb0\u1c40\u1c50\ua620\ua8d0\ua900\ua9d0"
    "\ua9f0\uaa50\uabf0\U000104a0\U00010d30\U00010d40\U00011066\U000110f0\U00011136\U000111d0"
    "\U000112f0\U00011450\U000114d0\U00011650\U000116c0\U000116d0\U000116da\U00011730\U000118e0"
    "\U00011950\U00011bf0\U00011c50\U00011d50\U00011da0\U00011f50\U00016a60\U00016ac0\U00016b50"
    "\U0001e140\U0001e2f0\U0001e4f0\U0001e5f1\U0001e950"
)
"""The first of ten digits each, of Unicode 16; those that NFKC knows are not among them."""

FOLDED: Mapping[int, str] = {
    **{ord(zero) + digit: str(digit) for zero in ZEROS for digit in range(10)},
    **{first + n: chr(65 + n) for first in (0x1F150, 0x1F170) for n in range(26)},
    0x2800: " ",  # braille without a dot
}
"""What reads as a plain character though NFKC keeps it apart."""

_BLOCKS = (
    "\u00a0\u00aa\u00b2\u00b3\u00b5\u00b9\u00ba\u2000-\u200a\u202f\u205f\u2070-\u2089"
    "\u2460-\u2468\u24b6-\u24e9\u3000\uff01-\uff5e\U0001d400-\U0001d7ff"
)
"""Blocks of characters that NFKC mostly exchanges one for one: wide and mathematical letters, wide
punctuation (all of Chinese has it), spaces."""

EXCHANGED: Mapping[int, str] = {
    **{
        code: normal
        for first, last in re.findall(r"(.)(?:-(.))?", _BLOCKS)
        for code in range(ord(first), ord(last or first) + 1)
        if len(normal := unicodedata.normalize("NFKC", chr(code))) == 1
    },
    **FOLDED,
}
"""Exchanged at once, they leave no change to remember."""

# A class of `re` looks at its ranges beyond U+FFFF one by one, for every character: so what is
# searched for in all of a text has few of them, and may hit more than it looks for.
_SMALL = "".join(chr(code) for code in FOLDED if code < 0x10000)
_LARGE = "".join(f"{zero}-{chr(ord(zero) + 9)}" for zero in ZEROS if zero > "\uffff")
_BEYOND = re.compile("[\U00010000-\U0010ffff](?:-[\U00010000-\U0010ffff])?")

ONE_FOR_ONE = re.compile(f"[{_BEYOND.sub('', _BLOCKS)}{_SMALL}\U00010000-\U0001f189]+")
_CHANGES = f"{HIDDEN.pattern[1:-2]}{NEGATION}\ud800-\udfff{_SMALL}"
_SUSPECT = re.compile(
    f"[{_BEYOND.sub('', _CHANGES)}\U00010000-\U0001f1e5\U0001fb00-\U0001ffff\U0002fa20-\U0010ffff]"
)
"""What changes, and what is rare: all beyond U+FFFF but emoji and ideographs."""

_CHANGED = re.compile(f"[{_CHANGES}{_LARGE}\U0001f150-\U0001f169\U0001f170-\U0001f189]")
_LEADING = re.compile(f"[{HIDDEN.pattern[1:-2]}{NEGATION}]+")

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
    if is_plain(text) or (not text.isascii() and _is_normal(text)):
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


def is_plain(text: str) -> bool:
    """Whether a text is ASCII without controls, so that it is what normalising makes of it. A
    search of `re` takes ten times as long."""
    if not text.isascii():
        return False
    data = text.encode("ascii")
    return len(data.translate(None, CONTROLS)) == len(data)


def _is_normal(text: str) -> bool:
    if not unicodedata.is_normalized("NFKC", text):
        return False
    suspect = _SUSPECT.search(text)
    return suspect is None or _CHANGED.search(text, suspect.start()) is None


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
        hidden = _LEADING.match(run, start)
        stop = _boundary(run, (hidden.end() if hidden else start) + PIECE, end)
        yield start, stop
        start = stop


def _clusters(run: str, start: int, end: int) -> Iterator[Span]:
    """The smallest stretches that can be normalised each by itself."""
    hidden = _LEADING.match(run, start, end)  # only at the very begin; it goes with what follows
    base = hidden.end() if hidden else start
    while start < end:
        stop = base = _boundary(run, base + 1, end)
        yield start, stop
        start = stop


def _boundary(run: str, at: int, end: int) -> int:
    while at < end and joins(run[at]):
        at += 1
    return min(at, end)


@lru_cache(maxsize=4096)
def joins(character: str) -> bool:
    """Whether normalising may join it with what stands before it."""
    if HIDDEN.match(character):
        return True
    first = unicodedata.normalize("NFKD", character)[0]
    return unicodedata.combining(first) != 0 or first in JOINING_STARTERS


def _normal(cluster: str) -> str:
    visible = SURROGATE.sub("\ufffd", HIDDEN.sub("", cluster))
    if len(visible) > LONG_CLUSTER:
        normal = unicodedata.normalize("NFC", _decomposed(visible))
    else:
        normal = unicodedata.normalize("NFKC", visible)
    if NEGATION in normal:
        return unicodedata.normalize("NFC", normal.replace(NEGATION, ""))
    return normal


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
