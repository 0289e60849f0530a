"""JSON pointers (RFC 6901): reading what stands at one, and putting something else there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from guardrails.errors import WireFormatError
from guardrails.exchange import Path

__all__ = ["Pointer", "path_of", "placed", "planted", "put"]

_MISSING = object()
_NO_ESCAPE = re.compile(r"~(?![01])")


class Pointer:
    """`/answer/text`, or the empty pointer for the whole. Raises ValueError for anything else."""

    __slots__ = ("steps", "text")

    def __init__(self, text: str) -> None:
        if text and not text.startswith("/"):
            raise ValueError(f"{text!r} is no JSON pointer; expected one such as '/answer'")
        if _NO_ESCAPE.search(text):
            raise ValueError(
                f"{text!r} is no JSON pointer; '~' is written as '~0', and '/' as '~1'"
            )
        self.text = text
        self.steps = tuple(
            step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]
        )

    def find(self, value: Any) -> Any:
        """What stands there. Raises WireFormatError if nothing does."""
        for step in self.steps:
            value = _step(value, step)
            if value is _MISSING:
                raise WireFormatError(f"there is nothing at {self.text!r}")
        return value

    def __repr__(self) -> str:
        return f"Pointer({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pointer) and other.steps == self.steps

    def __hash__(self) -> int:
        return hash(self.steps)


def put(value: Any, pointer: Pointer, new: object) -> Any:
    """The value with `new` at the pointer, where something stands already; copied on the way."""
    return _put(value, pointer.steps, new)


def placed(pointer: Pointer, new: object) -> Any:
    """A value that holds nothing but `new`, at the pointer."""
    return _made(pointer.steps, new)


def planted(value: Any, pointer: Pointer, new: object) -> Any:
    """The value with `new` at the pointer, where nothing need stand yet; copied on the way. Raises
    ValueError where something else is in its way."""
    return _planted(value, pointer, pointer.steps, new)


def path_of(value: Any, pointer: Pointer) -> Path:
    """The pointer as a path to what stands there: indexes of lists are numbers in it."""
    path: list[str | int] = []
    for step in pointer.steps:
        at = int(step) if isinstance(value, list) else step
        path.append(at)
        value = value[at]
    return tuple(path)


def _planted(value: Any, pointer: Pointer, steps: Sequence[str], new: object) -> Any:
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        below = value.get(step)
        made = _made(rest, new) if below is None else _planted(below, pointer, rest, new)
        return {**value, step: made}
    if isinstance(value, list) and _step(value, step) is not _MISSING:
        return _put(value, (step,), _planted(value[int(step)], pointer, rest, new))
    raise ValueError(f"something else stands on the way to {pointer.text!r}")


def _made(steps: Sequence[str], new: object) -> Any:
    for step in reversed(steps):
        new = [new] if step == "0" else {step: new}
    return new


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, _MISSING)
    if isinstance(value, list) and step.isascii() and step.isdecimal() and len(step) < 10:
        index = int(step)
        if index < len(value) and str(index) == step:
            return value[index]
    return _MISSING


def _put(value: Any, steps: Sequence[str], new: object) -> Any:
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        return {**value, step: _put(value[step], rest, new)}
    copy = list(value)
    copy[int(step)] = _put(copy[int(step)], rest, new)
    return copy
