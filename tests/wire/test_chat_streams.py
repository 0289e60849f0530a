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
from guardrails.wire.sse import DONE, Event, parse_events, write_events
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


PIECES = [HIDDEN[at : at + 3] for at in range(0, len(HIDDEN), 3)]


def test_the_channel_of_each_delta_is_no_text_in_pieces() -> None:
    """As vendors of OpenAI's open models tell it, before and beside the content."""
    thought = [{"channel": "analysis", "reasoning": piece} for piece in ("So ", "it is.")]
    said = [{"channel": "final", "content": piece} for piece in ("Fi", "ne.")]
    found = read(stream(*thought, *said))
    assert found.texts_of() == ["reasoning", "So it is.", "Fine."]
    assert not any(head.kind == "opaque" for head in found.heads)
    assert HIDDEN in read(stream({"channel": HIDDEN}, *said)).texts_of()


def thinking(text: str, **more: Any) -> Json:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": text}], **more}
    return {"content": [thought]}


def test_thoughts_and_content_in_lists_are_texts_in_pieces() -> None:
    """As Mistral's models that reason tell them."""
    body = stream(
        {"role": "assistant", "content": ""},
        *(thinking(piece, closed=True) for piece in PIECES),
        {"content": [{"type": "text", "text": "Fi"}]},
        {"content": "ne"},
        {"content": [{"type": "text", "text": "."}]},
    )
    found = read(body)
    assert found.texts_of() == [HIDDEN, "Fine."]
    assert written(found.events) == body
    masked = dict.fromkeys([*PIECES, "Fi", "ne", "."], "") | {PIECES[0]: "-"}
    changed = written(found.events, lambda text: masked[text])
    assert '"text":"-"' in changed.decode()
    assert not any(piece in changed.decode() for piece in [*PIECES, "Fi", "ne"])
    assert isinstance(whole(body), OpaqueBody)


@pytest.mark.parametrize(
    "made",
    [
        {"content": [{"type": "text", "text": "a", "note": "b"}]},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "other", "text": "a"}]},
        {"content": ["a"]},
        thinking("a", note="b"),
        thinking("a", note=None),
        thinking("a", closed="b"),
        {"content": [{"type": "thinking", "thinking": "a"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "image"}]}]},
        {"refusal": [{"type": "text", "text": "a"}]},
    ],
)
def test_promise_2_other_lists_of_content_cannot_be_read(made: Json) -> None:
    assert any(head.kind == "opaque" for head in read(stream(made)).heads)
    assert isinstance(whole(stream(made)), OpaqueBody)


# -- what stands beside the message ----------------------------------------------------------------


def chunks(*made: Json) -> bytes:
    return write_events([*events(*made, named=False), Event("", DONE)])


def completion(text: str, **more: Any) -> Json:
    """A chunk of a completion that is no chat's."""
    choice = {"index": 0, "text": text, "finish_reason": None, "logprobs": None, **more}
    return {"id": "cmpl-1", "object": "text_completion", "model": "m", "choices": [choice]}


def twice(text: str, again: str | None = None) -> Json:
    """A chunk whose choice says again what its delta says, as Together's do."""
    made = chunk(content=text)
    made["choices"][0] |= {"text": text if again is None else again, "seed": 5}
    return made


@pytest.mark.parametrize(
    "made",
    [
        lambda piece: {"choices": [], "note": piece},
        lambda piece: {"choices": [], "notes": {"more": [{"say": piece}]}},
        lambda piece: {"note": piece},
        lambda piece: {"choices": [{"index": 0, "delta": {}, "note": piece}]},
        lambda piece: {"choices": [{"index": 0, "text": piece}]},
        completion,
    ],
    ids=["of all", "deep in it", "of no choices", "of a choice", "as a text", "no chat"],
)
def test_promise_2_what_chunks_say_beside_the_message_is_judged_joined(made: Any) -> None:
    body = chunks({"choices": []}, *map(made, PIECES))
    assert HIDDEN in read(body).texts_of()
    assert written(read(body).events) == body
    assert any(HIDDEN in part.text for part in whole(body).parts) or isinstance(
        whole(body), OpaqueBody
    )


