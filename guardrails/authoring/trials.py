"""What a constitution's deterministic critics make of its own texts: examples, replies, remedies.

The engine's own first tier looks, so that what lint says is what a guarded call would see.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace

from guardrails.authoring.subject import SIDES, Entry, Subject
from guardrails.constitution.model import Constitution, Example, Principle
from guardrails.constitution.source import Loc
from guardrails.critic.registry import CriticRegistry
from guardrails.pipeline.decide import Observation
from guardrails.pipeline.own_texts import OwnText, broken_by, look_alone, own_texts
from guardrails.pipeline.plan import Plan, make_plan
from guardrails.settings import Settings
from guardrails.verdict import Stage

__all__ = ["Delivered", "ExampleTrial", "Trials", "breaches", "make_trials"]


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
    """A text that may reach a person in place of a reply, and the principles that it breaks."""

    loc: Loc
    text: OwnText
    broken: tuple[str, ...] = ()


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
                Delivered(loc=_loc(subject, text), text=text, broken=await broken_by(whole, text))
                for text in own_texts(subject.constitution)
            ]
        ),
    )


def _loc(subject: Subject, text: OwnText) -> Loc:
    """Where the file says it, or the deepest place above that the file has."""
    if text.principle is None:
        return text.key
    places = {entry.principle.id: entry.loc for entry in subject.entries}
    return (*places.get(text.principle.id, ()), *text.key)


def breaches(observations: tuple[Observation, ...]) -> Iterator[tuple[Principle, Observation]]:
    """The breaches among what was observed, with the principles that they are of."""
    for observed in observations:
        if observed.value == "breach" and isinstance(observed.about, Principle):
            yield observed.about, observed


def _plan(constitution: Constitution, registry: CriticRegistry) -> Plan:
    return make_plan(constitution, registry=registry, settings=Settings(), offline=True)


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
                    observations=await look_alone(
                        plan, example.reply, stage=stage, prompt=example.prompt
                    ),
                )
