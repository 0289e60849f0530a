"""Replies not quite in their format, in which clients may read what was not judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from guard_samples import guard_in, written

from guardrails.guard import Guard
from guardrails.guard.streamed_body import StreamedBody
from guardrails.verdict import Stage, Verdict
from guardrails.wire.formats import NAMES, Payload
from guardrails.wire.streams.chat import ChatReader

RULES = """
  - {id: house.forbidden, text: Says nothing forbidden., stages: [output], action: block,
     critics: [pattern: {breach: [forbidden]}]}
tools: {allow: [search]}
"""


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return guard_in(tmp_path, written(RULES), offline=True)


def chat(**message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": None, **message}
    choice = {"index": 0, "finish_reason": "stop", "message": said}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def called(name: str, **more: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": "{}"}
    return {"id": "t", "type": "function", "function": function, **more}


def anthropic(name: str) -> dict[str, Any]:
    call = {"type": "tool_use", "id": "t", "name": name, "input": {}}
    return {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [call]}


REPLIES = {
    "chat": ("openai-chat", chat(tool_calls=[called("delete_all")])),
    "anthropic": ("anthropic", anthropic("delete_all")),
}


async def verdict(guard: Guard, format: str, reply: dict[str, Any]) -> Verdict:
    asked = json.dumps({"model": "m", "messages": []}).encode()
    request = NAMES[format].request(Payload(data=asked, media_type="application/json"))
    payload = Payload(data=json.dumps(reply).encode(), media_type="application/json")
    body = NAMES[format].response(payload, request)
    async with guard.call() as call:
        return (await call.check(body, stage=Stage.OUTPUT)).verdict


@pytest.mark.parametrize("error", [None, "", {}, {"message": "no"}], ids=str)
@pytest.mark.parametrize("kind", REPLIES)
async def test_a_reply_with_an_error_beside_it_is_a_reply(
    kind: str, error: object, guard: Guard
) -> None:
    format, reply = REPLIES[kind]
    assert await verdict(guard, format, reply) is Verdict.BLOCK
    assert await verdict(guard, format, {**reply, "error": error}) is Verdict.BLOCK


async def test_a_call_in_two_forms_cannot_be_read(guard: Guard) -> None:
    other = {"custom": {"name": "delete_all", "input": "x"}}
    for call in (called("search", **other), {**called("delete_all", **other), "type": "custom"}):
        assert await verdict(guard, "openai-chat", chat(tool_calls=[call])) is Verdict.BLOCK
    plain = chat(tool_calls=[called("search")])
    assert await verdict(guard, "openai-chat", plain) is Verdict.ALLOW


async def streamed(guard: Guard, *deltas: dict[str, Any]) -> bytes:
    async with guard.call() as call:
        body = StreamedBody(await call.reply(), ChatReader(), most_held=1 << 20)
        out = b""
        for delta in deltas:
            event = {"choices": [{"index": 0, "delta": delta}]}
            out += await body.feed(f"data: {json.dumps(event)}\n\n".encode())
        return out + await body.close()


async def test_a_text_in_pieces_of_lists_does_not_leave(guard: Guard) -> None:
    pieces = [{"content": [{"type": "text", "text": text}]} for text in ("forb", "idden. ")]
    assert b"idden" not in await streamed(guard, *pieces)


async def test_calls_without_a_place_may_come_at_once_and_not_in_pieces(guard: Guard) -> None:
    assert b"search" in await streamed(guard, {"tool_calls": [called("search")]})
    pieces = [{"tool_calls": [called("sea")]}, {"tool_calls": [called("rch")]}]
    assert b"rch" not in await streamed(guard, *pieces)
