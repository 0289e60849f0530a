"""A reply in the place of a value that was blocked, or of one that was never made.

Nothing of what was blocked may stay: other texts are emptied, dicts and lists keep only what leads
to the reply. What a class itself fixes stays: the shape of a model, numbers, members of an Enum,
the words of a Literal.
"""

from __future__ import annotations

import dataclasses
import typing
from collections import deque
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from pydantic import BaseModel

from guardrails.errors import WireFormatError
from guardrails.wire import numerals, rebuild
from guardrails.wire.hints import ANYTHING, declares_fields, hints_of, is_fixed, options
from guardrails.wire.sdk_replies import is_sdk_reply, sdk_reply
from guardrails.wire.walk import PLAIN_NUMBERS, TEXTLESS

__all__ = ["NoPlaceError", "reply_in_place_of", "reply_of_type"]


class NoPlaceError(WireFormatError):
    """Nobody said where in such a value a reply goes, or there is no such place."""


def reply_in_place_of(value: object, text: str, at: str | None) -> object:
    """A value of the same type that holds the reply at the JSON pointer `at` and none of the
    value's own text. A string and the providers' replies need no pointer.

    Raises NoPlaceError, or WireFormatError if the type cannot hold the reply.
    """
    cls = type(value)
    if is_sdk_reply(cls):
        return sdk_reply(cls, text, value)
    if isinstance(value, str) and not at:
        return text
    return _put(value, cls, _steps(at), text)


def reply_of_type(hint: object, text: str, at: str | None) -> object:
    """As `reply_in_place_of`, for a value that was never made, from what its annotation says.

    Fields that must be there are empty; a required number cannot be made up.
    """
    return _made(hint, _steps(at), text)


def _steps(at: str | None) -> tuple[str, ...]:
    if not at:
        return ()
    if not at.startswith("/"):
        raise NoPlaceError(f"reply_to={at!r} is no JSON pointer; expected one such as '/answer'")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in at[1:].split("/"))


def _put(old: object, hint: object, steps: Sequence[str], text: str) -> object:
    """The reply where `old` is."""
    if not steps and (old is None or isinstance(old, str)):
        return text
    if not steps or isinstance(old, str) or type(old) in PLAIN_NUMBERS:
        return _made(hint, steps, text)
    step, rest = steps[0], steps[1:]
    if _has_fields(old):
        cls, hints = type(old), hints_of(type(old))
        name = _field(cls, step)
        fields = rebuild.fields_of(old)
        kept = {n: _blank(item, hints.get(n)) for n, item in fields.items() if n != name}
        return _build(cls, {**kept, name: _put(fields.get(name), hints.get(name, Any), rest, text)})
    if isinstance(old, tuple):
        return _put_in_tuple(old, step, rest, text)
    if isinstance(old, Mapping):
        return {step: _put(old.get(step), Any, rest, text)}
    if isinstance(old, list):
        return [_put(_first(old, step), Any, rest, text)]
    raise NoPlaceError(f"a reply has no place in {type(old).__name__}")


def _first(old: Sequence[object], step: str) -> object:
    if step != "0":
        raise NoPlaceError(f"a reply can stand only first in a list, not at {step!r}")
    return old[0] if old else None


def _put_in_tuple(old: tuple[Any, ...], step: str, rest: Sequence[str], text: str) -> object:
    names = getattr(old, "_fields", ())
    place = names.index(step) if step in names else int(step) if step.isdecimal() else len(old)
    if place >= len(old):
        raise NoPlaceError(f"a reply has no place at {step!r} in {type(old).__name__}")
    items = [_blank(item, None) for item in old]
    items[place] = _put(old[place], Any, rest, text)
    return rebuild.sequence(old, items)


def _blank(value: Any, hint: object) -> object:
    """What may stay of a value that was blocked."""
    if isinstance(value, Enum) or type(value) in TEXTLESS:
        return value
    if numerals.is_number(value):
        return type(value)(0) if numerals.may_be_text(value) else value
    if isinstance(value, str):
        return value if is_fixed(hint) else ""
    if _has_fields(value):
        hints = hints_of(type(value))
        fields = rebuild.fields_of(value)
        return _build(type(value), {n: _blank(item, hints.get(n)) for n, item in fields.items()})
    if isinstance(value, tuple):
        return rebuild.sequence(value, [_blank(item, None) for item in value])
    if type(value) in (dict, list, set, frozenset, deque, bytes):
        return type(value)()
    return None


