"""Connections to a Redis that may be away: one operation fails, and for a moment nobody tries."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from guardrails.errors import SettingsError
from guardrails.loop.per_loop import PerLoop
from guardrails.telemetry import log

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["AWAY_S", "TIMEOUT_S", "Connection", "shown_address"]

T = TypeVar("T")

TIMEOUT_S = 0.2
"""For one operation, connecting included: less than any judge takes to answer."""
AWAY_S = 1.0
"""How long Redis is left alone once it has failed."""
MOST_CONNECTIONS = 16  # for each loop


class _Standing:
    """How it went with a Redis last: of all connections to it, so that an outage costs one time-out
    and one line, however many constitutions there are."""

    __slots__ = ("__weakref__", "outages", "retry_at", "why")

    def __init__(self) -> None:
        self.why: str | None = None
        self.outages = 0
        self.retry_at = 0.0


class _Standings:
    """Those of the process, each for as long as there is a connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standings: weakref.WeakValueDictionary[tuple[object, ...], _Standing] = (
            weakref.WeakValueDictionary()
        )

    def of(self, *connection: object) -> _Standing:
        with self._lock:
            return self._standings.setdefault(connection, _Standing())


_standings = _Standings()


class Connection:
    """Works from any loop and thread. No operation raises, or takes longer than `timeout_s`.

    `setting` is what errors name, `what` the beginning of what is logged, `meanwhile` what it means
    that Redis is away. Raises SettingsError if the extra `redis` is not installed, or the address
    is none.
    """

    def __init__(
        self,
        url: str,
        *,
        setting: str,
        what: str,
        meanwhile: str,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout_s, self._clock = timeout_s, clock
        self.what, self.meanwhile = what, meanwhile
        _connect(url, timeout_s, setting)  # says now what is wrong; connects to nothing
        self.address = shown_address(url)
        made = partial(_made, url, timeout_s, setting)
        self._clients: PerLoop[_Client] = PerLoop(made, _closed)
        self._standing = _standings.of(url, what, meanwhile, timeout_s, id(clock))

    def __repr__(self) -> str:
        return f"<Connection{', away' if self.away else ''}>"

    @property
    def away(self) -> bool:
        return self._standing.why is not None

    @property
    def why(self) -> str | None:
        """What the last operation failed with, by its type; None if it did not."""
        return self._standing.why

    @property
    def outages(self) -> int:
        return self._standing.outages

    async def tried(self, operation: Callable[[Redis], Awaitable[T]]) -> T | None:
        """What it came to; None while Redis is away."""
        standing = self._standing
        if standing.why is not None:
            if self._clock() < standing.retry_at:
                return None
            standing.retry_at = self._clock() + AWAY_S  # one tries, the others need not
        try:
            async with asyncio.timeout(self._timeout_s):
                client = await self._clients.get()
                result = await operation(await client.without_idle(standing.outages))
        except Exception as error:  # what is there may answer anything, and its client choke on it
            self._fails(error)
            return None
        if standing.why is not None:
            standing.why = None
            log.info(f"{self.what}_back")
        return result

    async def aclose(self) -> None:
        await self._clients.aclose()

    def _fails(self, error: Exception) -> None:
        standing, known = self._standing, self.away
        standing.outages += 1
        standing.retry_at = self._clock() + AWAY_S
        standing.why = type(error).__name__
        if not known:
            log.warning(f"{self.what}_away", error=standing.why, meanwhile=self.meanwhile)


def shown_address(url: str) -> str:
    """Where it leads, without what may be a name, a password or a part of one."""
    found = urlsplit(url)
    if "@" in f"{found.path}{found.query}{found.fragment}":  # of a password that is not encoded
        return f"{found.scheme}://…"
    if found.scheme == "unix":
        return f"unix://{found.path}"
    host = found.hostname or "localhost"
    number = found.path if found.path.strip("/").isdecimal() else ""
    return f"{found.scheme}://{f'[{host}]' if ':' in host else host}:{found.port or 6379}{number}"


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
            **_no_notifications(),
        )
    except (ValueError, TypeError):
        raise SettingsError(
            f"{setting}: not an address of Redis; expected redis://HOST:PORT/NUMBER, or such as "
            f"rediss:// and unix://"
        ) from None
    return Redis.from_pool(pool)


def _no_notifications() -> dict[str, Any]:
    """Of maintenance, which newer clients ask for. While they may come, a pool hands out what
    Redis has closed: when it was started again, or when nothing was said for long."""
    from redis.asyncio.connection import ConnectionPool

    if "maint_notifications_config" not in signature(ConnectionPool.__init__).parameters:
        return {}
    from redis.maint_notifications import MaintNotificationsConfig

    return {"maint_notifications_config": MaintNotificationsConfig(enabled=False)}


@dataclass(slots=True, eq=False)
class _Client:
    """`outages` are those that its connections have outlived."""

    redis: Redis
    outages: int

    async def without_idle(self, outages: int) -> Redis:
        """What was open before an outage may be dead, and each would look like another one."""
        if self.outages != outages:
            self.outages = outages
            await self.redis.connection_pool.disconnect(inuse_connections=False)
        return self.redis


async def _made(url: str, timeout_s: float, setting: str) -> _Client:
    return _Client(_connect(url, timeout_s, setting), 0)


async def _closed(client: _Client) -> None:
    await client.redis.aclose()
