"""The Redis that settings name, looked at by whoever runs a process rather than by a request."""

from __future__ import annotations

from typing import Protocol

from guardrails.cache.connection import Connection
from guardrails.settings import Settings

__all__ = ["SharedStore", "shared_stores"]


class SharedStore(Protocol):
    """What is kept outside of the process. Never raises; works from any loop."""

    @property
    def connection(self) -> Connection:
        """Says whether it is away; one standing for all that the process has to the same store."""

    async def probe(self) -> None:
        """Use it once, so that it is known whether it can be used."""

    async def aclose(self) -> None:
        """Let go of connections."""


def shared_stores(settings: Settings, *, offline: bool) -> tuple[SharedStore, ...]:
    """Where verdicts are kept and daily budgets counted, as far as it is a Redis. Connects to
    nothing yet. Raises SettingsError."""
    stores: list[SharedStore] = []
    if settings.cache not in ("memory", "off"):
        from guardrails.cache.redis import RedisStore

        stores.append(RedisStore(settings.cache))
    if not offline and settings.daily.limits_anything and settings.daily_store != "memory":
        from guardrails.budget.redis import RedisTally

        stores.append(
            RedisTally(
                settings.daily_store,
                on_outage=settings.on_budget_outage,
                entries=settings.budget_entries,
            )
        )
    return tuple(stores)
