"""Records as they stand in a trail, for people to look at. What they prove is `verify`'s to say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from guardrails.audit.chain import Row, envelope_of
from guardrails.audit.record import Begun, Closed, Opened, Outcome, stored_moment
from guardrails.audit.store_sqlite import open_for_reading, rows

__all__ = ["StoredRecord", "decisions", "escalated", "record_of", "show", "tail"]

MODELS: Mapping[str, type[Begun] | type[Opened] | type[Closed] | type[Outcome]] = {
    "begin": Begun,
    "open": Opened,
    "close": Closed,
    "outcome": Outcome,
}
MOST_ENTRIES = 100
"""Of one record; only the outcomes of a case can be many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """One record. `opened` is None where the entry cannot be read or was never there; `closed` is
    None where the process ended first. `outcomes` are those of an escalated case, oldest first.
    `begun` is there for streams that left piece by piece."""

    record_id: str
    opened: Opened | None
    closed: Closed | None
    outcomes: tuple[Outcome, ...] = ()
    begun: Begun | None = None


def tail(file: Path, n: int) -> list[StoredRecord]:
    """The `n` records opened last, oldest first. Raises AuditError."""
    with open_for_reading(file) as connection:
        newest = list(rows(connection, "WHERE kind = 'open' ORDER BY id DESC LIMIT ?", n))
        return [_stored(connection, str(row.record_id)) for row in reversed(newest)]


def escalated(file: Path, n: int) -> list[StoredRecord]:
    """The `n` records escalated last, oldest first. Raises AuditError."""
    with open_for_reading(file) as connection:
        rest = "WHERE kind = 'open' AND verdict = 'escalate' ORDER BY id DESC LIMIT ?"
        newest = list(rows(connection, rest, n))
        return [_stored(connection, str(row.record_id)) for row in reversed(newest)]


def decisions(file: Path, *, since: datetime | None = None) -> Iterator[Opened | None]:
    """Every decision that was opened, oldest first; None for an entry that cannot be read. Raises
    AuditError."""
    wanted = "WHERE kind = 'open'" + ("" if since is None else " AND at >= ?")
    values = () if since is None else (stored_moment(since),)
    with open_for_reading(file) as connection:
        for row in rows(connection, f"{wanted} ORDER BY id", *values):
            record = record_of(row)
            yield record if isinstance(record, Opened) else None


def show(file: Path, record_id: str) -> StoredRecord | None:
    """The record of that id, None if there is none. Raises AuditError."""
    with open_for_reading(file) as connection:
        record = _stored(connection, record_id)
        return record if record.begun or record.opened or record.closed else None


def record_of(row: Row) -> Begun | Opened | Closed | Outcome | None:
    """What a row holds, None if it is no record of a format that this version reads."""
    envelope = envelope_of(row.body) if isinstance(row.body, bytes) else None
    if envelope is None or envelope["kind"] not in MODELS:
        return None
    try:
        return MODELS[envelope["kind"]].model_validate(envelope["record"])
    except ValidationError:
        return None


def _stored(connection: sqlite3.Connection, record_id: str) -> StoredRecord:
    found: list[Begun | Opened | Closed | Outcome | None] = []
    if record_id.isascii():  # as all ids are; SQLite would raise on a lone surrogate
        rest = "WHERE record_id = ? ORDER BY id LIMIT ?"
        entries = rows(connection, rest, record_id, MOST_ENTRIES)
        found = [record_of(row) for row in entries]
    return StoredRecord(
        record_id=record_id,
        opened=next((record for record in found if isinstance(record, Opened)), None),
        closed=next((record for record in found if isinstance(record, Closed)), None),
        outcomes=tuple(record for record in found if isinstance(record, Outcome)),
        begun=next((record for record in found if isinstance(record, Begun)), None),
    )
