"""Conversations and requests, as applications hand them to a provider, and the parts in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel

from guardrails.errors import WireFormatError
from guardrails.wire.reading import Reading, read
from guardrails.wire.shapes import MESSAGES, REQUEST
from guardrails.wire.walk import MAX_NODES, Place

__all__ = ["conversation_form", "read_messages"]


def conversation_form(value: object) -> Literal["messages", "request"] | None:
    """Whether a value is a list of messages or a whole request; None if it is neither."""
    if isinstance(value, list | tuple):
        return "messages" if value and all(map(_is_message, value)) else None
    if not isinstance(value, Mapping):
        return None
    if isinstance(value.get("messages"), list | tuple):
        return "request"
    asks = isinstance(value.get("input"), str | list | tuple)
    return "request" if asks and isinstance(value.get("model"), str) else None


def _is_message(item: object) -> bool:
    if isinstance(item, BaseModel):
        item = item.__dict__
    if not isinstance(item, Mapping):
        return False
    return isinstance(item.get("role"), str) or MESSAGES.of(item) is not None


def read_messages(value: object, *, most: int = MAX_NODES, longest: int | None = None) -> Reading:
    """Find every text in a list of messages, or in a request with `messages` or `input`, in
    Anthropic's form or OpenAI's.

    What the application itself says (`system`, `instructions`, `tools`) is context; all else is to
    be judged. Images, files, encrypted blocks and blocks of an unknown type are parts that nobody
    can read. Raises WireFormatError if the value is neither.
    """
    form = conversation_form(value)
    if form is None:
        raise WireFormatError(
            "expected a list of messages, each with 'role' and 'content', or a request with "
            f"'messages', or with 'model' and 'input'; got {type(value).__name__}"
        )
    place = Place(role="user", reads=MESSAGES if form == "messages" else REQUEST)
    return read(value, place, most=most, longest=longest)
