"""What a request's or reply's body is written in, and what it looks like when it is refused.

A format reads bytes into a `Body` and makes answers of its own; it does no I/O. What it cannot read
is an `OpaqueBody`, which nobody can judge; what two readers may read in two ways is AmbiguousError.
"""

from __future__ import annotations

from collections.abc import Mapping

from guardrails.errors import SettingsError
from guardrails.wire.auto_format import AUTO
from guardrails.wire.own_formats import TEXT, JsonFormat
from guardrails.wire.payload import EVENTS, Answer, BodyFormat, Payload, problem
from guardrails.wire.pointer import Pointer
from guardrails.wire.provider_formats import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES

__all__ = ["AUTO", "EVENTS", "NAMES", "Answer", "BodyFormat", "Payload", "format_of", "problem"]

NAMES: Mapping[str, BodyFormat] = {
    format.name: format
    for format in (AUTO, ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES, TEXT, JsonFormat())
}


def format_of(named: str) -> BodyFormat:
    """A format by its name, or JSON by pointers: `json: /message, /history -> /answer`.

    Raises SettingsError that says what was expected.
    """
    if named in NAMES:
        return NAMES[named]
    name, colon, pointers = named.partition(":")
    asks, arrow, answers = pointers.partition("->")
    if name.strip() != "json" or not colon or not arrow:
        known = ", ".join(sorted(NAMES))
        raise SettingsError(
            f"unknown format {named!r}; expected one of {known}, or pointers into request and "
            f"response as 'json: /message -> /answer'"
        )
    return JsonFormat(_pointers(asks, named), _pointers(answers, named), name=named)


def _pointers(said: str, named: str) -> tuple[Pointer, ...]:
    try:
        found = tuple(Pointer(one.strip()) for one in said.split(","))
    except ValueError as error:
        raise SettingsError(f"the format {named!r}: {error}") from None
    if any(not pointer.steps for pointer in found):
        raise SettingsError(f"the format {named!r}: a pointer is missing on one side of '->'")
    return found
