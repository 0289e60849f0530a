"""What a request asks a provider for, by its method and path, and what is done about it.

Closed lists: what is on none of them may generate text that nobody judges, and is refused by name.
Source: the resources of anthropic 2.13 and openai 3.57.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal

from guardrails.errors import SettingsError
from guardrails.wire.event_replies import ANTHROPIC, CHAT, RESPONSES, EventCodec
from guardrails.wire.formats import NAMES, BodyFormat
from guardrails.wire.refusals import (
    anthropic_declined,
    anthropic_message,
    chat_completion,
    chat_declined,
    openai_response,
    response_declined,
)
from guardrails.wire.sse import write_events

__all__ = ["WEBSOCKETS", "Dialect", "Operation", "Vendor", "operation_of", "refuse_guarded"]

Vendor = Literal["anthropic", "openai"]
Json = dict[str, Any]
Treatment = Literal["guarded", "read", "passed", "refused"]
"""`read`: only its answer holds text, which is judged."""

WEBSOCKETS = frozenset({"realtime", "live", "responses.connect"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to ask a model: its bodies, streams, and refusals."""

    format: BodyFormat
    codec: EventCodec
    refuse: Callable[[str, Mapping[str, Any]], Json]
    decline: Callable[[Json, str], None]
    """Puts the text where a model says that it declines: for who expects JSON as the text."""

    def refusal(self, text: str, known: Mapping[str, Any], *, declines: bool) -> Json:
        """A whole reply that is the text, in the provider's way of saying no."""
        reply = self.refuse(text, known)
        if declines:
            self.decline(reply, text)
        return reply

    def stream(self, reply: Json) -> bytes:
        """A whole reply as the provider would stream it."""
        return write_events(self.codec.emit(reply))


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    treatment: Treatment
    dialect: Dialect | None = None


_MESSAGES = Dialect(NAMES["anthropic"], ANTHROPIC, anthropic_message, anthropic_declined)
_CHAT = Dialect(NAMES["openai-chat"], CHAT, chat_completion, chat_declined)
_RESPONSES = Dialect(NAMES["openai-responses"], RESPONSES, openai_response, response_declined)

_GUARDED: Mapping[tuple[Vendor, str], Dialect] = {
    ("anthropic", "messages"): _MESSAGES,
    ("openai", "chat.completions"): _CHAT,
    ("openai", "responses"): _RESPONSES,
}
_PASSED: Mapping[Vendor, Mapping[str, str]] = {
    "anthropic": {
        "messages/count_tokens": "POST",
        "models": "GET",
        "models/*": "GET",
        "files": "GET POST",
        "files/*": "GET DELETE",
        "user_profiles": "GET POST",
        "user_profiles/*": "GET POST DELETE",
        "user_profiles/*/action_urls": "POST",
        "user_profiles/*/enrollment_url": "POST",
    },
    "openai": {
        "embeddings": "POST",
        "moderations": "POST",
        "responses/input_tokens": "POST",
        "models": "GET",
        "models/*": "GET DELETE",
        "files": "GET POST",
        "files/*": "GET DELETE",
        "uploads": "POST",
        "uploads/*/cancel": "POST",
        "uploads/*/complete": "POST",
        "uploads/*/parts": "POST",
        "vector_stores": "GET POST",
        "vector_stores/*": "GET POST DELETE",
        "vector_stores/*/search": "POST",
        "vector_stores/*/files": "GET POST",
        "vector_stores/*/files/*": "GET POST DELETE",
        "vector_stores/*/files/*/content": "GET",
        "vector_stores/*/file_batches": "POST",
        "vector_stores/*/file_batches/*": "GET",
        "vector_stores/*/file_batches/*/cancel": "POST",
        "vector_stores/*/file_batches/*/files": "GET",
        "fine_tuning/jobs": "GET POST",
        "fine_tuning/jobs/*": "GET",
        "fine_tuning/jobs/*/cancel": "POST",
        "fine_tuning/jobs/*/checkpoints": "GET",
        "fine_tuning/jobs/*/events": "GET",
        "fine_tuning/jobs/*/pause": "POST",
        "fine_tuning/jobs/*/resume": "POST",
        "fine_tuning/checkpoints/*/permissions": "GET POST",
        "fine_tuning/checkpoints/*/permissions/*": "DELETE",
        "containers": "GET POST",
        "containers/*": "GET DELETE",
        "containers/*/files": "GET POST",
        "containers/*/files/*": "GET DELETE",
    },
}
"""Paths, `*` for an id, with the methods that generate no text. The contents of `files` and
`containers` are not among them: a model may have written them elsewhere, in a batch or a sandbox.
"""

_ADMINISTRATION: Mapping[Vendor, AbstractSet[str]] = {
    "anthropic": frozenset(),
    "openai": frozenset({"organization", "projects"}),
}
"""Names, each with all that is below it: who may do what, and what it costs."""

_WORD = re.compile(r"[a-z_]+")


def operation_of(
    vendor: Vendor, method: str, path: str, base: str, allow: AbstractSet[str]
) -> Operation:
    """What a request to a path asks for; `base` is the path of the client's base URL."""
    steps = _steps(path, base)
    name = ".".join(step for step in steps if _WORD.fullmatch(step)) or "/"
    dialect = _GUARDED.get((vendor, ".".join(steps)))
    if dialect is not None and method == "POST":
        return Operation(name, "guarded", dialect)
    if vendor == "openai" and (found := _stored(method, steps)):
        return found
    if (
        _passes(vendor, method, steps)
        or _is_named(name, _ADMINISTRATION[vendor])
        or _is_named(name, allow)
    ):
        return Operation(name, "passed")
    return Operation(name, "refused")


def _passes(vendor: Vendor, method: str, steps: Sequence[str]) -> bool:
    return any(
        method in methods.split()
        and len(known := path.split("/")) == len(steps)
        and all(step in ("*", said) for step, said in zip(known, steps, strict=True))
        for path, methods in _PASSED[vendor].items()
    )


def _stored(method: str, steps: Sequence[str]) -> Operation | None:
    """Replies that the provider keeps: as it made them, whoever judged them then."""
    for name, dialect in (("chat.completions", _CHAT), ("responses", _RESPONSES)):
        above = name.split(".")
        below = steps[len(above) :]
        if steps[: len(above)] != above or not below or _WORD.fullmatch(below[0]):
            continue
        if method == "DELETE" and len(below) == 1:
            return Operation(name, "passed")
        if len(below) == 1 or below[1:] == ["cancel"]:
            return Operation(name, "read", dialect)
    return None


def _steps(path: str, base: str) -> list[str]:
    """The path below the base, without the API's version and Azure's deployment."""
    steps = [step for step in path.split("/") if step]
    above = [step for step in base.split("/") if step]
    if steps[: len(above)] == above:
        steps = steps[len(above) :]
    if steps[:1] == ["v1"]:
        steps = steps[1:]
    if steps[:1] == ["deployments"] and len(steps) > 2:
        steps = steps[2:]
    return steps


def _is_named(name: str, names: AbstractSet[str]) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in names)


def refuse_guarded(allow: AbstractSet[str]) -> None:
    """Raises SettingsError for names that cannot be allowed past."""
    for name in sorted(allow):
        if any(name == guarded for _, guarded in _GUARDED):
            raise SettingsError(
                f"allow={name!r}: that is what is guarded; use the unwrapped client for it"
            )
