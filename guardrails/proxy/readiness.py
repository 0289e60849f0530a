"""Whether this process can serve, and what it would say if somebody asked why not.

What cannot be recorded is not delivered, so a process whose record cannot be written serves nobody,
whatever else is well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from guardrails.errors import AuditError
from guardrails.proxy.hosting import Hosting, Standing
from guardrails.proxy.stores import Stores

__all__ = ["Readiness", "State"]

KEPT_S = 1.0
"""Who asks more often than this gets the last answer: asking must not become work."""
PATIENCE_S = 2.0
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`lines` tell what of it is well and what is not; of files and versions, never of texts."""

    is_ready: bool
    lines: tuple[str, ...] = ()


class Readiness:
    """`is_taking` says whether the listener takes requests. Close it on the loop that asks it."""

    def __init__(self, hosting: Hosting, stores: Stores, is_taking: Callable[[], bool]) -> None:
        self._hosting, self._stores, self._is_taking = hosting, stores, is_taking
        self._looking: asyncio.Task[None] | None = None
        self._record = ""
        self._looked_at = float("-inf")

    async def state(self) -> State:
        taking, record = self._is_taking(), await self._of_record()
        lines = (
            f"requests: {'taken' if taking else 'not taken, it starts or drains'}",
            f"record: {record or 'can be written'}",
            *self._stores.lines,
            *(line for standing in self._hosting.standings for line in _of(standing)),
        )
        return State(is_ready=taking and not record, lines=lines)

    async def _of_record(self) -> str:
        """What keeps it from being written; empty if nothing does."""
        if time.monotonic() - self._looked_at < KEPT_S:
            return self._record
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.shield(self._looking)
        except TimeoutError:
            return f"did not answer within {PATIENCE_S:g} s"
        return self._record

    async def _look(self) -> None:
        try:
            await self._hosting.probe(durably=False)
        except AuditError as error:
            self._record = str(error)
        except Exception as error:  # a fault of ours: nobody knows, so it is not ready
            self._record = f"cannot be looked at: {type(error).__name__}"
        else:
            self._record = ""
        finally:
            self._looked_at, self._looking = time.monotonic(), None

    async def aclose(self) -> None:
        if self._looking is not None:
            await self._looking


def _of(standing: Standing) -> Iterator[str]:
    """A version that is stale is in force all the same, so it keeps nobody from being ready."""
    id, version, digest = standing.pin
    yield f"constitution {standing.name}: {id}@{version}, {digest}, since {standing.since:{TIME}}"
    if standing.refused_at is not None:
        first, *more = standing.problems or ("",)
        rest = f" (and {len(more)} more, in the log)" if more else ""
        refused_at = f"{standing.refused_at:{TIME}}"
        yield f"constitution {standing.name}: STALE, refused at {refused_at}: {first}{rest}"
