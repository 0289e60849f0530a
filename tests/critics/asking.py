"""Asking one critic about texts the way the engine does: normalised, with the scan's hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardrails.constitution.model import Constitution, CriticUse, Example, Principle
from guardrails.critic.limits import BudgetHandle, Deadline
from guardrails.critic.protocol import (
    Critic,
    CriticFinding,
    Critique,
    CritiqueRequest,
    Resources,
    Rule,
    Target,
)
from guardrails.critic.registry import JudgeConfig
from guardrails.exchange import Kind, Part
from guardrails.settings import Settings
from guardrails.text.normalise import normalise
from guardrails.text.scan import Scan
from guardrails.verdict import Stage

JUDGE = CriticUse(name="judge", tier="model", config=JudgeConfig())


def rule(
    critic: type[Critic],
    config: dict[str, Any],
    *,
    id: str = "test.principle",
    stages: Sequence[Stage] = (Stage.OUTPUT,),
    judge: bool = False,
    requires: bool = False,
    breach: Sequence[Example] = (),
    fine: Sequence[Example] = (),
) -> Rule:
    checked = critic.Config.model_validate(config)
    use = CriticUse(name=critic.name, tier=critic.tier, config=checked)
    principle = Principle(
        id=id,
        text="A principle.",
        stages=tuple(stages),
        actions=dict.fromkeys(stages, "block"),
        requires=requires,
        critics=(use, JUDGE) if judge else (use,),
        breach_examples=tuple(breach),
        fine_examples=tuple(fine),
    )
    return Rule(principle=principle, config=checked)


def bind(critic: type[Critic], *rules: Rule) -> Critic:
    constitution = Constitution(
        id="test",
        version="1.0.0",
        digest="sha256:0",
        principles=tuple(rule.principle for rule in rules),
        reply_blocked={"en": "No."},
        reply_unavailable={"en": "Later."},
    )
    return critic.bind(rules, Resources(constitution=constitution, settings=Settings()))


async def ask(
    critic: Critic,
    *texts: str,
    asked: Sequence[str] = ("test.principle",),
    stage: Stage = Stage.OUTPUT,
    kinds: Sequence[Kind] = (),
) -> Critique:
    seen = [normalise(text).text for text in texts]
    declared = [item for item in critic.declared() if stage in item.stages]
    scan = Scan([item.pattern for item in declared])
    found = {part: scan.run(text) for part, text in enumerate(seen)}
    return await critic.critique(
        CritiqueRequest(
            stage=stage,
            parts=tuple(
                Part(text=text, role="assistant", kind=kinds[part] if kinds else "text")
                for part, text in enumerate(seen)
            ),
            targets=tuple(
                Target(part=part, text=text, original=texts[part]) for part, text in enumerate(seen)
            ),
            asked=tuple(asked),
            hits={
                part: {declared[index].key: spans for index, spans in hits.items()}
                for part, hits in found.items()
                if hits
            },
            deadline=Deadline(5),
            budget=BudgetHandle(deadline_s=5, max_chars=10**8, max_calls=0, max_tokens=0),
        )
    )


def quotes(critique: Critique, *texts: str) -> list[tuple[str, str | None]]:
    """What was said of which piece of the original texts, in order."""

    def quote(finding: CriticFinding) -> str | None:
        if finding.part is None or finding.span is None:
            return None
        text, span = texts[finding.part], finding.span
        return text[slice(*(span if finding.of_original else normalise(text).to_original(span)))]

    return [(finding.value, quote(finding)) for finding in critique.findings]
