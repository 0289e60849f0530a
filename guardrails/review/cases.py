"""Escalated cases over the record: listed, shown, and decided by a person. Nothing is delivered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from guardrails.audit.read import StoredRecord, escalated, show
from guardrails.audit.record import Outcome
from guardrails.audit.trail import open_trail
from guardrails.errors import GovernanceError
from guardrails.settings import Settings
from guardrails.verdict import Verdict

__all__ = ["case", "cases", "decide_case"]


def cases(trail: Path, *, number: int, undecided_only: bool) -> list[StoredRecord]:
    """The cases escalated last, oldest first. Raises AuditError."""
    found = escalated(trail, number)
    return [one for one in found if not (undecided_only and one.outcomes)]


def case(trail: Path, record_id: str) -> StoredRecord:
    """Raises GovernanceError if there is no such case, AuditError if the trail cannot be read."""
    found = show(trail, record_id)
    if found is None or found.opened is None:
        raise GovernanceError(f"there is no record {record_id!r} in {str(trail)!r}")
    if found.opened.verdict is not Verdict.ESCALATE:
        raise GovernanceError(
            f"record {record_id!r} was not escalated: its verdict is {found.opened.verdict}"
        )
    return found


async def decide_case(
    trail: Path,
    record_id: str,
    outcome: Literal["accept", "overrule"],
    *,
    by: str,
    reason: str,
    settings: Settings,
) -> Outcome:
    """Append what a person says of a case. A later outcome stands before an earlier one.

    Raises GovernanceError for what is no case, or for no name or reason; AuditError if the outcome
    cannot be recorded.
    """
    case(trail, record_id)
    try:
        said = Outcome(
            record_id=record_id, at=datetime.now(UTC), outcome=outcome, by=by, reason=reason
        )
    except ValidationError as error:
        wrong = ", ".join(sorted({str(item["loc"][0]) for item in error.errors()}))
        raise GovernanceError(
            f"{wrong}: expected some text, a name of up to 200 characters and a reason of up to "
            f"2,000"
        ) from None
    place = settings.model_copy(update={"audit": str(trail)})
    record = open_trail(place)
    try:
        await record.outcome(said)
    finally:
        await record.aclose()
    return said
