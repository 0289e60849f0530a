"""Ask the critics of a stage, cheapest tier first, until every principle is settled.

A tier settles what it can and only what is open goes on. Nothing that a text or a critic does
raises here: it becomes an observation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, TypeVarTuple

from guardrails.constitution.model import Tier
from guardrails.critic.limits import BudgetHandle, Deadline
from guardrails.critic.protocol import Critique, CritiqueRequest, Hits
from guardrails.exchange import Call, Context, Part
from guardrails.pipeline.borders import JOINTS, Crossing, by_reach, windows
from guardrails.pipeline.calls import calls_in
from guardrails.pipeline.consult import Silence, consult, consult_now
from guardrails.pipeline.decide import Limit, Observation
from guardrails.pipeline.hiding import hidden_in_context, hidden_in_targets
from guardrails.pipeline.inquiry import NOTHING_TO_SAY, Inquiry
from guardrails.pipeline.matter import Matter, applies
from guardrails.pipeline.plan import TIERS, BoundCritic, Plan, asks_models
from guardrails.pipeline.views import Views, look_at
from guardrails.verdict import NOTHING_USED, Coverage, Span, Stage, Usage, Verdict
from guardrails.wire.runs import Run, runs

__all__ = ["Judgement", "judge"]

Question = tuple[BoundCritic, tuple[str, ...]]
AllHits = dict[str, dict[int, dict[Hashable, list[Span]]]]
NO_HITS: Hits = {}

T = TypeVar("T")
Given = TypeVarTuple("Given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the critics of a stage observed, and what nobody could look at."""

    observations: tuple[Observation, ...]
    coverage: Coverage = Coverage()
    usage: Usage = NOTHING_USED
    models: Mapping[str, str]


async def judge(
    plan: Plan,
    parts: Sequence[Part],
    *,
    stage: Stage,
    context: Context,
    budget: BudgetHandle,
    deadline: Deadline,
    tiers: Sequence[Tier] = TIERS,
    calls: Sequence[Call] | None = None,
    left: Sequence[Part] | None = None,
) -> Judgement:
    """Judge the targets of an exchange by all principles of a stage that hold for the caller.
    `calls` are the tool calls in it; None: each part of one is one. `left` are texts that have gone
    right before the targets; unless it is None, what crosses borders is looked for, too."""
    matters = [m for m in plan.stages[stage].matters if applies(m.principle, context)]
    if not matters:
        looked_at = sum(part.target and part.readable for part in parts)
        return Judgement(observations=(), coverage=Coverage(windows=looked_at), models={})
    views = await look_at(parts)
    calls = calls_in(parts) if calls is None else tuple(calls)
    sitting = _Sitting(plan, matters, views, stage, context, budget, deadline, calls)
    if left is not None and len(parts) + len(left) > 1:
        sitting.is_read_on(left)
    if sitting.has_targets:
        for tier in tiers:
            await sitting.ask(tier)
    return await sitting.aside(sitting.conclude, tiers)


