"""Rules about the patterns that a file writes under the critic `pattern`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from guardrails.authoring.codes import LintFinding
from guardrails.authoring.subject import Entry, Subject
from guardrails.authoring.trials import ExampleTrial, Trials, breaches
from guardrails.constitution.source import Loc
from guardrails.text.normalise import normalise
from guardrails.text.patterns import Pattern, compile_pattern

__all__ = ["hits_fine", "redundant", "too_wide"]

MAX_WIDTH = 2_000
"""From the format: a wider pattern holds the whole reply."""

_LISTS = ("breach", "unless", "look", "require")
_WORDS = re.compile(r"(?P<start>\\b)?(?P<words>[\w ,'’-]+)(?P<end>\\b)?")
"""A pattern without any operator: it hits exactly these words."""


@dataclass(frozen=True, slots=True)
class _Written:
    loc: Loc
    list: str
    pattern: Pattern


def _written(entry: Entry) -> Iterator[_Written]:
    use = entry.principle.critic("pattern")
    case = bool(use and getattr(use.config, "case", False))
    for loc, said in entry.mentions("pattern"):
        for name in _LISTS:
            for index, source in enumerate(said.get(name, [])):
                yield _Written((*loc, name, index), name, compile_pattern(source, case=case))


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
        fine = [t for t in trials.examples if t.entry is entry and t.side == "fine"]
        for written in _written(entry) if fine else ():
            hit = next((trial for trial in fine if _hits(written, trial)), None)
            if hit is not None:
                number = entry.examples("fine").index(hit.example) + 1
                message = f"the pattern hits the principle's fine example {number}"
                yield subject.finding("L301", written.loc, message)


def _hits(written: _Written, trial: ExampleTrial) -> bool:
    """Whether a breach that was observed is this pattern's."""
    spans = {o.span for _, o in breaches(trial.observations) if o.critic == "pattern"}
    if written.list != "breach" or not spans:
        return False
    view = normalise(trial.example.reply)
    return any(view.to_original(span) in spans for span in written.pattern.findall(view.text))


def redundant(subject: Subject) -> Iterator[LintFinding]:
    """L303"""
    for entry in subject.entries:
        lists: dict[str, list[_Written]] = {name: [] for name in _LISTS}
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


def _cover(written: _Written, others: tuple[_Written, ...]) -> _Written | None:
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
