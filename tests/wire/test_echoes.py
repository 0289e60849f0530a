"""What a reply repeats of its request is passed over only where it is what was asked."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from event_samples import chunk, events, response, responses_stream
from stream_samples import Told, told, written

from guardrails.errors import WireFormatError
from guardrails.wire.body import OpaqueBody
from guardrails.wire.formats import NAMES
from guardrails.wire.payload import EVENTS, JSON, Payload
from guardrails.wire.sse import write_events
from guardrails.wire.stream_formats import stream_reader

Json = dict[str, Any]
HIDDEN = "hidden words"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "Where."}}}
ASKED: Json = {
    "model": "m",
    "input": "hi",
    "instructions": "Be kind to all.",
    "metadata": {"order": "Ann's, number 4111111111111111"},
    "user": "ann at home",
    "text": {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA}},
    "tool_choice": {"type": "function", "name": "look up"},
    "tools": [
        {"type": "function", "name": "look up", "description": "Look it up.", "parameters": SCHEMA},
        {"type": "web_search"},
    ],
}
ECHO: Json = {
    "instructions": ASKED["instructions"],
    "metadata": ASKED["metadata"],
    "user": ASKED["user"],
    "text": {"format": {**ASKED["text"]["format"], "strict": True}, "verbosity": "medium"},
    "tool_choice": ASKED["tool_choice"],
    "tools": [
        {**ASKED["tools"][0], "strict": True,
         "parameters": {**SCHEMA, "additionalProperties": False, "required": ["city"]}},
        {"type": "web_search", "filters": None, "search_context_size": "medium",
         "user_location": {"type": "approximate", "country": "US", "city": None}},
    ],
    "prompt": None,
}  # fmt: skip
"""As OpenAI tells it again, with its own defaults."""

ELSE: dict[str, Json] = {
    "a text": {"instructions": HIDDEN},
    "more of a text": {"instructions": f"{ASKED['instructions']} {HIDDEN}"},
    "a value": {"metadata": {"order": HIDDEN}},
    "a key": {"metadata": {**ASKED["metadata"], HIDDEN: ""}},
    "another place": {"user": ASKED["instructions"]},
    "a tool's description": {"tools": [{**ASKED["tools"][0], "description": HIDDEN}]},
    "one more tool": {"tools": [*ASKED["tools"], {"type": "function", "name": HIDDEN}]},
    "a field of a tool": {"tools": [{**ASKED["tools"][0], HIDDEN: 1}]},
    "a number": {"tools": [{"type": "web_search", "max_num_results": 5500000000000004}]},
    "a choice": {"tool_choice": HIDDEN},
    "a format": {"text": {"format": {"type": "text"}, "verbosity": HIDDEN}},
    "a text as a format": {"text": HIDDEN},
    "a prompt": {"prompt": {"id": "p", "variables": {"name": HIDDEN}}},
}
SAID = (HIDDEN, "5500000000000004", ASKED["instructions"])


def payload(data: object, media_type: str = JSON) -> Payload:
    return Payload(data=json.dumps(data).encode(), media_type=media_type)


def asked(name: str = "openai-responses") -> Any:
    return NAMES[name].request(payload(ASKED))


def whole(reply: Json, name: str = "openai-responses") -> list[str]:
    return [part.text for part in NAMES[name].response(payload(reply), asked(name)).parts]


def stream(echo: Json, at: int) -> bytes:
    told = responses_stream(["Fine."])
    for data in told:
        if "response" in data:
            data["response"] |= copy.deepcopy(ECHO)
    told[at]["response"] |= echo
    return write_events(events(*told))


def read(body: bytes, request: Any) -> Told:
    made = stream_reader(NAMES["openai-responses"], Payload(data=b"", media_type=EVENTS), request)
    assert made is not None
    return told(made, [body])


@pytest.mark.parametrize("name", ["openai-responses", "auto"])
def test_what_was_asked_is_not_judged_again(name: str) -> None:
    assert whole({**response("Fine."), **ECHO}, name) == ["Fine."]
    assert whole({**response("Fine."), **dict.fromkeys(ECHO)}, name) == ["Fine."]
    empty = {"metadata": {}, "tools": [], "instructions": "", "tool_choice": "auto"}
    plain = {"text": {"format": {"type": "text"}, "verbosity": "medium"}, "store": True}
    assert whole({**response("Fine."), **empty, **plain}, name) == ["Fine."]


@pytest.mark.parametrize("name", ["openai-responses", "auto"])
@pytest.mark.parametrize("echo", ELSE.values(), ids=ELSE)
def test_promise_2_whatever_was_not_asked_is_judged(echo: Json, name: str) -> None:
    found = whole({**response("Fine."), **ECHO, **echo}, name)
    assert any(said in text for text in found for said in SAID)


def test_promise_10_what_is_nested_deeply_is_refused() -> None:
    deep: Any = "x"
    for _ in range(450):
        deep = [deep]
    with pytest.raises(WireFormatError, match="nested"):
        whole({**response("Fine."), "tools": deep})
    probabilities = {**chunk(content="Fine.")}
    probabilities["choices"][0]["logprobs"] = {"content": deep}
    reader = stream_reader(NAMES["openai-chat"], Payload(data=b"", media_type=EVENTS), None)
    assert reader is not None
    made = told(reader, [write_events(events(probabilities, named=False))])
    assert any(head.kind == "opaque" for head in made.heads)


def test_promise_2_nothing_is_known_of_a_request_of_another_form() -> None:
    reply = {**response("Fine."), **ECHO}
    nobody = OpaqueBody(b"", "user", "")
    parts = NAMES["openai-responses"].response(payload(reply), nobody).parts
    assert {"Be kind to all.", "Ann's, number 4111111111111111"} <= {part.text for part in parts}


def test_a_stream_that_repeats_the_request_says_nothing_beside() -> None:
    body = stream({}, 0)
    made = read(body, asked())
    assert [text for _, text in made.parts if text] == ["Fine."]
    assert written(made.events) == body
    format = NAMES["openai-responses"]
    found = format.response(Payload(data=body, media_type=EVENTS), asked())
    assert [part.text for part in found.parts] == ["Fine."]


@pytest.mark.parametrize("at", [0, 1, -1], ids=["created", "in progress", "completed"])
@pytest.mark.parametrize("echo", ELSE.values(), ids=ELSE)
def test_promise_2_whatever_else_a_stream_repeats_is_judged(echo: Json, at: int) -> None:
    body = stream(echo, at)
    for parts in (
        [text for _, text in read(body, asked()).parts],
        [
            part.text
            for part in NAMES["openai-responses"]
            .response(Payload(data=body, media_type=EVENTS), asked())
            .parts
        ],
    ):
        assert any(said in text for text in parts for said in SAID)


def test_promise_6_a_stream_that_is_cut_does_not_say_again_what_was_changed() -> None:
    body = stream({"metadata": {"order": HIDDEN}, "text": HIDDEN}, 0)
    reader = stream_reader(NAMES["openai-responses"], Payload(data=b"", media_type=EVENTS), asked())
    assert reader is not None
    for event in reader.feed(body)[:3]:
        event.write([said.text.replace(HIDDEN, "gone") for said in event.says])
        reader.sent(event, {})
    ending = reader.cut("No.", released=False).decode()
    assert "Be kind to all." in ending
    assert HIDDEN not in ending


def test_a_completions_metadata_is_held_against_the_request() -> None:
    format = NAMES["openai-chat"]
    asked = format.request(payload({"model": "m", "messages": [], "metadata": {"a": "the order"}}))
    reply = {"object": "chat.completion", "choices": [], "metadata": {"a": "the order"}}
    other = {**reply, "metadata": {"a": HIDDEN}}
    assert format.response(payload(reply), asked).parts == ()
    assert HIDDEN in [part.text for part in format.response(payload(other), asked).parts]
    for metadata, heard in (({"a": "the order"}, False), ({"a": HIDDEN}, True)):
        told_so = [{**chunk(content="Fine."), "metadata": metadata}, chunk(finish="stop")]
        reader = stream_reader(format, Payload(data=b"", media_type=EVENTS), asked)
        assert reader is not None
        made = told(reader, [write_events(events(*told_so, named=False))])
        assert (HIDDEN in made.texts_of()) == heard
        assert ("the order" in made.texts_of()) is False
