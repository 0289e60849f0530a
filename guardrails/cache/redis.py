"""A store in Redis, which replicas share. When it is away nothing is kept, and nobody waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from guardrails.cache.names import Name
from guardrails.errors import SettingsError
from guardrails.loop.per_loop import PerLoop
from guardrails.telemetry import log

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisStore"]

T = TypeVar("T")

PREFIX = "guardrails:verdict:"
TIMEOUT_S = 0.2
"""For one operation, connecting included: less than any judge takes to answer."""
AWAY_S = 1.0
"""How long Redis is left alone once it has failed."""
MOST_CONNECTIONS = 16  # for each loop


class RedisStore:
    """Works from any loop and thread. No operation raises, or takes longer than `timeout_s`.

    Raises SettingsError if the extra `redis` is not installed, or the address is none.
    """

    kind = "redis"

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = _failures()
        self._timeout_s, self._clock = timeout_s, clock
        _connect(url, timeout_s)  # says now what is wrong with the address; connects to nothing
        self._clients: PerLoop[Redis] = PerLoop(partial(_made, url, timeout_s), _closed)
        self._retry_at = 0.0
        self.away = False
        self.outages = 0

    def __repr__(self) -> str:
        return f"<RedisStore{', away' if self.away else ''}>"

    async def get(self, names: Sequence[Name]) -> Sequence[bytes | None]:
        async def mget(client: Redis) -> list[Any]:
            return await client.mget([_key(name) for name in names])

        found = await self._tried(mget) or [None] * len(names)
        return [value if isinstance(value, bytes) else None for value in found]

    async def put(self, values: Mapping[Name, bytes], *, ttl_s: int) -> None:
        async def set_all(client: Redis) -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            for name, value in values.items():
                pipeline.set(_key(name), value, ex=ttl_s)
            return await pipeline.execute()

        await self._tried(set_all)

    async def aclose(self) -> None:
        await self._clients.aclose()

    async def _tried(self, operation: Callable[[Redis], Awaitable[T]]) -> T | None:
        """What it came to; None while Redis is away."""
        if self.away:
            if self._clock() < self._retry_at:
                return None
            self._retry_at = self._clock() + AWAY_S  # one tries, the others need not
        try:
            async with asyncio.timeout(self._timeout_s):
                result = await operation(await self._clients.get())
        except self._failures as error:
            self._fails(error)
            return None
        if self.away:
            self.away = False
            log.info("verdict_cache_back")
        return result

    def _fails(self, error: Exception) -> None:
        self.outages += 1
        self._retry_at = self._clock() + AWAY_S
        if not self.away:
            self.away = True
            log.warning("verdict_cache_away", error=type(error).__name__)


def _key(name: Name) -> str:
    return PREFIX + name.hex()


def _failures() -> tuple[type[Exception], ...]:
    try:
        from redis.exceptions import RedisError
    except ImportError:
        raise SettingsError(
            "cache: Redis needs the extra of that name: "
            "pip install 'constitutional-guardrails[redis]'"
        ) from None
    return RedisError, OSError, TimeoutError


def _connect(url: str, timeout_s: float) -> Redis:
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

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
            "cache: not an address of Redis; expected redis://HOST:PORT/NUMBER, or such as "
            "rediss:// and unix://"
        ) from None
    return Redis.from_pool(pool)


async def _made(url: str, timeout_s: float) -> Redis:
    return _connect(url, timeout_s)


async def _closed(client: Redis) -> None:
    await client.aclose()
