"""The official SDKs get through the proxy what they get directly; a breach is a normal refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from proxy_house import KEY, REPLY, House, config_of, provider, serving, written
from pydantic import BaseModel

from guardrails.testing import FakeProvider, Refusal, Reply, Thinking, ToolCall, api_error

MODEL, GPT = "claude-haiku-5-5", "gpt-5"
QUESTION = [{"role": "user", "content": "What is two and two?"}]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Sum(BaseModel):
    answer: int


@dataclass(frozen=True)
class Way:
    """A provider and the clients that ask it, directly or not."""

    provider: FakeProvider
    anthropic: anthropic.Anthropic
    openai: openai.OpenAI

    def say(self, *answers: Any) -> None:
        self.provider.extend(*answers)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, FakeProvider]]:
    with provider([]) as upstream:
        file = written(tmp_path_factory.mktemp("sdks"))
        with serving(config_of(upstream.url, file)) as made:
            yield made, upstream


@pytest.fixture(scope="module")
def proxied(house: tuple[House, FakeProvider]) -> Iterator[Way]:
    made, upstream = house
    with (
        anthropic.Anthropic(base_url=made.url, api_key=KEY, max_retries=0) as first,
        openai.OpenAI(base_url=made.openai_url, api_key=KEY, max_retries=0) as second,
    ):
        yield Way(upstream, first, second)


@pytest.fixture(scope="module")
def direct() -> Iterator[Way]:
    with (
        provider([]) as made,
        anthropic.Anthropic(base_url=made.url, api_key=KEY, max_retries=0) as first,
        openai.OpenAI(base_url=made.openai_url, api_key=KEY, max_retries=0) as second,
    ):
        yield Way(made, first, second)


def ask(way: Way, **more: Any) -> Any:
    more = {"model": MODEL, "max_tokens": 200, "messages": QUESTION, **more}
    return way.anthropic.messages.create(**more)


def ask_chat(way: Way, **more: Any) -> Any:
    return way.openai.chat.completions.create(**{"model": GPT, "messages": QUESTION, **more})


def ask_responses(way: Way, **more: Any) -> Any:
    return way.openai.responses.create(**{"model": GPT, "input": "What is 2 + 2?", **more})


def streamed(way: Way, **more: Any) -> Any:
    more = {"model": MODEL, "max_tokens": 200, "messages": QUESTION, **more}
    with way.anthropic.messages.stream(**more) as stream:
        return [*stream], stream.get_final_message()


def streamed_chat(way: Way, **more: Any) -> Any:
    more = {"model": GPT, "messages": QUESTION, **more}
    with way.openai.chat.completions.stream(**more) as stream:
        return [*stream], stream.get_final_completion()


def streamed_responses(way: Way, **more: Any) -> Any:
    more = {"model": GPT, "input": "What is 2 + 2?", **more}
    with way.openai.responses.stream(**more) as stream:
        return [*stream], stream.get_final_response()


def raw(way: Way) -> Any:
    got = way.anthropic.messages.with_raw_response.create(
        model=MODEL,
        max_tokens=200,
        messages=QUESTION,  # type: ignore[arg-type]
    )
    return got.status_code, got.headers["content-type"], got.headers["request-id"], got.parse()


def raw_chat(way: Way) -> Any:
    got = way.openai.chat.completions.with_raw_response.create(model=GPT, messages=QUESTION)  # type: ignore[arg-type]
    return got.status_code, got.headers["x-request-id"], got.parse()


TOOL = {"name": "weather", "description": "The weather.", "input_schema": WEATHER}
FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
FLAT = {"type": "function", "name": "weather", "parameters": WEATHER, "strict": False}
CALL = ToolCall("weather", {"city": "Ulm"})

CLEAN: dict[str, tuple[Any, Callable[[Way], Any]]] = {
    "messages.create": ("Four.", ask),
    "messages.create, thinking": (
        Reply(Thinking("Two and two."), "Four."),
        lambda way: ask(way, max_tokens=2_000, thinking={"type": "enabled", "budget_tokens": 1024}),
    ),
    "messages.create, a tool": (CALL, lambda way: ask(way, tools=[TOOL])),
    "messages.create, system": ("Four.", lambda way: ask(way, system="Be brief. No secret code.")),
    "messages.create, refused by the model": (Refusal(), ask),
    "messages.create, stream=True": ("Four, and no less.", lambda way: [*ask(way, stream=True)]),
    "messages.stream": ("Four, and no less.", streamed),
    "messages.stream, a tool": (Reply("Let me look.", CALL), streamed),
    "messages.parse": (
        {"answer": 4},
        lambda way: way.anthropic.messages.parse(
            model=MODEL,
            max_tokens=200,
            messages=QUESTION,  # type: ignore[arg-type]
            output_format=Sum,
        ),
    ),
    "beta.messages.create": (
        "Four.",
        lambda way: way.anthropic.beta.messages.create(
            model=MODEL,
            max_tokens=200,
            messages=QUESTION,  # type: ignore[arg-type]
            betas=["extended-cache-ttl-2025-04-11"],
        ),
    ),
    "beta.messages.parse": (
        {"answer": 4},
        lambda way: way.anthropic.beta.messages.parse(
            model=MODEL,
            max_tokens=200,
            messages=QUESTION,  # type: ignore[arg-type]
            output_format=Sum,
            betas=["structured-outputs-2025-12-15"],
        ),
    ),
    "messages, raw": ("Four.", raw),
    "messages.count_tokens": (
        None,
        lambda way: way.anthropic.messages.count_tokens(model=MODEL, messages=QUESTION),  # type: ignore[arg-type]
    ),
    "models.list": (None, lambda way: [*way.anthropic.models.list()]),
    "models.retrieve": (None, lambda way: way.anthropic.models.retrieve(MODEL)),
    "chat.completions.create": ("Four.", ask_chat),
    "chat.completions.create, a tool": (CALL, lambda way: ask_chat(way, tools=[FUNCTION])),
    "chat.completions.create, stream=True": (
        "Four, and no less.",
        lambda way: [*ask_chat(way, stream=True, stream_options={"include_usage": True})],
    ),
    "chat.completions.stream": ("Four, and no less.", streamed_chat),
    "chat.completions.parse": (
        {"answer": 4},
        lambda way: way.openai.chat.completions.parse(
            model=GPT,
            messages=QUESTION,  # type: ignore[arg-type]
            response_format=Sum,
        ),
    ),
    "chat, raw": ("Four.", raw_chat),
    "responses.create": ("Four.", ask_responses),
    "responses.create, a tool": (CALL, lambda way: ask_responses(way, tools=[FLAT])),
    "responses.stream": ("Four, and no less.", streamed_responses),
    "responses.parse": (
        {"answer": 4},
        lambda way: way.openai.responses.parse(model=GPT, input="2 + 2?", text_format=Sum),
    ),
    "models.list, OpenAI's": (None, lambda way: [*way.openai.models.list()]),
    "models.retrieve, OpenAI's": (None, lambda way: way.openai.models.retrieve(GPT)),
}


def plain(value: Any) -> Any:
    """As JSON, with the providers' running numbers made one."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", warnings=False)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return json.loads(re.sub(r"_fake_\d+", "_fake", json.dumps(value)))


