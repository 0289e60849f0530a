"""The section `tools`: which tools may be called, with what arguments, and what may flow into them.

Models of the file's entries, and what they come to. How parents and children meet is `tool_merge`'s
to say; the critic `tools` enforces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from guardrails.constitution.forms import (
    ARGUMENT,
    HOST,
    SHAPES,
    TOOL,
    TOOLS,
    UNIQUE,
    Entry,
    Text,
    TextOrEach,
    different,
)
from guardrails.constitution.model import Replies
from guardrails.text.patterns import PatternError, compile_pattern, compiled
from guardrails.verdict import Severity, Stage

__all__ = [
    "MOST_ARGUMENTS",
    "TOOL_STAGES",
    "Argument",
    "ArgumentPath",
    "ArgumentRule",
    "ToolAction",
    "ToolName",
    "ToolPattern",
    "ToolRule",
    "ToolRuleEntry",
    "Tooling",
    "ToolsSection",
    "Written",
    "checks_arguments",
    "keeps_apart",
    "said_of",
    "says_something",
    "steps_of",
]

TOOL_STAGES = (Stage.OUTPUT, Stage.TOOL_CALL)
"""A call is judged by itself, and where it stands in a whole reply."""
MOST_TOOLS = 1_000
MOST_ARGUMENTS = 200
MOST_STEPS = 20

ToolAction = Literal["flag", "block", "escalate"]
ToolName = Annotated[str, StringConstraints(pattern=TOOL, max_length=64)]
ToolPattern = Annotated[str, StringConstraints(pattern=TOOLS, max_length=64)]
"""A tool's name, or many by a `*`; see `tool_names`."""
ToolNames = Annotated[
    list[ToolPattern], Field(max_length=MOST_TOOLS), UNIQUE, AfterValidator(different)
]


# -- one argument --------------------------------------------------------------------------------


def _fits_whole(source: str) -> str:
    try:
        compiled(source, weight=0)
    except PatternError as error:
        raise PydanticCustomError("pattern", "{what}", {"what": str(error)}) from None
    return source


def _found_anywhere(source: str) -> str:
    try:
        compile_pattern(source)
    except PatternError as error:
        raise PydanticCustomError("pattern", "{what}", {"what": str(error)}) from None
    return source


def _several(value: object) -> str:
    return "<mapping>" if isinstance(value, list | tuple) else "<plain>"


Whole = Annotated[Text, AfterValidator(_fits_whole)]
Anywhere = Annotated[Text, AfterValidator(_found_anywhere)]
OneOrMoreWhole = Annotated[
    Annotated[Whole, Tag("<plain>")]
    | Annotated[list[Whole], Field(min_length=1, max_length=100), Tag("<mapping>")],
    Discriminator(_several),
]
OneOrMoreAnywhere = Annotated[
    Annotated[Anywhere, Tag("<plain>")]
    | Annotated[list[Anywhere], Field(min_length=1, max_length=100), Tag("<mapping>")],
    Discriminator(_several),
]

Host = Annotated[str, StringConstraints(pattern=HOST, max_length=253)]


def _single(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise PydanticCustomError("single", "expected a text, a number, true or false")
    return value


Single = Annotated[
    Any, AfterValidator(_single), WithJsonSchema({"type": ["string", "number", "boolean"]})
]


class ArgumentRule(Entry):
    """What one argument may be. A list stands for each of its items."""

    match: Annotated[
        OneOrMoreWhole | None,
        Field(description="RE2; the whole value must match one of them, letter case counts."),
    ] = None
    refuse: Annotated[
        OneOrMoreAnywhere | None,
        Field(description="Patterns of which none may be found in it, letter case aside."),
    ] = None
    one_of: Annotated[
        list[Single] | None, Field(min_length=1, max_length=1_000, description="The only values.")
    ] = None
    hosts: Annotated[
        Annotated[list[Host], Field(min_length=1, max_length=1_000)] | None,
        Field(description="It is a web address of one of these; *.example.com is all below it."),
    ] = None
    min: Annotated[float | None, Field(description="It is a number of at least this.")] = None
    max: Annotated[float | None, Field(description="It is a number of at most this.")] = None
    max_length: Annotated[
        int | None, Field(ge=0, le=100_000_000, description="It has at most so many characters.")
    ] = None
    required: Annotated[bool | None, Field(description="true: it must be given.")] = None
    never_from: Annotated[
        ToolNames | None,
        Field(
            min_length=1,
            description="Tools whose results must not be copied into it; * stands for many.",
        ),
    ] = None

    @model_validator(mode="after")
    def _possible(self) -> ArgumentRule:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("range", "no number is at least 'min' and at most 'max'")
        return self


def steps_of(path: str) -> tuple[str, ...]:
    """`recipients.*.email`, or the same as a JSON pointer, `/recipients/*/email`. `*` is each item
    of a list, or each value of an object."""
    if path.startswith("/"):
        steps = path[1:].split("/")
        return tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)
    return tuple(path.split("."))


