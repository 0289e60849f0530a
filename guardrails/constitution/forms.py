"""What single values of a constitution file look like: ids, texts, languages, lists of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
)
from pydantic_core import PydanticCustomError

from guardrails.constitution.version import VERSION, Range
from guardrails.verdict import Stage

__all__ = [
    "ANY_ID",
    "ARGUMENT",
    "EMPTY",
    "ENTITY",
    "FORM",
    "HOST",
    "ID",
    "LANGUAGE",
    "PARENT",
    "PII_ID",
    "RESERVED",
    "SEMVER",
    "SETTINGS",
    "SHAPES",
    "TOOL",
    "TOOLS",
    "UNIQUE",
    "ActionOrEach",
    "AnyId",
    "Entry",
    "Id",
    "Label",
    "Language",
    "Languages",
    "LongText",
    "Parent",
    "PiiAction",
    "PrincipleAction",
    "Role",
    "StageName",
    "Stages",
    "Text",
    "TextOrEach",
    "different",
    "form",
    "split_pii_id",
]


_SEGMENT = "[a-z0-9][a-z0-9-]*"
_STAGES = "|".join(Stage)
ID = rf"^{_SEGMENT}(\.{_SEGMENT})*$"
PII_ID = rf"^pii\.({_STAGES})\.[A-Z][A-Z0-9_]*$"
TOOL = "^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$"
TOOLS = "^[A-Za-z0-9_*][A-Za-z0-9_.:/*-]*$"
TOOL_ID = rf"^tools\.(allow|deny|(arguments|never-from)\.{TOOLS[1:-1]})$"
ARGUMENT = r"^\S+$"
HOST = r"^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
ANY_ID = rf"{ID}|{PII_ID}|{TOOL_ID}"
ENTITY = "^[A-Z][A-Z0-9_]*$"
LANGUAGE = "^[a-z]{2,3}(-[a-z0-9]{2,8})*$"
SEMVER = f"^{VERSION}$"
PARENT = rf"^{_SEGMENT}(\.{_SEGMENT})*(@[ ^~<>=0-9A-Za-z.+-]+)?$"
SETTINGS = ("budget", "judge", "stream", "revision")
RESERVED = rf"^({'|'.join(SETTINGS)}|(pii|tools)(\..*)?)$"

SHAPES: Mapping[str, str] = {
    r"\S": "expected some text",
    ID: "expected lower-case words of a-z, 0-9 and '-' joined by dots, as 'med.dosage.advice'",
    ANY_ID: "expected a principle's id, as 'med.dosage.advice', 'pii.output.EMAIL_ADDRESS' or "
    "'tools.never-from.send_mail'",
    PII_ID: "expected pii.<stage>.<ENTITY>, as 'pii.output.EMAIL_ADDRESS'",
    TOOL: "expected a tool's name of letters, digits and _ . : / -, as 'send_mail'",
    TOOLS: "expected a tool's name of letters, digits and _ . : / -, as 'send_mail', or with * for "
    "any of them, as 'mcp__github__*'",
    ARGUMENT: "expected an argument's name or path, as 'to', 'message.to' or '/message/to'",
    HOST: "expected a host in lower case, as 'example.com' or '*.example.com'",
    ENTITY: "expected an entity in capitals, as EMAIL_ADDRESS",
    LANGUAGE: "expected a language tag in lower case, as 'en' or 'pt-br'",
    SEMVER: "expected a semantic version, as 1.0.0",
    PARENT: "expected a parent's id and a range of versions, as base@^1",
}
"""What a text that does not fit a pattern should have been."""

Text = Annotated[str, StringConstraints(pattern=r"\S", max_length=10_000)]
LongText = Annotated[str, StringConstraints(pattern=r"\S", max_length=200_000)]
Label = Annotated[str, StringConstraints(pattern=r"\S", max_length=200)]
Language = Annotated[str, StringConstraints(pattern=LANGUAGE, max_length=35)]
AnyId = Annotated[str, StringConstraints(pattern=ANY_ID, max_length=120)]
StageName = Literal["input", "output", "tool_call", "tool_result", "retrieval"]
PrincipleAction = Literal["flag", "redact", "revise", "block", "escalate"]
PiiAction = Literal["allow", "flag", "mask", "redact", "block"]
Role = Literal["small", "medium", "large"]


EMPTY = PydanticCustomError("empty", "is empty; give a value or leave the key out")


def _not_reserved(id: str) -> str:
    if re.match(RESERVED, id):
        raise PydanticCustomError(
            "reserved", "the id is taken by the format itself; give the principle a name of its own"
        )
    return id


def different(items: list[Any]) -> list[Any]:
    if len(set(items)) < len(items):
        raise PydanticCustomError("twice", "the list holds one thing twice; keep one")
    return items


def _range(parent: str) -> str:
    _, at, versions = parent.partition("@")
    if at:
        Range(versions)
    return parent


Id = Annotated[
    str,
    StringConstraints(pattern=ID, max_length=100),
    AfterValidator(_not_reserved),
    Field(json_schema_extra={"not": {"pattern": RESERVED}}),
]
Parent = Annotated[str, StringConstraints(pattern=PARENT, max_length=200), AfterValidator(_range)]
UNIQUE = Field(json_schema_extra={"uniqueItems": True})


def form(value: object) -> str:
    """Which of two forms a value takes; the angle brackets keep the tag apart from any key."""
    return "<mapping>" if isinstance(value, dict | BaseModel) else "<plain>"


FORM = Discriminator(form)
TextOrEach = Annotated[
    Annotated[Text, Tag("<plain>")]
    | Annotated[dict[Language, Text], Field(min_length=1), Tag("<mapping>")],
    FORM,
]
ActionOrEach = Annotated[
    Annotated[PrincipleAction, Tag("<plain>")]
    | Annotated[dict[StageName, PrincipleAction], Field(min_length=1), Tag("<mapping>")],
    FORM,
]
Stages = Annotated[
    list[StageName], Field(min_length=1, max_length=5), UNIQUE, AfterValidator(different)
]
Languages = Annotated[
    list[Language], Field(min_length=1, max_length=100), UNIQUE, AfterValidator(different)
]


class Entry(BaseModel):
    """A mapping of the file. An empty value is an error, never a quiet default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    @field_validator("*", mode="before")
    @classmethod
    def _given(cls, value: Any) -> Any:
        if value is None:
            raise EMPTY
        return value


def split_pii_id(id: str) -> tuple[Stage, str]:
    """`pii.output.EMAIL_ADDRESS` → its stage and entity."""
    _, stage, entity = id.split(".", 2)
    return Stage(stage), entity
