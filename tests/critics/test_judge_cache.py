"""What a judge said is not asked again: counted at the provider, over memory and a real Redis."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis_samples import Server, serving

from guardrails.audit.keys import make_keys
from guardrails.audit.trail import MemoryTrail
from guardrails.cache.redis import TIMEOUT_S
from guardrails.cache.verdicts import CacheStatus
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import FakeProvider
from guardrails.testing.provider import Latency, ProviderRequest, Refusal, fault
from guardrails.verdict import Decision, Stage, Verdict

CANARY = "canary-text-5d1e"
INSULT = f"{CANARY}, you idiot"
NICE = f"{CANARY} is a fine name."

RULES = {
    "house.kind": "Is kind.",
    "house.calm": "Is calm.",
    "house.brief": "Is brief.",
}


def written(
    rules: dict[str, str] = RULES,
    *,
    output: str = "block",
    head: str = "",
    requires: str = "",
) -> str:
    told = "\n".join(
        f"  - {{id: {id}, text: {text}, stages: [input, output], "
        f"action: {{input: block, output: {output}}}, "
        f"critics: [judge]{requires}}}"
        for id, text in rules.items()
    )
    return f"""schema: 1
id: house
version: 1.0.0
budget: {{max_calls: 100, max_tokens: 1000000}}
replies: {{blocked: "Not here.", unavailable: "Later."}}
{head}
principles:
{told}
"""


def ids_of(request: ProviderRequest) -> list[str]:
    """What the end of a question asks about."""
    _, _, end = request.text.rpartition("each exactly once:\n")
    return re.findall(r"^- (\S+)$", end, re.MULTILINE)


def said(ids: Sequence[str], **verdicts: dict[str, str]) -> dict[str, Any]:
    blank = {"reason": f"{CANARY} says so.", "quote": "", "verdict": "pass"}
    return {"verdicts": [{"id": id, **blank, **verdicts.get(id, {})} for id in ids]}


def kind(request: ProviderRequest) -> Any:
    """A judge that minds insults by `house.kind`."""
    breach = {"verdict": "breach", "quote": "you idiot"}
    return said(ids_of(request), **({"house.kind": breach} if "idiot" in request.text else {}))


class House:
    """Guards of one installation, before one provider."""

    def __init__(self, folder: Path, provider: FakeProvider, cache: str = "memory") -> None:
        self.folder, self.provider, self.cache = folder, provider, cache
        self.file = folder / "house.yaml"
        self.trail = MemoryTrail()
        make_keys(folder / "key")

    def guard(self, text: str = "", **more: Any) -> Guard:
        self.file.write_text(text or written(), encoding="utf-8")
        settings = {
            "key_file": self.folder / "key",
            "cache": self.cache,
            "models": {"small": "fake/small", "large": "fake/large"},
            "providers": {"fake": {"kind": "anthropic", "base_url": self.provider.url}},
        } | more
        return Guard.load(self.file, settings=Settings.model_validate(settings), trail=self.trail)

    @property
    def asked(self) -> list[list[str]]:
        return [ids_of(request) for request in self.provider.requests]


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    async with FakeProvider(kind) as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, provider: FakeProvider) -> House:
    return House(tmp_path, provider)


def status(guard: Guard) -> CacheStatus:
    verdicts = guard._enforcement.plan.verdicts
    assert verdicts is not None
    return verdicts.status


def found(decision: Decision) -> list[tuple[str, str, Any]]:
    return [(f.principle, f.value, f.span) for f in decision.findings]


# Repeated traffic


@pytest.mark.parametrize("text", [NICE, INSULT], ids=["pass", "breach"])
async def test_repeated_traffic_asks_nobody(house: House, text: str) -> None:
    async with house.guard() as guard:
        first = await guard.check_output(text, prompt="Who?")
        again = [await guard.check_output(text, prompt="Who?") for _ in range(20)]
    assert house.asked == [list(RULES)]
    assert first.usage.calls == 1
    assert first.usage.cached == 0
    for decision in again:
        assert (decision.verdict, found(decision)) == (first.verdict, found(first))
        assert (decision.usage.calls, decision.usage.cost_usd) == (0, 0.0)
        assert (decision.usage.input_tokens, decision.usage.cached) == (0, 3)
        assert decision.constitution.models == first.constitution.models
    assert first.verdict is (Verdict.BLOCK if text is INSULT else Verdict.ALLOW)
    assert [record.usage.cached for record in house.trail.opened] == [0] + [3] * 20


async def test_a_kept_breach_is_found_where_the_text_stands_now(house: House) -> None:
    """The same words as another part of the exchange, after what hides an address."""
    async with house.guard() as guard:
        await guard.check_output(INSULT)
        decision = await guard.check_output(INSULT)
    (finding,) = decision.findings
    assert finding.span is not None
    assert INSULT[slice(*finding.span)] == "you idiot"
    assert CANARY not in finding.reason


async def test_a_cached_verdict_needs_no_budget_and_no_model(house: House) -> None:
    async with house.guard() as guard:
        await guard.check_output(INSULT)
    tight = written().replace("max_calls: 100", "max_calls: 0")
    async with house.guard() as other, house.guard(tight) as guard:
        await other.check_output(NICE)
        house.provider._script._always = (fault("status-529"),)
        assert (await guard.check_output(INSULT)).cause == "policy"
        assert (await guard.check_output(NICE)).verdict is Verdict.ALLOW
        assert (await guard.check_output("Something else.")).cause == "limit"


# What a key hangs on


async def test_a_changed_principle_invalidates_only_its_own(house: House) -> None:
    async with house.guard() as before:
        await before.check_output(NICE)
        prefix = house.provider.requests[-1].system
        changed = RULES | {"house.calm": "Keeps calm."}
        async with house.guard(written(changed)) as after:
            await after.check_output(NICE)
            await after.check_output(NICE)
        assert house.asked == [list(RULES), ["house.calm"]]
        assert house.provider.requests[-1].system == prefix.replace("Is calm.", "Keeps calm.")
        await before.check_output(NICE)
    assert len(house.asked) == 2, "what was kept before is still there"


async def test_another_set_of_principles_is_another_prompt(house: House) -> None:
    async with house.guard() as guard:
        await guard.check_output(NICE)
        fewer = dict(list(RULES.items())[:2])
        turned = dict(reversed(RULES.items()))
        for rules in (fewer, turned):
            async with house.guard(written(rules)) as other:
                await other.check_output(NICE)
    assert house.asked == [list(RULES), list(fewer), list(turned)]


@pytest.mark.parametrize(
    "other",
    [
        lambda guard: guard.check_output(NICE + " "),
        lambda guard: guard.check_output(NICE, prompt="Who else?"),
        lambda guard: guard.check_output(NICE, prompt="Who?", context=Context(tenant="b")),
        lambda guard: guard.check_input(NICE),
    ],
    ids=["text", "context", "tenant", "stage"],
)
async def test_another_question_is_asked(house: House, other: Callable[[Guard], Any]) -> None:
    async with house.guard() as guard:
        for _ in range(2):
            await guard.check_output(NICE, prompt="Who?")
            await other(guard)
    assert len(house.asked) == 2


async def test_another_model_or_key_is_asked(house: House, tmp_path: Path) -> None:
    async with (
        house.guard() as guard,
        house.guard(models={"small": "fake/other"}) as model,
        house.guard(key_file=None) as key,
    ):
        for each in (guard, model, key, guard, model, key):
            await each.check_output(NICE)
    assert len(house.asked) == 3


async def test_it_is_kept_as_long_as_the_constitution_says(house: House) -> None:
    now = [1_000_000.0]
    async with house.guard(written(head="cache: {ttl_s: 60}")) as guard:
        verdicts = guard._enforcement.plan.verdicts
        assert verdicts is not None
        verdicts._clock = lambda: now[0]
        for at in (0, 59, 61, 120, 121.5):
            now[0] = 1_000_000 + at
            await guard.check_output(NICE)
    assert len(house.asked) == 3


@pytest.mark.parametrize("off", ["constitution", "settings"])
async def test_off_asks_each_time(house: House, off: str) -> None:
    text = written(head="cache: {ttl_s: 0}") if off == "constitution" else ""
    more = {"cache": "off"} if off == "settings" else {}
    async with house.guard(text, **more) as guard:
        for _ in range(3):
            decision = await guard.check_output(NICE)
            assert (decision.usage.calls, decision.usage.cached) == (1, 0)
    assert len(house.asked) == 3


# Only answers are kept


NO_ANSWERS: dict[str, Any] = {
    "outage": fault("status-401"),
    "rejected": fault("status-422"),
    "refused": Refusal(),
    "cut off": '{"verdicts": [',
    "not asked": said(["house.other"]),
    "nothing": {"verdicts": []},
    "undecided": said(RULES, **{id: {"verdict": "undecided"} for id in RULES}),
    "no quote": said(RULES, **{id: {"verdict": "breach"} for id in RULES}),
    "false quote": said(RULES, **{id: {"verdict": "breach", "quote": "Nobody"} for id in RULES}),
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_what_was_no_answer_is_not_kept(house: House, answer: Any) -> None:
    house.provider._script._always = (answer,)
    async with house.guard(written(head="judge: {cascade: [small]}")) as guard:
        first = await guard.check_output(NICE)
        assert first.verdict is not Verdict.ALLOW
        calls = len(house.asked)
        house.provider._script._always = (kind,)
        assert (await guard.check_output(NICE)).verdict is Verdict.ALLOW
        assert len(house.asked) == calls + 1
        assert (await guard.check_output(NICE)).usage.cached == 3
    assert len(house.asked) == calls + 1


async def test_of_an_answer_what_is_settled_is_kept(house: House) -> None:
    def unsure(request: ProviderRequest) -> Any:
        return said(ids_of(request), **{"house.calm": {"verdict": "undecided"}})

    house.provider._script._always = (unsure,)
    async with house.guard(written(head="judge: {cascade: [small]}")) as guard:
        await guard.check_output(NICE)
        await guard.check_output(NICE)
    assert house.asked == [list(RULES), ["house.calm"]]


async def test_what_a_dearer_role_settled_asks_nobody_again(house: House) -> None:
    def unsure(request: ProviderRequest) -> Any:
        ids = ids_of(request)
        doubt = {"verdict": "undecided"}
        return said(ids, **({"house.calm": doubt} if request.model == "small" else {}))

    house.provider._script._always = (unsure,)
    async with house.guard(written(head="judge: {cascade: [small, large]}")) as guard:
        first = await guard.check_output(NICE)
        again = await guard.check_output(NICE)
    assert house.asked == [list(RULES), ["house.calm"]]
    assert (first.usage.calls, again.usage.calls, again.usage.cached) == (2, 0, 3)
    assert again.verdict is first.verdict is Verdict.ALLOW


async def test_the_word_of_a_stand_in_is_not_kept(house: House) -> None:
    def away(request: ProviderRequest) -> Any:
        return fault("status-401") if request.model == "small" else kind(request)

    house.provider._script._always = (away,)
    async with house.guard(fallbacks={"small": "fake/large"}) as guard:
        for _ in range(2):
            decision = await guard.check_output(NICE)
            assert (decision.verdict, decision.usage.cached) == (Verdict.ALLOW, 0)


async def test_what_is_missing_is_kept_too(house: House) -> None:
    missing = said(RULES, **{id: {"verdict": "breach"} for id in RULES})
    house.provider._script._always = (missing,)
    async with house.guard(written(requires=", requires: true")) as guard:
        first = await guard.check_output(NICE)
        again = await guard.check_output(NICE)
    assert found(again) == found(first) == [(id, "breach", None) for id in RULES]
    assert (len(house.asked), again.usage.cached) == (1, 3)


async def test_windows_are_kept_one_by_one(house: House) -> None:
    text = f"{'So it goes on. ' * 4_000}{INSULT}"
    budget = "budget: {max_calls: 100, max_tokens: 1000000, max_chars: 200000}"
    async with house.guard(re.sub("budget: .*", budget, written())) as guard:
        first = await guard.check_output(text)
        again = await guard.check_output(text)
        assert (first.usage.calls, again.usage.calls, again.usage.cached) == (2, 0, 6)
        longer = await guard.check_output(text + " And more.")
    assert found(again) == found(first)
    assert (longer.usage.calls, longer.usage.cached) == (1, 3)


async def test_a_revised_text_is_judged_as_a_new_one(house: House) -> None:
    def mends(request: ProviderRequest) -> Any:
        if "You mend" in request.system:
            edit = {"op": "replace", "find": ", you idiot", "text": ""}
            return {"edits": [edit], "rewrite": ""}
        return kind(request)

    house.provider._script._always = (mends,)
    async with house.guard(written(output="revise")) as guard:
        first = await guard.check_output(INSULT)
        again = await guard.check_output(INSULT)
    assert first.text == again.text == CANARY
    assert (first.usage.calls, first.usage.cached) == (3, 0)
    assert (again.usage.calls, again.usage.cached) == (1, 6), "only the reviser is asked again"


# Single flight


async def test_64_identical_checks_are_one_call(house: House) -> None:
    house.provider._latency = Latency(first_ms=200)
    async with house.guard() as guard:
        decisions = await asyncio.gather(*(guard.check_output(INSULT) for _ in range(64)))
    assert house.asked == [list(RULES)]
    assert {decision.verdict for decision in decisions} == {Verdict.BLOCK}
    assert sum(decision.usage.calls for decision in decisions) == 1
    assert sum(decision.usage.cached for decision in decisions) == 63 * 3


async def test_tenants_share_no_call(house: House) -> None:
    async with house.guard() as guard:
        tenants = [Context(tenant=str(n % 4)) for n in range(16)]
        await asyncio.gather(*(guard.check_output(NICE, context=each) for each in tenants))
    assert len(house.asked) == 4


@pytest.mark.parametrize("who", [0, 5], ids=["who asked", "who waits"])
async def test_one_who_leaves_takes_no_answer_along(house: House, who: int) -> None:
    house.provider._latency = Latency(first_ms=200)
    async with house.guard() as guard:
        tasks = [asyncio.ensure_future(guard.check_output(NICE)) for _ in range(8)]
        while not house.provider.requests.total:  # noqa: ASYNC110 - on its own account
            await asyncio.sleep(0.005)
        tasks[who].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(done.pop(who), asyncio.CancelledError)
    assert all(isinstance(each, Decision) and each.verdict is Verdict.ALLOW for each in done)
    assert len(house.asked) == 1


async def test_a_failure_is_shared_and_asked_again_later(house: House) -> None:
    house.provider._script._always = (fault("status-401"),)
    house.provider._latency = Latency(first_ms=100)
    async with house.guard() as guard:
        decisions = await asyncio.gather(*(guard.check_output(NICE) for _ in range(8)))
        assert {decision.cause for decision in decisions} == {"outage"}
        assert house.provider.requests.total == 1
        house.provider._script._always = (kind,)
        assert (await guard.check_output(NICE)).verdict is Verdict.ALLOW


async def test_one_callers_empty_purse_stops_nobody_else(house: House) -> None:
    house.provider._latency = Latency(first_ms=100)
    one_call = written().replace("max_calls: 100", "max_calls: 1")
    async with house.guard(one_call) as guard, guard.call() as poor:
        await poor.check_and_deliver("Hello?", stage=Stage.INPUT)
        decisions = await asyncio.gather(
            poor.check_and_deliver(NICE, stage=Stage.OUTPUT),
            *(guard.check_output(NICE) for _ in range(8)),
        )
    assert decisions[0].cause == "limit", "who asked first could not pay"
    assert {decision.verdict for decision in decisions[1:]} == {Verdict.ALLOW}
    assert len(house.asked) == 2


# Redis, and what is in it


@pytest.fixture
def server(tmp_path: Path) -> Any:
    with serving(tmp_path) as running:
        yield running


async def test_replicas_ask_once_between_them(house: House, server: Server) -> None:
    async with house.guard(cache=server.url) as one, house.guard(cache=server.url) as two:
        first = await one.check_output(INSULT)
        again = await two.check_output(INSULT)
        await asyncio.gather(*(one.check_output(NICE) for _ in range(64)))
        assert found(again) == found(first)
        assert (again.usage.calls, again.usage.cached) == (0, 3)
        assert (status(one).forged, status(one).away) == (0, False)
    assert len(house.asked) == 2


async def test_no_user_text_and_no_key_is_in_the_store(house: House, server: Server) -> None:
    async with house.guard(cache=server.url) as guard:
        for text in (INSULT, NICE):
            await guard.check_output(text, prompt=f"{CANARY}?", context=Context(tenant=CANARY))
    held = server.everything()
    assert len(held) == 6 + 2  # verdicts, and the replies as turns of a conversation
    assert all(re.fullmatch(rb"guardrails:verdict:[0-9a-f]{64}", key) for key in held)
    assert all(json.loads(value[16:])[1] in ("pass", "breach") for value in held.values())
    for word in (CANARY, "idiot", "house", "kind", (house.folder / "key").read_text().strip()):
        assert word.encode() not in b"".join([*held, *held.values()]), word


async def test_a_forged_verdict_is_asked_again(
    house: House, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with house.guard(cache=server.url) as guard:
        await guard.check_output(INSULT)
        with server.client() as here:
            for key, value in server.everything().items():
                here.set(key, value.replace(b"breach", b"pass"))
        with caplog.at_level(logging.DEBUG, "guardrails"):
            decision = await guard.check_output(INSULT)
        assert decision.verdict is Verdict.BLOCK
        assert status(guard).forged == 1
    assert house.asked == [list(RULES), ["house.kind"]]
    assert "verdict_cache_forged" in caplog.text
    assert CANARY not in caplog.text


async def test_redis_that_dies_costs_calls_and_nothing_else(
    house: House, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with house.guard(cache=server.url) as guard:
        await guard.check_output(INSULT)
        server.kill()
        with caplog.at_level(logging.DEBUG, "guardrails"):
            began = time.monotonic()
            decisions = [await guard.check_output(INSULT) for _ in range(3)]
            took_s = time.monotonic() - began
        assert {decision.verdict for decision in decisions} == {Verdict.BLOCK}
        assert [decision.usage.calls for decision in decisions] == [1, 1, 1]
        assert took_s < TIMEOUT_S + 2
        assert status(guard).away
        shared = await asyncio.gather(*(guard.check_output(NICE) for _ in range(16)))
        assert sum(decision.usage.calls for decision in shared) == 1, "flights need no Redis"
    assert caplog.text.count("verdict_cache_away") == 1
    assert CANARY not in caplog.text


async def test_the_canary_is_in_no_log_or_repr(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with house.guard() as guard:
            for text in (INSULT, NICE, INSULT, NICE):
                decision = await guard.check_output(text, context=Context(tenant="t"))
                assert CANARY not in repr(decision)
            memory = guard._enforcement.plan.stages["output"].critics[0].critic._bench  # type: ignore[attr-defined,index]
            assert CANARY not in repr(memory)
            assert CANARY not in repr(guard._enforcement.plan.verdicts)
    assert CANARY not in caplog.text


def test_loops_one_after_another_and_threads_share_what_is_kept(tmp_path: Path) -> None:
    with FakeProvider(kind) as provider:
        house = House(tmp_path, provider)
        guard = house.guard()

        async def once() -> Decision:
            return await guard.check_output(NICE)

        decisions = [asyncio.run(once()) for _ in range(3)] + [guard.sync.check_output(NICE)]
        assert [decision.usage.calls for decision in decisions] == [1, 0, 0, 0]
        asyncio.run(guard.aclose())
