"""The judge's cascade in words: why it began where it did, what each role did, what that cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.text import Text

from guardrails.audit.record import RoleUseRecord, StartRecord, UsageRecord
from guardrails.cli.render import plain
from guardrails.verdict import RoleUse, Start, StartReason

__all__ = ["because", "cascade_lines", "dollars", "share"]

REASONS: Mapping[StartReason, str] = {
    "first": "no rule held",
    "rule": "rule",
    "reversals": "past reversals",
    "failed": "the router failed",
}


def because(start: Start | StartRecord) -> str:
    """Why a judgement began where it did: `rule 2, med.dosage`."""
    rule = "" if start.rule is None else f" {start.rule}"
    principle = "" if start.principle is None else f", {start.principle}"
    return f"{REASONS[start.why]}{rule}{principle}"


def share(some: int, all: int) -> str:
    """`4 of 20 (20.0%)`; a dash where there are none."""
    return f"{some:,} of {all:,} ({some / all:.1%})" if all else "-"


def dollars(cost: float | None) -> str:
    """Four digits that mean something, however little it is."""
    if cost is None:
        return "unknown"
    if cost and cost < 1:
        return f"${cost:.4g}" if cost >= 0.0001 else f"${cost:.8f}"
    return f"${cost:,.2f}"


def cascade_lines(usage: UsageRecord) -> Iterator[Text]:
    """What one record tells of the cascade."""
    for start in usage.starts:
        times = f" {start.times} times" if start.times > 1 else ""
        yield plain(f"the judge began at {start.role}{times}: {because(start)}")
    for use in usage.roles:
        yield plain(f"  {_did(use)}")
    for handed in usage.handovers:
        yield plain(f"  {handed.principle}: {handed.role} → {handed.to}, {handed.outcome}")


def _did(use: RoleUse | RoleUseRecord) -> str:
    said = [
        f"{use.role} ({use.model})",
        f"calls {use.calls}",
        f"settled {use.settled} of {use.asked}",
    ]
    if use.checked:
        said.append(f"reversed {use.reversed} of {use.checked} checked")
    return ", ".join([*said, dollars(use.cost_usd)])
