"""Which JSON schemas the providers take for structured output. The others are answered with 400."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

__all__ = ["anthropic_schema_problem", "openai_schema_problem"]

_UNSUPPORTED = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "maxItems", "uniqueItems"),
)
"""Source: Anthropic, "Structured outputs", JSON schema limitations; `anthropic.transform_schema`
moves these into descriptions."""

_NOT_VALID = "{place} is not a valid JSON schema"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def anthropic_schema_problem(format: object) -> str | None:
    """What is wrong with `output_config.format`, in the API's manner, or None."""
    where = "output_config.format"
    if not isinstance(format, Mapping):
        return f"{where}: Input should be an object"
    if format.get("type") != "json_schema":
        return f"{where}.type: Input should be 'json_schema'"
    if "schema" not in format:
        return f"{where}.schema: Field required"
    schema = format["schema"]
    if problem := _invalid(schema):
        return f"{where}.schema: {problem}"
    for place, inner in _subschemas(schema, "schema"):
        if _is_object(inner) and inner.get("additionalProperties") is not False:
            return (
                f"{where}.{place}: For 'object' type, 'additionalProperties' must be explicitly "
                "set to false"
            )
        for name in _UNSUPPORTED:
            if name in inner:
                kind = inner.get("type")
                return f"{where}.{place}: For {kind!r} type, property {name!r} is not supported"
    return None


def openai_schema_problem(format: Mapping[str, Any], *, where: str) -> str | None:
    """What is wrong with the description of a schema (`name`, `schema`, `strict`), or None."""
    name = format.get("name")
    if not isinstance(name, str) or not name:
        return f"Missing required parameter: '{where}.name'."
    if not _NAME.fullmatch(name):
        return (
            f"Invalid '{where}.name': string does not match pattern. Expected a string that "
            "matches the pattern '^[a-zA-Z0-9_-]+$' of at most 64 characters."
        )
    schema = format.get("schema")
    if schema is None:
        return f"Missing required parameter: '{where}.schema'."
    if problem := _invalid(schema):
        return f"Invalid schema for response_format {name!r}: {problem}"
    if not format.get("strict"):
        return None
    start = f"Invalid schema for response_format {name!r}"
    if not _is_object(schema):
        return f"{start}: schema must be a JSON Schema of 'type: \"object\"'."
    for place, inner in _subschemas(schema, ""):
        if not _is_object(inner):
            continue
        context = tuple(place.strip(".").split(".")) if place else ()
        if inner.get("additionalProperties") is not False:
            return (
                f"{start}: In context={context}, 'additionalProperties' is required to be "
                "supplied and to be false."
            )
        missing = set(inner.get("properties") or {}) - set(inner.get("required") or [])
        if missing:
            return (
                f"{start}: In context={context}, 'required' is required to be supplied and to be "
                f"an array including every key in properties. Missing {min(missing)!r}."
            )
    return None


def _invalid(schema: object) -> str | None:
    if not isinstance(schema, Mapping):
        return "Input should be an object"
    try:
        return _checked(json.dumps(schema))
    except RecursionError:
        return _NOT_VALID.format(place="schema")


@lru_cache(maxsize=256)
def _checked(written: str) -> str | None:
    """Remembered, for a program asks with the same few schemas over and over."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(json.loads(written))
    except (SchemaError, RecursionError) as error:
        place = ".".join(str(step) for step in getattr(error, "absolute_path", ()))
        return _NOT_VALID.format(place=place or "schema")
    return None


def _is_object(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def _subschemas(schema: object, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A schema and all inside it, each with its place."""
    if not isinstance(schema, Mapping):
        return
    yield place, schema
    for name in ("properties", "$defs", "definitions"):
        for key, inner in (schema.get(name) or {}).items():
            yield from _subschemas(inner, f"{place}.{name}.{key}")
    for name in ("anyOf", "allOf", "oneOf", "prefixItems"):
        for index, inner in enumerate(schema.get(name) or []):
            yield from _subschemas(inner, f"{place}.{name}.{index}")
    for name in ("items", "additionalProperties", "not"):
        yield from _subschemas(schema.get(name), f"{place}.{name}")
