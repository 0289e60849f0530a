"""Whether a trail is what was written: every entry, in its place, and nothing delivered unjudged.

Streams the trail twice in one consistent view, in constant memory: once along the writers' chains,
once by record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from guardrails.audit.anchor import Anchor, read_anchor
from guardrails.audit.chain import Fault, Follower, Row, mac_of
from guardrails.audit.keys import load_keys
from guardrails.audit.read import record_of
from guardrails.audit.record import Begun, Closed, Opened, Outcome, delivery_fault
from guardrails.audit.store_sqlite import alterations, open_for_reading, rows
from guardrails.verdict import Verdict

__all__ = ["Report", "verify"]

MOST_NAMED = 1_000
"""Faults and unclosed records that a report names one by one; all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a verification came to.

    `unclosed` records are no fault: their process died first. `tail_anchored` says that the anchor
    knows every writer, so that entries cut off a chain's end, or a whole chain, would be missed;
    `unanchored_entries` were written after the anchor was.
    """

    key_id: str
    entries: int
    records: int
    writers: int
    faults: tuple[Fault, ...]
    fault_count: int
    unclosed: tuple[str, ...]
    unclosed_count: int
    tail_anchored: bool
    unanchored_entries: int

    @property
    def ok(self) -> bool:
        return self.fault_count == 0


def verify(file: Path, *, key: Path, anchor: Path | None = None) -> Report:
    """Check a whole trail with the root key in the file `key`.

    Raises AuditError if the trail, the key or the anchor cannot be read at all.
    """
    keys = load_keys(key)
    # Read before the trail: a trail that is being written may be ahead of it, never behind.
    known = read_anchor(anchor, keys.derive("anchor")) if anchor else None
    check = _Check(keys.derive("mac"), keys.id, known)
    with open_for_reading(file) as connection:
        try:
            for (found,) in connection.execute("PRAGMA integrity_check(10)"):
                if found != "ok":
                    check.name(Fault(what="damaged", detail=found))
            for altered in alterations(connection):
                check.name(Fault(what="damaged", detail=altered))
            check.chains(rows(connection, "ORDER BY writer, seq, id"))
            check.records(rows(connection, "ORDER BY record_id, id"))
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            # SQLite quotes damaged bytes, in a message that Python cannot decode then.
            said = "bytes that are no text" if isinstance(error, UnicodeError) else str(error)
            check.name(Fault(what="damaged", detail=f"cannot be read to its end: {said}"))
    return check.report()


class _Check:
    """One verification under way."""

    def __init__(self, key: bytes, key_id: str, anchor: Anchor | None) -> None:
        self._key, self._key_id, self._anchor = key, key_id, anchor
        self._faults: list[Fault] = []
        self._unclosed: list[str] = []
        self._fault_count = self._unclosed_count = 0
        self._entries = self._records = self._writers = 0
        self._unknown_writers = self._unanchored = 0
        for line in anchor.damaged if anchor else ():
            detail = f"line {line} is damaged, or made with another key"
            self.name(Fault(what="anchor", detail=detail))

    def name(self, fault: Fault) -> None:
        self._fault_count += 1
        if len(self._faults) < MOST_NAMED:
            self._faults.append(fault)

    def chains(self, found: Iterable[Row]) -> None:
        """Every entry is what was written, where it was written."""
        missing = dict(self._anchor.tips) if self._anchor else {}
        for writer, chain in groupby(found, key=lambda row: row.writer):
            self._chain(writer, chain)
            missing.pop(writer, None)
        for writer, tip in missing.items():
            detail = f"the whole chain is missing, {tip.seq + 1} entries were anchored"
            self.name(Fault(what="truncated", detail=detail, writer=writer))

    def _chain(self, writer: object, chain: Iterable[Row]) -> None:
        tip = self._anchor.tips.get(str(writer)) if self._anchor else None
        follower = Follower(key=self._key, key_id=self._key_id)
        for row in chain:
            self._entries += 1
            for fault in follower.follow(row):
                self.name(fault)
            if tip is None or not isinstance(row.seq, int) or row.seq > tip.seq:
                self._unanchored += 1
            if tip and row.seq == tip.seq and row.mac != tip.mac:
                self.name(Fault.at(row, "unanchored", "not the entry that was anchored"))
        self._writers += 1
        last = follower.expected - 1
        if tip is None:
            self._unknown_writers += 1
        elif last < tip.seq:
            detail = f"ends here, but entries up to {tip.seq} were anchored"
            self.name(Fault(what="truncated", detail=detail, writer=str(writer), seq=last))

    def records(self, found: Iterable[Row]) -> None:
        """Every record is opened once, closed at most once, and delivered as promise 1 says."""
        for record_id, entries in groupby(found, key=lambda row: row.record_id):
            self._record(str(record_id), entries)

    def _record(self, record_id: str, entries: Iterable[Row]) -> None:
        opened: Opened | None = None
        closed: Closed | None = None
        begun: Begun | None = None
        for row in entries:
            record = record_of(row)
            if record is None:
                if self._is_proven(row):
                    self.name(Fault.at(row, "unreadable", "a later version may read it"))
            elif isinstance(record, Begun):
                if begun or opened or closed:
                    self.name(Fault.at(row, "repeated", "begun again, or after it was opened"))
                begun = record
            elif isinstance(record, Opened):
                if opened or closed:
                    self.name(Fault.at(row, "repeated", "opened again, or after it was closed"))
                if begun and _subject(begun) != _subject(record):
                    self.name(Fault.at(row, "delivery", "decided under other rules than it began"))
                opened = opened or record
            elif isinstance(record, Outcome):
                self._outcome(row, opened)
            elif closed:
                self.name(Fault.at(row, "repeated", "closed again"))
            else:
                closed = record
                trouble = delivery_fault(opened, record) if opened else None
                if opened is None:
                    self.name(Fault.at(row, "unopened", "closed without having been opened"))
                if trouble:
                    self.name(Fault.at(row, "delivery", trouble))
        self._records += 1
        if (begun or opened) and not closed:
            self._unclosed_count += 1
            if len(self._unclosed) < MOST_NAMED:
                self._unclosed.append(record_id)

    def _outcome(self, row: Row, opened: Opened | None) -> None:
        if opened is None:
            self.name(Fault.at(row, "unopened", "an outcome of a case that was never opened"))
        elif opened.verdict is not Verdict.ESCALATE:
            self.name(Fault.at(row, "unopened", "an outcome of what was never escalated"))

    def _is_proven(self, row: Row) -> bool:
        return isinstance(row.body, bytes) and mac_of(self._key, row.body) == row.mac

    def report(self) -> Report:
        return Report(
            key_id=self._key_id,
            entries=self._entries,
            records=self._records,
            writers=self._writers,
            faults=tuple(self._faults),
            fault_count=self._fault_count,
            unclosed=tuple(self._unclosed),
            unclosed_count=self._unclosed_count,
            tail_anchored=self._anchor is not None and self._unknown_writers == 0,
            unanchored_entries=self._unanchored,
        )


def _subject(record: Begun | Opened) -> tuple[object, ...]:
    """What a stream is judged as: the same at its begin and at its end."""
    pin = record.constitution
    return record.stage, pin.digest, pin.offline, record.tenant, record.session, record.subject
