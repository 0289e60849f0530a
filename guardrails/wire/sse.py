"""Server-sent events as the WHATWG standard reads them, whole.

Source: HTML standard, section 9.2.6. An event that the end of the stream cuts off is read, too: a
client that is not strict would show it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from guardrails.wire.strict_json import AmbiguousError

__all__ = [
    "DONE",
    "JSON_AS_TEXT",
    "JSON_IN_EVENTS",
    "KEPT_ALIVE",
    "LINE_END",
    "MARK",
    "MARKED",
    "UNKNOWN_EVENTS",
    "Event",
    "is_json_piece",
    "parse_asides",
    "parse_events",
    "tells_json",
    "write_events",
]

DONE = "[DONE]"
"""The data by which some streams say that they are at their end."""

JSON_IN_EVENTS = "for JSON of your own in events say 'sse: /pointer'"
UNKNOWN_EVENTS = f"an event stream of no provider's format; {JSON_IN_EVENTS}, for plain text 'text'"
JSON_AS_TEXT = "JSON in the events of a plain text; say where its pieces stand: 'sse: /pointer'"
MARKED = "a byte order mark before a field: some clients take one away, and then another"
"""Why a stream cannot be read."""

MARK = "\ufeff"
"""May stand once, before all else."""

LINE_END = re.compile(r"\r\n|\n|\r")
KEPT_ALIVE = re.compile(
    r"(?i)(?:ping|keep-?alive|heartbeat)?[\t :.-]{0,8}(?:"
    r"[0-9]{1,7}"  # a number too short for a phone's
    r"|1[5-9][0-9]{8}(?:\.?[0-9]{3})?(?:-[0-9]{1,5})?"  # a time in seconds or milliseconds
    r"|20[0-9]{2}-[01][0-9]-[0-3][0-9]"  # a time as it is written
    r"(?:[T ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](?:\.[0-9]{1,6})? ?(?:Z|[+-][01][0-9]:?[0-5][0-9])?)?"
    r")?[\t ]{0,8}"
)
"""Comments and ids that say nothing: a word to keep the connection, a time, a small number."""


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is empty where the stream names none, which means `message`."""

    name: str
    data: str = field(repr=False)


def parse_events(body: bytes) -> Iterator[Event]:
    """The events with data of a whole stream. Raises AmbiguousError if it is not UTF-8."""
    name, data = "", list[str]()
    for line in (*_lines(body), ""):
        if not line:
            if data:
                yield Event(name, "\n".join(data))
            name, data = "", []
            continue
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event":
            name = value
        elif key == "data":
            data.append(value)


def parse_asides(body: bytes) -> list[str]:
    """What a stream says beside its data, each once: comments, ids, unknown fields, and the names
    of events, those of events without data among them."""
    found: dict[str, None] = {}
    for line in _lines(body):
        key, _, value = line.partition(":")
        if key == "data":
            continue
        said = value.strip() if key in ("", "event", "id", "retry") else line
        if not KEPT_ALIVE.fullmatch(said):
            found[said] = None
    return list(found)


def _lines(body: bytes) -> list[str]:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AmbiguousError(f"not UTF-8: byte {error.start} cannot be read") from None
    return LINE_END.split(text.removeprefix(MARK))


def write_events(events: Iterable[Event]) -> bytes:
    """A stream of these events."""
    lines: list[str] = []
    for event in events:
        lines += [f"event: {event.name}"] if event.name else []
        lines += [f"data: {line}" for line in LINE_END.split(event.data)]
        lines.append("")
    return "".join(f"{line}\n" for line in lines).encode()


def tells_json(data: Sequence[str]) -> bool | None:
    """Whether the data of a stream's first events, or of two in a row, is JSON and no plain text.
    None if one more must be seen: a text may begin with what is a string or list by chance, but
    with a whole object it hardly does."""
    first, *more = map(_kind_of_json, data[:2])
    if first == "value":
        return more[0] is not None if more else None
    return first == "object"


def is_json_piece(data: str) -> bool:
    """Whether it is an object or a string of JSON that holds anything: of a plain text, two pieces
    in a row hardly are. A list may well be a mark, such as `[1]`."""
    return _kind_of_json(data) is not None and not data.lstrip().startswith("[")


def _kind_of_json(data: str) -> str | None:
    if data.lstrip()[:1] not in ("{", "[", '"'):
        return None
    try:
        value = json.loads(data)
    except RecursionError:
        return "object"
    except ValueError:
        return None
    return None if not value else "object" if isinstance(value, dict) else "value"
