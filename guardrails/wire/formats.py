"""What a request's or reply's body is written in, and what it looks like when it is refused.

A format reads bytes into a `Body` and makes answers of its own; it does no I/O. What it cannot read
is an `OpaqueBody`, which nobody can judge; what two readers may read in two ways is AmbiguousError.
"""

from __future__ import annotations

from collections.abc import Mapping

from guardrails.errors import SettingsError
from guardrails.wire.auto_format import AUTO
from guardrails.wire.event_format import EventsFormat
from guardrails.wire.event_shape import EventShape, Spot
from guardrails.wire.own_formats import TEXT, JsonFormat, LinesFormat
from guardrails.wire.payload import EVENTS, Answer, BodyFormat, Payload, problem
from guardrails.wire.pointer import Pointer
from guardrails.wire.provider_formats import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES

__all__ = [
    "AUTO",
    "EVENTS",
    "NAMES",
    "Answer",
    "BodyFormat",
    "Named",
    "Payload",
    "format_of",
    "problem",
]

NAMES: Mapping[str, BodyFormat] = {
    format.name: format
    for format in (
        *(AUTO, ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES),
        *(TEXT, JsonFormat(), LinesFormat()),
    )
}


Named = str | Mapping[str, object]
"""What a format is named by: see `format_of`."""


def format_of(named: Named) -> BodyFormat:
    """A format by its name, or JSON by pointers: `json: /message, /history -> /answer`, and
    `ndjson: /message -> /delta` or `ndjson: /delta` for JSON line by line, `sse: …` for JSON in the
    data of events. What there is more to say of events stands in a table:
    `{"sse": {"delta": "/token", …}}`, as `EventShape` has it.

    Raises SettingsError that says what was expected.
    """
    if isinstance(named, Mapping):
        return _by_table(named)
    if named in NAMES:
        return NAMES[named]
    name, colon, pointers = named.partition(":")
    asks, arrow, answers = pointers.partition("->")
    if "->" in answers:
        raise SettingsError(f"the format {named!r}: '->' once, between request and response")
    if name.strip() == "json" and arrow:
        return JsonFormat(_pointers(asks, named), _pointers(answers, named), name=named)
    if name.strip() in ("ndjson", "sse") and colon:
        asked = _pointers(asks, named) if arrow else ()
        answer, *more = _pointers(answers if arrow else asks, named)
        if name.strip() == "sse":
            spots = tuple(Spot(None, pointer) for pointer in (answer, *more))
            return EventsFormat(EventShape(asks=asked, deltas=spots), name=named)
        if more:
            raise SettingsError(f"the format {named!r}: one pointer to the pieces of the reply")
        return LinesFormat(asked, answer, name=named)
    known = ", ".join(sorted(NAMES))
    raise SettingsError(
        f"unknown format {named!r}; expected one of {known}, or pointers into request and "
        f"response as 'json: /message -> /answer', 'ndjson: /message -> /delta' or "
        f"'sse: /message -> /token'"
    )


def _by_table(named: Mapping[str, object]) -> EventsFormat:
    table = named.get("sse")
    if len(named) != 1 or not isinstance(table, Mapping):
        raise SettingsError(
            "a format that is no text is expected to be one table, such as "
            "{ sse = { delta = '/token' } }"
        )
    return EventsFormat(EventShape.of(table, named="sse"))


def _pointers(said: str, named: str) -> tuple[Pointer, ...]:
    try:
        found = tuple(Pointer(one.strip()) for one in said.split(","))
    except ValueError as error:
        raise SettingsError(f"the format {named!r}: {error}") from None
    if any(not pointer.steps for pointer in found):
        where = " on one side of '->'" if "->" in named else ", such as '/token'"
        raise SettingsError(f"the format {named!r}: a pointer is missing{where}")
    return found