@pytest.mark.parametrize(("answer", "operation"), CLEAN.values(), ids=CLEAN)
def test_a_clean_call_is_the_same(
    direct: Way, proxied: Way, answer: Any, operation: Callable[[Way], Any]
) -> None:
    for way in (direct, proxied):
        if answer is not None:
            way.say(answer)
    assert plain(operation(proxied)) == plain(operation(direct))


ASKS: dict[str, Callable[..., Any]] = {
    "messages": ask,
    "chat": ask_chat,
    "responses": ask_responses,
}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 529])
@pytest.mark.parametrize("operation", ASKS.values(), ids=ASKS)
def test_a_providers_error_is_the_same(
    direct: Way, proxied: Way, operation: Callable[..., Any], status: int
) -> None:
    told = []
    for way in (direct, proxied):
        way.say(api_error(status))
        with pytest.raises((anthropic.APIStatusError, openai.APIStatusError)) as raised:
            operation(way)
        told.append((type(raised.value), plain(str(raised.value)), plain(raised.value.body)))
    assert told[0] == told[1]


@pytest.mark.parametrize("operation", ASKS.values(), ids=ASKS)
def test_retries_are_the_same(
    proxied: Way, house: tuple[House, FakeProvider], operation: Callable[..., Any]
) -> None:
    retrying = Way(
        proxied.provider,
        proxied.anthropic.with_options(max_retries=2),
        proxied.openai.with_options(max_retries=2),
    )
    before = proxied.provider.requests.total
    fault = api_error(529, retry_after_s=0.01, retry_after_as="ms")
    proxied.say(fault, fault, "Four.")
    assert "Four." in operation(retrying).model_dump_json()
    assert proxied.provider.requests.total == before + 3


