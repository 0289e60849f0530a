"""Where a blocked value stood, a reply stands and nothing of the value's text."""

from __future__ import annotations

import dataclasses
import enum
from collections import namedtuple
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, NewType, TypedDict

import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st
from openai_shapes import ChatCompletion, ChatCompletionMessage, Response, completion
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from guardrails.errors import WireFormatError
from guardrails.wire.replies import NoPlaceError, reply_of_type
from guardrails.wire.values import read_value

REPLY = "I can't help with that."


class Mood(enum.Enum):
    CALM = "calm"


class Inner(BaseModel):
    text: str = ""
    note: str | None = None


class Answer(BaseModel):
    model_config = ConfigDict(extra="allow")
    text: str
    sources: list[str] = []
    score: float = 0.5
    mood: Mood = Mood.CALM
    tone: Literal["plain", "warm"] = "plain"
    inner: Inner = Inner()
    path: PurePosixPath | None = None
    alias: str = Field(default="", alias="aliasOf")
    _trace: str = PrivateAttr(default="")


class Strict(BaseModel):
    text: str
    label: str = Field(min_length=3)


@dataclasses.dataclass(frozen=True)
class Note:
    text: str
    title: str = "untitled"
    page: int = 0
    length: int = dataclasses.field(init=False, default=0)


class Typed(TypedDict):
    text: str
    score: float


class Scored(BaseModel):
    text: str
    score: float


class Listed(BaseModel):
    items: list[Inner]
    maybe: int | None
    more: dict[str, str]
    inner: Inner


LISTED = Listed(items=[Inner(text="I can't help with that.")], maybe=None, more={}, inner=Inner())
Pair = namedtuple("Pair", "left right")
Words = NewType("Words", str)


def texts(value: object) -> list[str]:
    return [part.text for part in read_value(value, role="assistant").parts]


def full_answer() -> Answer:
    answer = Answer.model_validate(
        {
            "text": "canary",
            "sources": ["canary"],
            "score": 0.9,
            "tone": "warm",
            "inner": {"text": "canary", "note": "canary"},
            "path": "canary",
            "aliasOf": "canary",
            "canary": "canary",
        }
    )
    answer._trace = "canary"
    return answer


EMPTIED = Answer(text=REPLY, score=0.9, tone="warm", inner=Inner(note=""))


@pytest.mark.parametrize(
    ("value", "at", "expected"),
    [
        ("canary", None, REPLY),
        ("canary", "", REPLY),
        ({"a": "canary", "b": 1}, "/a", {"a": REPLY}),
        ({"canary": {"b": ["canary"]}}, "/a/b", {"a": {"b": REPLY}}),
        ({"a": ["canary", "canary"]}, "/a/0", {"a": [REPLY]}),
        ({"a": [{"b": "canary", "c": "canary"}]}, "/a/0/b", {"a": [{"b": REPLY}]}),
        ({"a": "canary"}, "/a/b", {"a": {"b": REPLY}}),
        ({"a/b": {"~": "canary"}}, "/a~1b/~0", {"a/b": {"~": REPLY}}),
        (("canary", "canary", 1), "/1", ("", REPLY, 1)),
        (Pair("canary", "canary"), "/right", Pair("", REPLY)),
        (full_answer(), "/text", EMPTIED),
        (Answer(text="canary"), "/inner/note", Answer(text="", inner=Inner(note=REPLY))),
        (Note("canary", title="canary", page=4), "/text", Note(REPLY, title="", page=4)),
        ({"a": Note("canary")}, "/a/title", {"a": Note("", title=REPLY)}),
    ],
    ids=str,
)  # fmt: skip
def test_promise_1_nothing_of_a_blocked_value_stays(
    value: object, at: str | None, expected: object
) -> None:
    reply = read_value(value, role="assistant").reply(REPLY, at=at)
    assert reply == expected
    assert type(reply) is type(value)
    assert "canary" not in repr(reply)
    assert REPLY in texts(reply)


def test_promise_1_private_attributes_of_a_blocked_model_do_not_stay() -> None:
    reply = read_value(full_answer(), role="assistant").reply(REPLY, at="/text")
    assert isinstance(reply, Answer)
    assert reply._trace == ""
    assert reply.__pydantic_extra__ == {}


def anthropic_message() -> Message:
    return Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "a-model",
            "content": [
                {"type": "thinking", "thinking": "canary", "signature": "canary"},
                {"type": "text", "text": "canary"},
            ],
            "stop_reason": "stop_sequence",
            "stop_sequence": "canary",
            "usage": {"input_tokens": 3, "output_tokens": 5},
        }
    )


