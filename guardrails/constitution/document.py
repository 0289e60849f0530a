"""The keys of a constitution file and what may stand under each: one model per mapping.

Nothing is coerced: `"1"` is no number and `true` no text. What is not said stays unset
(`model_fields_set`), so that defaults and parents can have their word. Descriptions are what an
editor shows; the JSON Schema is made from these models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError

from guardrails.constitution.model import Catalogue, CriticConfig, OnDoubt, Tier, Uncovered
from guardrails.constitution.spelling import did_you_mean
from guardrails.constitution.version import VERSION, Range
from guardrails.errors import CriticError
from guardrails.verdict import Severity, Stage

__all__ = [
    "SETTINGS",
    "SHAPES",
    "Defaults",
    "ExamplePair",
    "ExamplesEntry",
    "File",
    "Head",
    "Mention",
    "PiiRule",
    "PrincipleEntry",
    "PrincipleFields",
    "RelaxEntry",
    "RelaxPrinciple",
    "TestEntry",
    "WithdrawEntry",
    "failing",
    "mention",
    "read_configs",
    "split_pii_id",
]

_SEGMENT = "[a-z0-9][a-z0-9-]*"
_STAGES = "|".join(Stage)
ID = rf"^{_SEGMENT}(\.{_SEGMENT})*$"
PII_ID = rf"^pii\.({_STAGES})\.[A-Z][A-Z0-9_]*$"
ANY_ID = rf"{ID}|{PII_ID}"
ENTITY = "^[A-Z][A-Z0-9_]*$"
LANGUAGE = "^[a-z]{2,3}(-[a-z0-9]{2,8})*$"
SEMVER = f"^{VERSION}$"
PARENT = rf"^{_SEGMENT}(\.{_SEGMENT})*(@[ ^~<>=0-9A-Za-z.+-]+)?$"
SETTINGS = ("budget", "judge", "stream", "revision")
RESERVED = rf"^({'|'.join(SETTINGS)}|pii(\..*)?)$"

SHAPES: Mapping[str, str] = {
    r"\S": "expected some text",
    ID: "expected lower-case words of a-z, 0-9 and '-' joined by dots, as 'med.dosage.advice'",
    ANY_ID: "expected a principle's id, as 'med.dosage.advice' or 'pii.output.EMAIL_ADDRESS'",
    PII_ID: "expected pii.<stage>.<ENTITY>, as 'pii.output.EMAIL_ADDRESS'",
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


def _different(items: list[Any]) -> list[Any]:
    if len(set(items)) < len(items):
        raise PydanticCustomError("twice", "the list holds one thing twice; keep one")
    return items


def _one(format: int) -> int:
    if format != 1:
        raise PydanticCustomError("format", "this release reads files of schema 1")
    return format


def _each_parent_once(parents: list[str]) -> list[str]:
    _different([parent.partition("@")[0] for parent in parents])
    return parents


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
_UNIQUE = Field(json_schema_extra={"uniqueItems": True})


def _form(value: object) -> str:
    """Which of two forms a value takes; the angle brackets keep the tag apart from any key."""
    return "<mapping>" if isinstance(value, dict | BaseModel) else "<plain>"


_FORM = Discriminator(_form)
TextOrEach = Annotated[
    Annotated[Text, Tag("<plain>")]
    | Annotated[dict[Language, Text], Field(min_length=1), Tag("<mapping>")],
    _FORM,
]
ActionOrEach = Annotated[
    Annotated[PrincipleAction, Tag("<plain>")]
    | Annotated[dict[StageName, PrincipleAction], Field(min_length=1), Tag("<mapping>")],
    _FORM,
]
Stages = Annotated[
    list[StageName], Field(min_length=1, max_length=5), _UNIQUE, AfterValidator(_different)
]
Languages = Annotated[
    list[Language], Field(min_length=1, max_length=100), _UNIQUE, AfterValidator(_different)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A critic named by a principle; `config` has passed the critic's own model."""

    name: str
    tier: Tier
    config: CriticConfig


@lru_cache(maxsize=256)
def _adapter(config: type[CriticConfig]) -> TypeAdapter[dict[str, CriticConfig]]:
    """Validates `{name: config}`, so that the name is in the place of an error."""
    return TypeAdapter(dict[str, config])  # type: ignore[valid-type]  # known at run time only


def read_configs(config: type[CriticConfig], values: Mapping[str, Any]) -> dict[str, CriticConfig]:
    """Hold `{name: values}` against a critic's model, strictly, as JSON: a list may be its tuple.

    Raises pydantic's ValidationError.
    """
    return _adapter(config).validate_json(json.dumps(values), strict=True)


