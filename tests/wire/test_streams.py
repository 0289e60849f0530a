"""Streams as they come tell what they tell as a whole, however they are cut."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from reply_samples import REPLIES
from stream_samples import CUTS, comparable, judged, split, stream_of, told, written

from guardrails.wire.body import OpaqueBody
from guardrails.wire.event_body import EventBody
from guardrails.wire.event_replies import ANTHROPIC, CHAT, RESPONSES, EventCodec
from guardrails.wire.formats import EVENTS, NAMES, Payload
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.streams.model import StreamReader

Json = dict[str, Any]
NAMED = {id(ANTHROPIC): "anthropic", id(CHAT): "openai-chat", id(RESPONSES): "openai-responses"}


def reader(name: str) -> StreamReader:
    payload = Payload(data=b"", media_type=EVENTS)
    made = stream_reader(NAMES[name], payload, None)
    assert made is not None
    return made


def whole(name: str, body: bytes) -> EventBody:
    made = NAMES[name].response(Payload(data=body, media_type=EVENTS), OpaqueBody(b"", "user", ""))
    assert isinstance(made, EventBody)
    return made


@given(REPLIES, st.integers(1, 3), CUTS)
def test_a_stream_says_the_same_in_pieces_as_whole(
    reply: tuple[EventCodec, Json], tokens: int, cuts: Any
) -> None:
    codec, made = reply
    name = NAMED[id(codec)]
    body = stream_of(name, made, tokens)
    at_once = told(reader(name), [body])
    assert at_once.raw == body
    assert comparable(judged(at_once.parts)) == comparable(whole(name, body).parts)
    pieces = told(reader(name), split(body, cuts))
    assert pieces.events == at_once.events
    assert pieces.ended
    assert written(pieces.events) == body
