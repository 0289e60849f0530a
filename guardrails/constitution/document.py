"""The keys of a constitution file and what may stand under each: one model per mapping.

Nothing is coerced: `"1"` is no number and `true` no text. What is not said stays unset
(`model_fields_set`), so that defaults and parents can have their word. Descriptions are what an
editor shows; the JSON Schema is made from these models.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from guardrails.constitution.attachments import AttachmentsSection
from guardrails.constitution.cases import TestEntry
from guardrails.constitution.forms import (
    SEMVER,
    UNIQUE,
    Entry,
    Id,
    Label,
    Languages,
    Parent,
    different,
)
from guardrails.constitution.relaxing import RelaxEntry, WithdrawEntry
from guardrails.constitution.sections import (
    BudgetEntry,
    CacheEntry,
    Defaults,
    JudgeEntry,
    PiiSection,
    PrincipleEntry,
    RepliesEntry,
    RevisionEntry,
    StreamEntry,
)
from guardrails.constitution.tools import ToolsSection

__all__ = ["File", "Head"]


def _one(format: int) -> int:
    if format != 1:
        raise PydanticCustomError("format", "this release reads files of schema 1")
    return format


def _each_parent_once(parents: list[str]) -> list[str]:
    different([parent.partition("@")[0] for parent in parents])
    return parents


class Head(Entry):
    """A constitution: the principles that an LLM feature is held to."""

    format: Annotated[
        int,
        Field(alias="schema", description="Of this format: 1."),
        AfterValidator(_one),
        WithJsonSchema({"const": 1}),
    ] = 1
    id: Annotated[Id, Field(description="The constitution's name.")]
    version: Annotated[
        str, StringConstraints(pattern=SEMVER, max_length=100), Field(description="As 1.0.0.")
    ]
    title: Annotated[Label | None, Field(description="For people.")] = None
    owner: Annotated[Label | None, Field(description="The team that answers for it.")] = None
    languages: Annotated[
        Languages | None, Field(description="What it was written for. Default: [en].")
    ] = None
    extends: Annotated[
        list[Parent],
        Field(max_length=20, description="Parents: id and versions, as base@^1."),
        UNIQUE,
        AfterValidator(_each_parent_once),
    ] = Field(default_factory=list)
    judge: Annotated[
        JudgeEntry | None, Field(description="Who judges, and how long one answer may take.")
    ] = None
    budget: Annotated[
        BudgetEntry | None, Field(description="Limits of one guarded call, both stages together.")
    ] = None
    revision: Annotated[
        RevisionEntry | None, Field(description="How often a model may try to mend a reply.")
    ] = None
    stream: Annotated[StreamEntry | None, Field(description="When streamed text is let go.")] = None
    cache: Annotated[CacheEntry | None, Field(description="How long a judge's word is kept.")] = (
        None
    )
    replies: Annotated[
        RepliesEntry | None,
        Field(description="What a person sees instead; a text, or one per language."),
    ] = None
    defaults: Annotated[Defaults | None, Field(description="For this file's own principles.")] = (
        None
    )
    pii: Annotated[
        PiiSection | None,
        Field(description="Per stage, what happens to which kind of personal data."),
    ] = None
    attachments: Annotated[
        AttachmentsSection | None,
        Field(
            description="Per stage, what follows from images, sounds and files, which no critic "
            "can read: flag lets them through. Default: what principles say in doubt."
        ),
    ] = None
    tools: Annotated[
        ToolsSection | None,
        Field(description="Which tools may be called, with what arguments, and fed by what."),
    ] = None


class File(Head):
    """The whole file: the head and its lists, whose entries are checked one by one."""

    model_config = ConfigDict(title="Constitution")

    withdraw: Annotated[
        list[WithdrawEntry], Field(max_length=1_000, description="With a reason each.")
    ] = Field(default_factory=list)
    relax: Annotated[
        list[RelaxEntry],
        Field(max_length=1_000, description="The only way to make something inherited milder."),
    ] = Field(default_factory=list)
    principles: Annotated[
        list[PrincipleEntry], Field(max_length=1_000, description="Order is precedence.")
    ]
    tests: Annotated[
        list[TestEntry], Field(max_length=5_000, description="The gate for a change.")
    ] = Field(default_factory=list)
