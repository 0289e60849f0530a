"""Python values and the parts in them."""

from __future__ import annotations

from guardrails.exchange import Kind, Role
from guardrails.wire.place import Place
from guardrails.wire.reading import Reading, read

__all__ = ["Reading", "read_value"]


def read_value(value: object, *, role: Role, kind: Kind = "text") -> Reading:
    """Find every text in a value.

    Strings are text wherever they stand in dicts (keys too), lists, tuples, sets, pydantic models
    (fields, extra and computed ones; private attributes are the class's own business) and
    dataclasses. So are numbers of eight digits or more, which cannot be changed; in a tool's
    arguments every number is, and can. Dates, UUIDs and None are not. Anything else is a part that
    nobody can read, named by its type. Raises WireFormatError for what is too deep, too large or
    contains itself.
    """
    return read(value, Place(role=role, kind=kind))
