"""The principles stand first in each question, and are kept with the provider where that pays."""

from __future__ import annotations

import pytest
from judge_samples import INSULT, constitution, house, principle

from guardrails.verdict import Decision, Verdict

PRICE = {
    "input_per_million_usd": 1.0,
    "output_per_million_usd": 5.0,
    "cache_read_per_million_usd": 0.1,
    "cache_write_per_million_usd": 1.25,
}
PRICES = dict.fromkeys(("fake/small", "fake/large", "other/third"), PRICE)
LONG = "Is kind to everybody, whoever it is and whatever they said before. " * 20
RULES = tuple(principle(f"house.kind-{n}", text=LONG, action="revise") for n in range(5))


def cost(decision: Decision) -> float:
    assert decision.usage.cost_usd is not None
    return decision.usage.cost_usd


async def test_it_is_written_once_and_then_read_and_so_it_is_told() -> None:
    async with house(made=constitution(*RULES), prices=PRICES) as here:
        decisions = [await here.guard.check_output(f"Good morning, {n}.") for n in range(5)]
        records = [opened.usage for opened in here.trail.opened]
    reads = [decision.usage.cache_read_tokens for decision in decisions]
    writes = [decision.usage.cache_write_tokens for decision in decisions]
    assert [bool(each) for each in writes] == [False, True, False, False, False]
    assert [bool(each) for each in reads] == [False, False, True, True, True]
    assert cost(decisions[2]) < 0.5 * cost(decisions[0]) < 0.5 * cost(decisions[1])
    assert [each.cache_read_tokens for each in records] == reads
    usage = decisions[2].usage
    plain = usage.input_tokens - usage.cache_read_tokens
    paid = (plain * 1.0 + usage.cache_read_tokens * 0.1 + usage.output_tokens * 5.0) / 1e6
    assert usage.cost_usd == pytest.approx(paid)


async def test_a_revisers_prefix_is_too_short_and_is_not_marked() -> None:
    made = constitution(*RULES[:1], max_attempts=1)
    async with house(made=made, prices=PRICES) as here:
        for n in range(4):
            decision = await here.guard.check_output(f"Well, {n}. {INSULT} Bye.")
            assert decision.verdict is Verdict.REVISE
        revising = [
            request
            for request, sheet in zip(here.provider.requests, here.sheets, strict=True)
            if sheet.revises
        ]
    assert len(revising) == 4
    assert not any("cache_control" in str(request.body) for request in revising)
