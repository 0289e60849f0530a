"""Principles, plans and contents as the tests of the pipeline want them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from critics.pattern import PatternConfig
from critics.pii import PiiConfig
from guardrails.constitution.model import (
    Budget,
    Constitution,
    CriticUse,
    Judging,
    Principle,
    Remedy,
)
from guardrails.critic.limits import BudgetHandle
from guardrails.critic.protocol import Critic, CriticFinding, Critique, CritiqueRequest
from guardrails.critic.registry import CriticEntry, CriticRegistry, JudgeConfig
from guardrails.exchange import Context, Part
from guardrails.guard.content import read_content, read_prompt
from guardrails.pipeline.engine import Outcome, deliberate
from guardrails.pipeline.plan import Plan, make_plan
from guardrails.settings import Settings
from guardrails.verdict import Stage

INSTALLED = dict(CriticRegistry())
"""Read once: entry points take longer to read than most tests take."""

BLOCKED, UNAVAILABLE = "Not here.", "Later, please."

JUDGE = CriticUse(name="judge", tier="model", config=JudgeConfig())
JUDGE_AFTER_LOOK = CriticUse(name="judge", tier="model", config=JudgeConfig(when="look"))


def use(critic: type[Critic]) -> CriticUse:
    """A principle's mention of a critic without settings."""
    return CriticUse(name=critic.name, tier=critic.tier, config=critic.Config())


def pattern(*breach: str, **lists: Sequence[str]) -> CriticUse:
    config = PatternConfig.model_validate({"breach": breach, **lists})
    return CriticUse(name="pattern", tier="deterministic", config=config)


def rule(id: str = "a.rule", *critics: CriticUse, **changes: Any) -> Principle:
    """A principle. `action` stands for all its stages; `replace_with` and `append` are remedies."""
    stages = tuple(changes.pop("stages", (Stage.OUTPUT,)))
    action = changes.pop("action", "block")
    remedy = Remedy(
        replace_sentence=changes.pop("replace_with", None), append=changes.pop("append", None)
    )
    values = {
        "text": "A principle.",
        "stages": stages,
        "actions": dict.fromkeys(stages, action),
        "critics": critics or (JUDGE,),
        "remedy": None if remedy == Remedy() else remedy,
    }
    return Principle(id=id, **values | changes)


def hides(entity: str, action: str, stage: Stage = Stage.OUTPUT, **changes: Any) -> Principle:
    """A principle as the `pii` section makes it."""
    return rule(
        f"pii.{stage}.{entity}",
        CriticUse(
            name="pii", tier="deterministic", config=PiiConfig.model_validate({"entity": entity})
        ),
        stages=(stage,),
        action=action,
        entity=entity,
        **changes,
    )


def plan_of(
    *principles: Principle,
    critics: Sequence[type[Critic]] = (),
    offline: bool = False,
    timeout_s: float = 5.0,
    budget: Budget | None = None,
    **changes: Any,
) -> Plan:
    constitution = Constitution(
        id="test",
        version="1.0.0",
        digest="sha256:0",
        principles=principles,
        judging=Judging(timeout_s=timeout_s),
        budget=budget or Budget(),
        **{"reply_blocked": {"en": BLOCKED}, "reply_unavailable": {"en": UNAVAILABLE}} | changes,
    )
    given = {c.name: CriticEntry(c.name, c.tier, c.Config, c) for c in critics}
    registry: Any = INSTALLED | given
    return make_plan(constitution, registry=registry, settings=Settings(), offline=offline)


def budget_of(plan: Plan) -> BudgetHandle:
    limits = plan.constitution.budget
    return BudgetHandle(
        deadline_s=limits.deadline_s,
        max_chars=limits.max_chars,
        max_calls=limits.max_calls,
        max_tokens=limits.max_tokens,
        max_cost_usd=limits.max_cost_usd,
    )


async def held(
    plan: Plan,
    content: object,
    *,
    stage: Stage = Stage.OUTPUT,
    prompt: object = None,
    before: Sequence[Part] = (),
    context: Context | None = None,
    budget: BudgetHandle | None = None,
) -> Outcome:
    """What comes of a content under a plan."""
    return await deliberate(
        plan,
        await read_content(content, stage),
        before=(*before, *await read_prompt(prompt)),
        stage=stage,
        context=context or Context(),
        budget=budget or budget_of(plan),
    )


def text_of(outcome: Outcome) -> str:
    """The one judged text of what may go on."""
    assert outcome.content is not None
    (part,) = (part for part in outcome.content.parts if part.target)
    return part.text


def saying(verdict: str, **changes: Any) -> Callable[[CritiqueRequest], Critique]:
    """An answer that gives one verdict on all that is asked."""

    def answer(request: CritiqueRequest) -> Critique:
        verdicts: Any = dict.fromkeys(request.asked, verdict)
        critique = Critique(looked=frozenset(request.asked), verdicts=verdicts)
        return replace(critique, **changes)

    return answer


def finding(value: str, **changes: Any) -> Callable[[CritiqueRequest], Critique]:
    """An answer with one finding on each principle that is asked, and no verdicts."""

    def answer(request: CritiqueRequest) -> Critique:
        found: Any = tuple(
            CriticFinding(**{"principle": id, "value": value} | changes) for id in request.asked
        )
        return Critique(looked=frozenset(request.asked), findings=found)

    return answer


def quoting(quote: str, value: str = "breach") -> Callable[[CritiqueRequest], Critique]:
    """An answer that finds a quote wherever it is in the texts it was shown; else a pass."""

    def answer(request: CritiqueRequest) -> Critique:
        spans = [
            (target.part, (at, at + len(quote)))
            for target in request.targets
            if (at := target.text.find(quote)) >= 0
        ]
        found: Any = tuple(
            CriticFinding(principle=id, value=value, part=part, span=span)
            for id in request.asked
            for part, span in spans
        )
        verdicts: Any = {} if spans else dict.fromkeys(request.asked, "pass")
        return Critique(looked=frozenset(request.asked), verdicts=verdicts, findings=found)

    return answer
