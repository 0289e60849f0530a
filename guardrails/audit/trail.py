"""Where the guard puts its records: opened before anything is delivered, closed at the end."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Protocol

from guardrails.audit.anchor import AnchorWriter
from guardrails.audit.chain import Kind, columns
from guardrails.audit.keys import Keys, make_keys
from guardrails.audit.record import Begun, Closed, Opened, Outcome, as_json, canonical
from guardrails.audit.store_sqlite import SqliteStore, open_for_reading
from guardrails.audit.writer import Item, Writer
from guardrails.errors import AuditError
from guardrails.settings import Settings

__all__ = ["MemoryTrail", "StoredTrail", "Trail", "check_trail", "open_trail"]


class Trail(Protocol):
    """Works from any loop and thread."""

    @property
    def key_id(self) -> str:
        """Which key authenticates the records and digests."""

    def digest(self, texts: Sequence[str], *, of: str = "text") -> str:
        """A keyed digest of a list of texts; `of` keeps kinds apart (`text`, `session`, …)."""

    async def begin(self, record: Begun) -> None:
        """Durable when it returns. Raises AuditError."""

    async def open(self, record: Opened) -> None:
        """Durable when it returns. Raises AuditError."""

    async def close(self, record: Closed) -> None:
        """Durable when it returns. Raises AuditError."""

    async def outcome(self, record: Outcome) -> None:
        """Durable when it returns. Raises AuditError."""

    async def probe(self, *, durably: bool = True) -> None:
        """Raises AuditError unless records can be written now; with `durably=False`, unless they
        would be taken, be it into a buffer."""

    async def aclose(self) -> None:
        """Write what is waiting and let go of the store."""


class MemoryTrail:
    """Keeps the newest records in memory, for tests and trials; nothing survives the process."""

    def __init__(self, *, keys: Keys | None = None, newest: int = 10_000) -> None:
        self._keys = keys or make_keys(None)
        self.begun: deque[Begun] = deque(maxlen=newest)
        self.opened: deque[Opened] = deque(maxlen=newest)
        self.closed: deque[Closed] = deque(maxlen=newest)
        self.outcomes: deque[Outcome] = deque(maxlen=newest)

    @property
    def key_id(self) -> str:
        return self._keys.id

    def digest(self, texts: Sequence[str], *, of: str = "text") -> str:
        return self._keys.digest(texts, of=of)

    async def begin(self, record: Begun) -> None:
        self.begun.append(record)

    async def open(self, record: Opened) -> None:
        self.opened.append(record)

    async def close(self, record: Closed) -> None:
        self.closed.append(record)

    async def outcome(self, record: Outcome) -> None:
        self.outcomes.append(record)

    async def probe(self, *, durably: bool = True) -> None:
        return None

    async def aclose(self) -> None:
        return None


class StoredTrail:
    """A trail in a store. Several may share a writer; the last to be closed ends it."""

    def __init__(self, writer: Writer, keys: Keys, *, place: object = None) -> None:
        self._writer = writer
        self._keys = keys
        self._place = place
        self._closed = False

    @property
    def key_id(self) -> str:
        return self._keys.id

    def digest(self, texts: Sequence[str], *, of: str = "text") -> str:
        return self._keys.digest(texts, of=of)

    async def begin(self, record: Begun) -> None:
        await self._put("begin", record)

    async def open(self, record: Opened) -> None:
        await self._put("open", record)

    async def close(self, record: Closed) -> None:
        await self._put("close", record)

    async def outcome(self, record: Outcome) -> None:
        await self._put("outcome", record)

    async def _put(self, kind: Kind, record: Begun | Opened | Closed | Outcome) -> None:
        """A caller that is cancelled here takes nothing back: the entry is written, once."""
        if self._closed:
            raise AuditError("this audit trail is closed")
        value = as_json(record)
        item = Item(kind=kind, record=canonical(value), columns=columns(kind, value))
        await asyncio.wrap_future(self._writer.submit(item))

    async def probe(self, *, durably: bool = True) -> None:
        if self._closed:
            raise AuditError("this audit trail is closed")
        await asyncio.to_thread(self._writer.probe, durably=durably)

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            if _shared.give_back(self._place):
                await asyncio.to_thread(self._writer.stop)


class _SharedWriters:
    """The process's writers, by what they write to and how; also the care for forks and the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writers: dict[object, Writer] = {}
        self._users: dict[object, int] = {}

    def lend(self, settings: Settings, file: Path, keys: Keys) -> StoredTrail:
        place = (
            file.absolute(),
            keys.id,
            settings.audit_anchor,
            settings.on_audit_failure,
            settings.audit_buffer,
        )
        with self._lock:
            writer = self._writers.get(place)
            if writer is None:
                writer = self._writers[place] = _writer(settings, place[0], keys)
            self._users[place] = self._users.get(place, 0) + 1
        return StoredTrail(writer, keys, place=place)

    def give_back(self, place: object) -> bool:
        """Whether nobody uses that writer any more."""
        with self._lock:
            self._users[place] -= 1
            if self._users[place]:
                return False
            del self._users[place], self._writers[place]
            return True

    def before_fork(self) -> None:
        self._lock.acquire()
        for writer in self._writers.values():
            writer.before_fork()

    def after_fork_in_parent(self) -> None:
        for writer in self._writers.values():
            writer.release()
        self._lock.release()

    def after_fork_in_child(self) -> None:
        self._lock = threading.Lock()
        for writer in self._writers.values():
            writer.begin()

    def stop(self) -> None:
        """At the end of the interpreter: what is waiting is written; what is lost is logged."""
        with self._lock:
            writers = list(self._writers.values())
        for writer in writers:
            with suppress(AuditError):
                writer.stop()


