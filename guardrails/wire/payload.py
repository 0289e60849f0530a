"""What all formats of bodies have in common: what comes in, what goes out, what is read how."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from guardrails.errors import WireFormatError
from guardrails.exchange import Role
from guardrails.wire.body import Body, OpaqueBody
from guardrails.wire.strict_json import AmbiguousError, parse_json
from guardrails.wire.walk import TooManyValuesError

__all__ = [
    "ENCODINGS",
    "EVENTS",
    "FORM",
    "JSON",
    "LINES",
    "PLAIN",
    "PROBLEM",
    "Answer",
    "BodyFormat",
    "Payload",
    "document_of",
    "encoding_of",
    "guarded",
    "is_utf8",
    "problem",
]

JSON = "application/json"
PROBLEM = "application/problem+json"
EVENTS = "text/event-stream"
PLAIN = "text/plain"
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl")
FORM = "application/x-www-form-urlencoded"

ENCODINGS = frozenset(
    {
        *("utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1250", "windows-1251"),
        *("windows-1252", "koi8-r", "shift_jis", "euc-jp", "gb18030", "gbk", "gb2312", "big5"),
        "euc-kr",
    }
)
"""Charsets that browsers read as Python does; UTF-7 and UTF-16 are not among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The bytes of a body, decoded from any content encoding, with what their headers say.

    `media_type` is without parameters, in lower case; empty if none is said. `path` is where the
    request went.
    """

    data: bytes = field(repr=False)
    media_type: str = ""
    charset: str | None = None
    path: str = ""
    anthropic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply that we make."""

    status: int = 200
    media_type: str
    data: bytes = field(repr=False)


class BodyFormat(Protocol):
    """One way in which bodies are written."""

    @property
    def name(self) -> str: ...

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        """Raises AmbiguousError, or TooManyValuesError for what is too large to be read."""

    def response(self, payload: Payload, request: Body) -> Body:
        """Raises as `request` does."""

    def refusal(self, text: str, request: Body | None, response: Body | None) -> Answer | None:
        """The reply in the place of one; None if the format has no place for it."""

    def trouble(self, status: int, message: str, request: Body | None) -> Answer | None:
        """An error in the format's own shape; None if it has none."""


def encoding_of(payload: Payload) -> str:
    said = payload.charset or "utf-8"
    return "utf-8" if said == "utf8" else said


def document_of(payload: Payload) -> Any:
    """The JSON of a body, which is in UTF-8 whatever is said. Raises AmbiguousError."""
    if not is_utf8(payload):
        raise AmbiguousError("not usable JSON: in another charset than UTF-8")
    return parse_json(payload.data)


def is_utf8(payload: Payload) -> bool:
    """Whether UTF-8 is what everybody reads it as who goes by what is said of it."""
    encoding = encoding_of(payload)
    return encoding == "utf-8" or (encoding in ENCODINGS and payload.data.isascii())


def guarded(payload: Payload, role: Role, make: Callable[[bytes, Role], Body]) -> Body:
    """A body, or an opaque one for what cannot be read; ambiguity stays an error."""
    if payload.media_type in (EVENTS, *LINES) and not is_utf8(payload):
        raise AmbiguousError("not usable: events or lines in another charset than UTF-8")
    try:
        return make(payload.data, role)
    except (AmbiguousError, TooManyValuesError):
        raise
    except WireFormatError as error:
        return OpaqueBody(payload.data, role, str(error))
    except RecursionError:
        raise AmbiguousError("nested too deeply") from None


def problem(status: int, title: str, detail: str, **more: object) -> Answer:
    """An error as RFC 9457 has it, for formats with no errors of their own."""
    said = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Answer(status=status, media_type=PROBLEM, data=json.dumps(said).encode())
