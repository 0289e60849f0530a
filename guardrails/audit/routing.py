"""What decisions tell of the judge's cascade, added up: who was asked how much, where exchanges
started, what went on to whom, and what always asking the last role would have cost."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from guardrails.audit.record import Opened
from guardrails.verdict import Handover, RoleUse, Start

__all__ = ["RoutingReport", "routing_report"]

ROLES = ("small", "medium", "large")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingReport:
    """The sums over a number of decisions. `judged` are those that put anything to the cascade,
    `untold` those with calls of models of which no role is told: cut off by a limit, or recorded by
    an earlier version. `unreadable` entries are in no sum."""

    decisions: int
    judged: int
    untold: int
    unreadable: int
    roles: tuple[RoleUse, ...]
    starts: tuple[Start, ...]
    handovers: tuple[Handover, ...]

    @property
    def cost_usd(self) -> float | None:
        """What the cascade cost; None if that of any call is not known."""
        return _sum(use.cost_usd for use in self.roles)

    @property
    def always_last_usd(self) -> float | None:
        """What the last role of each cascade would have cost, asked at once: an estimate by the
        tokens of the first question. None if any price is not known."""
        return _sum(start.always_last_usd for start in self.starts)


def routing_report(
    decisions: Iterable[Opened | None], *, constitution: str | None = None
) -> RoutingReport:
    """Add up decisions, of that constitution only if one is named by its id; None counts as
    unreadable."""
    counted = judged = untold = unreadable = 0
    roles: dict[Hashable, RoleUse] = {}
    starts: dict[Hashable, Start] = {}
    handovers: dict[Hashable, Handover] = {}
    for opened in decisions:
        if opened is None:
            unreadable += 1
            continue
        if constitution is not None and opened.constitution.id != constitution:
            continue
        usage = opened.usage
        counted += 1
        judged += bool(usage.starts)
        untold += bool(usage.calls and not usage.starts)
        _add(roles, [RoleUse(**use.model_dump()) for use in usage.roles])
        _add(starts, [Start(**start.model_dump()) for start in usage.starts])
        _add(handovers, [Handover(**handover.model_dump()) for handover in usage.handovers])
    return RoutingReport(
        decisions=counted,
        judged=judged,
        untold=untold,
        unreadable=unreadable,
        roles=tuple(sorted(roles.values(), key=lambda use: (_place(use.role), use.model))),
        starts=tuple(sorted(starts.values(), key=lambda start: (_place(start.role), -start.times))),
        handovers=tuple(sorted(handovers.values(), key=_most_contradicted)),
    )


def _add(found: dict[Hashable, Any], items: Sequence[Any]) -> None:
    for item in items:
        known = found.get(item.kind)
        found[item.kind] = item if known is None else known + item


def _place(role: str) -> int:
    """In the order of price."""
    return ROLES.index(role) if role in ROLES else len(ROLES)


def _most_contradicted(handover: Handover) -> tuple[bool, int, str]:
    return handover.outcome != "reversed", -handover.times, handover.principle


def _sum(costs: Iterable[float | None]) -> float | None:
    total = 0.0
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total