_shared = _SharedWriters()
atexit.register(_shared.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_shared.before_fork,
        after_in_parent=_shared.after_fork_in_parent,
        after_in_child=_shared.after_fork_in_child,
    )

PATIENCE_S = 5.0
PATIENCE_WITH_BUFFER_S = 0.5  # who may buffer need not wait long for a lock


def _writer(settings: Settings, file: Path, keys: Keys) -> Writer:
    buffering = settings.on_audit_failure == "buffer"
    anchor = settings.audit_anchor
    return Writer(
        partial(SqliteStore, file, patience_s=PATIENCE_WITH_BUFFER_S if buffering else PATIENCE_S),
        key=keys.derive("mac"),
        key_id=keys.id,
        anchor=partial(AnchorWriter, anchor, keys.derive("anchor")) if anchor else None,
        buffer=settings.audit_buffer if buffering else 0,
    )


def open_trail(settings: Settings) -> Trail:
    """The trail that settings name. Makes the key if there is none; raises AuditError.

    A trail in memory leaves no key behind unless a key file is named.
    """
    file = settings.audit_file
    if file is None:
        return MemoryTrail(keys=make_keys(settings.key_file))
    return _shared.lend(settings, file, make_keys(settings.key_path))


_EFFECTIVE = os.access in os.supports_effective_ids


def check_trail(settings: Settings) -> None:
    """Raises AuditError unless the trail that settings name can be written. Makes nothing that is
    not there yet."""
    file = settings.audit_file
    if file is None:
        return
    if not os.path.lexists(file):
        _check_room(file, "the audit trail", "GUARDRAILS_AUDIT")
    else:
        if file.is_file() and file.stat().st_size:  # perhaps another's: not opened to write
            with open_for_reading(file):
                pass
        with closing(SqliteStore(file)) as store:
            store.probe()
    anchor = settings.audit_anchor
    if anchor is None:
        return
    if not os.path.lexists(anchor):
        _check_room(anchor, "the audit anchor", "GUARDRAILS_AUDIT_ANCHOR")
    else:
        AnchorWriter(anchor, b"").probe()


def _check_room(file: Path, what: str, variable: str) -> None:
    """Whether a file could be made, with the folders that it lacks."""
    folder = next(parent for parent in file.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir():
        why = f"{str(folder)!r} is no folder"
    elif not os.access(folder, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE):
        why = f"{str(folder)!r} may not be written"
    else:
        return
    raise AuditError(
        f"{what} {str(file)!r} cannot be made: {why}; see to it, or name another file in {variable}"
    )
