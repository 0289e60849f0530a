"""A reply that is judged while it comes: what is held, judged, changed, and let go, in order.

Nothing of a text leaves before it was judged, and nothing that has left is changed any more. What
is found in what is held is acted upon there, and judged again; what reaches into text that has left
ends the reply.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from guardrails.critic.limits import BudgetHandle
from guardrails.critic.protocol import Width
from guardrails.errors import BudgetExceeded, WireFormatError
from guardrails.exchange import Context, Part
from guardrails.pipeline.account import Account, Place, PlaceOf
from guardrails.pipeline.calls import moved
from guardrails.pipeline.decide import Observation, decide
from guardrails.pipeline.engine import Outcome, deliberate, refuse
from guardrails.pipeline.given import Given, Release
from guardrails.pipeline.holdback import LEAST_MARGIN, Cut, HoldBack
from guardrails.pipeline.matter import applies
from guardrails.pipeline.plan import Plan
from guardrails.pipeline.replies import reply_to
from guardrails.pipeline.rhythm import may_escalate, rhythm_of
from guardrails.pipeline.so_far import Entry, Head, SoFar
from guardrails.pipeline.tiers import Judgement, judge
from guardrails.verdict import Finding, Span, Stage, Verdict
from guardrails.wire.tools import ToolSchemas

__all__ = ["Progress"]

MOST_AT_ONCE = 8_000
"""Characters that are looked at together: what is found at their end costs looking again."""

WORDLESS = Head(part=Part(text="", role="assistant"))
"""What a reply without any text is judged as."""

UNREADABLE = Observation(about="format.readable", critic="engine", value="undecided", cause="limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What critics without a model observed before a cut, and in what touches it."""

    observations: tuple[Observation, ...] = ()
    judgement: Judgement | None = None


