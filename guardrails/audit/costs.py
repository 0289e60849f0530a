"""What judging cost, added up from the records of a trail."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from guardrails.audit.read import decisions
from guardrails.audit.record import Opened

__all__ = ["BY", "REST", "REST_OF_ROLES", "By", "Cost", "CostLine", "CostReport", "costs"]

By = Literal["tenant", "constitution", "role", "principle", "stage", "day"]
BY: tuple[By, ...] = get_args(By)

REST = "(others)"
"""What a decision used beyond what its principles tell: judgements that were cut short."""
REST_OF_ROLES = "(reviser and others)"
"""Beyond what the roles of its judge's cascade tell."""

TINY_USD = 1e-12
"""Sums of binary fractions may differ by less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """`cost_usd` is what is known of it; `unknown` counts the entries whose cost is not, so that it
    is more then. `cached` counts verdicts that cost nothing."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cached: int = 0
    cost_usd: float = 0.0
    unknown: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cached=self.cached + other.cached,
            cost_usd=self.cost_usd + other.cost_usd,
            unknown=self.unknown + other.unknown,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One tenant, principle, … `decisions` in which it took part, and those `stopped` (block or
    escalate): what was refused cost something, too."""

    key: str
    decisions: int = 0
    stopped: int = 0
    cost: Cost = Cost()

    def __add__(self, other: CostLine) -> CostLine:
        return replace(
            self,
            decisions=self.decisions + other.decisions,
            stopped=self.stopped + other.stopped,
            cost=self.cost + other.cost,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """Dearest first; days in their order. `unreadable` records are not among them."""

    by: By
    since: datetime | None
    total: CostLine
    lines: tuple[CostLine, ...] = ()
    unreadable: int = 0
    first: datetime | None = None
    last: datetime | None = None


def costs(file: Path, *, by: By = "tenant", since: datetime | None = None) -> CostReport:
    """Add up the usage of every decision since a moment. Raises AuditError.

    Reads the trail from end to end; that it is whole is `verify`'s to say.
    """
    lines: dict[str, CostLine] = {}
    total, unreadable = CostLine(key="total"), 0
    first: datetime | None = None
    last: datetime | None = None
    for opened in decisions(file, since=since):
        if opened is None:
            unreadable += 1
            continue
        first = opened.at if first is None else min(first, opened.at)
        last = opened.at if last is None else max(last, opened.at)
        total += _whole(opened, "total")
        for line in _lines(opened, by):
            known = lines.get(line.key)
            lines[line.key] = line if known is None else known + line
    return CostReport(
        by=by,
        since=since,
        total=total,
        lines=tuple(_in_order(lines.values(), by)),
        unreadable=unreadable,
        first=first,
        last=last,
    )


def _lines(opened: Opened, by: By) -> Iterator[CostLine]:
    match by:
        case "tenant":
            yield _whole(opened, opened.tenant)
        case "constitution":
            pin = opened.constitution
            yield _whole(opened, f"{pin.id} {pin.version}")
        case "stage":
            yield _whole(opened, str(opened.stage))
        case "day":
            yield _whole(opened, opened.at.astimezone(UTC).date().isoformat())
        case "role":
            yield from _parts(opened, _roles(opened), rest=REST_OF_ROLES)
        case "principle":
            yield from _parts(opened, _principles(opened), rest=REST)


def _roles(opened: Opened) -> Iterator[tuple[str, Cost]]:
    for use in opened.usage.roles:
        cost = _cost(use.calls, use.input_tokens, use.output_tokens, use.cost_usd)
        yield f"{use.role} ({use.model})", cost


def _principles(opened: Opened) -> Iterator[tuple[str, Cost]]:
    for use in opened.usage.principles:
        cost = _cost(use.asked, use.input_tokens, use.output_tokens, use.cost_usd)
        yield use.principle, cost


def _parts(opened: Opened, found: Iterable[tuple[str, Cost]], *, rest: str) -> Iterator[CostLine]:
    """A decision's lines by role or principle, and what none of them tells of."""
    stopped = int(not opened.verdict.delivers)
    told: dict[str, Cost] = {}
    for key, cost in found:
        told[key] = told.get(key, Cost()) + cost
    for key, cost in told.items():
        yield CostLine(key=key, decisions=1, stopped=stopped, cost=cost)
    left = _rest(opened, told.values())
    if left != Cost():
        yield CostLine(key=rest, decisions=1, stopped=stopped, cost=left)


def _rest(opened: Opened, told: Iterable[Cost]) -> Cost:
    whole, known = _whole(opened, "").cost, sum(told, Cost())
    left_usd = whole.cost_usd - known.cost_usd
    return Cost(
        input_tokens=max(0, whole.input_tokens - known.input_tokens),
        output_tokens=max(0, whole.output_tokens - known.output_tokens),
        cost_usd=left_usd if left_usd > TINY_USD else 0.0,
        unknown=int(whole.unknown > 0 and not known.unknown),
    )


def _whole(opened: Opened, key: str) -> CostLine:
    usage = opened.usage
    cost = replace(
        _cost(usage.calls, usage.input_tokens, usage.output_tokens, usage.cost_usd),
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cached=usage.cached,
    )
    return CostLine(key=key, decisions=1, stopped=int(not opened.verdict.delivers), cost=cost)


def _cost(calls: int, entered: int, left: int, cost_usd: float | None) -> Cost:
    known = cost_usd is not None and math.isfinite(cost_usd)  # a trail may hold what nobody wrote
    return Cost(
        calls=calls,
        input_tokens=entered,
        output_tokens=left,
        cost_usd=cost_usd if cost_usd is not None and known else 0.0,
        unknown=int(not known),
    )


def _in_order(lines: Iterable[CostLine], by: By) -> list[CostLine]:
    if by == "day":
        return sorted(lines, key=lambda line: line.key)
    return sorted(lines, key=lambda line: (-line.cost.cost_usd, -line.cost.input_tokens, line.key))
