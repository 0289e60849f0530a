"""What a tenant and a subject may spend in a day: told before a call, kept to, and said so."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from judge_samples import INSULT, House, constitution, house, principle, quoting, rulings, sheet
from redis_samples import Server, serving
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from guardrails.asgi import GuardrailMiddleware
from guardrails.budget.daily import DailyBudgets, open_daily
from guardrails.budget.memory import MemoryTally
from guardrails.cache.names import Names
from guardrails.critic.limits import BudgetHandle
from guardrails.errors import BudgetExceeded, SettingsError
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.settings import Daily, Settings, load_settings
from guardrails.testing import FakeProvider
from guardrails.testing.provider import Latency, ProviderRequest, fault
from guardrails.verdict import Decision, Verdict


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as running:
        yield running


def who(subject: str | None = None, tenant: str | None = None) -> Context:
    """Somebody nobody else has spent for: counts in memory are the process's."""
    return Context(tenant=tenant or f"t-{secrets.token_hex(4)}", subject=subject)


async def ask(here: House, context: Context, text: str = "Good morning.") -> Decision:
    return await here.guard.check_output(text, context=context)


def limits(decision: Decision) -> list[str]:
    return [finding.principle for finding in decision.findings if finding.cause == "limit"]


async def test_10_a_tenants_calls_end_with_its_budget() -> None:
    mine, other = who(), who()
    async with house(daily={"tenant": {"max_calls": 2}}) as here:
        for _ in range(2):
            assert (await ask(here, mine)).verdict is Verdict.ALLOW
        refused = await ask(here, mine)
        assert (await ask(here, other)).verdict is Verdict.ALLOW, "which is another's affair"
        assert len(here.provider.requests) == 3
        record = here.trail.opened[2]
    assert (refused.verdict, refused.cause) == (Verdict.BLOCK, "limit")
    assert refused.text == "Later, please."
    (finding,) = refused.findings
    assert finding.principle == "daily.tenant.max_calls"
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert finding.reason.endswith(f"it begins anew at {tomorrow}T00:00:00Z")
    assert mine.tenant not in finding.reason
    assert [f.principle for f in record.findings] == ["daily.tenant.max_calls"]
    assert (record.usage.calls, record.cause) == (0, "limit")


async def test_10_a_subject_has_a_budget_of_its_own_within_its_tenants() -> None:
    tenant = who().tenant
    daily = {"tenant": {"max_calls": 3}, "subject": {"max_calls": 2}}
    async with house(daily=daily) as here:
        first = [await ask(here, who("jane", tenant)) for _ in range(3)]
        second = [await ask(here, who("john", tenant)) for _ in range(2)]
        nobody = await ask(here, who(None, tenant))
    assert [limits(each) for each in first] == [[], [], ["daily.subject.max_calls"]]
    assert [limits(each) for each in second] == [[], ["daily.tenant.max_calls"]]
    assert limits(nobody) == ["daily.tenant.max_calls"]


async def test_one_tenant_may_have_another_budget() -> None:
    rich, poor = who(), who()
    daily = {"tenant": {"max_calls": 0}, "tenants": {rich.tenant: {}}}
    async with house(daily=daily) as here:
        assert limits(await ask(here, poor)) == ["daily.tenant.max_calls"]
        assert (await ask(here, rich)).verdict is Verdict.ALLOW


async def test_10_what_was_used_is_counted_and_not_what_was_set_aside() -> None:
    """Each question may come to some 2,400 tokens, and comes to less than 1,500."""
    mine = who()
    async with house(daily={"tenant": {"max_tokens": 12_000}}) as here:
        used = 0
        while not limits(decision := await ask(here, mine)):
            used += decision.usage.input_tokens + decision.usage.output_tokens
            assert used <= 12_000
        assert used > 12_000 - 4_000
        assert limits(decision) == ["daily.tenant.max_tokens"]


async def test_10_calls_at_once_do_not_overrun_it() -> None:
    mine = who()
    async with house(
        daily={"tenant": {"max_cost_usd": 0.05}}, latency=Latency(first_ms=50)
    ) as here:
        many = [ask(here, mine, f"Good morning, {n}.") for n in range(30)]
        decisions = await asyncio.gather(*many)
        costs = [decision.usage.cost_usd for decision in decisions]
        assert sum(cost or 0.0 for cost in costs) <= 0.05
        stopped = [decision for decision in decisions if limits(decision)]
        assert 0 < len(stopped) < 30
        assert limits(stopped[0]) == ["daily.tenant.max_cost_usd"]
        assert (await ask(here, mine, "Later.")).verdict is Verdict.ALLOW, "what was left is back"


async def test_10_a_remembered_verdict_costs_nothing_of_it() -> None:
    mine = who()
    made = constitution(cache_ttl_s=60)
    async with house(made=made, daily={"tenant": {"max_calls": 1}}) as here:
        assert [limits(await ask(here, mine)) for _ in range(3)] == [[], [], []]
        assert limits(await ask(here, mine, "Good night.")) == ["daily.tenant.max_calls"]


