"""Whether what processes share can be reached: told once, counted, and said by `/readyz`.

Nobody is kept from being served by it. Without a cache models are asked again; without the store of
daily budgets, settings say what holds (`on_budget_outage`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from guardrails.guard.stores import SharedStore
from guardrails.proxy.metrics import Metrics

__all__ = ["Stores", "told"]

LOOK_S = 5.0
"""Who is away is found out without a request, and is back without one."""


class Stores:
    """Look at them on one loop, and close them there."""

    def __init__(self, stores: Sequence[SharedStore], metrics: Metrics) -> None:
        self.all, self._metrics = tuple(stores), metrics

    async def look(self) -> None:
        """Whoever is away is logged by its connection."""
        await asyncio.gather(*(store.probe() for store in self.all))
        for store in self.all:
            self._metrics.reaches(store.connection.what, is_away=store.connection.away)

    async def watch(self) -> None:
        """Look again and again; never ends by itself."""
        while self.all:
            await asyncio.sleep(LOOK_S)
            await self.look()

    @property
    def lines(self) -> Iterator[str]:
        return map(told, self.all)

    async def aclose(self) -> None:
        for store in self.all:
            await store.aclose()


def told(store: SharedStore) -> str:
    """How it is with one."""
    found = store.connection
    name = found.what.replace("_", " ")
    if found.why is None:
        return f"{name}: {found.address} can be used"
    return f"{name}: AWAY, {found.address} cannot be used ({found.why}); {found.meanwhile}"
