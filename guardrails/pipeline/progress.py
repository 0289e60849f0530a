"""A reply that is judged while it comes: what is held, judged, changed, and let go, in order.

Nothing of a text leaves before it was judged, and nothing that has left is changed any more. What
is found in what is held is acted upon there, and judged again; what reaches into text that has left
ends the reply.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from guardrails.critic.limits import BudgetHandle
from guardrails.critic.protocol import Width
from guardrails.errors import BudgetExceeded
from guardrails.exchange import Context, Part
from guardrails.pipeline.account import Account, Place, PlaceOf
from guardrails.pipeline.decide import decide
from guardrails.pipeline.engine import Outcome, deliberate, refuse
from guardrails.pipeline.given import Release
from guardrails.pipeline.glance import Glances
from guardrails.pipeline.holdback import LEAST_MARGIN, Cut, HoldBack
from guardrails.pipeline.matter import applies
from guardrails.pipeline.plan import Plan
from guardrails.pipeline.replies import reply_to
from guardrails.pipeline.rhythm import may_escalate, rhythm_of
from guardrails.pipeline.so_far import Entry, Head, SoFar
from guardrails.pipeline.texts import Edits, Texts
from guardrails.verdict import Edit, Finding, Stage, Verdict
from guardrails.wire.tools import ToolSchemas

__all__ = ["Progress"]


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
        self._plan, self._stage, self._context = plan, Stage.OUTPUT, context
        self._before, self._budget = tuple(before), budget
        stage = plan.stages[self._stage]
        principles = [p for p in stage.principles if applies(p, context)]
        self._principles = principles
        rhythm, self._asks_models = rhythm_of(plan, principles)
        keeps = keeps or self._asks_models or may_escalate(principles)
        width = stage.need.characters if isinstance(stage.need, Width) else 0
        self._held = HoldBack(
            rhythm,
            width=max(1, width),
            keeps=keeps or rhythm == "whole",
            margin=max(LEAST_MARGIN, stage.margin),
            is_open=stage.is_open,
        )
        self._texts = Texts(self._held, keeps=keeps)
        self._glances = Glances(
            plan,
            self._texts,
            stage=self._stage,
            before=before,
            context=context,
            budget=budget,
            leaves_open=self._asks_models,
        )
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
        return self._texts.open(head)

    def say(self, number: int, text: str) -> None:
        """More of a text. What one call may not hold is not taken in."""
        if self._over is not None:
            return
        room = int(self._budget.limits["max_chars"]) - self._budget.chars
        try:
            self._budget.spend_chars(len(text))
        except BudgetExceeded as error:
            self._over = error
        self._texts.say(number, text[: max(0, room)])
        if text and not text.isspace():
            self._last_word = max(self._last_word, Cut(number, self._held.length(number)))

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
            SoFar((Entry.of(number, self._texts.given[number].head, text),)),
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
        index = self._texts.numbered(len(self._before))
        outcome = self._account.outcome(index, self._stop, len(self._before))
        order = {principle.id: n for n, principle in enumerate(self._principles)}
        findings = sorted(outcome.findings, key=lambda f: order.get(f.principle, -1))
        return replace(outcome, findings=tuple(findings))

    def came(self) -> tuple[Part, ...]:
        """What came, as far as it is remembered."""
        return self._texts.came()

    async def _pass(self, cut: Cut) -> list[Release] | None:
        """Judge what is before a cut. None where nothing can be let go of it yet."""
        if self._held.rhythm == "whole" or self._acted is not None:
            return await self._act(cut)
        cut, glance = await self._glances.first_to_act_on(cut)
        if glance.reach > cut.offset and not self._texts.is_whole(cut.part):
            self._held.postpone(cut, glance.reach)
            return None
        if self._held.rhythm == "points":
            return await self._act(cut)
        ruling = decide(glance.observations, stage=self._stage)
        if ruling.verdict > Verdict.FLAG or (ruling.findings and self._asks_models):
            return await self._act(cut)
        if glance.judgement is not None:
            self._account.seen(glance.judgement, lambda part: (cut.part, part))
        for finding in ruling.findings:
            place = None if finding.part is None else (cut.part, finding.part)
            self._account.found(finding, place, finding.span)
        self._account.ruled(ruling.verdict, ruling.cause)
        start = self._texts.start_in(cut.part)
        text = self._held.text(cut.part, start, cut.offset)
        return self._let_go(cut, [Release(number=cut.part, start=start, end=cut.offset, text=text)])

    # -- judging, and acting upon it ------------------------------------------------------------

    async def _act(self, cut: Cut | None) -> list[Release] | None:
        """Judge what is before a cut by all critics, and change it where it must be."""
        if cut is not None and self._may_be_all(cut):
            self._awaited = cut
            return None
        entries = self._texts.entries(cut)
        if entries is None:
            self.refuse("format.readable")
            return None
        content = self._texts.so_far(entries)
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
                left=() if self._texts.keeps else self._texts.left_before(entries[0].number),
            )
        made = outcome.content
        if outcome.reply is not None or not isinstance(made, SoFar):
            self._halt(outcome, place_of, entries)
            return None
        if not all(map(_keeps_prefix, entries, made.entries)):
            self._halt(self._too_late(outcome), place_of, entries)
            self.released_before_breach = True
            return None
        edits = outcome.attempts[-1].edits if outcome.attempts else ()
        releases = [self._texts.release(*both) for both in zip(entries, made.entries, strict=True)]
        replaced = [r for r in releases if _is_one_sentence(r, edits)]
        releases = [self._not_again(r) if r in replaced else r for r in releases]
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
        for release in replaced:
            self._replaced = release.number, release.end, release.text.strip()
        return self._let_go(cut, releases, self._texts.edits(edits, place_of, entries))

    def _not_again(self, release: Release) -> Release:
        """Sentence after sentence may be replaced by the same one: once is enough."""
        said = release.number, release.start, release.text.strip()
        return replace(release, text="") if self._replaced == said else release

    async def _reach_of_changes(self, cut: Cut, releases: Sequence[Release]) -> int | None:
        """How far what was put in place of a text makes a finding with what follows it reach; None
        while more must come to tell."""
        last = next((r for r in releases if r.number == cut.part and r.is_changed), None)
        if last is None or self._texts.is_whole(cut.part):
            return 0
        given = self._texts.given[cut.part]
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
        judgement = await self._glances.judged(self._texts.so_far((entry,)))
        ends = [
            o.span[1]
            for o in judgement.observations
            if o.span is not None and o.span[0] < border < o.span[1]
        ]
        return cut.offset + max(ends) - border if ends else 0

    def _let_go(
        self, cut: Cut | None, releases: list[Release], edits: Edits | None = None
    ) -> list[Release]:
        for release in releases:
            if release.number < len(self._texts.given):
                self._texts.leaves(release, edits)
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
                self._account.found(finding, place, self._texts.span(finding, place, entries))

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


def _keeps_prefix(old: Entry, new: Entry) -> bool:
    """Whether nothing that has left was changed."""
    return new.text[: old.prefix] == old.text[: old.prefix]


def _is_one_sentence(release: Release, edits: Sequence[Edit]) -> bool:
    """Whether nothing leaves but what was put in the place of sentences."""
    if not release.is_changed or [edit.kind for edit in edits] != ["replace_sentence"]:
        return False
    return release.text.strip() == edits[0].replacement.strip()