def _path(path: str) -> str:
    steps = steps_of(path)
    if len(steps) > MOST_STEPS or not all(steps):
        raise PydanticCustomError("path", SHAPES[ARGUMENT])
    return path


ArgumentPath = Annotated[
    str, StringConstraints(pattern=ARGUMENT, max_length=200), AfterValidator(_path)
]


# -- a tool, and all of them ---------------------------------------------------------------------


class ToolRuleEntry(Entry):
    """What one tool may be called with."""

    arguments: Annotated[
        Annotated[dict[ArgumentPath, ArgumentRule], Field(min_length=1, max_length=MOST_ARGUMENTS)]
        | None,
        Field(description="By name or path: to, message.to, recipients.*.email."),
    ] = None
    additional: Annotated[
        bool | None,
        Field(description="false: no other arguments than those under `arguments`."),
    ] = None
    never_from: Annotated[
        ToolNames | None,
        Field(
            min_length=1,
            description="Tools whose results must not be copied into any of them; * stands for "
            "many.",
        ),
    ] = None
    action: Annotated[
        ToolAction | None, Field(description="What a breach leads to. Default: the section's.")
    ] = None
    severity: Annotated[
        Severity | None, Field(description="For people and for routing. Default: the section's.")
    ] = None
    reply: Annotated[
        TextOrEach | None, Field(description="What a person sees instead of replies.blocked.")
    ] = None


class ToolsSection(Entry):
    """Which tools may be called, and with what."""

    allow: Annotated[
        ToolNames | None,
        Field(
            description="The only tools that may be called; [] allows none. * stands for many: "
            "mcp__github__*."
        ),
    ] = None
    deny: Annotated[
        ToolNames | None,
        Field(
            description="Tools that may not be called, by any spelling; holds over allow. * stands "
            "for many."
        ),
    ] = None
    rules: Annotated[
        Annotated[dict[ToolPattern, ToolRuleEntry], Field(max_length=MOST_TOOLS)] | None,
        Field(
            description="What a tool may be called with. * stands for many tools; all rules that "
            "fit one hold."
        ),
    ] = None
    action: Annotated[
        ToolAction | None, Field(description="What a breach leads to. Default: block.")
    ] = None
    severity: Annotated[
        Severity | None, Field(description="For people and for routing. Default: medium.")
    ] = None
    reply: Annotated[
        TextOrEach | None, Field(description="What a person sees instead of replies.blocked.")
    ] = None


# -- what they come to ---------------------------------------------------------------------------

Argument = Mapping[str, Any]
"""What is said of one argument, lists in the long form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Which file says something, and where."""

    origin: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRule:
    """What one tool may be called with. What it does not say itself is the section's."""

    arguments: Mapping[str, Argument] = field(default_factory=dict)
    additional: bool = True
    never_from: tuple[str, ...] = ()
    action: ToolAction | None = None
    severity: Severity | None = None
    reply: Replies | None = None
    written: Written | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tooling:
    """The resolved section. `allow` is None where any tool may be called that is not denied."""

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    rules: Mapping[str, ToolRule] = field(default_factory=dict)
    action: ToolAction | None = None
    severity: Severity | None = None
    reply: Replies | None = None
    written: Mapping[str, Written] = field(default_factory=dict, compare=False)
    """Of `allow` and `deny`."""

    @property
    def is_empty(self) -> bool:
        return self.allow is None and not self.deny and not self.rules

    def ids(self) -> list[str]:
        """The principles that come of it."""
        found = [*(["tools.allow"] if self.allow is not None else [])]
        found += ["tools.deny"] if self.deny else []
        for name, rule in self.rules.items():
            if checks_arguments(rule):
                found.append(f"tools.arguments.{name}")
            if keeps_apart(rule):
                found.append(f"tools.never-from.{name}")
        return found

    def actions(self) -> list[ToolAction]:
        """What breaches of its principles lead to."""
        common = self.action or "block"
        lists = [common] if self.allow is not None or self.deny else []
        return [*lists, *(rule.action or common for rule in self.rules.values())]


def checks_arguments(rule: ToolRule) -> bool:
    """Whether it says more of the arguments than where they may not come from."""
    return not rule.additional or any(
        said.keys() - {"never_from"} for said in rule.arguments.values()
    )


def keeps_apart(rule: ToolRule) -> bool:
    """Whether something may not flow into it."""
    return bool(rule.never_from) or any("never_from" in said for said in rule.arguments.values())


def said_of(entry: ArgumentRule) -> Argument:
    """An argument's entry with lists where one pattern stands by itself."""
    said = entry.model_dump(mode="json", exclude_unset=True)
    return {
        key: [value] if key in ("match", "refuse") and isinstance(value, str) else value
        for key, value in said.items()
    }


def says_something(entry: BaseModel) -> bool:
    return bool(entry.model_fields_set & {"arguments", "additional", "never_from"})