def mention(name: str, catalogue: Catalogue, config: Mapping[str, Any] | None = None) -> Mention:
    """A critic of the catalogue with its configuration checked. Raises what pydantic expects."""
    entry = _look_up(name, catalogue)
    try:
        checked = read_configs(entry.config, {name: {} if config is None else config})[name]
        checked.model_dump(mode="json")
    except ValidationError:
        raise
    except Exception as error:  # a foreign critic's own checks may fail in any way
        raise PydanticCustomError("critic", "{error}", {"error": failing(name, error)}) from None
    return Mention(name=name, tier=entry.tier, config=checked)


def failing(name: str, error: Exception) -> str:
    """What is said of a critic that fails where it should tell what is wrong."""
    return f"the critic {name!r} fails on its settings: {type(error).__name__}: {error}"


def _mention(value: Any, info: ValidationInfo) -> Mention:
    catalogue: Catalogue = info.context or {}
    if isinstance(value, str):
        return mention(value, catalogue)
    if not isinstance(value, dict) or len(value) != 1:
        raise PydanticCustomError(
            "critic", "expected a critic's name, or one name with its configuration below it"
        )
    ((name, config),) = value.items()
    if config is None:
        raise PydanticCustomError(
            "empty", "has no configuration; write it as '- {name}'", {"name": name}
        )
    _refuse_empty(name, config)
    return mention(name, catalogue, config)


def _refuse_empty(name: str, config: Any) -> None:
    """An empty setting is an error as it is anywhere in a file, never a quiet default."""
    if isinstance(config, dict) and (empty := [key for key in config if config[key] is None]):
        wrong = [InitErrorDetails(type=EMPTY, loc=(name, key), input=None) for key in empty]
        raise ValidationError.from_exception_data("critic", wrong)


def _as_written(said: Mention) -> Any:
    config = said.config.model_dump(mode="json", exclude_unset=True)
    return {said.name: config} if config else said.name


def _look_up(name: str, catalogue: Catalogue) -> Any:
    if name not in catalogue:
        near = did_you_mean(name, catalogue)
        known = ", ".join(catalogue)
        raise PydanticCustomError(
            "critic", "unknown critic; {hint}", {"hint": near or f"known are {known}"}
        )
    try:
        return catalogue[name]
    except CriticError as error:
        raise PydanticCustomError("critic", "{error}", {"error": str(error)}) from None


def _each_once(mentions: list[Mention]) -> list[Mention]:
    _different([mention.name for mention in mentions])
    return mentions


def _entity(name: str, info: ValidationInfo) -> str:
    """The kind of personal data must be one that the critic `pii` can find."""
    config = _look_up("pii", info.context or {}).config
    config.model_validate_json(json.dumps({"entity": name}))
    return name


Entity = Annotated[str, StringConstraints(pattern=ENTITY, max_length=60), AfterValidator(_entity)]
Critics = Annotated[
    list[
        Annotated[
            Mention,
            PlainValidator(_mention),
            PlainSerializer(_as_written),
            WithJsonSchema({}),  # `schema` says it
        ]
    ],
    Field(min_length=1, max_length=50),
    _UNIQUE,
    AfterValidator(_each_once),
]


class ExamplePair(Entry):
    prompt: Annotated[LongText, Field(description="What was asked.")]
    reply: Annotated[LongText, Field(description="What was answered.")]


ExampleEntry = Annotated[
    Annotated[LongText, Tag("<plain>")] | Annotated[ExamplePair, Tag("<mapping>")], _FORM
]


