"""Where the guard puts its records: opened before anything is delivered, closed at the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from guardrails.audit.keys import Keys, make_keys
from guardrails.audit.record import Closed, Opened
from guardrails.settings import Settings

__all__ = ["MemoryTrail", "Trail", "open_trail"]


class Trail(Protocol):
    """Works from any loop and thread."""

    @property
    def key_id(self) -> str:
        """Which key authenticates the records and digests."""

    def digest(self, texts: Sequence[str], *, of: str = "text") -> str:
        """A keyed digest of a list of texts; `of` keeps kinds apart (`text`, `session`, …)."""

    async def open(self, record: Opened) -> None:
        """Durable when it returns. Raises AuditError."""

    async def close(self, record: Closed) -> None:
        """Durable when it returns. Raises AuditError."""

    async def aclose(self) -> None:
        """Write what is waiting and let go of the store."""


class MemoryTrail:
    """Keeps the newest records in memory, for tests and trials; nothing survives the process."""

    def __init__(self, *, keys: Keys | None = None, newest: int = 10_000) -> None:
        self._keys = keys or make_keys(None)
        self.opened: deque[Opened] = deque(maxlen=newest)
        self.closed: deque[Closed] = deque(maxlen=newest)

    @property
    def key_id(self) -> str:
        return self._keys.id

    def digest(self, texts: Sequence[str], *, of: str = "text") -> str:
        return self._keys.digest(texts, of=of)

    async def open(self, record: Opened) -> None:
        self.opened.append(record)

    async def close(self, record: Closed) -> None:
        self.closed.append(record)

    async def aclose(self) -> None:
        return None


def open_trail(settings: Settings) -> Trail:
    """The trail that settings name."""
    return MemoryTrail(keys=make_keys(settings.key_file))
