"""Lint: what is weak or wrong in a constitution file that loads.

Findings come in the file's order. `codes` has the table of all codes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter

from guardrails.authoring import (
    coverage,
    delivered,
    examples,
    patterns,
    routing,
    stages,
    tools,
    wording,
)
from guardrails.authoring.cases import CaseResult, run_cases
from guardrails.authoring.codes import LintFinding
from guardrails.authoring.ignores import unsilenced
from guardrails.authoring.subject import Subject
from guardrails.authoring.trials import Trials, make_trials
from guardrails.constitution.model import Constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.errors import ConstitutionError

__all__ = ["LintFinding", "lint"]

_READING = (
    wording.hedges,
    wording.two_ideas,
    wording.unjudged,
    wording.twins,
    wording.missing_sources,
    wording.hollow_reasons,
    wording.unread_attachments,
    examples.missing,
    examples.borrowed,
    patterns.too_wide,
    patterns.redundant,
    stages.too_many,
    stages.too_long,
    routing.unmet,
    delivered.missing_languages,
    tools.contradicting,
    tools.unreachable,
    tools.unknown_sources,
    tools.misspelt_tests,
    tools.unknown_patterns,
    tools.covered_entries,
    tools.impossible,
    tools.quarrelling,
)
"""Rules that only read the file."""

_TRYING = (examples.breached, examples.uncaught, patterns.hits_fine, delivered.self_breaking)
"""Rules that need to know what the critics make of the file's own texts."""

_TESTED = (coverage.unreached, coverage.not_judged, tools.untested)
"""Rules that need to know what came of the file's tests."""


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
    results = await _results(constitution)
    findings = list(_findings(subject, trials, results))
    return sorted(
        dict.fromkeys(unsilenced(subject, text, findings)),
        key=attrgetter("line", "column", "code", "message"),
    )


async def _results(constitution: Constitution) -> list[CaseResult] | None:
    """What came of the tests; None where a text of its own keeps it from being enforced at all,
    which L501 and L502 tell."""
    try:
        return await run_cases(constitution)
    except ConstitutionError:
        return None


def _findings(
    subject: Subject, trials: Trials, results: Sequence[CaseResult] | None
) -> Iterator[LintFinding]:
    for read in _READING:
        yield from read(subject)
    for tell in _TRYING:
        yield from tell(subject, trials)
    if results is not None:
        for tell_of in _TESTED:
            yield from tell_of(subject, results)
