"""Chat completions that come in pieces which clients may join in other ways than they say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from event_samples import HIDDEN, call, chunk, events
from sdk_reading import streams
from stream_samples import Told, told, written

from guardrails.wire.body import OpaqueBody
from guardrails.wire.formats import NAMES
from guardrails.wire.payload import EVENTS, Payload
from guardrails.wire.sse import DONE, Event, write_events
from guardrails.wire.stream_formats import stream_reader

Json = dict[str, Any]
CHAT = NAMES["openai-chat"]


def request(**more: Any) -> Any:
    return CHAT.request(Payload(data=json.dumps({"model": "m", "messages": [], **more}).encode()))


def read(body: bytes, **more: Any) -> Told:
    reader = stream_reader(CHAT, Payload(data=b"", media_type=EVENTS), request(**more))
    assert reader is not None
    return told(reader, [body])


def whole(body: bytes, **more: Any) -> Any:
    return CHAT.response(Payload(data=body, media_type=EVENTS), request(**more))


def stream(*deltas: Json) -> bytes:
    chunks = [chunk(**delta) for delta in deltas]
    return write_events([*events(*chunks, chunk(finish="stop"), named=False), Event("", DONE)])


# -- choices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "index", "fits"),
    [
        ({}, 0, True),
        ({}, 1, False),
        ({"n": 2}, 1, True),
        ({"n": 2}, 2, False),
        ({"n": "x"}, 1, False),
    ],
)
def test_promise_2_a_choice_that_nobody_asked_for_cannot_be_read(
    asked: Json, index: int, fits: bool
) -> None:
    parts = [chunk(content="hidden "), chunk(index, content="words"), chunk(finish="stop")]
    body = write_events(events(*parts, named=False))
    assert any(head.kind == "opaque" for head in read(body, **asked).heads) is not fits
    assert isinstance(whole(body, **asked), OpaqueBody) is not fits


# -- names told twice ------------------------------------------------------------------------------


def calling(*names: str) -> bytes:
    first, *others = names
    begun = call(0, "{", id="c1", type="function", name=first)
    return stream(
        {"tool_calls": [begun]},
        *({"tool_calls": [call(0, "", id="c1", name=name)]} for name in others),
        {"tool_calls": [call(0, "}")]},
    )


async def test_promise_2_a_name_told_twice_leaves_once() -> None:
    made = read(calling("drop", "drop", "drop"))
    left = written(made.events)
    assert [text for head, text in made.parts if head.kind == "tool_call"] == ["drop", "{}"]
    async with streams() as sdks:
        reply = await sdks.read("openai-chat", left)
        assert reply.choices[0].message.tool_calls[0].function.name == "drop"
    assert isinstance(whole(calling("drop", "drop")), OpaqueBody)


def test_a_name_told_once_is_left_as_it_came() -> None:
    for body in (calling("drop"), calling("drop", "")):
        assert written(read(body).events) == body
        assert not isinstance(whole(body), OpaqueBody)


def test_promise_2_two_names_of_one_call_cannot_be_read() -> None:
    assert any(head.kind == "opaque" for head in read(calling("drop", "drop_all")).heads)


# -- lists that vendors made up --------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 20])
@pytest.mark.parametrize(
    "made",
    [
        lambda piece: {"reasoning_details": [{"type": "reasoning.text", "text": piece}]},
        lambda piece: {"reasoning_details": [{"type": "x", "text": piece, "index": 0}]},
        lambda piece: {"reasoning_details": [{"id": piece, "note": {"text": piece}}]},
        lambda piece: {"notes": [piece]},
        lambda piece: {"notes": list(piece)},
        lambda piece: {"notes": {"more": [piece]}},
    ],
)
def test_promise_2_a_list_that_goes_on_in_the_next_chunk_is_one_text(made: Any, size: int) -> None:
    pieces = [HIDDEN[at : at + size] for at in range(0, len(HIDDEN), size)]
    body = stream(*(made(piece) for piece in pieces), {"content": "Fine."})
    found = read(body)
    assert HIDDEN in found.texts_of()
    assert written(found.events) == body
    assert any(HIDDEN in part.text for part in whole(body).parts)
    fixed = {head.key for head in found.heads if head.fixed}
    gone = b"".join(
        event.write([said.text if said.part in fixed else "" for said in event.says])
        for event in found.events
    )
    assert not any(f'"text": "{piece}"' in gone.decode() for piece in pieces)


def test_kinds_of_things_in_a_vendors_list_stay_apart() -> None:
    body = stream(
        {"reasoning_details": [{"type": "reasoning.summary", "id": "a", "summary": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "id": "b", "data": "c2ln", "n": 5}]},
        {"content": "Fine."},
    )
    found = read(body)
    assert {"hm", "c2ln", "Fine."} <= set(found.texts_of())
    assert not any(head.kind == "opaque" for head in found.heads)