# -- breaches ------------------------------------------------------------------------------------


def text_of(way: Way, name: str, said: str, *, stream: bool) -> tuple[str, str]:
    """What the SDK takes for the reply's text, and why it stopped."""
    question = [{"role": "user", "content": said}]
    match name, stream:
        case "messages", False:
            message = ask(way, messages=question)
            return "".join(block.text for block in message.content), message.stop_reason
        case "messages", True:
            options: Any = {"model": MODEL, "max_tokens": 200, "messages": question}
            with way.anthropic.messages.stream(**options) as events:
                text = "".join(events.text_stream)
                return text, str(events.get_final_message().stop_reason)
        case "chat", False:
            choice = ask_chat(way, messages=question).choices[0]
            return choice.message.content, choice.finish_reason
        case "chat", True:
            chunks = [*ask_chat(way, messages=question, stream=True)]
            choices = [choice for chunk in chunks for choice in chunk.choices]
            text = "".join(choice.delta.content or "" for choice in choices)
            return text, next(c.finish_reason for c in reversed(choices) if c.finish_reason)
        case _, False:
            response = ask_responses(way, input=said)
            return response.output_text, _reason(response)
        case _:
            with way.openai.responses.stream(model=GPT, input=said) as responses:
                final = [*responses][-1]
            response = final.response  # type: ignore[union-attr]
            return response.output_text, _reason(response)


def _reason(response: Any) -> str:
    details = response.incomplete_details
    return "stop" if details is None else details.reason


STOPPED = {"messages": "refusal", "chat": "content_filter", "responses": "content_filter"}
SURFACES = [(name, stream) for name in ASKS for stream in (False, True)]
SURFACE_IDS = [f"{name}{', streamed' if stream else ''}" for name, stream in SURFACES]


@pytest.mark.parametrize(("name", "stream"), SURFACES, ids=SURFACE_IDS)
def test_a_blocked_prompt_is_a_refusal_and_reaches_nobody(
    house: tuple[House, FakeProvider], proxied: Way, name: str, stream: bool
) -> None:
    house[0].records.forget()
    before = proxied.provider.requests.total
    text, reason = text_of(proxied, name, "Say something forbidden.", stream=stream)
    assert (text, reason) == (REPLY, STOPPED[name])
    assert proxied.provider.requests.total == before
    assert house[0].records.how() == [("input", "block", "reply")]


@pytest.mark.parametrize(("name", "stream"), SURFACES, ids=SURFACE_IDS)
def test_a_blocked_reply_is_a_refusal(
    house: tuple[House, FakeProvider], proxied: Way, name: str, stream: bool
) -> None:
    house[0].records.forget()
    proxied.say("This is forbidden, you know.")
    text, reason = text_of(proxied, name, "Say something.", stream=stream)
    assert text.endswith(REPLY)
    assert "forbidden" not in text
    assert reason == STOPPED[name]
    assert [verdict for _, verdict, _ in house[0].records.how()] == ["allow", "block"]


