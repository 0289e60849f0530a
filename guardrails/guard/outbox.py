"""What came of a stream, in the order in which it came, until it may leave.

An item is whatever a stream is made of: a piece of text, an event. It leaves as it came, and whole,
once all that it says may leave; what it says is exchanged where that was changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from guardrails.pipeline.given import Release

__all__ = ["Leaving", "Outbox", "Stretch"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What an item says of a text: from where to where of what came. `repeats`: it says again all
    that came of it."""

    number: int
    start: int
    end: int
    text: str = field(repr=False)
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Leaving(Generic[Item]):
    """An item that may leave. `texts` are what it says now, None where that is as it was; `new` is
    what of each text leaves with it. `is_dropped`: a part that it belongs to is left out."""

    item: Item
    texts: tuple[str, ...] | None = field(repr=False)
    new: Mapping[int, str] = field(repr=False)
    is_dropped: bool = False


@dataclass(slots=True)
class _Waiting(Generic[Item]):
    item: Item
    says: tuple[Stretch, ...]
    with_whole: frozenset[int]


class _Text:
    """One text: what may leave of it, and what of that has."""

    __slots__ = (
        "changed", "frontier", "is_dropped", "is_judged", "is_shut", "left", "length", "releases",
        "within",
    )  # fmt: skip

    def __init__(self) -> None:
        self.length = 0
        self.frontier = 0
        self.is_shut = self.is_judged = self.is_dropped = self.changed = False
        self.releases: deque[Release] = deque()
        self.left: list[str] | None = None
        """All that left of it, where it will be said again."""
        self.within: list[_Text] = []
        """Texts that it leaves with, or not at all."""

    @property
    def is_settled(self) -> bool:
        return self.is_shut and self.frontier == self.length

    @property
    def is_whole(self) -> bool:
        return self.is_settled and self.is_judged and all(text.is_whole for text in self.within)


class Outbox(Generic[Item]):
    """`put` what came, `let_go` what may leave, `take` the items that can leave then."""

    def __init__(self) -> None:
        self._items: deque[_Waiting[Item]] = deque()
        self._texts: dict[int, _Text] = {}

    def __len__(self) -> int:
        return len(self._items)

    def open(self, number: int, *, is_repeated: bool = False, within: int | None = None) -> None:
        """A text begins; `is_repeated` if the stream may say all of it again. `within`: the text
        whose items must wait for this one, too."""
        text = self._texts[number] = _Text()
        if within is not None:
            self._texts[within].within.append(text)
        text.left = [] if is_repeated else None

    def put(
        self,
        item: Item,
        says: Iterable[tuple[int, str, bool]] = (),
        *,
        whole: Iterable[int] = (),
        shuts: Iterable[int] = (),
    ) -> None:
        """An item came: what it says, as number, text and whether it says all of it again; the
        numbers of the texts that must be settled before it may leave; and of those that end."""
        stretches = []
        for number, said, repeats in says:
            text = self._texts[number]
            start = 0 if repeats else text.length
            if not repeats:
                text.length += len(said)
            stretches.append(Stretch(number, start, start + len(said), said, repeats))
        for number in shuts:
            self._texts[number].is_shut = True
        self._items.append(_Waiting(item, tuple(stretches), frozenset(whole)))

    def end(self) -> None:
        for text in self._texts.values():
            text.is_shut = True

    def let_go(self, releases: Iterable[Release]) -> None:
        for release in releases:
            text = self._texts[release.number]
            text.releases.append(release)
            text.frontier = release.end
            text.is_judged = True
            text.changed |= release.is_changed
            text.is_dropped |= release.is_dropped

    def take(self) -> Iterable[Leaving[Item]]:
        """The items that can leave now, in order."""
        while self._items and self._may_leave(self._items[0]):
            yield self._leaving(self._items.popleft())

    def remains(self) -> Leaving[Item] | None:
        """What of the first item may leave though the rest of it may not: where the stream is
        stopped within it."""
        if not self._items or self._items[0].with_whole:
            return None
        waiting = self._items[0]
        if not all(said.start <= self._texts[said.number].frontier for said in waiting.says):
            return None
        if any(said.repeats for said in waiting.says):
            return None
        leaving = self._leaving(waiting)
        return leaving if any(leaving.new.values()) else None

    @property
    def numbers(self) -> Collection[int]:
        return self._texts.keys()

    def left(self, number: int) -> str:
        """All that left of a text which the stream may say again. Raises KeyError."""
        return "".join(self._texts[number].left or ())

    def tail(self, number: int) -> str:
        """What was put at the end of a text after all of its items."""
        text = self._texts.get(number)
        if text is None:
            return ""
        made = "".join(release.text for release in text.releases)
        text.releases.clear()
        return made

    def _may_leave(self, waiting: _Waiting[Item]) -> bool:
        return all(
            self._texts[said.number].is_settled
            if said.repeats
            else said.end <= self._texts[said.number].frontier
            for said in waiting.says
        ) and all(self._texts[number].is_whole for number in waiting.with_whole)

    def _leaving(self, waiting: _Waiting[Item]) -> Leaving[Item]:
        new: dict[int, str] = {}
        texts: list[str] = []
        is_changed = False
        for said in waiting.says:
            text = self._texts[said.number]
            if said.repeats:
                made = "".join(text.left or ()) if text.changed else said.text
            else:
                made = _said_now(text, said)
                new[said.number] = new.get(said.number, "") + made
                if text.left is not None:
                    text.left.append(made)
            is_changed |= made != said.text
            texts.append(made)
        touched = {*waiting.with_whole, *(said.number for said in waiting.says)}
        return Leaving(
            waiting.item,
            tuple(texts) if is_changed else None,
            new,
            is_dropped=any(self._texts[number].is_dropped for number in touched),
        )


def _said_now(text: _Text, said: Stretch) -> str:
    """What leaves in the place of a stretch: what was changed leaves with the first item that had
    any of it."""
    made: list[str] = []
    while text.releases:
        release = text.releases[0]
        if release.start > said.end or (release.start == said.end and release.end > release.start):
            break
        if release.is_changed:
            if release.start >= said.start:
                made.append(release.text)
        else:
            first, last = max(said.start, release.start), min(said.end, release.end)
            made.append(release.text[first - release.start : last - release.start])
        if release.end > said.end:
            break
        text.releases.popleft()
    return "".join(made)
