"""Samples of what the installed SDKs know, made from their own types: every field of every member
of a union is there, and each string in it is some words."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from typing_extensions import is_typeddict

__all__ = ["WORDS", "members", "sample"]

WORDS = "some words, said"


def members(union: object) -> Iterator[type]:
    """The classes in a union, however it is nested and annotated."""
    if get_origin(union) is typing.Annotated:
        yield from members(get_args(union)[0])
    elif is_typeddict(union) or _is_model(union):
        yield typing.cast("type", union)
    else:
        for one in get_args(union):
            yield from members(one)


def sample(hint: Any, name: str = "") -> Any:
    """A value of a type, with all of its fields but for log-probabilities, which repeat the text;
    of a union, its first member."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is typing.Annotated or str(origin).endswith("Required"):
        return sample(args[0], name)
    if origin is Literal:
        return args[0]
    if origin in (typing.Union, types.UnionType):
        return sample(next(one for one in args if one is not types.NoneType), name)
    if is_typeddict(hint) or _is_model(hint):
        fields = {key: of for key, of in _fields(hint).items() if key != "logprobs"}
        return {key: sample(of, key) for key, of in fields.items()}
    if origin is not None and issubclass(origin, Mapping):
        return {name: WORDS}
    if origin is not None:
        return [sample(args[0], name)]
    return {bool: True, int: 1, float: 1.0}.get(hint, WORDS)


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def _fields(hint: Any) -> dict[str, Any]:
    if _is_model(hint):
        fields = hint.model_fields.items()
        return {of.alias or name: of.annotation for name, of in fields}
    return get_type_hints(hint)
