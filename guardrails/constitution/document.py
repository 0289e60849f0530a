"""The keys of a constitution file and what may stand under each: one model per mapping.

Nothing is coerced: `"1"` is no number and `true` no text. What is not said stays unset
(`model_fields_set`), so that defaults and parents can have their word. Descriptions are what an
editor shows; the JSON Schema is made from these models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from guardrails.constitution.attachments import AttachmentsSection
from guardrails.constitution.cases import TestEntry
from guardrails.constitution.forms import (
    FORM,
    PII_ID,
    SEMVER,
    SETTINGS,
    UNIQUE,
    ActionOrEach,
    AnyId,
    Entry,
    Id,
    Label,
    Languages,
    LongText,
    Parent,
    PiiAction,
    Role,
    Stages,
    Text,
    TextOrEach,
    different,
)
from guardrails.constitution.mention import Critics, Entity
from guardrails.constitution.model import OnDoubt, Uncovered
from guardrails.constitution.routing import RoutingEntry
from guardrails.constitution.tools import ToolsSection
from guardrails.verdict import Severity, Stage

__all__ = [
    "Defaults",
    "ExamplePair",
    "ExamplesEntry",
    "File",
    "Head",
    "PiiRule",
    "PrincipleEntry",
    "PrincipleFields",
    "RelaxAttachments",
    "RelaxEntry",
    "RelaxPrinciple",
    "RelaxTools",
    "WithdrawEntry",
]


class ExamplePair(Entry):
    prompt: Annotated[LongText, Field(description="What was asked.")]
    reply: Annotated[LongText, Field(description="What was answered.")]


ExampleEntry = Annotated[
    Annotated[LongText, Tag("<plain>")] | Annotated[ExamplePair, Tag("<mapping>")], FORM
]


class ExamplesEntry(Entry):
    breach: Annotated[
        list[ExampleEntry], Field(max_length=500, description="Texts that breach the principle.")
    ] = Field(default_factory=list)
    fine: Annotated[
        list[ExampleEntry],
        Field(max_length=500, description="Texts that do not, as near to a breach as you can."),
    ] = Field(default_factory=list)


class RemedyEntry(Entry):
    """What turns a breach into something that may be delivered."""

    rewrite: Annotated[Text | None, Field(description="What the model that revises should do.")] = (
        None
    )
    replace_sentence: Annotated[
        Annotated[str, StringConstraints(max_length=10_000)] | None,
        Field(
            description='Stands in for the sentence of the breach; "" drops it. No model needed.'
        ),
    ] = None
    append: Annotated[
        Text | None,
        Field(description="Is added at the end, for what had to be there. No model needed."),
    ] = None


class SourceEntry(Entry):
    title: Annotated[Text, Field(description="Law, guideline or policy.")]
    clause: Annotated[Label | None, Field(description="Where in it.")] = None
    url: Annotated[Text | None, Field(description="Where it can be read.")] = None


class PrincipleFields(Entry):
    """Everything a principle can say besides its id."""

    text: Annotated[
        Text | None, Field(description="The rule: one idea, so that a stranger could apply it.")
    ] = None
    breach: Annotated[Text | None, Field(description="What counts as a breach.")] = None
    not_breach: Annotated[
        Text | None, Field(description="What looks like a breach and is none.")
    ] = None
    severity: Annotated[
        Severity | None,
        Field(description="For people and for routing, never for the verdict. Default: medium."),
    ] = None
    stages: Annotated[
        Stages | None, Field(description="Where around the call it holds. Default: [output].")
    ] = None
    scope: Annotated[
        Literal["part", "reply"] | None,
        Field(description="part: may be judged while it streams; reply: only whole."),
    ] = None
    requires: Annotated[
        bool | None,
        Field(description="true: asks for something to be there. Default: false."),
    ] = None
    action: Annotated[
        ActionOrEach | None,
        Field(description="What a breach leads to; one, or one per stage. Default: block."),
    ] = None
    on_undecided: Annotated[
        OnDoubt | None, Field(description="What a doubt leads to. Default: block.")
    ] = None
    on_outage: Annotated[
        OnDoubt | None, Field(description="What an outage of a critic leads to. Default: block.")
    ] = None
    uncovered: Annotated[
        Uncovered | None,
        Field(description="Offline, when only a model could settle it. Default: accept."),
    ] = None
    locked: Annotated[
        bool | None, Field(description="true: no child may relax or withdraw it.")
    ] = None
    applies: Annotated[
        dict[Label, Annotated[list[Label], Field(min_length=1, max_length=100)]] | None,
        Field(description="Only for callers whose attributes say so, as {audience: [patient]}."),
    ] = None
    critics: Annotated[
        Critics | None, Field(description="Who looks. Default: [negative_examples, judge].")
    ] = None
    remedy: Annotated[
        RemedyEntry | None,
        Field(description="How a breach is revised, where the action is revise."),
    ] = None
    examples: Annotated[ExamplesEntry | None, Field(description="Both sides of the boundary.")] = (
        None
    )
    reply: Annotated[
        TextOrEach | None, Field(description="What a person sees instead of replies.blocked.")
    ] = None
    source: Annotated[SourceEntry | None, Field(description="What the principle rests on.")] = None


class PrincipleEntry(PrincipleFields):
    """A principle; or, under an inherited id, what this file adds to it."""

    id: Annotated[Id, Field(description="Dotted, stable, never used again.")]


class PrincipleChange(PrincipleFields):
    unless: Annotated[
        list[Text] | None,
        Field(max_length=500, description="Takes the place of `unless` of the critic `pattern`."),
    ] = None


class BudgetEntry(Entry):
    """Limits of one guarded call, both stages together."""

    deadline_s: Annotated[
        float | None, Field(gt=0, le=3_600, description="Time the guard may add. Default: 20.")
    ] = None
    max_chars: Annotated[
        int | None, Field(ge=1, le=100_000_000, description="Default: 1000000.")
    ] = None
    max_calls: Annotated[
        int | None, Field(ge=0, le=10_000, description="Calls of models. Default: 16.")
    ] = None
    max_tokens: Annotated[
        int | None, Field(ge=0, le=100_000_000, description="Default: 100000.")
    ] = None
    max_cost_usd: Annotated[
        float | None, Field(ge=0, le=1_000_000, description="Default: no limit.")
    ] = None


class JudgeEntry(Entry):
    cascade: Annotated[
        Annotated[list[Role], Field(min_length=1), UNIQUE, AfterValidator(different)] | None,
        Field(description="Roles, cheapest first; settings say which model plays each."),
    ] = None
    timeout_s: Annotated[
        float | None, Field(gt=0, le=600, description="For one answer. Default: 10.")
    ] = None
    routing: Annotated[
        RoutingEntry | None,
        Field(description="Where in the cascade an exchange starts, and what is checked."),
    ] = None


class RevisionEntry(Entry):
    max_attempts: Annotated[int | None, Field(ge=0, le=3, description="Default: 1.")] = None


class StreamEntry(Entry):
    release: Annotated[
        Literal["auto", "whole"] | None,
        Field(description="auto: as soon as judged; whole: only when all is judged."),
    ] = None


class CacheEntry(Entry):
    ttl_s: Annotated[int | None, Field(ge=0, le=31_536_000, description="Default: 86400.")] = None


class RepliesEntry(Entry):
    """What a person sees instead; a text, or one per language."""

    blocked: Annotated[TextOrEach | None, Field(description="Instead of what was blocked.")] = None
    unavailable: Annotated[
        TextOrEach | None, Field(description="When the check itself cannot be made.")
    ] = None


class Defaults(Entry):
    """For this file's own principles."""

    stages: Annotated[
        Stages | None, Field(description="Where around the call they hold. Default: [output].")
    ] = None
    on_undecided: Annotated[
        OnDoubt | None, Field(description="What a doubt leads to. Default: block.")
    ] = None
    on_outage: Annotated[
        OnDoubt | None, Field(description="What an outage of a critic leads to. Default: block.")
    ] = None
    uncovered: Annotated[
        Uncovered | None,
        Field(description="Offline, when only a model could settle it. Default: accept."),
    ] = None


