"""Counts in Redis, which replicas share: added to in one step, so that they cannot overrun."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from guardrails.budget.amounts import Account, Amounts, Short
from guardrails.budget.memory import MemoryTally
from guardrails.cache.connection import Connection
from guardrails.errors import CriticOutage

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisTally"]

PREFIX = "guardrails:budget:"
PROBED = f"{PREFIX}{{probe}}"
TIMEOUT_S = 1.0
"""For one operation, connecting included. Longer than for verdicts: nobody is asked without."""
MOST_AT_ONCE = 16
"""Counts that one call tells Redis of, when that is back: no call is to wait for all others'."""
TTL_S = 2 * 86_400
"""A day, and as long again for what is settled after midnight and for clocks that differ."""

MEANWHILE = {
    "refuse": "no model is asked, and principles go by their on_outage",
    "local": "each process counts by itself, so that together they may overrun a budget",
}

_FIELDS = "local fields = {'calls', 'tokens', 'nano_usd'}\n"
RESERVE = (
    _FIELDS
    + """\
for i, key in ipairs(KEYS) do
  local spent = redis.call('HMGET', key, unpack(fields))
  for f = 1, 3 do
    local more, bound = tonumber(ARGV[1 + f]), ARGV[1 + 3 * i + f]
    local needed = (tonumber(spent[f]) or 0) + more
    if bound ~= '' and more > 0 and needed > tonumber(bound) then return {i, f, needed} end
  end
end
local told = {0}
for _, key in ipairs(KEYS) do
  for f = 1, 3 do
    told[#told + 1] = redis.call('HINCRBY', key, fields[f], ARGV[1 + f])
  end
  redis.call('EXPIRE', key, ARGV[1])
end
return told
"""
)
ADD = (
    _FIELDS
    + """\
local told = {}
for _, key in ipairs(KEYS) do
  for f = 1, 3 do
    local spent = redis.call('HINCRBY', key, fields[f], ARGV[1 + f])
    if spent < 0 then
      spent = 0
      redis.call('HSET', key, fields[f], 0)
    end
    told[#told + 1] = spent
  end
  redis.call('EXPIRE', key, ARGV[1])
end
return told
"""
)
"""What is taken back was not there if Redis has lost it: a count is never less than nothing."""


class RedisTally:
    """While Redis is away, `refuse` raises and `local` counts here, on from what was known last;
    the difference is told to Redis when it is back. Raises SettingsError for a wrong address."""

    def __init__(
        self,
        url: str,
        *,
        on_outage: Literal["refuse", "local"],
        entries: int,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connection = Connection(
            url,
            setting="budget_store",
            what="daily_budgets",
            meanwhile=MEANWHILE[on_outage],
            timeout_s=timeout_s,
            clock=clock,
        )
        self._on_outage, self._entries = on_outage, entries
        self._known = MemoryTally(entries=entries)
        self._lock = threading.Lock()
        self._owed: dict[tuple[str, str], tuple[Account, Amounts]] = {}

    def __repr__(self) -> str:
        return f"<RedisTally{', away' if self.connection.away else ''}>"

    @property
    def away(self) -> bool:
        return self.connection.away

    async def reserve(self, day: str, accounts: Sequence[Account], more: Amounts) -> Short | None:
        await self.square()
        told = await self._run(RESERVE, day, accounts, more, bounded=True)
        if told is None:
            return self._without_redis(day, accounts, more)
        if told[0]:
            return Short.at(accounts[told[0] - 1], told[1] - 1, told[2])
        self._learn(day, accounts, told[1:])
        return None

    def spend(self, day: str, accounts: Sequence[Account], more: Amounts) -> Short | None:
        if self.away:
            return self._without_redis(day, accounts, more)
        return self._here(day, accounts, more)

    async def add(self, day: str, accounts: Sequence[Account], more: Amounts) -> None:
        told = await self._run(ADD, day, accounts, more)
        if told is not None:
            self._learn(day, accounts, told)
            return
        self._known.add_now(day, accounts, more)
        self._owe(day, accounts, more)

    async def square(self) -> None:
        await self._square(MOST_AT_ONCE)

    async def probe(self) -> None:
        """Find out whether it can be counted there, by what counting itself does."""

        async def counted(client: Redis) -> object:
            return await client.eval(ADD, 1, PROBED, 1, 0, 0, 0)

        await self.connection.tried(counted)

    async def aclose(self) -> None:
        await self._square(self._entries)
        await self.connection.aclose()

    async def _square(self, most: int) -> None:
        """Tell Redis of up to so many counts what is owed; what it did not hear stays so."""
        for _ in range(most):
            with self._lock:
                if not self._owed:
                    return
                place, (account, more) = self._owed.popitem()
            told: list[int] | None = None
            try:
                told = await self._run(ADD, place[0], [account], more)
            finally:
                if told is None:
                    with self._lock:
                        self._remember(place, account, more)
            if told is None:
                return
            self._learn(place[0], [account], told)

    def _without_redis(self, day: str, accounts: Sequence[Account], more: Amounts) -> Short | None:
        if self._on_outage == "refuse":
            raise CriticOutage("the store of the daily budgets cannot be reached")
        return self._here(day, accounts, more)

    def _here(self, day: str, accounts: Sequence[Account], more: Amounts) -> Short | None:
        short = self._known.spend(day, accounts, more)
        if short is None:
            self._owe(day, accounts, more)
        return short

    def _owe(self, day: str, accounts: Sequence[Account], more: Amounts) -> None:
        with self._lock:
            for account in accounts:
                self._remember((day, _key(day, account)), account, more)

    def _remember(self, place: tuple[str, str], account: Account, more: Amounts) -> None:
        known = self._owed.get(place)
        if known is not None:
            self._owed[place] = account, known[1] + more
        elif len(self._owed) < self._entries:
            self._owed[place] = account, more

    async def _run(
        self,
        script: str,
        day: str,
        accounts: Sequence[Account],
        more: Amounts,
        *,
        bounded: bool = False,
    ) -> list[int] | None:
        keys = [_key(day, account) for account in accounts]
        bounds = [b for each in accounts for b in each.bounds] if bounded else []
        told = ["" if bound is None else bound for bound in bounds]

        async def evaluated(client: Redis) -> Any:
            arguments = (TTL_S, *more.fields, *told)
            counts = await client.eval(script, len(keys), *keys, *arguments)
            if not _are_counts(counts, len(keys)):
                raise ValueError("an answer to something else")
            return counts

        return await self.connection.tried(evaluated)

    def _learn(self, day: str, accounts: Sequence[Account], told: Sequence[int]) -> None:
        for n, account in enumerate(accounts):
            calls, tokens, nano_usd = told[3 * n : 3 * n + 3]
            spent = Amounts(calls=calls, tokens=tokens, nano_usd=nano_usd)
            self._known.learn(day, account, spent)


def _are_counts(told: object, accounts: int) -> bool:
    """Whether it may be what a script told, which tells of three kinds for each account."""
    lengths = 3, 3 * accounts, 3 * accounts + 1
    return isinstance(told, list) and len(told) in lengths and all(type(n) is int for n in told)


def _key(day: str, account: Account) -> str:
    """What is in braces says where a cluster keeps it: with the tenant's own."""
    return f"{PREFIX}{{{account.of.hex()[:16]}}}:{day}:{account.name.hex()}"
