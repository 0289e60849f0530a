"""What each provider's language has to say: which requests are wrong, replies, streams, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from guardrails.testing.provider.answers import Reply
from guardrails.testing.provider.prompt_cache import Segment, Use

__all__ = ["Dialect", "Frame", "Json", "Limits", "Making", "Problem", "dump", "event"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream, and the tokens that the model had to write for it."""

    data: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why the provider turns a request away."""

    status: int = 400
    message: str
    param: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where a request lets an answer end."""

    max_tokens: int | None = None
    sequences: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """All that a reply is made of. `serial` makes its ids, `sequence` is what stopped it."""

    reply: Reply
    body: Mapping[str, Any]
    use: Use
    serial: int
    created: int
    sequence: str | None = None


class Dialect(Protocol):
    """One endpoint's language. Pure."""

    @property
    def key(self) -> str:
        """The field of a whole reply that holds what the model said."""

    @property
    def end(self) -> bytes:
        """What follows the last event of every stream."""

    def problem(self, body: Json, headers: Mapping[str, str]) -> Problem | None:
        """Why the provider would answer with 4xx, if it would."""

    def limits(self, body: Json) -> Limits: ...

    def prompt(self, body: Json) -> list[Segment]:
        """The prompt in the order in which it is cached."""

    def whole(self, making: Making) -> Json: ...

    def frames(self, whole: Json, body: Json, tokens: int) -> Iterator[Frame]:
        """The stream of a whole reply, with up to so many tokens an event, without its end."""

    def error(self, problem: Problem, request_id: str) -> Json: ...

    def error_frame(self, problem: Problem, request_id: str, after: int) -> Frame:
        """An error after so many events of a stream."""

    def headers(self, request_id: str) -> dict[str, str]:
        """What comes with every answer."""


def dump(value: object) -> bytes:
    """A value as a body; half a surrogate pair stays escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def event(data: Mapping[str, Any], *, named: bool = True, tokens: int = 0) -> Frame:
    """An event as it goes over the wire."""
    name = b"event: " + str(data["type"]).encode() + b"\n" if named else b""
    return Frame(name + b"data: " + dump(data) + b"\n\n", tokens)
