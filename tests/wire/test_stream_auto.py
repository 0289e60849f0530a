"""Streams of which nobody said what they are: nothing is told before that is known."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from reply_samples import REPLIES
from stream_samples import CUTS, name_of, split, stream_of, told, written

from guardrails.wire.body import JsonBody, OpaqueBody
from guardrails.wire.event_replies import EventCodec
from guardrails.wire.formats import AUTO, format_of
from guardrails.wire.payload import EVENTS, Payload
from guardrails.wire.shapes import REQUEST
from guardrails.wire.sse import UNKNOWN_EVENTS, Event, write_events
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.streams.frames import LONGEST
from guardrails.wire.streams.model import StreamReader
from guardrails.wire.strict_json import AmbiguousError

NOBODY = OpaqueBody(b"", "user", "")

Json = dict[str, Any]


def reader(media_type: str = EVENTS, request: Json | None = None) -> StreamReader:
    body = None
    if request is not None:
        data = json.dumps(request).encode()
        body = JsonBody.of(data, role="user", reads=REQUEST, document=request)
    made = stream_reader(AUTO, Payload(data=b"", media_type=media_type), body)
    assert made is not None
    return made


@given(REPLIES, CUTS)
def test_a_providers_stream_is_recognised(reply: tuple[EventCodec, Json], cuts: Any) -> None:
    codec, made = reply
    body = b": hello\n\n" + stream_of(name_of(codec), made)
    read = told(reader(), split(body, cuts))
    assert read.raw == body
    assert read.ended
    assert read.events == told(reader(), [body]).events
    assert written(read.events) == body


UNKNOWN = {
    "no JSON": b"data: Hello\n\ndata: there\n\n",
    "no object": b"data: [1]\n\n",
    "other JSON": b'data: {"token": "hello"}\n\n',
    "another type": b'event: x\ndata: {"type": "x"}\n\n',
    "two readings": b'data: {"type": "ping", "type": "message_start"}\n\n',
    "no error": b'data: {"token": "hel", "error": null}\n\ndata: {"token": "lo", "error": ""}\n\n',
    "no choices": b'data: {"token": "hel", "choices": null}\n\n',
    "choices that are none": b'data: {"token": "hel", "choices": "yes or no"}\n\n',
    "no UTF-8": b"data: \xff\n\n",
    "nothing but comments": b": hi\n\n: there\n\n",
    "an event that is cut off": b"data: Hello",
}


@pytest.mark.parametrize("body", UNKNOWN.values(), ids=UNKNOWN)
def test_a_stream_of_no_known_format_is_a_part_nobody_can_read(body: bytes) -> None:
    read = told(reader(), split(body, range(len(body))))
    assert read.raw == body
    assert {head.kind for head in read.heads} == {"opaque"}
    with suppress(AmbiguousError):
        whole = AUTO.response(Payload(data=body, media_type=EVENTS), NOBODY)
        assert [part.kind for part in whole.parts] == ["opaque"]


def test_nothing_is_told_before_the_format_is_known() -> None:
    read = reader()
    event = b'event: ping\ndata: {"type": "ping"}\n\n'
    assert read.feed(b": hello\n\n" + event[:-1]) == []
    assert b"".join(told.raw for told in read.feed(event[-1:])) == b": hello\n\n" + event


def test_an_empty_stream_says_nothing() -> None:
    assert told(reader(), []).events == []


@pytest.mark.parametrize(
    ("request_", "sign"),
    [
        ({"model": "m", "max_tokens": 5, "messages": []}, b'"stop_reason":"refusal"'),
        ({"model": "m", "messages": []}, b'"finish_reason":"content_filter"'),
        ({"model": "m", "input": "x"}, b"event: response.incomplete"),
    ],
    ids=["anthropic", "chat", "responses"],
)
def test_a_stream_that_never_began_is_refused_as_it_was_asked_for(
    request_: Json, sign: bytes
) -> None:
    read = reader(request=request_)
    read.feed(b": hi\n\n")
    assert sign in read.cut("No.", released=False)
    assert b"error" in read.fail(503, "down")


def test_what_was_sent_unread_is_followed_by_an_error_that_no_message_is() -> None:
    read = reader(request={"model": "m", "messages": []})
    [event] = read.feed(b"data: Hello\n\n")
    assert b"No." in read.cut("No.", released=False)
    read.sent(event, {})
    assert read.cut("No.", released=True) == (
        b'event: error\ndata: {"error":{"message":"No."}}\n\n'
    )
    assert not read.can_refuse
    assert read.unread == UNKNOWN_EVENTS


# -- text in events that may be JSON -------------------------------------------------------------


def text_events() -> StreamReader:
    payload = Payload(data=b"", media_type=EVENTS)
    made = stream_reader(format_of("text"), payload, None)
    assert made is not None
    return made


@pytest.mark.parametrize(
    "data",
    [
        ['{"token": "Hel"}', '{"token": "lo"}'],
        ['{"token": "Hel"}', "[DONE]"],
        ['{"a": 1, "a": 2}'],
        ['"Hel"', '"lo"'],
        ['["Hel"]', '["lo"]'],
        ['"' + "x" * 100 + '"', '{"usage": 3}'],
        ["", '{"token": "Hel"}', "", '{"token": "lo"}'],
        [" ", '"Hel"', "", '"lo"'],
        ["[" * 10_000 + "]" * 10_000],
        ['{"a":' * 10_000 + "1" + "}" * 10_000],
    ],
    ids=range(10),
)
@pytest.mark.parametrize("before", [b"", b": hi\n\n"])
def test_json_in_the_events_of_a_text_is_not_read_as_one(data: list[str], before: bytes) -> None:
    """Not one piece of it is told: its syntax would stand between the pieces of a finding."""
    body = before + write_events(Event("", one) for one in data)
    for cuts in ([], range(0, len(body), max(1, len(body) // 50))):
        read = told(text_events(), split(body, cuts))
        assert read.raw == body
        assert read.heads[-1].kind == "opaque"
        assert not set(read.texts_of()) - {"hi"}


@pytest.mark.parametrize(
    "data", [['"Hel', 'lo"'], ['"Hel"', "lo"], ["{}", "[]"], ["[sic]", '{"a": 1}'], ['"Hel"'], [""]]
)
def test_a_text_in_events_may_have_a_look_of_json(data: list[str]) -> None:
    body = write_events(Event("", one) for one in data)
    for cuts in ([], range(len(body))):
        read = told(text_events(), split(body, cuts))
        assert "".join(read.texts_of()) == "".join(data)
        assert not text_events().unread


@pytest.mark.parametrize(
    ("first", "second"), [('{"a": "b"}', '{"a": "c"}'), ('"b"', '"c"'), ('{"a": "b"}', '"c"')]
)
@pytest.mark.parametrize("between", [[], [""], ["", " "]], ids=len)
def test_two_pieces_of_json_in_a_row_are_no_text(
    first: str, second: str, between: list[str]
) -> None:
    body = write_events(Event("", one) for one in ["begin", first, *between, second])
    read = told(text_events(), [body])
    assert [head.kind for head in read.heads] == ["text", "opaque"]
    assert "".join(read.texts_of()).strip() == f"begin{first}"
    whole = format_of("text").response(Payload(data=body, media_type=EVENTS), NOBODY)
    assert [part.kind for part in whole.parts] == ["opaque"]


def test_two_marks_in_a_row_are_text() -> None:
    body = write_events(Event("", one) for one in ["So it is", "[1]", "[2]", ".", "[3]"])
    read = told(text_events(), [body])
    assert read.texts_of() == ["So it is[1][2].[3]"]


# -- plain text that may be JSON -----------------------------------------------------------------


@pytest.mark.parametrize("body", ["Hello.", "  Hello [there].", "", " \n "])
def test_a_text_is_told_as_it_comes(body: str) -> None:
    data = body.encode()
    read = told(reader("text/plain"), split(data, range(len(data))))
    assert read.raw == data
    assert "".join(text for _, text in read.parts) == body
    assert len(read.events) >= len(body.strip())


@pytest.mark.parametrize("body", ["[Hello] there.", '"Hello," she said.', "{", "[é"])
def test_a_text_that_begins_as_json_does_is_told_when_it_is_whole(body: str) -> None:
    data = body.encode()
    read = reader("text/plain")
    assert [event for at in range(len(data)) for event in read.feed(data[at : at + 1])] == []
    whole = told(reader("text/plain"), split(data, range(len(data))))
    assert [(head.kind, text) for head, text in whole.parts] == [("text", body)]
    assert whole.raw == data


def test_a_text_that_is_json_is_read_as_json() -> None:
    body = b' {"answer": "Hell\\u006f", "n": 1}'
    read = told(reader("text/html"), split(body, range(len(body))))
    assert read.texts_of() == ["answer", "Hello", "n"]
    assert written(read.events) == body
    changed = written(read.events, lambda text: text.replace("Hello", "Bye"))
    assert json.loads(changed) == {"answer": "Bye", "n": 1}


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 2}', b'["\\ud800"]', '["x"]'.encode("utf-16")])
def test_a_text_that_may_be_read_in_two_ways_is_a_part_nobody_can_read(body: bytes) -> None:
    read = told(reader("text/plain"), [body])
    assert {head.kind for head in read.heads} == {"opaque"}
    assert read.raw == body


@pytest.mark.parametrize("begins", [b"[", b" "])
def test_what_may_be_json_is_not_held_for_ever(begins: bytes) -> None:
    read, out = reader("text/plain"), 0
    for _ in range(3 * LONGEST // 65_536):
        out += sum(len(event.raw) for event in read.feed(begins * 65_536))
    assert out >= LONGEST


@pytest.mark.parametrize("media_type", ["application/json", "image/png", "", "multipart/mixed"])
def test_what_has_no_pieces_that_we_read_is_held_whole(media_type: str) -> None:
    assert stream_reader(AUTO, Payload(data=b"", media_type=media_type), None) is None
