"""What a decorator must know of the function it stands on, all of it found at decoration."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
)
from dataclasses import dataclass, field
from typing import Any, Literal

from guardrails.errors import SettingsError
from guardrails.exchange import Context
from guardrails.wire.hints import ANYTHING, declares_fields, hints_of, options

__all__ = ["FunctionKind", "Signature"]

FunctionKind = Literal["function", "coroutine", "generator", "async_generator"]
STREAMS = (AsyncGenerator, AsyncIterator, AsyncIterable, Generator, Iterator, Iterable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """`returns` annotates what is delivered: for a generator, its pieces. A string is an annotation
    that could not be resolved."""

    name: str
    kind: FunctionKind
    parameters: inspect.Signature = field(repr=False)
    hints: typing.Mapping[str, Any] = field(repr=False)
    returns: Any

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Signature:
        """Raises SettingsError for what cannot be guarded."""
        if isinstance(function, property):
            raise SettingsError("put @guarded below @property, on the function itself")
        if isinstance(function, type) or not callable(function):
            raise SettingsError("@guarded stands on a function or another callable, not on a class")
        code = _code_of(function)
        name = getattr(function, "__qualname__", code.__qualname__)
        kind = _kind_of(code)
        parameters = inspect.signature(function)
        hints = hints_of(inspect.unwrap(code))
        returns = hints.get("return", parameters.return_annotation)
        if kind.endswith("generator"):
            returns = _pieces(returns)
            if not _can_be_str(returns):
                raise SettingsError(f"{name} yields no str: only pieces of one text can be guarded")
        elif any(typing.get_origin(o) in STREAMS[:-1] for o in options(returns)):
            raise SettingsError(
                f"{name} returns an iterator that nobody has judged; make it a generator itself "
                f"(`yield` the pieces), then they are judged before they leave"
            )
        return cls(name=name, kind=kind, parameters=parameters, hints=hints, returns=returns)

    def prompt(self, named: str | None, *, besides: Collection[str]) -> str | None:
        """The parameter that holds the prompt: the one that is named, or the only one that can be
        it. None if none can. Raises SettingsError if several can."""
        if named is not None:
            self.require(named, "prompt")
            return named
        able = [
            parameter.name
            for position, parameter in enumerate(self.parameters.parameters.values())
            if parameter.name not in besides
            and not (position == 0 and parameter.name in ("self", "cls"))
            and _can_hold_text(self.hints.get(parameter.name, parameter.annotation))
        ]
        if len(able) > 1:
            said = " or ".join(f"prompt={name!r}" for name in able)
            raise SettingsError(f"{self.name}: which parameter is the prompt? Say {said}")
        return able[0] if able else None

    def require(self, parameter: str, option: str) -> None:
        """Raises SettingsError if the function takes no argument of that name."""
        known = self.parameters.parameters
        if parameter in known and known[parameter].kind is not inspect.Parameter.VAR_KEYWORD:
            return
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values()):
            return
        raise SettingsError(
            f"{self.name} has no parameter {parameter!r} ({option}={parameter!r}); "
            f"it has {', '.join(known) or 'none'}"
        )


def _code_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that runs in the end: a partial's, a callable object's."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function):
        return function
    return _code_of(function.__call__)  # type: ignore[operator]  # its class defines it


def _kind_of(function: Callable[..., Any]) -> FunctionKind:
    if inspect.isasyncgenfunction(function):
        return "async_generator"
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "coroutine" if inspect.iscoroutinefunction(function) else "function"


def _pieces(returns: Any) -> Any:
    arguments = typing.get_args(returns)
    return arguments[0] if arguments else inspect.Parameter.empty


def _can_be_str(hint: Any) -> bool:
    return any(o is str or o in ANYTHING or isinstance(o, str) for o in options(hint))


def _can_hold_text(hint: Any) -> bool:
    return any(_is_text(option) for option in options(hint))


def _is_text(option: Any) -> bool:
    if option in ANYTHING or isinstance(option, str | typing.TypeVar):
        return True
    cls = typing.get_origin(option) or option
    if cls is Context or not isinstance(cls, type):
        return False
    holds = any(issubclass(plain, cls) for plain in (str, list, tuple, dict))
    return holds or issubclass(cls, str | list | tuple | dict) or declares_fields(cls)
