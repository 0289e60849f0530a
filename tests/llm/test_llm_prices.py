"""What tokens cost: by a dated list, by settings, or not known, which is never nothing."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from guardrails.llm.prices import cache_pays, cost_usd, listed, rate
from guardrails.llm.protocol import Tokens
from guardrails.settings import Price, Settings

MILLION = 1_000_000
HAIKU = "anthropic/claude-haiku-5-5"
OWN = {"local/small": Price(input_per_million_usd=0, output_per_million_usd=0)}


@pytest.mark.parametrize(
    ("model", "entered", "left"),
    [("claude-sonnet-5-5", 2.0, 10.0), ("claude-opus-5-5", 4.0, 20.0)],
)
def test_tokens_cost_what_the_list_says(model: str, entered: float, left: float) -> None:
    name = f"anthropic/{model}"
    assert cost_usd(name, Tokens(input=MILLION)) == pytest.approx(entered)
    assert cost_usd(name, Tokens(output=MILLION)) == pytest.approx(left)
    written = Tokens(cache_write=2 * MILLION, cache_write_hour=MILLION)
    assert cost_usd(name, written) == pytest.approx(entered * (1.25 + 2))


def test_a_long_prompt_costs_more_all_of_it() -> None:
    """Cached tokens are part of its length."""
    short = Tokens(input=60_000, cache_read=40_000, output=1_000)
    long = Tokens(input=60_000, cache_read=40_001, output=1_000)
    assert cost_usd(HAIKU, short) == pytest.approx((6_000 + 400 + 500) / MILLION)
    assert cost_usd(HAIKU, long) == pytest.approx((30_000 + 2_000.05 + 2_500) / MILLION)


@pytest.mark.parametrize("name", ["anthropic/claude-future-9", "gateway/claude-haiku-5-5", ""])
def test_10_an_unknown_price_is_none_and_not_nothing(name: str) -> None:
    assert cost_usd(name, Tokens()) is None
    assert rate(name, 0) is None
    assert not cache_pays(name, 10_000, 100)


def test_a_snapshot_costs_what_its_model_does() -> None:
    assert rate("anthropic/claude-haiku-4-5-20251001", 10) == rate("anthropic/claude-haiku-4-5", 10)
    assert rate("openai/gpt-6-sol-2026-09-22", 10) == rate("openai/gpt-6-sol", 10)
    assert rate("openai/gpt-6-sol-fast", 10) is None


def test_settings_go_before_the_list() -> None:
    used = Tokens(input=10, cache_read=10, cache_write=10, output=10)
    assert cost_usd("local/small", used, own=OWN) == 0.0
    own = {HAIKU: Price(input_per_million_usd=3, output_per_million_usd=5)}
    assert cost_usd(HAIKU, used, own=own) == pytest.approx((3 * 30 + 5 * 10) / MILLION)
    cheaper = Price(
        input_per_million_usd=3,
        output_per_million_usd=5,
        cache_read_per_million_usd=1,
        cache_write_per_million_usd=4,
    )
    assert cost_usd(HAIKU, used, own={HAIKU: cheaper}) == pytest.approx(130 / MILLION)


def test_settings_take_prices() -> None:
    values = {"prices": {"local/small": {"input_per_million_usd": 0, "output_per_million_usd": 0}}}
    assert Settings.model_validate(values).prices == OWN


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), "much", None])
def test_an_amount_is_a_finite_number_of_dollars(amount: object) -> None:
    values = {"input_per_million_usd": amount, "output_per_million_usd": 0}
    with pytest.raises(ValidationError):
        Price.model_validate(values)


def test_a_cache_pays_from_the_first_read_on_and_for_an_hour_from_the_second() -> None:
    assert not cache_pays(HAIKU, 10_000, 0)
    assert cache_pays(HAIKU, 10_000, 1)
    assert not cache_pays(HAIKU, 10_000, 1, hour=True)
    assert cache_pays(HAIKU, 10_000, 2, hour=True)
    assert cache_pays(HAIKU, 10_000, 0.5)
    assert not cache_pays(HAIKU, 10_000, 0.2)
    assert not cache_pays(HAIKU, 0, 100)
    assert not cache_pays("local/small", 10_000, 100, own=OWN), "what is free is free"


def test_a_cache_pays_just_where_it_costs_less() -> None:
    for name, row in listed().items():
        for found in row.rates:
            prefix = found.up_to_prompt_tokens or MILLION
            for reads in (0, 1, 2, 5):
                plain = cost_usd(name, Tokens(input=prefix))
                write = cost_usd(name, Tokens(cache_write=prefix))
                read = cost_usd(name, Tokens(cache_read=prefix))
                assert plain is not None
                assert write is not None
                assert read is not None
                less = write + reads * read < (1 + reads) * plain
                assert cache_pays(name, prefix, reads) is less


@pytest.mark.parametrize("name", listed())
def test_a_row_of_the_list_makes_sense(name: str) -> None:
    row = listed()[name]
    assert row.source.title
    assert row.source.url.startswith("https://")
    assert date(2026, 7, 1) <= row.source.as_of <= date.today()  # noqa: DTZ011
    limits = [found.up_to_prompt_tokens for found in row.rates]
    assert limits[-1] is None, "there is a price for every length"
    assert limits[:-1] == sorted(limit for limit in limits[:-1] if limit is not None)
    for found in row.rates:
        assert 0 < found.cache_read < found.input < found.output
        assert found.input <= found.cache_write <= found.cache_write_hour
        assert found.cache_write == pytest.approx(found.input * 1.25)
    for shorter, longer in zip(row.rates, row.rates[1:], strict=False):
        assert shorter.input < longer.input
        assert shorter.output < longer.output


def test_tokens_add_up() -> None:
    one = Tokens(input=1, cache_read=2, cache_write=3, cache_write_hour=1, output=4)
    two = Tokens(input=10, output=5, estimated=True)
    total = Tokens(
        input=11, cache_read=2, cache_write=3, cache_write_hour=1, output=9, estimated=True
    )
    assert one + two == total
    assert total.total_input == 16
