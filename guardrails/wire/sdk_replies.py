"""Refusals as objects of the providers' SDKs.

The classes are those of the SDK that the application has loaded; none is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from pydantic import BaseModel

from guardrails.wire import rebuild
from guardrails.wire.refusals import anthropic_message, chat_completion, openai_response
from guardrails.wire.shapes import sdk_kind

__all__ = ["is_sdk_reply", "sdk_reply"]

_KEPT = ("id", "model", "usage", "created", "created_at")
"""What holds no text, and says which call it was and what it cost."""


def _chat_message(text: str, known: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


_MAKERS: Mapping[tuple[str, str], Callable[[str, Mapping[str, Any]], dict[str, Any]]] = {
    ("anthropic", "Message"): anthropic_message,
    ("anthropic", "BetaMessage"): anthropic_message,
    ("openai", "ChatCompletion"): chat_completion,
    ("openai", "ChatCompletionMessage"): _chat_message,
    ("openai", "Response"): openai_response,
}


def is_sdk_reply(cls: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(cls, type) and sdk_kind(cls) is not None


def sdk_reply(cls: type[BaseModel], text: str, old: object = None) -> object:
    """A refusal of that class with the text; of `old` only what holds no text (id, model, usage)
    stays. Raises WireFormatError if the SDK's class does not take it."""
    make = _MAKERS[sdk_kind(cls) or ("", "")]
    known = {name: getattr(old, name, None) for name in _KEPT}
    return rebuild.validated(cls, make(text, known))
