"""From what was observed to a verdict: one pure function, and the only place that rules.

Source: design, section 3: the gravest action wins; not knowing is not a pass; a limit refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from guardrails.constitution.model import Principle
from guardrails.verdict import (
    Action,
    Cause,
    Finding,
    FindingCause,
    FindingValue,
    Span,
    Stage,
    Verdict,
    cause_of,
)

__all__ = ["Limit", "Observation", "Ruling", "decide"]

Limit = Literal[
    "budget.deadline_s",
    "budget.max_chars",
    "budget.max_calls",
    "budget.max_tokens",
    "budget.max_cost_usd",
    "daily.tenant.max_calls",  # these are of settings, all the others of the constitution
    "daily.tenant.max_tokens",
    "daily.tenant.max_cost_usd",
    "daily.subject.max_calls",
    "daily.subject.max_tokens",
    "daily.subject.max_cost_usd",
    "daily.entries",
    "format.readable",  # too deep, too many values, or a value that contains itself
    "format.tool_schema",  # changed arguments that the tool's schema does not take
]

_CAUSES: tuple[Cause, ...] = ("undecided", "outage", "limit", "policy")
"""Of equally grave findings the later one here names the decision's cause: a breach is a breach
whatever else failed."""

_WITHHOLDING = frozenset({Stage.RETRIEVAL, Stage.TOOL_RESULT})
"""Stages where a redaction with nothing to point at withholds the whole part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a critic, or the engine about itself, has seen; not yet ruled upon.

    `about` is a principle, or the limit that was reached. `span` is of the original text. `instead`
    is what follows from a part that nobody can read, where the constitution says it for all.
    """

    about: Principle | Limit
    critic: str
    value: FindingValue
    cause: FindingCause
    part: int | None = None
    span: Span | None = None
    reason: str = field(default="", repr=False)
    instead: Literal["flag", "block"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """`cause` is None exactly when the verdict is allow."""

    verdict: Verdict
    cause: Cause | None
    findings: tuple[Finding, ...]


def decide(observations: Iterable[Observation], *, stage: Stage) -> Ruling:
    """Rule on what was observed at a stage. Depends on nothing else; the order does not matter
    to the verdict, and one more observation never makes it milder."""
    findings = tuple(_finding(observation, stage) for observation in observations)
    if not findings:
        return Ruling(verdict=Verdict.ALLOW, cause=None, findings=())
    verdict = max(Verdict.of(finding.action) for finding in findings)
    gravest = [cause_of(f.cause) for f in findings if Verdict.of(f.action) is verdict]
    return Ruling(
        verdict=verdict,
        cause=max(gravest, key=_CAUSES.index) if verdict is not Verdict.ALLOW else None,
        findings=findings,
    )


def _finding(observation: Observation, stage: Stage) -> Finding:
    about = observation.about
    return Finding(
        principle=about if isinstance(about, str) else about.id,
        critic=observation.critic,
        value=observation.value,
        cause=observation.cause,
        action=_action(observation, stage),
        severity="medium" if isinstance(about, str) else about.severity,
        part=observation.part,
        span=observation.span,
        reason=observation.reason,
    )


def _action(observation: Observation, stage: Stage) -> Action:
    principle = observation.about
    if isinstance(principle, str) or observation.cause == "limit":
        return "block"
    match observation.cause:
        case "policy":
            return _possible(principle.actions[stage], observation, stage)
        case "look":
            return "flag"
        case "outage":
            return principle.on_outage
        case "uncovered":
            # `accept` yields no observation at all, so what is left here refuses.
            return "escalate" if principle.uncovered == "escalate" else "block"
        case "unjudged_part" if observation.instead is not None:
            return observation.instead
        case _:
            return principle.on_undecided


def _possible(action: Action, observation: Observation, stage: Stage) -> Action:
    """A redaction needs something to point at; where it has nothing, the content cannot go on."""
    needs_span = action in ("mask", "pseudonymise", "redact")
    if needs_span and observation.span is None and stage not in _WITHHOLDING:
        return "block"
    return action
