"""Asking the models that play the roles of a cascade; every failure is a value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

__all__ = ["Failure", "Said", "answer_tokens", "ask"]

Failure = Literal["outage", "refused", "malformed", "timeout"]

TOKENS_PER_RULING = 160
TOKENS_BESIDES = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came of one question. `rulings` may lack some that were asked."""

    rulings: Mapping[str, Ruling] = field(default_factory=dict)
    failure: Failure | None = None
    used: tuple[tuple[str, Tokens], ...] = ()
    """The model of each call that was answered, with what it used."""


def answer_tokens(ids: Sequence[str]) -> int:
    """Room for an answer about these ids."""
    return TOKENS_BESIDES + TOKENS_PER_RULING * len(ids)


async def ask(
    model: ModelClient,
    prefix: str,
    text: str,
    ids: Sequence[str],
    *,
    timeout_s: float,
    cache_prefix: bool = False,
) -> Said:
    """Ask whoever plays a role about these ids."""
    question = Question(
        prefix=prefix,
        text=text,
        schema=answer_schema(ids),
        max_tokens=answer_tokens(ids),
        cache_prefix=cache_prefix,
    )
    try:
        answer = await model.ask(question, timeout_s=timeout_s)
    except ModelOutageError as error:
        log.warning("a model is away", model=model.name, status=error.status)
        return Said(failure="outage")
    except ModelRejectionError as error:
        log.info("a model did not take the question", model=model.name, status=error.status)
        return Said(failure="refused")
    except TimeoutError:
        return Said(failure="timeout")
    used = ((answer.client, answer.tokens),)
    if answer.stop == "refused":
        return Said(failure="refused", used=used)
    try:
        return Said(rulings=read_rulings(_value(answer), ids), used=used)
    except ValueError:
        return Said(failure="malformed", used=used)


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
