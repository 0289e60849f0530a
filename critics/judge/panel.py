"""Asking the models that play the roles of a cascade; every failure is a value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from guardrails.llm.protocol import (
    Answer,
    ModelClient,
    ModelOutageError,
    ModelRejectionError,
    Question,
    Tokens,
)
from guardrails.prompts.judging import Ruling, answer_schema, read_rulings
from guardrails.telemetry import log

__all__ = ["ROOM_TO_THINK", "Failure", "Said", "answer_tokens", "ask", "tokens_in", "unpaid"]

Failure = Literal["outage", "refused", "malformed", "timeout"]

BYTES_PER_TOKEN = 4
TOKENS_PER_RULING = 160
TOKENS_BESIDES = 120
ROOM_TO_THINK = 2_000
"""Models that think before they answer count it towards `max_tokens` (Anthropic, Messages API)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came of one question. `rulings` may lack some that were asked."""

    rulings: Mapping[str, Ruling] = field(default_factory=dict)
    failure: Failure | None = None
    model: str | None = None
    """Who answered; None if nobody did."""
    used: Tokens = field(default_factory=Tokens)
    """What it used; where nobody said, as much as may be charged nevertheless."""
    asked: bool = True
    """False where nobody was asked after all."""


async def unpaid() -> Said:
    """Nobody is asked, for nobody knows whether that may be paid: told as the outage that it is, of
    this question alone. What others said, or was kept, stands."""
    return Said(failure="outage", asked=False)


def answer_tokens(ids: Sequence[str]) -> int:
    """Room for an answer about these ids."""
    return TOKENS_BESIDES + TOKENS_PER_RULING * len(ids)


def tokens_in(prefix: str, text: str) -> int:
    """What a question takes, on the high side for what is not English."""
    return (len(prefix.encode()) + len(text.encode("utf-8", "replace"))) // BYTES_PER_TOKEN + 1


async def ask(
    model: ModelClient,
    prefix: str,
    text: str,
    ids: Sequence[str],
    *,
    timeout_s: float,
) -> Said:
    """Ask whoever plays a role about these ids."""
    question = Question(
        prefix=prefix,
        text=text,
        schema=answer_schema(ids),
        max_tokens=answer_tokens(ids) + ROOM_TO_THINK,
        cache_prefix=None,
        effort="low",
    )
    guessed = Tokens(input=tokens_in(prefix, text), estimated=True)
    try:
        answer = await model.ask(question, timeout_s=timeout_s)
    except ModelOutageError as error:
        log.warning("judge_away", model=model.name, status=error.status)
        return Said(failure="outage", used=guessed if error.unanswered else Tokens())
    except ModelRejectionError as error:
        log.info("judge_did_not_take_it", model=model.name, status=error.status)
        return Said(failure="refused")
    except TimeoutError:
        log.info("judge_too_slow", model=model.name)
        return Said(failure="timeout", used=guessed)
    said = Said(model=answer.client, used=answer.tokens)
    if answer.stop == "refused":
        return replace(said, failure="refused")
    try:
        return replace(said, rulings=read_rulings(_value(answer), ids))
    except ValueError:
        return replace(said, failure="malformed")


def _value(answer: Answer) -> object:
    """The JSON of an answer, strictly. Raises ValueError."""
    if answer.stop != "finished":
        raise ValueError("cut off")
    try:
        return json.loads(answer.text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found
