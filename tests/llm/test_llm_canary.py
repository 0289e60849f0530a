"""Promise 9: nothing that was asked, nothing that was answered and no key is in an error, a log, a
repr or a span, whatever went wrong and however much is logged."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from llm_samples import (
    CANARY,
    KEY,
    KINDS,
    Kind,
    asked,
    asking,
    completion,
    message,
    question,
    serving,
)

from guardrails.llm.protocol import Answer, Question
from guardrails.testing import FakeProvider
from guardrails.testing.provider import Fault, faults

SAID = "canary-said-77b2"
SECRETS = (CANARY, "canary-9c1f", KEY, SAID)


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All loggers at their most talkative, the SDK's among them."""
    loud = [logging.getLogger(name) for name in ("anthropic", "httpx2", "aiohttp", "guardrails")]
    before = [each.level for each in loud]
    for each in loud:
        each.setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        yield caplog
    for each, level in zip(loud, before, strict=True):
        each.setLevel(level)


def leaked(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it leads to, whether or not it is shown."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        found = left.pop()
        if found is not None and found not in seen:
            seen.append(found)
            left += [found.__cause__, found.__context__]
    yield from seen


def told(error: BaseException) -> str:
    """Whatever a reporter of errors may send: messages, arguments and attributes of the chain."""
    return "\n".join(
        f"{each!r} {each} {each.args!r} {vars(each)!r}" for each in chain(error)
    ) + "".join(traceback.format_exception(error))


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(
        f"{record.getMessage()} {record.args!r} {record.exc_text or ''}"
        for record in caplog.records
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trouble", faults(), ids=str)
async def test_9_no_fault_tells_what_was_asked(
    kind: Kind, trouble: Fault, everything_logged: pytest.LogCaptureFixture
) -> None:
    async with FakeProvider(trouble) as provider, asking(kind, provider) as made:
        made.model.prepare()
        asking_it = made.model.ask(question(), timeout_s=0.5)
        (end,) = await asyncio.gather(asking_it, return_exceptions=True)
    if isinstance(end, BaseException):
        assert not leaked(told(end))
        assert end.__context__ is None, "what an SDK raised is not even kept"
    assert not leaked(repr(end))
    assert not leaked(logged(everything_logged))


async def repeats(kind: Kind, status: int, request: web.Request) -> web.StreamResponse:
    """An endpoint that says back all that it was sent."""
    body: dict[str, Any] = {
        "type": "error",
        "error": {"type": CANARY, "message": f"{await request.text()} {SAID}", "code": SAID},
        "request_id": SAID,
    }
    headers = dict.fromkeys(("request-id", "x-request-id", "retry-after"), f"{KEY} {SAID}")
    return web.json_response(body, status=status, headers=headers)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [200, 400, 401, 404, 422, 429, 500, 529])
async def test_9_nor_does_an_endpoint_that_repeats_it(
    kind: Kind, status: int, everything_logged: pytest.LogCaptureFixture
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await repeats(kind, status, request)

    async with serving(handler) as url:
        made = asked(kind, url)
        with pytest.raises(Exception, match=rf"^{kind}/") as raised:
            await made.model.ask(question(), timeout_s=20)
        await made.model.aclose()
    assert not leaked(told(raised.value))
    own = [each for each in everything_logged.records if each.name.startswith("guardrails")]
    assert not leaked("\n".join(each.getMessage() for each in own))
    asked_about = "\n".join(each.getMessage() for each in everything_logged.records)
    assert CANARY not in asked_about
    assert KEY not in asked_about.replace(f"{KEY} {SAID}", ""), "but for what the endpoint made up"


@pytest.mark.parametrize("kind", KINDS)
async def test_9_nor_does_an_answer(
    kind: Kind, everything_logged: pytest.LogCaptureFixture
) -> None:
    whole = {
        "anthropic": message(content=[{"type": "text", "text": SAID}]),
        "openai": completion(
            choices=[{"finish_reason": "stop", "message": {"role": "assistant", "content": SAID}}]
        ),
    }[kind]

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response(whole)

    async with serving(handler) as url:
        made = asked(kind, url)
        answer = await made.model.ask(question(), timeout_s=20)
        await made.model.aclose()
    assert answer.text == SAID
    assert not leaked(f"{answer!r} {answer}")
    assert not leaked(logged(everything_logged))
    assert not leaked(f"{made.model!r} {made.model} {made.endpoint!r} {made.endpoint}")
    assert not leaked(repr(question()))


async def test_9_the_applications_own_requests_are_logged_as_before(
    everything_logged: pytest.LogCaptureFixture,
) -> None:
    """What it asks by the same SDK is its own affair."""
    from anthropic import AsyncAnthropic

    async with FakeProvider({"answer": "forty-two"}) as provider:
        async with asking("anthropic", provider) as made:
            await made.model.ask(question(), timeout_s=20)
        assert "Request options" not in everything_logged.text
        async with AsyncAnthropic(api_key="test", base_url=provider.url, max_retries=0) as client:
            turn = {"role": "user", "content": "Hello"}
            await client.messages.create(
                model="claude-haiku-5-5",
                max_tokens=100,
                messages=[turn],  # type: ignore[list-item]
            )
    assert "Request options" in everything_logged.text


def test_9_questions_and_answers_show_no_text() -> None:
    assert "canary" not in repr(Question(prefix=CANARY, text=CANARY, schema={}, max_tokens=1))
    tokens = question()
    assert "canary" not in f"{tokens}"
    fields = Answer.__dataclass_fields__
    assert not fields["text"].repr
    assert not fields["request_id"].repr
