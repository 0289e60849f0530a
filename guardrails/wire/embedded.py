"""JSON inside a string, such as a tool's arguments: read as whoever parses it will read it.

Numbers come as the text they were written as, for a model wrote them like any other text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from guardrails.errors import WireFormatError

__all__ = ["hides_words", "is_json", "parse", "write"]

ESCAPE = re.compile(r"\\(?:u[{0-9A-Fa-f]|x[0-9A-Fa-f])")


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


class _AmbiguousError(ValueError):
    """An object has a key twice: two readers may read two things."""


class Unreadable:
    """In place of JSON that can be read in two ways."""


def is_json(text: str) -> bool:
    """Whether a string looks like an object or a list."""
    return text.lstrip().startswith(("{", "["))


def hides_words(text: str) -> bool:
    """Whether somebody who parses it more freely than Python might read other words in it."""
    begins = text.lstrip("\ufeff \t\r\n").startswith(("{", "[", '"', "'", "/"))
    return begins and ESCAPE.search(text) is not None


def parse(text: str) -> Any:
    """The object or list that a string holds; None if it holds none, and so is text. Raises
    WireFormatError for what is nested so deeply that Python's reader does not read it to its end:
    how deep that is, each release has its own mind."""
    if not is_json(text):
        return None
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_Number,
            parse_float=_Number,
        )
    except _AmbiguousError:
        return Unreadable()
    except ValueError:
        return None
    except RecursionError:
        raise WireFormatError("JSON in it is nested too deeply to be read here") from None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _AmbiguousError
    return found


def write(data: object) -> str:
    return json.dumps(_plain(data), ensure_ascii=False)


def _plain(data: object) -> object:
    if isinstance(data, dict):
        return {key: _plain(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_plain(item) for item in data]
    if isinstance(data, _Number):
        with suppress(ValueError):  # text that was put there, or more digits than an int may have
            return json.loads(data)
        return str(data)
    return data