class ExamplesEntry(Entry):
    breach: Annotated[
        list[ExampleEntry], Field(max_length=500, description="Texts that breach the principle.")
    ] = []
    fine: Annotated[
        list[ExampleEntry],
        Field(max_length=500, description="Texts that do not, as near to a breach as you can."),
    ] = []


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
        Annotated[list[Role], Field(min_length=1), _UNIQUE, AfterValidator(_different)] | None,
        Field(description="Roles, cheapest first; settings say which model plays each."),
    ] = None
    timeout_s: Annotated[
        float | None, Field(gt=0, le=600, description="For one answer. Default: 10.")
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
    Annotated[PiiAction, Tag("<plain>")] | Annotated[PiiRule, Tag("<mapping>")], _FORM
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


def _relaxed(value: object) -> str:
    """Which kind of thing a relaxation is about, by its id."""
    id = value.get("id") if isinstance(value, dict) else getattr(value, "id", None)
    if id in SETTINGS or id == "pii.keep":
        return f"<{id}>"
    return "<pii>" if isinstance(id, str) and id.startswith("pii.") else "<principle>"


RelaxEntry = Annotated[
    Annotated[RelaxPrinciple, Tag("<principle>")]
    | Annotated[RelaxBudget, Tag("<budget>")]
    | Annotated[RelaxJudge, Tag("<judge>")]
    | Annotated[RelaxStream, Tag("<stream>")]
    | Annotated[RelaxRevision, Tag("<revision>")]
    | Annotated[RelaxKeep, Tag("<pii.keep>")]
    | Annotated[RelaxPii, Tag("<pii>")],
    Discriminator(_relaxed),
]


class ToolEntry(Entry):
    name: Annotated[Label, Field(description="The tool's name.")]
    arguments: Annotated[dict[str, Any], Field(description="What it is called with.")] = {}


def _said(value: object) -> str:
    return "<omission>" if isinstance(value, bool) else "<quote>"


class ScriptedBreach(Entry):
    breach: Annotated[
        Annotated[Literal[True], Tag("<omission>")] | Annotated[LongText, Tag("<quote>")],
        Discriminator(_said),
        Field(description="The quote that is the breach; true for an omission."),
    ]


NEEDED: Mapping[str, str] = {
    "input": "prompt",
    "output": "reply",
    "tool_call": "tool",
    "tool_result": "result",
    "retrieval": "documents",
}
"""What a test must give for its stage."""

_NEEDED_SCHEMA: dict[str, Any] = {
    "allOf": [
        {
            "if": {"required": ["stage"], "properties": {"stage": {"const": stage}}},
            "then": {"required": [key]},
        }
        for stage, key in NEEDED.items()
    ],
    "anyOf": [{"required": [key]} for key in ("stage", "prompt", "reply")],
}


class TestEntry(Entry):
    """One case that the constitution must decide as it says here."""

    __test__ = False  # pytest takes the name for its own
    model_config = ConfigDict(json_schema_extra=_NEEDED_SCHEMA)

    name: Annotated[Label, Field(description="What the test is about; reports name it.")]
    stage: Annotated[
        StageName | None, Field(description="Default: output if there is a reply, else input.")
    ] = None
    prompt: Annotated[
        LongText | None, Field(description="What somebody asks; judged at the stage input.")
    ] = None
    reply: Annotated[LongText | None, Field(description="What is answered.")] = None
    documents: Annotated[
        Annotated[list[LongText], Field(min_length=1, max_length=100)] | None,
        Field(description="What is found, at the stage retrieval."),
    ] = None
    tool: Annotated[
        ToolEntry | None, Field(description="The call, at the stages tool_call and tool_result.")
    ] = None
    result: Annotated[
        LongText | None, Field(description="What a tool gives back, at the stage tool_result.")
    ] = None
    attributes: Annotated[
        dict[
            Label,
            Annotated[
                Annotated[Label, Tag("<plain>")] | Annotated[list[Label], Tag("<mapping>")],
                Discriminator(lambda v: "<mapping>" if isinstance(v, list) else "<plain>"),
            ],
        ]
        | None,
        Field(description="Who is asking, for principles with applies."),
    ] = None
    language: Annotated[Language | None, Field(description="Of the replies.")] = None
    judge: Annotated[
        dict[AnyId, ScriptedBreach] | None,
        Field(description="What the judge says; what it does not name passes."),
    ] = None
    expect: Annotated[
        Literal["allow", "flag", "redact", "revise", "block", "escalate"],
        Field(description="The verdict."),
    ]
    breaches: Annotated[
        Annotated[list[AnyId], Field(max_length=1_000), _UNIQUE, AfterValidator(_different)] | None,
        Field(description="The principles that are breached: these and no others."),
    ] = None

    @property
    def at(self) -> Stage:
        return Stage(self.stage or ("output" if self.reply is not None else "input"))

    @model_validator(mode="after")
    def _has_what_its_stage_needs(self) -> Self:
        if getattr(self, NEEDED[self.at]) is None:
            raise PydanticCustomError(
                "needs",
                "a test at stage {stage} needs the key '{key}'",
                {"stage": str(self.at), "key": NEEDED[self.at]},
            )
        return self


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
        _UNIQUE,
        AfterValidator(_each_parent_once),
    ] = []
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


class File(Head):
    """The whole file: the head and its lists, whose entries are checked one by one."""

    model_config = ConfigDict(title="Constitution")

    withdraw: Annotated[
        list[WithdrawEntry], Field(max_length=1_000, description="With a reason each.")
    ] = []
    relax: Annotated[
        list[RelaxEntry],
        Field(max_length=1_000, description="The only way to make something inherited milder."),
    ] = []
    principles: Annotated[
        list[PrincipleEntry], Field(max_length=1_000, description="Order is precedence.")
    ]
    tests: Annotated[
        list[TestEntry], Field(max_length=5_000, description="The gate for a change.")
    ] = []


def split_pii_id(id: str) -> tuple[Stage, str]:
    """`pii.output.EMAIL_ADDRESS` → its stage and entity."""
    _, stage, entity = id.split(".", 2)
    return Stage(stage), entity
