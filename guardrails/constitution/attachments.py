"""The section `attachments`: what follows from images, sounds and files, which no critic can read.

Where nobody says, it is what the strictest principle of the stage says in doubt. So that nothing
inherited gets milder by accident, a child that lets through more says so under `relax`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field, Tag

from guardrails.constitution.forms import FORM, Entry
from guardrails.constitution.report import Report
from guardrails.exchange import Attachment
from guardrails.verdict import Stage

__all__ = [
    "KINDS",
    "AttachmentAction",
    "Attachments",
    "AttachmentsSection",
    "common_attachments",
    "gravest",
    "relaxed_attachments",
    "tightened_attachments",
]

AttachmentAction = Literal["flag", "block"]
KINDS: tuple[Attachment, ...] = get_args(Attachment)
Attachments = Mapping[tuple[Stage, Attachment], AttachmentAction]

Doubts = Mapping[Stage, str | None]
"""The gravest that inherited principles of a stage say in doubt, None where there are none."""

USE_RELAX = "say so under 'relax' as attachments, with a reason"
_SCALE = ("flag", "block", "escalate")

OneOrEach = Annotated[
    Annotated[AttachmentAction, Tag("<plain>")]
    | Annotated[dict[Attachment, AttachmentAction], Field(min_length=1), Tag("<mapping>")],
    FORM,
]


class AttachmentsSection(Entry):
    """What follows from attachments, for all kinds or for each; flag lets them through."""

    input: Annotated[OneOrEach | None, Field(description="In what people send.")] = None
    output: Annotated[OneOrEach | None, Field(description="In replies.")] = None
    tool_result: Annotated[OneOrEach | None, Field(description="In what tools give back.")] = None
    retrieval: Annotated[OneOrEach | None, Field(description="In documents that are found.")] = None

    def rules(self) -> dict[tuple[Stage, Attachment], AttachmentAction]:
        """The long form, in one order."""
        said: dict[tuple[Stage, Attachment], AttachmentAction] = {}
        for stage in Stage:
            value: AttachmentAction | dict[Attachment, AttachmentAction] | None
            value = getattr(self, stage, None)
            each = value if isinstance(value, dict) else dict.fromkeys(KINDS, value)
            said |= {(stage, kind): way for kind in KINDS if (way := each.get(kind)) is not None}
        return said


def gravest(doubts: Iterable[str]) -> str | None:
    return max(doubts, key=_SCALE.index, default=None)


def _milder(action: str, inherited: str | None) -> bool:
    return inherited is not None and _SCALE.index(action) < _SCALE.index(inherited)


def common_attachments(parents: Iterable[tuple[Attachments, Doubts]]) -> Attachments:
    """What parents say together: what one lets through is kept by another's principles."""
    parents = [*parents]
    found: dict[tuple[Stage, Attachment], AttachmentAction] = {}
    for key in dict.fromkeys(key for said, _ in parents for key in said):
        each = [said.get(key) or doubts[key[0]] for said, doubts in parents]
        said_ones = [said[key] for said, _ in parents if key in said]
        strictest = gravest(doubt for doubt in each if doubt is not None)
        for action in said_ones:
            if action == strictest:
                found[key] = action
    return found


def tightened_attachments(
    old: Attachments, said: AttachmentsSection, doubts: Doubts, report: Report
) -> Attachments:
    """The inherited section with what a file says; what would let through more is reported."""
    new = dict(old)
    for (stage, kind), action in said.rules().items():
        inherited = old.get((stage, kind)) or doubts[stage]
        if _milder(action, inherited):
            what = f"{action!r} is milder than the inherited {inherited!r}"
            report.add(_place(said, stage, kind), what, USE_RELAX)
        else:
            new[stage, kind] = action
    return new


def relaxed_attachments(
    old: Attachments, said: AttachmentsSection, doubts: Doubts, report: Report
) -> Attachments:
    """The inherited section in which more is let through: for the whole stage, whatever single
    principles lock, for none of them could have read it."""
    new, report = dict(old), report.under("set")
    for (stage, kind), action in said.rules().items():
        inherited = old.get((stage, kind)) or doubts[stage]
        place = _place(said, stage, kind)
        if inherited == action or (inherited is None and action == "flag"):
            report.add(place, "the constitution says so already", "drop it")
        elif not _milder(action, inherited):
            report.add(place, "is no milder", "say it under 'attachments'")
        new[stage, kind] = action
    return new


def _place(said: AttachmentsSection, stage: Stage, kind: str) -> tuple[str, ...]:
    each = not isinstance(getattr(said, stage), str)
    return (str(stage), kind) if each else (str(stage),)
