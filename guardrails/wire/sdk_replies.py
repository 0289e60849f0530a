"""The providers' replies as they look when a provider itself refuses, with our text in them.

The classes are those of the SDK that the application has loaded; none is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from pydantic import BaseModel

from guardrails.wire import rebuild
from guardrails.wire.shapes import sdk_kind

__all__ = ["is_sdk_reply", "sdk_reply"]

MODEL = "constitutional-guardrails"
"""Stands as the model of a reply where no model ever ran."""


def _anthropic_message(text: str, old: Any) -> Mapping[str, Any]:
    return {
        "id": getattr(old, "id", "msg_guardrails"),
        "type": "message",
        "role": "assistant",
        "model": getattr(old, "model", MODEL),
        "content": [{"type": "text", "text": text}],
        "stop_reason": "refusal",
        "usage": getattr(old, "usage", {"input_tokens": 0, "output_tokens": 0}),
    }


def _chat_message(text: str, old: Any) -> Mapping[str, Any]:
    return {"role": "assistant", "content": text}


def _chat_completion(text: str, old: Any) -> Mapping[str, Any]:
    return {
        "id": getattr(old, "id", "chatcmpl-guardrails"),
        "object": "chat.completion",
        "created": getattr(old, "created", 0),
        "model": getattr(old, "model", MODEL),
        "choices": [
            {"index": 0, "finish_reason": "content_filter", "message": _chat_message(text, old)}
        ],
        "usage": getattr(old, "usage", None),
    }


def _response(text: str, old: Any) -> Mapping[str, Any]:
    content = {"type": "output_text", "text": text, "annotations": []}
    return {
        "id": getattr(old, "id", "resp_guardrails"),
        "object": "response",
        "created_at": getattr(old, "created_at", 0),
        "model": getattr(old, "model", MODEL),
        "status": "incomplete",
        "incomplete_details": {"reason": "content_filter"},
        "output": [
            {
                "type": "message",
                "id": "msg_guardrails",
                "role": "assistant",
                "status": "incomplete",
                "content": [content],
            }
        ],
        "parallel_tool_calls": False,
        "tool_choice": "none",
        "tools": [],
        "usage": getattr(old, "usage", None),
    }


_MAKERS = {
    ("anthropic", "Message"): _anthropic_message,
    ("anthropic", "BetaMessage"): _anthropic_message,
    ("openai", "ChatCompletion"): _chat_completion,
    ("openai", "ChatCompletionMessage"): _chat_message,
    ("openai", "Response"): _response,
}


def is_sdk_reply(cls: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(cls, type) and sdk_kind(cls) is not None


def sdk_reply(cls: type[BaseModel], text: str, old: object = None) -> object:
    """A refusal of that class with the text; of `old` only what holds no text (id, model, usage)
    stays. Raises WireFormatError if the SDK's class does not take it."""
    make = _MAKERS[sdk_kind(cls) or ("", "")]
    return rebuild.validated(cls, make(text, old))
