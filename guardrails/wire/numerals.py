"""Numbers as the texts that people and tools read of them."""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from numbers import Number
from typing import Any

__all__ = ["has_digits", "is_long", "is_number", "may_be_text", "number_or_text", "text_of"]

LONG = 8
"""Digits that may be somebody's: of a card, an account, a phone."""

MOST_DIGITS = 4_000
"""Longer ones are too much work to be written, and no Python writes an int of more than 4,300."""

EXACT = frozenset({int, float, complex, Decimal, Fraction})
DIGIT = re.compile(r"[0-9]")


def is_number(value: object) -> bool:
    """Whether it is a number of Python's or NumPy's own. A class made of one may hold anything."""
    return type(value) in EXACT or _is_numpys(value)


def _is_numpys(value: object) -> bool:
    cls = type(value)
    return (
        cls.__module__ == "numpy"
        and getattr(sys.modules.get("numpy"), cls.__name__, None) is cls
        and issubclass(cls, Number)
    )


def text_of(value: Any) -> str | None:
    """The number in decimal digits; None if it has too many."""
    if type(value) not in EXACT:
        value = value.item()
        if type(value) not in EXACT:
            return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) >= 10**LONG:
        value = int(value)
    if isinstance(value, int) and value.bit_length() > MOST_DIGITS * 3:
        return None
    if isinstance(value, Fraction) and max(map(int.bit_length, value.as_integer_ratio())) > (
        MOST_DIGITS * 3
    ):
        return None
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= MOST_DIGITS:
        return format(value, "f")
    return str(value)


def has_digits(text: str) -> bool:
    return DIGIT.search(text) is not None


def may_be_text(value: object) -> bool:
    """Whether its digits may be somebody's, or are more than anybody reads."""
    text = text_of(value)
    return text is None or is_long(value, text)


def is_long(value: object, text: str) -> bool:
    """Whether it has so many digits that they may mean something by themselves. What stands behind
    the point of a float is how exactly something was measured."""
    if not isinstance(value, Decimal):
        text = re.sub(r"\.[0-9]+", "", text)
    return len(DIGIT.findall(text)) >= LONG


def number_or_text(text: str) -> object:
    """What stands in a tool's arguments for a number that was changed."""
    with suppress(ValueError, RecursionError):
        made = json.loads(text)
        if type(made) in (int, float) and text_of(made) == text:
            return made
    return text
