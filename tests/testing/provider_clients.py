"""The official SDKs as clients of the fake provider, each endpoint behind one face."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from guardrails.testing import FakeProvider

Json = dict[str, Any]
QUESTION = [{"role": "user", "content": "What is it?"}]
MESSAGES: Json = {"model": "claude-haiku-5-5", "max_tokens": 4_000, "messages": QUESTION}
CHAT: Json = {"model": "gpt-5", "messages": QUESTION}
RESPONSES: Json = {"model": "gpt-5", "input": "What is it?"}


@asynccontextmanager
async def anthropic(provider: FakeProvider, **more: Any) -> AsyncIterator[AsyncAnthropic]:
    settings: Json = {"api_key": "test", "max_retries": 0, "timeout": 20} | more
    client = AsyncAnthropic(base_url=provider.url, _strict_response_validation=True, **settings)
    async with client:
        yield client


@asynccontextmanager
async def openai(provider: FakeProvider, **more: Any) -> AsyncIterator[AsyncOpenAI]:
    settings: Json = {"api_key": "test", "max_retries": 0, "timeout": 20} | more
    client = AsyncOpenAI(base_url=provider.openai_url, _strict_response_validation=True, **settings)
    async with client:
        yield client


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a client made of a reply, whichever endpoint's."""

    text: str
    thinking: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    refusal: str | None = None
    stop: str | None = None
    output_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Face:
    """One endpoint: how it is asked, whole and streaming."""

    client: Callable[..., Any]
    request: Json
    whole: Callable[[Any, Json], Awaitable[Told]]
    stream: Callable[[Any, Json], Awaitable[Told]]
    calls: Callable[[Any], Any]
    """The SDK's resource, with `create`."""


def told_by_message(message: Any) -> Told:
    of = {kind: [b for b in message.content if b.type == kind] for kind in _KINDS}
    return Told(
        text="".join(block.text for block in of["text"]),
        thinking="".join(block.thinking for block in of["thinking"]),
        calls=tuple((block.name, block.input) for block in of["tool_use"]),
        refusal=message.stop_details.explanation if message.stop_details else None,
        stop=message.stop_reason,
        output_tokens=message.usage.output_tokens,
    )


_KINDS = ("text", "thinking", "tool_use")


def told_by_completion(completion: Any) -> Told:
    choice = completion.choices[0]
    calls = choice.message.tool_calls or ()
    return Told(
        text=choice.message.content or "",
        calls=tuple((call.function.name, call.function.arguments) for call in calls),
        refusal=choice.message.refusal,
        stop=choice.finish_reason,
        output_tokens=completion.usage.completion_tokens if completion.usage else 0,
    )


def told_by_response(response: Any) -> Told:
    items = response.output
    parts = [part for item in items if item.type == "message" for part in item.content]
    summaries = [s for item in items if item.type == "reasoning" for s in item.summary]
    cut = response.incomplete_details.reason if response.incomplete_details else None
    return Told(
        text="".join(part.text for part in parts if part.type == "output_text"),
        thinking="".join(summary.text for summary in summaries),
        calls=tuple((i.name, i.arguments) for i in items if i.type == "function_call"),
        refusal=next((part.refusal for part in parts if part.type == "refusal"), None),
        stop=cut or response.status,
        output_tokens=response.usage.output_tokens,
    )


async def message(client: Any, request: Json) -> Told:
    return told_by_message(await client.messages.create(**request))


async def message_stream(client: Any, request: Json) -> Told:
    async with client.messages.stream(**request) as stream:
        return told_by_message(await stream.get_final_message())


async def completion(client: Any, request: Json) -> Told:
    return told_by_completion(await client.chat.completions.create(**request))


async def completion_stream(client: Any, request: Json) -> Told:
    options = {"include_usage": True}
    async with client.chat.completions.stream(**request, stream_options=options) as stream:
        return told_by_completion(await stream.get_final_completion())


async def response(client: Any, request: Json) -> Told:
    return told_by_response(await client.responses.create(**request))


async def response_stream(client: Any, request: Json) -> Told:
    """`get_final_response` knows completed ones only; the last event has the others, too."""
    async with client.responses.stream(**request) as stream:
        events = [event async for event in stream]
    last = getattr(events[-1], "response", None) if events else None
    if last is None or last.status == "in_progress":
        raise UnfinishedError
    return told_by_response(last)


class UnfinishedError(Exception):
    """A stream that ended before its end, of which the SDK says nothing."""


FACES = {
    "messages": Face(
        client=anthropic,
        request=MESSAGES,
        whole=message,
        stream=message_stream,
        calls=lambda client: client.messages,
    ),
    "chat": Face(
        client=openai,
        request=CHAT,
        whole=completion,
        stream=completion_stream,
        calls=lambda client: client.chat.completions,
    ),
    "responses": Face(
        client=openai,
        request=RESPONSES,
        whole=response,
        stream=response_stream,
        calls=lambda client: client.responses,
    ),
}