class Progress:
    """One reply on its way out.

    `open` a text, `say` what comes of it, `shut` it, and `end` the reply. Whenever something came,
    `advance` gives what may leave, step by step, until it gives None; then `stopped` says whether
    the rest is withheld. `keeps`: all of the reply is remembered, as it is where a judge is asked.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        before: Sequence[Part] = (),
        context: Context,
        budget: BudgetHandle,
        keeps: bool = False,
        schemas: ToolSchemas | None = None,
    ) -> None:
        self._schemas = schemas
        self._gave: dict[int, list[str]] = {}
        self._gave_parts: tuple[Part, ...] | None = None
        """What tools gave in the reply itself, by the number of the text."""
        self._plan, self._stage, self._context = plan, Stage.OUTPUT, context
        self._before, self._budget = tuple(before), budget
        stage = plan.stages[self._stage]
        principles = [p for p in stage.principles if applies(p, context)]
        self._principles = principles
        rhythm, self._asks_models = rhythm_of(plan, principles)
        self._keeps = keeps or self._asks_models or may_escalate(principles)
        width = stage.need.characters if isinstance(stage.need, Width) else 0
        self._held = HoldBack(
            rhythm,
            width=max(1, width),
            keeps=self._keeps or rhythm == "whole",
            margin=max(LEAST_MARGIN, stage.margin),
            is_open=stage.is_open,
        )
        self._given: list[Given] = []
        self._account = Account()
        self._over: BudgetExceeded | None = None
        self._has_ended = self._was_judged = False
        self._stop: Outcome | None = None
        self._replaced: tuple[int, int, str] | None = None
        """The text, the end and the words of what was replaced by a sentence last."""
        self._acted: tuple[Cut, Outcome] | None = None
        """A cut that was acted upon already, while what follows is waited for."""
        self._has_said = False
        """Whether anything but blanks has left."""
        self._last_word = Cut(0, 0)
        """The end of the last piece that is no blank."""
        self._awaited: Cut | None = None
        """A cut that nothing is known to follow: whether it is all of the reply must show first."""
        self.released_before_breach = False
        """Whether it was stopped for what had left already."""

    # -- what comes ---------------------------------------------------------------------------

    def open(self, head: Head) -> int:
        """A further text begins. Its number."""
        self._given.append(Given(head, None if self._keeps else self._held.margin))
        return self._held.open(whole=head.is_whole or not head.part.readable)

    def say(self, number: int, text: str) -> None:
        """More of a text. What one call may not hold is not taken in."""
        if self._over is not None:
            return
        room = int(self._budget.limits["max_chars"]) - self._budget.chars
        try:
            self._budget.spend_chars(len(text))
        except BudgetExceeded as error:
            self._over = error
        self._held.feed(number, text[: max(0, room)])
        if text and not text.isspace():
            self._last_word = max(self._last_word, Cut(number, self._held.length(number)))
        if self._given[number].head.part.role == "tool":
            self._gave.setdefault(number, []).append(text[: max(0, room)])
            self._gave_parts = None

    def shut(self, number: int) -> None:
        """That text is complete."""
        if self._over is None:
            self._held.shut(number)

    def end(self) -> None:
        """The reply is complete."""
        if self._over is None:
            self._has_ended = True
            self._held.end()

    def refuse(self, limit: str) -> None:
        """Withhold the rest: a limit from outside was reached."""
        self._halt(refuse(self._plan, limit, self._stage, self._context), lambda part: None)

    def stop(self, outcome: Outcome) -> None:
        """Withhold the rest, for what somebody else decided about a part of it."""
        self._halt(outcome, lambda part: None)

    async def passes(self, number: int, text: str) -> bool:
        """Whether a text that another stage has changed may stand in the place of that one."""
        outcome = await deliberate(
            self._plan,
            SoFar((Entry.of(number, self._given[number].head, text),)),
            before=self._before,
            stage=self._stage,
            context=self._context,
            budget=self._budget,
            is_counted=True,
        )
        self._account.usage += outcome.usage
        return outcome.verdict <= Verdict.FLAG

    # -- what may leave -----------------------------------------------------------------------

    @property
    def stopped(self) -> bool:
        """Whether what has not left is withheld."""
        return self._stop is not None

    @property
    def is_full(self) -> bool:
        """Whether more came than may be judged, so that nothing more need be read."""
        return self._over is not None

    @property
    def is_done(self) -> bool:
        """Whether nothing more will leave."""
        return self.stopped or (self._has_ended and self._was_judged and self._held.due() is None)

    async def advance(self) -> list[Release] | None:
        """What may leave now; None once nothing more may before more comes, or ever."""
        started = time.perf_counter()
        try:
            while self._stop is None and (cut := self._held.due()) is not None:
                if self._awaits_more():
                    return None
                if (released := await self._pass(cut)) is not None:
                    return released
                if self._awaits_more() or self._waits_after(cut):
                    return None
            if self._stop is None and self._held.is_too_wide:
                self.refuse("format.readable")
            elif self._stop is None and self._over is not None:
                self.refuse(f"budget.{self._over.limit}")
            elif self._stop is None and self._has_ended and not self._was_judged:
                await self._act(None)  # a reply without a word
        finally:
            self._account.elapsed_s += time.perf_counter() - started
        return None

    def _waits_after(self, cut: Cut) -> bool:
        """Whether more must come: what was put there may make a finding with what follows."""
        return self._acted is not None and self._acted[0] == cut

    def outcome(self) -> Outcome:
        """What it all came to so far."""
        index, first = dict[int, int](), len(self._before)
        for number, given in enumerate(self._given):
            index[number] = first
            first += given.parts
        outcome = self._account.outcome(index, self._stop, len(self._before))
        order = {principle.id: n for n, principle in enumerate(self._principles)}
        findings = sorted(outcome.findings, key=lambda f: order.get(f.principle, -1))
        return replace(outcome, findings=tuple(findings))

    def came(self) -> tuple[Part, ...]:
        """What came, as far as it is remembered."""
        came: list[Part] = []
        for number in range(len(self._given)):
            text = self._held.text(number, 0, self._held.length(number))
            entry = self._entry(number, text, 0)
            came += () if entry is None else entry.parts
        return tuple(came)

    async def _pass(self, cut: Cut) -> list[Release] | None:
        """Judge what is before a cut. None where nothing can be let go of it yet."""
        if self._held.rhythm == "whole" or self._acted is not None:
            return await self._act(cut)
        cut, look = await self._first_to_act_on(cut)
        reach = max((o.span[1] for o in look.observations if o.span is not None), default=0)
        if reach > cut.offset and not self._is_whole(cut.part):
            self._held.postpone(cut, reach)
            return None
        if self._held.rhythm == "points":
            return await self._act(cut)
        ruling = decide(look.observations, stage=self._stage)
        if ruling.verdict > Verdict.FLAG or (ruling.findings and self._asks_models):
            return await self._act(cut)
        if look.judgement is not None:
            self._account.seen(look.judgement, lambda part: (cut.part, part))
        for finding in ruling.findings:
            place = None if finding.part is None else (cut.part, finding.part)
            self._account.found(finding, place, finding.span)
        self._account.ruled(ruling.verdict, ruling.cause)
        start = self._start_in(cut.part)
        text = self._held.text(cut.part, start, cut.offset)
        return self._let_go(cut, [Release(number=cut.part, start=start, end=cut.offset, text=text)])

    def _so_far(self, entries: tuple[Entry, ...]) -> SoFar:
        if self._gave_parts is None:
            self._gave_parts = tuple(
                replace(self._given[number].head.part, text="".join(pieces), target=False)
                for number, pieces in self._gave.items()
            )
        return SoFar(entries, self._gave_parts)

    # -- a look without a model ---------------------------------------------------------------

    async def _first_to_act_on(self, cut: Cut) -> tuple[Cut, _Look]:
        """Of the cuts that are due, the last before which nothing is found; else the first."""
        furthest = self._held.further(cut, self._start_in(cut.part) + MOST_AT_ONCE)
        look = await self._looked(furthest)
        if not look.observations or furthest == cut:
            return furthest, look
        clean = min(0 if o.span is None else o.span[0] for o in look.observations)
        if cut.offset > clean:
            return cut, await self._looked(cut)
        return self._held.further(cut, clean), replace(look, observations=())

    async def _looked(self, cut: Cut) -> _Look:
        """What critics without a model see in what is held of the cut's text, and behind the cut as
        far as a finding may reach; in the coordinates of what came."""
        number = cut.part
        if self._is_whole(number) and self._held.rhythm == "points":
            return _Look()  # nothing of it can be cut in two, and all of it is judged then
        start = self._start_in(number)
        margin = self._given[number].last(self._held.margin) if start else ""
        text = margin + self._held.text(number, start, self._held.seen(cut))
        shift = start - len(margin)
        entry = self._entry(number, text, len(margin))
        if entry is None:
            return _Look(observations=(UNREADABLE,))
        self._given[number].parts = len(entry.parts)
        judgement = await self._judged(self._so_far((entry,)))
        if entry.head.is_json:
            return _Look(observations=judgement.observations, judgement=judgement)
        found = (_moved(observation, shift) for observation in judgement.observations)
        seen = (
            o for o in found if o.span is None or (o.span[1] > start and o.span[0] < cut.offset)
        )
        return _Look(observations=tuple(seen), judgement=judgement)

    async def _judged(self, content: SoFar) -> Judgement:
        """By the critics that need no model. What only a model could settle is not open to them
        where one will be asked."""
        started = time.perf_counter()
        calls = content.calls
        before = self._before if calls else ()  # what is handed to a tool may be from there
        judgement = await judge(
            self._plan,
            (*before, *content.parts),
            stage=self._stage,
            context=self._context,
            budget=self._budget,
            deadline=self._budget.deadline(),
            tiers=("deterministic",),
            calls=moved(calls, len(before)),
        )
        judgement = _back(judgement, len(before))
        self._budget.spend_time(time.perf_counter() - started)
        if not self._asks_models:
            return judgement
        seen = tuple(o for o in judgement.observations if o.cause != "uncovered")
        coverage = replace(judgement.coverage, uncovered=())
        return replace(judgement, observations=seen, coverage=coverage)

    # -- judging, and acting upon it ------------------------------------------------------------

    async def _act(self, cut: Cut | None) -> list[Release] | None:
        """Judge what is before a cut by all critics, and change it where it must be."""
        if cut is not None and self._may_be_all(cut):
            self._awaited = cut
            return None
        entries = self._entries(cut)
        if entries is None:
            self.refuse("format.readable")
            return None
        content = self._so_far(entries)
        place_of = self._place_of(content)
        if self._acted is not None and self._acted[0] == cut:
            outcome = self._acted[1]
        else:
            outcome = await deliberate(
                self._plan,
                content,
                before=self._before,
                stage=self._stage,
                context=self._context,
                budget=self._budget,
                schemas=self._schemas,
                is_counted=True,
                may_vanish=self._has_said or not self._is_last(cut),
            )
        made = outcome.content
        if outcome.reply is not None or not isinstance(made, SoFar):
            self._halt(outcome, place_of, entries)
            return None
        if not all(map(_keeps_prefix, entries, made.entries)):
            self._halt(self._too_late(outcome), place_of, entries)
            self.released_before_breach = True
            return None
        releases = [
            self._not_again(self._released(*both), outcome)
            for both in zip(entries, made.entries, strict=True)
        ]
        if cut is not None:
            reach = await self._reach_of_changes(cut, releases)
            if reach is None:
                self._acted = cut, outcome
                return None
            if reach > cut.offset:
                self._account.usage += replace(outcome.usage, latency_ms=0.0)
                self._held.postpone(cut, reach)
                self._acted = None
                return None
        self._take(outcome, place_of, entries)
        edits = self._edits_in(outcome, place_of, entries)
        return self._let_go(cut, releases, edits)

    def _entries(self, cut: Cut | None) -> tuple[Entry, ...] | None:
        """The texts before a cut: all of the reply so far, or what is held of it. None for what
        holds more than may be read."""
        if cut is None:
            head = self._given[0].head if self._given else WORDLESS
            return (Entry.of(0, head, ""),)
        entries: list[Entry] = []
        first = Cut(0, 0) if self._keeps else self._held.frontier
        for number, _, end in self._held.between(first, cut):
            given, start = self._given[number], self._start_in(number)
            left = given.last(None if self._keeps else self._held.margin) if given.length else ""
            entry = self._entry(number, left + self._held.text(number, start, end), len(left))
            if entry is None:
                return None
            given.parts = len(entry.parts)
            entries.append(entry)
        return tuple(entries)

    def _entry(self, number: int, text: str, prefix: int) -> Entry | None:
        try:
            return Entry.of(number, self._given[number].head, text, prefix)
        except WireFormatError:
            return None

    def _released(self, old: Entry, new: Entry) -> Release:
        number = old.number
        start = self._start_in(number) if self._given else 0
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

    def _not_again(self, release: Release, outcome: Outcome) -> Release:
        """Sentence after sentence may be replaced by the same one: once is enough."""
        edits = outcome.attempts[-1].edits if outcome.attempts else ()
        if not release.is_changed or [edit.kind for edit in edits] != ["replace_sentence"]:
            return release
        said = release.number, release.start, release.text.strip()
        replaces, self._replaced = self._replaced, (said[0], release.end, said[2])
        return replace(release, text="") if replaces == said else release

    async def _reach_of_changes(self, cut: Cut, releases: Sequence[Release]) -> int | None:
        """How far what was put in place of a text makes a finding with what follows it reach; None
        while more must come to tell."""
        last = next((r for r in releases if r.number == cut.part and r.is_changed), None)
        if last is None or self._is_whole(cut.part):
            return 0
        given = self._given[cut.part]
        changed = (given.last(self._held.margin) if given.length else "") + last.text
        ahead, is_seen = self._held.behind(cut)
        if not ahead:
            return 0
        border = len(changed)
        if not is_seen and self._plan.stages[self._stage].is_open(changed + ahead, border):
            if self._held.is_too_much(cut):
                self.refuse("format.readable")
            return None
        entry = Entry.of(cut.part, given.head, changed + ahead)
        judgement = await self._judged(self._so_far((entry,)))
        ends = [
            o.span[1]
            for o in judgement.observations
            if o.span is not None and o.span[0] < border < o.span[1]
        ]
        return cut.offset + max(ends) - border if ends else 0

    def _edits_in(
        self, outcome: Outcome, place_of: PlaceOf, entries: Sequence[Entry]
    ) -> dict[int, list[tuple[Span, int]]]:
        """What was changed in the texts, in the coordinates of what came."""
        shifts = {e.number: self._start_in(e.number) - e.prefix for e in entries}
        made: dict[int, list[tuple[Span, int]]] = {}
        for edit in outcome.attempts[-1].edits if outcome.attempts else ():
            place = place_of(edit.part)
            if place is not None:
                start, end = (at + shifts[place[0]] for at in edit.span)
                made.setdefault(place[0], []).append(((start, end), len(edit.replacement)))
        return {number: sorted(edits) for number, edits in made.items()}

    def _let_go(
        self,
        cut: Cut | None,
        releases: list[Release],
        edits: Mapping[int, Sequence[tuple[Span, int]]] | None = None,
    ) -> list[Release]:
        for release in releases:
            if release.number < len(self._given):
                given = self._given[release.number]
                given.add(release, (edits or {}).get(release.number, ()))
                self._has_said |= bool(release.text.strip())
        if cut is not None:
            self._held.settle(cut)
        self._was_judged, self._acted = True, None
        return releases

    # -- what it comes to -----------------------------------------------------------------------

    def _take(self, outcome: Outcome, place_of: PlaceOf, entries: Sequence[Entry] = ()) -> None:
        self._was_judged = True
        self._account.made(outcome, place_of)
        for finding in outcome.findings:
            place = None if finding.part is None else place_of(finding.part)
            if not self._is_known(finding, place, entries):
                self._account.found(finding, place, self._span(finding, place, entries))

    def _halt(self, outcome: Outcome, place_of: PlaceOf, entries: Sequence[Entry] = ()) -> None:
        if self._stop is None:
            self._take(outcome, place_of, entries)
            self._stop = outcome
            self.released_before_breach = any(
                self._touches_what_left(finding, place_of, entries) for finding in outcome.findings
            )

    def _is_known(self, finding: Finding, place: Place | None, entries: Sequence[Entry]) -> bool:
        """Whether it was found when the text that it is in left, and is only seen again."""
        if self._held.rhythm != "sentences" or place is None or finding.span is None:
            return False
        prefix = next((entry.prefix for entry in entries if entry.number == place[0]), 0)
        return finding.span[1] <= prefix and Verdict.of(finding.action) <= Verdict.FLAG

    def _touches_what_left(
        self, finding: Finding, place_of: PlaceOf, entries: Sequence[Entry]
    ) -> bool:
        place = None if finding.part is None else place_of(finding.part)
        if place is None or finding.span is None or Verdict.of(finding.action) <= Verdict.FLAG:
            return False
        prefix = next((entry.prefix for entry in entries if entry.number == place[0]), 0)
        return finding.span[0] < prefix

    def _too_late(self, outcome: Outcome) -> Outcome:
        """A change in what has left already."""
        findings, language = outcome.findings, self._context.language
        reply = reply_to(self._plan.constitution, findings, "policy", language)
        return replace(outcome, verdict=Verdict.BLOCK, cause="policy", reply=reply)

    def _place_of(self, content: SoFar) -> PlaceOf:
        places = content.places()

        def place_of(part: int) -> Place | None:
            at = part - len(self._before)
            if not 0 <= at < len(places):
                return None
            entry, number = places[at]
            return content.entries[entry].number, number

        return place_of

    def _span(self, finding: Finding, place: Place | None, entries: Sequence[Entry]) -> Span | None:
        """Where a finding stands in what came."""
        if finding.span is None or place is None or place[0] >= len(self._given):
            return None
        given = self._given[place[0]]
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
            return self._start_in(entry.number) + at - entry.prefix
        return given.came(given.length - entry.prefix + at)

    def _start_in(self, number: int) -> int:
        """Where in a text what is held of it begins."""
        frontier = self._held.frontier
        if number == frontier.part:
            return frontier.offset
        return self._held.length(number) if number < frontier.part else 0

    def _is_last(self, cut: Cut | None) -> bool:
        """Whether nothing but blanks is known to follow a cut."""
        return cut is None or self._last_word <= cut

    def _may_be_all(self, cut: Cut) -> bool:
        """Whether it is open if what is before a cut is all that the reply says. What would leave
        nothing of a reply is done otherwise than what leaves nothing of a part of it."""
        return not (self._has_said or self._has_ended) and self._is_last(cut)

    def _awaits_more(self) -> bool:
        if self._awaited is not None and not self._may_be_all(self._awaited):
            self._awaited = None
        return self._awaited is not None

    def _is_whole(self, number: int) -> bool:
        head = self._given[number].head
        return head.is_whole or not head.part.readable


def _back(judgement: Judgement, by: int) -> Judgement:
    """The same, told of parts that nothing stands before."""
    if not by:
        return judgement
    observations = tuple(
        o if o.part is None else replace(o, part=o.part - by) for o in judgement.observations
    )
    unread = tuple(part - by for part in judgement.coverage.unjudged_parts)
    coverage = replace(judgement.coverage, unjudged_parts=unread)
    return replace(judgement, observations=observations, coverage=coverage)


def _moved(observation: Observation, shift: int) -> Observation:
    span = observation.span
    moved = None if span is None else (span[0] + shift, span[1] + shift)
    return replace(observation, span=moved)


def _keeps_prefix(old: Entry, new: Entry) -> bool:
    """Whether nothing that has left was changed."""
    return new.text[: old.prefix] == old.text[: old.prefix]
