"""`constitution audit routing`: what the roles of the judge's cascade did, from the records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from guardrails.audit.read import decisions
from guardrails.audit.record import stored_moment
from guardrails.audit.routing import RoutingReport, routing_report
from guardrails.cli.cascade import because, dollars, share
from guardrails.cli.documents import document
from guardrails.cli.outcome import Status
from guardrails.cli.render import plain
from guardrails.cli.screen import show, write_json
from guardrails.cli.since import moment
from guardrails.cli.trail import trail_of
from guardrails.verdict import Handover, HandoverOutcome, RoleUse, Start

__all__ = ["show_routing"]

MOST_PRINCIPLES = 20


def show_routing(
    file: Path | None, *, since: str | None, constitution: str | None, as_json: bool
) -> int:
    """Add up what the records of a trail tell of the cascade."""
    begin = None if since is None else moment(since)
    trail = trail_of(file)
    report = routing_report(decisions(trail, since=begin), constitution=constitution)
    if as_json:
        said = None if begin is None else stored_moment(begin)
        write_json({"file": str(trail), "since": said, **_document(report)})
    else:
        show(plain(str(trail), "dim"), Group(*_report(report, begin)))
    return Status.FINE


def _document(report: RoutingReport) -> dict[str, Any]:
    roles = [
        {
            **document(use),
            "share_settled": _share(use.settled, use.asked),
            "share_reversed": _share(use.reversed, use.checked),
        }
        for use in report.roles
    ]
    return {
        **document(report),
        "roles": roles,
        "cost_usd": report.cost_usd,
        "always_last_usd": report.always_last_usd,
        "always_last_is_estimated": True,
    }


def _share(some: int, all: int) -> float | None:
    return some / all if all else None


def _report(report: RoutingReport, since: datetime | None) -> Iterator[RenderableType]:
    when = "" if since is None else f" since {since:%Y-%m-%d %H:%M} UTC"
    yield Text(f"{report.decisions:,} decisions{when}, {report.judged:,} put to the judge")
    if report.roles:
        yield Padding(_roles(report.roles), (1, 0, 0, 0))
    if report.starts:
        yield Padding(_starts(report.starts), (1, 0, 0, 0))
    if report.handovers:
        yield Padding(_handovers(report.handovers), (1, 0, 0, 0))
    if report.judged:
        yield Padding(Group(*_costs(report)), (1, 0, 0, 0))
    if report.untold:
        said = "cut off by a limit, or recorded by an earlier version"
        yield Text(f"{report.untold:,} with calls of which no role is told: {said}", "yellow")
    if report.unreadable:
        yield Text(f"{report.unreadable:,} cannot be read, and are in no sum", "red")


def _roles(uses: Sequence[RoleUse]) -> Table:
    table = _table("role", "model")
    for name in ("calls", "settled", "reversed", "tokens", "cost"):
        table.add_column(name, justify="right")
    for use in uses:
        table.add_row(
            plain(use.role, "bold"),
            plain(use.model),
            f"{use.calls:,}",
            share(use.settled, use.asked),
            share(use.reversed, use.checked),
            f"{use.input_tokens + use.output_tokens:,}",
            dollars(use.cost_usd),
        )
    return table


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _starts(starts: Sequence[Start]) -> Table:
    table = _table("starts at", "because")
    table.add_column("times", justify="right")
    for start in starts:
        table.add_row(plain(start.role, "bold"), plain(because(start)), f"{start.times:,}")
    return table


def _handovers(handovers: Sequence[Handover]) -> Table:
    """One row for each principle and pair of roles, the most contradicted first."""
    rows: dict[tuple[str, str], dict[HandoverOutcome, int]] = {}
    for handover in handovers:
        of = rows.setdefault((handover.principle, f"{handover.role} → {handover.to}"), {})
        of[handover.outcome] = of.get(handover.outcome, 0) + handover.times
    table = _table("principle", "handed on")
    for name in ("deferred", "upheld", "reversed", "unanswered"):
        table.add_column(name, justify="right")
    for (principle, roles), of in list(rows.items())[:MOST_PRINCIPLES]:
        counts = (of.get("deferred", 0), of.get("upheld", 0), of.get("reversed", 0))
        table.add_row(
            plain(principle), plain(roles), *map(str, counts), str(of.get("unanswered", 0))
        )
    if len(rows) > MOST_PRINCIPLES:
        table.add_row(Text(f"… and {len(rows) - MOST_PRINCIPLES:,} more", "dim"))
    return table


def _costs(report: RoutingReport) -> Iterator[Text]:
    last = ", ".join(dict.fromkeys(f"{s.last_role}: {s.last_model}" for s in report.starts))
    cost, always = report.cost_usd, report.always_last_usd
    yield Text.assemble("cost of the judge  ", (dollars(cost), "bold"), _unpriced(report))
    line = Text.assemble("always the last    ", (dollars(always), "bold"))
    if cost is not None and always:
        line.append(f", of which that is {cost / always:.1%}")
    line.append_text(plain(f"  ({last}; estimated from the tokens of each first question)", "dim"))
    yield line


def _unpriced(report: RoutingReport) -> Text:
    names = dict.fromkeys(use.model for use in report.roles if use.cost_usd is None)
    return plain(f"  (no price for {', '.join(names)})" if names else "", "yellow")
