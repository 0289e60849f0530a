"""What can be typed behind `constitution review`."""

from __future__ import annotations

from typing import Annotated

import typer

from guardrails.cli.options import AsJson, Trail

__all__ = ["review"]

review = typer.Typer(help="Decide the cases that were escalated to a person.", no_args_is_help=True)

CaseId = Annotated[str, typer.Argument(metavar="RECORD", help="The case's record id.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the case.")]
Person = Annotated[str | None, typer.Option(help="Who says so; else the user of this machine.")]


@review.command("list")
def list_cases(
    file: Trail = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=10_000)] = 100,
    all_cases: Annotated[bool, typer.Option("--all", help="Decided ones, too.")] = False,
    as_json: AsJson = False,
) -> int:
    """List the newest cases that nobody has decided."""
    from guardrails.cli.review import list_cases

    return list_cases(file, number=number, all_cases=all_cases, as_json=as_json)


@review.command("show")
def show_case(record: CaseId, file: Trail = None, as_json: AsJson = False) -> int:
    """Show what is kept of a case, and what was said of it."""
    from guardrails.cli.review import show_case

    return show_case(file, record, as_json=as_json)


@review.command()
def accept(
    record: CaseId, reason: Reason, file: Trail = None, by: Person = None, as_json: AsJson = False
) -> int:
    """Say that a case was rightly stopped."""
    from guardrails.cli.review import decide

    return decide(file, record, "accept", by=by, reason=reason, as_json=as_json)


@review.command()
def overrule(
    record: CaseId, reason: Reason, file: Trail = None, by: Person = None, as_json: AsJson = False
) -> int:
    """Say that a case should have gone on; nothing is delivered by it."""
    from guardrails.cli.review import decide

    return decide(file, record, "overrule", by=by, reason=reason, as_json=as_json)