async def test_10_what_failed_is_a_call_too_and_has_no_tokens() -> None:
    mine = who()
    daily = {"tenant": {"max_calls": 2, "max_tokens": 4_000}}
    made = constitution(principle(on_outage="flag"))
    async with house(fault("status-401"), made, daily=daily) as here:
        causes = [(await ask(here, mine)).cause for _ in range(3)]
    assert causes == ["outage", "outage", "limit"]


async def test_10_a_reviser_spends_of_it_and_is_not_asked_without() -> None:
    rude = principle("house.kind", action="revise", remedy={"rewrite": "Say it kindly."})
    for calls, verdict, asked in ((3, Verdict.REVISE, 3), (1, Verdict.BLOCK, 1)):
        mine = who()
        async with house(
            made=constitution(rude, max_attempts=1), daily={"tenant": {"max_calls": calls}}
        ) as here:
            decision = await ask(here, mine, f"Well. {INSULT} Bye.")
            assert len(here.provider.requests) == asked
        assert decision.verdict is verdict


async def test_9_nobodys_name_is_in_a_log_or_a_repr(caplog: pytest.LogCaptureFixture) -> None:
    mine = Context(tenant="tenant-canary", subject="subject-canary")
    with caplog.at_level(logging.DEBUG):
        async with house(daily={"subject": {"max_calls": 0}}) as here:
            refused = await ask(here, mine, "text-canary")
            shown = repr(here.guard._enforcement.daily) + repr(here.guard._enforcement)
            record = here.trail.opened[0].model_dump_json()
    assert limits(refused) == ["daily.subject.max_calls"]
    assert "limit='daily.subject.max_calls'" in caplog.text
    assert "canary" not in caplog.text + shown + repr(refused)
    assert "subject-canary" not in record


async def test_a_critic_that_spends_without_waiting_is_held_to_it_too() -> None:
    budgets = DailyBudgets(
        Daily.model_validate({"tenant": {"max_calls": 2}}),
        MemoryTally(entries=10),
        Names(b"k" * 32),
    )
    for _ in range(2):
        purse = budgets.purse(Context())
        handle = BudgetHandle(deadline_s=1, max_chars=1, max_calls=9, max_tokens=99, purse=purse)
        handle.spend_call(tokens=1)
        await handle.square()
    with pytest.raises(BudgetExceeded, match=r"daily\.tenant\.max_calls: .* 2, .* 3; it begins"):
        handle.spend_call(tokens=1)
    assert handle.calls == 1


async def test_10_a_day_is_one_in_utc() -> None:
    now = datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC)
    budgets = DailyBudgets(
        Daily.model_validate({"tenant": {"max_calls": 1}}),
        MemoryTally(entries=10),
        Names(b"k" * 32),
        now=lambda: now,
    )
    purse = budgets.purse(Context())
    assert purse is not None
    assert await purse.reserve(calls=1, tokens=0, cost_usd=0.0) == "2026-11-25"
    with pytest.raises(BudgetExceeded, match="2026-11-26T00:00:00Z"):
        await purse.reserve(calls=1, tokens=0, cost_usd=0.0)
    now += timedelta(seconds=1)
    assert await purse.reserve(calls=1, tokens=0, cost_usd=0.0) == "2026-11-26"


# Through Redis


async def test_10_replicas_share_a_budget_and_nobodys_name_is_in_redis(
    server: Server, tmp_path: Path
) -> None:
    mine = Context(tenant="acme-canary", subject="jane-canary")
    more: dict[str, Any] = {
        "daily": {"tenant": {"max_calls": 6}, "subject": {"max_calls": 6}},
        "budget_store": server.url,
        "key_file": tmp_path / "key",
        "alone": False,
    }
    async with AsyncExitStack() as stack:
        houses = [await stack.enter_async_context(house(**more)) for _ in range(3)]
        many = [ask(houses[n % 3], mine, f"Good morning, {n}.") for n in range(12)]
        decisions = await asyncio.gather(*many)
        assert sum(len(each.provider.requests) for each in houses) == 6
    assert sum(bool(limits(decision)) for decision in decisions) == 6
    with server.client() as client:
        held = b"".join([key + repr(client.hgetall(key)).encode() for key in client.keys("*")])
    assert b"guardrails:budget:" in held
    assert b"canary" not in held


