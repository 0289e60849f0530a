"""What stands in the sections of a constitution file, one model per mapping: principles, personal
data, budget, judge and the rest. See `document` for how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    Tag,
)
from pydantic_core import PydanticKnownError

from guardrails.constitution.forms import (
    FORM,
    UNIQUE,
    ActionOrEach,
    Entry,
    Id,
    Label,
    LongText,
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
from guardrails.verdict import Severity, Stage

__all__ = [
    "BudgetEntry",
    "CacheEntry",
    "Defaults",
    "ExamplePair",
    "ExamplesEntry",
    "JudgeEntry",
    "Keep",
    "PiiRule",
    "PiiSection",
    "PrincipleChange",
    "PrincipleEntry",
    "PrincipleFields",
    "RepliesEntry",
    "RevisionEntry",
    "StreamEntry",
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


OnUndecided = Annotated[OnDoubt | None, Field(description="What a doubt leads to. Default: block.")]
OnOutage = Annotated[
    OnDoubt | None, Field(description="What an outage of a critic leads to. Default: block.")
]
WhileUncovered = Annotated[
    Uncovered | None,
    Field(description="Offline, when only a model could settle it. Default: accept."),
]
"""What a principle and `defaults` may say alike."""


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
    on_undecided: OnUndecided = None
    on_outage: OnOutage = None
    uncovered: WhileUncovered = None
    locked: Annotated[
        bool | None, Field(description="true: no child may relax or withdraw it.")
    ] = None
    applies: Annotated[
        dict[Label, Annotated[list[Label], Field(min_length=1, max_length=100)]] | None,
        Field(
            description="Not for callers whose attributes say something else: "
            "{audience: [patient]} holds for patients, and where no audience is known."
        ),
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
    on_undecided: OnUndecided = None
    on_outage: OnOutage = None
    uncovered: WhileUncovered = None


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
