"""Which of the constitution's replies a person sees, and in which language. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from guardrails.constitution.model import Constitution, Replies
from guardrails.verdict import Cause, Finding, Verdict

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
    that has a reply of its own is heard, and of equally grave ones the one that comes first."""
    if cause in ("outage", "limit"):
        return Reply("unavailable", in_language(constitution.reply_unavailable, language))
    grave = {
        finding.principle: Verdict.of(finding.action)
        for finding in sorted(findings, key=lambda finding: Verdict.of(finding.action))
    }
    top = max(grave.values(), default=Verdict.BLOCK)
    for principle in constitution.principles:
        if principle.reply is not None and grave.get(principle.id) == top:
            return Reply(principle.id, in_language(principle.reply, language))
    return Reply("blocked", in_language(constitution.reply_blocked, language))


def in_language(replies: Replies, language: str | None) -> str:
    """The text in a language (BCP 47), in its main language without the region, or in the first
    there is."""
    wanted = (language or "").lower().replace("_", "-")
    for tag in (wanted, wanted.partition("-")[0]):
        if tag in replies:
            return replies[tag]
    return next(iter(replies.values()))
