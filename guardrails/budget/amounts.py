"""What is counted, and whether more of it fits. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from guardrails.cache.names import Name
from guardrails.settings import DailyLimits

__all__ = ["LIMITS", "NANO", "Account", "Amounts", "Limit", "Short", "Tally", "Whose", "shortage"]

NANO = 1_000_000_000
"""Money is counted in whole nano-dollars: sums of those are exact, in Redis too."""

Limit = Literal["max_calls", "max_tokens", "max_cost_usd"]
LIMITS: tuple[Limit, ...] = ("max_calls", "max_tokens", "max_cost_usd")
Whose = Literal["tenant", "subject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """Calls, tokens and money; negative where something is given back."""

    calls: int = 0
    tokens: int = 0
    nano_usd: int = 0

    @classmethod
    def of(cls, *, calls: int = 0, tokens: int = 0, cost_usd: float = 0.0) -> Amounts:
        """Money is rounded up, but for what binary fractions add to it."""
        return cls(calls=calls, tokens=tokens, nano_usd=math.ceil(round(cost_usd * NANO, 3)))

    @property
    def fields(self) -> tuple[int, int, int]:
        """In the order of `LIMITS`."""
        return self.calls, self.tokens, self.nano_usd

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            nano_usd=self.nano_usd + other.nano_usd,
        )

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(
            calls=self.calls - other.calls,
            tokens=self.tokens - other.tokens,
            nano_usd=self.nano_usd - other.nano_usd,
        )

    def at_least_nothing(self) -> Amounts:
        calls, tokens, nano_usd = (max(0, amount) for amount in self.fields)
        return Amounts(calls=calls, tokens=tokens, nano_usd=nano_usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A count of one day. `of` is the name of the tenant's, so that both stand in one place."""

    whose: Whose
    name: Name
    of: Name
    limits: DailyLimits

    @property
    def bounds(self) -> tuple[int | None, int | None, int | None]:
        """In the units and the order of `Amounts.fields`."""
        limits = self.limits
        cost = limits.max_cost_usd
        return limits.max_calls, limits.max_tokens, None if cost is None else int(cost * NANO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """What does not fit. `whose` is None where there is no room for one more count."""

    whose: Whose | None
    limit: Limit = "max_calls"
    allowed: float = 0.0
    needed: float = 0.0

    @classmethod
    def at(cls, account: Account, field: int, needed: int) -> Short:
        allowed = account.bounds[field] or 0
        unit = NANO if LIMITS[field] == "max_cost_usd" else 1
        return cls(
            whose=account.whose,
            limit=LIMITS[field],
            allowed=allowed / unit,
            needed=needed / unit,
        )


def shortage(account: Account, spent: Amounts, more: Amounts) -> Short | None:
    """The first limit that more would go over. Who asks for nothing of a kind is never over it."""
    for field, bound in enumerate(account.bounds):
        asked = more.fields[field]
        needed = spent.fields[field] + asked
        if bound is not None and asked > 0 and needed > bound:
            return Short.at(account, field, needed)
    return None


class Tally(Protocol):
    """Keeps the counts. Works from any loop and thread. `day` is a date in UTC, `2026-11-25`."""

    async def reserve(self, day: str, accounts: Sequence[Account], more: Amounts) -> Short | None:
        """Add to all of these if it fits into each, else to none. Raises CriticOutage where nobody
        knows what fits."""

    def spend(self, day: str, accounts: Sequence[Account], more: Amounts) -> Short | None:
        """The same without waiting, by what is known here."""

    async def add(self, day: str, accounts: Sequence[Account], more: Amounts) -> None:
        """Add, or take back, whatever the limits are. Never raises."""

    async def square(self) -> None:
        """Tell the others what was only counted here. Never raises."""

    async def aclose(self) -> None:
        """Let go of connections."""
