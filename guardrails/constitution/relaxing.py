"""What of its parents a file lets go of: the entries of `withdraw` and `relax`. See `document`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
)
from pydantic_core import PydanticCustomError

from guardrails.constitution.attachments import AttachmentsSection
from guardrails.constitution.forms import (
    PII_ID,
    SETTINGS,
    SHAPES,
    AnyId,
    Entry,
    Id,
    PiiAction,
    Text,
)
from guardrails.constitution.sections import (
    BudgetEntry,
    JudgeEntry,
    Keep,
    PrincipleChange,
    RevisionEntry,
    StreamEntry,
)
from guardrails.constitution.spelling import meant
from guardrails.constitution.tools import ToolsSection

__all__ = [
    "RELAXED_TOGETHER",
    "RelaxAttachments",
    "RelaxEntry",
    "RelaxPrinciple",
    "RelaxTools",
    "WithdrawEntry",
]


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


RELAXED_TOGETHER = (*SETTINGS, "attachments", "tools")
"""What is relaxed as a whole section, under its own name."""

_FREE = ("cache", "defaults", "languages", "owner", "replies", "title")
"""What a child says freely."""


def _well_named(value: object) -> object:
    """An id that can be no principle's, with the one that was meant, before its `set` is read."""
    id, changes = (value.get("id"), value.get("set")) if isinstance(value, dict) else (None, None)
    if not isinstance(id, str) or len(id) > 120 or id in (*RELAXED_TOGETHER, "pii.keep"):
        return value
    section, _, below = id.partition(".")
    if section == "tools":
        lists = below in ("allow", "deny")
        inner = f"{below}: …" if lists else f"rules: {{{_tool(below)}: …}}"
        raise _misnamed(_together(section, inner))
    if section == "pii" and not re.match(PII_ID, id):
        raise _misnamed(f"{SHAPES[PII_ID]}, or pii.keep")
    if not isinstance(changes, dict) or not changes or _names_a_principle(changes):
        return value
    if section in RELAXED_TOGETHER and below:
        raise _misnamed(_together(section, f"{below}: …"))
    if id in _FREE:
        raise _misnamed(f"{id!r} needs no reason; say it at the top of the file")
    near = meant(id, RELAXED_TOGETHER)
    if near is not None:
        raise _misnamed(f"no principle is called so; did you mean {near!r}?")
    return value


def _names_a_principle(changes: dict[Any, Any]) -> bool:
    return bool(changes.keys() & PrincipleChange.model_fields.keys())


def _tool(below: str) -> str:
    return re.sub(r"^(arguments|never-from|rules)\.", "", below) or "TOOL"


def _together(section: str, inner: str) -> str:
    return (
        f"what is under {section!r} is relaxed together; write {{id: {section}, set: {{{inner}}}}}"
    )


def _misnamed(told: str) -> PydanticCustomError:
    return PydanticCustomError("misnamed", "{told}", {"told": told})


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
    BeforeValidator(_well_named),
]
