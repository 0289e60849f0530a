"""What is found across the borders of texts that are read as one, told of each of the texts.

Only windows around the borders are looked at, as wide as what critics look for; of what is found
there only what crosses a border counts, for all else was found in the texts themselves.

Known misses: what is wider than `plan.MOST_REACH`; what would show only if some blocks of a message
were joined with a blank and others without; what critics say of a text as a whole.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise, zip_longest

from guardrails.critic.protocol import CriticFinding, Critique
from guardrails.exchange import Part
from guardrails.pipeline.decide import Observation
from guardrails.pipeline.plan import BoundCritic
from guardrails.text.measure import reach_back, reach_on
from guardrails.text.normalise import View
from guardrails.verdict import Span
from guardrails.wire.runs import Run

__all__ = ["JOINTS", "Crossing", "Window", "by_reach", "windows"]

JOINTS = (("", ""), (" ", " "), ("", " "))
"""What whoever reads texts as one puts between the blocks of a message, and between messages: a
word may be cut in two, and a block may end where a word does."""

NEAR = 600
BESIDE = 32
"""Characters beside the widest finding: whether a word ends there is seen by what follows."""

MOST_TOLD = 1_000
"""Of more findings of a principle across borders the last has no place: nothing is let through by
leaving out what is at some of them."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a part: it begins at `start` in the part, and at `at` in the window."""

    part: int
    start: int
    at: int
    length: int


@dataclass(frozen=True, slots=True)
class Window:
    """Some of what is read as one. Its text is made of the pieces, with a separator in between."""

    text: str = field(repr=False)
    pieces: tuple[_Piece, ...]

    def as_part(self, parts: Sequence[Part]) -> Part:
        """The window as critics look at it."""
        first = parts[self.pieces[0].part]
        return Part(text=self.text, role=first.role, kind=first.kind, name=first.name)

    def across(self, span: Span) -> list[tuple[int, Span]]:
        """The parts that a span of the window touches, and where in them; none if it crosses no
        border between two of them."""
        start, end = span
        first = max(0, bisect_right(self.pieces, start, key=lambda piece: piece.at) - 1)
        touched: list[tuple[int, Span]] = []
        for piece in self.pieces[first:]:
            if piece.at >= end:
                break
            begins, ends = max(start, piece.at), min(end, piece.at + piece.length)
            if begins < ends:
                shift = piece.start - piece.at
                touched.append((piece.part, (begins + shift, ends + shift)))
        return touched if len(touched) > 1 else []


def by_reach(
    questions: Sequence[tuple[BoundCritic, tuple[str, ...]]], reach: Callable[[BoundCritic], int]
) -> Iterator[tuple[int, list[tuple[BoundCritic, tuple[str, ...]]]]]:
    """The critics that see far and those that do not, each with how far: what one needs to look at
    need not be looked at by all."""
    reaches = [(reach(bound), (bound, asked)) for bound, asked in questions]
    for is_far in (False, True):
        there = [(far, asking) for far, asking in reaches if far and (far > NEAR) is is_far]
        if there:
            yield max(far for far, _ in there) + BESIDE, [asking for _, asking in there]


def windows(
    parts: Sequence[Part], run: Run, width: int, joint: tuple[str, str]
) -> Iterator[Window]:
    """What is to be looked at of a run of parts for findings of up to so many characters. Where
    texts say as much without something in between, there is nothing to be looked at with it."""
    if joint[0] != joint[1] and all(len(numbers) == 1 for numbers in run):
        return
    joined = _Joined(parts, run, joint)
    text = joined.text
    for first, last in _near(joined.borders, 2 * width):
        end, _ = reach_on(text, last, width)
        yield joined.window((reach_back(text, first - 1, width), end))


