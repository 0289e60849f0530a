"""Rules about a stage as a whole: what the judge is asked and has to read at each request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails.authoring.codes import LintFinding
from guardrails.authoring.subject import Subject
from guardrails.constitution.model import Principle
from guardrails.verdict import Stage

__all__ = ["estimated_tokens", "too_long", "too_many"]

MAX_JUDGED = 10
"""More are split into groups, each a call of its own; see design, section 3."""

MAX_TOKENS = 4_000
BYTES_PER_TOKEN = 4
"""About what English costs; more bytes per character weigh as the more tokens that they are."""

EXAMPLES = 5
"""At most so many of a principle are shown to the judge."""


def too_many(subject: Subject) -> Iterator[LintFinding]:
    """L401"""
    for stage in Stage:
        judged = _judged(subject, stage)
        if len(judged) > MAX_JUDGED:
            message = f"{len(judged)} judged principles at {stage}; {MAX_JUDGED} fit one call"
            yield subject.finding("L401", ("principles",), message)


def too_long(subject: Subject) -> Iterator[LintFinding]:
    """L402"""
    for stage in Stage:
        tokens = sum(map(estimated_tokens, _judged(subject, stage)))
        if tokens > MAX_TOKENS:
            message = f"about {tokens:,} tokens of principles at {stage}, over {MAX_TOKENS:,}"
            yield subject.finding("L402", ("principles",), message)


def estimated_tokens(principle: Principle) -> int:
    """About how many tokens the judge reads for a principle: a quarter of its bytes."""
    examples = [
        f"{example.prompt or ''}{example.reply}"
        for example in (*principle.breach_examples, *principle.fine_examples)
    ]
    texts = (principle.id, principle.text, principle.breach or "", principle.not_breach or "")
    longest = sorted(map(_size, examples), reverse=True)[:EXAMPLES]
    return (sum(map(_size, texts)) + sum(longest)) // BYTES_PER_TOKEN


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _judged(subject: Subject, stage: Stage) -> Sequence[Principle]:
    return [
        principle
        for principle in subject.constitution.at(stage)
        if any(use.tier == "model" for use in principle.critics)
    ]
