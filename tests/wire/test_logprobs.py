"""Log-probabilities tell the text that they are of, or what they tell is judged."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any

import pytest
from event_samples import chunk, events, response, responses_stream
from hypothesis import given
from hypothesis import strategies as st
from sdk_reading import Streams, streams
from stream_samples import Told, told, written

from guardrails.wire.body import OpaqueBody
from guardrails.wire.formats import NAMES
from guardrails.wire.payload import EVENTS, JSON, Payload
from guardrails.wire.sse import DONE, Event, write_events
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.values import read_value

Json = dict[str, Any]
HIDDEN = "hidden words"
CARD = "4111 1111 1111 1111"
TEXT = "Fine, 日本 🎉 it is."


def token(piece: bytes, *others: str, **more: Any) -> Json:
    name = piece.decode("utf-8", "replace")
    found = [{"token": o, "logprob": -9.5, "bytes": list(o.encode())} for o in others]
    made = {"token": name, "logprob": -0.25, "bytes": list(piece), "top_logprobs": found}
    return {**made, **more}


def tokens(text: str, size: int = 4) -> list[Json]:
    """As a provider tells them: a character may be cut over two."""
    data = text.encode()
    return [token(data[at : at + size], " is", "\n\n") for at in range(0, len(data), size)]


def completion(logprobs: object, content: Any = TEXT) -> Json:
    message = {"role": "assistant", "content": content, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop"}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }


def said(logprobs: object, text: str = TEXT) -> Json:
    made = response(text, instructions=None)
    made["output"][0]["content"][0]["logprobs"] = logprobs
    return made


ASKED = {
    "openai-chat": {"model": "m", "messages": [], "logprobs": True, "top_logprobs": 2},
    "openai-responses": {"model": "m", "input": "x", "top_logprobs": 2},
}
MAKE = {"openai-chat": lambda t: completion({"content": t}), "openai-responses": said}
BOTH = pytest.mark.parametrize("name", MAKE)


def payload(data: object, media_type: str = JSON) -> Payload:
    return Payload(data=json.dumps(data).encode(), media_type=media_type)


def whole(name: str, reply: Json, asked: Json | None = None) -> Any:
    format = NAMES[name]
    return format.response(payload(reply), format.request(payload(asked or ASKED[name])))


def texts(name: str, reply: Json, asked: Json | None = None) -> list[str]:
    return [part.text for part in whole(name, reply, asked).parts]


# -- whole replies -------------------------------------------------------------------------------


@BOTH
@given(text=st.text(max_size=30), size=st.integers(1, 6))
def test_tokens_that_add_up_to_the_text_are_no_text(name: str, text: str, size: int) -> None:
    reply = MAKE[name](tokens(text, size))
    if name == "openai-chat":
        reply["choices"][0]["message"]["content"] = text
    else:
        reply["output"][0]["content"][0]["text"] = text
    assert texts(name, reply) == [text]


@BOTH
def test_tokens_without_bytes_and_written_bytes_are_no_text(name: str) -> None:
    plain = [token(piece.encode(), bytes=None) for piece in ("Fine, ", "日", "本 🎉 it is.")]
    data = TEXT.encode()
    escaped = [
        token(data[:7]),
        token(data[7:9], token="bytes:\\xe6\\x97" if data[7:9] == b"\xe6\x97" else "x"),
        token(data[9:]),
    ]
    escaped[1]["token"] = "bytes:" + "".join(f"\\x{byte:02x}" for byte in data[7:9])
    for said_so in (plain, escaped):
        assert texts(name, MAKE[name](said_so)) == [TEXT]


BEYOND: dict[str, Any] = {
    "another text": [token(HIDDEN.encode())],
    "another text, in pieces": [token(c.encode()) for c in HIDDEN],
    "more than the text": [*tokens(TEXT), token(HIDDEN.encode())],
    "the name alone": [token(TEXT.encode(), token=HIDDEN)],
    "the bytes alone": [token(TEXT.encode(), bytes=list(HIDDEN.encode()))],
    "a field of no list": [{**token(TEXT.encode()), "note": HIDDEN}],
    "a field's name": [{**token(TEXT.encode()), HIDDEN: 1}],
    "a probability": [token(TEXT.encode(), logprob=HIDDEN)],
    "an alternative of two words": [token(TEXT.encode(), HIDDEN)],
    "an alternative's bytes": [
        token(TEXT.encode(), top_logprobs=[{"token": "a", "bytes": list(HIDDEN.encode())}])
    ],
    "an alternative's field": [token(TEXT.encode(), top_logprobs=[{"token": "a", "b": HIDDEN}])],
    "an alternative that is none": [token(TEXT.encode(), top_logprobs=[HIDDEN])],
    "alternatives that are none": [token(TEXT.encode(), top_logprobs=HIDDEN)],
    "no tokens": [HIDDEN],
    "no list": {"note": HIDDEN},
    "a text": HIDDEN,
    "as in another form": {"tokens": ["hidden", HIDDEN], "token_logprobs": [-1, -2]},
    "tokens of another form": [{"token": c, "x": 1} for c in HIDDEN],
    "bytes of another form": [{"token": "?", "x": 1, "bytes": list(HIDDEN.encode())}],
}


@BOTH
@pytest.mark.parametrize("beyond", BEYOND.values(), ids=BEYOND)
def test_promise_2_what_they_say_beside_the_text_is_judged(name: str, beyond: Any) -> None:
    body = whole(name, MAKE[name](beyond))
    assert any(HIDDEN in part.text for part in body.parts)
    again = body.rewrite(
        {n: "gone" for n, part in enumerate(body.parts) if HIDDEN in part.text and n != 0}
    )
    assert HIDDEN not in str(again.document)
    assert str(list(HIDDEN.encode())) not in str(again.document)
    assert TEXT in str(again.document)


@BOTH
@pytest.mark.parametrize(
    "other",
    [CARD, "4111111111111111", "12345", "ann@example.com", "x" * 25, "日本語" * 5, "a\u200bb c"],
)
def test_promise_2_an_alternative_is_no_longer_than_a_token(name: str, other: str) -> None:
    assert other in texts(name, MAKE[name]([token(TEXT.encode(), other)]))


@BOTH
def test_an_alternative_may_be_a_piece_of_a_character(name: str) -> None:
    piece = {"token": "bytes:\\xe6\\x97", "logprob": -1, "bytes": [0xE6, 0x97]}
    more = {**piece, "bytes": [*b"hidden words", 0xE6], "token": "hidden words\ufffd"}
    assert texts(name, MAKE[name]([token(TEXT.encode(), top_logprobs=[piece])])) == [TEXT]
    assert len(texts(name, MAKE[name]([token(TEXT.encode(), top_logprobs=[more])]))) == 2


@BOTH
def test_alternatives_are_judged_unless_they_were_asked_for(name: str) -> None:
    reply = MAKE[name]([token(TEXT.encode(), " one", "\ttwo'", "3000", TEXT)])
    more = MAKE[name]([token(TEXT.encode(), "1", "2", "3")])
    plain = {key: value for key, value in ASKED[name].items() if key != "top_logprobs"}
    assert texts(name, reply, {**plain, "top_logprobs": 3}) == [TEXT]
    assert texts(name, more) == [TEXT, "1\n2\n3"]
    assert texts(name, reply, plain) == [TEXT, " one\n\ttwo'\n3000"]


@BOTH
def test_promise_6_they_go_with_a_text_that_changes(name: str) -> None:
    body = whole(name, MAKE[name](tokens(TEXT)))
    changed = body.rewrite({0: "Another."})
    assert "Fine" not in changed.data.decode()
    assert str(list(b"Fine")) not in str(changed.document)


def test_a_refusal_and_parts_have_theirs_as_well() -> None:
    refused = completion({"content": [], "refusal": tokens("No.")}, None)
    refused["choices"][0]["message"]["refusal"] = "No."
    assert texts("openai-chat", refused) == ["No."]
    parts = [{"type": "text", "text": "Fine"}, {"type": "text", "text": ", is"}]
    assert texts("openai-chat", completion({"content": tokens("Fine, is")}, parts)) == [
        "Fine", ", is",
    ]  # fmt: skip
    assert HIDDEN in texts("openai-chat", completion({"content": None, "note": HIDDEN}))


def test_promise_6_a_completion_that_calls_itself_plain_text_keeps_none_of_a_changed_text() -> None:
    auto = NAMES["auto"]
    reader = stream_reader(auto, Payload(data=b"", media_type="text/plain"), None)
    assert reader is not None
    read = told(reader, [json.dumps(completion({"content": tokens(TEXT)})).encode()])
    gone = written(read.events, lambda text: "Another." if text == TEXT else text)
    assert b"Fine" not in gone
    assert json.loads(gone)["choices"][0]["logprobs"] is None


def test_what_is_sent_to_a_provider_is_held_to_the_same() -> None:
    format = NAMES["openai-responses"]
    for probabilities, found in (
        (tokens(TEXT), [TEXT]),
        ([token(HIDDEN.encode())], [TEXT, HIDDEN]),
    ):
        part = {"type": "output_text", "text": TEXT, "logprobs": probabilities}
        item = {"type": "message", "role": "assistant", "content": [part]}
        body = format.request(payload({"model": "m", "input": [item]}))
        assert [part.text for part in body.parts] == found


def test_those_of_an_sdks_object_are_read() -> None:
    from openai.types.chat import ChatCompletion

    fine = ChatCompletion.model_validate(completion({"content": tokens(TEXT), "refusal": None}))
    assert [p.text for p in read_value(fine, role="assistant").parts] == [TEXT]
    reply = ChatCompletion.model_validate(
        completion({"content": [token(HIDDEN.encode())], "refusal": None})
    )
    reading = read_value(reply, role="assistant")
    assert [part.text for part in reading.parts] == [TEXT, HIDDEN]
    changed: Any = reading.write({1: "gone"})
    assert changed.choices[0].logprobs is None
    assert changed.choices[0].message.content == TEXT


# -- streams -------------------------------------------------------------------------------------


def read(name: str, body: bytes) -> Told:
    format = NAMES[name]
    asked = format.request(payload(ASKED[name]))
    reader = stream_reader(format, Payload(data=b"", media_type=EVENTS), asked)
    assert reader is not None
    return told(reader, [body])


def whole_of(name: str, body: bytes) -> Any:
    format = NAMES[name]
    asked = format.request(payload(ASKED[name]))
    return format.response(Payload(data=body, media_type=EVENTS), asked)


def read_whole(name: str, body: bytes) -> Any:
    made = whole_of(name, body)
    assert not isinstance(made, OpaqueBody), made.why
    return made


def chat_stream(pieces: list[str], probabilities: list[Any]) -> bytes:
    chunks = [chunk(role="assistant", content="")]
    for piece, found in zip(pieces, probabilities, strict=True):
        made = chunk(content=piece)
        made["choices"][0]["logprobs"] = found if found is None else {"content": found}
        chunks.append(made)
    stream = events(*chunks, chunk(finish="stop"), named=False)
    return write_events([*stream, Event("", DONE)])


def of_response(pieces: list[str]) -> list[Json]:
    stream = responses_stream(pieces)
    for data in stream:
        if "response" in data:
            data["response"] |= {"instructions": None, "tools": [], "tool_choice": "auto"}
            data["response"] |= {"parallel_tool_calls": True}
    return stream


def response_stream(pieces: list[str], probabilities: list[Any]) -> bytes:
    stream = of_response(pieces)
    deltas = [data for data in stream if data["type"].endswith("text.delta")]
    for data, found in zip(deltas, probabilities, strict=True):
        data["logprobs"] = found or []
    return write_events(events(*stream))


STREAM = {"openai-chat": chat_stream, "openai-responses": response_stream}
PIECES = ["Fine, ", "日", "本 🎉 it", " is."]


@BOTH
def test_a_stream_whose_tokens_add_up_says_nothing_beside(name: str) -> None:
    body = STREAM[name](PIECES, [tokens(piece) for piece in PIECES])
    made = read(name, body)
    assert made.texts_of() == ["".join(PIECES)]
    assert written(made.events) == body
    assert [p.text for p in read_whole(name, body).parts] == ["".join(PIECES)]


@BOTH
@pytest.mark.parametrize("size", [1, 4, 30])
def test_promise_2_tokens_of_another_text_do_not_leave(name: str, size: int) -> None:
    others = [HIDDEN[at : at + size] for at in range(0, len(HIDDEN), size)]
    body = STREAM[name](["Fine. "] * len(others), [[token(other.encode())] for other in others])
    made = read(name, body)
    assert made.texts_of() == ["Fine. " * len(others)]
    assert isinstance(whole_of(name, body), OpaqueBody)
    gone = written(made.events)
    assert not any(json.dumps(other) in gone.decode() for other in others)
    assert gone.decode().count("Fine. ") == body.decode().count("Fine. ")


@BOTH
def test_promise_2_bytes_of_another_text_do_not_leave(name: str) -> None:
    body = STREAM[name](
        ["Fine. "] * len(HIDDEN), [[token(b"?", bytes=[byte])] for byte in HIDDEN.encode()]
    )
    made = read(name, body)
    assert made.texts_of() == ["Fine. " * len(HIDDEN)]
    assert isinstance(whole_of(name, body), OpaqueBody)
    gone = written(made.events)
    assert f'"bytes": [{ord("d")}]' in body.decode()
    assert f'"bytes": [{ord("d")}]' not in gone.decode()
    assert f'"bytes":[{ord("d")}]' not in gone.decode()


@BOTH
def test_promise_6_those_of_a_changed_piece_go(name: str) -> None:
    body = STREAM[name](PIECES, [tokens(piece) for piece in PIECES])
    made = read(name, body)
    gone = written(made.events, lambda text: text.replace("Fine", "Good"))
    assert "Fine" not in gone.decode()
    assert '"token": " is."' in gone.decode()


@BOTH
@pytest.mark.parametrize("beyond", BEYOND.values(), ids=BEYOND)
def test_promise_2_what_those_of_a_piece_say_beside_it_is_told_or_goes(
    name: str, beyond: Any
) -> None:
    body = STREAM[name]([TEXT], [beyond])
    made = read(name, body)
    format = NAMES[name]
    whole = format.response(Payload(data=body, media_type=EVENTS), format.request(payload({})))
    if any(head.kind == "opaque" for head in made.heads):
        assert isinstance(whole, OpaqueBody)
        return  # pieces of what nobody knows are not judged one by one
    if not any(HIDDEN in text for text in made.texts_of()):
        assert HIDDEN not in written(made.events).decode()
        assert isinstance(whole, OpaqueBody)  # what would be left out of it in pieces
        return
    assert any(HIDDEN in part.text for part in whole.parts)
    fixed = {head.key for head, text in made.parts if head.fixed}
    gone = b"".join(
        event.write([s.text if s.part in fixed else s.text.replace(HIDDEN, "") for s in event.says])
        for event in made.events
    )
    assert fixed or HIDDEN not in gone.decode()
    assert fixed or str(list(HIDDEN.encode())) not in gone.decode()


@pytest.mark.parametrize("kind", ["response.output_text.done", "response.content_part.done"])
def test_promise_2_those_of_the_whole_text_are_held_against_it(kind: str) -> None:
    for found, expected in ((tokens("Hello"), False), ([token(HIDDEN.encode())], True)):
        stream = of_response(["Hel", "lo"])
        for data in stream:
            if data["type"] == kind:
                (data.get("part") or data)["logprobs"] = found
        body = write_events(events(*stream))
        made = read("openai-responses", body)
        if kind == "response.output_text.done":  # then it goes, as that of a piece does
            assert HIDDEN not in written(made.events).decode()
        else:
            assert (HIDDEN in made.texts_of()) == expected
        assert not any(head.kind == "opaque" for head in made.heads)
        gone = written(made.events, lambda text: text.replace(HIDDEN, "gone"))
        assert HIDDEN not in gone.decode()
        assert (gone == body) != expected


def test_promise_2_tokens_of_no_text_do_not_leave() -> None:
    late = chunk(content="")
    late["choices"][0]["logprobs"] = {"content": [token(HIDDEN.encode())]}
    stream = events(chunk(content="Fine."), chunk(finish="stop"), late, named=False)
    made = read("openai-chat", write_events(stream))
    assert made.texts_of() == ["Fine."]
    assert HIDDEN not in written(made.events).decode()
    *before, last = of_response(["Fine."])
    at = {"item_id": "m1", "output_index": 0, "content_index": 0}
    later: Json = {"type": "response.output_text.delta", **at, "delta": ""}
    lone = {"type": "response.output_item.added", "output_index": 1, "item": {"type": "message"}}
    said_late = [{**later, "logprobs": [token(c.encode())]} for c in HIDDEN]
    made = read("openai-responses", write_events(events(*before, *said_late, last)))
    assert b'"token"' not in written(made.events)
    said_late = [{**lone, "logprobs": [token(HIDDEN.encode())]}]
    made = read("openai-responses", write_events(events(*before, *said_late, last)))
    assert any(head.kind == "opaque" for head in made.heads)


# -- what the SDKs read ----------------------------------------------------------------------------


@BOTH
async def test_the_sdks_read_a_stream_without_them(name: str) -> None:
    body = STREAM[name](PIECES, [tokens(piece) for piece in PIECES])
    made = read(name, body)
    changed = written(made.events, lambda text: text.replace("Fine", "Good") if text else text)
    first = list(accumulate(PIECES))[-1]
    async with streams() as sdks:
        assert isinstance(sdks, Streams)
        for data, text in ((body, first), (changed, first.replace("Fine", "Good"))):
            reply = await sdks.read(name, data, helper=True)
            if name == "openai-chat":
                assert reply.choices[0].message.content == text
                assert len(reply.choices[0].logprobs.content) > 2
            else:
                assert reply.output_text == text
