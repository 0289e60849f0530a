"""What can be typed behind `constitution audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from guardrails.cli.options import AsJson, Trail

__all__ = ["audit"]

audit = typer.Typer(help="Read and verify the record of decisions.", no_args_is_help=True)


@audit.command()
def tail(
    file: Trail = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=10_000)] = 10,
    as_json: AsJson = False,
) -> int:
    """List the newest records."""
    from guardrails.cli.trail import show_tail

    return show_tail(file, number=number, as_json=as_json)


@audit.command("show")
def show_record(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="The record's id.")],
    file: Trail = None,
    as_json: AsJson = False,
) -> int:
    """Show one record whole."""
    from guardrails.cli.trail import show_one

    return show_one(file, record, as_json=as_json)


@audit.command()
def verify(
    file: Trail = None,
    anchor: Annotated[Path | None, typer.Option(help="Where the chains' tips are kept.")] = None,
    key: Annotated[Path | None, typer.Option(help="The root key's file.")] = None,
    as_json: AsJson = False,
) -> int:
    """Prove that no record was changed, removed or reordered, and nothing left unjudged."""
    from guardrails.cli.trail import verify_trail

    return verify_trail(file, anchor=anchor, key=key, as_json=as_json)


@audit.command()
def routing(
    file: Trail = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Newer ones only: 7d, 24h, 2026-11-24.")
    ] = None,
    constitution: Annotated[
        str | None, typer.Option("--constitution", "-c", metavar="ID", help="Of this one only.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Tell what each role of the judge did, and what always asking the dearest would have cost."""
    from guardrails.cli.routing import show_routing

    return show_routing(file, since=since, constitution=constitution, as_json=as_json)


CostsBy = Literal["tenant", "constitution", "role", "principle", "stage", "day"]
"""As `audit.costs` has it, which is not imported for other commands."""


@audit.command()
def cost(
    file: Trail = None,
    by: Annotated[CostsBy, typer.Option(help="What the lines are of.")] = "tenant",
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Newer ones only: 7d, 24h, 2026-11-24."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Add up what judging cost: calls, tokens and US dollars, stopped decisions included."""
    from guardrails.cli.costs import show_costs

    return show_costs(file, by=by, since=since, as_json=as_json)
