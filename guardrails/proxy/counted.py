"""The record, with every decision counted as it is written, and put down to its request's account;
a stream's is made at its end."""

from __future__ import annotations

from collections.abc import Sequence

from guardrails.audit.record import Begun, Closed, Opened, Outcome
from guardrails.audit.trail import Trail
from guardrails.errors import AuditError
from guardrails.proxy.account import account_of_request
from guardrails.proxy.metrics import Metrics

__all__ = ["CountedTrail"]


class CountedTrail:
    """A trail before another one."""

    def __init__(self, trail: Trail, metrics: Metrics) -> None:
        self._trail, self._metrics = trail, metrics

    @property
    def key_id(self) -> str:
        return self._trail.key_id

    def digest(self, texts: Sequence[str], *, of: str = "text") -> str:
        return self._trail.digest(texts, of=of)

    async def begin(self, record: Begun) -> None:
        try:
            await self._trail.begin(record)
        except AuditError:
            self._failed()
            raise

    async def open(self, record: Opened) -> None:
        try:
            await self._trail.open(record)
        except AuditError:
            self._failed()
            raise
        self._metrics.decided(str(record.stage), str(record.verdict), record.cause or "none")
        if (account := account_of_request()) is not None:
            account.decided(record)

    async def close(self, record: Closed) -> None:
        try:
            await self._trail.close(record)
        except AuditError:
            self._failed()
            raise

    def _failed(self) -> None:
        self._metrics.unrecorded.inc()
        if (account := account_of_request()) is not None:
            account.is_unrecorded = True

    async def outcome(self, record: Outcome) -> None:
        await self._trail.outcome(record)

    async def probe(self, *, durably: bool = True) -> None:
        await self._trail.probe(durably=durably)

    async def aclose(self) -> None:
        await self._trail.aclose()
