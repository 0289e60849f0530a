"""Events of the providers' streams: usual ones, hidden words in each place, and what is no stream.

`UNHEARD` are streams in which the words `HIDDEN` stand somewhere; `REFUSED` cannot be read whole.
"""

from __future__ import annotations

import json
from typing import Any

from guardrails.wire.event_replies import ANTHROPIC, CHAT, RESPONSES, EventCodec
from guardrails.wire.sse import Event

Json = dict[str, Any]


def events(*data: Any, named: bool = True) -> list[Event]:
    return [Event(str(d.get("type", "")) if named else "", json.dumps(d)) for d in data]


START = {
    "type": "message_start",
    "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 3},
    },
}  # fmt: skip


def block(index: int, start: Json, *deltas: Json) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def written(*pieces: str) -> list[Json]:
    return block(0, {"type": "text", "text": ""}, *({"type": "text_delta", "text": p}
                                                    for p in pieces))  # fmt: skip


END: list[Json] = [
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
     "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]  # fmt: skip


def chunk(index: int = 0, finish: str | None = None, **delta: Any) -> Json:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [choice], "usage": None, "obfuscation": "x7Gh",
    }  # fmt: skip


def call(index: int, arguments: str, **named: str) -> Json:
    function = {"arguments": arguments, **({"name": named.pop("name")} if "name" in named else {})}
    return {"index": index, **named, "function": function}


def response(text: str, status: str = "completed", **more: Any) -> Json:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"type": "message", "id": "m1", "role": "assistant", "status": status, "content": [part]}
    output = [item] if status == "completed" else []
    return {"id": "r1", "object": "response", "created_at": 1, "model": "m", "status": status,
            "instructions": "be kind", "output": output, "usage": None, **more}  # fmt: skip


