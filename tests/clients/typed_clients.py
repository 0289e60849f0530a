"""What type checkers make of wrapped clients: mypy reads this file as part of `make lint`.

An `assert_type` that does not hold is an error, and so is a `type: ignore` that nothing needs.
"""

from __future__ import annotations

from typing import assert_type

from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response

from guardrails import wrap

assert_type(wrap(AsyncAnthropic(), "medical"), AsyncAnthropic)
assert_type(wrap(Anthropic(), "medical"), Anthropic)
assert_type(wrap(AsyncOpenAI(), "medical"), AsyncOpenAI)
assert_type(wrap(OpenAI(), "medical"), OpenAI)


async def ask() -> None:
    anthropic = wrap(AsyncAnthropic(), "medical", offline=True, on_block="raise")
    assert_type(await anthropic.messages.create(model="m", max_tokens=1, messages=[]), Message)
    openai = wrap(AsyncOpenAI(), "medical")
    assert_type(await openai.responses.create(model="m", input="x"), Response)


wrap(Anthropic(), "medical", on_block="hide")  # type: ignore[arg-type]  # no such choice
