"""The tests in a constitution file: the keys of a case, and what each stage needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from guardrails.constitution.forms import (
    UNIQUE,
    AnyId,
    Entry,
    Label,
    Language,
    LongText,
    StageName,
    different,
)
from guardrails.constitution.tools import ToolName
from guardrails.exchange import Attachment
from guardrails.verdict import Stage

__all__ = [
    "TestEntry",
]


class ToolEntry(Entry):
    name: Annotated[Label, Field(description="The tool's name.")]
    arguments: Annotated[dict[str, Any], Field(description="What it is called with.")] = Field(
        default_factory=dict
    )


def _said(value: object) -> str:
    return "<omission>" if isinstance(value, bool) else "<quote>"


class ScriptedBreach(Entry):
    breach: Annotated[
        Annotated[Literal[True], Tag("<omission>")] | Annotated[LongText, Tag("<quote>")],
        Discriminator(_said),
        Field(description="The quote that is the breach; true for an omission."),
    ]


SAYING: Mapping[Stage, str] = {
    Stage.OUTPUT: "reply",
    Stage.TOOL_RESULT: "result",
    Stage.TOOL_CALL: "tool",
    Stage.RETRIEVAL: "documents",
}
"""What a test must give for its stage, and what says the stage of a test that names none: the first
that is there. At the stage input it is a prompt, or attachments."""

BESIDE: Mapping[Stage, frozenset[str]] = {
    Stage.INPUT: frozenset({"prompt", "attachments"}),
    Stage.OUTPUT: frozenset({"prompt"}),
    Stage.TOOL_CALL: frozenset({"prompt", "results"}),
    Stage.TOOL_RESULT: frozenset({"prompt", "tool"}),
    Stage.RETRIEVAL: frozenset({"prompt"}),
}
"""What else a test of a stage may give."""

GIVEN = frozenset({*SAYING.values(), *(key for keys in BESIDE.values() for key in keys)})
BELONGS: Mapping[str, str] = {
    "attachments": "'attachments' are for tests at the stage input",
    "results": "'results' is for tests at the stage tool_call; one result is 'result'",
}
"""What is said of a key that is only for one stage."""


def _of_no_use(stage: Stage) -> frozenset[str]:
    return GIVEN - BESIDE[stage] - {SAYING.get(stage, "prompt")}


def _at(stage: Stage) -> dict[str, Any]:
    """What the JSON Schema asks of a test at a stage."""
    needed = [[SAYING[stage]]] if stage in SAYING else [["prompt"], ["attachments"]]
    return {
        "anyOf": [{"required": keys} for keys in needed],
        "properties": dict.fromkeys(sorted(_of_no_use(stage)), False),
    }


def _by_what_is_there() -> dict[str, Any]:
    """For a test that names no stage."""
    schema = _at(Stage.INPUT)
    for stage, key in reversed(list(SAYING.items())):
        schema = {"if": {"required": [key]}, "then": _at(stage), "else": schema}
    return schema


_STAGE_SCHEMA: dict[str, Any] = {
    "if": {"required": ["stage"]},
    "then": {
        "allOf": [
            {"if": {"properties": {"stage": {"const": str(stage)}}}, "then": _at(stage)}
            for stage in Stage
        ]
    },
    "else": _by_what_is_there(),
}


class TestEntry(Entry):
    """One case that the constitution must decide as it says here."""

    __test__ = False  # pytest takes the name for its own
    model_config = ConfigDict(json_schema_extra=_STAGE_SCHEMA)

    name: Annotated[Label, Field(description="What the test is about; reports name it.")]
    stage: Annotated[
        StageName | None,
        Field(
            description="Default: output if there is a reply, else tool_result for a result, "
            "tool_call for a tool, retrieval for documents, else input."
        ),
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
    results: Annotated[
        Annotated[dict[ToolName, LongText], Field(min_length=1, max_length=100)] | None,
        Field(description="By tool, what tools gave back before the call, at the stage tool_call."),
    ] = None
    attachments: Annotated[
        Annotated[list[Attachment], Field(min_length=1, max_length=100)] | None,
        Field(
            description="What is sent beside the prompt, at the stage input: image, audio, file."
        ),
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
        Annotated[list[AnyId], Field(max_length=1_000), UNIQUE, AfterValidator(different)] | None,
        Field(description="The principles that are breached: these and no others."),
    ] = None

    @property
    def at(self) -> Stage:
        if self.stage is not None:
            return Stage(self.stage)
        given = (stage for stage, key in SAYING.items() if getattr(self, key) is not None)
        return next(given, Stage.INPUT)

    @model_validator(mode="after")
    def _has_what_its_stage_needs(self) -> Self:
        key = SAYING.get(self.at, "prompt")
        if getattr(self, key) is None and not (self.at is Stage.INPUT and self.attachments):
            raise PydanticCustomError(
                "needs",
                "a test at stage {stage} needs the key '{key}'",
                {"stage": str(self.at), "key": key},
            )
        for said in sorted(_of_no_use(self.at) & self.model_fields_set):
            raise PydanticCustomError(
                "of_no_use",
                BELONGS.get(said, "'{key}' is of no use in a test at the stage {stage}"),
                {"stage": str(self.at), "key": said},
            )
        return self