@pytest.mark.parametrize("times", [1, 2, 5])
def test_promise_2_what_was_said_again_before_it_changed_is_joined(times: int) -> None:
    body = chunks(*[{"choices": [], "note": "ha"}] * times, {"choices": [], "note": "i"})
    assert read(body).texts_of() == ["note", "ha", "i", "ha" * times + "i"]


def test_what_a_filter_says_of_each_chunk_is_no_text_in_pieces() -> None:
    def filtered(level: str) -> Json:
        made = chunk(content="a")
        made["choices"][0]["content_filter_results"] = {"hate": {"severity": level}}
        return made

    texts = read(chunks(*map(filtered, ["safe", "safe", "low", "safe", "low"]))).texts_of()
    assert {"aaaaa", "safe", "low"} <= set(texts)
    assert not any("safelow" in text for text in texts)


def test_padding_is_no_text() -> None:
    made = [{**chunk(content="a"), "p": "abcdefgh"[:size]} for size in (3, 8, 5)]
    assert read(chunks(*made)).texts_of() == ["aaa"]
    assert "4111 1111" in read(chunks({**chunk(content="a"), "p": "4111 1111"})).texts_of()


def test_promise_2_a_text_that_a_choice_says_again_changes_with_its_message() -> None:
    body = chunks(twice(""), *map(twice, PIECES), twice("", ""))
    found = read(body)
    assert found.texts_of() == ["seed", HIDDEN]
    assert written(found.events) == body
    masked = dict.fromkeys(PIECES, "") | {PIECES[0]: "-"}
    changed = written(found.events, lambda text: masked.get(text, text))
    said = [json.loads(event.data) for event in parse_events(changed) if event.data != DONE]
    assert "".join(one["choices"][0]["text"] for one in said) == "-"
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in said) == "-"


@pytest.mark.parametrize("again", ["", "other"])
def test_promise_2_a_text_that_says_something_else_than_before_cannot_be_read(again: str) -> None:
    found = read(chunks(twice("a"), twice("b", again)))
    assert any(head.kind == "opaque" for head in found.heads)


def test_a_completion_that_is_no_chats_changes_and_stops_in_its_own_shape() -> None:
    body = chunks(*map(completion, PIECES))
    changed = written(read(body).events, lambda text: "-" if text == PIECES[0] else "")
    said = [json.loads(event.data) for event in parse_events(changed) if event.data != DONE]
    assert [one["choices"][0]["text"] for one in said] == ["-"]
    for released in (False, True):
        reader = stream_reader(CHAT, Payload(data=b"", media_type=EVENTS), None)
        assert reader is not None
        (first,) = reader.feed(write_events(events(completion("Fine. "), named=False)))
        if released:
            reader.sent(first, {0: "Fine. "})
        stop, end = parse_events(reader.cut("No.", released=released))
        (choice,) = json.loads(stop.data)["choices"]
        assert choice["text"] == ("\n\nNo." if released else "No.")
        assert choice["finish_reason"] == "content_filter"
        assert "delta" not in choice
        assert end.data == DONE


def test_a_whole_stream_of_a_completion_that_is_no_chats_changes_in_its_own_shape() -> None:
    body = chunks(*map(completion, PIECES), completion("", finish_reason="stop"))
    read_whole = whole(body)
    at = [part.text for part in read_whole.parts].index(HIDDEN)
    first, end = parse_events(read_whole.rewrite({at: "-"}).data)
    (choice,) = json.loads(first.data)["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("-", "stop")
    assert end.data == DONE


def test_the_same_again_costs_no_part() -> None:
    results = [{"title": f"Page {at}", "snippet": "x" * 300} for at in range(60)]
    made = [{**chunk(content="a "), "search_results": results} for _ in range(50)]
    assert len(read(chunks(*made)).heads) < 400
