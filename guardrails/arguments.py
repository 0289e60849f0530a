"""Arguments that cannot be what is meant, told where they are given, not at the first request."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from guardrails.errors import SettingsError

__all__ = ["expect", "expect_known"]


def expect(option: str, value: object, words: str, *, fits: bool) -> None:
    """Raises SettingsError unless an argument `fits`; it tells what of is there, and no value."""
    if not fits:
        found = "None" if value is None else f"a value of the type {type(value).__name__}"
        raise SettingsError(f"{option}=: expected {words}, not {found}")


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
