"""A store in the process's memory: what was used least recently goes first."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from guardrails.cache.names import Name

__all__ = ["MemoryStore"]

MOST_BYTES = 64 * 1024 * 1024
OVERHEAD = 250  # bytes that an entry takes besides its name and value; measured on CPython 3.11


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    until: float


class MemoryStore:
    """Bounded by entries and by bytes. Works from any loop and thread; never waits for anything."""

    kind = "memory"
    away = False
    outages = 0

    def __init__(
        self,
        *,
        entries: int,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries, self._most_bytes, self._clock = entries, most_bytes, clock
        self._kept: OrderedDict[Name, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self)} of {self._entries} entries>"

    async def get(self, names: Sequence[Name]) -> Sequence[bytes | None]:
        now = self._clock()
        with self._lock:
            return [self._get(name, now) for name in names]

    async def put(self, values: Mapping[Name, bytes], *, ttl_s: int) -> None:
        until = self._clock() + ttl_s
        with self._lock:
            for name, value in values.items():
                self._drop(name)
                self._kept[name] = _Entry(value, until)
                self.bytes += _size(name, value)
            while self._kept and (len(self._kept) > self._entries or self.bytes > self._most_bytes):
                self._drop(next(iter(self._kept)))
                self.evicted += 1

    async def aclose(self) -> None:
        return None

    def _get(self, name: Name, now: float) -> bytes | None:
        entry = self._kept.get(name)
        if entry is None:
            return None
        if entry.until <= now:
            self._drop(name)
            return None
        self._kept.move_to_end(name)
        return entry.value

    def _drop(self, name: Name) -> None:
        entry = self._kept.pop(name, None)
        if entry is not None:
            self.bytes -= _size(name, entry.value)


def _size(name: Name, value: bytes) -> int:
    return OVERHEAD + len(name) + len(value)
