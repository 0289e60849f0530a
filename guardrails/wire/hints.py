"""What type annotations allow."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union

from pydantic import BaseModel

__all__ = ["ANYTHING", "declares_fields", "hints_of", "is_fixed", "options"]

ANYTHING = (Any, object, inspect.Parameter.empty)


def options(hint: Any) -> Iterator[Any]:
    """The types that an annotation allows, None left out, `str` first."""
    while True:
        if isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
        elif hasattr(hint, "__value__"):  # `type X = …`
            hint = hint.__value__
        else:
            break
    if typing.get_origin(hint) in (Union, types.UnionType):
        inner = [option for argument in typing.get_args(hint) for option in options(argument)]
        yield from sorted(inner, key=lambda option: option is not str)
    elif hint is not None and hint is not type(None):
        yield hint


def is_fixed(hint: Any) -> bool:
    """Whether only words that the annotation itself names may stand there."""
    allowed = list(options(hint))
    return bool(allowed) and all(typing.get_origin(option) is Literal for option in allowed)


def declares_fields(cls: object) -> bool:
    """Whether it is a class of models or dataclasses."""
    return isinstance(cls, type) and (issubclass(cls, BaseModel) or dataclasses.is_dataclass(cls))


def hints_of(described: Any) -> Mapping[str, Any]:
    """The annotations of a class or function. One that cannot be resolved, such as a name that
    exists for type checkers only, stays a string."""
    if isinstance(described, type) and issubclass(described, BaseModel):
        return {name: field.annotation for name, field in described.model_fields.items()}
    try:
        return typing.get_type_hints(described)
    except Exception:  # an annotation may be any expression
        found = getattr(described, "__annotations__", {})
        names = getattr(described, "__globals__", {})
        return {name: _resolved(annotation, names) for name, annotation in found.items()}


def _resolved(annotation: Any, names: dict[str, Any]) -> Any:
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, globalns=names)["it"]
    except Exception:  # as above
        return annotation
