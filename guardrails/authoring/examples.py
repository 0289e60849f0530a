"""Rules about examples: both sides there, and none that its own principle contradicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from guardrails.authoring.codes import LintFinding
from guardrails.authoring.patterns import accusing
from guardrails.authoring.subject import SIDES, Subject
from guardrails.authoring.trials import ExampleTrial, Trials, breaches
from guardrails.constitution.model import Example, Principle
from guardrails.text.normalise import normalise

__all__ = ["borrowed", "breached", "missing", "uncaught"]


def missing(subject: Subject) -> Iterator[LintFinding]:
    """L201"""
    for entry in subject.own:
        lacking = [side for side in SIDES if not entry.examples(side)]
        if lacking:
            message = f"the principle has no {' and no '.join(lacking)} example"
            yield subject.finding("L201", (*entry.loc, "examples"), message)


def breached(subject: Subject, trials: Trials) -> Iterator[LintFinding]:
    """L202, but for hits of patterns in the same entry, which L301 tells."""
    for entry in subject.entries:
        bad = set(map(_folded, entry.examples("breach")))
        for loc, example in entry.written_examples("fine"):
            critics = sorted(_accusers(trials.of(entry, "fine", example)))
            if _folded(example) in bad:
                message = "the fine example is a breach example of the same principle, too"
            elif critics:
                message = f"the fine example is a breach for {', '.join(critics)}"
            else:
                continue
            yield subject.finding("L202", loc, message)


def _accusers(tried: Iterable[ExampleTrial]) -> set[str]:
    return {
        observed.critic
        for trial in tried
        for _, observed in breaches(trial.observations)
        if observed.critic != "pattern" or not any(accusing(trial))
    }


def uncaught(subject: Subject, trials: Trials) -> Iterator[LintFinding]:
    """L203"""
    for entry in subject.entries:
        if any(use.tier != "deterministic" for use in entry.principle.critics):
            continue
        for loc, example in entry.written_examples("breach"):
            tried = trials.of(entry, "breach", example)
            if not any(any(breaches(trial.observations)) for trial in tried):
                message = "no critic of the principle finds this breach example"
                yield subject.finding("L203", loc, message)


def borrowed(subject: Subject) -> Iterator[LintFinding]:
    """L204"""
    bad: dict[tuple[str, str], list[Principle]] = defaultdict(list)
    for principle in subject.constitution.principles:
        for example in principle.breach_examples:
            bad[_folded(example)].append(principle)
    for entry in subject.entries:
        for loc, example in entry.written_examples("fine"):
            for other in bad[_folded(example)]:
                if other is not entry.principle and set(other.stages) & set(entry.principle.stages):
                    message = f"this fine example is a breach example of {other.id!r}"
                    yield subject.finding("L204", loc, message)


def _folded(example: Example) -> tuple[str, str]:
    """An example by its letters and digits alone, without case; its prompt is part of it."""
    return _letters(example.prompt or ""), _letters(example.reply)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, normalise(text).text.casefold()))
