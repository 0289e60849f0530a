"""What Anthropic's API is asked, and what is made of its answers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from aiohttp import web
from llm_samples import CANARY, KEY, SCHEMA, asked, asking, message, question, serving

from guardrails.llm.protocol import ModelOutageError, Stop, Tokens
from guardrails.testing import FakeProvider
from guardrails.testing.provider import Reply, Thinking, WholeReply

OK = {"answer": "forty-two"}


async def test_a_question_is_one_turn_with_the_prefix_as_system_text() -> None:
    async with FakeProvider(OK, api_key=KEY) as provider, asking("anthropic", provider) as made:
        await made.model.ask(question(effort="low"), timeout_s=20)
    (request,) = provider.requests
    assert request.endpoint == "messages"
    assert request.body == {
        "model": "claude-haiku-5-5",
        "max_tokens": 2_000,
        "system": [{"type": "text", "text": f"The rules: {CANARY}."}],
        "messages": [{"role": "user", "content": f"What is it, {CANARY}?"}],
        "output_config": {
            "format": {"type": "json_schema", "schema": request.schema},
            "effort": "low",
        },
    }
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["x-stainless-retry-count"] == "0"


async def test_the_schema_is_put_into_the_form_that_the_api_takes() -> None:
    async with FakeProvider(OK) as provider, asking("anthropic", provider) as made:
        await made.model.ask(question(), timeout_s=20)
    sent = provider.requests[0].schema or {}
    assert "maxLength" not in sent["properties"]["answer"]
    assert "maxLength: 40" in sent["properties"]["answer"]["description"]
    assert SCHEMA["properties"]["answer"]["maxLength"] == 40, "the caller's own stays as it is"


@pytest.mark.parametrize(("ttl", "seconds"), [("5m", 300), ("1h", 3_600)])
async def test_the_prefix_is_cached_where_that_is_asked_for(ttl: Any, seconds: int) -> None:
    prefix = "A rule of many words. " * 2_000
    async with FakeProvider(OK) as provider, asking("anthropic", provider) as made:
        cached = question(prefix=prefix, cache_prefix=True, cache_ttl=ttl)
        first = await made.model.ask(cached, timeout_s=20)
        second = await made.model.ask(cached, timeout_s=20)
        plain = await made.model.ask(question(prefix=prefix), timeout_s=20)
    control = provider.requests[0].body["system"][0]["cache_control"]
    assert control == {"type": "ephemeral", "ttl": ttl}
    assert first.tokens.cache_write > 0
    assert first.tokens.cache_write_hour == (first.tokens.cache_write if ttl == "1h" else 0)
    assert second.tokens.cache_read == first.tokens.cache_write
    assert second.tokens.cache_write == 0
    assert "cache_control" not in str(provider.requests[2].body)
    assert plain.tokens.total_input == plain.tokens.input == second.tokens.total_input


async def test_a_model_that_takes_no_effort_is_asked_without_from_then_on() -> None:
    bodies = []

    async def handler(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        if "effort" in bodies[-1]["output_config"]:
            error = {"type": "invalid_request_error", "message": "effort: not supported"}
            return web.json_response({"type": "error", "error": error}, status=400)
        return web.json_response(message())

    async with serving(handler) as url:
        made = asked("anthropic", url)
        for _ in range(2):
            answer = await made.model.ask(question(effort="low"), timeout_s=20)
            assert answer.stop == "finished"
        await made.model.aclose()
    assert ["effort" in body["output_config"] for body in bodies] == [True, False, False]


async def test_without_a_prefix_there_is_no_system_text() -> None:
    async with FakeProvider(OK) as provider, asking("anthropic", provider) as made:
        await made.model.ask(question(prefix=""), timeout_s=20)
    assert "system" not in provider.requests[0].body


STOPS: dict[str, Stop] = {
    "end_turn": "finished",
    "stop_sequence": "finished",
    "refusal": "refused",
    "max_tokens": "cut_off",
    "model_context_window_exceeded": "cut_off",
    "tool_use": "cut_off",
    "pause_turn": "cut_off",
    "a_reason_to_come": "cut_off",
}


@pytest.mark.parametrize("reason", STOPS)
async def test_2_stop_reasons_are_told_apart(reason: str) -> None:
    said = WholeReply(message(stop_reason=reason))
    async with FakeProvider(said) as provider, asking("anthropic", provider) as made:
        answer = await made.model.ask(question(), timeout_s=20)
    assert answer.stop == STOPS[reason]
    assert answer.text == ("" if reason == "refusal" else '{"answer": "forty-two"}')


async def test_thoughts_and_blocks_to_come_are_no_part_of_the_answer() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "text", "text": '{"answer": '},
        {"type": "text_to_come", "text": "not this"},
        {"type": "text", "text": '"forty-two"}'},
    ]
    said = [Reply(Thinking("Hm."), '{"answer": "a"}'), WholeReply(message(content=blocks))]
    async with FakeProvider(said) as provider, asking("anthropic", provider) as made:
        assert (await made.model.ask(question(), timeout_s=20)).text == '{"answer": "a"}'
        answer = await made.model.ask(question(), timeout_s=20)
    assert answer.text == '{"answer": "forty-two"}'
    assert (answer.model, answer.client) == ("claude-haiku-5-5", "anthropic/claude-haiku-5-5")
    assert answer.request_id == provider.requests[1].id


USAGE = {"input_tokens": 10, "output_tokens": 5}
INCOMPLETE: dict[str, dict[str, Any]] = {
    "no type": {"type": None},
    "another type": {"type": "error"},
    "another role": {"role": "user"},
    "no content": {"content": None},
    "content is a text": {"content": '{"answer": "forty-two"}'},
    "a block is a text": {"content": ["forty-two"]},
    "a block of no type": {"content": [{"text": "forty-two"}]},
    "a block of no text": {"content": [{"type": "text"}]},
    "no stop reason": {"stop_reason": None},
    "no model": {"model": None},
    "no usage": {"usage": None},
    "half of usage": {"usage": {"input_tokens": 1}},
    "usage in words": {"usage": USAGE | {"output_tokens": "many"}},
    "usage below nothing": {"usage": USAGE | {"cache_read_input_tokens": -1}},
}


@pytest.mark.parametrize("what", INCOMPLETE)
async def test_2_an_incomplete_body_is_not_the_providers(what: str) -> None:
    said = WholeReply(message(**INCOMPLETE[what]))
    async with FakeProvider(said) as provider, asking("anthropic", provider) as made:
        with pytest.raises(ModelOutageError, match="a body that is not the provider's"):
            await made.model.ask(question(), timeout_s=20)


async def test_names_of_a_provider_have_the_length_of_names() -> None:
    said = WholeReply(message(model="m" * 10_000))
    async with FakeProvider(said) as provider, asking("anthropic", provider) as made:
        assert len((await made.model.ask(question(), timeout_s=20)).model) == 200


async def test_all_that_was_used_is_counted() -> None:
    usage = {
        "input_tokens": 1,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 4_000,
    }
    async with (
        FakeProvider(WholeReply(message(usage=usage))) as provider,
        asking("anthropic", provider) as made,
    ):
        answer = await made.model.ask(question(), timeout_s=20)
    told = Tokens(input=1, cache_read=20, cache_write=300, cache_write_hour=200, output=4_000)
    assert answer.tokens == told
    assert told.total_input == 321


async def test_half_characters_are_sent_as_the_character_for_none() -> None:
    async with FakeProvider(OK) as provider, asking("anthropic", provider) as made:
        await made.model.ask(question(text="a\ud800b \U0001f600", prefix="\udfff"), timeout_s=20)
    assert provider.requests[0].text == "a\ufffdb \U0001f600"
    assert provider.requests[0].system == "\ufffd"


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_9_a_redirect_is_not_followed_with_the_text(status: int) -> None:
    seen = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        return web.json_response(message())

    async with serving(elsewhere) as away:

        async def handler(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, headers={"location": f"{away}/v1/messages"})

        async with serving(handler) as url:
            made = asked("anthropic", url)
            with pytest.raises(ModelOutageError, match=f"answered {status}"):
                await made.model.ask(question(), timeout_s=20)
            await made.model.aclose()
    assert not seen


async def test_a_schema_that_cannot_be_told_is_the_callers_error() -> None:
    async with FakeProvider(OK) as provider, asking("anthropic", provider) as made:
        with pytest.raises(ValueError, match="must have a 'type'"):
            await made.model.ask(question(schema={"minLength": 3}), timeout_s=20)


async def test_an_endpoint_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the SDK look for one meanwhile, to send it there."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-somebody")
    async with FakeProvider(OK) as provider, asking("anthropic", provider, api_key=None) as made:
        await made.model.ask(question(), timeout_s=20)
    assert provider.requests[0].key == "none"


def test_the_sdks_are_imported_when_they_are_needed() -> None:
    names = ("anthropic", "aiohttp", "httpx2")
    program = f"import sys, guardrails.llm.roles; print([m for m in {names} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert done.stdout.decode().strip() == "[]", done.stderr
