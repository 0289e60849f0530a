"""The texts of a reply on their way out: of each what has left, what is held, and the way back from
what is judged of them to what came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from guardrails.errors import WireFormatError
from guardrails.exchange import Part
from guardrails.pipeline.account import Place, PlaceOf
from guardrails.pipeline.given import Given, Release
from guardrails.pipeline.holdback import Cut, HoldBack
from guardrails.pipeline.so_far import Entry, Head, SoFar
from guardrails.verdict import Edit, Finding, Span
from guardrails.wire.runs import runs

__all__ = ["Edits", "Texts"]

WORDLESS = Head(part=Part(text="", role="assistant"))
"""What a reply without any text is judged as."""

MOST_BEFORE = 50
"""Nothing is looked for that crosses into a text from further back than so many."""

Edits = Mapping[int, Sequence[tuple[Span, int]]]
"""What was changed in each text: where in what came, and the length of what stands there now."""


class Texts:
    """`held` says where they may be cut, `given` what of each has left. `keeps`: all of what has
    left is remembered, and judged again with what follows."""

    def __init__(self, held: HoldBack, *, keeps: bool) -> None:
        self.held, self.keeps = held, keeps
        self.given: list[Given] = []
        self._gave: dict[int, list[str]] = {}
        """What tools gave in the reply itself, by the number of the text."""
        self._gave_parts: tuple[Part, ...] | None = None

    # -- what comes and goes --------------------------------------------------------------------

    def open(self, head: Head) -> int:
        self.given.append(Given(head, None if self.keeps else self.held.margin))
        return self.held.open(whole=head.is_whole or not head.part.readable)

    def say(self, number: int, text: str) -> None:
        self.held.feed(number, text)
        if self.given[number].head.part.role == "tool":
            self._gave.setdefault(number, []).append(text)
            self._gave_parts = None

    def leaves(self, release: Release, edits: Edits | None) -> None:
        self.given[release.number].add(release, (edits or {}).get(release.number, ()))

    def is_whole(self, number: int) -> bool:
        head = self.given[number].head
        return head.is_whole or not head.part.readable

    def start_in(self, number: int) -> int:
        """Where in a text what is held of it begins."""
        frontier = self.held.frontier
        if number == frontier.part:
            return frontier.offset
        return self.held.length(number) if number < frontier.part else 0

    # -- what is judged of them -----------------------------------------------------------------

    def entry(self, number: int, text: str, prefix: int) -> Entry | None:
        """None for what holds more than may be read."""
        try:
            return Entry.of(number, self.given[number].head, text, prefix)
        except WireFormatError:
            return None

    def entries(self, cut: Cut | None) -> tuple[Entry, ...] | None:
        """The texts before a cut: all of the reply so far, or what is held of it. None for what
        holds more than may be read."""
        if cut is None:
            head = self.given[0].head if self.given else WORDLESS
            return (Entry.of(0, head, ""),)
        entries: list[Entry] = []
        first = Cut(0, 0) if self.keeps else self.held.frontier
        for number, _, end in self.held.between(first, cut):
            given, start = self.given[number], self.start_in(number)
            left = given.last(None if self.keeps else self.held.margin) if given.length else ""
            entry = self.entry(number, left + self.held.text(number, start, end), len(left))
            if entry is None:
                return None
            given.parts = len(entry.parts)
            entries.append(entry)
        return tuple(entries)

    def left_before(self, number: int) -> tuple[Part, ...]:
        """The ends of the texts that have left right before one and are read as one with it, as far
        as what crosses into it may reach back: none once its own begin is not remembered."""
        margin = self.held.margin
        given = self.given[number] if number < len(self.given) else None
        if given is None or given.head.is_json or given.length != len(given.last(margin)):
            return ()
        ends: list[Part] = []
        for before in reversed(self.given[max(0, number - MOST_BEFORE) : number]):
            part = before.head.part
            is_like = part.kind == given.head.part.kind and before.length > 0
            text = before.last(margin) if is_like else ""
            ends.append(replace(part, text=text, target=False))
            margin -= len(text)
            if margin <= 0:
                break
        ends.reverse()
        if not any(part.text for part in ends) or not runs((*ends, given.head.part)):
            return ()
        return tuple(ends)

    def so_far(self, entries: tuple[Entry, ...]) -> SoFar:
        if self._gave_parts is None:
            self._gave_parts = tuple(
                replace(self.given[number].head.part, text="".join(pieces), target=False)
                for number, pieces in self._gave.items()
            )
        return SoFar(entries, self._gave_parts)

    def came(self) -> tuple[Part, ...]:
        """What came, as far as it is remembered."""
        came: list[Part] = []
        for number in range(len(self.given)):
            text = self.held.text(number, 0, self.held.length(number))
            entry = self.entry(number, text, 0)
            came += () if entry is None else entry.parts
        return tuple(came)

    # -- and back -------------------------------------------------------------------------------

    def numbered(self, first: int) -> dict[int, int]:
        """The number of each text's first part, where all stand one after the other."""
        numbers: dict[int, int] = {}
        for number, given in enumerate(self.given):
            numbers[number] = first
            first += given.parts
        return numbers

    def release(self, old: Entry, new: Entry) -> Release:
        """What leaves of a text as it was judged last."""
        number = old.number
        start = self.start_in(number) if self.given else 0
        came = old.text[old.prefix :]
        text = new.text[old.prefix :]
        return Release(
            number=number,
            start=start,
            end=start + len(came),
            text=text,
            is_changed=text != came,
            is_dropped=new.is_dropped,
        )

    def edits(self, made: Iterable[Edit], place_of: PlaceOf, entries: Sequence[Entry]) -> Edits:
        """What was changed in the texts, in the coordinates of what came."""
        shifts = {e.number: self.start_in(e.number) - e.prefix for e in entries}
        found: dict[int, list[tuple[Span, int]]] = {}
        for edit in made:
            place = place_of(edit.part)
            if place is not None:
                start, end = (at + shifts[place[0]] for at in edit.span)
                found.setdefault(place[0], []).append(((start, end), len(edit.replacement)))
        return {number: sorted(edits) for number, edits in found.items()}

    def span(self, finding: Finding, place: Place | None, entries: Sequence[Entry]) -> Span | None:
        """Where a finding stands in what came."""
        if finding.span is None or place is None or place[0] >= len(self.given):
            return None
        given = self.given[place[0]]
        entry = next((entry for entry in entries if entry.number == place[0]), None)
        if entry is None or given.head.is_json:
            return finding.span
        return (
            self._came(given, entry, finding.span[0]),
            self._came(given, entry, finding.span[1] - 1) + 1
            if finding.span[1] > finding.span[0]
            else self._came(given, entry, finding.span[1]),
        )

    def _came(self, given: Given, entry: Entry, at: int) -> int:
        if at >= entry.prefix:
            return self.start_in(entry.number) + at - entry.prefix
        return given.came(given.length - entry.prefix + at)
