"""The providers' replies and errors as a provider itself would send them, with our text in them.

`known` is what may be kept of a reply that was blocked, or of the request: ids, model, usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrails.wire.quiet import IDENTIFIER, USAGE, Quiet

__all__ = [
    "MODEL",
    "anthropic_declined",
    "anthropic_error",
    "anthropic_message",
    "chat_completion",
    "chat_declined",
    "expects_json",
    "is_quiet",
    "known_of",
    "openai_error",
    "openai_response",
    "response_declined",
]

MODEL = "constitutional-guardrails"
"""Stands as the model of a reply where no model ever ran."""

KEPT: Mapping[str, tuple[type, ...]] = {
    "id": (str,),
    "model": (str,),
    "usage": (dict,),
    "created": (int, float),
    "created_at": (int, float),
}
"""What is kept of a reply, and the types that it may be of."""

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


def known_of(document: object) -> dict[str, Any]:
    """What holds no text, and says which call it was and what it cost. A sentence that stands there
    was what was blocked."""
    if not isinstance(document, dict):
        return {}
    known: dict[str, Any] = {
        key: document[key]
        for key, types in KEPT.items()
        if isinstance(document.get(key), types)
        and (key == "usage" or is_quiet(document[key], IDENTIFIER))
    }
    usage = {
        key: held
        for key, held in known.pop("usage", {}).items()
        if USAGE.knows(key) and is_quiet(held, USAGE)
    }
    return {**known, "usage": usage} if usage else known


def is_quiet(value: object, reads: Quiet) -> bool:
    """Whether it holds no text where none is expected."""
    match value:
        case str():
            return reads.passes(value)
        case dict():
            return all(reads.knows(key) and is_quiet(held, reads) for key, held in value.items())
        case list():
            return all(is_quiet(held, reads) for held in value)
        case int() | float():
            return abs(value) < reads.most
        case _:
            return value is None


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


def expects_json(request: Mapping[str, Any]) -> bool:
    """Whether a request says that the text of its answer shall be something else than prose."""
    said = [
        _within(request, "output_config", "format"),
        _within(request, "output_format"),
        _within(request, "response_format"),
        _within(request, "text", "format"),
    ]
    return any(isinstance(form, dict) and form.get("type", "text") != "text" for form in said)


def _within(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def anthropic_declined(reply: dict[str, Any], text: str) -> None:
    """Put the text of a refusal where a model says that it declines, for who would read any other
    text as something else, such as JSON; so do the two below."""
    reply["content"] = []
    reply["stop_details"] = {"type": "refusal", "category": None, "explanation": text}


def chat_declined(reply: dict[str, Any], text: str) -> None:
    for choice in reply["choices"]:  # the SDK's helpers raise on `content_filter`
        choice |= {"finish_reason": "stop"}
        choice["message"] |= {"content": None, "refusal": text}


def response_declined(reply: dict[str, Any], text: str) -> None:
    reply |= {"status": "completed", "incomplete_details": None}
    for item in reply["output"]:
        item |= {"status": "completed", "content": [{"type": "refusal", "refusal": text}]}


def anthropic_error(status: int, message: str) -> dict[str, Any]:
    kind = _ANTHROPIC_ERRORS.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def openai_error(status: int, message: str) -> dict[str, Any]:
    kind = _OPENAI_ERRORS.get(status, "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}
