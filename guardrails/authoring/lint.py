"""Lint: what is weak or wrong in a constitution file that loads.

Findings come in the file's order. `codes` has the table of all codes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter

from guardrails.authoring import delivered, examples, patterns, stages, wording
from guardrails.authoring.codes import LintFinding
from guardrails.authoring.ignores import unsilenced
from guardrails.authoring.subject import Subject
from guardrails.authoring.trials import Trials, make_trials
from guardrails.constitution.model import Constitution
from guardrails.critic.registry import CriticRegistry

__all__ = ["LintFinding", "lint"]

_READING = (
    wording.hedges,
    wording.two_ideas,
    wording.unjudged,
    wording.twins,
    wording.missing_sources,
    wording.hollow_reasons,
    examples.missing,
    examples.borrowed,
    patterns.too_wide,
    patterns.redundant,
    stages.too_many,
    stages.too_long,
    delivered.missing_languages,
)
"""Rules that only read the file."""

_TRYING = (examples.breached, examples.uncaught, patterns.hits_fine, delivered.self_breaking)
"""Rules that need to know what the critics make of the file's own texts."""


def lint(constitution: Constitution, text: str, catalogue: CriticRegistry) -> list[LintFinding]:
    """Find what is weak or wrong in the file; `text` is what `constitution` was loaded from.

    Comments `# lint: ignore CODE reason` have had their effect. May be called with a loop running.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:  # a loop of its own, whoever calls
        return thread.submit(asyncio.run, _lint(constitution, text, catalogue)).result()


async def _lint(
    constitution: Constitution, text: str, registry: CriticRegistry
) -> list[LintFinding]:
    subject = Subject(constitution, text)
    trials = await make_trials(subject, registry)
    findings = list(_findings(subject, trials))
    return sorted(
        dict.fromkeys(unsilenced(subject, text, findings)),
        key=attrgetter("line", "column", "code", "message"),
    )


def _findings(subject: Subject, trials: Trials) -> Iterator[LintFinding]:
    for read in _READING:
        yield from read(subject)
    for tell in _TRYING:
        yield from tell(subject, trials)
