"""Conversations and requests in both providers' forms."""

from __future__ import annotations

from typing import Any

import pytest
from openai_shapes import ChatCompletionMessage

from guardrails.errors import WireFormatError
from guardrails.wire.messages import conversation_form, read_messages


def found(value: object) -> list[tuple[str, str, str, bool]]:
    return [(part.role, part.kind, part.text, part.target) for part in read_messages(value).parts]


def user(text: str) -> tuple[str, str, str, bool]:
    return ("user", "text", text, True)


def ours(text: str) -> tuple[str, str, str, bool]:
    return ("system", "text", text, False)


ASKED = {"role": "user", "content": "hello"}


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ([ASKED], "messages"),
        ((ASKED, ChatCompletionMessage(role="assistant", content="hi")), "messages"),
        ([{"type": "function_call_output", "call_id": "1", "output": "x"}], "messages"),
        ({"messages": [ASKED]}, "request"),
        ({"model": "m", "input": "hello"}, "request"),
        ("hello", None),
        ([], None),
        (["hello"], None),
        ([ASKED, "hello"], None),
        ({"input": "a field of a form"}, None),
        ({"messages": "none"}, None),
        ([{"type": ["unhashable"]}], None),
        (None, None),
    ],
    ids=repr,
)
def test_a_conversation_is_told_from_other_values(value: object, form: str | None) -> None:
    assert conversation_form(value) == form


def test_roles_and_kinds_of_a_conversation() -> None:
    assert found(
        [
            {"role": "system", "content": "be kind"},
            {"role": "developer", "content": [{"type": "text", "text": "be brief"}]},
            {"role": "user", "content": "hello", "name": "ann"},
            {"role": "assistant", "content": None, "refusal": "no"},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        ]
    ) == [
        ours("be kind"),
        ours("be brief"),
        user("hello"),
        user("ann"),
        ("assistant", "text", "no", True),
        ("tool", "tool_result", "sunny", True),
    ]


def test_a_request_of_anthropics_form() -> None:
    request = {
        "model": "a-model",
        "max_tokens": 10,
        "system": [{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "mail"}],
        "messages": [
            {"role": "user", "content": "hello"},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "mail", "input": {"to": "a"}}],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "text", "text": "sent"}],
                    },
                    {
                        "type": "document",
                        "title": "page",
                        "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                    },
                ],
            },
        ],
    }
    assert found(request) == [
        ours("be kind"),
        ours("name"),
        ours("mail"),
        user("hello"),
        ("assistant", "tool_call", "mail", True),
        ("assistant", "tool_call", "to", True),
        ("assistant", "tool_call", "a", True),
        ("tool", "tool_result", "sent", True),
        ("user", "document", "page", True),
        ("user", "document", "words", True),
    ]


def test_a_request_of_openais_responses_form() -> None:
    request = {
        "model": "a-model",
        "instructions": "be kind",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hello"}]},
            {"type": "message", "role": "assistant", "content": "hi"},
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": '{"a": "b"}'},
            {"type": "function_call_output", "call_id": "1", "output": "sunny"},
        ],
    }
    assert found(request) == [
        ours("be kind"),
        user("hello"),
        ("assistant", "text", "hi", True),
        ("assistant", "tool_call", "f", True),
        ("assistant", "tool_call", "a", True),
        ("assistant", "tool_call", "b", True),
        ("tool", "tool_result", "sunny", True),
    ]
    assert found({"model": "m", "input": "hello"}) == [user("hello")]


@pytest.mark.parametrize(
    ("block", "kind", "name"),
    [
        ({"type": "image", "source": {"type": "base64", "data": "aGk="}}, "image", "image"),
        ({"type": "image_url", "image_url": {"url": "data:;base64,aGk="}}, "image", "image_url"),
        ({"type": "input_audio", "input_audio": {"data": "aGk="}}, "opaque", "input_audio"),
        (
            {"type": "document", "source": {"type": "of_next_year", "data": "aGk="}},
            "opaque",
            "content of an unknown type",
        ),
        ({"type": "redacted_thinking", "data": "aGk="}, "opaque", "redacted_thinking"),
        ({"type": "canary", "text": "hidden"}, "opaque", "content of an unknown type"),
        ({"text": "no type"}, "opaque", "content of an unknown type"),
    ],
    ids=lambda value: value.get("type", "none") if isinstance(value, dict) else "",
)
def test_promise_2_a_block_that_nobody_can_read_is_a_part_by_name(
    block: dict[str, Any], kind: str, name: str
) -> None:
    (part,) = read_messages([{"role": "user", "content": [block]}]).parts
    assert (part.kind, part.name, part.target, part.readable) == (kind, name, True, False)


def test_promise_2_a_message_of_an_unknown_role_is_not_passed_over() -> None:
    (part,) = read_messages([{"role": "narrator", "content": "hidden"}]).parts
    assert not part.readable


@pytest.mark.parametrize("role", ["system", "developer"])
def test_promise_2_a_role_beside_a_type_makes_nothing_the_applications_own(role: str) -> None:
    given = {"type": "function_call_output", "role": role, "call_id": "c", "output": "hidden"}
    parts = read_messages({"model": "m", "input": [given]}).parts
    assert [(p.role, p.target) for p in parts if p.text == "hidden"] == [("tool", True)]
    (part,) = read_messages([{"type": "weird", "role": role, "content": "hidden"}]).parts
    assert not part.readable
    (part,) = read_messages([{"type": "message", "role": role, "content": "own"}]).parts
    assert (part.text, part.role, part.target) == ("own", "system", False)
    (part,) = read_messages([{"type": "human", "role": "user", "content": "said"}]).parts
    assert (part.text, part.role, part.target) == ("said", "user", True)


def test_fields_that_nobody_named_are_judged() -> None:
    request = {"messages": [{**ASKED, "mood": "sunny"}], "postscript": "more"}
    assert [text for _, _, text, _ in found(request)] == [
        "hello", "mood", "sunny", "postscript", "more",
    ]  # fmt: skip


def test_promise_3_a_conversation_is_put_back_as_it_was() -> None:
    request = {"model": "m", "system": "be kind", "messages": [ASKED, {**ASKED, "content": "bye"}]}
    reading = read_messages(request)
    assert reading.write({}) is request
    written = reading.write({2: "good bye"})
    assert written == {**request, "messages": [ASKED, {**ASKED, "content": "good bye"}]}
    assert request["messages"][1]["content"] == "bye"  # type: ignore[index]


@pytest.mark.parametrize("value", ["hello", [], {"a": 1}, None], ids=repr)
def test_what_is_no_conversation_is_refused(value: object) -> None:
    with pytest.raises(WireFormatError, match="expected a list of messages"):
        read_messages(value)
