"""What the events of an application's own stream look like, as its author says it: where the pieces
of the reply stand, what says it again, how it ends, and how it ends where it is stopped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from guardrails.errors import SettingsError
from guardrails.wire.pointer import Pointer, planted
from guardrails.wire.sse import DONE
from guardrails.wire.strict_json import AmbiguousError, dump_json, parse_json

__all__ = ["Ending", "EventShape", "Spot", "Stop"]


def _listed(said: object) -> object:
    return said if isinstance(said, list | tuple) else [said]


def _pointer(said: str) -> str:
    if not Pointer(said).steps:  # raises ValueError
        raise ValueError("expected a JSON pointer such as '/token'")
    return said


def _pointer_or_all(said: str) -> str:
    return Pointer(said).text  # raises ValueError


def _plain(said: object) -> object:
    """Data of an event, which is written as JSON. Raises ValueError for what cannot be."""
    try:
        return parse_json(dump_json(said))
    except (TypeError, ValueError, AmbiguousError, RecursionError):
        raise ValueError("expected what JSON can hold") from None


Line = Annotated[str, StringConstraints(pattern=r"^[^\r\n\x00]*$", max_length=200)]
"""The name of an event, or data that stands by itself: of one line."""

Name = Annotated[Line, StringConstraints(min_length=1)]
At = Annotated[str, AfterValidator(_pointer)]
AtAll = Annotated[str, AfterValidator(_pointer_or_all)]
"""Empty for all of the data, which then is a text itself."""

AtAny = Annotated[tuple[At, ...], BeforeValidator(_listed), Field(max_length=20)]
Plain = Annotated[Any, AfterValidator(_plain)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Stop(_Table):
    text: AtAll
    event: Line = ""
    data: Plain = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_room(self) -> _Stop:
        planted(self.data, Pointer(self.text), "")  # raises ValueError
        return self


class _Done(_Table):
    event: Name
    data: Plain = Field(default_factory=dict)


def _by_kind(said: object) -> object:
    """One for all events, or for each kind of event its own."""
    return said if isinstance(said, Mapping) else {"": said}


def _overlap(one: str, other: str) -> bool:
    """Whether one pointer leads to where the other does, or on the way there."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


Kinds = Annotated[
    Mapping[Line, Annotated[tuple[AtAll, ...], BeforeValidator(_listed)]],
    BeforeValidator(_by_kind),
    Field(max_length=50),
]


class _Said(_Table):
    """The table as it is written."""

    delta: Kinds
    request: AtAny = ()
    by: At | None = None
    whole: Kinds = Field(default_factory=dict)
    no_text: AtAny = ()
    done: Annotated[tuple[Name | _Done, ...], BeforeValidator(_listed), Field(max_length=20)] = (
        DONE,
    )
    stop: _Stop | None = None

    @model_validator(mode="after")
    def _fits(self) -> _Said:
        if not any(self.delta.values()):
            raise ValueError("delta: expected at least one pointer to the pieces of the reply")
        if self.by is not None and ("" in self.delta or "" in self.whole):
            raise ValueError(
                "by: tells kinds of events apart, so delta and whole name a pointer for each kind, "
                "such as { token = '/text' }"
            )
        texts = (at for kinds in (self.delta, self.whole) for some in kinds.values() for at in some)
        if self.by is not None and any(_overlap(self.by, at) for at in texts):
            raise ValueError(
                "by: expected a pointer to a field beside the texts, such as '/type', and not to "
                "where one of delta or whole stands"
            )
        return self


@dataclass(frozen=True, slots=True)
class Spot:
    """A pointer into the data of events of one kind, or of all."""

    kind: str | None
    pointer: Pointer


@dataclass(frozen=True, slots=True)
class Ending:
    """The event that a reply ends with: by its name, or by its data where it has none."""

    event: str
    data: str

    def is_in(self, name: str, data: str) -> bool:
        return name == self.event if self.event else data.strip() == self.data.strip()


@dataclass(frozen=True, slots=True)
class Stop:
    """The event that holds the constitution's reply: its name, its data, and where in that."""

    event: str
    data: Any
    text: Pointer


