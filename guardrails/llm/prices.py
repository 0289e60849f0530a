"""What tokens cost, from a dated list (`prices.json`) and what settings say.

A model that neither names has no known price: its cost is None, which is not nothing. A price is
of one call, since some depend on how long its prompt is: add up costs, not tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

from guardrails.llm.protocol import Tokens
from guardrails.settings import Price

__all__ = [
    "DATED",
    "Listed",
    "Rate",
    "Source",
    "cache_pays",
    "cost_usd",
    "listed",
    "rate",
    "smallest_kept",
]

MILLION = 1_000_000
USUALLY_KEPT = 1024
"""Tokens from which on most models keep a prompt's beginning."""
DATED = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2})$")
"""A snapshot of a model, `claude-haiku-4-5-20251001`, costs what the model does."""


class Rate(BaseModel):
    """US dollars per million tokens, for prompts of up to so many tokens in all, caches included
    (None: however many). `cache_write` keeps for five minutes where that makes a difference."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    up_to_prompt_tokens: int | None
    input: float
    output: float
    cache_read: float
    cache_write: float
    cache_write_hour: float


class Source(BaseModel):
    """Where a price stands, and the day on which it is known to have stood there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    url: str
    also: str | None = None
    as_of: date


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    rates: tuple[Rate, ...]
    cache_from_tokens: int = USUALLY_KEPT


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str
    cache_from_tokens: Source
    sources: Mapping[str, Source]
    models: Mapping[str, _Row]


class Listed(BaseModel):
    """A model's row of the list: rates by length of prompt, shortest first; a prompt's beginning is
    kept by the provider if it has `cache_from_tokens` tokens at least."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rates: tuple[Rate, ...]
    source: Source
    cache_from_tokens: int = USUALLY_KEPT


@cache
def listed() -> Mapping[str, Listed]:
    """The list that ships, by `provider/model`."""
    text = resources.files("guardrails.llm").joinpath("prices.json").read_text(encoding="utf-8")
    file = _File.model_validate(json.loads(text))
    return {
        model: Listed(
            rates=row.rates,
            source=file.sources[row.source],
            cache_from_tokens=row.cache_from_tokens,
        )
        for model, row in file.models.items()
    }


def rate(model: str, prompt_tokens: int, *, own: Mapping[str, Price] | None = None) -> Rate | None:
    """The rate of `provider/model` for a prompt of that length; None if it is not known.

    `own` are prices of settings, which go before the list.
    """
    price = (own or {}).get(model)
    if price is not None:
        return _rate(price)
    row = _row(model)
    for found in row.rates if row else ():
        if found.up_to_prompt_tokens is None or prompt_tokens <= found.up_to_prompt_tokens:
            return found
    return None


def smallest_kept(model: str) -> int:
    """From how many tokens on a provider keeps a prompt's beginning; for a model that the list does
    not name, from as many as for most."""
    row = _row(model)
    return USUALLY_KEPT if row is None else row.cache_from_tokens


def _row(model: str) -> Listed | None:
    return listed().get(model) or listed().get(DATED.sub("", model))


def cost_usd(model: str, tokens: Tokens, *, own: Mapping[str, Price] | None = None) -> float | None:
    """What one call cost; None if the model's price is not known."""
    found = rate(model, tokens.total_input, own=own)
    if found is None:
        return None
    return (
        tokens.input * found.input
        + tokens.cache_read * found.cache_read
        + (tokens.cache_write - tokens.cache_write_hour) * found.cache_write
        + tokens.cache_write_hour * found.cache_write_hour
        + tokens.output * found.output
    ) / MILLION


def cache_pays(
    model: str,
    prefix_tokens: int,
    expected_reads: float,
    *,
    hour: bool = False,
    own: Mapping[str, Price] | None = None,
) -> bool:
    """Whether to write a prefix to a cache is cheaper than to send it each time.

    `expected_reads` counts the calls that will find it there before it is forgotten. False if the
    price is not known. (A prefix that is too short for a provider to keep costs nothing extra.)
    """
    found = rate(model, prefix_tokens, own=own)
    if found is None or prefix_tokens <= 0:
        return False
    write = found.cache_write_hour if hour else found.cache_write
    return write + expected_reads * found.cache_read < (1 + expected_reads) * found.input


def _rate(price: Price) -> Rate:
    entered = price.input_per_million_usd
    read, write = price.cache_read_per_million_usd, price.cache_write_per_million_usd
    written = entered if write is None else write
    return Rate(
        up_to_prompt_tokens=None,
        input=entered,
        output=price.output_per_million_usd,
        cache_read=entered if read is None else read,
        cache_write=written,
        cache_write_hour=written,
    )
