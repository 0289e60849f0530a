"""The constitution's own texts, replies and remedies, held to its own deterministic critics.

What stands in for a blocked reply reaches people unjudged, so it is judged once, beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from guardrails.constitution.model import Constitution, Principle, Remedy, Replies
from guardrails.critic.limits import BudgetHandle
from guardrails.exchange import Context, Kind, Part, Role
from guardrails.pipeline.decide import Observation
from guardrails.pipeline.plan import Plan
from guardrails.pipeline.tiers import judge
from guardrails.verdict import Stage, Verdict

__all__ = ["OwnText", "broken_by", "look_alone", "own_texts"]

DEADLINE_S = 60.0

_PARTS: Mapping[Stage, tuple[Role, Kind]] = {
    Stage.INPUT: ("user", "text"),
    Stage.OUTPUT: ("assistant", "text"),
    Stage.TOOL_CALL: ("assistant", "tool_call"),
    Stage.TOOL_RESULT: ("tool", "tool_result"),
    Stage.RETRIEVAL: ("user", "document"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnText:
    """A text that may reach a person in place of a reply.

    `principle` is None for the constitution's own replies; `key` is where it stands there or under
    the principle (`reply`, `remedy.append`, …). `remedy` is True for one that only stands in for a
    sentence.
    """

    what: str
    principle: Principle | None = None
    key: tuple[str, ...]
    text: str = field(repr=False)
    stage: Stage = Stage.OUTPUT
    remedy: bool = False


def own_texts(constitution: Constitution) -> Iterator[OwnText]:
    """Replies as they stand at the output, remedies at the stages that are revised."""
    replies = {"blocked": constitution.reply_blocked, "unavailable": constitution.reply_unavailable}
    for key, said in replies.items():
        yield from _replies(f"the reply {key!r}", None, ("replies", key), said)
    for principle in constitution.principles:
        yield from _replies(
            f"the reply of {principle.id!r}", principle, ("reply",), principle.reply or {}
        )
        yield from _remedies(principle)


def _replies(
    what: str, principle: Principle | None, key: tuple[str, ...], said: Replies
) -> Iterator[OwnText]:
    for language, text in said.items():
        yield OwnText(
            what=f"{what} ({language})", principle=principle, key=(*key, language), text=text
        )


def _remedies(principle: Principle) -> Iterator[OwnText]:
    remedy = principle.remedy or Remedy()
    stages = [stage for stage in principle.stages if principle.actions[stage] == "revise"]
    for key, text in {"replace_sentence": remedy.replace_sentence, "append": remedy.append}.items():
        for stage in stages if text else ():
            yield OwnText(
                what=f"the remedy of {principle.id!r}",
                principle=principle,
                key=("remedy", key),
                text=text or "",
                stage=stage,
                remedy=True,
            )


async def broken_by(plan: Plan, text: OwnText) -> tuple[str, ...]:
    """The principles that do more than flag the text. What a reply must hold besides, neither a
    remedy nor a refusal has to."""
    observed = await look_alone(plan, text.text, stage=text.stage)
    found = (
        o.about.id
        for o in observed
        if o.value == "breach"
        and isinstance(o.about, Principle)
        and not o.about.requires
        and Verdict.of(o.about.actions[text.stage]) >= Verdict.REDACT
    )
    return tuple(dict.fromkeys(found))


async def look_alone(
    plan: Plan, text: str, *, stage: Stage, prompt: str | None = None
) -> tuple[Observation, ...]:
    """What the deterministic critics make of a text that nobody sent."""
    role, kind = _PARTS[stage]
    parts = [Part(text=text, role=role, kind=kind)]
    if prompt is not None:
        parts.insert(0, Part(text=prompt, role="user", target=False))
    limits = BudgetHandle(deadline_s=DEADLINE_S, max_chars=len(text), max_calls=0, max_tokens=0)
    judgement = await judge(
        plan,
        parts,
        stage=stage,
        context=Context(),
        budget=limits,
        deadline=limits.deadline(),
        tiers=("deterministic",),
        calls=(),  # a text that nobody sent calls nothing
    )
    return judgement.observations
