"""Counts in the process's memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from guardrails.budget.amounts import Account, Amounts, Short, shortage
from guardrails.cache.names import Name

__all__ = ["MemoryTally"]


class MemoryTally:
    """At most `entries` counts. When there is no room for one more, that one is refused: to forget
    another would let its owner begin anew. A new day begins with none."""

    def __init__(self, *, entries: int) -> None:
        self._entries = entries
        self._lock = threading.Lock()
        self._day = ""
        self._spent: dict[Name, Amounts] = {}

    def __repr__(self) -> str:
        return f"<MemoryTally {len(self._spent)} of {self._entries} counts>"

    def __len__(self) -> int:
        return len(self._spent)

    async def reserve(self, day: str, accounts: Sequence[Account], more: Amounts) -> Short | None:
        return self.spend(day, accounts, more)

    def spend(self, day: str, accounts: Sequence[Account], more: Amounts) -> Short | None:
        with self._lock:
            self._begin(day)
            for account in accounts:
                spent = self._spent.get(account.name, Amounts())
                if (short := shortage(account, spent, more)) is not None:
                    return short
            new = sum(account.name not in self._spent for account in accounts)
            if len(self._spent) + new > self._entries:
                return Short(whose=None)
            self._add(accounts, more)
            return None

    async def add(self, day: str, accounts: Sequence[Account], more: Amounts) -> None:
        self.add_now(day, accounts, more)

    def add_now(self, day: str, accounts: Sequence[Account], more: Amounts) -> None:
        """What is not counted here (a day that is over) stays so."""
        with self._lock:
            self._begin(day)
            self._add([each for each in accounts if each.name in self._spent], more)

    def learn(self, day: str, account: Account, spent: Amounts) -> None:
        """Take over what others count."""
        with self._lock:
            self._begin(day)
            if account.name in self._spent or len(self._spent) < self._entries:
                self._spent[account.name] = spent

    async def square(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    def _begin(self, day: str) -> None:
        if day > self._day:
            self._day = day
            self._spent.clear()

    def _add(self, accounts: Sequence[Account], more: Amounts) -> None:
        for account in accounts:
            spent = self._spent.get(account.name, Amounts()) + more
            self._spent[account.name] = spent.at_least_nothing()