def _made(hint: object, steps: Sequence[str], text: str) -> object:
    """The first of the types that the hint allows which can hold the reply."""
    trouble: WireFormatError | None = None
    for option in options(hint):
        try:
            return _made_of(option, steps, text)
        except WireFormatError as error:
            trouble = trouble or error
    raise trouble or NoPlaceError("a reply has no place in None")


def _made_of(option: Any, steps: Sequence[str], text: str) -> object:
    cls = typing.get_origin(option) or option
    if is_sdk_reply(cls):
        return sdk_reply(cls, text)
    if not steps:
        if option is str or option in ANYTHING:
            return text
        raise NoPlaceError(f"a reply has no place of its own in {_named(option)}")
    step, rest = steps[0], steps[1:]
    arguments = typing.get_args(option)
    if option in ANYTHING:
        inner = _made(Any, rest, text)
        return [inner] if step == "0" else {step: inner}
    if typing.is_typeddict(cls):
        if step not in hints_of(cls):
            raise NoPlaceError(f"{_named(cls)} has no key {step!r}")
        return {step: _made(hints_of(cls)[step], rest, text)}
    if declares_fields(cls):
        return _made_object(cls, step, rest, text)
    if isinstance(cls, type) and issubclass(dict, cls):
        return {step: _made(arguments[1] if arguments else Any, rest, text)}
    if isinstance(cls, type) and issubclass(list, cls):
        _first((), step)
        return [_made(arguments[0] if arguments else Any, rest, text)]
    raise NoPlaceError(f"a reply has no place at {step!r} in {_named(option)}")


def _made_object(cls: Any, step: str, rest: Sequence[str], text: str) -> object:
    name, hints = _field(cls, step), hints_of(cls)
    reply = _made(hints.get(name, Any), rest, text)
    empty = {n: _empty(hints.get(n, Any)) for n in _required(cls) if n != name}
    return _build(cls, {**empty, name: reply})


def _empty(hint: object) -> object:
    """The value that says nothing. Raises WireFormatError where there is none, as for a number."""
    allowed = list(options(hint))
    if type(None) in typing.get_args(hint):
        return None
    for option in allowed:
        cls = typing.get_origin(option) or option
        if cls is str:
            return ""
        for plain in (list, dict, set, frozenset):
            if cls is plain or (cls in (Sequence, Mapping) and issubclass(plain, cls)):
                return plain()
        if declares_fields(cls):
            hints = hints_of(cls)
            return _build(cls, {name: _empty(hints.get(name, Any)) for name in _required(cls)})
    raise WireFormatError(f"no {_named(allowed[0] if allowed else hint)} can be made up")


def _has_fields(value: object) -> bool:
    return isinstance(value, BaseModel) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    )


def _field(cls: Any, step: str) -> str:
    """The name of a field, also by its alias."""
    if issubclass(cls, BaseModel):
        names: dict[str, str] = {name: name for name in cls.model_fields}
        names |= {field.alias: name for name, field in cls.model_fields.items() if field.alias}
    else:
        names = {field.name: field.name for field in dataclasses.fields(cls)}
    if step not in names:
        known = ", ".join(map(repr, names))
        raise NoPlaceError(f"{cls.__name__} has no field {step!r}; it has {known}")
    return names[step]


def _required(cls: Any) -> list[str]:
    if issubclass(cls, BaseModel):
        return [name for name, field in cls.model_fields.items() if field.is_required()]
    missing = dataclasses.MISSING
    return [
        field.name
        for field in dataclasses.fields(cls)
        if field.init and field.default is missing and field.default_factory is missing
    ]


def _build(cls: Any, fields: Mapping[str, object]) -> object:
    if issubclass(cls, BaseModel):
        return rebuild.validated(cls, fields)
    names = {field.name for field in dataclasses.fields(cls) if field.init}
    try:
        return cls(**{name: item for name, item in fields.items() if name in names})
    except Exception:  # a __post_init__ may raise anything
        raise WireFormatError(f"a {cls.__name__} cannot hold the reply alone") from None


def _named(hint: Any) -> str:
    return str(getattr(hint, "__name__", hint))
