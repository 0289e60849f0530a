"""A look without a model at what is held of a reply: it tells where to cut, and what to act on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from guardrails.critic.limits import BudgetHandle
from guardrails.exchange import Context, Part
from guardrails.pipeline.calls import moved
from guardrails.pipeline.decide import Observation
from guardrails.pipeline.holdback import Cut
from guardrails.pipeline.plan import Plan
from guardrails.pipeline.so_far import SoFar
from guardrails.pipeline.texts import Texts
from guardrails.pipeline.tiers import Judgement, judge
from guardrails.verdict import Stage

__all__ = ["Glance", "Glances"]

MOST_AT_ONCE = 8_000
"""Characters that are looked at together: what is found at their end costs looking again."""

TURN = 16_000
A_LOOK = 1_000
"""Characters that are looked at before others get their turn, and as many as a look itself costs:
one event may bring a million of them, or thousands of texts."""

UNREADABLE = Observation(about="format.readable", critic="engine", value="undecided", cause="limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What critics without a model observed before a cut, and in what touches it."""

    observations: tuple[Observation, ...] = ()
    judgement: Judgement | None = None

    @property
    def reach(self) -> int:
        """How far in the text that it was cast at something was observed."""
        return max((o.span[1] for o in self.observations if o.span is not None), default=0)


class Glances:
    """At the texts of one reply. `leaves_open`: what only a model could settle is left to one."""

    def __init__(
        self,
        plan: Plan,
        texts: Texts,
        *,
        stage: Stage,
        before: Sequence[Part],
        context: Context,
        budget: BudgetHandle,
        leaves_open: bool,
    ) -> None:
        self._plan, self._texts, self._held = plan, texts, texts.held
        self._stage, self._before, self._context = stage, tuple(before), context
        self._budget, self._leaves_open = budget, leaves_open
        self._since_turn = 0
        """Characters that were looked at since others had their turn."""

    async def first_to_act_on(self, cut: Cut) -> tuple[Cut, Glance]:
        """Of the cuts that are due, the last before which nothing is found; else the first."""
        furthest = self._held.further(cut, self._texts.start_in(cut.part) + MOST_AT_ONCE)
        glance = await self._at(furthest)
        if not glance.observations or furthest == cut:
            return furthest, glance
        clean = min(0 if o.span is None else o.span[0] for o in glance.observations)
        if cut.offset > clean:
            return cut, await self._at(cut)
        return self._held.further(cut, clean), replace(glance, observations=())

    async def _at(self, cut: Cut) -> Glance:
        """What is seen in what is held of the cut's text, and behind the cut as far as a finding
        may reach; in the coordinates of what came."""
        number = cut.part
        if self._texts.is_whole(number) and self._held.rhythm == "points":
            return Glance()  # nothing of it can be cut in two, and all of it is judged then
        start = self._texts.start_in(number)
        margin = self._texts.given[number].last(self._held.margin) if start else ""
        text = margin + self._held.text(number, start, self._held.seen(cut))
        shift = start - len(margin)
        await self._give_way(len(text))
        entry = self._texts.entry(number, text, len(margin))
        if entry is None:
            return Glance(observations=(UNREADABLE,))
        self._texts.given[number].parts = len(entry.parts)
        judgement = await self.judged(self._texts.so_far((entry,)))
        if entry.head.is_json:
            return Glance(observations=judgement.observations, judgement=judgement)
        crossing = await self._across(number, text[: cut.offset - shift], len(margin), judgement)
        found = (_moved(observation, shift) for observation in (*judgement.observations, *crossing))
        seen = (
            o for o in found if o.span is None or (o.span[1] > start and o.span[0] < cut.offset)
        )
        return Glance(observations=tuple(seen), judgement=judgement)

    async def _across(
        self, number: int, text: str, prefix: int, alone: Judgement
    ) -> Sequence[Observation]:
        """What crosses into a text from those that have left before it: of what is before the cut,
        whatever has come behind it."""
        left = self._texts.left_before(number) if self._held.rhythm == "sentences" else ()
        entry = self._texts.entry(number, text, prefix) if left else None
        if entry is None:
            return ()
        await self._give_way(len(text))
        judgement = await self.judged(self._texts.so_far((entry,)), left)
        return [o for o in judgement.observations if o not in alone.observations]

    async def _give_way(self, characters: int) -> None:
        self._since_turn += A_LOOK + characters
        if self._since_turn > TURN:
            self._since_turn = 0
            await asyncio.sleep(0)

    async def judged(self, content: SoFar, left: Sequence[Part] | None = None) -> Judgement:
        """By the critics that need no model. What only a model could settle is not open to them
        where one will be asked. `left`: see `judge`."""
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
            left=left,
        )
        judgement = _back(judgement, len(before))
        self._budget.spend_time(time.perf_counter() - started)
        if not self._leaves_open:
            return judgement
        seen = tuple(o for o in judgement.observations if o.cause != "uncovered")
        coverage = replace(judgement.coverage, uncovered=())
        return replace(judgement, observations=seen, coverage=coverage)


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
