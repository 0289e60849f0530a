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
from guardrails.wire.streams.anthropic import AnthropicReader
from guardrails.wire.streams.chat import ChatReader
from guardrails.wire.streams.telling import MOST_PARTS


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
    assert len(chat._unnamed_said) <= 100
    assert all("other" in key for _, key in chat._unnamed_said)


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