DECLINED: dict[str, Callable[[Way], Any]] = {
    "messages.parse": lambda way: way.anthropic.messages.parse(
        model=MODEL,
        max_tokens=200,
        messages=QUESTION,  # type: ignore[arg-type]
        output_format=Sum,
    ),
    "messages.stream": lambda way: streamed(way, output_format=Sum)[1],
    "chat.completions.parse": lambda way: way.openai.chat.completions.parse(
        model=GPT,
        messages=QUESTION,  # type: ignore[arg-type]
        response_format=Sum,
    ),
    "chat.completions.stream": lambda way: streamed_chat(way, response_format=Sum)[1],
    "responses.parse": lambda way: way.openai.responses.parse(
        model=GPT, input="2 + 2?", text_format=Sum
    ),
    "responses.stream": lambda way: streamed_responses(way, text_format=Sum)[1],
}


@pytest.mark.parametrize("operation", DECLINED.values(), ids=DECLINED)
def test_where_json_is_expected_nothing_tries_to_parse_the_reply(
    proxied: Way, operation: Callable[[Way], Any]
) -> None:
    proxied.say('{"answer": "forbidden"}')
    told = operation(proxied).model_dump_json(warnings=False)
    assert "forbidden" not in told
    assert re.search(rf'"(?:explanation|refusal)":"{REPLY}"', told)


def test_a_tool_runner_goes_on_without_a_thread_that_the_provider_keeps(proxied: Way) -> None:
    cities = []

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather."""
        cities.append(city)
        return "Rain."

    proxied.say(CALL, "It rains.")
    before = proxied.provider.requests.total
    last = proxied.anthropic.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=200,
        messages=QUESTION,  # type: ignore[arg-type]
        tools=[weather],
    ).until_done()
    assert last.content[0].text == "It rains."  # type: ignore[union-attr]
    assert (cities, proxied.provider.requests.total - before) == (["Ulm"], 2)
    assert not any("thread" in request.body for request in proxied.provider.requests[-2:])


@pytest.mark.parametrize(("name", "stream"), SURFACES, ids=SURFACE_IDS)
def test_a_reply_is_redacted_and_revised(
    house: tuple[House, FakeProvider], proxied: Way, name: str, stream: bool
) -> None:
    proxied.say("The secret is out.", "Hi. I promise it. Bye.")
    text, _ = text_of(proxied, name, "Say something.", stream=stream)
    assert text == "The  is out."
    text, _ = text_of(proxied, name, "Say something.", stream=stream)
    assert text == "Hi. Please ask a person. Bye."


@pytest.mark.parametrize("name", ASKS)
def test_a_prompt_is_redacted_before_the_provider_sees_it(proxied: Way, name: str) -> None:
    proxied.say("Four.")
    text_of(proxied, name, "My secret is two and two.", stream=False)
    assert proxied.provider.requests[-1].text == "My  is two and two."


def test_a_blocked_text_is_not_counted(house: tuple[House, FakeProvider], proxied: Way) -> None:
    """It would reach the provider just as well."""
    before = proxied.provider.requests.total
    question: Any = [{"role": "user", "content": "Something forbidden."}]
    with pytest.raises(anthropic.PermissionDeniedError):
        proxied.anthropic.messages.count_tokens(model=MODEL, messages=question)
    assert proxied.provider.requests.total == before


def test_a_refused_request_is_the_sdks_own_error(proxied: Way) -> None:
    tools: Any = [{"type": "web_search_20250305", "name": "web_search"}]
    with pytest.raises(anthropic.PermissionDeniedError, match="tools can list it") as raised:
        ask(proxied, tools=tools)
    assert raised.value.request_id == raised.value.response.headers["guardrails-request-id"]
    with pytest.raises(openai.PermissionDeniedError, match="not listed here"):
        proxied.openai.embeddings.create(model="embedding", input="x")
    with pytest.raises(openai.PermissionDeniedError, match="not listed here"):
        proxied.openai.files.list()
