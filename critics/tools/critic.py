"""The critic `tools`: calls of tools, whole, as whoever runs the tool gets them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, cast

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from critics.tools.arguments import ArgumentRules
from critics.tools.copying import TooMuchError, Traces
from critics.tools.names import alike, is_plain
from guardrails.constitution.model import CriticConfig, Principle
from guardrails.constitution.tool_names import covered, fits, is_pattern
from guardrails.constitution.tools import (
    MOST_ARGUMENTS,
    ArgumentPath,
    ArgumentRule,
    ToolPattern,
    steps_of,
)
from guardrails.critic.protocol import (
    CriticFinding,
    Critique,
    CritiqueRequest,
    Declared,
    Need,
    Resources,
    Rule,
    Tier,
    Width,
)
from guardrails.exchange import UNSAID, Call, Part
from guardrails.text.normalise import normalise
from guardrails.verdict import Stage
from guardrails.wire.tools import read_arguments

__all__ = ["ToolsConfig", "ToolsCritic"]

OFF_LOOP_CHARACTERS = 5_000
_CALLING = frozenset({Stage.TOOL_CALL, Stage.OUTPUT})


class ToolsConfig(CriticConfig):
    """What the section `tools` comes to, in one principle each. `arguments`, `additional` and
    `never_from` are about calls of `tool`."""

    grows: ClassVar[frozenset[str]] = frozenset({"deny", "never_from"})

    allow: Annotated[
        tuple[ToolPattern, ...] | None, Field(description="The only tools that may be called.")
    ] = None
    deny: Annotated[
        tuple[ToolPattern, ...], Field(description="Tools that may not be called.")
    ] = ()
    tool: Annotated[ToolPattern | None, Field(description="Whose arguments these are.")] = None
    arguments: Annotated[
        dict[ArgumentPath, ArgumentRule],
        Field(max_length=MOST_ARGUMENTS, description="By name or path."),
    ] = Field(default_factory=dict)
    additional: Annotated[bool, Field(description="false: no other arguments.")] = True
    never_from: Annotated[
        tuple[ToolPattern, ...],
        Field(description="Tools whose results must not be copied into the arguments."),
    ] = ()

    @model_validator(mode="after")
    def _about_a_tool(self) -> ToolsConfig:
        told = bool(self.arguments) or not self.additional or bool(self.never_from)
        if told and self.tool is None:
            raise PydanticCustomError("tool", "the key 'tool' is missing: whose arguments?")
        if not told and self.allow is None and not self.deny:
            raise PydanticCustomError("tool", "says nothing; give allow, deny or a tool's rules")
        return self

    def problems(self, principle: Principle) -> Sequence[tuple[tuple[str | int, ...], str]]:
        if not _CALLING.issuperset(principle.stages):
            return [((), "tools are called at the stages tool_call and output only")]
        if {"redact", "revise"} & set(principle.actions.values()):
            return [((), "a call has nothing to take out; use 'flag', 'block' or 'escalate'")]
        return ()


_NO_OBJECT = "the arguments are no JSON object that all readers read alike"


class ToolsCritic:
    """Looks at whole calls: at `tool_call` the one that is judged, at `output` every call in a
    reply of a provider's format. A call whose arguments cannot be read in one way is a breach of
    the rules for its tool; one that names no tool, or by signs that could pass for another's,
    breaches every list, and leaves the rules for single tools undecided. Findings name the rule
    and the argument as the constitution has it, never a value.

    `never_from` finds what was copied from results that stand in the exchange, where nobody said
    it who asks: see `copying`. A result whose tool cannot be told counts as every tool's. Where
    nobody says what came before the call, what could be a copy leaves the rule undecided. Needs
    whole calls, and holds no text back. Time grows linearly with arguments and results.

    Known misses: a value that was paraphrased, translated, encoded or cut into pieces of fewer than
    24 letters and digits; a result that is no longer in the conversation; the server that a tool
    is from (a tool is known by its name); calls in formats that are no provider's.
    """

    name: ClassVar[str] = "tools"
    version: ClassVar[str] = "1.2.0"
    tier: ClassVar[Tier] = "deterministic"
    Config: ClassVar[type[CriticConfig]] = ToolsConfig

    def __init__(self, rules: Sequence[Rule]) -> None:
        told = {rule.principle.id: cast("ToolsConfig", rule.config) for rule in rules}
        named = {name for said in told.values() for name in (said.allow or ())}
        named |= {said.tool for said in told.values() if said.tool is not None}
        exact = frozenset(name for name in named if not is_pattern(name))
        self._rules = {id: _ToolRule(said, exact) for id, said in told.items()}

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> ToolsCritic:
        return cls(rules)

    def need(self, stage: Stage) -> Need:
        return Width(0)

    def declared(self) -> Sequence[Declared]:
        return ()

    def critique_now(self, request: CritiqueRequest) -> Critique | None:
        if request.calls and sum(len(part.text) for part in request.parts) > OFF_LOOP_CHARACTERS:
            return None
        return self._look(request)

    async def critique(self, request: CritiqueRequest) -> Critique:
        return await asyncio.to_thread(self._look, request)

    def _look(self, request: CritiqueRequest) -> Critique:
        return Critique(looked=frozenset(request.asked), findings=self._findings(request))

    def _findings(self, request: CritiqueRequest) -> tuple[CriticFinding, ...]:
        judged = {target.part for target in request.targets}
        calls = [
            _Called(call, call.part if call.part in judged else None) for call in request.calls
        ]
        if not calls and request.stage is Stage.TOOL_CALL:
            return tuple(_doubt(id, None, "no call can be told") for id in request.asked)
        return tuple(
            finding
            for id in request.asked
            for finding in self._rules[id].findings(id, calls, request.parts)
        )


class _Called:
    """One call, its arguments read once and only if somebody asks for them."""

    _arguments: dict[str, Any] | None

    def __init__(self, call: Call, part: int | None) -> None:
        self.name, self.part, self.after = call.name, part, call.after
        self.is_said = call.arguments is not UNSAID
        self._call, self._read = call, False

    @property
    def arguments(self) -> dict[str, Any] | None:
        if not self._read:
            self._arguments, self._read = read_arguments(self._call.arguments), True
        return self._arguments


def _breach(id: str, part: int | None, reason: str) -> CriticFinding:
    return CriticFinding(principle=id, value="breach", part=part, reason=reason)


def _doubt(id: str, part: int | None, reason: str) -> CriticFinding:
    return CriticFinding(principle=id, value="undecided", part=part, reason=reason)


class _ToolRule:
    """What one principle asks of calls."""

    def __init__(self, said: ToolsConfig, named: frozenset[str]) -> None:
        self._said, self._named = said, named
        self._arguments = (
            ArgumentRules(said.arguments, additional=said.additional)
            if _holds_values(said)
            else None
        )
        self._watched = tuple(_watched(said))

    def findings(
        self, id: str, calls: Sequence[_Called], parts: Sequence[Part]
    ) -> Iterator[CriticFinding]:
        mine: list[_Called] = []
        for call in calls:
            if self._said.allow is not None and not self._is_allowed(call.name):
                yield _breach(id, call.part, "calls a tool that is not allowed")
            if self._said.deny and self._is_denied(call.name):
                yield _breach(id, call.part, "calls a tool that is denied")
            if self._said.tool is None:
                continue
            if not is_plain(call.name):
                yield _doubt(id, call.part, "a call whose tool cannot be told")
            elif call.is_said and self._means(cast("str", call.name), self._said.tool):
                mine.append(call)
        for call in mine:
            yield from self._of_arguments(id, call)
        for watched in self._watched:
            yield from watched.findings(id, mine, parts)

    def _is_allowed(self, name: str | None) -> bool:
        if name is None or not is_plain(name):
            return False
        return covered(name, self._said.allow or ())

    def _is_denied(self, name: str | None) -> bool:
        if name is None or not is_plain(name):
            return True
        return any(self._means(name, denied) for denied in self._said.deny)

    def _means(self, name: str, tool: str) -> bool:
        """A name that the constitution knows, by itself and not by a pattern, is that tool and no
        other that looks like it."""
        return fits(name, tool) or (name not in self._named and alike(name, tool))

    def _of_arguments(self, id: str, call: _Called) -> Iterator[CriticFinding]:
        if call.arguments is None:
            yield _breach(id, call.part, f"{self._said.tool}: {_NO_OBJECT}")
        elif self._arguments is not None:
            for fault in dict.fromkeys(self._arguments.faults(call.arguments)):
                yield _breach(id, call.part, f"{self._said.tool}: {fault}")


def _holds_values(said: ToolsConfig) -> bool:
    return not said.additional or any(
        rule.model_fields_set - {"never_from"} for rule in said.arguments.values()
    )


# -- what flows from where ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Watched:
    """Arguments into which nothing of some tools may flow; `path` () is all of them."""

    path: tuple[str, ...]
    shown: str
    tools: tuple[str, ...]

    def findings(
        self, id: str, calls: Sequence[_Called], parts: Sequence[Part]
    ) -> Iterator[CriticFinding]:
        if not calls:
            return
        sources = [part for part in parts if self._is_source(part)]
        for call in calls[:1]:  # all of one reply come after the same
            given = (part for part in call.after if self._is_source(part))
            sources += (replace(part, text=normalise(part.text).text) for part in given)
        is_told = any(not part.target or part.role != "assistant" for part in parts)
        if is_told and not sources:
            return
        traces: Traces[int] = Traces()
        try:
            for index, call in enumerate(calls):
                for text, name in _texts_at(self.path, call.arguments):
                    traces.add(text, index, name=name)
        except TooMuchError:
            yield _doubt(id, calls[0].part, f"{self.shown}: longer than can be compared")
            return
        for part in parts:
            if part.role == "user" and part.kind == "text":
                traces.forget(part.text)
        for part in sources:
            if traces and (found := traces.found_in(part.text)) is not None:
                known = (tool for tool in self.tools if fits(part.name or "", tool))
                whose = next(known, "a tool")
                reason = f"{self.shown} holds what was copied from a result of {whose}"
                yield _breach(id, calls[found].part, reason)
                return
        if traces and not is_told:
            reason = f"{self.shown} may be a copy: what came before the call was not given (prompt)"
            yield _doubt(id, calls[0].part, reason)

    def _is_source(self, part: Part) -> bool:
        if part.role != "tool":
            return False
        return part.name is None or any(alike(part.name, tool) for tool in self.tools)


def _watched(said: ToolsConfig) -> Iterator[_Watched]:
    if said.never_from:
        yield _Watched((), f"{said.tool}: an argument", said.never_from)
    for path, rule in said.arguments.items():
        if rule.never_from:
            shown = f"{said.tool}: argument {path!r}"
            yield _Watched(steps_of(path), shown, tuple(rule.never_from))


def _texts_at(path: Sequence[str], value: Any) -> Iterator[tuple[str, bool]]:
    """Every text at a path and below it, and whether it is the name of an argument."""
    waiting: list[tuple[Sequence[str], Any]] = [(path, value)]
    while waiting:
        steps, item = waiting.pop()
        if isinstance(item, list):
            rest = steps[1:] if steps and steps[0] == "*" else steps
            waiting += ((rest, below) for below in item)
        elif isinstance(item, dict):
            if not steps:
                yield from ((name, True) for name in item)
                waiting += (((), below) for below in item.values())
            elif steps[0] == "*":
                waiting += ((steps[1:], below) for below in item.values())
            else:
                waiting += (
                    (steps[1:], below) for name, below in item.items() if alike(name, steps[0])
                )
        elif item is not None and not isinstance(item, bool):
            yield item if isinstance(item, str) else str(item), False
