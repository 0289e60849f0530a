"""`constitution audit cost`: what judging cost, from the record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from guardrails.audit.costs import By, Cost, CostLine, CostReport, costs
from guardrails.cli.documents import document
from guardrails.cli.outcome import Status
from guardrails.cli.render import plain
from guardrails.cli.screen import show, write_json
from guardrails.cli.since import moment
from guardrails.cli.trail import trail_of

__all__ = ["moment", "money", "show_costs"]

MOST_LINES = 50
SMALLEST_USD = 0.000_001


def show_costs(file: Path | None, *, by: By, since: str | None, as_json: bool) -> int:
    """Add up the records of a trail. Raises InputError for a moment that is none."""
    trail = trail_of(file)
    begin = None if since is None else moment(since)
    report = costs(trail, by=by, since=begin)
    if as_json:
        told = document(report)
        told |= {name: _stamp(getattr(report, name)) for name in ("since", "first", "last")}
        write_json({"file": str(trail), **told})
    else:
        show(*_blocks(report))
    return Status.FINE


def money(cost: Cost) -> str:
    """US dollars. What is not known is told as that, or as more than what is, never as nothing."""
    if cost.unknown and not cost.cost_usd:
        return "unknown"
    told = f"${cost.cost_usd:,.6f}" if cost.cost_usd < 1 else f"${cost.cost_usd:,.2f}"
    if 0 < cost.cost_usd < SMALLEST_USD:
        told = f"< ${SMALLEST_USD:f}"
    return f"> {told}" if cost.unknown else told


def _blocks(report: CostReport) -> Iterator[RenderableType]:
    if not report.total.decisions:
        since = "" if report.since is None else f" since {_stamp(report.since)}"
        yield Text(f"no records{since}", style="dim")
    else:
        yield plain(f"{_stamp(report.first)} to {_stamp(report.last)}", "dim")
        yield _table(report)
    if (unknown := report.total.cost.unknown) > 0:
        said = f"the cost of {unknown:,} is not known: no list has the price of a model"
        yield Text(said, style="yellow")
    if report.unreadable:
        yield Text(f"{report.unreadable:,} records cannot be read", style="red")


def _table(report: CostReport) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(report.by, overflow="fold", min_width=12)
    calls = "asked" if report.by == "principle" else "calls"
    for name in ("decisions", "stopped", calls, "tokens in", "out", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in report.lines[:MOST_LINES]:
        table.add_row(*_row(line))
    if (more := len(report.lines) - MOST_LINES) > 0:
        table.add_row(Text(f"and {more:,} more", "dim"))
    table.add_section()
    table.add_row(*_row(report.total), style="bold")
    return table


def _row(line: CostLine) -> list[RenderableType]:
    cost = line.cost
    counts = (line.decisions, line.stopped, cost.calls, cost.input_tokens, cost.output_tokens)
    return [plain(line.key), *(f"{count:,}" for count in counts), money(cost)]


def _stamp(when: datetime | None) -> str | None:
    return None if when is None else f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
