"""The critic `schema`: a reply that must be JSON and fit a JSON Schema."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from fractions import Fraction
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast
from urllib.parse import unquote

from pydantic import ConfigDict, Field, ValidationError, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from guardrails.constitution.model import CriticConfig, Principle
from guardrails.critic.protocol import (
    CriticFinding,
    Critique,
    CritiqueRequest,
    Declared,
    Need,
    Resources,
    Rule,
    Tier,
    Whole,
)
from guardrails.errors import WireFormatError
from guardrails.verdict import Stage
from guardrails.wire.strict_json import parse_json

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["SchemaConfig", "SchemaCritic"]

OFF_LOOP_CHARACTERS = 5_000
LONGEST_PATH = 200
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\r?\n(.*)\r?\n```\s*", re.DOTALL | re.IGNORECASE)


class SchemaConfig(CriticConfig):
    """`schema` is a JSON Schema (2020-12) of its own, without references to others. `fenced: true`
    lets the reply stand in one Markdown code block."""

    model_config = ConfigDict(serialize_by_alias=True)

    json_schema: Annotated[dict[str, Any], Field(alias="schema", description="A JSON Schema.")]
    fenced: Annotated[
        bool, Field(description="true: the reply may stand in one Markdown code block.")
    ] = False

    @field_validator("json_schema")
    @classmethod
    def _usable(cls, schema: dict[str, Any]) -> dict[str, Any]:
        if wrong := list(_problems(schema)):
            raise ValidationError.from_exception_data("schema", wrong)
        return schema

    def problems(self, principle: Principle) -> Sequence[tuple[tuple[str | int, ...], str]]:
        if "redact" in principle.actions.values():
            return [((), "a reply of the wrong shape has nothing to redact; use 'block'")]
        return ()


class SchemaCritic:
    """A reply that is not JSON, is ambiguous JSON (a key twice, NaN) or does not fit is a breach;
    the reason names the place and the rule of the schema, never the value or a key of its own.

    Reads the reply as it came, for so will the program that gets it; what a model thought before
    is no reply. Needs the whole. Costs some 0.1 ms per kB of JSON.

    Known misses: `format` is not checked, for JSON Schema leaves open what it means. A structured
    value that a program hands over is judged by its texts, which have no shape: this is for text.
    """

    name: ClassVar[str] = "schema"
    version: ClassVar[str] = "1.0.0"
    tier: ClassVar[Tier] = "deterministic"
    Config: ClassVar[type[CriticConfig]] = SchemaConfig

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._shapes = {
            rule.principle.id: _Shape(cast("SchemaConfig", rule.config)) for rule in rules
        }

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> SchemaCritic:
        return cls(rules)

    def need(self, stage: Stage) -> Need:
        return Whole()

    def declared(self) -> Sequence[Declared]:
        return ()

    async def critique(self, request: CritiqueRequest) -> Critique:
        findings = []
        for id in request.asked:
            for target in request.targets:
                if request.parts[target.part].kind == "thinking":
                    continue
                if len(target.original) > OFF_LOOP_CHARACTERS:
                    fault = await asyncio.to_thread(self._shapes[id].fault, target.original)
                else:
                    fault = self._shapes[id].fault(target.original)
                if fault is not None:
                    findings.append(
                        CriticFinding(principle=id, value="breach", part=target.part, reason=fault)
                    )
        return Critique(looked=frozenset(request.asked), findings=tuple(findings))


class _Shape:
    """What one principle asks of a reply."""

    def __init__(self, config: SchemaConfig) -> None:
        self._fenced = config.fenced
        # a part that names its dialect would be held to jsonschema's own class for it
        schema = {key: said for key, said in config.json_schema.items() if key != "$schema"}
        self._validator = _validator_class()(schema)
        self._names = frozenset(
            name for part in _parts(schema).values() for name in part.get("properties", ())
        )

    def fault(self, text: str) -> str | None:
        """What is wrong with a reply, if anything is."""
        if self._fenced and (block := _FENCED.fullmatch(text)):
            text = block[1]
        try:
            value = parse_json(text.encode("utf-8", "surrogatepass"))
        except WireFormatError as error:
            return str(error)
        _known.set({})
        try:
            for fault in self._validator.iter_errors(value):
                rule = (
                    f"does not fit {fault.validator!r}" if fault.validator else "may not be there"
                )
                return f"{self._place(fault.absolute_path)} {rule}"
        except RecursionError:
            return "nested too deeply"
        return None

    def _place(self, path: Sequence[str | int]) -> str:
        """JSONPath of a place; keys that the schema does not name are the reply's own text."""
        steps = (
            f"[{step}]" if isinstance(step, int) else f".{step}" if step in self._names else ".*"
            for step in path
        )
        return f"${''.join(steps)}"[:LONGEST_PATH]


# -- how a value is held against a schema --------------------------------------------------------

Keyword = Callable[[Any, Any, Any, Any], Iterator[Any]]

_known: ContextVar[dict[tuple[str, int], bool]] = ContextVar("_known")
"""Whether a value, by its identity, fits what a reference leads to."""


@lru_cache(maxsize=1)
def _validator_class() -> type[Validator]:
    """Draft 2020-12, but a reply must not be able to stall its own check: patterns are RE2's, equal
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

Loc = tuple[str | int, ...]

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


def _problems(schema: dict[str, Any]) -> Iterator[InitErrorDetails]:
    """What is no schema, leads outside, has a pattern nobody can run, or has no end."""
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.exceptions import SchemaError

    try:  # without formats: whether a pattern can be run is RE2's to say, not Python's
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(()))
    except SchemaError as error:
        yield _problem(tuple(error.absolute_path), f"no JSON Schema: {error.message[:200]}")
        return
    parts = _parts(schema)
    wrong = [
        _problem(loc + below, what)
        for loc, part in parts.items()
        for below, what in _faults(part, parts, root=not loc)
    ]
    yield from wrong
    if not wrong and (loop := _loop(parts)) is not None:
        yield _problem(loop, "refers to itself without end")


def _problem(loc: Loc, what: str) -> InitErrorDetails:
    kind = PydanticCustomError("schema", "{what}", {"what": what})  # braces in it are text
    return InitErrorDetails(type=kind, loc=loc, input=None)


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
