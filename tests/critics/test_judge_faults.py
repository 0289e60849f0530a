"""What each failure of a model leads to is what the table in docs/judge.md says."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
from judge_samples import constitution, house, principle

from guardrails.constitution.model import Budget, Judging
from guardrails.decorator import guarded
from guardrails.guard import Guard
from guardrails.testing.provider import FakeProvider, Fault, When, faults
from guardrails.verdict import Decision, Verdict, cause_of

DOC = Path(__file__).parents[2] / "docs" / "judge.md"
OnDoubt = Literal["flag", "block", "escalate"]
WAYS: tuple[OnDoubt, ...] = get_args(OnDoubt)
RULES = [
    principle(f"rule.{doubt}.{outage}", on_undecided=doubt, on_outage=outage)
    for doubt, outage in itertools.product(WAYS, WAYS)
]
ANSWER_S, ALL_S = 3.0, 8.0
"""Retries have their time, or the time-out of the last attempt would be what is told."""
AT_ONCE = 16


def table() -> dict[str, str]:
    """Fault to cause, as the doc has it: rows of | what | `fault`, … | cause | … |."""
    found = {}
    for row in DOC.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in row.split("|")]
        if len(cells) == 6 and cells[3] in ("`outage`", "`refused`", "`malformed`", "`timeout`"):
            found |= dict.fromkeys(re.findall(r"`([^`]+)`", cells[2]), cells[3].strip("`"))
    return found


TABLE = table()


def test_the_table_names_every_fault() -> None:
    assert set(TABLE) == {fault.name for fault in faults()}


async def _streamed(guard: Guard) -> Decision:
    stream = guard.stream(["Good ", "morning."])
    async for _ in stream:
        pass
    return stream.decision


async def _returned(guard: Guard) -> Decision:
    told: list[Decision] = []

    @guarded(guard, prompt=None, on_decision=told.append)
    async def answer() -> str:
        return "Good morning."

    await answer()
    return told[-1]


async def _yielded(guard: Guard) -> Decision:
    told: list[Decision] = []

    @guarded(guard, prompt=None, on_decision=told.append)
    async def answer() -> AsyncIterator[str]:
        yield "Good morning."

    async for _ in answer():
        pass
    return told[-1]


WAYS_IN: dict[str, Callable[[Guard], Awaitable[Decision]]] = {
    "output": lambda guard: guard.check_output("Good morning."),
    "stream": _streamed,
    "input": lambda guard: guard.check_input("Good morning."),
    "retrieval": lambda guard: guard.check("Good morning.", stage="retrieval"),
    "tool call": lambda guard: guard.check_tool_call("greet", {"words": "Good morning."}),
    "function": _returned,
    "generator": _yielded,
}


async def judged(
    fault: Fault, kind: str, way: str = "output", *, alone: bool = False
) -> tuple[Decision, float]:
    more: dict[str, Any] = {} if kind == "anthropic" else {"models": {"small": "other/third"}}
    made = constitution(
        *RULES, judging=Judging(timeout_s=ANSWER_S), budget=Budget(deadline_s=ALL_S)
    )
    async with house(fault, made, alone=alone, **more) as here:
        started = time.perf_counter()
        decision = await WAYS_IN[way](here.guard)
        return decision, time.perf_counter() - started


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("anthropic", "output"),
        ("openai", "output"),
        ("anthropic", "stream"),
        *(
            pytest.param("anthropic", way, marks=pytest.mark.proof)
            for way in WAYS_IN
            if way not in ("output", "stream")
        ),
    ],
)
async def test_every_fault_leads_to_what_the_table_says(kind: str, way: str) -> None:
    at_once = asyncio.Semaphore(AT_ONCE)

    async def one(fault: Fault) -> tuple[Decision, float]:
        async with at_once:
            return await judged(fault, kind, way)

    all_faults = [replace(fault, pause_s=3.0) for fault in faults()]  # a drip slower than waited
    await judged(all_faults[0], kind)  # imports an SDK
    before = asyncio.all_tasks()
    decisions = await asyncio.gather(*map(one, all_faults))
    for fault, (decision, took) in zip(all_faults, decisions, strict=True):
        cause = TABLE[fault.name]
        assert {finding.cause for finding in decision.findings} == {cause}, fault
        for finding in decision.findings:
            _, doubt, outage = finding.principle.split(".")
            assert finding.action == (outage if cause == "outage" else doubt), fault
            assert finding.value == "undecided"
        assert decision.verdict is Verdict.ESCALATE
        assert decision.cause == cause_of(decision.findings[0].cause)
        assert not decision.breaches
        assert decision.usage.calls == 1
        assert took < ALL_S, fault
    await asyncio.sleep(0.05)
    left = [task for task in asyncio.all_tasks() - before if not task.done()]
    assert not left


@pytest.mark.parametrize("doubt", WAYS)
@pytest.mark.parametrize("outage", WAYS)
@pytest.mark.parametrize("name", ["status-403", "refusal", "cut-off-json"])
async def test_one_rule_decides_alone_what_its_failure_means(
    name: str, doubt: OnDoubt, outage: OnDoubt
) -> None:
    (fault,) = (each for each in faults() if each.name == name)
    made = constitution(principle(on_undecided=doubt, on_outage=outage))
    async with house(fault, made) as here:
        decision = await here.guard.check_output("Good morning.")
        (opened,) = here.trail.opened
    away = TABLE[name] == "outage"
    assert str(decision.verdict) == (outage if away else doubt)
    assert decision.cause == ("outage" if away else "undecided")
    assert (opened.verdict, opened.cause) == (decision.verdict, decision.cause)
    assert (decision.text == "Good morning.") == (decision.verdict is Verdict.FLAG)


async def test_a_provider_that_is_not_there_is_an_outage() -> None:
    async with FakeProvider() as gone:
        url = gone.url
    made = constitution(principle(on_outage="flag"), judging=Judging(timeout_s=ANSWER_S))
    providers = {"fake": {"kind": "anthropic", "base_url": url}}
    async with house(made=made, providers=providers) as here:
        decision = await here.guard.check_output("Good morning.")
    assert (decision.verdict, decision.cause) == (Verdict.FLAG, "outage")


def named(name: str) -> Fault:
    (found,) = (fault for fault in faults() if fault.name == name)
    return found


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
@pytest.mark.parametrize("first", ["status-503", "reset-before-headers", "html-502"])
async def test_2_an_outage_whose_retry_times_out_is_told_as_an_outage(
    first: str, kind: str
) -> None:
    more: dict[str, Any] = {} if kind == "anthropic" else {"models": {"small": "other/third"}}
    made = constitution(
        principle(on_outage="flag", on_undecided="block"), judging=Judging(timeout_s=1.0)
    )
    script = [named(first), named("never-answers")]
    async with house(script, made, **more) as here:
        decision = await here.guard.check_output("Good morning.")
        assert len(here.provider.requests) == 2
    assert (decision.verdict, decision.cause) == (Verdict.FLAG, "outage")
    assert decision.usage.calls == 1
    assert decision.usage.input_tokens > 100, "the retry may be charged"
    assert decision.usage.cost_usd


async def test_2_so_is_one_whose_fallback_times_out() -> None:
    made = constitution(
        principle(on_outage="flag", on_undecided="block"), judging=Judging(timeout_s=1.0)
    )
    script = [
        When(lambda request: request.endpoint == "messages", named("status-401")),
        named("never-answers"),
    ]
    async with house(script, made, fallbacks={"small": "other/third"}) as here:
        decision = await here.guard.check_output("Good morning.")
        assert [request.endpoint for request in here.provider.requests] == ["messages", "chat"]
    assert (decision.verdict, decision.cause) == (Verdict.FLAG, "outage")