class _Sitting:
    """One judgement under way."""

    def __init__(
        self,
        plan: Plan,
        matters: Sequence[Matter],
        views: Views,
        stage: Stage,
        context: Context,
        budget: BudgetHandle,
        deadline: Deadline,
        calls: tuple[Call, ...],
    ) -> None:
        self.plan, self.views, self.stage = plan, views, stage
        self.has_targets = bool(views.targets or calls)
        self.stage_plan = plan.stages[stage]
        self.inquiries = {matter.principle.id: Inquiry(matter) for matter in matters}
        self.context, self.budget, self.deadline, self.calls = context, budget, deadline, calls
        self.left: tuple[Part, ...] = ()
        self.seen_as_one: Sequence[Run] = ()
        """Of the parts, and of what has left behind them."""
        self.limits: dict[Limit, tuple[str, str]] = {}
        self.usage = NOTHING_USED
        self.models: dict[str, str] = {}
        self.windows = self.left_out = 0

    def is_read_on(self, left: Sequence[Part]) -> None:
        """Find out what is read as one, of what has left and of what is judged."""
        parts, self.left = self.views.parts, tuple(left)
        if not left:
            self.seen_as_one = runs(parts)
            return
        first = next((n for n, part in enumerate(parts) if part.target), 0)
        order = [*range(first), *range(len(parts), len(parts) + len(left))]
        order += range(first, len(parts))
        known = (*parts, *left)
        self.seen_as_one = [
            [[order[number] for number in numbers] for numbers in run]
            for run in runs([known[number] for number in order])
        ]

    async def ask(self, tier: Tier) -> None:
        """Ask the critics of a tier, all at once, about what is open."""
        there = self.stage_plan.tier(tier)
        if not there:
            return
        reached, inquiries = self._reached(), self.inquiries
        questions: list[Question] = []
        for bound in there:
            asked = tuple(
                [id for id in bound.ids if id in inquiries and inquiries[id].asks(tier, reached)]
            )
            if asked:
                questions.append((bound, asked))
        if not questions:
            return
        await self._put(tier, questions)
        for _, asked in questions:
            for id in asked:
                self.inquiries[id].settle(tier)

    async def _put(self, tier: Tier, questions: Sequence[Question]) -> None:
        views = await self._views_for(tier)
        if isinstance(views, Silence):
            for bound, asked in questions:
                self._silent(bound, asked, views)
            return
        if tier == "local" or (tier == "deterministic" and self.calls):
            await self.aside(views.settle, is_long=views.is_long)  # they may look at all of it
        before = _spent(self.budget)
        hits = await self.aside(self._scan, views) if tier == "deterministic" else {}
        answers = await self._answers(
            [(bound, self._request(bound, asked, views, hits)) for bound, asked in questions]
        )
        for (bound, asked), answer in zip(questions, answers, strict=True):
            if isinstance(answer, Silence):
                self._silent(bound, asked, answer)
            else:
                await self.aside(self._heard, bound, asked, answer, views)
        if all(isinstance(answer, Silence) for answer in answers):
            self.usage += self._untold(before)
        if tier == "deterministic" and self.seen_as_one:
            await self._look_across(questions)

    async def _look_across(self, questions: Sequence[Question]) -> None:
        """What crosses a border of texts that are read as one."""
        parts = (*self.views.parts, *self.left)
        for reach, asking in by_reach(questions, self.stage_plan.reach):
            for joint in JOINTS:
                found = [
                    window
                    for run in self.seen_as_one
                    for window in windows(parts, run, reach, joint)
                ]
                if not found:
                    continue
                views = await look_at([window.as_part(parts) for window in found])
                hits = await self.aside(self._scan, views, is_long=views.is_large)
                answers = await self._answers(
                    [
                        (bound, replace(self._request(bound, asked, views, hits), calls=()))
                        for bound, asked in asking
                    ]
                )
                for (bound, asked), answer in zip(asking, answers, strict=True):
                    if isinstance(answer, Silence):
                        self._silent(bound, asked, answer)
                    else:
                        crossing = Crossing(parts, found, views.views, self._seen(bound, asked))
                        told = await self.aside(crossing.told, answer, is_long=views.is_large)
                        self._heard(bound, asked, told, self.views)

    def _seen(self, bound: BoundCritic, asked: Sequence[str]) -> Iterator[tuple[str, Observation]]:
        """What a critic has observed so far, and by which principle."""
        for id in asked:
            inquiry = self.inquiries[id]
            for observation in (*inquiry.breaches, *inquiry.looks, *inquiry.doubts):
                if observation.critic == bound.name:
                    yield id, observation

    def _request(
        self, bound: BoundCritic, asked: tuple[str, ...], views: Views, hits: AllHits
    ) -> CritiqueRequest:
        return CritiqueRequest(
            stage=self.stage,
            parts=views.shown,
            targets=views.targets,
            asked=asked,
            hits=hits.get(bound.name, NO_HITS),
            looks=frozenset([id for id in asked if self.inquiries[id].looks]),
            context=self.context,
            deadline=self.deadline,
            budget=self.budget,
            # A model does not get them: they hold what is hidden from it.
            calls=() if bound.tier == "model" else self.calls,
        )

    async def _answers(
        self, requests: Sequence[tuple[BoundCritic, CritiqueRequest]]
    ) -> list[Critique | Silence]:
        """Of those that can say at once, at once; of the others, of all together."""
        answers = [consult_now(bound.critic, request) for bound, request in requests]
        waiting = [index for index, answer in enumerate(answers) if answer is None]
        if waiting:
            heard = await asyncio.gather(
                *(
                    consult(bound.critic, request, timeout_s=self._patience(bound))
                    for bound, request in (requests[index] for index in waiting)
                )
            )
            for index, answer in zip(waiting, heard, strict=True):
                answers[index] = answer
        return [answer for answer in answers if answer is not None]

    def _untold(self, before: Usage) -> Usage:
        """What critics spent who cannot say so any more: as much as they had reckoned with."""
        spent = _spent(self.budget)
        roles = self.plan.roles
        known = roles is None or not roles.unpriced()
        if spent.calls == before.calls:
            return NOTHING_USED
        return Usage(
            calls=spent.calls - before.calls,
            input_tokens=spent.input_tokens - before.input_tokens,
            cost_usd=(spent.cost_usd or 0.0) - (before.cost_usd or 0.0) if known else None,
        )

    def _patience(self, bound: BoundCritic) -> float | None:
        """How long to wait for an answer; None where only the whole call's time counts, as for a
        critic that minds the time of each of several answers itself."""
        if bound.tier == "deterministic" or asks_models(bound.critic):
            return None
        return self.plan.constitution.judging.timeout_s

    async def _views_for(self, tier: Tier) -> Views | Silence:
        """Models see no personal data that the constitution masks or hides."""
        if tier != "model":
            return self.views
        blank = CritiqueRequest(
            stage=self.stage,
            parts=self.views.shown,
            targets=(),
            asked=(),
            context=self.context,
            deadline=self.deadline,
            budget=self.budget,
            calls=self.calls,
        )
        await self.aside(self.views.settle, is_long=self.views.is_long)
        in_context = await hidden_in_context(self.plan, self.views, blank)
        if isinstance(in_context, Silence):
            return in_context
        observed = [o for i in self.inquiries.values() for o in (*i.breaches, *i.doubts)]
        in_targets = hidden_in_targets(observed, self.views, self.stage)
        if isinstance(in_targets, Silence):
            return in_targets
        hidden = [*in_targets, *in_context]
        return await self.aside(self.views.without, hidden, is_long=self.views.is_long)

    async def aside(
        self, work: Callable[[*Given], T], /, *given: *Given, is_long: bool = False
    ) -> T:
        """What goes through the targets, off the loop where there is much of them; or through all
        of the exchange, which `is_long`."""
        if is_long or self.views.is_large:
            return await asyncio.to_thread(work, *given)
        return work(*given)

    def _scan(self, views: Views) -> AllHits:
        """One scan of every target for all declared patterns: critic → part → key → spans.

        It ends with the time of the call; nobody is asked then.
        """
        hits: AllHits = {}
        scan = self.stage_plan.scan
        if scan is None:
            return hits
        for target in views.targets:
            if self.deadline.passed:
                break
            for index, spans in scan.run(target.text).items():
                name, key = self.stage_plan.scanned[index]
                hits.setdefault(name, {}).setdefault(target.part, {})[key] = spans
        return hits

    def _silent(self, bound: BoundCritic, asked: Sequence[str], silence: Silence) -> None:
        if silence.limit is not None:
            self.limits[silence.limit] = bound.name, silence.reason
            return
        for id in asked:
            self.inquiries[id].silent(bound, silence.cause)

    def _heard(
        self, bound: BoundCritic, asked: Sequence[str], critique: Critique, views: Views
    ) -> None:
        self.usage += critique.usage
        if critique.model is not None:
            self.models[bound.name] = critique.model
        self.windows = max(self.windows, critique.windows)
        self.left_out = max(self.left_out, critique.left_out)

        def to_original(part: int, span: Span) -> Span:
            return views.views[part].to_original(span)

        for id in asked:
            self.inquiries[id].hear(bound, critique, to_original)

    def _reached(self) -> Verdict:
        """The gravest verdict that the breaches found so far lead to."""
        return max(
            [inquiry.matter.breach for inquiry in self.inquiries.values() if inquiry.breaches],
            default=Verdict.ALLOW,
        )

    def conclude(self, tiers: Sequence[Tier]) -> Judgement:
        unread = self._unread()
        observations = [*self._limits(), *self._unjudged(unread)]
        uncovered: list[str] = []
        if self.has_targets:
            reached = self._reached()
            stops = not reached.delivers
            bound = frozenset([b.name for b in self.stage_plan.critics if b.tier in tiers])
            for id, inquiry in self.inquiries.items():
                moot = stops and not inquiry.asks("deterministic", reached)
                conclusion = inquiry.conclude(bound, moot=moot or bool(self.limits))
                if conclusion is NOTHING_TO_SAY:
                    continue
                observations += conclusion.observations
                if conclusion.uncovered:
                    uncovered.append(id)
        return Judgement(
            observations=tuple(observations),
            coverage=Coverage(
                uncovered=tuple(uncovered),
                windows=max(self.windows, len(self.views.targets)),
                unjudged_parts=unread,
                left_out=self.left_out,
            ),
            usage=self.usage,
            models=self.models,
        )

    def _limits(self) -> list[Observation]:
        return [
            Observation(about=limit, critic=critic, value="undecided", cause="limit", reason=reason)
            for limit, (critic, reason) in self.limits.items()
        ]

    def _unread(self) -> tuple[int, ...]:
        """Targets that no critic can read."""
        return tuple(
            index
            for index, part in enumerate(self.views.parts)
            if part.target and not part.readable
        )

    def _unjudged(self, unread: Sequence[int]) -> list[Observation]:
        """A part nobody can read is undecided, by the principle that is strictest about doubt, or
        by what the constitution says of attachments."""
        if not unread:
            return []
        said = self.plan.constitution.attachments.get(self.stage, {})
        strictest = max(
            (inquiry.matter.principle for inquiry in self.inquiries.values()),
            key=lambda principle: Verdict.of(principle.on_undecided),
        )
        return [
            Observation(
                about=strictest,
                critic="engine",
                value="undecided",
                cause="unjudged_part",
                part=index,
                reason=f"no critic can read a part of kind {part.kind!r}",
                instead=None if part.attachment is None else said.get(part.attachment),
            )
            for index, part in ((index, self.views.parts[index]) for index in unread)
        ]


def _spent(budget: BudgetHandle) -> Usage:
    return Usage(calls=budget.calls, input_tokens=budget.tokens, cost_usd=budget.cost_usd)
