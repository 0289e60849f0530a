"""The providers' replies: their texts are found, fields without text are passed over, what is
signed is never edited."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message, ThinkingBlock
from anthropic.types.beta import BetaMessage
from openai_shapes import completion, response

from guardrails.errors import WireFormatError
from guardrails.wire.values import Reading, read_value


def message(*content: dict[str, Any], cls: Any = Message, **fields: Any) -> Any:
    return cls.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "a-model",
            "content": content,
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
            **fields,
        }
    )


def read(value: object) -> Reading:
    return read_value(value, role="assistant")


def found(value: object) -> list[tuple[str, str]]:
    return [(part.kind, part.text) for part in read(value).parts]


TEXT = {"type": "text", "text": "hello"}
THINKING = {"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"}
CITED = {
    "type": "text",
    "text": "hello",
    "citations": [
        {
            "type": "char_location",
            "cited_text": "from a page",
            "document_index": 0,
            "document_title": "title",
            "start_char_index": 0,
            "end_char_index": 4,
        }
    ],
}
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "mail", "input": {"id": "to", "n": 1}}
SEARCH = {
    "type": "web_search_tool_result",
    "tool_use_id": "toolu_1",
    "content": [
        {
            "type": "web_search_result",
            "title": "title",
            "url": "https://example.com",
            "encrypted_content": "b3BhcXVl",
        }
    ],
}


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        (TEXT, [("text", "hello")]),
        (THINKING, [("thinking", "hm")]),
        (CITED, [("text", "hello"), ("document", "from a page"), ("document", "title")]),
        (
            TOOL,
            [("tool_call", text) for text in ("id", "to", "n", "1", "mail")],
        ),
        (SEARCH, [("tool_result", "title"), ("tool_result", "https://example.com")]),
        ({"type": "redacted_thinking", "data": "b3BhcXVl"}, [("opaque", "")]),
        ({"type": "of_next_year", "text": "hidden", "what": "else"}, [("opaque", "")]),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("cls", [Message, BetaMessage])
def test_every_text_of_an_anthropic_message_is_found(
    cls: Any, block: dict[str, Any], parts: list[tuple[str, str]]
) -> None:
    if block["type"] == "of_next_year":  # built as the SDK builds what it does not know
        reply = message(cls=cls)
        reply.content = [ThinkingBlock.model_construct(**block)]
    else:
        reply = message(block, cls=cls)
    assert found(reply) == parts


def test_promise_2_an_unknown_block_is_named_without_quoting_its_type() -> None:
    reply = message()
    reply.content = [ThinkingBlock.model_construct(type="canary", thinking="")]
    (part,) = read(reply).parts
    assert part.name == "content of an unknown type"
    reply = message({"type": "redacted_thinking", "data": "b3BhcXVl"})
    (part,) = read(reply).parts
    assert part.name == "redacted_thinking"


def test_fields_that_a_provider_adds_are_judged() -> None:
    reply = message({**TEXT, "subtitle": "new text"}, mood="sunny")
    assert [text for _, text in found(reply)] == ["hello", "subtitle", "new text", "mood", "sunny"]


def test_a_message_is_recognised_wherever_it_stands() -> None:
    assert found({"reply": message(TEXT)}) == [("text", "reply"), ("text", "hello")]
    assert found(message(THINKING, TEXT).content) == [("thinking", "hm"), ("text", "hello")]


def test_a_changed_text_keeps_the_rest_of_a_message() -> None:
    reply = message(THINKING, TEXT, TOOL)
    written = read(reply).write({1: "good day"})
    assert type(written) is Message
    assert written == message(THINKING, {**TEXT, "text": "good day"}, TOOL)
    assert written.content[0] is reply.content[0]
    assert reply == message(THINKING, TEXT, TOOL)


def test_a_signed_block_is_left_out_rather_than_edited() -> None:
    rewritten = read(message(THINKING, TEXT)).rewrite({0: "well"})
    assert rewritten.value == message(TEXT)
    assert [part.text for part in rewritten.parts] == ["hello"]
    with pytest.raises(WireFormatError, match="signed"):
        read(message(THINKING).content[0]).write({0: "well"})


def test_what_points_into_a_changed_text_goes() -> None:
    assert read(message(CITED)).write({0: "bye"}) == message({"type": "text", "text": "bye"})
    assert read(message(CITED)).write({1: "[EMAIL]"}) == message(TEXT)


CALLS = [
    {
        "id": "call_1",
        "type": "function",
        "function": {"name": "mail", "arguments": '{"to": "\\u0061nn", "card": 4111111111111111}'},
    }
]


def test_every_text_of_a_chat_completion_is_found() -> None:
    reply = completion(content="hello", refusal="no", tool_calls=CALLS, reasoning_content="hm")
    assert found(reply) == [
        ("text", "hello"),
        ("text", "no"),
        ("tool_call", "mail"),
        ("tool_call", "to"),
        ("tool_call", "ann"),
        ("tool_call", "card"),
        ("tool_call", "4111111111111111"),
        ("text", "reasoning_content"),
        ("text", "hm"),
    ]
    assert read(reply).parts[4].name == "mail"


def test_arguments_are_written_as_json_again() -> None:
    reading = read(completion(tool_calls=CALLS))
    assert reading.write({2: "ann"}) is reading.value
    written: Any = reading.write({4: "[CARD]"})
    arguments = written.choices[0].message.tool_calls[0].function.arguments
    assert json.loads(arguments) == {"to": "ann", "card": "[CARD]"}


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("{}", []),
        ('["\\ud800"]', [("tool_call", "\ud800")]),
        ('{"a": 1.50, "b": NaN}', [("tool_call", "a"), ("tool_call", "1.50"), ("tool_call", "b")]),
        ('{"a": "cut o', [("tool_call", '{"a": "cut o')]),
        ("just words", [("tool_call", "just words")]),
        ("4111111111111111", [("tool_call", "4111111111111111")]),
        ('{"a": "x", "a": "y"}', [("opaque", "")]),
    ],
)
def test_arguments_are_read_as_their_reader_will_read_them(
    arguments: str, parts: list[tuple[str, str]]
) -> None:
    call = {**CALLS[0], "function": {"name": "f", "arguments": arguments}}
    assert found(completion(tool_calls=[call]))[1:] == parts


@pytest.mark.parametrize("levels", [101, 100_000])
def test_promise_10_arguments_have_limits_too(levels: int) -> None:
    call = {**CALLS[0], "function": {"name": "f", "arguments": "[" * levels + "]" * levels}}
    with pytest.raises(WireFormatError, match=r"100 levels|too deeply"):
        found(completion(tool_calls=[call]))


def test_log_probabilities_of_a_changed_text_go() -> None:
    written: Any = read(completion(content="hello")).write({0: "bye"})
    assert written.choices[0].message.content == "bye"
    assert written.choices[0].logprobs is None


def test_every_text_of_a_response_is_found() -> None:
    reply = response(
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [
                {
                    "type": "output_text",
                    "text": "hello",
                    "annotations": [{"type": "url_citation", "url": "u", "title": "t"}],
                }
            ],
        },
    )
    assert found(reply) == [
        ("thinking", "hm"),
        ("text", "hello"),
        ("document", "u"),
        ("document", "t"),
    ]
    written: Any = read(reply).write({1: "bye"})
    assert written.output[1].content[0].annotations == []
    written = read(reply).write({0: "well"})
    assert [item.type for item in written.output] == ["message"]
