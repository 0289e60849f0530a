"""How much of a growing reply may be judged by now, and where it is cut: pure, no I/O.

A reply is one text after another. Where it is cut is set by the text alone, never by the pieces in
which it comes. Text leaves as soon as no deterministic finding can touch it any more: `width`
characters later, or as soon as what came rules one out. Where a judge is asked, it is held to the
points at which the judge sees the reply so far, each about twice as far as the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from guardrails.text.measure import fewest, reach_back, reach_on
from guardrails.text.normalise import is_plain
from guardrails.text.sentences import CONTEXT, MAX_CHARACTERS, next_end

__all__ = ["FIRST_POINT", "LEAST_MARGIN", "Cut", "HoldBack", "IsOpen", "Rhythm"]

Rhythm = Literal["sentences", "points", "whole"]
"""Cuts at every sentence's end; at the first one after 400, 800, 1,600 … characters; at the end."""

FIRST_POINT = 400
"""Characters of the reply after which a judge is asked first. Source: design, section 3."""

LEAST_MARGIN = 500
"""Characters before a place that are looked at with what is behind it: words that give a number its
meaning stand there."""

FEWEST_AHEAD = 64

MOST_WITHOUT_BLANK = 3_000
"""A sentence that does not end is cut at the next blank, so that no address is cut in two; but
after so many characters anywhere, once all has come that a finding there may reach."""


MOST_UNSEEN, MOST_JOINED = 4_000, 4
"""A finding may reach further than its width, for characters that show nothing or are joined with
others count for none: by so many, and so many times as far. What would reach further is not waited
for. NFKC makes at most four characters one."""

SELDOM = 512
"""What waits for longer is asked about only once that has grown by some sixteenth."""

IsOpen = Callable[[str, int], bool]


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """A place in the reply: so many characters into the text of that number. `is_forced`: neither a
    sentence nor a word need end there."""

    part: int
    offset: int
    is_forced: bool = field(default=False, compare=False)


class _Text:
    """One text as it grows. `is_whole`: it is never cut. `first` is the offset of what is still
    remembered."""

    __slots__ = (
        "_measured", "_new", "_old", "_recent", "_recent_at", "first", "is_plain", "is_shut",
        "is_whole", "length",
    )  # fmt: skip

    def __init__(self, is_whole: bool) -> None:
        self.is_whole = is_whole
        self.is_shut = False
        self.is_plain = True
        """Whether each character is one of normalised text, too."""
        self._measured = (0, 0, 0)
        self.length = self.first = 0
        self._old: list[str] = []
        self._recent_at = 0
        self._recent = ""
        self._new: list[str] = []

    def add(self, piece: str) -> None:
        self._new.append(piece)
        self.length += len(piece)
        self.is_plain = self.is_plain and is_plain(piece)

    def between(self, start: int, end: int) -> str:
        if self._new:
            self._recent = "".join((self._recent, *self._new))
            self._new = []
        if start >= self._recent_at:
            return self._recent[start - self._recent_at : end - self._recent_at]
        known = "".join((*self._old, self._recent))
        return known[max(0, start - self.first) : end - self.first]

    def reach(self, start: int, width: int) -> int | None:
        """Where so many characters of normalised text behind a place are surely over; None if they
        have not come. To be asked of one width, most often of the same or a later place."""
        if self.length - start < width:
            return None
        if self.is_plain:
            return start + width
        begin, end, count = self._measured
        if not begin <= start <= end:
            end, count = start, 0
        elif start > begin:
            count -= fewest(self.between(begin, start))
        more, missing = reach_on(self.between(end, self.length), 0, width - count)
        self._measured = start, end + more, width - missing
        return None if missing else end + more

    def settle(self, before: int, *, keeps: bool) -> None:
        """What is before is looked at seldom, or never again."""
        if before <= self._recent_at:
            return
        old = self.between(self._recent_at, before)
        self._recent = self._recent[before - self._recent_at :]
        self._recent_at = before
        if keeps:
            self._old.append(old)
        else:
            self.first = before


