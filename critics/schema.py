"""The critic `schema`: a reply that must be JSON and fit a JSON Schema."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, cast

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
from guardrails.wire.json_schema import JsonSchema, problems
from guardrails.wire.strict_json import parse_json

__all__ = ["SchemaConfig", "SchemaCritic"]

OFF_LOOP_CHARACTERS = 5_000
LONGEST_PATH = 200

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
        if wrong := [_problem(loc, what) for loc, what in problems(schema)]:
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

    def critique_now(self, request: CritiqueRequest) -> Critique | None:
        size = sum(len(target.original) for target in request.targets)
        return None if size > OFF_LOOP_CHARACTERS else self._look(request)

    async def critique(self, request: CritiqueRequest) -> Critique:
        return await asyncio.to_thread(self._look, request)

    def _look(self, request: CritiqueRequest) -> Critique:
        findings = []
        for id in request.asked:
            for target in request.targets:
                if request.parts[target.part].kind == "thinking":
                    continue
                if (fault := self._shapes[id].fault(target.original)) is not None:
                    findings.append(
                        CriticFinding(principle=id, value="breach", part=target.part, reason=fault)
                    )
        return Critique(looked=frozenset(request.asked), findings=tuple(findings))


class _Shape:
    """What one principle asks of a reply."""

    def __init__(self, config: SchemaConfig) -> None:
        self._fenced = config.fenced
        self._schema = JsonSchema(config.json_schema)

    def fault(self, text: str) -> str | None:
        """What is wrong with a reply, if anything is."""
        if self._fenced and (block := _FENCED.fullmatch(text)):
            text = block[1]
        try:
            value = parse_json(text.encode("utf-8", "surrogatepass"))
        except WireFormatError as error:
            return str(error)
        try:
            for fault in self._schema.faults(value):
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
            f"[{step}]"
            if isinstance(step, int)
            else f".{step}"
            if step in self._schema.names
            else ".*"
            for step in path
        )
        return f"${''.join(steps)}"[:LONGEST_PATH]


def _problem(loc: tuple[str | int, ...], what: str) -> InitErrorDetails:
    kind = PydanticCustomError("schema", "{what}", {"what": what})  # braces in it are text
    return InitErrorDetails(type=kind, loc=loc, input=None)
