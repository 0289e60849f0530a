"""Fields that no list names: whatever they are called, and wherever in a reply they stand."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from stream_samples import stream_of, told

from guardrails.exchange import Path
from guardrails.wire.body import OpaqueBody
from guardrails.wire.formats import NAMES
from guardrails.wire.payload import EVENTS, JSON, Payload
from guardrails.wire.sse import DONE, Event, parse_events, write_events
from guardrails.wire.stream_formats import stream_reader

NOBODY = OpaqueBody(b"", "user", "")
NAME = "a bad name"
REPLIES: dict[str, dict[str, Any]] = {
    "anthropic": {
        "id": "m", "type": "message", "role": "assistant", "model": "m",
        "content": [
            {"type": "text", "text": "Hi.", "citations": [
                {"type": "char_location", "cited_text": "x", "document_index": 0,
                 "document_title": "t", "start_char_index": 0, "end_char_index": 1},
            ]},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 2},
    },
    "openai-chat": {
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None, "message": {
            "role": "assistant", "content": "Hi.", "refusal": None, "tool_calls": [
                {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ],
        }}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    },
    "openai-responses": {
        "id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed",
        "output": [
            {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [
                {"type": "output_text", "text": "Hi.", "annotations": [], "logprobs": []},
            ]},
            {"type": "function_call", "id": "f", "call_id": "c", "name": "f", "arguments": "{}"},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
    },
}  # fmt: skip


def objects(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from objects(item, (*path, key))


def with_name(value: Any, path: Path) -> Any:
    made = holder = copy.deepcopy(value)
    for step in path:
        holder = holder[step]
    holder[NAME] = None
    return made


@pytest.mark.parametrize("name", REPLIES)
def test_promise_2_a_name_of_nothing_is_judged_in_each_object_of_a_reply(name: str) -> None:
    for path in objects(REPLIES[name]):
        data = json.dumps(with_name(REPLIES[name], path)).encode()
        body = NAMES[name].response(Payload(data=data, media_type=JSON), NOBODY)
        assert any(NAME in part.text for part in body.parts), path


@pytest.mark.parametrize("name", REPLIES)
def test_promise_2_a_name_of_nothing_is_judged_in_each_object_of_a_stream(name: str) -> None:
    events = list(parse_events(stream_of(name, copy.deepcopy(REPLIES[name]))))
    for at, event in enumerate(events):
        if event.data == DONE:
            continue
        data = json.loads(event.data)
        for path in objects(data):
            other = Event(event.name, json.dumps(with_name(data, path)))
            body = write_events([*events[:at], other, *events[at + 1 :]])
            reader = stream_reader(NAMES[name], Payload(data=b"", media_type=EVENTS), None)
            assert reader is not None
            said = [text for head, text in told(reader, [body]).parts if head.kind != "opaque"]
            unread = reader.unread
            assert unread or any(NAME in text for text in said), (data.get("type"), path)
            whole = NAMES[name].response(Payload(data=body, media_type=EVENTS), NOBODY)
            assert any(part.kind == "opaque" or NAME in part.text for part in whole.parts)


@pytest.mark.parametrize("name", REPLIES)
@pytest.mark.parametrize(
    ("pieces", "joined"), [(["bad", " wo", "rds"], "bad words"), (["same"], "same")]
)
def test_promise_2_a_field_of_events_is_judged_joined_and_told_once_for_each_value(
    name: str, pieces: list[str], joined: str
) -> None:
    said = []
    for at, event in enumerate(parse_events(stream_of(name, copy.deepcopy(REPLIES[name])))):
        data = event.data
        if data != DONE:
            data = json.dumps({**json.loads(data), "note": pieces[at % len(pieces)]})
        said.append(Event(event.name, data))
    body = write_events(said)
    reader = stream_reader(NAMES[name], Payload(data=b"", media_type=EVENTS), None)
    assert reader is not None
    found = told(reader, [body])
    assert found.raw == body
    assert any(joined in text for text in found.texts_of())
    assert found.texts_of().count("note") <= 2
    assert found.texts_of().count("same") <= 2
