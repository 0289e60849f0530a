"""What the official SDKs read in a stream: each body is served to them over a loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState

QUESTION: Any = [{"role": "user", "content": "What is it?"}]


@dataclass
class Streams:
    """A server that answers each request with `body`, and the SDKs as its clients."""

    anthropic: AsyncAnthropic
    openai: AsyncOpenAI
    served: dict[str, bytes] = field(default_factory=dict)

    async def read(self, name: str, body: bytes, *, helper: bool = False) -> Any:
        """The whole reply that the SDK of a format makes of a stream."""
        self.served["body"] = body
        match name:
            case "anthropic":
                return await self._message()
            case "openai-chat":
                return await self._completion(helper=helper)
        return await self._response(helper=helper)

    async def _message(self) -> Any:
        asked: Any = {"model": "m", "max_tokens": 10, "messages": QUESTION}
        async with self.anthropic.messages.stream(**asked) as stream:
            return await stream.get_final_message()

    async def _completion(self, *, helper: bool) -> Any:
        """The helper raises where a filter ended the reply; who reads the chunks does not."""
        asked: Any = {"model": "m", "messages": QUESTION}
        if helper:
            async with self.openai.chat.completions.stream(**asked) as stream:
                return await stream.get_final_completion()
        state = ChatCompletionStreamState()
        async for chunk in await self.openai.chat.completions.create(stream=True, **asked):
            state.handle_chunk(chunk)
        return state.current_completion_snapshot

    async def _response(self, *, helper: bool) -> Any:
        """The helper knows completed ones only; the last event has the others, too, or is an
        error, of which the SDK makes no exception."""
        asked: Any = {"model": "m", "input": "What is it?"}
        if helper:
            async with self.openai.responses.stream(**asked) as stream:
                return await stream.get_final_response()
        events = [event async for event in await self.openai.responses.create(stream=True, **asked)]
        return getattr(events[-1], "response", events[-1])


@asynccontextmanager
async def streams() -> AsyncIterator[Streams]:
    served: dict[str, bytes] = {}

    async def answer(request: web.Request) -> web.Response:
        headers = {"content-type": "text/event-stream; charset=utf-8"}
        return web.Response(body=served["body"], headers=headers)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    url = f"http://127.0.0.1:{port}"
    settings: Any = {"api_key": "test", "max_retries": 0, "timeout": 20}
    try:
        async with (
            AsyncAnthropic(base_url=url, _strict_response_validation=True, **settings) as claude,
            AsyncOpenAI(base_url=f"{url}/v1", _strict_response_validation=True, **settings) as gpt,
        ):
            yield Streams(claude, gpt, served)
    finally:
        await runner.cleanup()
