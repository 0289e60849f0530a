"""The official SDKs ask the fake provider, and read what its script says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from anthropic import Anthropic, transform_schema
from anthropic import DefaultAioHttpClient as ClaudesTransport
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import DefaultAioHttpClient as OpenAIsTransport
from openai import OpenAI
from provider_clients import CHAT, FACES, MESSAGES, RESPONSES, Json, Told, anthropic, openai
from pydantic import BaseModel

from guardrails.testing import (
    FakeProvider,
    Latency,
    Refusal,
    Reply,
    Thinking,
    ToolCall,
    WholeReply,
)
from guardrails.wire.event_replies import ANTHROPIC
from guardrails.wire.event_replies import CHAT as CHAT_EVENTS
from guardrails.wire.event_replies import RESPONSES as RESPONSE_EVENTS
from guardrails.wire.sse import parse_events

PLACES = [(name, mode) for name in FACES for mode in ("whole", "stream")]
everywhere = pytest.mark.parametrize(("name", "mode"), PLACES)


class Critique(BaseModel):
    verdict: str
    reasons: list[str]


CRITIQUE = {"verdict": "pass", "reasons": ["It is kind."]}
SCHEMA: Json = transform_schema(Critique)


async def told(answer: Any, name: str, mode: str, **more: Any) -> Told:
    face = FACES[name]
    async with FakeProvider(answer) as provider, face.client(provider) as client:
        found: Told = await getattr(face, mode)(client, face.request | more)
        assert provider.requests[0].streaming is (mode == "stream")
        return found


@everywhere
@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Hello.", "Hello."),
        ("Zwölf Boxkämpfer 🥊 jagen\n\nÑandú\u2028über\x85den\r\nSylter\0Deich", None),
        ({"a": [1, None, "ü"]}, '{"a": [1, null, "ü"]}'),
        (None, "null"),
        (3.5, "3.5"),
        (Reply("One. ", "Two."), "One. Two."),
        (lambda request: request.text.upper(), "WHAT IS IT?"),
    ],
    ids=["text", "unicode", "json", "null", "number", "parts", "callable"],
)
async def test_answers_arrive(answer: Any, text: str | None, name: str, mode: str) -> None:
    found = await told(answer, name, mode)
    assert found.text == (answer if text is None else text)
    assert found.stop in ("end_turn", "stop", "completed")


@everywhere
async def test_an_async_callable_answers(name: str, mode: str) -> None:
    async def answer(request: Any) -> str:
        await asyncio.sleep(0)
        return f"{request.endpoint} {request.model}"

    assert (await told(answer, name, mode)).text == f"{name} {FACES[name].request['model']}"


@everywhere
async def test_tools_are_called(name: str, mode: str) -> None:
    calls = [ToolCall("look_up", {"q": "Zürich", "n": 3}), ToolCall("look_up", {"q": ""})]
    found = await told(Reply(*calls), name, mode)
    arguments = [a if isinstance(a, dict) else json.loads(a) for _, a in found.calls]
    assert arguments == [{"q": "Zürich", "n": 3}, {"q": ""}]
    assert found.stop in ("tool_use", "tool_calls", "completed")


@everywhere
async def test_thoughts_are_counted_and_shown_where_the_provider_shows_them(
    name: str, mode: str
) -> None:
    found = await told(Reply(Thinking("Let me see."), "Yes."), name, mode)
    assert found.text == "Yes."
    assert found.thinking == ("" if name == "chat" else "Let me see.")
    assert found.output_tokens == 3 + 1


@everywhere
async def test_a_refusal_is_one(name: str, mode: str) -> None:
    found = await told(Refusal("Not that.", category="bio"), name, mode)
    assert (found.text, found.refusal) == ("", "Not that.")


LIMITED = {"messages": "max_tokens", "chat": "max_tokens", "responses": "max_output_tokens"}


@pytest.mark.parametrize("name", FACES)
async def test_max_tokens_cuts(name: str) -> None:
    found = await told("a" * 100, name, "whole", **{LIMITED[name]: 5})
    assert (found.text, found.output_tokens) == ("a" * 20, 5)
    assert found.stop in ("max_tokens", "length", "max_output_tokens")


@pytest.mark.parametrize("name", FACES)
async def test_a_refusal_is_never_cut(name: str) -> None:
    found = await told(Refusal("Not that one, and not now."), name, "whole", **{LIMITED[name]: 1})
    assert found.refusal == "Not that one, and not now."


async def test_stop_sequences_cut() -> None:
    found = await told("One STOP two", "messages", "whole", stop_sequences=["STOP", "two"])
    assert (found.text, found.stop) == ("One ", "stop_sequence")
    assert (await told("One STOP two", "chat", "whole", stop="STOP")).text == "One "


@pytest.mark.parametrize("name", FACES)
async def test_streamed_and_whole_are_the_same_reply(name: str) -> None:
    answer = Reply(Thinking("Hm."), "Grüße 🎉", ToolCall("look", {"q": [1, "ü"]}), Refusal("No."))
    assert await told(answer, name, "stream") == await told(answer, name, "whole")


WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    texts=st.lists(WORDS, min_size=1, max_size=3),
    arguments=st.dictionaries(WORDS, WORDS, max_size=2),
    size=st.integers(1, 12),
    per_token_ms=st.sampled_from([0.0, 5.0]),
)
def test_streaming_never_changes_a_reply(
    texts: list[str], arguments: dict[str, str], size: int, per_token_ms: float
) -> None:
    """For any text and pace: what the SDK puts together, and what the project's own reader does."""

    async def no_wait(seconds: float) -> None:
        await asyncio.sleep(0)

    async def compare() -> None:
        answer = Reply(*texts, ToolCall("look", arguments))
        pace = Latency(first_ms=1, per_token_ms=per_token_ms, chunk_tokens=size)
        async with FakeProvider(answer, latency=pace, sleep=no_wait) as provider:
            for name, reader in READERS.items():
                face = FACES[name]
                async with face.client(provider) as client:
                    whole = await face.whole(client, face.request)
                    assert await face.stream(client, face.request) == whole
                    assert "".join(texts) == whole.text
                    raw = await face.calls(client).with_raw_response.create(
                        **face.request, stream=True
                    )
                    events = list(parse_events(await raw.http_response.aread()))
                    reply = reader([event for event in events if event.data != "[DONE]"])
                    assert _texts(reply) == "".join(texts)

    asyncio.run(compare())


