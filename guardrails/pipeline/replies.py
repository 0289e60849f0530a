"""Which of the constitution's replies a person sees, and in which language. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from guardrails.constitution.model import Constitution, Replies
from guardrails.verdict import Cause, Finding, Verdict, cause_of

__all__ = ["Reply", "in_language", "reply_to"]


@dataclass(frozen=True, slots=True)
class Reply:
    """`key` is `blocked`, `unavailable` or the id of the principle whose own reply it is."""

    key: str
    text: str = field(repr=False)


def reply_to(
    constitution: Constitution,
    findings: Iterable[Finding],
    cause: Cause | None,
    language: str | None,
) -> Reply:
    """An outage or a limit is told as what it is, never as a breach. Else the gravest principle
    that is breached is heard if it has a reply of its own, and of equally grave ones the first that
    has. A doubt accuses nobody, so it has the constitution's own reply."""
    if cause in ("outage", "limit"):
        return Reply("unavailable", in_language(constitution.reply_unavailable, language))
    grave = {
        finding.principle: Verdict.of(finding.action)
        for finding in sorted(findings, key=lambda finding: Verdict.of(finding.action))
        if finding.value == "breach" and cause_of(finding.cause) == cause
    }
    top = max(grave.values(), default=Verdict.BLOCK)
    for principle in constitution.principles:
        if principle.reply is not None and grave.get(principle.id) == top:
            return Reply(principle.id, in_language(principle.reply, language))
    return Reply("blocked", in_language(constitution.reply_blocked, language))


def in_language(replies: Replies, language: str | None) -> str:
    """The text in a language (BCP 47), in a wider form of it (`zh-hant` for `zh-Hant-TW`; RFC
    4647, lookup), or in the first there is."""
    tag = (language or "").lower().replace("_", "-")
    while tag:
        if tag in replies:
            return replies[tag]
        tag = tag.rpartition("-")[0]
    return next(iter(replies.values()))
