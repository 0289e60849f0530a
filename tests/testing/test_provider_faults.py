"""Every fault on every endpoint, whole and streamed, and what the official SDKs make of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from provider_clients import CHAT, FACES, MESSAGES, anthropic, openai

from guardrails.testing import FakeProvider, Fault, ProviderRequest, api_error, fault, faults

TOLD = "told"
FORTY_TWO = '{"answer": "forty-two"}'

STATUSES = {
    400: ("BadRequestError", "BadRequestError"),
    401: ("AuthenticationError", "AuthenticationError"),
    403: ("PermissionDeniedError", "PermissionDeniedError"),
    404: ("NotFoundError", "NotFoundError"),
    408: ("RequestTimeoutError", "APIStatusError"),
    413: ("ContentTooLargeError", "APIStatusError"),
    422: ("UnprocessableEntityError", "UnprocessableEntityError"),
    429: ("RateLimitError", "RateLimitError"),
    500: ("InternalServerError", "InternalServerError"),
    502: ("InternalServerError", "InternalServerError"),
    503: ("ServiceUnavailableError", "InternalServerError"),
    504: ("GatewayTimeoutError", "InternalServerError"),
    529: ("OverloadedError", "InternalServerError"),
}
"""Status → the errors of anthropic and of openai."""

ANTH, OPEN = "anthropic", "openai"
LOST, LATE, ODD = "APIConnectionError", "APITimeoutError", "APIResponseValidationError"
UNFINISHED = "provider_clients.UnfinishedError"
NOT_JSON = "json.JSONDecodeError"
NOTHING = "builtins.AssertionError"
"""What the streaming helpers of both SDKs raise for a stream without its first event."""

OTHERS: dict[str, tuple[str, ...]] = {
    "never-answers": (*[f"{ANTH}.{LATE}"] * 2, *[f"{OPEN}.{LATE}"] * 4),
    "reset-before-headers": (*[f"{ANTH}.{LOST}"] * 2, *[f"{OPEN}.{LOST}"] * 4),
    "reset-mid-body": (f"{ANTH}.{LOST}", "httpx2.ReadError", *[f"{OPEN}.{LOST}"] * 4),
    "stall-mid-body": (f"{ANTH}.{LATE}", "httpx2.ReadTimeout", *[f"{OPEN}.{LATE}"] * 4),
    "gzip-garbage": (f"{ANTH}.{LOST}", "httpx2.DecodingError", *[f"{OPEN}.{LOST}"] * 4),
    "cut-off-body": (NOT_JSON, TOLD, NOT_JSON, TOLD, NOT_JSON, UNFINISHED),
    "empty-body": (NOT_JSON, NOTHING, NOT_JSON, NOTHING, NOT_JSON, UNFINISHED),
    "html": (f"{ANTH}.{ODD}", NOTHING, f"{OPEN}.{ODD}", NOTHING, f"{OPEN}.{ODD}", UNFINISHED),
    "html-502": (
        *[f"{ANTH}.InternalServerError"] * 2, *[f"{OPEN}.InternalServerError"] * 4,
    ),
    "wrong-shape": (*[f"{ANTH}.{ODD}"] * 2, *[f"{OPEN}.{ODD}"] * 4),
    "unknown-block": (*[f"{ANTH}.{ODD}"] * 2, TOLD, TOLD, *[f"{OPEN}.{ODD}"] * 2),
    "error-event": (
        f"{ANTH}.OverloadedError", f"{ANTH}.APIStatusError",
        f"{OPEN}.InternalServerError", f"{OPEN}.APIError",
        f"{OPEN}.InternalServerError", UNFINISHED,
    ),
    "content-filter": (TOLD, TOLD, TOLD, f"{OPEN}.ContentFilterFinishReasonError", TOLD, TOLD),
    "max-tokens": (TOLD, TOLD, TOLD, f"{OPEN}.LengthFinishReasonError", TOLD, TOLD),
    **dict.fromkeys(
        ("slow-drip", "wrong-content-type", "duplicate-keys", "cut-off-json", "wrong-schema",
         "refusal", "empty-content", "empty-text", "huge-body"),
        (TOLD,) * 6,
    ),
}  # fmt: skip
"""Fault → what happens on (messages, chat, responses), each whole and streamed, to clients that
validate strictly and do not retry."""

PLACES = [(name, mode) for name in FACES for mode in ("whole", "stream")]


async def at_once(seconds: float) -> None:
    await asyncio.sleep(0)


def expected(trouble: Fault, name: str, mode: str) -> str:
    if trouble.name in OTHERS:
        return OTHERS[trouble.name][PLACES.index((name, mode))]
    pair = STATUSES[trouble.status]
    return f"{ANTH}.{pair[0]}" if name == "messages" else f"{OPEN}.{pair[1]}"


async def outcome(trouble: Fault, name: str, mode: str) -> tuple[str, Any]:
    """What a client sees, by its name, and itself."""
    face = FACES[name]
    timeout = {"never": 0.3, "stall_midway": 1.0}.get(trouble.treatment, 20)
    async with (
        FakeProvider(trouble, sleep=at_once) as provider,
        face.client(provider, timeout=timeout) as client,
    ):
        try:
            return TOLD, await getattr(face, mode)(client, face.request)
        except Exception as error:
            return f"{type(error).__module__.partition('.')[0]}.{type(error).__name__}", error


@pytest.mark.parametrize(("name", "mode"), PLACES)
@pytest.mark.parametrize("trouble", faults(), ids=str)
async def test_the_sdks_say_what_the_table_says(trouble: Fault, name: str, mode: str) -> None:
    kind, seen = await outcome(trouble, name, mode)
    assert kind == expected(trouble, name, mode), repr(seen)[:300]
    if trouble.status != 200:
        assert seen.status_code == trouble.status


@pytest.mark.parametrize(("name", "mode"), PLACES)
@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        ("slow-drip", FORTY_TWO),
        ("wrong-content-type", FORTY_TWO),
        ("duplicate-keys", FORTY_TWO),
        ("cut-off-json", '{"answer": "forty'),
        ("wrong-schema", '{"nothing": ["that", 1, null]}'),
        ("empty-content", ""),
        ("huge-body", "a" * 8 * 1024 * 1024),
    ],
)
async def test_what_gets_through_is_the_answer(
    trouble: str, text: str, name: str, mode: str
) -> None:
    _, told = await outcome(fault(trouble), name, mode)
    assert told.text == text


STOPS: dict[str, tuple[str, str, str]] = {
    "refusal": ("refusal", "stop", "completed"),
    "content-filter": ("refusal", "content_filter", "content_filter"),
    "max-tokens": ("max_tokens", "length", "max_output_tokens"),
    "cut-off-json": ("end_turn", "stop", "completed"),
}


@pytest.mark.parametrize("name", FACES)
@pytest.mark.parametrize("trouble", STOPS)
async def test_why_it_stopped_is_said_in_the_providers_words(trouble: str, name: str) -> None:
    _, told = await outcome(fault(trouble), name, "whole")
    assert told.stop == STOPS[trouble][list(FACES).index(name)]


@pytest.mark.parametrize(("name", "mode"), PLACES)
async def test_a_refusal_says_why_and_nothing_else(name: str, mode: str) -> None:
    _, told = await outcome(fault("refusal"), name, mode)
    assert (told.text, told.refusal) == ("", "I cannot help with that.")


async def test_a_cut_off_stream_of_messages_has_no_reason_to_stop() -> None:
    """The SDK raises nothing: only the missing `stop_reason` tells."""
    _, told = await outcome(fault("cut-off-body"), "messages", "stream")
    assert told.stop is None
    assert FORTY_TWO.startswith(told.text)


async def test_a_client_that_is_not_strict_builds_unknown_blocks() -> None:
    async with FakeProvider(fault("unknown-block")) as provider:
        async with AsyncAnthropic(api_key="test", base_url=provider.url) as client:
            message = await client.messages.create(**MESSAGES)
        assert [block.type for block in message.content] == ["future_block", "text"]
        async with AsyncOpenAI(api_key="test", base_url=provider.openai_url) as other:
            response = await other.responses.create(model="gpt-5", input="What is it?")
        assert [item.type for item in response.output] == ["future_block", "message"]


async def test_an_error_inside_a_stream_of_responses_is_an_event() -> None:
    async with (
        FakeProvider(fault("error-event")) as provider,
        openai(provider) as client,
    ):
        stream = await client.responses.create(model="gpt-5", input="What is it?", stream=True)
        events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "error"
    assert events[-1].message == "Overloaded"


async def test_a_page_with_502_is_a_page() -> None:
    _, error = await outcome(fault("html-502"), "messages", "whole")
    assert error.response.headers["content-type"] == "text/html"
    assert "<html>" in error.response.text


@pytest.mark.parametrize("name", FACES)
@pytest.mark.parametrize(
    ("way", "header", "value"),
    [
        ("seconds", "retry-after", "3"),
        ("ms", "retry-after-ms", "3000"),
        ("date", "retry-after", "Thu, 01 Jan 1970 00:01:43 GMT"),
    ],
)
async def test_when_to_come_back(name: str, way: Any, header: str, value: str) -> None:
    trouble = api_error(429, retry_after_s=3, retry_after_as=way)
    face = FACES[name]
    async with (
        FakeProvider(trouble, clock=lambda: 100.0) as provider,
        face.client(provider) as client,
    ):
        try:
            await face.whole(client, face.request)
        except Exception as error:
            headers = error.response.headers  # type: ignore[attr-defined]
    assert {k: v for k, v in headers.items() if k.startswith("retry")} == {header: value}


@pytest.mark.parametrize("name", FACES)
@pytest.mark.parametrize("way", ["seconds", "ms"])
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
async def test_clients_try_again_until_it_works(name: str, way: Any, status: int) -> None:
    trouble = api_error(status, retry_after_s=0.01, retry_after_as=way)
    face = FACES[name]
    async with (
        FakeProvider([trouble, trouble, "At last."]) as provider,
        face.client(provider, max_retries=2) as client,
    ):
        assert (await face.whole(client, face.request)).text == "At last."
        counts = [request.headers["x-stainless-retry-count"] for request in provider.requests]
    assert counts == ["0", "1", "2"]


@pytest.mark.parametrize("name", FACES)
async def test_should_retry_is_obeyed(name: str) -> None:
    face = FACES[name]
    script = [api_error(500, should_retry=False), "Never asked for."]
    async with (
        FakeProvider(script) as provider,
        face.client(provider, max_retries=2) as client,
    ):
        with pytest.raises(Exception, match="500"):
            await face.whole(client, face.request)
        assert provider.left == 1


@pytest.mark.parametrize("name", FACES)
async def test_a_reset_is_tried_again(name: str) -> None:
    face = FACES[name]
    async with (
        FakeProvider([fault("reset-before-headers"), "At last."]) as provider,
        face.client(provider, max_retries=1) as client,
    ):
        assert (await face.whole(client, face.request)).text == "At last."


async def test_errors_have_the_providers_shape_and_an_id() -> None:
    async with FakeProvider(api_error(429, message="Slow down")) as provider:
        async with anthropic(provider) as client:
            with pytest.raises(Exception, match="Slow down") as caught:
                await client.messages.create(**MESSAGES)
            error: Any = caught.value
            assert (error.type, error.request_id) == ("rate_limit_error", provider.requests[0].id)
            assert error.body["request_id"] == error.request_id
        async with openai(provider) as client:
            with pytest.raises(Exception, match="Slow down") as caught:
                await client.chat.completions.create(**CHAT)
            error = caught.value
            assert (error.code, error.request_id) == (
                "rate_limit_exceeded",
                provider.requests[1].id,
            )


async def test_a_fault_may_say_something_else() -> None:
    face = FACES["messages"]
    async with (
        FakeProvider(fault("slow-drip").saying({"verdict": "pass"}), sleep=at_once) as provider,
        face.client(provider) as client,
    ):
        assert (await face.whole(client, face.request)).text == '{"verdict": "pass"}'


def test_faults_have_names_of_their_own() -> None:
    names = [str(trouble) for trouble in faults()]
    assert len(set(names)) == len(names)
    assert all(trouble.about for trouble in faults())
    assert fault("refusal") in faults()
    with pytest.raises(KeyError, match="there are status-400"):
        fault("no-such-fault")


def test_the_table_knows_no_fault_that_is_gone() -> None:
    assert set(OTHERS) <= {str(trouble) for trouble in faults()}


async def test_what_hangs_ends_with_the_provider() -> None:
    """A client without a time-out is let go when the block ends, and at once."""
    asked = asyncio.Event()

    def hang(request: ProviderRequest) -> Fault:
        asked.set()
        return fault("never-answers")

    async with asyncio.timeout(5):
        async with FakeProvider(hang) as provider:
            client = AsyncAnthropic(api_key="test", base_url=provider.url, max_retries=0)
            asking = asyncio.create_task(client.messages.create(**MESSAGES))
            await asked.wait()
        with pytest.raises(Exception, match="Connection error"):
            await asking
        await client.close()
