"""What a constitution's deterministic critics make of its own texts: examples, replies, remedies.

The engine's own first tier looks, so that what lint says is what a guarded call would see.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace

from guardrails.authoring.subject import SIDES, Entry, Subject
from guardrails.constitution.model import Constitution, Example, Principle, Remedy
from guardrails.constitution.source import Loc
from guardrails.critic.limits import BudgetHandle
from guardrails.critic.registry import CriticRegistry
from guardrails.exchange import Context, Kind, Part, Role
from guardrails.pipeline.decide import Observation
from guardrails.pipeline.plan import Plan, make_plan
from guardrails.pipeline.tiers import judge
from guardrails.settings import Settings
from guardrails.verdict import Stage

__all__ = ["Delivered", "ExampleTrial", "Trials", "breaches", "make_trials"]

DEADLINE_S = 60.0

_PARTS: dict[Stage, tuple[Role, Kind]] = {
    Stage.INPUT: ("user", "text"),
    Stage.OUTPUT: ("assistant", "text"),
    Stage.TOOL_CALL: ("assistant", "tool_call"),
    Stage.TOOL_RESULT: ("tool", "tool_result"),
    Stage.RETRIEVAL: ("user", "document"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleTrial:
    """An example of a principle, seen by that principle's critics at one of its stages."""

    entry: Entry
    side: str
    example: Example
    stage: Stage
    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A text that may reach a person in place of a reply, seen by all principles of the stage.

    `what` names it in messages; `remedy` is True for one that only stands in for a sentence.
    """

    loc: Loc
    what: str
    text: str = field(repr=False)
    stage: Stage
    remedy: bool
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """All that was tried."""

    examples: Mapping[tuple[Loc, str, Example], tuple[ExampleTrial, ...]]
    delivered: tuple[Delivered, ...]

    def of(self, entry: Entry, side: str, example: Example) -> tuple[ExampleTrial, ...]:
        """An example's trials, one for each stage that it can stand at."""
        return self.examples.get((entry.loc, side, example), ())


async def make_trials(subject: Subject, registry: CriticRegistry) -> Trials:
    """Show every example to its principle's critics, and every reply and remedy to all."""
    whole = _plan(subject.constitution, registry)
    examples: dict[tuple[Loc, str, Example], list[ExampleTrial]] = defaultdict(list)
    for entry in subject.entries:
        async for trial in _examples(entry, subject, registry):
            examples[entry.loc, trial.side, trial.example].append(trial)
    return Trials(
        examples={key: tuple(trials) for key, trials in examples.items()},
        delivered=tuple(
            [
                replace(text, observations=await _observe(whole, text.text, stage=text.stage))
                for text in _delivered(subject)
            ]
        ),
    )


def breaches(observations: tuple[Observation, ...]) -> Iterator[tuple[Principle, Observation]]:
    """The breaches among what was observed, with the principles that they are of."""
    for observed in observations:
        if observed.value == "breach" and isinstance(observed.about, Principle):
            yield observed.about, observed


def _plan(constitution: Constitution, registry: CriticRegistry) -> Plan:
    return make_plan(constitution, registry=registry, settings=Settings(), offline=True)


async def _observe(
    plan: Plan, text: str, *, stage: Stage, prompt: str | None = None
) -> tuple[Observation, ...]:
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
    )
    return judgement.observations


async def _examples(
    entry: Entry, subject: Subject, registry: CriticRegistry
) -> AsyncIterator[ExampleTrial]:
    """The examples of an entry at every stage of its principle. A pair of prompt and reply is
    nothing that could stand at the input."""
    principle = entry.principle
    if all(use.tier != "deterministic" for use in principle.critics):
        return
    plan = _plan(replace(subject.constitution, principles=(principle,)), registry)
    for side in SIDES:
        for example in entry.examples(side):
            for stage in principle.stages:
                if stage is Stage.INPUT and example.prompt is not None:
                    continue
                yield ExampleTrial(
                    entry=entry,
                    side=side,
                    example=example,
                    stage=stage,
                    observations=await _observe(
                        plan, example.reply, stage=stage, prompt=example.prompt
                    ),
                )


def _delivered(subject: Subject) -> Iterator[Delivered]:
    """Replies as they stand at the output, remedies at the stages that are revised."""
    constitution = subject.constitution
    replies = {"blocked": constitution.reply_blocked, "unavailable": constitution.reply_unavailable}
    for key, said in replies.items():
        for language, text in said.items():
            yield _reply(("replies", key, language), f"the reply {key!r}", text, language)
    places = {entry.principle.id: entry.loc for entry in subject.entries}
    for principle in constitution.principles:
        loc = places.get(principle.id, ())
        for language, text in (principle.reply or {}).items():
            what = f"the reply of {principle.id!r}"
            yield _reply((*loc, "reply", language), what, text, language)
        yield from _remedies(principle, loc)


def _reply(loc: Loc, what: str, text: str, language: str) -> Delivered:
    return Delivered(
        loc=loc, what=f"{what} ({language})", text=text, stage=Stage.OUTPUT, remedy=False
    )


def _remedies(principle: Principle, loc: Loc) -> Iterator[Delivered]:
    remedy = principle.remedy or Remedy()
    stages = [stage for stage in principle.stages if principle.actions[stage] == "revise"]
    for key, text in {"replace_sentence": remedy.replace_sentence, "append": remedy.append}.items():
        if text:
            for stage in stages:
                yield Delivered(
                    loc=(*loc, "remedy", key),
                    what=f"the remedy of {principle.id!r}",
                    text=text,
                    stage=stage,
                    remedy=True,
                )
