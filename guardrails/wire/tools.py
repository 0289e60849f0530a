"""Tool calls as whoever runs the tool reads them, and the schemas that a request declares for them.

A call that cannot be read in one way only is read in none: its arguments are then None.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import uuid
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

from guardrails.errors import WireFormatError
from guardrails.exchange import UNREADABLE, UNSAID, Call
from guardrails.wire import rebuild
from guardrails.wire.body import Body, JoinedBody, JsonBody
from guardrails.wire.json_schema import JsonSchema, problems
from guardrails.wire.strict_json import parse_json

__all__ = ["ToolSchemas", "read_arguments"]

MAX_DEPTH = 100
MAX_SCHEMA = 5_000
MAX_WORK = 20_000_000
"""Places of a schema, and of a schema times those of a value: more takes too long to hold against
each other."""


# -- arguments -----------------------------------------------------------------------------------


def read_arguments(given: object) -> dict[str, Any] | None:
    """The arguments as a JSON object; None for what is none, or holds a key twice, a number that is
    none, half a character, what has no form in JSON, or more than 100 levels. A blank string is a
    call without any."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return {}
    try:
        if isinstance(given, str):
            given = parse_json(given.encode("utf-8", "surrogatepass"))
        value = _plain(given, 0)
    except (WireFormatError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


_SPELLED = (datetime.date, datetime.time, uuid.UUID, PurePath)


def _plain(value: Any, depth: int) -> Any:
    """A value of Python's as the JSON that it would be. Raises WireFormatError."""
    if depth > MAX_DEPTH:
        raise WireFormatError(f"arguments nested more than {MAX_DEPTH} levels deep")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if value is UNREADABLE or value is UNSAID:
        raise WireFormatError("arguments that nobody can read")
    if isinstance(value, Enum):
        return _plain(value.value, depth + 1)
    if isinstance(value, BaseModel):
        extra = value.__pydantic_extra__ or {}
        return _plain({**rebuild.fields_of(value), **extra}, depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(rebuild.fields_of(value), depth)
    if isinstance(value, Mapping):
        found = {key: _plain(item, depth + 1) for key, item in value.items()}
        if not all(isinstance(key, str) for key in found):
            raise WireFormatError("an argument whose name is no text")
        return found
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, _SPELLED):
        return str(value)
    raise WireFormatError(f"a {type(value).__name__} has no form in JSON")


# -- what a request declares ---------------------------------------------------------------------


class ToolSchemas:
    """The schemas of a request's tools, each prepared when it is first needed.

    A tool that is declared twice, or whose schema cannot be used, takes no changed arguments: that
    they fit could not be shown.
    """

    def __init__(self, declared: Mapping[str, object]) -> None:
        self._declared = declared
        self._ready: dict[str, tuple[JsonSchema, int] | None] = {}

    @classmethod
    def of(cls, request: object) -> ToolSchemas | None:
        """Those of Anthropic's and OpenAI's requests; None where none are declared."""
        declared: dict[str, object] = {}
        for name, schema in _declared(_document(request)):
            declared[name] = None if name in declared else schema
        return cls(declared) if declared else None

    def admit(self, before: Sequence[Call], after: Sequence[Call]) -> bool:
        """Whether the tools take the calls whose arguments have changed."""
        same = len(before) == len(after)
        return all(
            self._takes(call)
            for index, call in enumerate(after)
            if not same or before[index].arguments != call.arguments
        )

    def _takes(self, call: Call) -> bool:
        if call.name is None or call.name not in self._declared:
            return True
        arguments, prepared = read_arguments(call.arguments), self._prepared(call.name)
        if arguments is None or prepared is None:
            return False
        schema, size = prepared
        return size * _places(arguments) <= MAX_WORK and schema.fits(arguments)

    def _prepared(self, name: str) -> tuple[JsonSchema, int] | None:
        if name not in self._ready:
            self._ready[name] = _usable(self._declared[name])
        return self._ready[name]


def _usable(schema: object) -> tuple[JsonSchema, int] | None:
    """The schema with its size. What it says of its dialect is not minded: tools are declared in
    the words that all dialects share."""
    if not isinstance(schema, Mapping) or (size := _places(schema)) > MAX_SCHEMA:
        return None
    bare = {key: said for key, said in schema.items() if key not in ("$schema", "$id")}
    try:
        if next(problems(bare), None) is not None:
            return None
        return JsonSchema(bare), size
    except Exception:  # the schema is somebody's, and jsonschema may fail on it in any way
        return None


def _places(value: object) -> int:
    """How many values a value holds."""
    count, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        count += 1
        if isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item
    return count


def _document(request: object) -> object:
    if isinstance(request, JoinedBody):
        return next((_document(body) for body in request.bodies), None)
    if isinstance(request, JsonBody):
        return request.document
    return None if isinstance(request, Body) else request


def _declared(document: object) -> list[tuple[str, object]]:
    """The name and the schema of every tool that has one."""
    if not isinstance(document, Mapping):
        return []
    found: list[tuple[str, object]] = []
    for key in ("tools", "functions"):
        tools = document.get(key)
        for tool in tools if isinstance(tools, list | tuple) else ():
            inner = tool.get("function", tool) if isinstance(tool, Mapping) else None
            if not isinstance(inner, Mapping) or not isinstance(name := inner.get("name"), str):
                continue
            schema = inner.get("input_schema", inner.get("parameters"))
            if schema is not None:
                found.append((name, schema))
    return found