class HoldBack:
    """What has come of a reply and has not left yet: `open` a text, `feed` it, `shut` it, and `end`
    the reply; `due` is where it may be judged next, and `settle` says that all before has left.

    `width` is how many characters of normalised text a finding may reach on from where it begins at
    most; `is_open` says of a text and a place in it whether one that begins before may still reach
    further. Of what has left, `margin` characters are remembered at least, or all (`keeps`).
    """

    def __init__(
        self,
        rhythm: Rhythm,
        *,
        width: int,
        keeps: bool,
        margin: int = LEAST_MARGIN,
        is_open: IsOpen | None = None,
    ) -> None:
        self.rhythm: Rhythm = rhythm
        self.width = width
        self.most = MOST_JOINED * width + MOST_UNSEEN
        """Behind a cut no more than so many characters are waited for."""
        self._found_open: tuple[Cut, int] | None = None
        """A cut that could not be judged yet, and with how much behind it."""
        self.is_too_wide = False
        """Whether something that may become a finding would have to be waited for longer."""
        self.margin = margin
        self._keeps = keeps
        self._is_open = is_open
        self._texts: list[_Text] = []
        self._has_ended = False
        self._frontier = Cut(0, 0)
        self._is_settled = False
        """Whether the frontier's text has left to its end."""
        self._before = 0
        """Characters of the texts before the frontier's."""
        self._point = FIRST_POINT
        self._reach, self._reach_in = 1, 0
        """The next cut of that text is not before so many characters."""
        self._next: Cut | None = None
        """The next cut, once it is known where it is."""

    # -- what comes ---------------------------------------------------------------------------

    def open(self, *, whole: bool = False) -> int:
        """A further text begins; a `whole` one is not cut. Its number."""
        self._texts.append(_Text(whole))
        return len(self._texts) - 1

    def feed(self, part: int, piece: str) -> None:
        self._texts[part].add(piece)

    def shut(self, part: int) -> None:
        self._texts[part].is_shut = True

    def end(self) -> None:
        """Nothing more comes."""
        self._has_ended = True
        for text in self._texts:
            text.is_shut = True

    # -- what may be judged -------------------------------------------------------------------

    @property
    def frontier(self) -> Cut:
        """All before it has left."""
        return self._frontier

    def due(self) -> Cut | None:
        """The next cut, if all has come that is needed to judge what is before it."""
        self._step_over()
        if self._is_settled or not self._texts:
            return None
        if self._next is None:
            self._next = self._find()
        cut = self._next
        if cut is None or self._is_seen(cut):
            return cut
        self.is_too_wide = self.is_too_much(cut)
        return None

    def further(self, cut: Cut, before: int) -> Cut:
        """The last one of the cuts of the same text that are due, too, and not behind `before`."""
        if self.rhythm != "sentences":
            return cut
        while (later := self._cut_in(cut.part, cut.offset + 1)) is not None:
            if later == cut or later.offset > before or not self._is_seen(later):
                break
            cut = later
        return cut

    def postpone(self, cut: Cut, reach: int) -> None:
        """A finding lies across a cut that was due: the next one is not before `reach`."""
        self._reach, self._reach_in, self._next = reach, cut.part, None

    def is_shut(self, part: int) -> bool:
        return self._texts[part].is_shut

    def length(self, part: int) -> int:
        return self._texts[part].length

    def text(self, part: int, start: int, end: int) -> str:
        """Of a text, as far as it is remembered."""
        return self._texts[part].between(start, end)

    def between(self, start: Cut, end: Cut) -> Iterator[tuple[int, int, int]]:
        """The pieces from one place to another: number of the text, begin and end."""
        for part in range(start.part, end.part + 1):
            first = start.offset if part == start.part else 0
            last = end.offset if part == end.part else self._texts[part].length
            yield part, first, last

    def is_too_much(self, cut: Cut) -> bool:
        """Whether more has come of the text behind a cut than is ever waited for."""
        return self._texts[cut.part].length > cut.offset + self.most

    def behind(self, cut: Cut) -> tuple[str, bool]:
        """What has come of the text behind a cut, as far as a finding that begins before it may
        reach; and whether that is all that it may."""
        text = self._texts[cut.part]
        end = self._far_end(cut)
        last = min(end or text.length, cut.offset + self.most)
        return text.between(cut.offset, last), last == end or (text.is_shut and last == text.length)

    def settle(self, cut: Cut) -> None:
        """All before the cut has left."""
        for text in self._texts[self._frontier.part : cut.part]:
            self._before += text.length
            text.settle(text.length, keeps=self._keeps)
        text = self._texts[cut.part]
        text.settle(max(0, cut.offset - self.margin), keeps=self._keeps)
        self._frontier, self._next = cut, None
        self._reach, self._reach_in = cut.offset + 1, cut.part
        self._is_settled = text.is_shut and cut.offset == text.length
        while self._point <= self._before + cut.offset:
            self._point *= 2

    # -- where cuts are -----------------------------------------------------------------------

    def _step_over(self) -> None:
        """From the end of a text to the begin of the next."""
        part, offset = self._frontier.part, self._frontier.offset
        while part < len(self._texts):
            text = self._texts[part]
            if not self._is_settled and not text.is_whole:
                self._is_settled = text.is_shut and offset == text.length
            if not self._is_settled or part + 1 == len(self._texts):
                return
            self._before += text.length
            text.settle(text.length, keeps=self._keeps)
            part, offset = part + 1, 0
            self._frontier, self._next = Cut(part, 0), None
            self._reach, self._reach_in = 1, part
            self._is_settled = False

    def _is_seen(self, cut: Cut) -> bool:
        """Whether enough of what is behind a cut has come."""
        text = self._texts[cut.part]
        if text.is_shut and not self.is_too_much(cut):
            return True
        end = self._far_end(cut)
        if end is not None and end <= cut.offset + self.most:
            return True
        if self._is_open is None or cut.is_forced:
            return False
        start, behind = self._start(cut), min(text.length - cut.offset, self.most)
        if SELDOM < behind < self.most:
            behind -= behind % (1 << (behind.bit_length() - 5))
        if self._found_open == (cut, behind):
            return False
        if self._is_open(text.between(start, cut.offset + behind), cut.offset - start):
            self._found_open = cut, behind
            return False
        return True

    def seen(self, cut: Cut) -> int:
        """Up to where the text of a cut that is due must be looked at: as far as anything that
        begins before the cut may reach."""
        text, ahead = self._texts[cut.part], FEWEST_AHEAD
        start, reach = self._start(cut), self._far_end(cut)
        last = min(text.length if reach is None else reach, cut.offset + self.most)
        while self._is_open is not None and not cut.is_forced and cut.offset + ahead < last:
            end = cut.offset + ahead
            if not self._is_open(text.between(start, end), cut.offset - start):
                return end
            ahead *= 2
        return last

    def _far_end(self, cut: Cut) -> int | None:
        """How far a finding that begins before a cut may reach, if all of that has come."""
        return self._texts[cut.part].reach(cut.offset, self.width)

    def _start(self, cut: Cut) -> int:
        """Where a finding that reaches a cut begins at the earliest, of what is held."""
        text = self._texts[cut.part]
        first = self._frontier_in(text)
        if cut.offset - first <= self.width or text.is_plain:
            return max(first, cut.offset - self.width)
        return first + reach_back(text.between(first, cut.offset), cut.offset - first, self.width)

    def _find(self) -> Cut | None:
        if self.rhythm == "sentences":
            return self._cut_in(self._frontier.part, self._reach)
        cut = self._point_cut() if self.rhythm == "points" else None
        if cut is None and self._has_ended:
            return Cut(len(self._texts) - 1, self._texts[-1].length)
        return cut

    def _point_cut(self) -> Cut | None:
        """The first sentence's end after the point, in the text in which the point lies."""
        before = self._before
        for part in range(self._frontier.part, len(self._texts)):
            text = self._texts[part]
            if before + text.length >= self._point:
                reach = self._reach if part == self._reach_in else 1
                return self._cut_in(part, max(reach, self._point - before))
            if not text.is_shut:
                return None
            before += text.length
        return None

    def _cut_in(self, part: int, reach: int) -> Cut | None:
        """The first cut of a text that is not before `reach`; None if it is not known yet."""
        text = self._texts[part]
        cut = None if text.is_whole else self._sentence_end(part, reach)
        if cut is None and text.is_shut:
            return Cut(part, text.length)
        return cut

    def _sentence_end(self, part: int, reach: int) -> Cut | None:
        """Where a sentence ends that is not over before `reach`, or a blank after so many
        characters, and something follows."""
        text, is_forced = self._texts[part], False
        start = max(self._frontier_in(text), reach - CONTEXT)
        region = text.between(start, reach + MAX_CHARACTERS + MOST_WITHOUT_BLANK)
        limit = reach - start + MAX_CHARACTERS
        end = next_end(region, reach - start - 1)
        if (end is None and len(region) > limit) or (end is not None and end > limit):
            end = _blank_end(region, limit)
        if end is None and start + len(region) > reach + MAX_CHARACTERS + MOST_WITHOUT_BLANK - 1:
            end, is_forced = len(region), True
        if end is None or start + end >= text.length:
            return None
        return Cut(part, start + end, is_forced)

    def _frontier_in(self, text: _Text) -> int:
        return self._frontier.offset if self._texts[self._frontier.part] is text else 0


def _blank_end(text: str, start: int) -> int | None:
    """Where the first blanks at or behind `start` end, if they are known to."""
    for at in range(max(1, start), len(text)):
        if text[at - 1].isspace() and not text[at].isspace():
            return at
    return None
