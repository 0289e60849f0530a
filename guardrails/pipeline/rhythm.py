"""How a constitution lets a reply leave: where it is cut, and what must be kept of it."""

from __future__ import annotations

from collections.abc import Sequence

from guardrails.constitution.model import Principle
from guardrails.critic.protocol import Whole
from guardrails.exchange import Context
from guardrails.pipeline.holdback import Rhythm
from guardrails.pipeline.matter import applies, only_after_look
from guardrails.pipeline.plan import Plan
from guardrails.verdict import Stage

__all__ = ["is_held_whole", "may_escalate", "rhythm_of"]


def is_held_whole(plan: Plan, context: Context) -> bool:
    """Whether nothing of a reply may leave before all of it is judged."""
    principles = [p for p in plan.stages[Stage.OUTPUT].principles if applies(p, context)]
    return rhythm_of(plan, principles)[0] == "whole"


def rhythm_of(plan: Plan, principles: Sequence[Principle]) -> tuple[Rhythm, bool]:
    """Where a reply is cut, and whether any model may be asked about it."""
    stage = plan.stages[Stage.OUTPUT]
    ids = {principle.id for principle in principles}
    asked = {id for bound in stage.critics if bound.tier != "deterministic" for id in bound.ids}
    judged = [p for p in principles if p.id in asked & ids]
    looked_at = {id for bound in stage.critics for id in bound.ids}
    of_reply = any(p.scope == "reply" and p.id in looked_at for p in principles)
    if plan.constitution.release == "whole" or of_reply or isinstance(stage.need, Whole):
        return "whole", bool(judged)
    if any(not only_after_look(p) for p in judged):
        return "points", True
    return "sentences", bool(judged)


def may_escalate(principles: Sequence[Principle]) -> bool:
    """Whether a person may have to see the text."""
    return any(
        "escalate" in (p.actions[Stage.OUTPUT], p.on_undecided, p.on_outage, p.uncovered)
        for p in principles
    )