class PiiRule(Entry):
    action: Annotated[PiiAction, Field(description="What happens to it; mildest first.")]
    min_score: Annotated[
        float | None, Field(ge=0, le=1, description="Presidio's score. Default: 0.5.")
    ] = None


PiiEntry = Annotated[
    Annotated[PiiAction, Tag("<plain>")] | Annotated[PiiRule, Tag("<mapping>")], FORM
]
MAX_ENTITIES = 200


def _not_too_many(entities: Any) -> Any:
    """Before each is looked at: to say what a misspelt one may have meant takes time."""
    if isinstance(entities, dict) and len(entities) > MAX_ENTITIES:
        raise PydanticKnownError(
            "too_long",
            {
                "field_type": "Dictionary",
                "max_length": MAX_ENTITIES,
                "actual_length": len(entities),
            },
        )
    return entities


PiiStage = Annotated[
    dict[Entity, PiiEntry], Field(max_length=MAX_ENTITIES), BeforeValidator(_not_too_many)
]
Keep = Annotated[list[Label], Field(max_length=1_000)]


class PiiSection(Entry):
    """Per stage, what happens to which kind of personal data."""

    input: Annotated[PiiStage | None, Field(description="In what people write.")] = None
    output: Annotated[PiiStage | None, Field(description="In replies.")] = None
    tool_call: Annotated[PiiStage | None, Field(description="In what tools are told.")] = None
    tool_result: Annotated[PiiStage | None, Field(description="In what tools give back.")] = None
    retrieval: Annotated[PiiStage | None, Field(description="In documents that are found.")] = None
    keep: Annotated[Keep | None, Field(description="Values that are nobody's secret.")] = None

    def _at(self, stage: Stage) -> Mapping[str, PiiAction | PiiRule]:
        return getattr(self, stage) or {}

    def rules(self) -> dict[tuple[Stage, str], PiiRule]:
        """Stage and entity → rule, in the long form."""
        return {
            (stage, entity): said if isinstance(said, PiiRule) else PiiRule(action=said)
            for stage in Stage
            for entity, said in self._at(stage).items()
        }


