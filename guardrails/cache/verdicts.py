"""Verdicts by name, whatever the store: sealed, dated, and counted."""

from __future__ import annotations

import secrets
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from guardrails.cache.memory import MemoryStore
from guardrails.cache.names import Name, Names
from guardrails.cache.value import Kept, decode, encode
from guardrails.errors import SettingsError
from guardrails.settings import Settings
from guardrails.telemetry import log

__all__ = ["CacheStatus", "Store", "VerdictCache", "open_cache"]

SKEW_S = 60  # by how much replicas' clocks may differ


class Store(Protocol):
    """Keeps bytes by name for a while, or does not. Never raises; works from any loop."""

    @property
    def kind(self) -> str: ...
    @property
    def away(self) -> bool:
        """Whether it cannot be reached now, so that nothing is kept."""

    @property
    def outages(self) -> int: ...

    async def get(self, names: Sequence[Name]) -> Sequence[bytes | None]:
        """The value of each name, in order; None for what is not there."""

    async def put(self, values: Mapping[Name, bytes], *, ttl_s: int) -> None:
        """Keep these for at most so long."""

    async def aclose(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStatus:
    """Counts since the start. `forged`: values whose MAC was wrong. `away`: the store cannot be
    reached now; `outages`: how many operations found it so."""

    store: str
    hits: int
    misses: int
    forged: int
    outages: int
    away: bool


class VerdictCache:
    """What judges said, by names that `names` makes. `clock` is in seconds since 1970."""

    def __init__(self, store: Store, key: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self.names = Names(key)
        self._store, self._clock = store, clock
        self._hits = self._misses = self._forged = 0

    def __repr__(self) -> str:
        return f"<VerdictCache {self._store!r}>"

    @property
    def status(self) -> CacheStatus:
        store = self._store
        return CacheStatus(
            store=store.kind,
            hits=self._hits,
            misses=self._misses,
            forged=self._forged,
            outages=store.outages,
            away=store.away,
        )

    async def get(self, names: Sequence[Name], *, ttl_s: int) -> dict[Name, Kept]:
        """Those that are kept and were said less than `ttl_s` seconds ago."""
        wanted = list(dict.fromkeys(names))
        found: dict[Name, Kept] = {}
        if not wanted:
            return found
        now = self._clock()
        for name, sealed in zip(wanted, await self._store.get(wanted), strict=True):
            kept = None if sealed is None else self._read(name, sealed, now, ttl_s)
            if kept is not None:
                found[name] = kept
        self._hits += len(found)
        self._misses += len(wanted) - len(found)
        return found

    async def put(self, verdicts: Mapping[Name, Kept], *, ttl_s: int) -> None:
        if not verdicts or ttl_s <= 0:
            return
        now = self._clock()
        sealed = {
            name: self.names.sealed(name, encode(kept, at=now)) for name, kept in verdicts.items()
        }
        await self._store.put(sealed, ttl_s=ttl_s)

    async def aclose(self) -> None:
        await self._store.aclose()

    def _read(self, name: Name, sealed: bytes, now: float, ttl_s: int) -> Kept | None:
        value = self.names.opened(name, sealed)
        if value is None:
            self._forged += 1
            log.warning("verdict_cache_forged", store=self._store.kind, name=name.hex()[:16])
            return None
        dated = decode(value)
        if dated is None or not -SKEW_S <= now - dated.at < ttl_s:
            return None
        return dated.kept


def open_cache(settings: Settings, key: bytes | None) -> VerdictCache | None:
    """The cache that settings name; None if they say `off`.

    `key` is the installation's for caches; None: one that nobody else has, for verdicts that are
    not to outlive the cache. Caches in memory with one key share what they keep. Raises
    SettingsError.
    """
    if settings.cache == "off":
        return None
    if settings.cache == "memory":
        store = _shared.store(settings.cache_entries, key)
        return VerdictCache(store, key or secrets.token_bytes(32))
    if key is None:
        raise SettingsError(
            "cache: in Redis verdicts are kept under the installation's key, and there is none; "
            "name its file in key_file (GUARDRAILS_KEY_FILE), the same for all replicas"
        )
    from guardrails.cache.redis import RedisStore

    return VerdictCache(RedisStore(settings.cache), key)


class _SharedStores:
    """The process's stores in memory, each for as long as anybody uses it: so a constitution that
    is loaded anew finds what is kept of its unchanged principles."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stores: weakref.WeakValueDictionary[tuple[int, bytes], MemoryStore] = (
            weakref.WeakValueDictionary()
        )

    def store(self, entries: int, key: bytes | None) -> MemoryStore:
        if key is None:
            return MemoryStore(entries=entries)
        with self._lock:
            store = self._stores.get((entries, key))
            if store is None:
                store = self._stores[entries, key] = MemoryStore(entries=entries)
            return store


_shared = _SharedStores()
