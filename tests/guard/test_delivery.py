"""What is delivered is what was judged, or nothing is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from guard_samples import Records

from guardrails.decorator import guarded
from guardrails.errors import DeliveryError
from guardrails.guard import Guard
from guardrails.guard.content import INLINE_VALUES
from guardrails.guard.stream import TEXT
from guardrails.verdict import Decision, Stage


async def test_promise_1_a_value_that_changed_meanwhile_is_not_delivered(
    guard: Guard, records: Records
) -> None:
    value = {"text": "good day"}
    async with guard.call() as call:
        decision = await call.check(value, stage=Stage.OUTPUT)
        value["text"] = "something forbidden"
        with pytest.raises(DeliveryError, match="not what was judged"):
            await call.delivered(decision, decision.content)
    assert records.how() == [("output", "allow", "nothing")]


async def test_promise_1_a_listener_cannot_slip_something_in(
    guard: Guard, records: Records
) -> None:
    def slip(decision: Decision) -> None:
        if decision.stage is Stage.OUTPUT:
            assert isinstance(decision.content, dict)
            decision.content["text"] = "something forbidden"

    @guarded(guard, on_decision=slip, reply_to="/text")
    async def answer(question: str) -> dict[str, str]:
        return {"text": "good day"}

    with pytest.raises(DeliveryError):
        await answer("hello")
    assert records.how()[-1] == ("output", "allow", "nothing")


async def test_promise_1_what_cannot_be_read_any_more_is_not_delivered(
    guard: Guard, records: Records
) -> None:
    value: dict[str, Any] = {"text": "good day"}
    async with guard.call() as call:
        decision = await call.check(value, stage=Stage.OUTPUT)
        value["self"] = value
        with pytest.raises(DeliveryError):
            await call.delivered(decision, decision.content)
    assert records.how() == [("output", "allow", "nothing")]


async def test_promise_1_who_leaves_while_a_large_value_is_read_leaves_no_record_open(
    guard: Guard, records: Records
) -> None:
    value = ["a"] * (INLINE_VALUES + 1)
    async with guard.call() as call:
        decision = await call.check(value, stage=Stage.OUTPUT)
        delivering = asyncio.ensure_future(call.delivered(decision, decision.content))
        await asyncio.sleep(0)
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivering
    assert records.how() == [("output", "allow", "nothing")]


class SlowPurse:
    """One whose store takes its time to be told what was spent."""

    def __init__(self) -> None:
        self.is_told = asyncio.Event()

    async def reserve(self, *, calls: int, tokens: int, cost_usd: float) -> str:
        return "today"

    async def settle(self, day: str, *, tokens: int, cost_usd: float) -> None:
        return None

    def spend(self, *, calls: int, tokens: int, cost_usd: float) -> None:
        return None

    async def square(self) -> None:
        self.is_told.set()
        await asyncio.Event().wait()


async def test_promise_1_who_leaves_while_a_budget_is_told_leaves_no_record_open(
    guard: Guard, records: Records
) -> None:
    call, purse = guard.call(), SlowPurse()
    call._budget.purse = purse
    reply = await call.reply()

    async def whole() -> None:
        reply.open(TEXT)
        reply.say(0, "good day")
        reply.end()
        for release in await reply.step() or ():
            reply.left(release.number, release.text)
        await reply.close()

    closing = asyncio.ensure_future(whole())
    await purse.is_told.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await reply.abandon()
    assert records.how() == [("output", "allow", "judged")]
