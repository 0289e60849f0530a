"""Rules about examples: both sides there, and none that its own principle contradicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from guardrails.authoring.codes import LintFinding
from guardrails.authoring.subject import SIDES, Entry, Subject
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
    """L202, but for hits of the file's own patterns, which L301 tells."""
    for entry in subject.entries:
        bad = set(map(_folded, entry.examples("breach")))
        for example in entry.examples("fine"):
            critics = _accusers(trials, entry, example)
            if _folded(example) in bad:
                message = "the fine example is a breach example of the same principle, too"
            elif critics:
                message = f"the fine example is a breach for {', '.join(critics)}"
            else:
                continue
            yield subject.finding("L202", entry.place("fine", example), message)


def _accusers(trials: Trials, entry: Entry, example: Example) -> list[str]:
    """The critics that call the example a breach, without a pattern that the file itself writes."""
    found = (
        observed.critic
        for trial in trials.examples
        if trial.entry is entry and trial.example is example and trial.side == "fine"
        for _, observed in breaches(trial.observations)
    )
    written = any(entry.mentions("pattern"))
    return [c for c in dict.fromkeys(found) if not (c == "pattern" and written)]


def uncaught(subject: Subject, trials: Trials) -> Iterator[LintFinding]:
    """L203"""
    for entry, example, tried in _breach_trials(trials):
        if _asks_somebody(entry.principle):
            continue
        if not any(any(breaches(trial.observations)) for trial in tried):
            message = "no critic of the principle finds this breach example"
            yield subject.finding("L203", entry.place("breach", example), message)


def _breach_trials(trials: Trials) -> Iterator[tuple[Entry, Example, list[ExampleTrial]]]:
    """The breach examples, each with its trials at all stages."""
    grouped: dict[tuple[int, int], list[ExampleTrial]] = defaultdict(list)
    for trial in trials.examples:
        if trial.side == "breach":
            grouped[id(trial.entry), id(trial.example)].append(trial)
    for tried in grouped.values():
        yield tried[0].entry, tried[0].example, tried


def _asks_somebody(principle: Principle) -> bool:
    return any(use.tier != "deterministic" for use in principle.critics)


def borrowed(subject: Subject) -> Iterator[LintFinding]:
    """L204"""
    bad: dict[tuple[str, str], list[Principle]] = defaultdict(list)
    for principle in subject.constitution.principles:
        for example in principle.breach_examples:
            bad[_folded(example)].append(principle)
    for entry in subject.entries:
        for example in entry.examples("fine"):
            for other in bad[_folded(example)]:
                if other is not entry.principle and set(other.stages) & set(entry.principle.stages):
                    message = f"this fine example is a breach example of {other.id!r}"
                    yield subject.finding("L204", entry.place("fine", example), message)


def _folded(example: Example) -> tuple[str, str]:
    """An example by its letters and digits alone, without case; its prompt is part of it."""
    return _letters(example.prompt or ""), _letters(example.reply)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, normalise(text).text.casefold()))
