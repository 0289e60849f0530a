"""Rules about the patterns that a file writes under the critic `pattern`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from guardrails.authoring.codes import LintFinding
from guardrails.authoring.subject import Entry, Subject
from guardrails.authoring.trials import ExampleTrial, Trials, breaches
from guardrails.constitution.model import Example
from guardrails.constitution.source import Loc
from guardrails.text.normalise import normalise
from guardrails.text.patterns import Pattern, compile_pattern

__all__ = ["Written", "accusing", "hits_fine", "redundant", "too_wide"]

MAX_WIDTH = 2_000
"""From the format: a wider pattern holds the whole reply."""

_LISTS = ("breach", "unless", "look", "require")
_WORDS = re.compile(r"(?P<start>\\b)?(?P<words>[\w ,'’-]+)(?P<end>\\b)?")
"""A pattern without any operator: it hits exactly these words."""


@dataclass(frozen=True, slots=True)
class Written:
    """A pattern that stands in the file, in one of the four lists."""

    loc: Loc
    list: str
    pattern: Pattern


def _written(entry: Entry) -> Iterator[Written]:
    use = entry.principle.critic("pattern")
    case = bool(use and getattr(use.config, "case", False))
    for loc, said in entry.mentions("pattern"):
        for name in _LISTS:
            for index, source in enumerate(said.get(name, [])):
                yield Written((*loc, name, index), name, compile_pattern(source, case=case))


def too_wide(subject: Subject) -> Iterator[LintFinding]:
    """L302"""
    for entry in subject.entries:
        for written in _written(entry):
            if written.pattern.width > MAX_WIDTH:
                message = f"the pattern is {written.pattern.width:,} characters wide"
                yield subject.finding("L302", written.loc, message)


def hits_fine(subject: Subject, trials: Trials) -> Iterator[LintFinding]:
    """L301: once for each pattern, with the first example that it hits."""
    for entry in subject.entries:
        first: dict[Loc, Example] = {}
        for example in entry.examples("fine"):
            for trial in trials.of(entry, "fine", example):
                for written in accusing(trial):
                    first.setdefault(written.loc, example)
        for loc, example in first.items():
            number = entry.examples("fine").index(example) + 1
            message = f"the pattern hits the principle's fine example {number}"
            yield subject.finding("L301", loc, message)


def accusing(trial: ExampleTrial) -> Iterator[Written]:
    """The patterns of the example's entry that brought about a breach in the trial."""
    spans = {o.span for _, o in breaches(trial.observations) if o.critic == "pattern"}
    view = normalise(trial.example.reply)
    for written in _written(trial.entry) if spans else ():
        hits = written.pattern.findall(view.text) if written.list == "breach" else ()
        if any(view.to_original(span) in spans for span in hits):
            yield written


def redundant(subject: Subject) -> Iterator[LintFinding]:
    """L303"""
    for entry in subject.entries:
        lists: dict[str, list[Written]] = {name: [] for name in _LISTS}
        for written in _written(entry):
            lists[written.list].append(written)
        for patterns in lists.values():
            for index, written in enumerate(patterns):
                others = (*patterns[:index], *patterns[index + 1 :])
                if written.pattern in [other.pattern for other in patterns[:index]]:
                    message = "the pattern stands in this list twice"
                elif cover := _cover(written, others):
                    message = f"whatever this hits, {cover.pattern.source[:60]!r} hits, too"
                else:
                    continue
                yield subject.finding("L303", written.loc, message)


def _cover(written: Written, others: tuple[Written, ...]) -> Written | None:
    """A pattern that hits wherever this one, of plain words, does."""
    plain = _WORDS.fullmatch(written.pattern.source)
    if plain is None:
        return None
    before = " " if plain["start"] else "x"
    after = " " if plain["end"] else "x"
    amid = f"{before}{plain['words']}{after}"
    inside = range(1, len(amid))
    for other in others:
        hits = other.pattern.findall(amid)
        if other.pattern != written.pattern and any(
            start in inside and end in inside for start, end in hits
        ):
            return other
    return None
