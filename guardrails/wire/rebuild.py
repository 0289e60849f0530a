"""Values made again, of the same type, with some of what they hold replaced.

Every function leaves the original as it is and raises WireFormatError, without the text, if the
type cannot hold what it is given.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, RootModel

from guardrails.errors import WireFormatError

__all__ = [
    "SEQUENCES",
    "dataclass",
    "fields_of",
    "from_text",
    "has_attributes_of_its_own",
    "mapping",
    "model",
    "sequence",
    "shows_what_it_holds",
    "text_of",
    "validated",
]

SEQUENCES = (list, tuple, set, frozenset, deque)
PLAIN = frozenset({dict, *SEQUENCES})
Changes = Mapping[Any, tuple[Any, object]]
"""Key → the key and the value that take its place."""


def _unfit(value: object) -> WireFormatError:
    return WireFormatError(f"a {type(value).__name__} cannot hold the changed text")


def has_attributes_of_its_own(value: Any) -> bool:
    """Whether something keeps more than its items or fields, where nobody would look."""
    if type(value) in PLAIN:
        return False
    is_dataclass = dataclasses.is_dataclass(value) and not isinstance(value, type)
    if isinstance(value, (dict, *SEQUENCES)):
        return is_dataclass or bool(getattr(value, "__dict__", None))
    if isinstance(value, BaseModel):
        return any(
            not name.startswith("_") and name not in type(value).model_fields
            for name in _beside(value)
        )
    if is_dataclass:
        names = {field.name for field in dataclasses.fields(value)}
        return any(name not in names for name in _beside(value))
    return False


def _beside(value: object) -> list[str]:
    """The names of what an object keeps, but for what its class computed and remembers."""
    return [
        name
        for name in getattr(value, "__dict__", ())
        if not isinstance(inspect.getattr_static(type(value), name, None), cached_property)
    ]


def shows_what_it_holds(value: Any) -> bool:
    """Whether a kind of dict or list gives away the items that are in it, and no others."""
    if type(value) in PLAIN:
        return True
    kind = next((kind for kind in (dict, *SEQUENCES) if isinstance(value, kind)), None)
    if kind is None:
        return True
    if kind is dict:
        held = dict[Any, object](dict.items(value))
        return len(held) == len(value) and all(
            key in held and held[key] is item for key, item in value.items()
        )
    try:
        return all(held is item for held, item in zip(kind.__iter__(value), value, strict=True))
    except ValueError:
        return False


def text_of(value: str) -> str | None:
    """The characters of a kind of string; None if it says others than it has."""
    text = str.__str__(value)
    return text if type(value) is str or str(value) == text else None


def from_text(value: Any, text: str) -> Any:
    """Another of the value's type, made from a text."""
    if type(value) is str:
        return text
    try:
        made = type(value)(text)
    except Exception:  # a class of the application's own may raise anything
        raise _unfit(value) from None
    if (text_of(made) if isinstance(made, str) else str(made)) != text:
        raise _unfit(value)
    return made


def model(value: BaseModel, changes: Changes) -> BaseModel:
    """A copy with changed fields; private attributes stay. What was computed from the old fields
    and kept is forgotten."""
    changed = value.model_copy()
    own = fields_of(value)
    own |= {key: new for key, (_, new) in changes.items() if key in own}
    object.__setattr__(changed, "__dict__", own)
    if value.__pydantic_extra__ is not None:
        extra = _renamed(value.__pydantic_extra__, changes)
        object.__setattr__(changed, "__pydantic_extra__", extra)
    if is_valid(value) and not is_valid(changed):
        raise _unfit(value)
    return changed


def is_valid(value: BaseModel) -> bool:
    """Whether its own validators accept what it holds. Some never do: SDKs build their objects
    without validation."""
    try:
        validated(type(value), {**value.__dict__, **(value.__pydantic_extra__ or {})})
    except WireFormatError:
        return False
    return True


def validated(cls: type[BaseModel], fields: Mapping[str, object]) -> BaseModel:
    """A model made from its fields, by their names in the class."""
    known = cls.model_fields.keys()
    given = {n: item for n, item in fields.items() if n in known or cls.model_config.get("extra")}
    try:
        if issubclass(cls, RootModel):
            return cls.model_validate(fields["root"])
        return cls.model_validate(given, by_alias=False, by_name=True)
    except Exception:  # validators may raise anything, and the message quotes the value
        raise WireFormatError(f"a {cls.__name__} cannot hold the changed text") from None


def fields_of(value: Any) -> dict[str, object]:
    """The declared fields of a model or dataclass that are set."""
    if isinstance(value, BaseModel):
        return {n: value.__dict__[n] for n in type(value).model_fields if n in value.__dict__}
    names = (field.name for field in dataclasses.fields(value))
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def dataclass(value: Any, changes: Changes) -> Any:
    try:
        return dataclasses.replace(value, **{key: new for key, (_, new) in changes.items()})
    except Exception:  # a __post_init__ may raise anything; a field may not be one of __init__
        raise _unfit(value) from None


def mapping(value: Mapping[Any, object], changes: Changes) -> Mapping[Any, object]:
    items = _renamed(value, changes)
    if type(value) is dict:
        return items
    if isinstance(value, MappingProxyType):
        return MappingProxyType(items)
    if not isinstance(value, dict):
        raise _unfit(value)
    changed = copy.copy(value)
    changed.clear()
    for key, item in items.items():
        changed[key] = item
    return changed


def _renamed(value: Mapping[Any, object], changes: Changes) -> dict[Any, object]:
    items = dict(changes.get(key, (key, item)) for key, item in value.items())
    if len(items) < len(value):
        raise WireFormatError("two keys would become the same")
    return items


def sequence(value: Any, items: Sequence[object]) -> Any:
    """A set has no order in which its texts could be judged again, so it is not changed."""
    if isinstance(value, set | frozenset):
        raise _unfit(value)
    if type(value) in (list, tuple):
        return type(value)(items)
    if isinstance(value, tuple):
        return _tuple(value, items)
    changed = copy.copy(value)
    changed.clear()
    changed.extend(items)
    return changed


def _tuple(value: tuple[object, ...], items: Sequence[object]) -> Any:
    make = getattr(type(value), "_make", type(value))
    try:
        return make(items)
    except Exception:  # a class of the application's own may raise anything
        raise _unfit(value) from None
