"""Whose count a call goes to, what a day is, and how it is told that nothing fits any more."""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from guardrails.budget.amounts import Account, Amounts, Short, Tally
from guardrails.budget.memory import MemoryTally
from guardrails.cache.names import Names
from guardrails.errors import DailyBudgetExceeded, SettingsError
from guardrails.exchange import Context
from guardrails.settings import Daily, DailyLimits, Settings

__all__ = ["DailyBudgets", "DailyPurse", "open_daily", "seconds_to_next_day"]

Now = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


class DailyBudgets:
    """The budgets of all tenants and subjects, as settings have them."""

    def __init__(self, limits: Daily, tally: Tally, names: Names, *, now: Now = _now) -> None:
        self._limits, self._tally, self._names, self._now = limits, tally, names, now

    def __repr__(self) -> str:
        return f"<DailyBudgets {self._tally!r}>"

    def purse(self, context: Context) -> DailyPurse | None:
        """What one caller spends from; None if nothing limits it."""
        own = self._limits.tenants.get(context.tenant, self._limits.tenant)
        subject = self._limits.subject if context.subject is not None else DailyLimits()
        if not own.limits_anything and not subject.limits_anything:
            return None
        return DailyPurse(self._tally, self._names, context, own, subject, self._now)

    async def aclose(self) -> None:
        await self._tally.aclose()


@dataclass(frozen=True, slots=True)
class DailyPurse:
    """Fulfils `critic.limits.Purse` for one caller."""

    _tally: Tally
    _names: Names = field(repr=False)
    _context: Context = field(repr=False)
    _own: DailyLimits
    _subject: DailyLimits
    _now: Now = field(repr=False)

    async def reserve(self, *, calls: int, tokens: int, cost_usd: float) -> str:
        now = self._now()
        day = _day(now)
        more = Amounts.of(calls=calls, tokens=tokens, cost_usd=cost_usd)
        short = await self._tally.reserve(day, self._accounts(day), more)
        if short is not None:
            raise _refused(short, now)
        return day

    async def settle(self, day: str, *, tokens: int, cost_usd: float) -> None:
        more = Amounts.of(tokens=tokens, cost_usd=cost_usd)
        if any(more.fields):
            await self._tally.add(day, self._accounts(day), more)

    def spend(self, *, calls: int, tokens: int, cost_usd: float) -> None:
        now = self._now()
        day = _day(now)
        more = Amounts.of(calls=calls, tokens=tokens, cost_usd=cost_usd)
        short = self._tally.spend(day, self._accounts(day), more)
        if short is not None:
            raise _refused(short, now)

    async def square(self) -> None:
        await self._tally.square()

    def _accounts(self, day: str) -> list[Account]:
        """The day is part of a name, too, so that no two days can be told to be of one caller."""
        context = self._context
        tenant = self._names.of(context.tenant, ["daily", day, "tenant"])
        found = []
        if self._own.limits_anything:
            found.append(Account(whose="tenant", name=tenant, of=tenant, limits=self._own))
        if self._subject.limits_anything and context.subject is not None:
            name = self._names.of(context.tenant, ["daily", day, "subject", context.subject])
            found.append(Account(whose="subject", name=name, of=tenant, limits=self._subject))
        return found


def seconds_to_next_day(now: Now = _now) -> int:
    """How long until daily budgets begin anew."""
    moment = now()
    return max(1, math.ceil((_next_day(moment) - moment).total_seconds()))


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()


def _next_day(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


def _refused(short: Short, now: datetime) -> DailyBudgetExceeded:
    return DailyBudgetExceeded(
        short.whose, short.limit, short.allowed, short.needed, resets_at=_next_day(now)
    )


def open_daily(settings: Settings, key: bytes | None) -> DailyBudgets | None:
    """The budgets that settings name; None if they name none.

    `key` is the installation's for budgets; None: one that ends with the process. Guards of one
    process and key count together. Raises SettingsError.
    """
    if not settings.daily.limits_anything:
        return None
    store = settings.daily_store
    names = Names(key or _PROCESS_KEY)
    if store == "memory":
        tally: Tally = _shared.tally(settings.budget_entries, key or _PROCESS_KEY)
        return DailyBudgets(settings.daily, tally, names)
    if key is None:
        raise SettingsError(
            "budget_store: in Redis budgets are counted under names that are made with the "
            "installation's key, and there is none; name its file in key_file "
            "(GUARDRAILS_KEY_FILE), the same for all replicas"
        )
    from guardrails.budget.redis import RedisTally

    shared = RedisTally(store, on_outage=settings.on_budget_outage, entries=settings.budget_entries)
    return DailyBudgets(settings.daily, shared, names)


class _SharedTallies:
    """The process's counts: a guard that is loaded anew must not begin the day anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[tuple[int, bytes], MemoryTally] = {}

    def tally(self, entries: int, key: bytes) -> MemoryTally:
        with self._lock:
            found = self._tallies.get((entries, key))
            if found is None:
                found = self._tallies[entries, key] = MemoryTally(entries=entries)
            return found


_PROCESS_KEY = secrets.token_bytes(32)
_shared = _SharedTallies()