def test_a_blocked_anthropic_message_becomes_a_refusal() -> None:
    reply: Any = read_value(anthropic_message(), role="assistant").reply(REPLY)
    assert isinstance(reply, Message)
    assert (reply.stop_reason, reply.stop_sequence) == ("refusal", None)
    assert (reply.id, reply.model, reply.usage.output_tokens) == ("msg_1", "a-model", 5)
    assert texts(reply) == [REPLY]
    assert "canary" not in reply.model_dump_json()


def test_a_blocked_chat_completion_becomes_a_filtered_one() -> None:
    value = completion(content="canary", refusal="canary", mood="canary")
    reply: Any = read_value(value, role="assistant").reply(REPLY)
    assert isinstance(reply, ChatCompletion)
    (choice,) = reply.choices
    assert (choice.finish_reason, choice.message.content) == ("content_filter", REPLY)
    assert texts(reply) == [REPLY]
    assert "canary" not in reply.model_dump_json()


@pytest.mark.parametrize("cls", [Message, ChatCompletion, ChatCompletionMessage, Response])
def test_the_providers_replies_can_be_made_where_no_model_ran(cls: type) -> None:
    reply = reply_of_type(cls, REPLY, None)
    assert type(reply) is cls
    assert texts(reply) == [REPLY]


@pytest.mark.parametrize(
    ("value", "at", "error"),
    [
        ({"a": "b"}, None, NoPlaceError),
        ({"a": "b"}, "a", NoPlaceError),
        (["a", "b"], "/1", NoPlaceError),
        (Answer(text="t"), "/reply", NoPlaceError),
        (("a",), "/1", NoPlaceError),
        (7, None, NoPlaceError),
        ("a", "/b", NoPlaceError),
        (Answer(text="t"), "/score", WireFormatError),
        (Strict(text="t", label="long enough"), "/text", WireFormatError),
    ],
    ids=str,
)
def test_where_a_reply_cannot_stand_it_does_not(
    value: object, at: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        read_value(value, role="assistant").reply(REPLY, at=at)


@pytest.mark.parametrize(
    ("hint", "at", "expected"),
    [
        (str, None, REPLY),
        (str | None, None, REPLY),
        (dict[str, Any] | str, None, REPLY),
        (Annotated[str, "spoken"], None, REPLY),
        (Words, None, REPLY),
        (Any, None, REPLY),
        (Any, "/a/0/b", {"a": [{"b": REPLY}]}),
        (dict[str, Any], "/a", {"a": REPLY}),
        (dict[str, list[str]], "/a/0", {"a": [REPLY]}),
        (Sequence[str], "/0", [REPLY]),
        (Typed, "/text", {"text": REPLY}),
        (Answer, "/text", Answer(text=REPLY)),
        (Answer | None, "/inner/text", Answer(text="", inner=Inner(text=REPLY))),
        (Note, "/text", Note(REPLY)),
        (dict[str, Note], "/a/title", {"a": Note("", title=REPLY)}),
        (Listed, "/items/0/text", LISTED),
    ],
    ids=str,
)  # fmt: skip
def test_a_reply_can_be_made_from_an_annotation(
    hint: object, at: str | None, expected: object
) -> None:
    reply = reply_of_type(hint, REPLY, at)
    assert reply == expected
    assert type(reply) is type(expected)


@pytest.mark.parametrize(
    ("hint", "at", "error", "problem"),
    [
        (None, None, NoPlaceError, "None"),
        (int, None, NoPlaceError, "int"),
        (dict[str, str], None, NoPlaceError, "dict"),
        (Answer, None, NoPlaceError, "Answer"),
        (Answer, "/reply", NoPlaceError, "'text', 'sources'"),
        (Typed, "/reply", NoPlaceError, "'reply'"),
        (tuple[str, int], "/0", NoPlaceError, "tuple"),
        (str, "/a", NoPlaceError, "str"),
        (Scored, "/text", WireFormatError, "float"),
        (Literal["a"], None, NoPlaceError, "Literal"),
    ],
    ids=str,
)
def test_an_annotation_without_a_place_says_so(
    hint: object, at: str | None, error: type[Exception], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        reply_of_type(hint, REPLY, at)


json_values = st.recursive(
    st.text(max_size=6) | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=4))
def test_promise_1_of_a_dict_only_the_way_to_the_reply_stays(value: dict[str, Any]) -> None:
    try:
        reply = read_value(value, role="assistant").reply(REPLY, at="/answer/text")
    except NoPlaceError:
        return
    assert texts(reply) == ["answer", "text", REPLY]
