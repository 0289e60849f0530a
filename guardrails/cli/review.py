"""`constitution review`: cases that were escalated to a person, over the record."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import Literal

from rich.text import Text

from guardrails.audit.read import StoredRecord
from guardrails.cli.documents import document
from guardrails.cli.outcome import Status
from guardrails.cli.screen import show as put
from guardrails.cli.screen import write_json
from guardrails.cli.trail import record_line, record_whole, trail_of
from guardrails.display.visible import visible
from guardrails.review.cases import case, cases, decide_case
from guardrails.settings import load_settings

__all__ = ["decide", "list_cases", "show_case"]

OUTCOMES = {"accept": ("accepted", "green"), "overrule": ("overruled", "magenta")}


def list_cases(file: Path | None, *, number: int, all_cases: bool, as_json: bool) -> int:
    """List the newest cases, oldest of them first: those nobody has decided, or all."""
    trail = trail_of(file)
    found = cases(trail, number=number, undecided_only=not all_cases)
    if as_json:
        write_json({"file": str(trail), "cases": document(found)})
        return Status.FINE
    lines = [_line(one) for one in found]
    put(*(lines or [Text("no case waits for a person", "dim")]), lines=True)
    return Status.FINE


def show_case(file: Path | None, record_id: str, *, as_json: bool) -> int:
    """Show what is kept of a case, and what was said of it."""
    found = case(trail_of(file), record_id)
    if as_json:
        write_json(document(found))
    else:
        put(record_whole(found))
    return Status.FINE


def decide(
    file: Path | None,
    record_id: str,
    outcome: Literal["accept", "overrule"],
    *,
    by: str | None,
    reason: str,
    as_json: bool,
) -> int:
    """Append what a person says of a case; without `by` it is the user of this machine."""
    trail = trail_of(file)
    said = asyncio.run(
        decide_case(
            trail,
            record_id,
            outcome,
            by=by or getpass.getuser(),
            reason=reason,
            settings=load_settings(),
        )
    )
    if as_json:
        write_json(document(said))
    else:
        word, style = OUTCOMES[outcome]
        put(Text.assemble((word, f"bold {style}"), visible(f" by {said.by}, recorded")))
    return Status.FINE


def _line(one: StoredRecord) -> Text:
    line = record_line(one)
    if one.outcomes:
        last = one.outcomes[-1]
        word, style = OUTCOMES[last.outcome]
        line.append(f"  {word}", style)
        line.append(visible(f" by {last.by}"), "dim")
    return line
