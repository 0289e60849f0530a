"""Conversations and requests, as applications hand them to a provider, and the parts in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel

from guardrails.errors import WireFormatError
from guardrails.wire.reading import Reading, read
from guardrails.wire.shapes import BLOCKS, MESSAGES, REQUEST
from guardrails.wire.walk import MAX_NODES, Place

__all__ = ["conversation_form", "is_content", "read_messages"]


def conversation_form(value: object) -> Literal["messages", "request"] | None:
    """Whether a value is a list of messages or a whole request; None if it is neither."""
    if isinstance(value, list | tuple):
        has_message = any(map(_is_message, value)) and all(map(_may_be_message, value))
        return "messages" if has_message else None
    if not isinstance(value, Mapping):
        return None
    if isinstance(value.get("messages"), list | tuple):
        return "request"
    asks = isinstance(value.get("input"), str | list | tuple)
    return "request" if asks and isinstance(value.get("model"), str) else None


def _is_message(item: object) -> bool:
    fields = _fields(item)
    if fields is None:
        return False
    return isinstance(fields.get("role"), str) or MESSAGES.of(fields) is not None


def _may_be_message(item: object) -> bool:
    """Among messages: one of a type that is not known here, which nobody can read."""
    fields = _fields(item)
    return fields is not None and (_is_message(item) or isinstance(fields.get("type"), str))


def _fields(item: object) -> Mapping[str, object] | None:
    if isinstance(item, BaseModel):
        item = item.__dict__
    return item if isinstance(item, Mapping) else None


def is_content(value: object) -> bool:
    """Whether a value is what stands in a message, by itself: content of known types, and not only
    text; or one image, sound or file."""
    if not isinstance(value, list | tuple):
        fields = _fields(value)
        shape = None if fields is None else BLOCKS.of(fields)
        return shape is not None and shape.opaque
    found = [_fields(item) for item in value]
    return all(fields is not None and BLOCKS.of(fields) is not None for fields in found) and any(
        fields is not None and fields["type"] != "text" for fields in found
    )


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
