"""JSON Schema (2020-12) for values and schemas that may both be hostile.

A value must not be able to stall its own check: patterns are RE2's, equal items are found in one
go, and no value is held against a reference twice. `problems` says what keeps a schema from being
used at all; `JsonSchema` holds values against one that has none.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextvars import ContextVar
from fractions import Fraction
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["JsonSchema", "Loc", "problems"]

Loc = tuple[str | int, ...]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class JsonSchema:
    """A schema without `problems`. `names` are the properties that it names itself."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        # a part that names its dialect would be held to jsonschema's own class for it
        schema = {key: said for key, said in schema.items() if key != "$schema"}
        self._validator = _validator_class()(schema)
        self.names = frozenset(
            name for part in _parts(schema).values() for name in part.get("properties", ())
        )

    def faults(self, value: Any) -> Iterator[Any]:
        """jsonschema's errors. Raises RecursionError for what is nested too deeply."""
        _known.set({})
        yield from self._validator.iter_errors(value)

    def fits(self, value: object) -> bool:
        try:
            return next(self.faults(value), None) is None
        except RecursionError:
            return False


# -- how a value is held against a schema --------------------------------------------------------

Keyword = Callable[[Any, Any, Any, Any], Iterator[Any]]

_known: ContextVar[dict[tuple[str, int], bool]] = ContextVar("_known")
"""Whether a value, by its identity, fits what a reference leads to."""


@lru_cache(maxsize=1)
def _validator_class() -> type[Validator]:
    """Draft 2020-12, but a value must not be able to stall its own check: patterns are RE2's, equal
    items are found in one go, and no value is held against a reference twice, which takes twofold
    time per level where two ways lead to it. Decimal fractions are taken as written."""
    from jsonschema import Draft202012Validator, validators

    own: dict[str, Keyword] = {
        "$ref": _once(Draft202012Validator.VALIDATORS["$ref"]),
        "additionalProperties": _additional_properties,
        "multipleOf": _multiple_of,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "uniqueItems": _unique_items,
    }
    return cast("type[Validator]", validators.extend(Draft202012Validator, own))  # type: ignore[no-untyped-call]


def _once(keyword: Keyword) -> Keyword:
    def once(validator: Any, said: str, value: object, schema: object) -> Iterator[Any]:
        known, key = _known.get(), (said, id(value))
        if key not in known:
            fault = next(keyword(validator, said, value, schema), None)
            known[key] = fault is None
            if fault is not None:
                yield fault
        elif not known[key]:
            yield _misfit()

    return once


def _misfit() -> Any:
    from jsonschema.exceptions import ValidationError as Misfit

    return Misfit("")


def _pattern(validator: Any, said: str, value: object, schema: object) -> Iterator[Any]:
    if isinstance(value, str) and not _compiled(said).search(value):
        yield _misfit()


def _pattern_properties(
    validator: Any, said: Mapping[str, Any], value: object, schema: object
) -> Iterator[Any]:
    if isinstance(value, dict):
        for source, below in said.items():
            for key, item in value.items():
                if _compiled(source).search(key):
                    yield from validator.descend(item, below, path=key, schema_path=source)


def _additional_properties(
    validator: Any, said: Any, value: object, schema: Mapping[str, Any]
) -> Iterator[Any]:
    if not isinstance(value, dict):
        return
    named = schema.get("properties", {})
    patterns = [_compiled(source) for source in schema.get("patternProperties", {})]
    for key, item in value.items():
        if key not in named and not any(pattern.search(key) for pattern in patterns):
            if said is False:
                yield _misfit()
            else:
                yield from validator.descend(item, said, path=key)


def _multiple_of(validator: Any, said: int | float, value: object, schema: object) -> Iterator[Any]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and (_exact(cast("float", value)) / _exact(said)).denominator != 1:
        yield _misfit()


def _exact(number: int | float) -> Fraction:
    return Fraction(number if isinstance(number, int) else repr(number))


def _unique_items(validator: Any, said: bool, value: object, schema: object) -> Iterator[Any]:
    if said and isinstance(value, list) and len(set(map(_key, value))) < len(value):
        yield _misfit()


def _key(value: Any) -> Hashable:
    """Equal for what JSON Schema calls equal: 1 and 1.0, but not 1 and true."""
    if isinstance(value, dict):
        return frozenset((name, _key(item)) for name, item in value.items())
    if isinstance(value, list):
        return tuple(map(_key, value))
    return ("", value) if isinstance(value, bool) else value


