"""The critic `schema`: a reply that must be JSON and fit a JSON Schema."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from pydantic import ConfigDict, Field, field_validator

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
_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\r?\n(.*)\r?\n```\s*", re.DOTALL | re.IGNORECASE)


class SchemaConfig(CriticConfig):
    """`schema` is a JSON Schema (2020-12) of its own, without references to others. `fenced: true`
    lets the reply stand in one Markdown code block."""

    model_config = ConfigDict(serialize_by_alias=True)

    json_schema: Annotated[dict[str, Any], Field(alias="schema", description="A JSON Schema.")]
    fenced: bool = False

    @field_validator("json_schema")
    @classmethod
    def _usable(cls, schema: dict[str, Any]) -> dict[str, Any]:
        _check(schema)
        return schema

    def problems(self, principle: Principle) -> Sequence[tuple[tuple[str | int, ...], str]]:
        if "redact" in principle.actions.values():
            return [((), "a reply of the wrong shape has nothing to redact; use 'block'")]
        return ()


class SchemaCritic:
    """A reply that is not JSON, is ambiguous JSON (a key twice, NaN) or does not fit is a breach;
    the reason names the place and the rule of the schema, never the value.

    Needs the whole reply. Costs some 0.1 ms per kB of JSON.

    Known misses: `format` is not checked, for JSON Schema leaves open what it means.
    """

    name: ClassVar[str] = "schema"
    version: ClassVar[str] = "1.0.0"
    tier: ClassVar[Tier] = "deterministic"
    Config: ClassVar[type[CriticConfig]] = SchemaConfig

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._configs = {rule.principle.id: cast("SchemaConfig", rule.config) for rule in rules}
        self._validators = {
            id: _validator_class()(config.json_schema) for id, config in self._configs.items()
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
                if len(target.text) > OFF_LOOP_CHARACTERS:
                    fault = await asyncio.to_thread(self._fault, id, target.text)
                else:
                    fault = self._fault(id, target.text)
                if fault is not None:
                    findings.append(
                        CriticFinding(principle=id, value="breach", part=target.part, reason=fault)
                    )
        return Critique(looked=frozenset(request.asked), findings=tuple(findings))

    def _fault(self, id: str, text: str) -> str | None:
        if self._configs[id].fenced and (block := _FENCED.fullmatch(text)):
            text = block[1]
        try:
            value = parse_json(text.encode("utf-8", "replace"))
        except WireFormatError as error:
            return str(error)
        return self._misfit(id, value)

    def _misfit(self, id: str, value: Any) -> str | None:
        try:
            for fault in self._validators[id].iter_errors(value):
                return f"{fault.json_path[:LONGEST_PATH]} does not fit {fault.validator!r}"
        except RecursionError:
            return "nested too deeply"
        return None


@lru_cache(maxsize=1)
def _validator_class() -> type[Validator]:
    """Draft 2020-12, whose patterns are RE2's: a reply must not be able to stall its own check."""
    from jsonschema import Draft202012Validator, validators
    from jsonschema.exceptions import ValidationError

    def pattern(validator: Any, said: str, value: object, schema: object) -> Iterator[Any]:
        if isinstance(value, str) and not _compiled(said).search(value):
            yield ValidationError("does not fit the pattern")

    def pattern_properties(
        validator: Any, said: Mapping[str, Any], value: object, schema: object
    ) -> Iterator[Any]:
        if isinstance(value, dict):
            for source, below in said.items():
                for key, item in value.items():
                    if _compiled(source).search(key):
                        yield from validator.descend(item, below, path=key, schema_path=source)

    own = {"pattern": pattern, "patternProperties": pattern_properties}
    return cast("type[Validator]", validators.extend(Draft202012Validator, own))  # type: ignore[no-untyped-call]


@lru_cache(maxsize=512)
def _compiled(source: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    return re2.compile(source, options)


def _check(schema: dict[str, Any]) -> None:
    """Raises ValueError for what is no schema, leads outside, or has a pattern nobody can run."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"no JSON Schema: {error.json_path}: {error.message[:200]}") from None
    for key, value in _members(schema):
        if key in ("$ref", "$dynamicRef") and not str(value).startswith("#"):
            raise ValueError(f"{key} leads outside the schema; write it out under $defs")
        sources = [value] if key == "pattern" else list(value) if key == "patternProperties" else []
        for source in sources:
            if isinstance(source, str):
                _check_pattern(source)


def _check_pattern(source: str) -> None:
    import re2

    try:
        _compiled(source)
    except re2.error as error:
        raise ValueError(f"the pattern {source[:60]!r} is none of RE2's: {error}") from None


def _members(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, item
            yield from _members(item)
    elif isinstance(value, list):
        for item in value:
            yield from _members(item)