class _Joined:
    """The texts of a run, one after the other. `borders` are those of interest: none where another
    joint makes the same of them."""

    def __init__(self, parts: Sequence[Part], run: Run, joint: tuple[str, str]) -> None:
        there = [
            (message, number, text)
            for message, numbers in enumerate(run)
            for number in numbers
            if (text := parts[number].text)
        ]
        self._numbers = [number for _, number, _ in there]
        self._texts = [text for _, _, text in there]
        gaps: list[str] = []
        self._starts = [0]
        for (message, _, before), (following, _, after) in pairwise(there):
            gap = joint[message != following]
            gaps.append("" if before[-1].isspace() or after[0].isspace() else gap)
            self._starts.append(self._starts[-1] + len(before) + len(gaps[-1]))
        self.text = "".join(chain.from_iterable(zip_longest(self._texts, gaps, fillvalue="")))
        self.borders = [
            border
            for border, gap in zip(self._starts[1:], gaps, strict=True)
            if gap or joint == JOINTS[0]
        ]

    def window(self, span: Span) -> Window:
        start, end = span
        pieces: list[_Piece] = []
        for place in range(bisect_right(self._starts, start) - 1, len(self._texts)):
            at = self._starts[place]
            if at >= end:
                break
            begins, ends = max(start, at), min(end, at + len(self._texts[place]))
            if begins < ends:
                number = self._numbers[place]
                pieces.append(_Piece(number, begins - at, begins - start, ends - begins))
        return Window(self.text[start:end], tuple(pieces))


def _near(borders: Sequence[int], distance: int) -> Iterator[tuple[int, int]]:
    """The first and the last of those that stand no further apart."""
    if not borders:
        return
    first = last = borders[0]
    for border in borders[1:]:
        if border - last > distance:
            yield first, last
            first = border
        last = border
    yield first, last


class Crossing:
    """What a critic said of windows, as said of the parts that they are made of. `seen` is what is
    known of it, by principle: it is not told again."""

    def __init__(
        self,
        parts: Sequence[Part],
        found: Sequence[Window],
        views: Mapping[int, View],
        seen: Iterable[tuple[str, Observation]],
    ) -> None:
        self._parts, self._windows, self._views = parts, found, views
        self._seen: dict[tuple[str, str, int], list[Span]] = {}
        for principle, one in seen:
            if one.part is not None and one.span is not None:
                self._seen.setdefault((principle, one.value, one.part), []).append(one.span)
        self._count: Counter[str] = Counter()

    def told(self, critique: Critique) -> Critique:
        """Only what stands at a place that crosses a border, for nothing else was asked; but a
        critic that could not tell has not told."""
        findings = [told for finding in critique.findings for told in self._each(finding)]
        placed = {f.principle for f in critique.findings if f.value == "undecided"}
        return replace(
            critique,
            looked=critique.looked.union(critique.verdicts),
            verdicts={
                id: verdict
                for id, verdict in critique.verdicts.items()
                if verdict == "undecided" and id not in placed
            },
            findings=tuple(findings),
            windows=0,
        )

    def _each(self, finding: CriticFinding) -> Iterator[CriticFinding]:
        if finding.part is None or finding.span is None:
            if finding.value == "undecided":
                yield replace(finding, part=None, span=None)
            return
        span = finding.span
        if not finding.of_original:
            span = self._views[finding.part].to_original(span)
        for part, place in self._windows[finding.part].across(span):
            if not self._parts[part].target or self._is_known(finding, part, place):
                continue
            self._count[finding.principle] += 1
            if self._count[finding.principle] > MOST_TOLD:
                if self._count[finding.principle] == MOST_TOLD + 1:
                    yield replace(finding, part=None, span=None)
                return
            yield replace(finding, part=part, span=place, of_original=True)

    def _is_known(self, finding: CriticFinding, part: int, span: Span) -> bool:
        known = self._seen.setdefault((finding.principle, finding.value, part), [])
        if any(start <= span[0] and span[1] <= end for start, end in known):
            return True
        known.append(span)
        return False