READERS = {
    "messages": ANTHROPIC.assemble,
    "chat": CHAT_EVENTS.assemble,
    "responses": RESPONSE_EVENTS.assemble,
}


def _texts(reply: Json) -> str:
    if "choices" in reply:
        return str(reply["choices"][0]["message"].get("content") or "")
    parts = reply.get("content") or [
        part for item in reply["output"] if item["type"] == "message" for part in item["content"]
    ]
    return "".join(part["text"] for part in parts if part["type"] in ("text", "output_text"))


async def test_messages_are_parsed() -> None:
    async with FakeProvider(CRITIQUE) as provider, anthropic(provider) as client:
        parsed = await client.messages.parse(**MESSAGES, output_format=Critique)
        assert parsed.parsed_output == Critique(**CRITIQUE)
        config: Any = {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}
        message = await client.messages.create(**MESSAGES, output_config=config)
        assert json.loads(message.content[0].text) == CRITIQUE  # type: ignore[union-attr]
        async with client.messages.stream(**MESSAGES, output_format=Critique) as stream:
            assert (await stream.get_final_message()).parsed_output == Critique(**CRITIQUE)
        schemas = [request.schema for request in provider.requests]
    assert [schema and schema["required"] for schema in schemas] == [["verdict", "reasons"]] * 3


async def test_completions_and_responses_are_parsed() -> None:
    async with FakeProvider(CRITIQUE) as provider, openai(provider) as client:
        completion = await client.chat.completions.parse(**CHAT, response_format=Critique)
        assert completion.choices[0].message.parsed == Critique(**CRITIQUE)
        async with client.chat.completions.stream(**CHAT, response_format=Critique) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.parsed == Critique(**CRITIQUE)
        response = await client.responses.parse(**RESPONSES, text_format=Critique)
        assert response.output_parsed == Critique(**CRITIQUE)
        async with client.responses.stream(**RESPONSES, text_format=Critique) as other:
            assert (await other.get_final_response()).output_parsed == Critique(**CRITIQUE)
        assert all(request.schema for request in provider.requests)


async def test_a_tool_is_called_answered_and_spoken_of() -> None:
    tool: Json = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
    script = [ToolCall("look", {"q": "x"}, id="toolu_1"), "Found."]
    async with FakeProvider(script) as provider, anthropic(provider) as client:
        request = MESSAGES | {"tools": [tool]}
        first = await client.messages.create(**request)
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "yes"}
        request["messages"] = [
            *request["messages"],
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [result]},
        ]
        second = await client.messages.create(**request)
        assert second.content[0].text == "Found."  # type: ignore[union-attr]
        assert provider.requests[0].tools == ("look",)


