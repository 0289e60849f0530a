"""What a request asks a provider for, by its method and path, and what is done about it.

A closed list: what is not on it may generate text that nobody judges, and is refused by name.
Source: the resources of anthropic 2.12 and openai 3.54.
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
_PASSED: Mapping[Vendor, AbstractSet[str]] = {
    "anthropic": {"messages.count_tokens", "models", "files", "organization", "user_profiles"},
    "openai": {
        *("embeddings", "moderations", "models", "files", "uploads", "vector_stores"),
        *("fine_tuning.jobs", "fine_tuning.checkpoints", "responses.input_tokens", "containers"),
        *("organization", "projects"),
    },
}
"""Names, each with all that is below it. None of it generates text."""

_CONTENTS = frozenset({"files", "containers"})
"""Their contents may be what a model wrote elsewhere, in a batch or a sandbox."""

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
    if _is_named(name, allow) or (
        _is_named(name, _PASSED[vendor]) and not (steps[0] in _CONTENTS and steps[-1] == "content")
    ):
        return Operation(name, "passed")
    return Operation(name, "refused")


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
