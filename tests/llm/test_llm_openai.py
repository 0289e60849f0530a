"""What an OpenAI-like endpoint is asked, and what is made of its answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from llm_samples import CANARY, KEY, SCHEMA, asked, asking, completion, question, serving

from guardrails.llm.openai import OpenAIModel
from guardrails.llm.protocol import ModelOutageError, ModelRejectionError, Stop, Tokens
from guardrails.testing import FakeProvider
from guardrails.testing.provider import WholeReply

OK = {"answer": "forty-two"}


def choice(content: Any = '{"answer": "forty-two"}', **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content} | more.pop("message", {})
    return completion(choices=[{"index": 0, "finish_reason": "stop", "message": message} | more])


async def told(said: Mapping[str, Any]) -> Any:
    async with FakeProvider(WholeReply(said)) as provider, asking("openai", provider) as made:
        return await made.model.ask(question(), timeout_s=20)


async def test_a_question_is_a_system_and_a_user_message_with_a_schema() -> None:
    async with FakeProvider(OK, api_key=KEY) as provider, asking("openai", provider) as made:
        answer = await made.model.ask(question(), timeout_s=20)
    (request,) = provider.requests
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "claude-haiku-5-5",
        "max_tokens": 2_000,
        "messages": [
            {"role": "system", "content": f"The rules: {CANARY}."},
            {"role": "user", "content": f"What is it, {CANARY}?"},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
        },
        "stream": False,
    }
    assert request.headers["accept-encoding"] == "identity"
    assert (answer.text, answer.client) == ('{"answer": "forty-two"}', "openai/claude-haiku-5-5")
    assert answer.request_id == request.id


async def test_a_schema_with_optional_keys_is_not_called_strict() -> None:
    schema = dict(SCHEMA) | {"required": []}
    async with FakeProvider(OK) as provider, asking("openai", provider) as made:
        await made.model.ask(question(schema=schema), timeout_s=20)
    assert provider.requests[0].body["response_format"]["json_schema"]["strict"] is False


async def test_without_a_key_none_is_sent() -> None:
    async with FakeProvider(OK) as provider, asking("openai", provider, api_key=None) as made:
        await made.model.ask(question(prefix=""), timeout_s=20)
    assert "authorization" not in provider.requests[0].headers
    assert [turn["role"] for turn in provider.requests[0].body["messages"]] == ["user"]


class Picky:
    """An endpoint that takes only some requests, as many do."""

    def __init__(self, *refused: str, always: bool = False) -> None:
        self.refused, self.always = refused, always
        self.bodies: list[dict[str, Any]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        for word in self.refused:
            if self.always or word in json.dumps(body):
                error = {"message": f"Unsupported: {word}", "param": None, "code": 400}
                return web.json_response({"error": error}, status=400)
        return web.json_response(completion())


async def test_an_endpoint_that_takes_no_schema_is_told_it_in_words_from_then_on() -> None:
    picky = Picky("json_schema")
    async with serving(picky.answer) as url:
        made = asked("openai", url)
        first = await made.model.ask(question(), timeout_s=20)
        second = await made.model.ask(question(), timeout_s=20)
        await made.model.aclose()
    formats = [body["response_format"]["type"] for body in picky.bodies]
    assert formats == ["json_schema", "json_object", "json_object"]
    assert (first.attempts, second.attempts) == (2, 1)
    assert made.waits.told == []
    system = picky.bodies[1]["messages"][0]["content"]
    assert system.startswith(f"The rules: {CANARY}.")
    assert json.dumps(SCHEMA, separators=(",", ":")) in system


async def test_a_rejection_in_every_form_is_not_remembered() -> None:
    """A text that an error repeats could otherwise take the schema away from all others."""
    picky = Picky("response_format", always=True)
    async with serving(picky.answer) as url:
        made = asked("openai", url)
        for _ in range(2):
            with pytest.raises(ModelRejectionError) as raised:
                await made.model.ask(question(), timeout_s=20)
            assert raised.value.status == 400
        await made.model.aclose()
    formats = [body["response_format"]["type"] for body in picky.bodies]
    assert formats == ["json_schema", "json_object"] * 2


async def test_the_limit_of_tokens_goes_by_the_name_that_the_endpoint_knows() -> None:
    picky = Picky('"max_tokens"', "json_schema")
    async with serving(picky.answer) as url:
        made = asked("openai", url)
        answer = await made.model.ask(question(), timeout_s=20)
        await made.model.aclose()
    assert answer.attempts == 3
    assert picky.bodies[-1]["max_completion_tokens"] == 2_000
    assert "max_tokens" not in picky.bodies[-1]


async def test_openai_itself_knows_the_newer_name() -> None:
    made = asked("openai", "https://api.openai.com/v1")
    assert isinstance(made.model, OpenAIModel)
    assert made.model._dialect.limit == "max_completion_tokens"


STOPS: dict[str | None, Stop] = {
    "stop": "finished",
    "length": "cut_off",
    "content_filter": "refused",
    "tool_calls": "cut_off",
    "function_call": "cut_off",
    "a_reason_to_come": "cut_off",
    None: "cut_off",
}


@pytest.mark.parametrize("reason", STOPS)
async def test_2_finish_reasons_are_told_apart(reason: str | None) -> None:
    answer = await told(choice(finish_reason=reason))
    assert answer.stop == STOPS[reason]
    assert bool(answer.text) is (STOPS[reason] != "refused")


async def test_2_a_refusal_is_one_whatever_the_finish_reason() -> None:
    answer = await told(choice(None, message={"refusal": "No."}))
    assert (answer.stop, answer.text) == ("refused", "")


@pytest.mark.parametrize("content", [None, "", "  \n", []], ids=repr)
async def test_2_nothing_said_is_no_answer(content: Any) -> None:
    assert (await told(choice(content))).stop == "cut_off"


async def test_2_no_choice_is_no_answer() -> None:
    assert (await told(completion(choices=[]))).stop == "cut_off"


async def test_a_text_in_parts_is_one_text() -> None:
    parts = [{"type": "text", "text": "{}"}, {"type": "reasoning"}, {"type": "text", "text": " "}]
    assert (await told(choice(parts))).text == "{} "


FOREIGN: dict[str, dict[str, Any]] = {
    "no choices": completion(choices=None),
    "choices of another kind": completion(choices={"0": 1}),
    "a choice that is none": completion(choices=["stop"]),
    "no message": completion(choices=[{"finish_reason": "stop"}]),
    "another role": choice(message={"role": "user"}),
    "content is a number": choice(42),
    "content is an object": choice({"answer": "forty-two"}),
    "a part is a text": choice(["forty-two"]),
    "a part of no text": choice([{"type": "text"}]),
    "a reason that is a number": choice(finish_reason=1),
    "no model": completion(model=None),
}


@pytest.mark.parametrize("what", FOREIGN)
async def test_2_a_body_of_another_shape_is_not_the_providers(what: str) -> None:
    with pytest.raises(ModelOutageError, match="a body that is not the provider's"):
        await told(FOREIGN[what])


@pytest.mark.parametrize(
    ("code", "expected"), [(400, ModelRejectionError), (429, ModelOutageError)]
)
async def test_2_an_error_wrapped_into_a_200_counts_as_its_status(
    code: int, expected: type[Exception]
) -> None:
    with pytest.raises(expected, match=f"answered {code}"):
        await told({"error": {"message": "No.", "code": code}})


USAGES: dict[str, tuple[Any, Tokens]] = {
    "plain": (
        {"prompt_tokens": 100, "completion_tokens": 7},
        Tokens(input=100, output=7),
    ),
    "cached": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        },
        Tokens(input=10, cache_read=60, cache_write=30, output=7),
    ),
    "more cached than there was": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 60},
        },
        Tokens(cache_read=10, output=7),
    ),
}


@pytest.mark.parametrize("what", USAGES)
async def test_all_that_was_used_is_counted(what: str) -> None:
    usage, tokens = USAGES[what]
    assert (await told(completion(usage=usage))).tokens == tokens


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"prompt_tokens": 3}, {"prompt_tokens": -3, "completion_tokens": 1}, "3"],
    ids=repr,
)
async def test_10_what_is_not_told_is_estimated_and_never_nothing(usage: Any) -> None:
    tokens = (await told(completion(usage=usage))).tokens
    assert tokens.estimated
    assert tokens.input >= len(f"The rules: {CANARY}.What is it, {CANARY}?") / 4
    assert tokens.output > 0


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_9_a_redirect_is_not_followed_with_the_text(status: int) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.path == "/chat/completions"
        return web.Response(status=status, headers={"location": "/elsewhere"})

    async with serving(handler) as url:
        made = asked("openai", url)
        with pytest.raises(ModelOutageError, match=f"answered {status}"):
            await made.model.ask(question(), timeout_s=20)
        await made.model.aclose()


async def test_half_characters_are_sent_as_the_character_for_none() -> None:
    async with FakeProvider(OK) as provider, asking("openai", provider) as made:
        await made.model.ask(question(text="a\ud800b \U0001f600"), timeout_s=20)
    assert provider.requests[0].text == "a\ufffdb \U0001f600"
