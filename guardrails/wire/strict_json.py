"""JSON that can be read in one way only, from bytes that may be hostile.

Where RFC 8259 leaves open what a reader does (names that repeat, half surrogate pairs, numbers out
of range), another reader might see another text than the one that was judged: so it is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from guardrails.errors import WireFormatError

__all__ = [
    "JSON_BLANKS",
    "JSON_STARTS",
    "AmbiguousError",
    "dump_json",
    "holds_json",
    "parse_json",
]

JSON_BLANKS = b" \t\r\n\0\xef\xbb\xbf\xfe\xff"
JSON_STARTS = b'{["'
"""What may stand before an object, a list or a string in any of JSON's encodings, and its first
byte."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile(rb"\\u[dD][89a-fA-F]")
"""Whether there is any escape that could be half of a pair."""


class AmbiguousError(WireFormatError):
    """A body that is not what it is said to be, or that two readers may read in two ways."""


def parse_json(data: bytes) -> Any:
    """The value of a body. Raises AmbiguousError that says what is wrong, without the text."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AmbiguousError(f"not UTF-8: byte {error.start} cannot be read") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise AmbiguousError(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise AmbiguousError("not usable JSON: nested too deeply") from None
    except ValueError:
        raise AmbiguousError("not usable JSON: a number with too many digits") from None
    if _ESCAPED.search(data) and _has_half_a_pair(value):
        raise AmbiguousError("not usable JSON: half of a surrogate pair")
    return value


def holds_json(data: bytes) -> bool:
    """Whether somebody who asks for no type would read it as JSON, in any of JSON's encodings."""
    if data.lstrip(JSON_BLANKS)[:1] not in (b"{", b"[", b'"'):
        return False
    try:
        json.loads(data)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def dump_json(value: object) -> bytes:
    """A value as a body."""
    return _ENCODER.encode(value).encode()


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise AmbiguousError("not usable JSON: an object has the same key twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise AmbiguousError(f"not JSON: {name} is no JSON value")


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise AmbiguousError("not usable JSON: a number out of range")
    return value


def _has_half_a_pair(value: object) -> bool:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if _SURROGATE.search(item):
                return True
        elif isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list):
            waiting += item
    return False


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_float
)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
