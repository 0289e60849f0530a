"""The providers' replies and errors as a provider itself would send them, with our text in them.

`known` is what may be kept of a reply that was blocked, or of the request: ids, model, usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "MODEL",
    "anthropic_error",
    "anthropic_message",
    "chat_completion",
    "openai_error",
    "openai_response",
]

MODEL = "constitutional-guardrails"
"""Stands as the model of a reply where no model ever ran."""

Known = Mapping[str, Any]

_ANTHROPIC_ERRORS: Mapping[int, str] = {
    400: "invalid_request_error",
    403: "permission_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}
_OPENAI_ERRORS: Mapping[int, str] = {
    400: "invalid_request_error",
    403: "permission_error",
    413: "invalid_request_error",
    429: "rate_limit_exceeded",
    503: "server_error",
}


def anthropic_message(text: str, known: Known) -> dict[str, Any]:
    return {
        "id": known.get("id") or "msg_guardrails",
        "type": "message",
        "role": "assistant",
        "model": known.get("model") or MODEL,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "refusal",
        "stop_sequence": None,
        "usage": known.get("usage") or {"input_tokens": 0, "output_tokens": 0},
    }


def chat_completion(text: str, known: Known) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": known.get("id") or "chatcmpl-guardrails",
        "object": "chat.completion",
        "created": known.get("created") or 0,
        "model": known.get("model") or MODEL,
        "choices": [{"index": 0, "finish_reason": "content_filter", "message": message}],
        "usage": known.get("usage"),
    }


def openai_response(text: str, known: Known) -> dict[str, Any]:
    content = {"type": "output_text", "text": text, "annotations": []}
    return {
        "id": known.get("id") or "resp_guardrails",
        "object": "response",
        "created_at": known.get("created_at") or 0,
        "model": known.get("model") or MODEL,
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
        "usage": known.get("usage"),
    }


def anthropic_error(status: int, message: str) -> dict[str, Any]:
    kind = _ANTHROPIC_ERRORS.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def openai_error(status: int, message: str) -> dict[str, Any]:
    kind = _OPENAI_ERRORS.get(status, "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}
