"""Rules about what a person sees instead of a reply: replies and remedies."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.authoring.codes import LintFinding
from guardrails.authoring.subject import Subject
from guardrails.authoring.trials import Trials
from guardrails.constitution.model import Replies
from guardrails.constitution.source import Loc

__all__ = ["missing_languages", "self_breaking"]


def self_breaking(subject: Subject, trials: Trials) -> Iterator[LintFinding]:
    """L501, L502"""
    for delivered in trials.delivered:
        if delivered.broken:
            text = delivered.text
            code = "L502" if text.remedy else "L501"
            message = f"{text.what} breaks {', '.join(map(repr, delivered.broken))} at {text.stage}"
            yield subject.finding(code, delivered.loc, message)


def missing_languages(subject: Subject) -> Iterator[LintFinding]:
    """L503"""
    constitution = subject.constitution
    yield from _missing(subject, ("replies", "blocked"), "blocked", constitution.reply_blocked)
    yield from _missing(
        subject, ("replies", "unavailable"), "unavailable", constitution.reply_unavailable
    )
    for entry in subject.entries:
        if entry.principle.reply is not None:
            yield from _missing(
                subject, (*entry.loc, "reply"), entry.principle.id, entry.principle.reply
            )


def _missing(subject: Subject, loc: Loc, name: str, said: Replies) -> Iterator[LintFinding]:
    there = {tag for language in said for tag in (language, language.partition("-")[0])}
    for language in subject.constitution.languages:
        if language not in said and language.partition("-")[0] not in there:
            message = f"no text in {language!r} for the reply {name!r}"
            each = ", ".join(f"{tag}: …" for tag in (*said, language))
            hint = f"add one for that language, as {{{each}}}"
            yield subject.finding("L503", loc, message, hint)
