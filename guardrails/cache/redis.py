"""A store in Redis, which replicas share. When it is away nothing is kept, and nobody waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from guardrails.cache.connection import AWAY_S, TIMEOUT_S, Connection
from guardrails.cache.names import Name

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["AWAY_S", "TIMEOUT_S", "RedisStore"]

PREFIX = "guardrails:verdict:"


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
        self.connection = Connection(
            url,
            setting="cache",
            what="verdict_cache",
            meanwhile="nothing is kept, so models are asked again",
            timeout_s=timeout_s,
            clock=clock,
        )

    def __repr__(self) -> str:
        return f"<RedisStore{', away' if self.away else ''}>"

    @property
    def away(self) -> bool:
        return self.connection.away

    @property
    def outages(self) -> int:
        return self.connection.outages

    async def get(self, names: Sequence[Name]) -> Sequence[bytes | None]:
        async def mget(client: Redis) -> list[Any]:
            found = await client.mget([_key(name) for name in names])
            if not isinstance(found, list) or len(found) != len(names):
                raise ValueError("an answer to something else")
            return found

        found = await self.connection.tried(mget) or [None] * len(names)
        return [value if isinstance(value, bytes) else None for value in found]

    async def put(self, values: Mapping[Name, bytes], *, ttl_s: int) -> None:
        async def set_all(client: Redis) -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            for name, value in values.items():
                pipeline.set(_key(name), value, ex=ttl_s)
            return await pipeline.execute()

        await self.connection.tried(set_all)

    async def probe(self) -> None:
        """Find out whether values can be kept: written, not only read."""

        async def kept(client: Redis) -> object:
            return await client.set(PREFIX + "probe", b"", ex=1)

        await self.connection.tried(kept)

    async def aclose(self) -> None:
        await self.connection.aclose()


def _key(name: Name) -> str:
    return PREFIX + name.hex()