@lru_cache(maxsize=512)
def _compiled(source: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    return re2.compile(source, options)


# -- what is wrong with a schema -----------------------------------------------------------------

_UNSUPPORTED = {
    "$dynamicRef": "write $ref",
    "unevaluatedItems": "write prefixItems and items",
    "unevaluatedProperties": "write properties and additionalProperties",
}

_ALONE = (
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
    "propertyNames", "then",
)  # fmt: skip
_LISTED = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
"""Keywords whose values are a schema, a list of schemas, schemas by name."""

_IN_PLACE = frozenset({"allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf", "then"})
"""Those whose schemas are for the same value."""


def problems(schema: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    """What is no schema, leads outside, has a pattern nobody can run, or has no end."""
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.exceptions import SchemaError

    try:  # without formats: whether a pattern can be run is RE2's to say, not Python's
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(()))
    except SchemaError as error:
        yield tuple(error.absolute_path), f"no JSON Schema: {error.message[:200]}"
        return
    parts = _parts(schema)
    wrong = [
        (loc + below, what)
        for loc, part in parts.items()
        for below, what in _faults(part, parts, root=not loc)
    ]
    yield from wrong
    if not wrong and (loop := _loop(parts)) is not None:
        yield loop, "refers to itself without end"


def _parts(schema: Any, loc: Loc = ()) -> dict[Loc, dict[str, Any]]:
    """The schema and those within it, by their place."""
    if not isinstance(schema, dict):
        return {loc: {}}  # true or false
    found = {loc: schema}
    for key, said in schema.items():
        if key in _ALONE:
            found |= _parts(said, (*loc, key))
        elif key in _LISTED:
            for index, item in enumerate(said):
                found |= _parts(item, (*loc, key, index))
        elif key in _NAMED:
            for name, item in said.items():
                found |= _parts(item, (*loc, key, name))
    return found


Parts = Mapping[Loc, Mapping[str, Any]]


def _faults(part: Mapping[str, Any], parts: Parts, *, root: bool) -> Iterator[tuple[Loc, str]]:
    if "$schema" in part and not root:
        yield ("$schema",), "a part of a schema has no dialect of its own; take it out"
    elif part.get("$schema", DIALECT).rstrip("#") != DIALECT:
        yield ("$schema",), f"another dialect than {DIALECT}"
    if "$id" in part and not root:
        yield ("$id",), "a part of a schema has no name of its own; take it out"
    for key, instead in _UNSUPPORTED.items():
        if key in part:
            yield (key,), f"is not supported; {instead}"
    if "$ref" in part and _referred(part["$ref"], parts) is None:
        inside = part["$ref"].startswith("#")
        yield (
            ("$ref",),
            "leads to no schema" if inside else "leads outside the schema; write it under $defs",
        )
    if "pattern" in part and (why := _unusable(part["pattern"])):
        yield ("pattern",), why
    for source in part.get("patternProperties", ()):
        if why := _unusable(source):
            yield ("patternProperties", source), why


def _referred(ref: str, parts: Parts) -> Loc | None:
    """Where a reference within the schema leads."""
    if not ref.startswith("#"):
        return None
    pointer = unquote(ref[1:])
    if pointer and not pointer.startswith("/"):
        return next((loc for loc, part in parts.items() if part.get("$anchor") == pointer), None)
    steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
    return next((loc for loc in parts if tuple(map(str, loc)) == steps), None)


def _loop(parts: Parts) -> Loc | None:
    """A part that a value must fit in order to fit it."""
    needs: dict[Loc, set[Loc]] = {loc: set() for loc in parts}
    for loc, part in parts.items():
        for above, keyword in ((loc[:-1], loc[-1:]), (loc[:-2], loc[-2:-1])):
            if above in parts and keyword and keyword[0] in _IN_PLACE:
                needs[above].add(loc)
        if "$ref" in part and (referred := _referred(part["$ref"], parts)) is not None:
            needs[loc].add(referred)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return cast("Loc", error.args[1][0])
    return None


def _unusable(source: str) -> str | None:
    import re2

    try:
        _compiled(source)
    except re2.error as error:
        return f"the pattern {source[:60]!r} is none of RE2's: {_said(error)}"
    return None


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
