"""What the fake provider records, refuses, counts and caches, as the real ones do."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest
from provider_clients import CHAT, FACES, MESSAGES, RESPONSES, Json, anthropic, openai

from guardrails.testing import FakeProvider, FixedClock
from guardrails.testing.provider.prompt_cache import minimum_tokens
from guardrails.testing.provider.tokens import count_tokens, first_tokens, pieces

NOW = {"anthropic-version": "2026-10-21"}
THEN = {"anthropic-version": "2023-06-01"}
PATHS = {
    "messages": "/v1/messages",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "count": "/v1/messages/count_tokens",
}
OPUS = {"model": "claude-opus-5-5"}
TOOL: Json = {"name": "look", "input_schema": {"type": "object"}}
USED: Json = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
RESULT: Json = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}


async def post(
    provider: FakeProvider, path: str, body: Any, headers: Json | None = None
) -> tuple[int, Json]:
    sent = io.BytesIO(body) if isinstance(body, bytes) else None
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            provider.url + path,
            json=None if sent is not None else body,
            data=sent,
            headers=NOW if headers is None else headers,
        ) as response,
    ):
        return response.status, await response.json()


def blocks(*content: Json, role: str = "user") -> Json:
    return {"messages": [{"role": role, "content": list(content)}]}


def asked(schema: Any) -> Json:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def cached(ttl: str, text: str = "x") -> Json:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": None}, "model: Field required"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "greater than or equal to 1"),
        ({"max_tokens": "9"}, "valid integer"),
        ({"messages": []}, "at least one message"),
        ({"messages": None}, "messages: Field required"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
        (blocks({"type": "text", "text": ""}), "non-empty"),
        (blocks({"text": "x"}), "messages.0.content.0.type"),
        ({"stream": "yes"}, "valid boolean"),
        ({"system": 3}, "system"),
        ({"temperature": 0.5}, "temperature: Extra inputs"),
        ({"top_p": 0.5}, "top_p"),
        ({"top_k": 5}, "top_k"),
        (OPUS | {"tools": [TOOL], "tool_choice": {"type": "any"}}, "tool_choice"),
        (OPUS | {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "look"}}, "tool_choice"),
        (OPUS | blocks({"type": "text", "text": "x"}, role="assistant"), "prefill"),
        ({"tool_choice": {"type": "auto"}}, "while providing tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "else"}}, "not found"),
        ({"tools": [TOOL, TOOL]}, "unique"),
        ({"tools": [{"name": "look"}]}, "input_schema"),
        (blocks(USED, role="assistant"), "tool_result"),
        (blocks(RESULT), "unexpected `tool_use_id`"),
        (asked("object"), "schema: Input should be an object"),
        (asked({"type": "objekt"}), "not a valid JSON schema"),
        (asked({"type": "object", "properties": {}}), "additionalProperties"),
        (asked({"type": "array", "items": {"type": "object"}}), "schema.items"),
        (asked({"type": "integer", "minimum": 1}), "'minimum' is not supported"),
        ({"output_config": {"format": {"type": "json"}}}, "should be 'json_schema'"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "schema: Field required"),
        (blocks(cached("2h")), "'5m' or '1h'"),
        (blocks(cached("5m"), cached("1h")), "must not come after"),
        (blocks(*[cached("5m")] * 5), "maximum of 4"),
    ],
)
async def test_messages_are_refused_as_documented(change: Json, says: str) -> None:
    body = {k: v for k, v in (MESSAGES | change).items() if v is not None}
    async with FakeProvider("Never.") as provider:
        status, told = await post(provider, PATHS["messages"], body)
        assert (status, told["error"]["type"]) == (400, "invalid_request_error")
        assert says in told["error"]["message"]
        assert provider.requests[0].status == 400


@pytest.mark.parametrize(
    "change",
    [
        OPUS | {"tools": [TOOL], "tool_choice": {"type": "auto"}},
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        blocks({"type": "text", "text": "x"}, role="assistant"),
        blocks(cached("1h"), cached("5m")),
        asked({"type": "object", "properties": {}, "additionalProperties": False}),
    ],
    ids=str,
)
async def test_messages_are_taken_as_documented(change: Json) -> None:
    async with FakeProvider("Yes.") as provider:
        assert (await post(provider, PATHS["messages"], MESSAGES | change))[0] == 200


async def test_older_versions_take_a_temperature() -> None:
    async with FakeProvider("Yes.") as provider:
        body = MESSAGES | {"temperature": 0.0}
        assert (await post(provider, PATHS["messages"], body, THEN))[0] == 200
        assert (await post(provider, PATHS["messages"], MESSAGES, {}))[0] == 400
        odd = {"anthropic-version": "1999-01-01"}
        assert (await post(provider, PATHS["messages"], MESSAGES, odd))[0] == 400


def chat_format(**described: Any) -> Json:
    return {"response_format": {"type": "json_schema", "json_schema": described}}


LOOSE: Json = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": None}, "model"),
        ({"messages": None}, "Missing required parameter: 'messages'"),
        ({"messages": []}, "empty array"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]}, "tool_calls"),
        ({"stream": "yes"}, "boolean"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"max_tokens": 0}, "below minimum"),
        ({"n": "two"}, "integer"),
        ({"response_format": {"type": "yaml"}}, "Supported values"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (chat_format(schema={}), "response_format.json_schema.name"),
        (chat_format(name="a b", schema={}), "does not match pattern"),
        (chat_format(name="a"), "response_format.json_schema.schema"),
        (chat_format(name="a", schema={"type": "objekt"}), "not a valid JSON schema"),
        (chat_format(name="a", strict=True, schema=LOOSE), "additionalProperties"),
        (
            chat_format(name="a", strict=True, schema=LOOSE | {"additionalProperties": False}),
            "Missing 'a'",
        ),
        (chat_format(name="a", strict=True, schema={"type": "array"}), 'type: "object"'),
        ({"tool_choice": "auto"}, "only allowed when 'tools'"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ],
)
async def test_completions_are_refused_as_documented(change: Json, says: str) -> None:
    body = {k: v for k, v in (CHAT | change).items() if v is not None}
    async with FakeProvider("Never.") as provider:
        status, told = await post(provider, PATHS["chat"], body, {})
        assert (status, told["error"]["type"]) == (400, "invalid_request_error")
        assert says in told["error"]["message"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"input": None}, "'input'"),
        ({"input": 5}, "a string or an array"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": ""}]}, "No tool"),
        ({"max_output_tokens": 0}, "below minimum"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "a", "schema": 7}}}, "an object"),
        (
            {"tools": [{"type": "function", "name": "a"}],
             "tool_choice": {"type": "function", "name": "b"}},
            "not found",
        ),
    ],
)  # fmt: skip
async def test_responses_are_refused_as_documented(change: Json, says: str) -> None:
    body = {k: v for k, v in (RESPONSES | change).items() if v is not None}
    async with FakeProvider("Never.") as provider:
        status, told = await post(provider, PATHS["responses"], body, {})
        assert status == 400
        assert says in told["error"]["message"]


@pytest.mark.parametrize("path", PATHS.values())
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'"x"'])
async def test_bodies_that_are_no_object_are_refused(path: str, body: bytes) -> None:
    async with FakeProvider("Never.") as provider:
        status, told = await post(provider, path, body)
    assert status == 400
    assert "error" in told


async def test_paths_that_are_not_there() -> None:
    async with FakeProvider("Never.") as provider:
        status, told = await post(provider, "/v1/messages/batches", {})
        assert (status, told["error"]["type"]) == (404, "not_found_error")
        status, told = await post(provider, "/v1/embeddings", {}, {})
        assert (status, told["error"]["code"]) == (404, "unknown_url")
        assert provider.requests[0].endpoint == "other"


async def test_methods_that_are_not_there() -> None:
    async with FakeProvider("Never.") as provider, aiohttp.ClientSession() as session:
        for path in PATHS.values():
            async with session.get(provider.url + path) as response:
                assert response.status == 405
                assert "error" in await response.json()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer right"}, 200),
        ({"authorization": "bearer right"}, 200),
        ({"x-api-key": "right"}, 200),
        ({"x-api-key": "wrong"}, 401),
        ({"authorization": "Basic right"}, 401),
        ({}, 401),
    ],
)
@pytest.mark.parametrize("name", FACES)
async def test_keys(headers: Json, status: int, name: str) -> None:
    async with FakeProvider("Yes.", api_key="right") as provider:
        found, told = await post(provider, PATHS[name], FACES[name].request, NOW | headers)
        assert found == status
    if status == 401:
        error = told["error"]
        assert (error.get("code") or error["type"]) in ("invalid_api_key", "authentication_error")
        assert "wrong" not in str(told)


async def test_requests_are_on_record() -> None:
    async with FakeProvider("Yes.", keep=2) as provider:
        async with anthropic(provider, api_key="mine") as client:
            await client.messages.create(**MESSAGES, system="Be kind.")
        (first,) = provider.requests
        assert (first.endpoint, first.method, first.path) == ("messages", "POST", "/v1/messages")
        assert (first.key, first.system, first.text) == ("mine", "Be kind.", "What is it?")
        assert first.headers["anthropic-version"] == "2026-10-21"
        assert first.body["max_tokens"] == 4_000
        assert (first.streaming, first.status, first.schema) == (False, None, None)
        assert "Be kind" not in repr(first)
        async with openai(provider) as other:
            await other.responses.create(**RESPONSES, instructions="Be brief.")
            await other.chat.completions.create(
                model="gpt-5",
                messages=[
                    {"role": "developer", "content": "Be wise."},
                    {"role": "user", "content": [{"type": "text", "text": "Why?"}]},
                ],
            )
        second, third = provider.requests
        assert (second.system, second.text) == ("Be brief.", "What is it?")
        assert (third.system, third.text) == ("Be wise.", "Why?")
        assert provider.requests.total == 3


async def test_the_record_is_bounded_by_bytes() -> None:
    async with FakeProvider("Yes.", keep_bytes=3_000) as provider:
        for _ in range(5):
            await post(provider, PATHS["responses"], {"model": "m", "input": "x" * 1_000}, {})
        assert (len(provider.requests), provider.requests.total) == (2, 5)


async def test_requests_of_any_size_are_bounded() -> None:
    async with FakeProvider("Never.") as provider:
        huge = b'{"model": "' + b"a" * (33 * 1024 * 1024) + b'"}'
        status, told = await post(provider, PATHS["messages"], huge)
    assert (status, told["error"]["type"]) == (413, "request_too_large")


LONG = "word " * 1_000
"""1,250 tokens."""


async def usages(
    requests: Sequence[Json], clock: FixedClock | None = None, pauses: Sequence[float] = ()
) -> list[tuple[int, ...]]:
    """(input, written for 5m, for 1h, read) of one request after the other."""
    clock = clock or FixedClock()
    found = []
    async with FakeProvider("Yes.", clock=clock) as provider, anthropic(provider) as client:
        for at, request in enumerate(requests):
            message = await client.messages.create(**(MESSAGES | request))
            usage = message.usage
            assert usage.cache_creation is not None
            parts = (
                usage.cache_creation.ephemeral_5m_input_tokens,
                usage.cache_creation.ephemeral_1h_input_tokens,
            )
            assert usage.cache_creation_input_tokens == sum(parts)
            found.append((usage.input_tokens, *parts, usage.cache_read_input_tokens or 0))
            clock.move(pauses[at] if at < len(pauses) else 0)
    return found


def system(*parts: Json) -> Json:
    return {"system": list(parts)}


async def test_a_prefix_is_written_then_read() -> None:
    first = system(cached("5m", LONG))
    other = first | {"messages": [{"role": "user", "content": "Something else?"}]}
    assert await usages([first, first, other]) == [
        (3, 1250, 0, 0),
        (3, 0, 0, 1250),
        (4, 0, 0, 1250),
    ]


async def test_another_prefix_or_model_is_another_entry() -> None:
    first, other = system(cached("5m", LONG)), system(cached("5m", "A" + LONG[1:]))
    sonnet = first | {"model": "claude-sonnet-5-5"}
    assert [read for *_, read in await usages([first, other, sonnet])] == [0, 0, 0]


async def test_short_prefixes_are_not_cached() -> None:
    short = system(cached("5m", "word " * 800))
    assert await usages([short, short]) == [(1003, 0, 0, 0)] * 2
    haiku = system(cached("5m", LONG)) | {"model": "claude-haiku-4-5"}
    assert await usages([haiku]) == [(1253, 0, 0, 0)]


@pytest.mark.parametrize(("ttl", "lives", "dies"), [("5m", 299, 301), ("1h", 3599, 3601)])
async def test_entries_die_and_reading_keeps_them_alive(
    ttl: str, lives: float, dies: float
) -> None:
    request = system(cached(ttl, LONG))
    found = await usages([request] * 4, pauses=[lives, lives, dies])
    assert [read for *_, read in found] == [0, 1250, 1250, 0]


async def test_a_growing_conversation_reads_the_longest_and_writes_the_rest() -> None:
    base = cached("1h", LONG)
    turn: Json = {"role": "user", "content": [cached("5m", LONG)]}
    answer: Json = {"role": "assistant", "content": "Four"}
    last: Json = {"role": "user", "content": [cached("5m", "And?")]}
    first = system(base) | {"messages": [turn]}
    second = system(base) | {"messages": [turn, answer, last]}
    assert await usages([first, second, second]) == [
        (0, 1250, 1250, 0),
        (0, 2, 0, 2500),
        (0, 0, 0, 2502),
    ]


async def test_one_control_for_the_whole_request() -> None:
    request = {"system": LONG, "cache_control": {"type": "ephemeral"}}
    assert await usages([request, request]) == [(0, 1253, 0, 0), (0, 0, 0, 1253)]


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ("claude-haiku-5-5", 1024),
        ("claude-haiku-4-5-20251001", 4096),
        ("claude-opus-4-5", 4096),
        ("claude-sonnet-4-6", 2048),
        ("claude-3-haiku-20240307", 2048),
        ("something-else", 1024),
    ],
)
def test_the_least_that_is_cached(model: str, least: int) -> None:
    assert minimum_tokens(model) == least


async def test_openai_caches_long_prompts_by_itself() -> None:
    clock = FixedClock()
    long = CHAT | {"messages": [{"role": "system", "content": LONG}, *CHAT["messages"]]}
    found = []
    async with FakeProvider("Yes.", clock=clock) as provider, openai(provider) as client:
        for request in (long, long, CHAT, long):
            completion = await client.chat.completions.create(**request)
            assert completion.usage is not None
            assert completion.usage.prompt_tokens_details is not None
            found.append(completion.usage.prompt_tokens_details.cached_tokens)
            clock.move(500)
        response = await client.responses.create(**RESPONSES, instructions=LONG)
        again = await client.responses.create(model="gpt-5", input="Else?", instructions=LONG)
    assert found == [0, 1152, 0, 0]
    assert response.usage is not None
    assert again.usage is not None
    assert response.usage.input_tokens == 1253
    assert again.usage.input_tokens_details.cached_tokens == 1152


@pytest.mark.parametrize("text", ["", "a", "abcd", "Zürich 🎉🎉🎉", "\ud800", "漢字" * 50])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_pieces_add_up(text: str, size: int) -> None:
    cut = list(pieces(text, size))
    assert "".join(piece.text for piece in cut) == text
    assert sum(piece.tokens for piece in cut) == count_tokens(text)
    assert all(count_tokens(piece.text) <= size for piece in cut)
    assert text.startswith(first_tokens(text, size))
    assert count_tokens(first_tokens(text, size)) <= size