@dataclass(frozen=True, slots=True, kw_only=True)
class EventShape:
    """`asks` point into the request. `deltas` are the texts of a stream, each of which comes in
    pieces; `wholes` say one of them again. `by` is what tells kinds of events apart, their name if
    that is None; `silent` kinds are known to have no pieces. `quiet` places hold no text."""

    asks: tuple[Pointer, ...] = ()
    by: Pointer | None = None
    deltas: tuple[Spot, ...]
    wholes: tuple[Spot, ...] = ()
    silent: frozenset[str] = frozenset()
    quiet: tuple[Pointer, ...] = ()
    done: tuple[Ending, ...] = (Ending("", DONE),)
    stop: Stop | None = None

    @property
    def kinds(self) -> frozenset[str]:
        """Those that the author has named, which are no text of anybody's."""
        named = {spot.kind for spot in (*self.deltas, *self.wholes) if spot.kind is not None}
        return self.silent | named

    @classmethod
    def of(cls, table: Mapping[str, object], *, named: str) -> EventShape:
        """Raises SettingsError that names the key that is wrong; `named` is what it is told as."""
        try:
            said = _Said.model_validate(dict(table))
        except ValidationError as error:
            raise SettingsError(f"the format {named}: {_told(error, table)}") from None
        return cls(
            asks=tuple(map(Pointer, said.request)),
            by=None if said.by is None else Pointer(said.by),
            deltas=tuple(_spots(said.delta)),
            wholes=tuple(_spots(said.whole)),
            silent=frozenset(kind for kind, at in said.delta.items() if kind and not at),
            quiet=tuple(map(Pointer, said.no_text)),
            done=tuple(
                Ending("", one) if isinstance(one, str) else Ending(one.event, _written(one.data))
                for one in said.done
            ),
            stop=None
            if said.stop is None
            else Stop(said.stop.event, said.stop.data, Pointer(said.stop.text)),
        )


def _spots(kinds: Mapping[str, Iterable[str]]) -> Iterable[Spot]:
    for kind, pointers in kinds.items():
        for pointer in pointers:
            yield Spot(kind or None, Pointer(pointer))


def _written(data: object) -> str:
    """A text stands as it is there, as where no event is named."""
    return data if isinstance(data, str) else dump_json(data).decode()


def _told(error: ValidationError, table: Mapping[str, object]) -> str:
    """What is wrong first, without the value; a key that nobody knows before one that is missing,
    for it may be that one, misspelt."""
    problems = error.errors()
    first = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
    steps: list[str] = []
    at: object = table
    for step in map(str, first["loc"]):
        is_ours = step not in at if isinstance(at, Mapping) else True  # one of several forms
        if not is_ours or first["type"] == "missing":
            steps.append(step)
            at = at.get(step) if isinstance(at, Mapping) else None
    what = str(first["msg"]).removeprefix("Value error, ")
    what = _IN_WORDS.get(str(first["type"]), what)
    if steps[:1] == ["stop"] and first["type"].startswith("model"):
        what = "expected a table with 'text', such as { text = '/reason' }"
    elif steps[-1:] == ["event"] and first["type"] == "string_type":
        what = "expected the name of an event"
    if steps[:1] == ["done"]:
        steps, what = ["done"], "expected data of one line, or a table with 'event' and 'data'"
    elif first["type"] == "extra_forbidden":
        known = (_Stop if steps[0] == "stop" else _Said).model_fields
        meant = get_close_matches(steps[-1], known, n=1)
        what = "unknown key" + (f"; did you mean {meant[0]!r}?" if meant else "")
    named = [".".join(step if _PLAIN.fullmatch(step) else repr(step) for step in steps)]
    return ": ".join((named if steps else []) + [what])


_PLAIN = re.compile(r"[\w -]+")
_IN_WORDS = {
    "missing": "is missing",
    "string_type": "expected a pointer such as '/token', or a list of several",
    "string_pattern_mismatch": "expected text of one line",
    "string_too_short": "expected text of one line",
    "mapping_type": "expected a pointer, or a pointer for each kind of event",
}
"""What pydantic says in its own words, by the type of the error."""
