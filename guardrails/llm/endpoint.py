"""An address that serves models, with its limits: retries, circuit, and how much it does at once.

Shared by all models that are asked there. What comes out of a call is an answer or one of the
protocol's errors, which name the endpoint and a status and carry nothing that was asked.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from guardrails.errors import SettingsError
from guardrails.llm.attempts import Failed
from guardrails.llm.breaker import Breaker, Pass
from guardrails.llm.protocol import ModelOutageError, ModelRejectionError
from guardrails.llm.slots import Slots
from guardrails.loop.per_loop import PerLoop
from guardrails.telemetry import log

__all__ = ["CONNECT_S", "Called", "Endpoint", "Retries"]

T = TypeVar("T")
C = TypeVar("C")
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

CONNECT_S = 5.0
"""An endpoint that takes longer to take a connection is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often to try again and how long to wait between: `first_s`, doubled each time up to
    `longest_s`, shortened at random by up to a quarter so that callers do not come back at once.
    What the endpoint asks for goes before. A wait over `patience_s`, or one that does not fit
    into the caller's time, is not begun: the call ends."""

    times: int = 2
    first_s: float = 0.5
    longest_s: float = 8.0
    patience_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Called(Generic[T]):
    value: T
    attempts: int


class Endpoint:
    """`name` is the provider as settings name it. Works from any loop and thread."""

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key: str | None = None,
        max_concurrency: int = 32,
        connect_s: float = CONNECT_S,
        breaker: Breaker | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        _checked(name, base_url, api_key)
        self.name = name
        self.base_url = base_url.rstrip("/")
        self.api_key = api_key
        self.connect_s = connect_s
        self.breaker = breaker or Breaker(clock=clock)
        self._slots = Slots(max_concurrency)
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._clients: PerLoop[Any] | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r})"

    def clients(
        self, make: Callable[[], Awaitable[C]], close: Callable[[C], Awaitable[None]]
    ) -> PerLoop[C]:
        """The connections of this endpoint: made by whoever asks first, then shared."""
        if self._clients is None:
            self._clients = PerLoop(make, close)
        return self._clients

    async def aclose(self) -> None:
        if self._clients is not None:
            await self._clients.aclose()

    async def call(
        self,
        attempt: Callable[[float], Awaitable[T | Failed]],
        *,
        asking: str,
        timeout_s: float,
        retries: Retries = Retries(),
    ) -> Called[T]:
        """Make attempts, each told how many seconds are left, until one succeeds.

        `asking` is what errors name. Raises ModelOutageError, ModelRejectionError or TimeoutError.
        """
        deadline = self._clock() + timeout_s
        leave = self.breaker.admit()
        if leave is None:
            raise ModelOutageError(f"{asking}: not asked, {self.name} has been away (open circuit)")
        with leave:
            number, trouble = 1, None
            while True:
                result = await self._attempt(attempt, deadline)
                if not isinstance(result, Failed):
                    leave.answered()
                    return Called(value=result, attempts=number)
                wait_s = self._wait(result, number, deadline, retries, leave)
                if wait_s is None:
                    raise self._ended(result, trouble, number, asking, timeout_s, leave)
                if result.is_outage:
                    trouble = result
                log.info("model_retry", model=asking, why=result.why, wait_s=round(wait_s, 3))
                await self._sleep(wait_s)
                number += 1

    async def _attempt(
        self, attempt: Callable[[float], Awaitable[T | Failed]], deadline: float
    ) -> T | Failed:
        left = deadline - self._clock()
        if left > 0:
            try:
                async with asyncio.timeout(left):
                    await self._slots.acquire()
                    try:
                        return await attempt(deadline - self._clock())
                    finally:
                        self._slots.release()
            except TimeoutError:
                pass
        return Failed(kind="timed_out", why="no answer in time")

    def _wait(
        self, failed: Failed, number: int, deadline: float, retries: Retries, leave: Pass
    ) -> float | None:
        """Seconds until the next attempt; None if there is to be none."""
        if number > retries.times or not failed.may_retry or leave.void:
            return None
        backoff = min(retries.first_s * 2 ** (number - 1), retries.longest_s)
        wait_s = failed.wait_s or backoff * (1 - self._chance() / 4)
        fits = wait_s <= retries.patience_s and wait_s < deadline - self._clock()
        return wait_s if fits else None

    def _ended(
        self,
        failed: Failed,
        trouble: Failed | None,
        attempts: int,
        asking: str,
        timeout_s: float,
        leave: Pass,
    ) -> Exception:
        """`trouble` is an outage that an attempt before the last one met."""
        unanswered = failed.kind == "timed_out"
        if unanswered and trouble is None:
            return TimeoutError(f"{asking}: no answer in {timeout_s:g} s")
        if unanswered and trouble is not None:
            # No text made the endpoint refuse to serve, and for that there was too little time.
            failed = replace(trouble, why=f"{trouble.why}, then no answer in time")
        times = f" after {attempts} attempts" if attempts > 1 else ""
        why = f"{asking}: {failed.why}{times}"
        if not failed.is_outage:
            if failed.status is not None:
                leave.answered()
            return ModelRejectionError(why, status=failed.status)
        if failed.is_passing and leave.away():
            log.warning("model_circuit_open", endpoint=self.name, why=failed.why)
        return ModelOutageError(why, status=failed.status, unanswered=unanswered)


def _checked(name: str, base_url: str, api_key: str | None) -> None:
    """Refuse what would only fail at the first call, and then with a key in the message."""
    try:
        parts = urlsplit(base_url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise SettingsError(f"provider {name!r}: base_url is no http or https address")
    if parts.username or parts.password:
        raise SettingsError(f"provider {name!r}: name the key in api_key_env, not in base_url")
    if api_key is not None and not (api_key.isascii() and api_key.isprintable() and api_key):
        raise SettingsError(f"provider {name!r}: its key has characters that no header can carry")
