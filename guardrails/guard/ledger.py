"""From decisions to records: what of a decision is kept, and what was delivered of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from guardrails.audit.record import Begun, Closed, ConstitutionRecord, How, Opened
from guardrails.audit.trail import Trail
from guardrails.constitution.model import Constitution
from guardrails.exchange import Context, Part
from guardrails.settings import Settings
from guardrails.text.normalise import View
from guardrails.verdict import ConstitutionPin, Decision, Finding, Span, Stage, Verdict

__all__ = ["begun", "closed", "opened", "redacted"]

HIDING_CRITICS = frozenset({"pii", "secrets"})
"""What these find is never kept in clear, whatever the constitution does about it."""

HIDING_ACTIONS = frozenset({"mask", "pseudonymise", "redact"})


def begun(
    record_id: str, pin: ConstitutionPin, *, stage: Stage, context: Context, trail: Trail
) -> Begun:
    """The begin of a stream, of which nothing is known but under which rules it is judged."""
    return Begun(
        record_id=record_id,
        at=datetime.now(UTC),
        stage=stage,
        constitution=ConstitutionRecord.of(pin),
        tenant=context.tenant,
        session=_pseudonym(trail, context.session, "session"),
        subject=_pseudonym(trail, context.subject, "subject"),
    )


def opened(
    decision: Decision,
    *,
    judged: Sequence[str],
    parts: Sequence[Part],
    context: Context,
    constitution: Constitution,
    trail: Trail,
    settings: Settings,
    left: Sequence[str] | None = None,
) -> Opened:
    """The record of a decision. `judged` are the texts that were judged last, `parts` those that
    came and that findings point into. `left` are the sums of what a stream has let go already."""
    reply = None
    if not decision.delivers:
        reply = trail.digest([*(left or ()), decision.text])
    kept = _keeps_text(decision, settings)
    return Opened.of(
        decision,
        at=datetime.now(UTC),
        tenant=context.tenant,
        session=_pseudonym(trail, context.session, "session"),
        subject=_pseudonym(trail, context.subject, "subject"),
        judged_digest=trail.digest(judged),
        reply_digest=reply,
        redacted_text=redacted(parts, decision.findings, constitution) if kept else None,
        streamed=left is not None,
    )


def closed(
    decision: Decision, how: How, trail: Trail, *, texts: Sequence[str] | None = None
) -> Closed:
    """What was delivered: `texts`, or nothing."""
    return Closed(
        record_id=decision.record_id,
        at=datetime.now(UTC),
        how=how,
        delivered_digest=None if texts is None else trail.digest(texts),
        reply_key=decision.reply_key if how == "reply" else None,
    )


def redacted(parts: Sequence[Part], findings: Sequence[Finding], constitution: Constitution) -> str:
    """The judged texts without the personal data and secrets that were found in them. Only what the
    constitution looks for is found."""
    names = {principle.id: principle.entity for principle in constitution.principles}
    hidden: dict[int, list[tuple[Span, str]]] = {}
    for finding in findings:
        hides = finding.critic in HIDING_CRITICS or finding.action in HIDING_ACTIONS
        if hides and finding.part is not None and finding.span is not None:
            mark = f"[{names.get(finding.principle) or finding.principle}]"
            hidden.setdefault(finding.part, []).append((finding.span, mark))
    return "\n\n".join(
        _hidden(part.text, hidden.get(index, [])) for index, part in enumerate(parts) if part.target
    )


def _hidden(text: str, marks: Sequence[tuple[Span, str]]) -> str:
    joined: list[tuple[Span, str]] = []
    for span, mark in sorted(marks):
        if joined and span[0] < joined[-1][0][1]:
            (start, end), first = joined[-1]
            joined[-1] = ((start, max(end, span[1])), first)
        else:
            joined.append((span, mark))
    return View(text, text).replace(joined).text


def _keeps_text(decision: Decision, settings: Settings) -> bool:
    if decision.verdict is Verdict.ESCALATE:
        return settings.audit_escalated == "redacted"
    return settings.audit_keeps == "redacted"


def _pseudonym(trail: Trail, name: str | None, kind: str) -> str | None:
    return None if name is None else trail.digest([name], of=kind)