def responses_stream(pieces: list[str], text: str | None = None) -> list[Json]:
    """As OpenAI sends it; `text` is what the later events say, that of the pieces if they agree."""
    text = "".join(pieces) if text is None else text
    place = {"item_id": "m1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = response(text)["output"][0]
    made: list[Json] = [
        {"type": "response.created", "response": response("", "in_progress")},
        {"type": "response.in_progress", "response": response("", "in_progress")},
        {"type": "response.output_item.added", "output_index": 0,
         "item": {**item, "status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": piece, "logprobs": [],
           "obfuscation": "x7Gh"} for piece in pieces),
        {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response(text)},
    ]  # fmt: skip
    return [{**data, "sequence_number": number} for number, data in enumerate(made)]


HIDDEN = "hidden words"


def anthropic(*middle: Json, start: Json | None = None, end: list[Json] | None = None) -> Any:
    return ANTHROPIC, events(start or START, *(middle or written("fine")), *(end or END))


def chat(*chunks: Json) -> Any:
    return CHAT, [*events(chunk(role="assistant", content="fine"), *chunks, chunk(finish="stop"),
                          named=False), Event("", "[DONE]")]  # fmt: skip


def responses(*more: Json) -> Any:
    stream = responses_stream(["fine"])
    return RESPONSES, events(*stream[:-1], *more, stream[-1])


_STOP = {"type": "content_block_stop", "index": 0}
_TEXT_START = {"type": "text", "text": ""}

UNHEARD: dict[str, tuple[EventCodec, list[Event]]] = {
    "anthropic, split over deltas": anthropic(*written(*HIDDEN)),
    "anthropic, in a start": anthropic(*block(0, {"type": "text", "text": HIDDEN})),
    "anthropic, in an unknown field of a block": anthropic(
        *block(0, {**_TEXT_START, "note": HIDDEN})
    ),
    "anthropic, in an unknown block": anthropic(
        *block(0, {"type": "text", "text": "x", HIDDEN: 1})
    ),
    "anthropic, in a ping": anthropic({"type": "ping", "note": HIDDEN}),
    "anthropic, in a ping's field name": anthropic({"type": "ping", HIDDEN: 1}),
    "anthropic, beside a delta": anthropic(
        *written("fine")[:-1], {**_STOP, "note": [HIDDEN]}
    ),
    "anthropic, beside the start": anthropic(start={**START, "note": {"a": HIDDEN}}),
    "anthropic, in the start": anthropic(
        start={**START, "message": {**START["message"], "note": HIDDEN}}  # type: ignore[dict-item]
    ),
    "anthropic, as thinking": anthropic(
        *block(0, {"type": "thinking", "thinking": "", "signature": ""},
               {"type": "thinking_delta", "thinking": "hidden "},
               {"type": "thinking_delta", "thinking": "words"})
    ),
    "anthropic, as arguments": anthropic(
        *block(0, {"type": "tool_use", "id": "t", "name": "n", "input": {}},
               {"type": "input_json_delta", "partial_json": '{"a": "hidden '},
               {"type": "input_json_delta", "partial_json": 'words"}'})
    ),
    "anthropic, as escaped arguments": anthropic(
        *block(0, {"type": "tool_use", "id": "t", "name": "n", "input": {}},
               {"type": "input_json_delta", "partial_json": '{"a": "\\u0068idden \\u00'},
               {"type": "input_json_delta", "partial_json": '77ords"}'})
    ),
    "anthropic, as arguments said twice": anthropic(
        *block(0, {"type": "tool_use", "id": "t", "name": "n", "input": {"a": HIDDEN}},
               {"type": "input_json_delta", "partial_json": "{}"})
    ),
    "anthropic, as a citation": anthropic(
        *block(0, _TEXT_START, {"type": "citations_delta", "citation": {"cited_text": HIDDEN}},
               {"type": "text_delta", "text": "fine"})
    ),
    "anthropic, as a stop sequence said again": anthropic(
        end=[
            {"type": "message_delta", "delta": {"stop_sequence": HIDDEN}, "usage": {}},
            {"type": "message_delta", "delta": {"stop_sequence": None}, "usage": {}},
            {"type": "message_stop"},
        ]
    ),
    "anthropic, as an error": anthropic(
        {"type": "error", "error": {"type": "overloaded_error", "message": HIDDEN}}
    ),
    "anthropic, as an error said again": anthropic(
        {"type": "error", "error": {"message": HIDDEN}}, {"type": "error", "error": {}}
    ),
    "anthropic, as our own name": anthropic(
        start={**START, "message": {**START["message"], "\0said": HIDDEN}},  # type: ignore[dict-item]
    ),
    "chat, split over deltas": chat(*(chunk(content=c) for c in HIDDEN)),
    "chat, in the second choice": chat(chunk(1, content="hidden "), chunk(1, content="words")),
    "chat, as a refusal": chat(chunk(refusal="hidden "), chunk(refusal="words")),
    "chat, as reasoning of a vendor's own": chat(
        chunk(reasoning_content="hidden "), chunk(reasoning_content="words")
    ),
    "chat, as arguments": chat(
        chunk(tool_calls=[call(0, '{"a": "hidd', id="t", type="function", name="n")]),
        chunk(tool_calls=[call(0, 'en words"}')]),
    ),
    "chat, as arguments of the second call": chat(
        chunk(tool_calls=[call(0, "{}", id="t", type="function", name="n")]),
        chunk(tool_calls=[call(1, '{"a": "hidden words"}', id="u", type="function", name="n")]),
    ),
    "chat, beside the choices": chat({**chunk(), "note": HIDDEN}),
    "chat, beside the choices, said again": chat(
        {**chunk(), "note": HIDDEN}, {**chunk(), "note": "fine"}
    ),
    "chat, beside a delta, said again": chat(
        {**chunk(), "choices": [{"index": 0, "delta": {}, "note": HIDDEN}]},
        {**chunk(), "choices": [{"index": 0, "delta": {}, "note": "fine"}]},
    ),
    "chat, as a list said again": chat(chunk(notes=[HIDDEN]), chunk(notes=["fine"])),
    "chat, as a value that changes its kind": chat(chunk(note=HIDDEN), chunk(note={"a": 1})),
    "chat, as an error": chat({"error": {"message": HIDDEN}}),
    "chat, as the name of an event": (CHAT, [Event(HIDDEN, json.dumps(chunk(content="fine")))]),
    "responses, in the deltas alone": (
        RESPONSES, events(*responses_stream(list(HIDDEN), "fine"))
    ),
    "responses, in the last event alone": (
        RESPONSES,
        events(*responses_stream(["fine"])[:-1],
               {"type": "response.completed", "response": response(HIDDEN)}),
    ),
    "responses, in an echo": responses(
        {"type": "response.in_progress", "response": response(HIDDEN)}
    ),
    "responses, in an echo's own field": responses(
        {"type": "response.in_progress", "response": response("fine", note=HIDDEN)}
    ),
    "responses, in a done event alone": responses(
        {"type": "response.output_text.done", "item_id": "m1", "text": HIDDEN}
    ),
    "responses, beside a delta": responses(
        {"type": "response.output_text.delta", "item_id": "m1", "delta": "", "note": HIDDEN}
    ),
    "responses, as arguments alone": responses(
        {"type": "response.function_call_arguments.delta", "item_id": "f", "delta": "hidden "},
        {"type": "response.function_call_arguments.delta", "item_id": "f", "delta": "words"},
    ),
    "responses, in an item that is gone": responses(
        {"type": "response.output_item.added", "item": {"type": "x", "a": HIDDEN}}
    ),
    "responses, as an error": responses({"type": "error", "message": HIDDEN, "code": "x"}),
    "responses, beside a state": responses(
        {"type": "response.web_search_call.searching", "item_id": "w", "query": HIDDEN}
    ),
}  # fmt: skip


REFUSED: dict[str, tuple[EventCodec, list[Event]]] = {
    "nothing": (ANTHROPIC, []),
    "no start": (ANTHROPIC, events(*written("x"), *END)),
    "two starts": anthropic(START),
    "a start with content": anthropic(
        start={**START, "message": {**START["message"], "content": [{"type": "text"}]}}  # type: ignore[dict-item]
    ),
    "a start without its message": anthropic(start={"type": "message_start", "message": "x"}),
    "an unknown event": anthropic({"type": "content_block_news", "index": 0}),
    "an event with no type": anthropic({"index": 0}),
    "a name that is not the type": (ANTHROPIC, [Event("ping", json.dumps(START))]),
    "an unknown delta": anthropic(*block(0, _TEXT_START, {"type": "smell_delta", "smell": "x"})),
    "a delta of no block": anthropic({"type": "content_block_delta", "index": 7,
                                      "delta": {"type": "text_delta", "text": "x"}}),
    "a delta with more": anthropic(
        *block(0, _TEXT_START, {"type": "text_delta", "text": "x", "note": "y"})
    ),
    "a delta that is no text": anthropic(*block(0, _TEXT_START, {"type": "text_delta", "text": 1})),
    "an index that is none": anthropic({"type": "content_block_start", "index": [],
                                        "content_block": _TEXT_START}),
    "a block twice": anthropic(*written("x"), *written("y")),
    "content at the end": anthropic(end=[{"type": "message_delta", "delta": {"content": "x"}}]),
    "arguments that are no JSON": anthropic(
        *block(0, {"type": "tool_use", "id": "t", "name": "n", "input": {}},
               {"type": "input_json_delta", "partial_json": "{"})
    ),
    "data that is no JSON": (ANTHROPIC, [Event("", "hello")]),
    "data that is no object": (CHAT, [Event("", "[1]")]),
    "a chat of nothing": (CHAT, [Event("", "[DONE]")]),
    "choices that are no list": chat({**chunk(), "choices": "x"}),
    "a choice that is none": chat({**chunk(), "choices": ["x"]}),
    "a choice without its place": chat({**chunk(), "choices": [{"delta": {}}]}),
    "a whole message in a chunk": chat({**chunk(), "choices": [{"index": 0, "message": {}}]}),
    "two names of one call": chat(
        chunk(tool_calls=[call(0, "", name="a")]), chunk(tool_calls=[call(0, "", name="b")])
    ),
    "a call without its place": chat(
        chunk(tool_calls=[call(0, "")]), chunk(tool_calls=[{"index": None, "id": "x"}])
    ),
    "calls that were something else": chat(
        chunk(tool_calls=["x"]), chunk(tool_calls=[call(0, "")])
    ),
    "a response of nothing": (RESPONSES, events({"type": "response.web_search_call.searching"})),
    "a response that is none": responses({"type": "response.completed", "response": "x"}),
    "an unknown state": responses({"type": "response.hidden_call.completed"}),
    "an unknown response event": responses({"type": "response.image_generation_call.partial_image",
                                            "partial_image_b64": "x"}),
    "a delta of a response that is none": responses(
        {"type": "response.output_text.delta", "delta": {"a": 1}}
    ),
    "chat told as a response": (RESPONSES, chat()[1][:-1]),
    "a response told as a message": (ANTHROPIC, responses()[1]),
}  # fmt: skip
