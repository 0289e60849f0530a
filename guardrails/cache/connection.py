"""Connections to a Redis that may be away: one operation fails, and for a moment nobody tries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from guardrails.errors import SettingsError
from guardrails.loop.per_loop import PerLoop
from guardrails.telemetry import log

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["AWAY_S", "TIMEOUT_S", "Connection"]

T = TypeVar("T")

TIMEOUT_S = 0.2
"""For one operation, connecting included: less than any judge takes to answer."""
AWAY_S = 1.0
"""How long Redis is left alone once it has failed."""
MOST_CONNECTIONS = 16  # for each loop


class Connection:
    """Works from any loop and thread. No operation raises, or takes longer than `timeout_s`.

    `setting` is what errors name, `what` the beginning of what is logged. Raises SettingsError if
    the extra `redis` is not installed, or the address is none.
    """

    def __init__(
        self,
        url: str,
        *,
        setting: str,
        what: str,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout_s, self._clock, self._what = timeout_s, clock, what
        _connect(url, timeout_s, setting)  # says now what is wrong; connects to nothing
        made = partial(_made, url, timeout_s, setting)
        self._clients: PerLoop[Redis] = PerLoop(made, _closed)
        self._retry_at = 0.0
        self.away = False
        self.outages = 0

    def __repr__(self) -> str:
        return f"<Connection{', away' if self.away else ''}>"

    async def tried(self, operation: Callable[[Redis], Awaitable[T]]) -> T | None:
        """What it came to; None while Redis is away."""
        if self.away:
            if self._clock() < self._retry_at:
                return None
            self._retry_at = self._clock() + AWAY_S  # one tries, the others need not
        try:
            async with asyncio.timeout(self._timeout_s):
                result = await operation(await self._clients.get())
        except Exception as error:  # what is there may answer anything, and its client choke on it
            self._fails(error)
            return None
        if self.away:
            self.away = False
            log.info(f"{self._what}_back")
        return result

    async def aclose(self) -> None:
        await self._clients.aclose()

    def _fails(self, error: Exception) -> None:
        self.outages += 1
        self._retry_at = self._clock() + AWAY_S
        if not self.away:
            self.away = True
            log.warning(f"{self._what}_away", error=type(error).__name__)


def _connect(url: str, timeout_s: float, setting: str) -> Redis:
    try:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError:
        raise SettingsError(
            f"{setting}: Redis needs the extra of that name: "
            f"pip install 'constitutional-guardrails[redis]'"
        ) from None
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=MOST_CONNECTIONS,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
    except (ValueError, TypeError):
        raise SettingsError(
            f"{setting}: not an address of Redis; expected redis://HOST:PORT/NUMBER, or such as "
            f"rediss:// and unix://"
        ) from None
    return Redis.from_pool(pool)


async def _made(url: str, timeout_s: float, setting: str) -> Redis:
    return _connect(url, timeout_s, setting)


async def _closed(client: Redis) -> None:
    await client.aclose()
