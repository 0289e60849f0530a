"""Personal data that no model may see: found by the rules of the stage that each part came through.

Source: design, section 3: before any model sees a part, its stage's rules on personal data (mask
and graver) are applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from guardrails.constitution.model import Principle
from guardrails.critic.protocol import Critique, CritiqueRequest
from guardrails.exchange import Role
from guardrails.pipeline.consult import Silence, consult, consult_now
from guardrails.pipeline.decide import Observation
from guardrails.pipeline.plan import BoundCritic, Plan, StagePlan
from guardrails.pipeline.views import Hidden, Views
from guardrails.verdict import Stage, Verdict

__all__ = ["hidden_in_context", "hidden_in_targets"]

_STAGE_OF: Mapping[Role, Stage] = {
    "system": Stage.INPUT,
    "user": Stage.INPUT,
    "assistant": Stage.OUTPUT,
    "tool": Stage.TOOL_RESULT,
}


def hidden_in_targets(
    observations: Iterable[Observation], views: Views, stage: Stage
) -> list[Hidden] | Silence:
    """What was already found in the targets, in the coordinates of their views. Where a critic
    failed to look for it, its silence comes back: nothing may be shown then."""
    observations = tuple(observations)
    for o in observations:
        if isinstance(o.about, Principle) and _hides(o.about, stage):
            if o.value == "undecided":
                return Silence(o.cause)
            if o.span is None:
                return Silence("unsure")
    return [
        Hidden(part=o.part, span=views.views[o.part].to_view(o.span), entity=o.about.entity)
        for o in observations
        if isinstance(o.about, Principle)
        and o.about.entity is not None
        and o.part is not None
        and o.span is not None
        and _hides(o.about, stage)
    ]


async def hidden_in_context(
    plan: Plan, views: Views, request: CritiqueRequest
) -> list[Hidden] | Silence:
    """Look for personal data in the parts that are not judged. `request` lends its limits and
    caller. A critic that fails leaves nothing that a model may be shown: its silence comes back."""
    found: list[Hidden] = []
    for stage in dict.fromkeys(_STAGE_OF.values()):
        context = views.of(
            index
            for index, part in enumerate(views.parts)
            if not part.target and _STAGE_OF[part.role] is stage
        )
        rules = {p.id: p for p in plan.stages[stage].principles if _hides(p, stage)}
        critic = _critic(plan.stages[stage], rules)
        if critic is None or not context:
            continue
        asked = replace(request, stage=stage, targets=context, asked=tuple(rules), hits={})
        answer = consult_now(critic.critic, asked) or await consult(critic.critic, asked)
        if isinstance(answer, Silence):
            return answer
        if not _has_placed_all(answer, rules.keys()):
            return Silence("unsure")
        found += [
            Hidden(part=f.part, span=f.span, entity=rules[f.principle].entity or "")
            for f in answer.findings
            if f.part is not None and f.span is not None
        ]
    return found


def _has_placed_all(answer: Critique, ids: AbstractSet[str]) -> bool:
    """Whether a critic looked for everything, doubted nothing and said where what it found is."""
    return (
        ids <= answer.looked | answer.verdicts.keys()
        and "undecided" not in answer.verdicts.values()
        and all(f.value != "undecided" and f.span is not None for f in answer.findings)
    )


def _hides(principle: Principle, stage: Stage) -> bool:
    return principle.entity is not None and Verdict.of(principle.actions[stage]) >= Verdict.REDACT


def _critic(stage_plan: StagePlan, rules: Mapping[str, Principle]) -> BoundCritic | None:
    return next((b for b in stage_plan.critics if not rules.keys().isdisjoint(b.ids)), None)
