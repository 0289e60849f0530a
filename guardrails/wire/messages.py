"""Conversations and requests, as applications hand them to a provider, and the parts in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, cast

from pydantic import BaseModel

from guardrails.errors import WireFormatError
from guardrails.wire.place import Place
from guardrails.wire.reading import Reading, read
from guardrails.wire.shapes import BLOCKS, MESSAGES, REQUEST
from guardrails.wire.walk import MAX_NODES

__all__ = ["conversation_form", "is_content", "read_messages"]


def conversation_form(value: object) -> Literal["messages", "request"] | None:
    """Whether a value is a list of messages or a whole request; None if it is neither."""
    if isinstance(value, list | tuple):
        return "messages" if _are_messages(value) else None
    if not isinstance(value, Mapping):
        return None
    if isinstance(value.get("messages"), list | tuple):
        return "request"
    asks = isinstance(value.get("input"), str | list | tuple)
    return "request" if asks and isinstance(value.get("model"), str) else None


def _are_messages(items: Iterable[object]) -> bool:
    """Stops at the first that is none: a list of an application's own class may have no end."""
    found = False
    for item in items:
        if not _may_be_message(item):
            return False
        found = found or _is_message(item)
    return found


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
    text; or one image, sound, file or call of a tool."""
    if type(value) not in (list, tuple):
        fields = _fields(value)
        shape = None if fields is None else BLOCKS.of(fields)
        return shape is not None and (
            shape.opaque or shape.attached is not None or shape.kind == "tool_call"
        )
    only_text = True
    for item in cast("Sequence[object]", value):
        fields = _fields(item)
        if fields is None or BLOCKS.of(fields) is None:
            return False
        only_text = only_text and fields["type"] == "text"
    return not only_text


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
