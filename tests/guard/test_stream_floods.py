"""Streams that say nothing, or ever more beside it: what waits is bounded, and others get turns."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from guard_samples import guard_in, written

from guardrails.guard.streamed_body import AT_ONCE, StreamedBody
from guardrails.pipeline.texts import Texts
from guardrails.wire.formats import format_of
from guardrails.wire.payload import EVENTS, LINES, Payload
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.streams import unnamed
from guardrails.wire.streams.anthropic import AnthropicReader
from guardrails.wire.streams.chat import ChatReader
from guardrails.wire.streams.telling import MOST_AT_ONCE, MOST_PARTS, MOST_PLACES


def event(data: dict[str, Any]) -> bytes:
    name = f"event: {data['type']}\n" if "type" in data else ""
    return f"{name}data: {json.dumps(data)}\n\n".encode()


def delta(**said: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": said}]})


BEGIN = event({"type": "message_start", "message": {"role": "assistant", "content": []}})
SAYS_NOTHING = {
    "empty lines": b"\n",
    "returns": b"\r",
    "comments": b":\n\n",
    "heartbeats": b": ping\n\n",
}


@pytest.mark.parametrize("flood", SAYS_NOTHING.values(), ids=SAYS_NOTHING)
async def test_what_says_nothing_is_held_as_little_and_goes_as_it_came(
    flood: bytes, tmp_path: Path
) -> None:
    body = delta(role="assistant", content="unfinished") + flood * 50_000 + delta(content=".")
    async with guard_in(tmp_path, written(), offline=True) as guard, guard.call() as call:
        streamed = StreamedBody(await call.reply(), ChatReader(), most_held=1 << 22)
        out, most = b"", 0
        for at in range(0, len(body), 65_536):
            out += await streamed.feed(body[at : at + 65_536])
            most = max(most, len(streamed._box))
        out += await streamed.close()
    assert out == body
    assert most < 10 + len(body) // AT_ONCE * 3


async def test_others_get_their_turn_while_a_long_piece_is_read(tmp_path: Path) -> None:
    turns, done = 0, False

    async def others() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    async with guard_in(tmp_path, written(), offline=True) as guard, guard.call() as call:
        streamed = StreamedBody(await call.reply(), ChatReader(), most_held=1 << 22)
        task = asyncio.ensure_future(others())
        await streamed.feed(b": ping\n\n" * 140_000)
        done = True
        await task
    assert turns >= 1_000_000 // AT_ONCE


LONG = "A sentence of some words that ends. " * 22_000
MANY = [f"word {number}" for number in range(4_000)]
ONE_EVENT = {
    "chat, long": ("openai-chat", delta(content=LONG)),
    "own, long": ("sse: /token", event({"token": LONG})),
    "text, long": ("text", b"data: %s\n\n" % LONG.encode()),
    "chat, many": ("openai-chat", event({"choices": [], "more": MANY})),
    "own, many": ("sse: /token", event({"token": "word", "more": MANY})),
}


@pytest.mark.parametrize(("format", "body"), ONE_EVENT.values(), ids=ONE_EVENT)
async def test_others_get_their_turn_while_one_long_event_is_judged(
    format: str, body: bytes, tmp_path: Path
) -> None:
    turns, done = 0, False

    async def others() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    head = "budget: {max_chars: 2000000}"
    payload = Payload(data=b"", media_type=EVENTS)
    async with guard_in(tmp_path, written(head=head), offline=True) as guard, guard.call() as call:
        reader = stream_reader(format_of(format), payload, None)
        assert reader is not None
        streamed = StreamedBody(await call.reply(), reader, most_held=1 << 22)
        assert await streamed.feed(body[:-1]) == b""
        task = asyncio.ensure_future(others())
        out = await streamed.feed(body[-1:])
        out += await streamed.close()
        done = True
        await task
    assert out == body
    assert turns >= (40 if len(body) > 100_000 else 200)  # of 800,000 characters, 4,000 texts


@pytest.mark.parametrize("format", ["openai-chat", "sse: /token", "ndjson"])
async def test_an_event_of_too_many_texts_is_told_and_nothing_of_it_leaves(
    format: str, tmp_path: Path
) -> None:
    said = {"choices": [], "token": "a", "more": [f"w {n}" for n in range(MOST_AT_ONCE + 1)]}
    body = json.dumps(said).encode() + b"\n" if format == "ndjson" else event(said)
    payload = Payload(data=b"", media_type=LINES[0] if format == "ndjson" else EVENTS)
    async with guard_in(tmp_path, written(), offline=True) as guard, guard.call() as call:
        reader = stream_reader(format_of(format), payload, None)
        assert reader is not None
        streamed = StreamedBody(await call.reply(), reader, most_held=1 << 22)
        assert await streamed.feed(body) + await streamed.close() == b""
        assert streamed.reply.stopped
        assert streamed.unread == "an event of more texts than are read at once"


async def test_a_stream_of_too_many_texts_is_stopped(tmp_path: Path) -> None:
    flood = b"".join(b": word%d\n\n" % number for number in range(MOST_PARTS + 100))
    async with guard_in(tmp_path, written(), offline=True) as guard, guard.call() as call:
        streamed = StreamedBody(await call.reply(), ChatReader(), most_held=1 << 22)
        out = await streamed.feed(flood) + await streamed.close()
        assert streamed.reply.stopped
    assert out.startswith(b": word0\n\n")
    assert len(out) < len(flood)


def test_what_is_remembered_of_a_stream_is_bounded() -> None:
    reader = AnthropicReader()
    reader.feed(BEGIN)
    for number in range(200):
        usage = {"output_tokens": number, **{f"key{number}_{n}": 1 for n in range(90)}}
        reader.feed(event({"type": "message_delta", "delta": {}, "usage": usage}))
    assert reader._known["usage"]["output_tokens"] == 199
    assert len(reader._known["usage"]) < 10
    chat = ChatReader()
    for number in range(150):
        chat.feed(event({"choices": [], f"vendor{number}": [0.5] * 150}))
        chat.feed(event({"choices": [], f"other{number}": {"a": {"b": "quiet"}}}))
    assert len(chat._unnamed._same) <= 100
    assert all("other" in str(at[-1]) for at in chat._unnamed._same)
    for number in range(MOST_PLACES):
        chat.feed(event({"choices": [], f"more{number}": "x" * 300}))
    trails = chat._unnamed._trails
    assert len(trails) == MOST_PLACES
    assert sum(len(trail.end) for trail in trails.values()) <= MOST_PLACES * unnamed.LONGEST
    assert chat.unread == "a stream of more fields than are told apart here"


async def test_what_tools_gave_is_put_together_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [{"type": "web_search_result", "title": "a b", "url": "u v"} for _ in range(100)]
    result = {"type": "web_search_tool_result", "tool_use_id": "s_1", "content": found}
    text = {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "text", "text": ""},
    }
    sentence = {"type": "text_delta", "text": "Yes it is. "}
    body = [
        BEGIN,
        event({"type": "content_block_start", "index": 0, "content_block": result}),
        event({"type": "content_block_stop", "index": 0}),
        event(text),
        *[event({"type": "content_block_delta", "index": 1, "delta": sentence})] * 50,
    ]
    kept: list[Any] = []
    so_far = Texts.so_far

    def noted(self: Texts, entries: Any) -> Any:
        made = so_far(self, entries)
        kept.append(made.gave)
        return made

    monkeypatch.setattr(Texts, "so_far", noted)
    async with guard_in(tmp_path, written(), offline=True) as guard, guard.call() as call:
        streamed = StreamedBody(await call.reply(), AnthropicReader(), most_held=1 << 22)
        for piece in body:
            await streamed.feed(piece)
    last = [gave for gave in kept if len(gave) == len(kept[-1])]
    assert len(last) > 40
    assert all(gave is last[0] for gave in last)
    assert len(last[0]) == 200