class WithdrawEntry(Entry):
    id: Annotated[AnyId, Field(description="An inherited principle that does not hold here.")]
    reason: Annotated[Text, Field(description="Why; `show` and `diff` print it.")]


_SET = Field(description="What becomes milder; a list takes the place of the inherited one.")


class RelaxPrinciple(WithdrawEntry):
    id: Annotated[Id, Field(description="An inherited principle.")]
    set: Annotated[PrincipleChange, _SET]


class RelaxBudget(WithdrawEntry):
    id: Literal["budget"]
    set: Annotated[BudgetEntry, _SET]


class RelaxJudge(WithdrawEntry):
    id: Literal["judge"]
    set: Annotated[JudgeEntry, _SET]


class RelaxStream(WithdrawEntry):
    id: Literal["stream"]
    set: Annotated[StreamEntry, _SET]


class RelaxRevision(WithdrawEntry):
    id: Literal["revision"]
    set: Annotated[RevisionEntry, _SET]


class KeepChange(Entry):
    keep: Annotated[Keep, Field(description="All values that are nobody's secret.")]


class RelaxKeep(WithdrawEntry):
    id: Literal["pii.keep"]
    set: Annotated[KeepChange, _SET]


class PiiChange(Entry):
    action: Annotated[PiiAction | None, Field(description="What happens to it.")] = None
    min_score: Annotated[float | None, Field(ge=0, le=1, description="Presidio's score.")] = None


class RelaxPii(WithdrawEntry):
    id: Annotated[
        str,
        StringConstraints(pattern=PII_ID, max_length=120),
        Field(description="A kind of personal data at a stage, as pii.output.EMAIL_ADDRESS."),
    ]
    set: Annotated[PiiChange, _SET]


class RelaxAttachments(WithdrawEntry):
    id: Literal["attachments"]
    set: Annotated[AttachmentsSection, _SET]


class RelaxTools(WithdrawEntry):
    id: Literal["tools"]
    set: Annotated[ToolsSection, _SET]


def _relaxed(value: object) -> str:
    """Which kind of thing a relaxation is about, by its id."""
    id = value.get("id") if isinstance(value, dict) else getattr(value, "id", None)
    if id in SETTINGS or id in ("pii.keep", "tools"):
        return f"<{id}>"
    if id == "attachments" and _sets_stages(value):  # a principle may be called so
        return "<attachments>"
    return "<pii>" if isinstance(id, str) and id.startswith("pii.") else "<principle>"


def _sets_stages(value: object) -> bool:
    changes = value.get("set") if isinstance(value, dict) else getattr(value, "set", None)
    if isinstance(changes, BaseModel):
        return isinstance(changes, AttachmentsSection)
    return isinstance(changes, dict) and not changes.keys() & PrincipleChange.model_fields.keys()


RelaxEntry = Annotated[
    Annotated[RelaxPrinciple, Tag("<principle>")]
    | Annotated[RelaxBudget, Tag("<budget>")]
    | Annotated[RelaxJudge, Tag("<judge>")]
    | Annotated[RelaxStream, Tag("<stream>")]
    | Annotated[RelaxRevision, Tag("<revision>")]
    | Annotated[RelaxKeep, Tag("<pii.keep>")]
    | Annotated[RelaxTools, Tag("<tools>")]
    | Annotated[RelaxAttachments, Tag("<attachments>")]
    | Annotated[RelaxPii, Tag("<pii>")],
    Discriminator(_relaxed),
]


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
