"""The ways in, each as one call that comes to whatever its caller sees of it."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from anthropic import AsyncAnthropic, DefaultAioHttpClient
from starlette.requests import Request
from starlette.responses import JSONResponse

from guardrails import guarded, wrap
from guardrails.asgi import GuardrailMiddleware
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.testing import FakeProvider

__all__ = ["SURFACES", "Surface", "told"]

Surface = Callable[[Guard, FakeProvider, str, Context], Awaitable[str]]
"""A guard, the provider of the application's own model, what is asked and answered, and by whom:
all that a caller, its log or its reporter of errors may come to show."""


async def checked(guard: Guard, _: FakeProvider, text: str, who: Context) -> str:
    decision = await guard.check_output(text, prompt=text, context=who)
    assert not decision.delivers, "else the text would rightly be in it"
    return f"{decision!r} {decision} {decision.text} {guard!r} {guard}"


async def checked_sync(guard: Guard, _: FakeProvider, text: str, who: Context) -> str:
    decision = await asyncio.to_thread(guard.sync.check_output, text, prompt=text, context=who)
    return f"{decision!r} {decision} {decision.text}"


async def decorated(guard: Guard, _: FakeProvider, text: str, who: Context) -> str:
    @guarded(guard, on_block="raise", context=lambda _: who)
    async def answer(question: str) -> str:
        return question

    @guarded(guard, context=lambda _: who)
    async def answer_instead(question: str) -> str:
        return question

    raised = (await asyncio.gather(answer(text), return_exceptions=True))[0]
    assert isinstance(raised, BaseException)
    return f"{told(raised)} {answer!r} {await answer_instead(text)}"


async def wrapped(guard: Guard, provider: FakeProvider, text: str, who: Context) -> str:
    http = DefaultAioHttpClient(verify=False)  # certificates would take most of the time
    own = AsyncAnthropic(api_key="sk-own", base_url=provider.url, max_retries=0, http_client=http)
    async with own:
        client = wrap(own, guard, context=who)
        answer = await client.messages.create(
            model="claude-haiku-5-5",
            max_tokens=100,
            messages=[{"role": "user", "content": text}],
        )
        return f"{client!r} {answer!r} {answer.model_dump()}"


async def behind_asgi(guard: Guard, _: FakeProvider, text: str, who: Context) -> str:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        asked = await Request(scope, receive).json()
        await JSONResponse({"answer": asked["message"]})(scope, receive, send)

    app = GuardrailMiddleware(
        application, guard, routes={"/chat": "json: /message -> /answer"}, context=lambda _: who
    )
    body = [{"type": "http.request", "body": json.dumps({"message": text}).encode()}]
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Any:
        return body.pop() if body else await asyncio.Event().wait()

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    await app(SCOPE, receive, send)
    return f"{sent!r} {app!r}"


SURFACES: Mapping[str, Surface] = {
    "guard": checked,
    "sync": checked_sync,
    "decorator": decorated,
    "wrapped client": wrapped,
    "asgi": behind_asgi,
}

SCOPE: Mapping[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "POST",
    "path": "/chat",
    "raw_path": b"/chat",
    "query_string": b"",
    "headers": [(b"content-type", b"application/json")],
    "scheme": "http",
    "server": ("127.0.0.1", 80),
    "client": ("127.0.0.1", 5),
}


def told(error: BaseException) -> str:
    """Whatever a reporter of errors may send: messages, arguments and attributes of the chain."""
    shown = [f"{each!r} {each} {each.args!r} {vars(each)!r}" for each in _chain(error)]
    return "\n".join([*shown, *traceback.format_exception(error)])


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        found = left.pop()
        if found is not None and found not in seen:
            seen.append(found)
            left += [found.__cause__, found.__context__]
    yield from seen
