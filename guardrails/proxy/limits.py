"""Who may ask how much at once, and how often."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from guardrails.proxy.answers import RefusedError
from guardrails.proxy.config import Limits
from guardrails.proxy.keys import Client

__all__ = ["Bucket", "Traffic"]

RETRY_AFTER_S = 1


class Bucket:
    """So many a minute, some of them at once: a tenth, unless it is said. Asks cost nothing but the
    clock."""

    def __init__(
        self,
        per_minute: int,
        burst: int | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = per_minute / 60
        self.burst = burst if burst is not None else max(1, per_minute // 10)
        self._room = float(self.burst)
        self._held, self._at, self._clock = self._room, clock(), clock

    def take(self) -> int | None:
        """None if there is one; otherwise the seconds until there is."""
        now = self._clock()
        self._held = min(self._room, self._held + (now - self._at) * self._rate)
        self._at = now
        if self._held >= 1:
            self._held -= 1
            return None
        return max(1, math.ceil((1 - self._held) / self._rate))


class Traffic:
    """Counts what is under way in this process, together and by client."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_client: dict[str, int] = {}
        self._buckets: dict[str, Bucket] = {}
        self.in_flight = 0

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Raises RefusedError if too much is under way."""
        if self.in_flight >= self._limits.in_flight:
            raise RefusedError(
                503,
                "busy",
                f"{self._limits.in_flight} requests are under way here; try again",
                retry_after_s=RETRY_AFTER_S,
            )
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    @contextmanager
    def by(self, client: Client) -> Iterator[None]:
        """Raises RefusedError if this client has too much under way, or asks too often."""
        self._check_rate(client)
        own = client.config.in_flight if client.config else None
        most = own or self._limits.in_flight_per_client
        under_way = self._by_client.get(client.name, 0)
        if most is not None and under_way >= most:
            raise RefusedError(
                429,
                "client_busy",
                f"{most} requests of this key are under way; try again",
                retry_after_s=RETRY_AFTER_S,
            )
        self._by_client[client.name] = under_way + 1
        try:
            yield
        finally:
            self._by_client[client.name] -= 1

    def _check_rate(self, client: Client) -> None:
        own = client.config.per_minute if client.config else None
        most = own or self._limits.per_minute_per_client
        if most is None:
            return
        bucket = self._buckets.get(client.name)
        if bucket is None:
            burst = client.config.burst if client.config else None
            bucket = Bucket(most, burst or self._limits.burst_per_client)
            self._buckets[client.name] = bucket
        wait_s = bucket.take()
        if wait_s is not None:
            raise RefusedError(
                429,
                "client_rate",
                f"more than {most} requests a minute with this key, or {bucket.burst} at once; "
                f"try again in {wait_s} s",
                retry_after_s=wait_s,
            )
