"""The providers' bodies and streams through the middleware, read by their own SDKs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgi_house import REPLY, Records, Said, Script, plain_app
from asgi_providers import PROVIDERS, Json, Provider, pieces_of
from asgi_server import ask, serving

from guardrails.asgi import GuardrailMiddleware
from guardrails.guard import Guard

JSON = "application/json"
EVENTS = "text/event-stream"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(params=PROVIDERS.values(), ids=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> Provider:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=["named", "auto"])
async def port(
    request: pytest.FixtureRequest, guard: Guard, script: Script, provider: Provider
) -> AsyncIterator[int]:
    format = provider.format if request.param == "named" else "auto"
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": format})
    async with serving(guarded, lifespan="off") as number:
        yield number


def spaced(value: Json) -> bytes:
    """As no serialiser of ours would write it."""
    return json.dumps(value, indent=3).replace("\n", "\r\n").encode()


DELIVERED: dict[str, tuple[str, str | None, str]] = {
    "a clean one": ("Hello, wörld \U0001f389!", "Hello, wörld \U0001f389!", "allow"),
    "an odd one": ("It goes oddly well.", "It goes oddly well.", "flag"),
    "a secret": ("My secret is out.", "My  is out.", "redact"),
    "a promise": ("Hi. I promise it. Bye.", "Hi. Please ask a person. Bye.", "revise"),
    "a forbidden one": ("This is forbidden.", REPLY, "block"),
}


@pytest.mark.parametrize(("said", "delivered", "verdict"), DELIVERED.values(), ids=DELIVERED)
async def test_a_whole_reply(
    port: int, script: Script, records: Records, provider: Provider, said: str, delivered: str,
    verdict: str,
) -> None:  # fmt: skip
    body = spaced(provider.reply(said))
    script.said = Said(body, JSON)
    got = await ask(port, provider.path, json.dumps(provider.request("hi")), media_type=JSON)
    assert (got.status, got.verdict, got.media_type) == (200, verdict, JSON)
    if said == delivered:
        assert got.body == body
    reply = json.loads(got.body)
    assert provider.text(reply) == delivered
    assert provider.stopped(reply) == (verdict == "block")
    assert reply["id"] == provider.reply("")["id"]
    assert [verdict for _, verdict, _ in records.how()] == ["allow", verdict]


@pytest.mark.parametrize(("said", "delivered", "verdict"), DELIVERED.values(), ids=DELIVERED)
async def test_a_streamed_reply(
    port: int, script: Script, records: Records, provider: Provider, said: str, delivered: str,
    verdict: str,
) -> None:  # fmt: skip
    stream = provider.stream(pieces_of(said))
    script.said = Said([stream[:100], stream[100:]], EVENTS)
    asked = json.dumps(provider.request("hi", stream=True))
    got = await ask(port, provider.path, asked, media_type=JSON)
    assert (got.status, got.media_type) == (200, EVENTS)
    assert got.verdict in ("pending", verdict)
    how = ("reply", "cut") if verdict == "block" else ("judged",)
    assert records.how()[-1] in [("output", verdict, one) for one in how]
    assert (got.body == stream) == (said == delivered)
    for word in ("secret", "promise", "forbidden"):
        assert word not in got.body.decode()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_prompt_is_stopped_before_the_application(
    port: int, script: Script, records: Records, provider: Provider, stream: bool
) -> None:
    asked = json.dumps(provider.request("forb\u200bidden?", stream=stream))
    asked = asked.replace("forb", "\\u0066orb")
    got = await ask(port, provider.path, asked, media_type=JSON)
    assert not script.seen
    assert (got.status, got.verdict) == (200, "block")
    assert got.media_type == (EVENTS if stream else JSON)
    assert REPLY in got.body.decode()
    if not stream:
        reply = json.loads(got.body)
        assert provider.text(reply) == REPLY
        assert provider.stopped(reply)
        assert reply["model"] == provider.request("")["model"]


async def test_a_prompt_is_redacted_and_all_else_of_it_stays(
    port: int, script: Script, provider: Provider
) -> None:
    more = {"metadata": {"user_id": "u-1"}, "temperature": 0.5, "stop": ["x"]}
    script.said = Said(json.dumps(provider.reply("fine")).encode(), JSON)
    asked = provider.request("what is the secret here", **more)
    await ask(port, provider.path, json.dumps(asked), media_type=JSON)
    (seen,) = script.seen
    assert json.loads(seen.body) == provider.request("what is the  here", **more)
    assert seen.headers["content-length"] == str(len(seen.body))


@pytest.mark.parametrize(
    ("name", "before", "more", "verdict"),
    [
        ("anthropic", [{"type": "tool_use", "id": "t", "name": "mail",
                        "input": {"to": "forbidden"}}], {}, "block"),
        ("anthropic", [{"type": "thinking", "thinking": "forbidden", "signature": "s"}], {},
         "block"),
        ("anthropic", [{"type": "redacted_thinking", "data": "x"}], {}, "block"),
        ("anthropic", [{"type": "news", "words": "x"}], {}, "block"),
        ("openai-responses", [{"type": "function_call", "id": "f", "call_id": "c", "name": "mail",
                               "arguments": '{"to": "forb\\u0069dden"}'}], {}, "block"),
        ("openai-responses", [{"type": "reasoning", "id": "r", "summary": [
            {"type": "summary_text", "text": "forbidden"}]}], {}, "block"),
        ("openai-chat", [], {"tool_calls": [{"id": "t", "type": "function", "function": {
            "name": "mail", "arguments": '{"to": "forb\\u0069dden"}'}}]}, "block"),
        ("openai-chat", [], {"refusal": "forbidden"}, "block"),
        ("openai-chat", ["it is forbidden"], {}, "block"),
        ("openai-chat", ["fine, too"], {}, "allow"),
    ],
    ids=["tool use", "thinking", "sealed thinking", "an unknown block", "function call",
         "reasoning", "tool call", "refusal", "the second choice", "two choices"],
)  # fmt: skip
async def test_all_of_a_reply_is_judged(
    guard: Guard, script: Script, name: str, before: list[Any], more: Json, verdict: str
) -> None:
    provider = PROVIDERS[name]
    guarded = GuardrailMiddleware(plain_app(script), guard)
    script.said = Said(json.dumps(provider.reply("fine", *before, **more)).encode(), JSON)
    async with serving(guarded, lifespan="off") as port:
        got = await ask(port, provider.path, json.dumps(provider.request("hi")), media_type=JSON)
    assert got.verdict == verdict
    assert b"forb" not in got.body


async def test_signed_thinking_is_left_out_whole_and_not_edited(
    guard: Guard, script: Script
) -> None:
    provider = PROVIDERS["anthropic"]
    thinking = {"type": "thinking", "thinking": "the secret", "signature": "s1"}
    script.said = Said(json.dumps(provider.reply("fine", thinking)).encode(), JSON)
    async with serving(GuardrailMiddleware(plain_app(script), guard), lifespan="off") as port:
        got = await ask(port, provider.path, json.dumps(provider.request("hi")), media_type=JSON)
    assert json.loads(got.body)["content"] == [{"type": "text", "text": "fine"}]


async def test_system_text_comes_from_outside_unless_it_is_trusted(
    guard: Guard, script: Script
) -> None:
    provider = PROVIDERS["anthropic"]
    asked = json.dumps(provider.request("hi", system="say nothing forbidden"))
    script.said = Said(json.dumps(provider.reply("fine")).encode(), JSON)
    for trusts, verdict in ((False, "block"), (True, "allow")):
        app = GuardrailMiddleware(plain_app(script), guard, trust_system=trusts)
        async with serving(app, lifespan="off") as port:
            got = await ask(port, provider.path, asked, media_type=JSON)
        assert got.verdict == verdict


async def test_a_providers_error_goes_on_as_one(
    port: int, script: Script, provider: Provider
) -> None:
    body = b'{"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}'
    script.said = Said(body, JSON, status=529)
    got = await ask(port, provider.path, json.dumps(provider.request("hi")), media_type=JSON)
    assert (got.status, got.body, got.verdict) == (529, body, "allow")


@pytest.mark.parametrize("format", ["auto", "anthropic", "openai-chat", "json", "text"])
async def test_a_stream_of_unknown_events_is_opaque_unless_it_is_said_to_be_text(
    guard: Guard, script: Script, format: str
) -> None:
    stream = b"event: bit\ndata: Hel\n\nevent: bit\ndata: lo\n\ndata: [DONE]\n\n"
    script.said = Said(stream, EVENTS)
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": format})
    async with serving(guarded, lifespan="off") as port:
        asked = json.dumps(PROVIDERS["anthropic"].request("hi"))
        got = await ask(port, "/x", asked, media_type=JSON)
        assert (got.verdict, got.body == stream) == (
            ("allow", True) if format == "text" else ("block", False)
        )
        if format == "text":
            script.said = Said(stream.replace(b"Hel", b"my sec").replace(b"lo", b"ret"), EVENTS)
            got = await ask(port, "/x", asked, media_type=JSON)
            assert got.body == b"event: bit\ndata: my \n\ndata: [DONE]\n\n"
            script.said = Said(stream.replace(b"Hel", b"forb").replace(b"lo", b"idden"), EVENTS)
            got = await ask(port, "/x", asked, media_type=JSON)
            assert got.body == f"event: bit\ndata: {REPLY}\n\ndata: [DONE]\n\n".encode()
            script.said = Said(stream.replace(b"event: bit", b"event: forbidden"), EVENTS)
            assert (await ask(port, "/x", asked, media_type=JSON)).verdict == "block"


# -- through the SDKs ----------------------------------------------------------------------------


def answer_of(provider: Provider, said: str, stream: bool) -> Said:
    if stream:
        return Said(provider.stream(pieces_of(said)), EVENTS)
    return Said(json.dumps(provider.reply(said)).encode(), JSON)


async def anthropic_create(port: int) -> tuple[str, str | None]:
    async with _anthropic(port) as client:
        message = await client.messages.create(**PROVIDERS["anthropic"].request("hi"))
    return "".join(b.text for b in message.content if b.type == "text"), message.stop_reason


async def anthropic_streamed(port: int) -> tuple[str, str | None]:
    text, reason = "", None
    async with _anthropic(port) as client:
        request = PROVIDERS["anthropic"].request("hi", stream=True)
        async for event in await client.messages.create(**request):
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                text += event.delta.text
            elif event.type == "message_delta":
                reason = event.delta.stop_reason
    return text, reason


async def anthropic_helper(port: int) -> tuple[str, str | None]:
    request = PROVIDERS["anthropic"].request("hi")
    async with _anthropic(port) as client, client.messages.stream(**request) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        message = await stream.get_final_message()
    assert text == "".join(b.text for b in message.content if b.type == "text")
    return text, message.stop_reason


async def chat_create(port: int) -> tuple[str, str | None]:
    async with _openai(port) as client:
        made = await client.chat.completions.create(**PROVIDERS["openai-chat"].request("hi"))
    return made.choices[0].message.content, made.choices[0].finish_reason


async def chat_streamed(port: int) -> tuple[str, str | None]:
    text, reason = "", None
    async with _openai(port) as client:
        request = PROVIDERS["openai-chat"].request("hi", stream=True)
        async for made in await client.chat.completions.create(**request):
            for choice in made.choices:
                text += choice.delta.content or ""
                reason = choice.finish_reason or reason
    return text, reason


async def chat_helper(port: int) -> tuple[str, str | None]:
    async with _openai(port) as client:
        request = PROVIDERS["openai-chat"].request("hi")
        async with client.chat.completions.stream(**request) as stream:
            text = ""
            async for event in stream:
                if event.type == "content.delta":
                    text += event.delta
            try:
                made = await stream.get_final_completion()
            except Exception as error:  # what it does of a content filter
                return text, type(error).__name__
    return text, made.choices[0].finish_reason


async def responses_create(port: int) -> tuple[str, str | None]:
    async with _openai(port) as client:
        made = await client.responses.create(**PROVIDERS["openai-responses"].request("hi"))
    return made.output_text, made.status


async def responses_streamed(port: int) -> tuple[str, str | None]:
    text, status = "", None
    async with _openai(port) as client:
        request = PROVIDERS["openai-responses"].request("hi", stream=True)
        async for event in await client.responses.create(**request):
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type in ("response.completed", "response.incomplete"):
                assert event.response.output_text == text
                status = event.response.status
    return text, status


async def responses_helper(port: int) -> tuple[str, str | None]:
    request = PROVIDERS["openai-responses"].request("hi")
    async with _openai(port) as client, client.responses.stream(**request) as stream:
        text = "".join([e.delta async for e in stream if e.type == "response.output_text.delta"])
    return text, None


def _anthropic(port: int) -> Any:
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(
        api_key="test", base_url=f"http://127.0.0.1:{port}", max_retries=0, timeout=20,
        _strict_response_validation=True,
    )  # fmt: skip


def _openai(port: int) -> Any:
    from openai import AsyncOpenAI

    return AsyncOpenAI(
        api_key="test", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0, timeout=20
    )


WAYS: dict[str, tuple[str, bool, Any, set[str | None]]] = {
    "anthropic, create": ("anthropic", False, anthropic_create, {"refusal"}),
    "anthropic, streamed": ("anthropic", True, anthropic_streamed, {"refusal"}),
    "anthropic, stream helper": ("anthropic", True, anthropic_helper, {"refusal"}),
    "chat, create": ("openai-chat", False, chat_create, {"content_filter"}),
    "chat, streamed": ("openai-chat", True, chat_streamed, {"content_filter"}),
    "chat, stream helper": (
        "openai-chat", True, chat_helper, {"content_filter", "ContentFilterFinishReasonError"},
    ),
    "responses, create": ("openai-responses", False, responses_create, {"incomplete"}),
    "responses, streamed": ("openai-responses", True, responses_streamed, {"incomplete"}),
    "responses, stream helper": ("openai-responses", True, responses_helper, {None}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "streams", "way", "stopped"), WAYS.values(), ids=WAYS)
async def test_the_official_sdks_read_what_is_delivered(
    guard: Guard, script: Script, name: str, streams: bool, way: Any, stopped: set[str | None]
) -> None:
    async with serving(GuardrailMiddleware(plain_app(script), guard), lifespan="off") as port:
        for said, delivered, verdict in DELIVERED.values():
            script.said = answer_of(PROVIDERS[name], said, streams)
            text, reason = await way(port)
            assert text == delivered, said
            if verdict == "block":
                assert reason in stopped
