"""Arguments that cannot be what is meant, told where they are given, not at the first request."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import ParamSpec, TypeVar

from guardrails.errors import SettingsError

__all__ = ["expect", "expect_known", "expect_on_block", "known_options"]

P = ParamSpec("P")
R = TypeVar("R")


def expect(option: str, value: object, words: str, *, fits: bool, inside: bool = False) -> None:
    """Raises SettingsError unless an argument, or what is `inside` one, `fits`; it tells of what
    type it is, and no value."""
    if not fits:
        found = "None" if value is None else f"a value of the type {type(value).__name__}"
        raise SettingsError(f"{option}=: expected {words}, not {'one with ' * inside}{found}")


def expect_on_block(said: object) -> None:
    words = "'reply', 'raise' or a callable"
    if isinstance(said, str) and said not in ("reply", "raise"):
        raise SettingsError(f"on_block={said!r}; expected {words}")
    expect("on_block", said, words, fits=isinstance(said, str) or callable(said))


def expect_known(options: Iterable[str], known: Iterable[str]) -> None:
    """Raises SettingsError for options that there are not."""
    names = list(known)
    told = []
    for option in options:
        if option not in names:
            meant = get_close_matches(option, names, n=1)
            hint = f"did you mean {meant[0]}=?" if meant else f"expected some of {', '.join(names)}"
            told.append(f"{option}=: no such option; {hint}")
    if told:
        raise SettingsError("\n".join(told))


def known_options(function: Callable[P, R]) -> Callable[P, R]:
    """Tells options that there are not as `expect_known` does. The signature stays, so that type
    checkers and editors find them before."""
    parameters = inspect.signature(function).parameters.values()
    named = [one.name for one in parameters if one.kind is not one.POSITIONAL_ONLY]
    options = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        expect_known([name for name in kwargs if name not in named], options)
        return function(*args, **kwargs)

    return wrapper
