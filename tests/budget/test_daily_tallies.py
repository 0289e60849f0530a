"""Where a day's spending is counted: all or nothing, bounded, shared by replicas, never overrun."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis_samples import NONSENSE, Server, talking_nonsense

from guardrails.budget.amounts import NANO, Account, Amounts, Tally, Whose
from guardrails.budget.memory import MemoryTally
from guardrails.budget.redis import TTL_S, RedisTally
from guardrails.cache.connection import AWAY_S
from guardrails.errors import CriticOutage, SettingsError
from guardrails.settings import DailyLimits

DAY, NEXT_DAY = "2026-11-25", "2026-11-26"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def account(n: int = 1, whose: Whose = "tenant", of: int = 1, **limits: float) -> Account:
    made = DailyLimits.model_validate(limits)
    return Account(whose=whose, name=bytes([n]) * 32, of=bytes([of]) * 32, limits=made)


def calls(n: int = 1) -> Amounts:
    return Amounts(calls=n)


def redis(server: Server, **more: object) -> RedisTally:
    given = {"on_outage": "refuse", "entries": 1_000}
    return RedisTally(server.url, **given | more)  # type: ignore[arg-type]


@pytest.fixture(params=["memory", "redis"])
def tally(request: pytest.FixtureRequest) -> Tally:
    if request.param == "memory":
        return MemoryTally(entries=1_000)
    return redis(request.getfixturevalue("server"), timeout_s=5.0)


async def test_10_what_fits_is_counted_and_what_does_not_is_not(tally: Tally) -> None:
    mine = account(max_calls=3)
    assert await tally.reserve(DAY, [mine], calls(2)) is None
    short = await tally.reserve(DAY, [mine], calls(2))
    assert short is not None
    assert (short.whose, short.limit, short.allowed, short.needed) == ("tenant", "max_calls", 3, 4)
    assert await tally.reserve(DAY, [mine], calls(1)) is None
    await tally.add(DAY, [mine], calls(-1))
    assert await tally.reserve(DAY, [mine], calls(1)) is None
    assert await tally.reserve(DAY, [mine], calls(1)) is not None
    await tally.aclose()


@pytest.mark.parametrize(
    ("limits", "more", "allowed", "needed"),
    [
        ({"max_tokens": 100}, Amounts(calls=1, tokens=101), 100, 101),
        ({"max_cost_usd": 0.5}, Amounts.of(calls=1, cost_usd=0.500000001), 0.5, 0.500000001),
        ({"max_calls": 0}, Amounts(calls=1), 0, 1),
    ],
)
async def test_10_each_kind_of_limit_holds(
    tally: Tally, limits: dict[str, float], more: Amounts, allowed: float, needed: float
) -> None:
    short = await tally.reserve(DAY, [account(**limits)], more)
    assert short is not None
    (name,) = limits
    assert (short.limit, short.allowed, short.needed) == (name, allowed, needed)
    await tally.aclose()


async def test_10_a_call_is_of_both_accounts_or_of_none(tally: Tally) -> None:
    tenant, subject = account(max_calls=2), account(2, "subject", max_calls=1)
    assert await tally.reserve(DAY, [tenant, subject], calls()) is None
    short = await tally.reserve(DAY, [tenant, subject], calls())
    assert short is not None
    assert short.whose == "subject"
    other = account(3, "subject", max_calls=1)
    assert await tally.reserve(DAY, [tenant, other], calls()) is None, "the tenant's was not taken"
    short = await tally.reserve(DAY, [tenant, account(4, "subject", max_calls=1)], calls())
    assert short is not None
    assert short.whose == "tenant"
    await tally.aclose()


async def test_10_many_at_once_do_not_overrun(tally: Tally) -> None:
    mine = account(max_cost_usd=0.1)
    more = Amounts.of(calls=1, tokens=10, cost_usd=0.01)
    ends = await asyncio.gather(*(tally.reserve(DAY, [mine], more) for _ in range(50)))
    assert ends.count(None) == 10
    await tally.aclose()


async def test_a_free_call_fits_into_a_spent_budget_of_money(tally: Tally) -> None:
    mine = account(max_cost_usd=0.0, max_calls=10)
    assert await tally.reserve(DAY, [mine], Amounts(calls=1, tokens=100)) is None
    await tally.aclose()


@given(
    st.lists(
        st.tuples(st.sampled_from(["reserve", "settle"]), st.integers(0, 40), st.integers(1, 3)),
        max_size=30,
    )
)
def test_10_no_order_of_calls_overruns(steps: list[tuple[str, int, int]]) -> None:
    """Reserve, then settle for less: what is counted is never over the limit, nor under what is
    spent."""
    bound, tally = 100, MemoryTally(entries=10)
    accounts = {n: account(n, max_tokens=bound) for n in (1, 2, 3)}
    spent, held = dict.fromkeys(accounts, 0), dict.fromkeys(accounts, 0)
    for step, tokens, n in steps:
        if step == "reserve":
            fits = tally.spend(DAY, [accounts[n]], Amounts(tokens=tokens)) is None
            assert fits is (tokens == 0 or spent[n] + held[n] + tokens <= bound)
            held[n] += tokens if fits else 0
        else:
            used = min(tokens, held[n])
            tally.add_now(DAY, [accounts[n]], Amounts(tokens=used - held[n]))
            spent[n], held[n] = spent[n] + used, 0
        for each, mine in accounts.items():
            counted = tally._spent.get(mine.name, Amounts()).tokens
            assert counted == spent[each] + held[each] <= bound


@given(st.lists(st.floats(0, 1_000), max_size=50))
def test_money_is_never_counted_for_less_than_it_is(costs: list[float]) -> None:
    total = Amounts()
    for cost in costs:
        total += Amounts.of(cost_usd=cost)
    assert total.nano_usd >= sum(int(cost * NANO) for cost in costs)
    assert total.nano_usd <= sum(cost * NANO + 1 for cost in costs) + 1
    assert Amounts.of(cost_usd=1e-6).nano_usd == 1_000


# Memory


async def test_10_memory_is_bounded_and_forgets_nobody() -> None:
    tally = MemoryTally(entries=3)
    for n in range(3):
        assert await tally.reserve(DAY, [account(n, max_calls=1)], calls()) is None
    short = await tally.reserve(DAY, [account(9, max_calls=1)], calls())
    assert short is not None
    assert short.whose is None
    short = await tally.reserve(DAY, [account(0, max_calls=1)], calls())
    assert short is not None
    assert short.whose == "tenant", "it is still known to have spent"
    assert await tally.reserve(NEXT_DAY, [account(9, max_calls=1)], calls()) is None
    assert len(tally) == 1, "yesterday's are gone"


async def test_what_is_settled_after_midnight_is_of_the_day_before() -> None:
    tally, mine = MemoryTally(entries=3), account(max_calls=1)
    assert await tally.reserve(DAY, [mine], calls()) is None
    later = account(2, max_calls=1)
    assert await tally.reserve(NEXT_DAY, [later], calls()) is None
    await tally.add(DAY, [mine], calls(-1))
    assert len(tally) == 1
    assert await tally.reserve(NEXT_DAY, [later], calls()) is not None


# Redis


async def test_10_replicas_share_one_budget(server: Server) -> None:
    replicas = [redis(server, timeout_s=5.0) for _ in range(4)]
    mine = [account(max_calls=25), account(2, "subject", max_calls=100)]
    ends = await asyncio.gather(*(replicas[n % 4].reserve(DAY, mine, calls()) for n in range(100)))
    assert ends.count(None) == 25
    with server.client() as here:
        keys = here.keys("*")
        assert len(keys) == 2
        for key in keys:
            assert key.startswith(b"guardrails:budget:{")
            assert b"2026-11-25" in key
            assert here.hget(key, "calls") == b"25"
            assert TTL_S - 60 < here.ttl(key) <= TTL_S
    for each in replicas:
        await each.aclose()


async def test_2_without_redis_nobody_is_asked(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    tally, mine = redis(server, clock=clock), account(max_calls=2)
    assert await tally.reserve(DAY, [mine], calls()) is None
    server.kill()
    with caplog.at_level(logging.DEBUG, "guardrails"):
        for _ in range(3):
            with pytest.raises(CriticOutage, match="daily budgets"):
                await tally.reserve(DAY, [mine], calls())
        with pytest.raises(CriticOutage):
            tally.spend(DAY, [mine], calls())
        assert tally.away
        server.start()
        clock.now += AWAY_S
        assert await tally.reserve(DAY, [mine], calls()) is None
    assert caplog.text.count("daily_budgets_away") == 1
    assert caplog.text.count("daily_budgets_back") == 1
    assert str(server.port) not in caplog.text
    await tally.aclose()


async def test_10_or_it_is_counted_here_and_told_later(server: Server) -> None:
    clock = Clock()
    here, other = (redis(server, on_outage="local", clock=clock) for _ in range(2))
    mine = account(max_calls=10)
    for tally in (here, other):
        for _ in range(3):
            assert await tally.reserve(DAY, [mine], calls()) is None
    server.freeze()
    ends = [await other.reserve(DAY, [mine], calls()) for _ in range(10)]
    assert ends.count(None) == 4, "on from what was known last: 6 of 10"
    server.kill()
    server.start()  # it has forgotten all
    clock.now += AWAY_S
    assert await other.reserve(DAY, [mine], calls()) is None, "Redis's count is what counts"
    with server.client() as client:
        (key,) = client.keys("*")
        assert client.hget(key, "calls") == b"5", "4 that were owed, and this one"
    for tally in (here, other):
        await tally.aclose()


async def test_what_could_not_be_settled_is_settled_later(server: Server) -> None:
    clock = Clock()
    tally, mine = redis(server, clock=clock), account(max_tokens=100)
    assert await tally.reserve(DAY, [mine], Amounts(tokens=90)) is None
    server.kill()
    await tally.add(DAY, [mine], Amounts(tokens=-80))
    server.start()
    clock.now += AWAY_S
    with server.client() as client:
        client.hset(f"guardrails:budget:{{{'01' * 8}}}:{DAY}:{'01' * 32}", "tokens", 90)
    assert await tally.reserve(DAY, [mine], Amounts(tokens=90)) is None, "10 are counted, not 90"
    await tally.aclose()


async def test_what_is_spent_without_waiting_is_told_to_others(server: Server) -> None:
    one, two = (redis(server, timeout_s=5.0) for _ in range(2))
    mine = account(max_calls=5)
    for _ in range(4):
        assert one.spend(DAY, [mine], calls()) is None
    await one.square()
    assert await two.reserve(DAY, [mine], calls()) is None
    assert await two.reserve(DAY, [mine], calls()) is not None
    assert one.spend(DAY, [mine], calls()) is None, "one has not heard of two's yet"
    assert one.spend(DAY, [mine], calls()) is not None
    for tally in (one, two):
        await tally.aclose()


async def test_2_a_count_that_is_none_is_an_outage(server: Server) -> None:
    tally, mine = redis(server, timeout_s=5.0), account(max_calls=5)
    assert await tally.reserve(DAY, [mine], calls()) is None
    with server.client() as client:
        (key,) = client.keys("*")
        client.hset(key, "calls", "many")
    with pytest.raises(CriticOutage):
        await tally.reserve(DAY, [mine], calls())
    await tally.aclose()


@pytest.mark.parametrize("said", NONSENSE)
async def test_2_nonsense_in_the_place_of_counts_is_an_outage(said: str) -> None:
    async with talking_nonsense(NONSENSE[said]) as url:
        tally, mine = RedisTally(url, on_outage="refuse", entries=10), account(max_calls=5)
        with pytest.raises(CriticOutage):
            await tally.reserve(DAY, [mine], calls())
        await tally.add(DAY, [mine], calls())
        await tally.aclose()


async def test_a_count_is_never_less_than_nothing(server: Server) -> None:
    tally, mine = redis(server, timeout_s=5.0), account(max_calls=2)
    await tally.add(DAY, [mine], calls(-5))
    ends = [await tally.reserve(DAY, [mine], calls()) for _ in range(3)]
    assert [end is None for end in ends] == [True, True, False]
    await tally.aclose()


def test_a_tally_shows_no_address(tmp_path: Path) -> None:
    tally = RedisTally("redis://:secret@h/0", on_outage="refuse", entries=10)
    assert "secret" not in repr(tally)
    with pytest.raises(SettingsError, match="budget_store: not an address") as raised:
        RedisTally("redis://h/secret?db=secret", on_outage="refuse", entries=10)
    assert "secret" not in str(raised.value)


async def test_who_leaves_while_redis_is_told_loses_nothing(server: Server) -> None:
    tally, mine = redis(server, timeout_s=5.0), account(max_calls=100)
    for _ in range(20):
        assert tally.spend(DAY, [mine], calls()) is None
        task = asyncio.ensure_future(tally.square())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await tally.square()
    with server.client() as client:
        (key,) = client.keys("*")
        assert int(client.hget(key, "calls")) >= 20
    await tally.aclose()
