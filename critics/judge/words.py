"""What is known about a principle: a word from an answer about one window, and one word from those
about several. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from critics.judge.panel import Said
from critics.judge.remembered import Reply, finding_of, kept_of
from critics.judge.windows import Window
from guardrails.cache.value import Kept
from guardrails.constitution.model import Principle
from guardrails.critic.protocol import CriticFinding
from guardrails.prompts.judging import Ruling
from guardrails.prompts.quotes import find_quote
from guardrails.verdict import FindingCause

__all__ = ["Word", "replied", "settled", "together"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What is known about one principle: settled by `pass` or `breach`, else in doubt."""

    value: Literal["pass", "breach", "undecided"]
    cause: FindingCause = "policy"
    finding: CriticFinding | None = None
    reason: str = field(default="", repr=False)

    @property
    def is_deferred(self) -> bool:
        """A doubt goes on to the next role; an outage does not, for it says nothing of the text."""
        return self.value == "undecided" and self.cause != "outage"

    def told_of(self, id: str) -> CriticFinding | None:
        """What a critique tells of it."""
        if self.value == "undecided":
            cause: FindingCause = "unsure" if self.cause == "policy" else self.cause
            return CriticFinding(principle=id, value="undecided", cause=cause, reason=self.reason)
        return self.finding


def replied(principle: Principle, reply: Reply, window: Window) -> Word:
    kept = reply.kept.get(principle.id)
    if kept is not None:
        return Word(value=kept.value, finding=finding_of(principle.id, kept, window))
    return _word(principle, reply.said or Said(), window)


def settled(principle: Principle, said: Said, window: Window) -> Kept | None:
    """What an answer settles for good; None where it leaves a doubt."""
    word = _word(principle, said, window)
    return None if word.value == "undecided" else kept_of(word.finding, window)


def _word(principle: Principle, answer: Said, window: Window) -> Word:
    """What an answer says of a principle, once its quote is found."""
    if answer.failure is not None:
        return Word(value="undecided", cause=answer.failure)
    ruling = answer.rulings.get(principle.id)
    if ruling is None:
        return Word(value="undecided", cause="malformed", reason="it was not answered")
    if ruling.value != "breach":
        return Word(value=ruling.value, reason=ruling.reason)
    if principle.requires and not ruling.quote.strip():
        finding = CriticFinding(principle=principle.id, value="breach", reason=ruling.reason)
        return Word(value="breach", finding=finding)
    return _quoted(principle, ruling, window)


def _quoted(principle: Principle, ruling: Ruling, window: Window) -> Word:
    for piece in window:
        span = find_quote(piece.text, ruling.quote)
        if span is not None:
            finding = CriticFinding(
                principle=principle.id,
                value="breach",
                part=piece.part,
                span=(piece.start + span[0], piece.start + span[1]),
                reason=ruling.reason,
            )
            return Word(value="breach", finding=finding)
    return Word(value="undecided", cause="malformed", reason="its quote is not in the text")


def together(principle: Principle, words: Sequence[Word]) -> Word:
    """One word from those about each window. A breach anywhere is one; but what must be there may
    be anywhere, so it is missing only if it is missing in each."""
    order: Mapping[str, int] = {"breach": 0, "undecided": 1, "pass": 2}
    gravest = min(words, key=lambda word: (order[word.value], word.cause != "outage"))
    if principle.requires and len(words) > 1:
        if any(word.value == "pass" for word in words):
            return Word(value="pass")
        doubts = [word for word in words if word.value == "undecided"]
        return doubts[0] if doubts else gravest
    return gravest
