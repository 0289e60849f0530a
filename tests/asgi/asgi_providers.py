"""What providers say over the wire: requests, whole replies and streams, with a text in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


def pieces_of(text: str) -> list[str]:
    """Three characters at a time, so that every word is cut."""
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def sse(data: Any, *, named: bool) -> str:
    name = f"event: {data['type']}\n" if named else ""
    return f"{name}data: {json.dumps(data)}\n\n"


def anthropic_request(text: str, **more: Any) -> Json:
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": messages, **more}


def anthropic_reply(text: str, *before: Json) -> Json:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-5-5",
        "content": [*before, {"type": "text", "text": text}], "stop_reason": "end_turn",
        "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 5},
    }  # fmt: skip


def anthropic_stream(pieces: Sequence[str]) -> bytes:
    start = {**anthropic_reply(""), "content": [], "stop_reason": None}
    events: list[Json] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": p}}
            for p in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]
    return "".join(sse(event, named=True) for event in events).encode()


def anthropic_text(reply: Json) -> str:
    return "".join(block["text"] for block in reply["content"] if block["type"] == "text")


def chat_request(text: str, **more: Any) -> Json:
    return {"model": "gpt-x", "messages": [{"role": "user", "content": text}], **more}


def chat_reply(*texts: str, **message: Any) -> Json:
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text, "refusal": None, **message},
            "finish_reason": "stop",
            "logprobs": None,
        }
        for index, text in enumerate(texts)
    ]
    return {
        "id": "chatcmpl_1", "object": "chat.completion", "created": 1, "model": "gpt-x",
        "choices": choices, "usage": {"prompt_tokens": 1, "completion_tokens": 2,
                                      "total_tokens": 3},
    }  # fmt: skip


def chat_stream(pieces: Sequence[str]) -> bytes:
    head = {"id": "chatcmpl_1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
    deltas: list[Json] = [{"role": "assistant", "content": ""}, *({"content": p} for p in pieces)]
    chunks: list[Json] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return ("".join(sse(chunk, named=False) for chunk in chunks) + "data: [DONE]\n\n").encode()


def chat_text(reply: Json) -> str:
    return "".join(choice["message"]["content"] or "" for choice in reply["choices"])


def responses_request(text: str, **more: Any) -> Json:
    return {"model": "gpt-x", "input": text, **more}


def responses_reply(text: str, *before: Json, status: str = "completed") -> Json:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [part]}  # fmt: skip
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-x", "status": status,
        "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
        "output": [*before, item] if status == "completed" else [],
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": None,
    }  # fmt: skip


def responses_stream(pieces: Sequence[str]) -> bytes:
    text = "".join(pieces)
    whole = responses_reply(text)
    (item,) = whole["output"]
    (part,) = item["content"]
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    running = responses_reply("", status="in_progress")
    events: list[Json] = [
        {"type": "response.created", "response": running},
        {"type": "response.in_progress", "response": running},
        {"type": "response.output_item.added", "output_index": 0,
         "item": {**item, "status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": p, "logprobs": [],
           "obfuscation": "xY7"} for p in pieces),
        {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]  # fmt: skip
    numbered = ({**event, "sequence_number": n} for n, event in enumerate(events))
    return "".join(sse(event, named=True) for event in numbered).encode()


def responses_text(reply: Json) -> str:
    items = [item for item in reply["output"] if item["type"] == "message"]
    return "".join(part.get("text", "") for item in items for part in item["content"])


@dataclass(frozen=True, kw_only=True)
class Provider:
    format: str
    path: str
    request: Callable[..., Json]
    reply: Callable[..., Json]
    stream: Callable[[Sequence[str]], bytes]
    text: Callable[[Json], str]
    stopped: Callable[[Json], bool]
    """Whether a reply says that it is a refusal."""


PROVIDERS = {
    "anthropic": Provider(
        format="anthropic", path="/v1/messages", request=anthropic_request, reply=anthropic_reply,
        stream=anthropic_stream, text=anthropic_text,
        stopped=lambda reply: reply["stop_reason"] == "refusal",
    ),
    "openai-chat": Provider(
        format="openai-chat", path="/v1/chat/completions", request=chat_request, reply=chat_reply,
        stream=chat_stream, text=chat_text,
        stopped=lambda reply: reply["choices"][0]["finish_reason"] == "content_filter",
    ),
    "openai-responses": Provider(
        format="openai-responses", path="/v1/responses", request=responses_request,
        reply=responses_reply, stream=responses_stream, text=responses_text,
        stopped=lambda reply: reply["incomplete_details"] == {"reason": "content_filter"},
    ),
}  # fmt: skip
