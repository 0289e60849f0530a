"""Bodies of providers: read within a limit, and as JSON that can be read in one way only."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterable, Mapping, Sequence
from typing import Any

from guardrails.llm.protocol import Question, Tokens

__all__ = [
    "LARGEST_BODY",
    "about",
    "estimated",
    "object_in",
    "read_within",
    "sendable",
    "shortened",
    "whole_number",
]

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes. Some forty times the longest answer that a model can give to one question."""

LONGEST_ABOUT = 500
LONGEST_NAME = 200

BYTES_PER_TOKEN = 3
"""For an estimate on the high side: about four in English, two to three in other scripts."""


class _RepeatedKeyError(ValueError):
    pass


def object_in(body: bytes) -> dict[str, Any] | None:
    """The JSON object that a body is; None if it is anything else or may be read in two ways."""
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        return None
    return value if isinstance(value, dict) else None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RepeatedKeyError
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)


def about(error: Mapping[str, Any] | None) -> str:
    """What an error of a provider is about: the parameter that it names; else, since few name one,
    the start of its message. To be searched for names, not shown: it may repeat the question."""
    inner = (error or {}).get("error", error)
    if isinstance(inner, str):
        return inner[:LONGEST_ABOUT]
    if not isinstance(inner, Mapping):
        return ""
    param, message = inner.get("param"), inner.get("message")
    found = param if isinstance(param, str) and param else message
    return found[:LONGEST_ABOUT] if isinstance(found, str) else ""


def shortened(text: str) -> str:
    """An id or a name that a provider said, at a length that ids and names have."""
    return text[:LONGEST_NAME]


async def read_within(chunks: AsyncIterable[bytes], limit: int) -> bytes | None:
    """The whole of a body; None as soon as it is larger than `limit` bytes."""
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        if len(held) > limit:
            return None
    return bytes(held)


def sendable(text: str) -> str:
    """The text with U+FFFD for lone surrogates, which no encoding can carry."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole_number(values: object, name: str) -> int | None:
    """A count in a JSON object; 0 where it is null or missing, None where it is no count."""
    value = values.get(name) if isinstance(values, Mapping) else None
    if value is None:
        return 0
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def estimated(question: Question, text: str) -> Tokens:
    """What a call must have used whose provider does not say."""
    asked = len(question.prefix.encode("utf-8", "replace")) + len(
        question.text.encode("utf-8", "replace")
    )
    return Tokens(
        input=math.ceil(asked / BYTES_PER_TOKEN),
        output=math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN),
        estimated=True,
    )
