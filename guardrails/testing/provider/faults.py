"""What goes wrong with a provider, each as a small named value."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from guardrails.testing.provider.answers import Block, Refusal, Reply

__all__ = ["Fault", "Treatment", "api_error", "fault", "faults"]

Treatment = Literal[
    "as_is",
    "never",
    "reset_first",
    "reset_midway",
    "stall_midway",
    "cut_off",
    "slow_drip",
    "html",
    "wrong_type",
    "wrong_shape",
    "empty_body",
    "gzip_garbage",
    "duplicate_keys",
    "error_event",
]
"""What happens to an answer on its way; `as_is`: nothing."""

RetryAfter = Literal["seconds", "ms", "date"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong. `about` says what a client sees of it.

    `status` other than 200 is an error of the provider. With 200, `answer` is what is said, and
    `treatment` what happens to it on its way.
    """

    name: str
    about: str = ""
    status: int = 200
    message: str = ""
    code: str | None = None
    retry_after_s: float | None = None
    retry_after_as: RetryAfter = "seconds"
    should_retry: bool | None = None
    treatment: Treatment = "as_is"
    answer: Any = field(default='{"answer": "forty-two"}', repr=False)
    pause_s: float = 0.02
    """Between two pieces of a slow drip."""
    chunk_tokens: int | None = None
    """How much of a stream an event has, where it is not the provider's `Latency` that says."""

    def saying(self, answer: Any) -> Fault:
        """The same fault with another answer: a text, JSON, a Reply, a callable."""
        return replace(self, answer=answer)

    def __str__(self) -> str:
        return self.name


def api_error(
    status: int,
    *,
    message: str = "",
    code: str | None = None,
    retry_after_s: float | None = None,
    retry_after_as: RetryAfter = "seconds",
    should_retry: bool | None = None,
) -> Fault:
    """An error as the provider itself tells it.

    `code` is Anthropic's `error.type`, or OpenAI's `error.code`, where it is not the usual one.
    `retry_after_as`: the header `retry-after` in seconds or as an HTTP date, or `retry-after-ms`.
    `should_retry` sends `x-should-retry`, which the official SDKs obey.
    """
    suffix = "" if retry_after_s is None else f"-retry-after-{retry_after_as}"
    return Fault(
        name=f"status-{status}{suffix}",
        about=_STATUSES.get(status, "an error"),
        status=status,
        message=message or _STATUSES.get(status, "Something went wrong.").capitalize(),
        code=code,
        retry_after_s=retry_after_s,
        retry_after_as=retry_after_as,
        should_retry=should_retry,
    )


_STATUSES: dict[int, str] = {
    400: "the request is not valid",
    401: "the key is not valid",
    403: "the key may not do this",
    404: "there is no such model",
    408: "the request took too long to arrive",
    413: "the request is too large",
    422: "the request cannot be processed",
    429: "too many requests",
    500: "internal server error",
    502: "bad gateway",
    503: "the service is unavailable",
    504: "the gateway waited too long",
    529: "overloaded",
}
_RETRIED = (429, 503, 529)
_WAYS: tuple[RetryAfter, ...] = ("seconds", "ms", "date")
_HUGE = 8 * 1024 * 1024
_FUTURE = {"type": "future_block", "id": "fut_fake", "payload": {"text": "not known yet"}}

_ON_THE_WAY: tuple[tuple[Treatment, str, str], ...] = (
    ("never", "never-answers", "the connection stays open and silent"),
    ("reset_first", "reset-before-headers", "the connection is reset before an answer"),
    ("reset_midway", "reset-mid-body", "the connection is reset in the middle of the answer"),
    ("stall_midway", "stall-mid-body", "the answer stops in its middle and goes no further"),
    ("cut_off", "cut-off-body", "200, and the body ends in its middle as if it were whole"),
    ("slow_drip", "slow-drip", "200, a few bytes at a time"),
    ("html", "html", "200, and a gateway's page"),
    ("wrong_type", "wrong-content-type", "200, and content-type text/plain"),
    ("wrong_shape", "wrong-shape", "200, and JSON that is no reply of this provider"),
    ("empty_body", "empty-body", "200, and nothing"),
    ("gzip_garbage", "gzip-garbage", "200, said to be gzip, and not"),
    ("duplicate_keys", "duplicate-keys", "200, and the field with the answer twice, differently"),
    ("error_event", "error-event", "an error after half of the stream; 529 where none is asked"),
)
_SAID: tuple[tuple[str, str, Any], ...] = (
    ("cut-off-json", "a text that is JSON and breaks off", '{"answer": "forty'),
    ("wrong-schema", "JSON that does not fit the schema asked for", {"nothing": ["that", 1, None]}),
    ("refusal", "the model declines", Refusal()),
    ("content-filter", "a filter breaks in", Reply("The first step", stop="content_filter")),
    ("max-tokens", "the answer got too long", Reply('{"answer": "for', stop="max_tokens")),
    (
        "unknown-block",
        "content of a type that nobody knows yet",
        Reply(Block(_FUTURE), "And this."),
    ),
    ("empty-content", "200, and nothing said", Reply()),
    ("empty-text", "200, and a text of no characters", ""),
)


def faults() -> tuple[Fault, ...]:
    """Every fault, for parametrised tests: `pytest.mark.parametrize("fault", faults(), ids=str)`.

    Errors that tell when to come back say two seconds.
    """
    found = [api_error(status) for status in _STATUSES]
    for status in _RETRIED:
        found += [api_error(status, retry_after_s=2.0, retry_after_as=way) for way in _WAYS]
    found += [Fault(name=name, about=about, treatment=t) for t, name, about in _ON_THE_WAY]
    page = "502, and a gateway's page"
    found.append(Fault(name="html-502", about=page, status=502, treatment="html"))
    found += [Fault(name=name, about=about, answer=said) for name, about, said in _SAID]
    huge = "200, and eight megabytes"
    found.append(Fault(name="huge-body", about=huge, answer="a" * _HUGE, chunk_tokens=64 * 1024))
    return tuple(found)


def fault(name: str) -> Fault:
    """The fault of this name. Raises KeyError that lists them."""
    known = {each.name: each for each in faults()}
    if name not in known:
        raise KeyError(f"no fault {name!r}; there are {', '.join(known)}")
    return known[name]
