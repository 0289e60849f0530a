"""A prefix is kept with its provider where that is likely to cost less, and only there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from llm_samples import SCHEMA

from guardrails.llm.prefixes import LIFE_S, MOST, Prefixes
from guardrails.llm.prices import cost_usd, listed, rate, smallest_kept
from guardrails.llm.protocol import Question, Tokens
from guardrails.llm.roles import Roles
from guardrails.settings import Price, Settings
from guardrails.testing import FakeProvider, FixedClock
from guardrails.testing.provider import Latency, ProviderRequest, fault
from guardrails.testing.provider.prompt_cache import ExplicitCache, segment_of

HAIKU = "anthropic/claude-haiku-5-5"
LONG = "The rules stand here. " * 400
SHORT = "The rules. " * 20


def question(prefix: str = LONG, **more: Any) -> Question:
    given = {"prefix": prefix, "text": "What is it?", "schema": SCHEMA, "max_tokens": 100}
    return Question(**{**given, "cache_prefix": None, **more})


class Provider:
    """Asks one question after another, and charges as Anthropic does."""

    def __init__(self, model: str = HAIKU, *, prefix: str = LONG, **more: Any) -> None:
        self.clock = FixedClock(1_000.0)
        self.prefixes = Prefixes(clock=self.clock, **more)
        self.cache = ExplicitCache(self.clock)
        self.model, self.prefix = model, prefix
        self.marked: list[bool] = []
        self.cost = self.plain_cost = 0.0

    def ask(self, after_s: float, **more: Any) -> None:
        self.clock.move(after_s)
        with self.prefixes.asking(self.model, question(self.prefix, **more)) as asking:
            mark = asking.question.cache_prefix
            self.marked.append(bool(mark))
            prompt = [segment_of(self.prefix, "5m" if mark else None), segment_of("What?")]
            use = self.cache.use(self.model.rpartition("/")[2], prompt)
            written = use.written
            tokens = Tokens(input=use.uncached, cache_read=use.read, cache_write=written)
            asking.answered(tokens)
        self.cost += cost_usd(self.model, tokens) or 0.0
        self.plain_cost += cost_usd(self.model, Tokens(input=tokens.total_input)) or 0.0


@pytest.mark.parametrize("model", [name for name in listed() if name.startswith("anthropic/")])
def test_steady_traffic_pays_from_the_second_question_on(model: str) -> None:
    here = Provider(model, prefix=LONG * 2)
    for _ in range(20):
        here.ask(1.0)
    assert here.marked == [False] + [True] * 19
    assert here.cost < 0.35 * here.plain_cost


def test_a_prefix_that_is_asked_rarely_is_sent_each_time() -> None:
    here = Provider()
    for _ in range(20):
        here.ask(2 * LIFE_S)
    assert not any(here.marked)
    assert here.cost == here.plain_cost


def test_when_traffic_ends_keeping_ends_too() -> None:
    here = Provider()
    for _ in range(8):
        here.ask(1.0)
    before = len(here.marked)
    for _ in range(40):
        here.ask(2 * LIFE_S)
    assert sum(here.marked[before:]) < 10
    assert not any(here.marked[-20:])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mean_s", [1, 30, 100, 200, 300, 600, 3_000])
def test_it_never_costs_much_more_than_not_keeping(mean_s: float, seed: int) -> None:
    """Whatever the traffic: gaps as they come by chance, around a mean."""
    chance = random.Random(seed)
    here = Provider()
    for _ in range(300):
        here.ask(chance.expovariate(1 / mean_s))
    assert here.cost < 1.04 * here.plain_cost
    if mean_s <= 100:
        assert here.cost < 0.3 * here.plain_cost


def test_what_is_too_short_to_be_kept_is_not_marked() -> None:
    here = Provider(prefix=SHORT)
    for _ in range(5):
        here.ask(1.0)
    assert not any(here.marked)
    assert smallest_kept("anthropic/claude-opus-5") == 512
    assert smallest_kept("anthropic/claude-haiku-4-5-20251001") == 4096
    assert smallest_kept("gateway/whatever") == 1024


@pytest.mark.parametrize(
    "prices",
    [{}, {"house/m": Price(input_per_million_usd=1, output_per_million_usd=5)}],
    ids=["unknown", "no price for the cache"],
)
def test_without_a_price_that_says_so_nothing_is_kept(prices: Any) -> None:
    here = Provider("house/m", prices=prices)
    for _ in range(5):
        here.ask(1.0)
    assert not any(here.marked)


def test_own_prices_decide() -> None:
    price = Price(
        input_per_million_usd=1,
        output_per_million_usd=5,
        cache_read_per_million_usd=0.1,
        cache_write_per_million_usd=1.25,
    )
    assert rate("house/m", 0, own={"house/m": price})
    here = Provider("house/m", prices={"house/m": price})
    for _ in range(3):
        here.ask(1.0)
    assert here.marked == [False, True, True]


def test_another_schema_is_another_prefix() -> None:
    """Providers put it before the prefix."""
    here = Provider()
    for n in range(6):
        here.ask(1.0, schema={"type": "object", "title": str(n)})
    assert not any(here.marked)


def test_many_at_once_write_it_once() -> None:
    prefixes = Prefixes(clock=FixedClock(0.0))
    with prefixes.asking(HAIKU, question()):
        pass
    with prefixes.asking(HAIKU, question()) as first:
        assert first.question.cache_prefix is True
        for _ in range(10):
            with prefixes.asking(HAIKU, question()) as other:
                assert other.question.cache_prefix is False
        first.answered(Tokens(input=10, cache_write=2_000))
    with prefixes.asking(HAIKU, question()) as later:
        assert later.question.cache_prefix is True


def test_who_was_to_write_it_and_failed_leaves_it_to_the_next() -> None:
    prefixes = Prefixes(clock=FixedClock(0.0))
    with prefixes.asking(HAIKU, question()):
        pass
    for _ in range(3):
        with suppress(TimeoutError), prefixes.asking(HAIKU, question()) as asking:
            assert asking.question.cache_prefix is True
            raise TimeoutError


def test_10_so_many_prefixes_are_told_apart_and_no_text_is_kept() -> None:
    prefixes = Prefixes(clock=FixedClock(0.0))
    for n in range(MOST + 50):
        with prefixes.asking(HAIKU, question(f"canary {n} {LONG}")):
            pass
    assert len(prefixes._known) == MOST
    assert "canary" not in f"{prefixes!r} {prefixes._known!r}"


def marks(requests: Sequence[ProviderRequest]) -> list[bool]:
    return ["cache_control" in str(request.body) for request in requests]


async def test_a_player_decides_where_nobody_said() -> None:
    async with FakeProvider({"answer": "forty-two"}) as provider:
        roles = Roles(Settings(models={"small": HAIKU}), environ=provider.environment)
        player = roles.player("small")
        answers = [await player.ask(question(), timeout_s=20) for _ in range(4)]
        for said in (True, False):
            await player.ask(question(cache_prefix=said), timeout_s=20)
        await roles.aclose()
    assert marks(provider.requests) == [False, True, True, True, True, False]
    tokens = [answer.tokens for answer in answers]
    assert [bool(each.cache_write) for each in tokens] == [False, True, False, False]
    assert [bool(each.cache_read) for each in tokens] == [False, False, True, True]
    costs = [roles.cost_usd(answer) or 0.0 for answer in answers]
    assert costs[1] > costs[0] > 3 * costs[2]


async def test_a_burst_writes_it_once() -> None:
    async with FakeProvider({"answer": "x"}, latency=Latency(first_ms=30)) as provider:
        roles = Roles(Settings(models={"small": HAIKU}), environ=provider.environment)
        roles.prepare()
        many = (roles.player("small").ask(question(), timeout_s=20) for _ in range(20))
        await asyncio.gather(*many)
        answer = await roles.player("small").ask(question(), timeout_s=20)
        await roles.aclose()
    assert sum(marks(provider.requests)[:20]) == 1
    assert answer.tokens.cache_read > 1_000


async def test_after_an_outage_the_next_one_writes_it() -> None:
    answers = [{"answer": "x"}, fault("status-401"), {"answer": "x"}, {"answer": "x"}]
    async with FakeProvider(answers) as provider:
        roles = Roles(Settings(models={"small": HAIKU}), environ=provider.environment)
        asked = [
            await asyncio.gather(
                roles.player("small").ask(question(), timeout_s=20), return_exceptions=True
            )
            for _ in answers
        ]
        await roles.aclose()
    assert marks(provider.requests) == [False, True, True, True]
    assert isinstance(asked[1][0], Exception)
