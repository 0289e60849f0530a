"""Questions, endpoints and a server that does what it is told, for the tests of models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from guardrails.llm.anthropic import AnthropicModel
from guardrails.llm.breaker import Breaker
from guardrails.llm.endpoint import Endpoint, Retries
from guardrails.llm.openai import OpenAIModel
from guardrails.llm.protocol import Question
from guardrails.testing import FakeProvider, FixedClock

Kind = Literal["anthropic", "openai"]
KINDS: tuple[Kind, ...] = ("anthropic", "openai")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CANARY = "canary-9c1f-Jörg-Müller"
KEY = "sk-test-canary-key"
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string", "maxLength": 40}},
    "required": ["answer"],
    "additionalProperties": False,
}


def question(**more: Any) -> Question:
    said: dict[str, Any] = {
        "prefix": f"The rules: {CANARY}.",
        "text": f"What is it, {CANARY}?",
        "schema": SCHEMA,
        "max_tokens": 2_000,
    }
    return Question(**said | more)


@dataclass
class Waits:
    """A sleep that does not: it notes how long was asked for and moves the clock on."""

    clock: FixedClock
    told: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.told.append(seconds)
        self.clock.move(seconds)
        await asyncio.sleep(0)


@dataclass
class Asked:
    """A model, its endpoint, and what it waited for."""

    model: AnthropicModel | OpenAIModel
    endpoint: Endpoint
    clock: FixedClock
    waits: Waits


def asked(
    kind: Kind,
    url: str,
    *,
    name: str = "claude-haiku-5-5",
    retries: Retries | None = None,
    threshold: int = 5,
    max_concurrency: int = 32,
    api_key: str | None = KEY,
    connect_s: float = 5.0,
) -> Asked:
    """A model at that address whose clock stands still and whose waits take no time."""
    clock = FixedClock(1_000.0)
    waits = Waits(clock)
    endpoint = Endpoint(
        kind,
        base_url=url,
        api_key=api_key,
        max_concurrency=max_concurrency,
        connect_s=connect_s,
        breaker=Breaker(clock=clock, threshold=threshold),
        clock=clock,
        sleep=waits,
        chance=lambda: 0.0,
    )
    kinds: dict[Kind, type[AnthropicModel | OpenAIModel]]
    kinds = {"anthropic": AnthropicModel, "openai": OpenAIModel}
    model = kinds[kind](name, endpoint, retries=retries or Retries())
    return Asked(model, endpoint, clock, waits)


@asynccontextmanager
async def asking(kind: Kind, provider: FakeProvider, **more: Any) -> AsyncIterator[Asked]:
    """A model at the fake provider, closed at the end."""
    url = provider.url if kind == "anthropic" else provider.openai_url
    made = asked(kind, url, **more)
    try:
        yield made
    finally:
        await made.model.aclose()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A server of one handler, on loopback. Its address, without a path."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def message(**more: Any) -> dict[str, Any]:
    """A whole answer of Anthropic's."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": [{"type": "text", "text": '{"answer": "forty-two"}'}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    } | more


def completion(**more: Any) -> dict[str, Any]:
    """A whole answer of Chat Completions."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-5",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": '{"answer": "forty-two"}'},
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
    } | more


BODIES: Mapping[Kind, Mapping[str, Any]] = {"anthropic": message(), "openai": completion()}
