"""Tool calls in the providers' formats: whole, with the tool that a result is from, and schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from guardrails.exchange import Call
from guardrails.wire.body import JoinedBody, JsonBody, PairsBody, TextBody
from guardrails.wire.messages import read_messages
from guardrails.wire.place import Place
from guardrails.wire.reading import Reading, read
from guardrails.wire.shapes import ANTHROPIC_MESSAGE, CHAT_COMPLETION, FREE, RESPONSE
from guardrails.wire.tools import ToolSchemas

USAGE = {"input_tokens": 1, "output_tokens": 1}
ANTHROPIC: dict[str, Any] = {
    "id": "m", "type": "message", "role": "assistant", "model": "x", "stop_reason": "tool_use",
    "stop_sequence": None, "usage": USAGE,
    "content": [
        {"type": "text", "text": "I will."},
        {"type": "tool_use", "id": "t1", "name": "send", "input": {"to": "a", "ok": True}},
        {"type": "server_tool_use", "id": "t2", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "t2", "content": [
            {"type": "web_search_result", "title": "T", "url": "https://a.example",
             "encrypted_content": "x", "page_age": None}]},
    ],
}  # fmt: skip
CHAT: dict[str, Any] = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "x",
    "choices": [{"index": 0, "finish_reason": "tool_calls", "logprobs": None, "message": {
        "role": "assistant", "content": "I will.", "refusal": None, "tool_calls": [
            {"id": "t1", "type": "function",
             "function": {"name": "send", "arguments": '{"to": "a", "ok": true}'}},
            {"id": "t2", "type": "custom", "custom": {"name": "run", "input": "ls"}},
        ]}}],
}  # fmt: skip
RESPONSES: dict[str, Any] = {
    "id": "r", "object": "response", "created_at": 1, "model": "x", "status": "completed",
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None,
    "incomplete_details": None, "instructions": None, "metadata": {}, "temperature": 1, "top_p": 1,
    "output": [
        {"type": "function_call", "id": "f", "call_id": "t1", "name": "send",
         "arguments": '{"to": "a", "ok": true}', "status": "completed"},
        {"type": "custom_tool_call", "id": "u", "call_id": "t2", "name": "run", "input": "ls"},
        {"type": "mcp_call", "id": "m", "name": "read", "server_label": "s", "arguments": "{}",
         "output": "what it gave", "error": None},
        {"type": "code_interpreter_call", "id": "i", "code": "1+1", "container_id": "c",
         "status": "completed", "outputs": [{"type": "logs", "logs": "2"}]},
        {"type": "web_search_call", "id": "w", "status": "completed",
         "action": {"type": "search", "query": "q"}},
    ],
}  # fmt: skip
FORMATS: dict[str, Any] = {
    "anthropic": (ANTHROPIC, ANTHROPIC_MESSAGE, Message),
    "chat": (CHAT, CHAT_COMPLETION, ChatCompletion),
    "responses": (RESPONSES, RESPONSE, Response),
}
ARGUMENTS = {"to": "a", "ok": True}
CALLS: dict[str, list[tuple[str, Any]]] = {
    "anthropic": [("send", ARGUMENTS), ("web_search", {"query": "q"})],
    "chat": [("send", json.dumps(ARGUMENTS)), ("run", {"input": "ls"})],
    "responses": [
        ("send", json.dumps(ARGUMENTS)),
        ("run", {"input": "ls"}),
        ("read", "{}"),
        ("code_interpreter", {"code": "1+1"}),
        ("web_search", {"type": "search", "query": "q"}),
    ],
}


def reading(value: Any, reads: Any = FREE) -> Reading:
    return read(value, Place(role="assistant", reads=reads))


@pytest.mark.parametrize("name", FORMATS)
def test_calls_are_shown_whole(name: str) -> None:
    document, shape, _ = FORMATS[name]
    found = reading(document, shape)
    assert [(call.name, call.arguments) for call in found.calls] == CALLS[name]
    for call in found.calls:
        assert call.part is not None
        assert found.parts[call.part].kind == "tool_call"


@pytest.mark.parametrize("name", FORMATS)
def test_objects_of_the_sdks_show_the_same_calls(name: str) -> None:
    document, _, model = FORMATS[name]
    found = reading(model.model_validate(document))
    assert [call.name for call in found.calls] == [called for called, _ in CALLS[name]]
    assert found.calls[0].arguments == CALLS[name][0][1]


@pytest.mark.parametrize("name", FORMATS)
def test_a_changed_argument_is_in_the_calls_of_what_is_written(name: str) -> None:
    document, shape, _ = FORMATS[name]
    found = reading(document, shape)
    index = next(n for n, part in enumerate(found.parts) if part.text == "a")
    changed = found.rewrite({index: "b"}).calls[0].arguments
    assert (json.loads(changed) if isinstance(changed, str) else changed) == {"to": "b", "ok": True}


def test_what_a_provider_ran_is_a_result_of_that_tool() -> None:
    named = {
        (p.name, p.text)
        for p in reading(ANTHROPIC, ANTHROPIC_MESSAGE).parts
        if p.kind == "tool_result"
    }
    assert ("web_search", "https://a.example") in named
    parts = reading(RESPONSES, RESPONSE).parts
    assert {(p.name, p.text) for p in parts if p.kind == "tool_result"} >= {
        ("read", "what it gave"),
        ("code_interpreter", "2"),
    }


def anthropic_turns(use: str = "t", result: str = "t") -> list[Any]:
    call = {"type": "tool_use", "id": use, "name": "read_web", "input": {"url": "u"}}
    answer = {"type": "tool_result", "tool_use_id": result, "content": "it says"}
    return [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [answer]},
    ]


def chat_turns(use: str = "t", result: str = "t") -> list[Any]:
    call = {"id": use, "type": "function", "function": {"name": "read_web", "arguments": "{}"}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": result, "content": "it says"},
    ]


def response_items(use: str = "t", result: str = "t") -> list[Any]:
    return [
        {"type": "function_call", "id": "x", "call_id": use, "name": "read_web", "arguments": "{}"},
        {"type": "function_call_output", "call_id": result, "output": "it says"},
    ]


TURNS = {"anthropic": anthropic_turns, "chat": chat_turns, "responses": response_items}


def source(turns: list[Any]) -> list[str | None]:
    return [part.name for part in read_messages(turns).parts if part.text == "it says"]


@pytest.mark.parametrize("turns", TURNS.values(), ids=TURNS)
def test_a_result_carries_the_name_of_its_tool(turns: Any) -> None:
    assert source(turns()) == ["read_web"]
    assert source(turns("t", "u")) == [None]
    assert source([turns()[-1]]) == [None]
    assert source([turns()[-1], *turns()[:-1]]) == [None]


@pytest.mark.parametrize("turns", TURNS.values(), ids=TURNS)
def test_an_id_that_stands_for_two_tools_names_none(turns: Any) -> None:
    other = json.loads(json.dumps(turns()[:-1]).replace("read_web", "search"))
    assert source([*turns()[:-1], *other, turns()[-1]]) == [None]
    assert source([*turns()[:-1], *turns()]) == ["read_web"]


def test_a_result_of_the_older_form_names_its_function() -> None:
    assert source([{"role": "function", "name": "read_web", "content": "it says"}]) == ["read_web"]


def test_calls_of_several_bodies_are_counted_on() -> None:
    query = PairsBody.of(b"a=b", "user")
    body = JsonBody.of(b"", role="assistant", reads=ANTHROPIC_MESSAGE, document=ANTHROPIC)
    joined = JoinedBody((query, TextBody(b"x", "utf-8", "user"), body))
    for call in joined.calls:
        assert call.part is not None
        assert joined.parts[call.part].text == call.name


# -- schemas -------------------------------------------------------------------------------------

SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"to": {"type": "string", "pattern": "^[a-z]+$"}, "n": {"type": "integer"}},
    "required": ["to"],
    "additionalProperties": False,
}
DECLARED = {
    "anthropic": {"tools": [{"name": "send", "input_schema": SCHEMA}]},
    "chat": {"tools": [{"type": "function", "function": {"name": "send", "parameters": SCHEMA}}]},
    "responses": {"tools": [{"type": "function", "name": "send", "parameters": SCHEMA}]},
    "older": {"functions": [{"name": "send", "parameters": SCHEMA}]},
}


def call(arguments: Any, name: str = "send") -> Call:
    return Call(name=name, arguments=arguments, part=0)


@pytest.mark.parametrize("request_", DECLARED.values(), ids=DECLARED)
def test_a_changed_call_fits_the_schema_that_is_declared(request_: Any) -> None:
    schemas = ToolSchemas.of(request_)
    assert schemas is not None
    old = call('{"to": "a", "n": 1}')
    assert schemas.admit([old], [call('{"to": "b"}')])
    assert schemas.admit([old], [call({"to": "b"})])
    for wrong in ('{"to": "*"}', '{"to": "a", "n": "*"}', '{"n": 1}', "{", '{"to": "a", "x": 1}'):
        assert not schemas.admit([old], [call(wrong)])
    assert schemas.admit([call("{")], [call("{")])  # nobody changed it
    assert not schemas.admit([], [call("{")])
    assert schemas.admit([old], [call('{"x": 1}', "undeclared")])


UNUSABLE: list[Any] = [
    {"type": 5},
    {"$ref": "https://a.example/schema"},
    {"$ref": "#"},
    {"pattern": "(?=a)"},
    {"enum": list(range(6_000))},
    "no schema",
    {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/a"}}},
    {"unevaluatedProperties": False},
]


@pytest.mark.parametrize("schema", UNUSABLE, ids=range(len(UNUSABLE)))
def test_a_schema_that_cannot_be_used_takes_nothing_that_was_changed(schema: Any) -> None:
    schemas = ToolSchemas.of({"tools": [{"name": "send", "input_schema": schema}]})
    assert schemas is not None
    assert not schemas.admit([call({"a": 1})], [call({"a": 2})])
    assert schemas.admit([call({"a": 1})], [call({"a": 1})])


def test_a_deep_schema_takes_nothing_that_was_changed() -> None:
    deep: Any = {}
    for _ in range(3_000):
        deep = {"not": deep}
    schemas = ToolSchemas.of({"tools": [{"name": "send", "input_schema": deep}]})
    assert schemas is not None
    assert not schemas.admit([call({"a": 1})], [call({"a": 2})])


def test_a_tool_that_is_declared_twice_takes_nothing_that_was_changed() -> None:
    schemas = ToolSchemas.of({"tools": [{"name": "send", "input_schema": {}}] * 2})
    assert schemas is not None
    assert not schemas.admit([call({"a": 1})], [call({"a": 2})])


@pytest.mark.parametrize(
    "request_", [None, "text", {}, {"tools": "x"}, {"tools": [1, {"name": 2}]}, []]
)
def test_where_nothing_is_declared_there_is_nothing_to_fit(request_: Any) -> None:
    assert ToolSchemas.of(request_) is None
