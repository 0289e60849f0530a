"""What is asked of a model and what it answers, whoever it is. Pure values and one protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from guardrails.errors import UpstreamError

__all__ = [
    "Answer",
    "ModelClient",
    "ModelOutageError",
    "ModelRejectionError",
    "Question",
    "Stop",
    "Tokens",
]

Stop = Literal["finished", "refused", "cut_off"]
"""Why a model stopped: it was done; it, or its provider's filter, refused; its answer got too long
or the context did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`prefix` is the same for every question of its kind, so that a provider may cache it; `text`
    is what differs. The answer is to fit `schema`, which the provider is told and the caller still
    checks. Roles are the provider's own: `prefix` is its system text, `text` the one user turn.

    `cache_prefix` asks to keep the prefix for `cache_ttl` where that has to be asked for; None: who
    plays a role (`roles.Player`) asks for it where it is likely to pay. `effort`
    says how long a model may think, where that can be said; thinking counts towards `max_tokens`.
    """

    prefix: str = field(repr=False)
    text: str = field(repr=False)
    schema: Mapping[str, Any] = field(repr=False)
    max_tokens: int
    cache_prefix: bool | None = False
    cache_ttl: Literal["5m", "1h"] = "5m"
    effort: Literal["low", "medium", "high"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a call used. `input` counts what was neither read from nor written to a cache;
    `cache_write_hour` is that part of `cache_write` that is kept for an hour. Where the provider
    did not say, the numbers are `estimated` from the texts, on the high side."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_hour: int = 0
    output: int = 0
    estimated: bool = False

    @property
    def total_input(self) -> int:
        return self.input + self.cache_read + self.cache_write

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            input=self.input + other.input,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
            cache_write_hour=self.cache_write_hour + other.cache_write_hour,
            output=self.output + other.output,
            estimated=self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`text` is empty where the model refused, and never where it finished. `model` is what the
    provider says answered, `client` the same as settings name it: `provider/model`, that of the
    fallback if that one answered. `attempts` counts requests, those that failed included."""

    text: str = field(repr=False)
    stop: Stop
    tokens: Tokens
    model: str
    client: str = ""
    request_id: str | None = field(default=None, repr=False)
    attempts: int = 1


class ModelOutageError(UpstreamError):
    """The endpoint cannot be reached or refuses to serve: no connection, 401, 403, 404, 408, 429,
    5xx, a body that is not the provider's, or an open circuit. Nothing the text brought about.
    `status` is the HTTP status if there was one; `unanswered` that a retry was taken and never
    answered, so that it may be charged."""

    def __init__(self, why: str, *, status: int | None = None, unanswered: bool = False) -> None:
        self.status, self.unanswered = status, unanswered
        super().__init__(why)


class ModelRejectionError(UpstreamError):
    """The endpoint does not take this question: 400, 413, 422. The text may have brought it about,
    so it is a doubt and no outage. `status` is None if the question could not even be sent."""

    def __init__(self, why: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(why)


class ModelClient(Protocol):
    """One model at one endpoint. Works from any loop; holds no state of a question."""

    @property
    def name(self) -> str:
        """`provider/model`, as settings name it."""

    async def ask(self, question: Question, *, timeout_s: float) -> Answer:
        """Ask, retries included, within `timeout_s` seconds.

        Raises ModelOutageError, ModelRejectionError, or TimeoutError when the endpoint is otherwise
        well but did not answer in time.
        """

    async def aclose(self) -> None:
        """Let go of connections."""