async def test_raw_streams_have_the_documented_events() -> None:
    async with FakeProvider("Hello there, you.") as provider:
        async with anthropic(provider) as client:
            raw = await client.messages.with_raw_response.create(**MESSAGES, stream=True)
            events = list(parse_events(await raw.http_response.aread()))
            names = [event.name for event in events]
            assert names[:3] == ["message_start", "content_block_start", "ping"]
            assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
            assert all(json.loads(event.data)["type"] == event.name for event in events)
            assert raw.headers["content-type"].startswith("text/event-stream")
            assert raw.headers["request-id"] == provider.requests[0].id
        async with openai(provider) as other:
            chat = await other.chat.completions.with_raw_response.create(**CHAT, stream=True)
            events = list(parse_events(await chat.http_response.aread()))
            assert {event.name for event in events} == {""}
            assert events[-1].data == "[DONE]"
            assert "usage" not in json.loads(events[-2].data)
            counted = await other.chat.completions.with_raw_response.create(
                **CHAT, stream=True, stream_options={"include_usage": True}
            )
            events = list(parse_events(await counted.http_response.aread()))
            last = json.loads(events[-2].data)
            assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 5)
            assert json.loads(events[0].data)["usage"] is None
            response = await other.responses.with_raw_response.create(**RESPONSES, stream=True)
            events = list(parse_events(await response.http_response.aread()))
            numbers = [json.loads(event.data)["sequence_number"] for event in events]
            assert numbers == list(range(len(events)))
            assert [event.name for event in events if "delta" not in event.name] == [
                "response.created",
                "response.in_progress",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.completed",
            ]


async def test_a_whole_reply_is_sent_as_it_is() -> None:
    body = {
        "id": "msg_mine", "type": "message", "role": "assistant", "model": "mine",
        "content": [{"type": "text", "text": "Mine."}], "stop_reason": "pause_turn",
        "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 9},
    }  # fmt: skip
    async with FakeProvider(WholeReply(body)) as provider, anthropic(provider) as client:
        message = await client.messages.create(**MESSAGES)
        assert (message.id, message.stop_reason) == ("msg_mine", "pause_turn")
        async with client.messages.stream(**MESSAGES) as stream:
            assert (await stream.get_final_message()).usage.output_tokens == 9


async def test_models_are_listed() -> None:
    async with FakeProvider(models=["claude-mine", "gpt-mine"]) as provider:
        async with anthropic(provider) as client:
            assert [m.id async for m in client.models.list()] == ["claude-mine", "gpt-mine"]
            assert (await client.models.retrieve("claude-mine")).type == "model"
            with pytest.raises(Exception, match="404"):
                await client.messages.create(**MESSAGES)
        async with openai(provider) as other:
            assert [m.id async for m in other.models.list()] == ["claude-mine", "gpt-mine"]
            with pytest.raises(Exception, match="404"):
                await other.models.retrieve("gpt-other")


async def test_tokens_are_counted_without_an_answer() -> None:
    async with FakeProvider() as provider, anthropic(provider) as client:
        count = await client.messages.count_tokens(
            model="claude-haiku-5-5",
            system="Four",
            messages=[{"role": "user", "content": "Five."}],
        )
    assert count.input_tokens == 1 + 2


def test_blocking_clients_talk_to_a_thread() -> None:
    with FakeProvider(CRITIQUE) as provider:
        with Anthropic(base_url=provider.url, api_key="test") as client:
            assert client.messages.parse(**MESSAGES, output_format=Critique).parsed_output
            with client.messages.stream(**MESSAGES) as stream:
                assert json.loads(stream.get_final_text()) == CRITIQUE
        with OpenAI(base_url=provider.openai_url, api_key="test") as other:
            completion = other.chat.completions.parse(**CHAT, response_format=Critique)
            assert completion.choices[0].message.parsed == Critique(**CRITIQUE)
            streamed = other.chat.completions.create(**CHAT, stream=True)
            text = "".join(c.choices[0].delta.content or "" for c in streamed)
            assert json.loads(text) == CRITIQUE
            assert json.loads(other.responses.create(**RESPONSES).output_text) == CRITIQUE
        assert len(provider.requests) == 5


async def test_clients_on_aiohttp_are_answered_as_well() -> None:
    async with FakeProvider("Yes.") as provider:
        async with anthropic(provider, http_client=ClaudesTransport()) as client:
            message = await client.messages.create(**MESSAGES)
            async with client.messages.stream(**MESSAGES) as stream:
                assert await stream.get_final_text() == "Yes."
            assert message.stop_reason == "end_turn"
        async with openai(provider, http_client=OpenAIsTransport()) as other:
            assert (await other.responses.create(**RESPONSES)).output_text == "Yes."


async def test_several_choices_say_the_same() -> None:
    async with FakeProvider("Yes.") as provider, openai(provider) as client:
        completion = await client.chat.completions.create(**CHAT, n=3)
    assert [choice.message.content for choice in completion.choices] == ["Yes."] * 3
