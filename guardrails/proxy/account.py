"""What was decided of one request, for its line in the log: verdicts and ids, never a text.

The record is written in the request's own task or in one that it started, so it is found there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from guardrails.audit.record import Opened
from guardrails.llm.prices import DATED, listed
from guardrails.proxy.passage import Passage
from guardrails.settings import Settings
from guardrails.verdict import Verdict

__all__ = [
    "MOST_PRINCIPLES",
    "Account",
    "account_of_request",
    "accounting",
    "in_ms",
    "known_models",
    "model_told",
]

OTHER = "other"
"""A model that is none of those."""
MOST_PRINCIPLES = 20
"""Ids that are told of one request; the record has all."""

_current: ContextVar[Account | None] = ContextVar("guardrails.proxy.account", default=None)


@dataclass(slots=True)
class Account:
    """`verdict` is the gravest of the request's decisions, `cause` that one's, unless it is
    policy's. `is_unrecorded`: something of it could not be recorded, and was not delivered."""

    verdict: Verdict | None = None
    cause: str | None = None
    principles: dict[str, None] = field(default_factory=dict)
    is_unrecorded: bool = False

    def decided(self, record: Opened) -> None:
        if self.verdict is None or record.verdict > self.verdict:
            self.verdict = record.verdict
            self.cause = None if record.cause == "policy" else record.cause
        for finding in record.findings:
            if len(self.principles) >= MOST_PRINCIPLES:
                return
            self.principles[finding.principle] = None

    def told(
        self,
        status: int,
        passage: Passage | None,
        *,
        models: AbstractSet[str],
        verdict: tuple[str, str, str] | None,
        reason: str | None,
    ) -> Mapping[str, Any]:
        """As fields. `models` are the names that may be told. `verdict` is what the client was
        told, with record and constitution: of a stream before there was one. `reason` is why the
        gate itself answered."""
        said, record, constitution = verdict or (None, None, None)
        return {
            **({} if passage is None else _of_provider(passage, models)),
            "verdict": said if self.verdict is None else str(self.verdict),
            "cause": self.cause,
            "principles": [*self.principles] or None,
            "record": record,
            "constitution": constitution,
            "reason": reason or self._reason(status, passage),
        }

    def _reason(self, status: int, passage: Passage | None) -> str | None:
        """Why a request did not get what it asked for, of a closed list."""
        if self.is_unrecorded:
            return "record"
        if status < 400:
            return None
        if self.cause is not None:
            return self.cause
        if passage is None:
            return None
        if passage.error is not None:
            return {400: "unreadable", 413: "too_long"}.get(passage.error)
        return "upstream_status" if passage.upstream_status == status else None


def in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)


def known_models(settings: Settings, more: AbstractSet[str]) -> frozenset[str]:
    """Those that have a price, by the list that ships or by settings, or play a role, and `more`:
    what else stands for a model may be any text of a client's."""
    named = (*listed(), *settings.prices, *settings.models.values(), *settings.fallbacks.values())
    return frozenset({*more, *(name.partition("/")[2] for name in named)})


def model_told(asked: str, models: AbstractSet[str]) -> str | None:
    """A model's name in logs and traces: one of these, also with a date behind it."""
    if not asked:
        return None
    return asked if asked in models or DATED.sub("", asked) in models else OTHER


def _of_provider(passage: Passage, models: AbstractSet[str]) -> Mapping[str, Any]:
    """Tokens are as the provider counts them."""
    usage = passage.usage
    return {
        "model": model_told(passage.asked.model, models),
        "stream": passage.asked.stream or None,
        "upstream": passage.upstream_status,
        "upstream_ms": in_ms(passage.first_byte_s),
        "tokens_in": None if usage is None else usage.input_tokens,
        "tokens_out": None if usage is None else usage.output_tokens,
    }


@contextmanager
def accounting(account: Account) -> Iterator[None]:
    token = _current.set(account)
    try:
        yield
    finally:
        _current.reset(token)


def account_of_request() -> Account | None:
    return _current.get()
