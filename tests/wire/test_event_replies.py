"""The providers' streams and what they add up to: nothing that a stream says is lost to a judge."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from event_samples import (
    END,
    HIDDEN,
    REFUSED,
    START,
    UNHEARD,
    anthropic,
    block,
    call,
    chat,
    chunk,
    events,
    response,
    responses,
    responses_stream,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from reply_samples import REPLIES

from guardrails.errors import WireFormatError
from guardrails.wire.event_body import EventBody
from guardrails.wire.event_replies import ANTHROPIC, CHAT, RESPONSES, EventCodec
from guardrails.wire.shapes import ANTHROPIC_MESSAGE, CHAT_COMPLETION, RESPONSE, Shape
from guardrails.wire.sse import Event, write_events

Json = dict[str, Any]
SHAPES: dict[int, Shape] = {
    id(ANTHROPIC): ANTHROPIC_MESSAGE,
    id(CHAT): CHAT_COMPLETION,
    id(RESPONSES): RESPONSE,
}


ASKED = {"instructions": "be kind"}


def body(codec: EventCodec, stream: bytes) -> EventBody:
    return EventBody.of(stream, codec, SHAPES[id(codec)], ASKED)


def texts(codec: EventCodec, stream: list[Event] | bytes) -> list[str]:
    data = stream if isinstance(stream, bytes) else write_events(stream)
    return [part.text for part in body(codec, data).parts]


# -- whole replies there and back ----------------------------------------------------------------


@settings(derandomize=True, deadline=None, max_examples=300)
@given(REPLIES)
def test_a_reply_told_as_a_stream_is_the_same_reply(made: tuple[EventCodec, Json]) -> None:
    codec, reply = made
    before = copy.deepcopy(reply)
    told = list(codec.emit(reply))
    assert reply == before
    assert codec.assemble(told) == reply


# -- streams as the providers send them ----------------------------------------------------------


def test_an_anthropic_stream_adds_up() -> None:
    thinking = block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "thinking_delta", "thinking": "m"},
        {"type": "signature_delta", "signature": "s1"},
    )
    text = block(
        1,
        {"type": "text", "text": ""},
        {"type": "text_delta", "text": "Hel"},
        {"type": "citations_delta", "citation": {"type": "page", "cited_text": "c"}},
        {"type": "text_delta", "text": "lo"},
    )
    tool = block(
        2,
        {"type": "tool_use", "id": "t", "name": "mail", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"to": "a'},
        {"type": "input_json_delta", "partial_json": 'nn"}'},
    )
    idle = block(3, {"type": "tool_use", "id": "u", "name": "now", "input": {}})
    ping: Json = {"type": "ping"}
    whole = ANTHROPIC.assemble(events(START, ping, *thinking, *text, *tool, *idle, *END))
    assert whole["content"] == [
        {"type": "thinking", "thinking": "hmm", "signature": "s1"},
        {"type": "text", "text": "Hello", "citations": [{"type": "page", "cited_text": "c"}]},
        {"type": "tool_use", "id": "t", "name": "mail", "input": {"to": "ann"}},
        {"type": "tool_use", "id": "u", "name": "now", "input": {}},
    ]
    assert whole["stop_reason"] == "end_turn"
    assert whole["usage"] == {"input_tokens": 3, "output_tokens": 5}


def test_a_chat_stream_adds_up_choice_by_choice() -> None:
    stream = events(
        chunk(0, role="assistant", content=""),
        chunk(1, role="assistant", content="B"),
        chunk(0, content="A"),
        chunk(0, tool_calls=[call(0, "", id="t", type="function", name="mail")]),
        chunk(1, content="b"),
        chunk(0, tool_calls=[call(0, '{"to":')]),
        chunk(0, tool_calls=[call(1, "{}", id="u", type="function", name="now")]),
        chunk(0, tool_calls=[call(0, '"ann"}')]),
        chunk(0, "tool_calls"),
        chunk(1, "stop"),
        {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
         "usage": {"total_tokens": 3}},
        named=False,
    )  # fmt: skip
    whole = CHAT.assemble([*stream, Event("", "[DONE]")])
    first, second = whole["choices"]
    assert first["message"]["content"] == "A"
    assert [c["function"] for c in first["message"]["tool_calls"]] == [
        {"arguments": '{"to":"ann"}', "name": "mail"},
        {"arguments": "{}", "name": "now"},
    ]
    assert first["finish_reason"] == "tool_calls"
    assert second == {
        "index": 1, "message": {"role": "assistant", "content": "Bb"}, "finish_reason": "stop",
    }  # fmt: skip
    assert whole["usage"] == {"total_tokens": 3}
    assert "obfuscation" not in whole
    assert "\0said" not in whole


def test_a_responses_stream_is_its_last_response_and_nothing_beside() -> None:
    assert RESPONSES.assemble(events(*responses_stream(["Hel", "lo"]))) == response("Hello")


# -- nothing is said unheard ---------------------------------------------------------------------


@pytest.mark.parametrize(("codec", "stream"), UNHEARD.values(), ids=UNHEARD)
def test_whatever_a_stream_says_is_heard(codec: EventCodec, stream: list[Event]) -> None:
    with suppress(WireFormatError):  # then nobody can judge it
        assert any(HIDDEN in text for text in texts(codec, stream))


def test_what_repeats_the_request_is_heard_where_a_reply_says_it() -> None:
    place = {"item_id": "m1", "output_index": 0, "content_index": 1}
    said = {"type": "response.output_text.done", **place, "text": "be kind"}
    assert "be kind" not in texts(*responses())
    assert "be kind" in texts(*responses(said))


@pytest.mark.parametrize(
    "beside",
    [b": hidden words\n\n", b"id: hidden words\n\n", b"event: hidden words\n\n", b"hidden words\n"],
    ids=["a comment", "an id", "a name without data", "a line of its own"],
)
@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("provider", ["anthropic", "chat", "responses"])
def test_what_stands_beside_the_events_is_heard(provider: str, where: str, beside: bytes) -> None:
    codec, stream = {"anthropic": anthropic(), "chat": chat(), "responses": responses()}[provider]
    told = write_events(stream)
    assert HIDDEN in texts(codec, beside + told if where == "before" else told + beside)


@pytest.mark.parametrize(("codec", "stream"), REFUSED.values(), ids=REFUSED)
def test_a_stream_that_cannot_be_read_whole_is_refused(
    codec: EventCodec, stream: list[Event]
) -> None:
    with pytest.raises(WireFormatError) as caught:
        codec.assemble(stream)
    assert HIDDEN not in str(caught.value)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.sampled_from([ANTHROPIC, CHAT, RESPONSES]),
    st.lists(
        st.dictionaries(
            st.sampled_from(
                ["type", "index", "delta", "message", "content_block", "choices", "response",
                 "usage", "output", "item", "text"]
            ),
            st.sampled_from(
                ["message_start", "content_block_start", "content_block_delta", "message_delta",
                 "response.completed", "response.output_text.delta", "text_delta", "error"]
            )
            | st.none() | st.integers(0, 2) | st.just([]) | st.just({})
            | st.just({"type": "text_delta", "text": "x"}) | st.just([{"index": 0, "delta": {}}]),
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_nonsense_is_read_or_refused_and_never_an_error_of_ours(
    codec: EventCodec, data: list[Json]
) -> None:
    try:
        read = body(codec, write_events(events(*data, named=False)))
        read.rewrite({index: "changed" for index, part in enumerate(read.parts) if part.readable})
    except WireFormatError:
        return
