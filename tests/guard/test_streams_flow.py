"""What stands beside a text in each of its events does not keep the text back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guard_samples import guard_in, written

from guardrails.guard import Guard
from guardrails.guard.streamed_body import StreamedBody
from guardrails.wire.formats import Named, format_of
from guardrails.wire.payload import EVENTS, Payload
from guardrails.wire.stream_formats import stream_reader

RULES = """
  - {id: house.forbidden, text: Says nothing forbidden., stages: [output], action: block,
     critics: [pattern: {breach: [forbidden]}]}
"""
WORDS = ["Hello", " there", ", my", " friend", ". "]
EVENTS_SENT = 40

Json = dict[str, Any]
Make = Callable[[int], Json]


def chunk(at: int, top: Json | None = None, delta: Json | None = None, **more: Any) -> Json:
    """The first one tells the role, as nearly all vendors have it."""
    said = {"role": "assistant", "content": ""} if at == 0 else {"content": WORDS[at % 5]}
    choice = {"index": 0, "delta": {**said, **(delta or {})}, "finish_reason": None, **more}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice], **(top or {})}


def filtered(at: int) -> Json:
    return {"hate": {"filtered": False, "severity": "safe"}} if at else {}


CHAT: dict[str, Make] = {
    "openai": lambda at: chunk(at, {"obfuscation": "abc"[: at % 3], "usage": None}, logprobs=None),
    "azure": lambda at: chunk(at, content_filter_results=filtered(at)),
    "groq": lambda at: chunk(at, {"x_groq": {"id": "req_1"}} if at == 0 else {}),
    "openrouter": lambda at: chunk(at, {"provider": "X"}, native_finish_reason=None),
    "vllm": lambda at: chunk(at, **({"token_ids": None} if at else {})),
    "deepseek": lambda at: chunk(at, None, {"reasoning_content": None}),
    "litellm": lambda at: chunk(at, {"citations": None}, {"provider_specific_fields": None}),
    "together": lambda at: chunk(at, text=WORDS[at % 5] if at else "", seed=5),
    "mistral": lambda at: chunk(at, {"p": "abcdefgh"[: at % 8]}),
    "no chat": lambda at: {
        "object": "text_completion",
        "choices": [
            {"index": 0, "text": WORDS[at % 5], "finish_reason": None, "stop_reason": None}
        ],
    },
}
OWN: dict[str, tuple[Named, Make]] = {
    "a token": ("sse: /token", lambda at: {"token": WORDS[at % 5]}),
    "an id": ("sse: /token", lambda at: {"token": WORDS[at % 5], "id": "a b", "n": at}),
    "an empty one first": (
        "sse: /token",
        lambda at: {"token": WORDS[at % 5], "id": "a b"} if at else {"token": ""},
    ),
    "kinds": (
        {"sse": {"by": "/type", "delta": {"text": "/delta", "start": []}}},
        lambda at: {"type": "text", "id": "a", "delta": WORDS[at % 5]} if at else {"type": "start"},
    ),
    "deep": (
        "sse: /parts/0/text",
        lambda at: {"parts": [{"text": WORDS[at % 5]}], "role": "model", "used": {"tokens": at}},
    ),
}
CASES: dict[str, tuple[Named, Make]] = {
    **{name: ("openai-chat", make) for name, make in CHAT.items()},
    **OWN,
}


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return guard_in(tmp_path, written(RULES), offline=True)


@pytest.mark.parametrize("before", [b": STILL HERE\n\n", b": STILL HERE\nevent: a bit\n"])
@pytest.mark.parametrize("name", ["openai", "a token", "kinds"])
async def test_what_is_said_again_beside_the_data_holds_nothing(
    guard: Guard, name: str, before: bytes
) -> None:
    format, make = CASES[name]
    reader = stream_reader(format_of(format), Payload(data=b"", media_type=EVENTS), None)
    assert reader is not None
    async with guard.call() as call:
        body = StreamedBody(await call.reply(), reader, most_held=1 << 20)
        came = left = b""
        for at in range(EVENTS_SENT):
            event = before + f"data: {json.dumps(make(at))}\n\n".encode()
            came += event
            left += await body.feed(event)
            assert came[len(left) :].count(b"data:") <= len(WORDS) + 1, at
        left += await body.close()
    assert left == came


@pytest.mark.parametrize("name", CASES)
async def test_no_more_than_a_sentence_is_held(guard: Guard, name: str) -> None:
    format, make = CASES[name]
    reader = stream_reader(format_of(format), Payload(data=b"", media_type=EVENTS), None)
    assert reader is not None
    async with guard.call() as call:
        body = StreamedBody(await call.reply(), reader, most_held=1 << 20)
        came = left = b""
        for at in range(EVENTS_SENT):
            event = f"data: {json.dumps(make(at))}\n\n".encode()
            came += event
            left += await body.feed(event)
            assert came[len(left) :].count(b"data:") <= len(WORDS) + 1, at
        left += await body.close()
    assert left == came


AFTER_ENDS: dict[str, tuple[Named, list[str]]] = {
    "a text that never began": ("openai-chat", [json.dumps(chunk(1))]),
    "another text": ({"sse": {"delta": ["/token", "/thought"]}}, ['{"thought": "more"}']),
}


@pytest.mark.parametrize("name", AFTER_ENDS)
async def test_promise_1_what_begins_after_a_streams_end_is_left_out(
    guard: Guard, name: str
) -> None:
    format, after = AFTER_ENDS[name]
    reader = stream_reader(format_of(format), Payload(data=b"", media_type=EVENTS), None)
    assert reader is not None
    async with guard.call() as call:
        body = StreamedBody(await call.reply(), reader, most_held=1 << 20)
        end = await body.feed(b"data: [DONE]\n\n")
        for data in after:
            assert not await body.feed(f"data: {data}\n\n".encode())
        assert not await body.close()
        await body.reply.close()
    assert end == b"data: [DONE]\n\n"
    assert body.reply.decision is not None