@pytest.mark.parametrize("way", ["refuse", "local"])
async def test_2_while_redis_is_away_it_goes_as_settings_say(
    way: str, server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.kill()
    made = constitution(principle(on_outage="flag"))
    more: dict[str, Any] = {
        "daily": {"tenant": {"max_calls": 2}},
        "budget_store": server.url,
        "key_file": tmp_path / "key",
        "on_budget_outage": way,
    }
    with caplog.at_level(logging.DEBUG, "guardrails"):
        async with house(made=made, **more) as here:
            decisions = [await ask(here, who(tenant="t")) for _ in range(3)]
            asked = len(here.provider.requests)
    assert "daily_budgets_away" in caplog.text
    told = [(str(each.verdict), each.cause) for each in decisions]
    if way == "refuse":
        assert (asked, told) == (0, [("flag", "outage")] * 3)
    else:
        assert (asked, told) == (2, [("allow", None)] * 2 + [("block", "limit")])


async def test_2_a_breach_that_is_known_stands_while_redis_is_away(
    server: Server, tmp_path: Path
) -> None:
    """Of two principles one is remembered as breached; that the other cannot be asked about is an
    outage of that one alone."""
    rules = (principle("a.kind"), principle("b.fair", on_outage="flag"))
    answers = quoting({"a.kind": INSULT})
    more: dict[str, Any] = {
        "daily": {"tenant": {"max_calls": 20}},
        "budget_store": server.url,
        "key_file": tmp_path / "key",
    }

    def only_the_first(request: ProviderRequest) -> Any:
        said = answers(request)
        return {"verdicts": [each for each in said["verdicts"] if each["id"] == "a.kind"]}

    made = constitution(*rules, cache_ttl_s=60)
    async with house(only_the_first, made, **more) as here:
        first = await ask(here, who(tenant="t"), f"Well. {INSULT}")
        server.kill()
        again = await ask(here, who(tenant="t"), f"Well. {INSULT}")
        asked = len(here.provider.requests)
    assert (first.verdict, first.breaches, asked) == (Verdict.BLOCK, ("a.kind",), 1)
    assert (again.verdict, again.cause, again.breaches) == (Verdict.BLOCK, "policy", ("a.kind",))
    causes = {finding.principle: finding.cause for finding in again.findings}
    assert causes == {"a.kind": "policy", "b.fair": "outage"}
    assert (again.usage.calls, again.usage.cached) == (0, 1)


# Settings


def test_a_budget_of_money_needs_prices() -> None:
    made = constitution()
    settings = Settings.model_validate(
        {
            "audit": "memory",
            "models": {"small": "fake/small"},
            "providers": {"fake": {"kind": "openai", "base_url": "http://127.0.0.1:1"}},
            "daily": {"tenants": {"acme": {"max_cost_usd": 5}}},
        }
    )
    why = r"settings limit daily\.tenants\.acme\.max_cost_usd, and nobody knows what fake/small"
    with pytest.raises(SettingsError, match=why):
        Guard.load(made, settings=settings)
    Guard.load(made, settings=settings, offline=True)


def test_a_misspelt_or_impossible_limit_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "guardrails.toml"
    for text, place in {
        "[daily.tenant]\nmax_call = 5": "daily.tenant.max_call",
        "[daily.tenant]\nmax_calls = -5": "daily.tenant.max_calls",
        "[daily.subject]\nmax_cost_usd = inf": "daily.subject.max_cost_usd",
        "[daily]\nday = 5": "daily.day",
        'budget_store = "off"': "budget_store",
        'on_budget_outage = "allow"': "on_budget_outage",
    }.items():
        file.write_text(text)
        with pytest.raises(SettingsError, match=place.replace(".", r"\.")):
            load_settings(environ={}, folder=tmp_path)
    with pytest.raises(SettingsError, match="key_file"):
        open_daily(
            Settings.model_validate(
                {"daily": {"tenant": {"max_calls": 1}}, "budget_store": "redis://h/0"}
            ),
            None,
        )


def test_budgets_are_counted_where_verdicts_are_kept_unless_said() -> None:
    assert Settings().daily_store == "memory"
    assert Settings(cache="off").daily_store == "memory"
    assert Settings(cache="redis://h/0").daily_store == "redis://h/0"
    assert Settings(cache="redis://h/0", budget_store="memory").daily_store == "memory"
    assert Settings(budget_store="redis://h/1").daily_store == "redis://h/1"
    assert "secret" not in repr(Settings(budget_store="redis://:secret@h/1"))
    assert open_daily(Settings(), None) is None


# What a client sees


async def test_a_client_is_told_when_to_come_back() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()
        await PlainTextResponse("Good morning.")(scope, receive, send)

    async with FakeProvider(lambda r: rulings(sheet(r).ids), strict=False) as provider:
        settings = Settings.model_validate(
            {
                "audit": "memory",
                "models": {"small": "fake/small"},
                "providers": {"fake": {"kind": "anthropic", "base_url": provider.url}},
                "daily": {"tenant": {"max_calls": 0}},
            }
        )
        sent: list[Any] = []
        async with Guard.load(constitution(), settings=settings) as guard:
            app = GuardrailMiddleware(application, guard, routes={"/chat": "text"})
            scope = {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": "POST",
                "path": "/chat",
                "raw_path": b"/chat",
                "query_string": b"",
                "headers": [(b"content-type", b"text/plain")],
                "scheme": "http",
                "server": ("127.0.0.1", 80),
                "client": ("127.0.0.1", 5),
            }
            body = [{"type": "http.request", "body": b"Hello.", "more_body": False}]

            async def receive() -> Any:
                return body.pop() if body else {"type": "http.disconnect"}

            async def send(message: Any) -> None:
                sent.append(message)

            await app(scope, receive, send)
    assert sent[0]["status"] == 429
    headers = dict(sent[0]["headers"])
    assert 0 < int(headers[b"retry-after"]) <= 86_400
    assert int(headers[b"retry-after"]) != 5 or datetime.now(UTC).hour == 23
