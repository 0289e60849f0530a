"""Streams as they come tell what they tell as a whole, however they are cut."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from event_samples import (
    HIDDEN,
    REFUSED,
    UNHEARD,
    anthropic,
    call,
    chat,
    chunk,
    events,
    responses,
    responses_stream,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from reply_samples import REPLIES
from stream_samples import CUTS, Told, comparable, judged, name_of, split, stream_of, told, written

from guardrails.wire.body import OpaqueBody
from guardrails.wire.event_body import EventBody
from guardrails.wire.event_replies import EventCodec
from guardrails.wire.formats import NAMES
from guardrails.wire.payload import EVENTS, Payload
from guardrails.wire.sse import Event, parse_events, write_events
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.streams.model import StreamReader
from guardrails.wire.strict_json import AmbiguousError

Json = dict[str, Any]


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
    name = name_of(codec)
    body = stream_of(name, made, tokens)
    at_once = told(reader(name), [body])
    assert at_once.raw == body
    assert comparable(judged(at_once.parts)) == comparable(whole(name, body).parts)
    pieces = told(reader(name), split(body, cuts))
    assert pieces.events == at_once.events
    assert pieces.ended
    assert written(pieces.events) == body


@pytest.mark.parametrize(("codec", "stream"), UNHEARD.values(), ids=UNHEARD)
def test_whatever_a_stream_says_is_told(codec: EventCodec, stream: list[Event]) -> None:
    read = told(reader(name_of(codec)), [write_events(stream)])
    texts = [part.text for part in judged(read.parts)]
    opaque = any(head.kind == "opaque" for head in read.heads)
    assert any(HIDDEN in text for text in texts) or opaque


SAYS_NOTHING = {"nothing", "a chat of nothing", "a response of nothing"}
JUDGED_AS_TEXT = {"arguments that are no JSON", "calls that were something else"}
UNREADABLE = {k: v for k, v in REFUSED.items() if k not in SAYS_NOTHING | JUDGED_AS_TEXT}


@pytest.mark.parametrize(("codec", "stream"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_told_as_such(codec: EventCodec, stream: list[Event]) -> None:
    body = write_events(stream)
    read = told(reader(name_of(codec)), split(body, range(len(body))))
    assert any(head.kind == "opaque" for head in read.heads)
    assert not any(HIDDEN in (head.name or "") for head in read.heads)
    assert read.raw == body


@pytest.mark.parametrize(
    "beside",
    [b": hidden words\n\n", b"id: hidden words\n\n", b"event: hidden words\n\n", b"hidden words\n"],
    ids=["a comment", "an id", "a name without data", "a line of its own"],
)
@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize(
    "made", [anthropic(), chat(), responses()], ids=["anthropic", "chat", "responses"]
)
def test_what_stands_beside_the_events_is_told_and_goes(
    made: tuple[EventCodec, list[Event]], where: str, beside: bytes
) -> None:
    codec, stream = made
    events = write_events(stream)
    body = beside + events if where == "before" else events + beside
    read = told(reader(name_of(codec)), [body])
    assert any(HIDDEN in text for _, text in read.parts)
    assert written(read.events) == body
    assert HIDDEN.encode() not in written(read.events, lambda text: text.replace(HIDDEN, "x"))


def gone(text: str) -> str:
    return text.replace(HIDDEN, "gone")


def without_fixed(read: Told) -> bytes:
    """The stream without the hidden words, where they can be changed."""
    fixed = {head.key for head in read.heads if head.fixed}
    texts = {head.key: text for head, text in read.parts}
    return b"".join(
        event.write(
            [
                said.text
                if said.part in fixed
                else gone(texts[said.part] if said.repeats else said.text)
                for said in event.says
            ]
        )
        for event in read.events
    )


@pytest.mark.parametrize(
    "repeated",
    [
        {"id": HIDDEN},
        {"model": HIDDEN},
        {"choices": [{"index": 0, "delta": {"tool_calls": [call(0, "", name=HIDDEN)]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [call(0, "", id=HIDDEN)]}}]},
        {"choices": [{"index": 0, "delta": {"role": HIDDEN}}]},
        {"choices": [{"index": 0, "delta": {"function_call": {"name": HIDDEN}}}]},
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_chunks_say_again_and_again_is_changed_in_all_of_them(repeated: Json) -> None:
    stream = [Event("", json.dumps({**chunk(content="fine"), **repeated})) for _ in range(3)]
    read = told(reader("openai-chat"), [write_events(stream)])
    assert any(HIDDEN in text for _, text in read.parts)
    once = '"name"' in json.dumps(repeated)  # an SDK adds the name of a call to the one before
    assert written(read.events).count(HIDDEN.encode()) == (1 if once else 3)
    assert HIDDEN.encode() not in without_fixed(read)


@given(REPLIES, st.integers(1, 3), st.sampled_from(["y", "", "Y, and more"]))
def test_a_stream_with_other_texts_says_those_texts(
    reply: tuple[EventCodec, Json], tokens: int, other: str
) -> None:
    codec, made = reply
    name = name_of(codec)
    read = told(reader(name), [stream_of(name, made, tokens)])
    fixed = {head.key for head in read.heads if head.fixed}

    def change(key: int, text: str) -> str:
        return text if key in fixed else text.replace("x", other)

    body = b"".join(
        event.write([change(said.part, said.text) for said in event.says]) for event in read.events
    )
    again = told(reader(name), [body])
    assert "opaque" not in {head.kind for head in again.heads} - {h.kind for h in read.heads}
    expected = [(head.path, change(head.key, text)) for head, text in read.parts]
    assert [(p, t) for p, t in expected if t] == [(h.path, t) for h, t in again.parts if t]


def test_a_vendors_own_fields_are_told_once_for_each_value() -> None:
    safe = {"hate": {"filtered": False, "severity": "safe"}}
    made = [chunk(content=text) for text in "abcd"]
    for at, one in enumerate(made):
        one["provider"] = "x y" if at < 3 else "z"
        one["choices"][0]["content_filter_results"] = safe
    read = told(reader("openai-chat"), [write_events(events(*made, named=False))])
    texts = [text for _, text in read.parts]
    assert texts.count("x y") == texts.count("z") == texts.count("safe") == 1
    assert "x yx yx yz" in texts
    assert {head.fixed for head, text in read.parts if text in ("x y", "z", "safe")} == {True}
    assert "abcd" in texts


ANNOTATION = {"type": "url_citation", "url": "https://a.example", "title": "xyz"}


def annotated() -> bytes:
    stream = responses_stream(["He", "llo"])
    place = {"item_id": "m1", "output_index": 0, "content_index": 0, "annotation_index": 0}
    added = {"type": "response.output_text.annotation.added", **place, "annotation": ANNOTATION}
    told = json.dumps([*stream[:6], added, *stream[6:]])
    whole = json.loads(
        told.replace(
            '"text": "Hello", "annotations": []',
            f'"text": "Hello", "annotations": [{json.dumps(ANNOTATION)}]',
        )
    )
    return write_events(events(*whole))


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [("Hello", "Hi", 0), ("xyz", "x", 0), ("nothing", "x", 4)],
    ids=["the text", "the annotation", "nothing"],
)
def test_what_points_into_a_text_goes_when_it_changes(old: str, new: str, left: int) -> None:
    read = told(reader("openai-responses"), [annotated()])
    assert {"Hello", "xyz", "https://a.example"} <= {text for _, text in read.parts}
    texts = {head.key: text for head, text in read.parts}
    made: list[bytes] = []
    for event in read.events:
        says = event.says
        now = [new if texts[said.part] == old else said.text for said in says]
        if old == "Hello":
            now = ["" if s.text == "llo" else now[at] for at, s in enumerate(says)]
        made.append(event.write(now))
    body = b"".join(made)
    assert body.count(b"a.example") == left
    assert "opaque" not in {head.kind for head in told(reader("openai-responses"), [body]).heads}


@pytest.mark.parametrize("charset", ["utf-7", "iso-8859-1", "shift_jis"])
@pytest.mark.parametrize("name", ["anthropic", "openai-chat", "text", "auto", "ndjson"])
def test_events_in_another_charset_are_not_read(name: str, charset: str) -> None:
    media_type = "application/x-ndjson" if name == "ndjson" else EVENTS
    payload = Payload(data='data: "é"\n\n'.encode(), media_type=media_type, charset=charset)
    assert stream_reader(NAMES[name], payload, None) is None
    nobody = OpaqueBody(b"", "user", "")
    if name == "auto":
        assert isinstance(NAMES[name].response(payload, nobody), OpaqueBody)
    else:
        with pytest.raises(AmbiguousError):
            NAMES[name].response(payload, nobody)


JUNK: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 3, 10**30, "x", "y z", ""),
    *([], {}, [{}], ["x"], {"x": "x"}, {"index": 0}, [{"index": 0}], {"type": "text"}),
    {"type": "reasoning", "summary": [{"text": "x"}]},
    *("thinking", "text_delta", "content_block_start", "message_start", "response.completed"),
    *("function", "custom", "tool_use", "output_text", "refusal"),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key, held in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(held, (*path, key))
    return found


@settings(max_examples=100)
@given(REPLIES, st.randoms(use_true_random=False))
def test_nonsense_in_a_stream_is_told_and_never_an_error_of_ours(
    reply: tuple[EventCodec, Json], dice: Random
) -> None:
    codec, made = reply
    name = name_of(codec)
    stream = list(parse_events(stream_of(name, made)))
    for _ in range(dice.randint(1, 4)):
        _spoil(stream, dice)
    body = write_events(stream)
    at_once = told(reader(name), [body])
    if not any(getattr(event.change, "drops", ()) for event in at_once.events):
        assert written(at_once.events) == body
    read, fixed, released = reader(name), set[int](), dict[int, str]()
    upto = dice.randint(0, len(stream))
    for event in [*read.feed(body), *read.close()][:upto]:
        fixed |= {head.key for head in event.opens if head.fixed}
        texts = [s.text if s.part in fixed else s.text.replace("x", "") for s in event.says]
        for key in fixed:
            if dice.random() < 0.05:
                read.drop(key)
        for said, text in zip(event.says, texts, strict=True):
            released[said.part] = text if said.repeats else released.get(said.part, "") + text
        if event.write(texts):
            read.sent(event, released)
    assert isinstance(read.cut("No.", released=True), bytes)
    assert b"down" in read.fail(503, "down")


def _spoil(stream: list[Event], dice: Random) -> None:
    """Put nonsense somewhere in an event, or say one twice."""
    at = dice.randrange(len(stream))
    if dice.random() < 0.1:
        stream.insert(dice.randrange(len(stream)), stream[at])
        return
    data = {} if stream[at].data == "[DONE]" else json.loads(stream[at].data)
    if not (found := places(data)):
        return
    path, holder = dice.choice(found), data
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = dice.choice(JUNK)
    stream[at] = Event(stream[at].name, json.dumps(data))
