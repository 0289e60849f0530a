"""One thread per trail and process: takes entries from any loop or thread, commits them in groups.

An entry's future is done when the entry is on disk. If the store fails, the entry's future fails
(`block`), or the entry waits in memory, in order and bounded, until the store is back (`buffer`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Protocol

from guardrails.audit.anchor import AnchorWriter
from guardrails.audit.chain import Chain, Columns, Entry, Kind
from guardrails.errors import AuditError
from guardrails.telemetry import log

__all__ = ["Item", "Store", "Writer"]

MOST_WAITING = 10_000
"""Entries that may wait for the thread; more is refused, since memory is bounded."""

LARGEST_GROUP = 512
RETRY_S = 1.0
"""How often a failing store is tried again while entries wait in the buffer."""


class Store(Protocol):
    """Where entries go. Every method raises AuditError and nothing else."""

    @property
    def is_current(self) -> bool: ...
    def append(self, entries: Sequence[Entry]) -> None: ...
    def probe(self) -> None: ...
    def holds(self, entry: Entry) -> bool: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Item:
    """A record on its way, serialised by its caller."""

    kind: Kind
    record: bytes
    columns: Columns
    done: Future[None] = field(default_factory=Future)


_Queue = SimpleQueue[Item | None]
"""None asks the thread to write what came before and end."""


class Writer:
    """Thread-safe. `connect` opens the store; it is called at the first entry and after failures.

    `buffer` is how many entries may wait for a failing store; 0 means that they fail with it.
    """

    def __init__(
        self,
        connect: Callable[[], Store],
        *,
        key: bytes,
        key_id: str,
        anchor: Callable[[], AnchorWriter] | None = None,
        buffer: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._new_anchor = anchor
        self._buffer = buffer
        self._clock = clock
        self._key, self._key_id = key, key_id
        self.begin()

    def begin(self) -> None:
        """Be as new: also after a fork, for what the parent holds is the parent's to write."""
        self._lock = threading.Lock()  # the queue and the thread
        self._io = threading.Lock()  # everything below
        self._queue: _Queue | None = None
        self._thread: threading.Thread | None = None
        self._store: Store | None = None
        self._backlog: list[Item] = []
        self._doubtful: tuple[list[Item], Entry] | None = None
        self._retry_at = 0.0
        self._begin_chain()

    def _begin_chain(self) -> None:
        self._chain = Chain(key=self._key, key_id=self._key_id)
        self._anchor = self._new_anchor() if self._new_anchor else None

    def before_fork(self) -> None:
        """Let no database connection be carried over a fork; `release` ends it in the parent."""
        self._io.acquire()
        self._disconnect()

    def release(self) -> None:
        self._io.release()

    def submit(self, item: Item) -> Future[None]:
        """Hand an entry over; never waits. Cancelling the future does not take the entry back."""
        item.done.set_running_or_notify_cancel()
        with self._lock:
            if self._queue is None:
                self._start()
            if self._queue is None or self._queue.qsize() >= MOST_WAITING:
                raise AuditError(f"{MOST_WAITING} audit entries wait to be written: too many")
            self._queue.put(item)
        return item.done

    def _start(self) -> None:
        queue: _Queue = SimpleQueue()
        thread = threading.Thread(
            target=self._run, args=(queue,), name="guardrails-audit", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the interpreter is ending, or out of threads
            raise AuditError(f"the audit writer cannot start: {error}") from None
        self._queue, self._thread = queue, thread

    def probe(self, *, durably: bool = True) -> None:
        """Raises AuditError unless an entry would be taken now: on disk at once, or, where that is
        enough, into a buffer that has room. Waits for what is being written."""
        with self._io:
            try:
                self._prepare().probe()
                if self._anchor is not None:
                    self._anchor.probe()
            except Exception as error:
                self._disconnect()
                if not durably and len(self._backlog) < self._buffer:
                    return
                if isinstance(error, AuditError):
                    raise
                raise AuditError(f"the audit writer failed: {type(error).__name__}") from None

    def stop(self) -> None:
        """Write what waits, close the store, end the thread. Another `submit` starts anew.

        Raises AuditError if entries of the buffer could not be written.
        """
        with self._lock:
            queue, thread = self._queue, self._thread
            self._queue = self._thread = None
        if queue is not None and thread is not None:
            queue.put(None)
            thread.join()
        with self._io:
            lost, self._backlog = len(self._backlog), []
        if lost:
            log.error("audit entries are lost", entries=lost)
            raise AuditError(f"{lost} buffered audit entries could not be written and are lost")

    def _run(self, queue: _Queue) -> None:
        going = True
        while going:
            items, going = self._take(queue)
            with self._io:
                self._write(items, at_once=not going)
        with self._io:
            self._disconnect()

    def _take(self, queue: _Queue) -> tuple[list[Item], bool]:
        """What has arrived, and whether there is more to come."""
        items: list[Item] = []
        try:
            item = queue.get(timeout=RETRY_S if self._backlog else None)
            while item is not None:
                items.append(item)
                if len(items) == LARGEST_GROUP:
                    return items, True
                item = queue.get_nowait()
        except Empty:
            return items, True
        return items, False

    def _write(self, items: list[Item], *, at_once: bool) -> None:
        """Commit the backlog and `items`, or do with `items` what the failure policy says."""
        if self._backlog and not at_once and self._clock() < self._retry_at:
            self._keep(items, AuditError("the audit store is failing"))
            return
        try:
            store = self._prepare()
            if self._backlog or items:
                self._commit(store, [*self._backlog, *items])
        except AuditError as error:
            self._failed(items, error)
        except Exception as error:  # a fault of ours: no caller may hang, the thread must live
            self._failed(items, AuditError(f"the audit writer failed: {type(error).__name__}"))
        else:
            self._settle(items, self._anchor_tip())

    def _prepare(self) -> Store:
        """The store that now has that name, once it is known what it holds of us."""
        if self._store is not None and not self._store.is_current:
            self._leave_moved()
        if self._store is None:
            self._store = self._connect()
        if self._doubtful is not None:
            items, last = self._doubtful
            if self._store.holds(last):  # the commit that was reported as failed did take place
                self._chain.advance(last)
                written = set(items)
                self._backlog = [item for item in self._backlog if item not in written]
            self._doubtful = None
        return self._store

    def _leave_moved(self) -> None:
        """Another file: our chain ended in the one that is gone."""
        log.warning("the audit trail was moved away or removed; a new one is begun")
        self._disconnect()
        self._begin_chain()
        self._doubtful = None

    def _commit(self, store: Store, items: list[Item]) -> None:
        entries: list[Entry] = []
        for item in items:
            after = entries[-1] if entries else None
            entries.append(self._chain.link(item.kind, item.record, item.columns, after))
        self._doubtful = (items, entries[-1])
        store.append(entries)
        self._doubtful = None
        self._chain.advance(entries[-1])
        if not store.is_current:  # moved meanwhile: nobody else may look into its log any more
            self._leave_moved()
        if self._backlog:
            log.warning("the audit store is back", entries=len(self._backlog))
            self._backlog = []

    def _anchor_tip(self) -> AuditError | None:
        """What keeps the tip from being anchored, if that is to fail the entries it covers."""
        if self._anchor is None or self._chain.seq == 0:
            return None
        try:
            self._anchor.write(self._chain.writer, self._chain.seq - 1, self._chain.tip)
        except AuditError as error:
            if not self._buffer:
                return error
            log.warning("the audit anchor fails; the next commit tries again", problem=str(error))
        return None

    def _failed(self, items: list[Item], error: AuditError) -> None:
        self._disconnect()
        if not self._backlog and self._buffer:
            log.warning("the audit store fails; entries are buffered", problem=str(error))
        self._retry_at = self._clock() + RETRY_S
        self._keep(items, error)

    def _keep(self, items: list[Item], error: AuditError) -> None:
        """Buffer as many as there is room for; the others fail."""
        room = max(0, self._buffer - len(self._backlog))
        self._backlog += items[:room]
        self._settle(items[:room])
        full = f"; {self._buffer} entries are buffered, no more will be" if self._buffer else ""
        self._settle(items[room:], AuditError(f"{error}{full}"))

    def _settle(self, items: list[Item], error: AuditError | None = None) -> None:
        for item in items:
            if error is None:
                item.done.set_result(None)
            else:
                item.done.set_exception(AuditError(str(error)))  # one each: they gather tracebacks

    def _disconnect(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
