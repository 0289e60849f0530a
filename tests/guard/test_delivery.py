"""What is delivered is what was judged, or nothing is."""

from __future__ import annotations

from typing import Any

import pytest
from guard_samples import Records

from guardrails.decorator import guarded
from guardrails.errors import DeliveryError
from guardrails.guard import Guard
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
