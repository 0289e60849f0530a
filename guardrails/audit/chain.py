"""How entries hold together: each carries its writer, its number and the MAC of the one before.

Pure. A writer is one process's use of one trail; its entries count from 0. The MAC of an entry
covers its stored bytes, which hold all of that, so each entry proves itself, and its neighbours
prove that it stands where it was written.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic_core import from_json

__all__ = [
    "COLUMNS",
    "Chain",
    "Entry",
    "Fault",
    "Follower",
    "Kind",
    "Row",
    "What",
    "columns",
    "envelope_of",
    "mac_of",
]

Kind = Literal["begin", "open", "close", "outcome"]

DOMAIN = b"constitutional-guardrails entry 1\x00"
GENESIS = bytes(32)
"""Stands for the MAC before a writer's first entry."""

COLUMNS = ("kind", "record_id", "at", "tenant", "stage", "verdict", "constitution", "how")
"""What a store keeps beside an entry's bytes, for queries only."""
_RECORD_ID = COLUMNS.index("record_id")

Columns = tuple[str | None, ...]


def columns(kind: str, record: Mapping[str, Any]) -> Columns:
    """The values of `COLUMNS`, derived from a record."""
    pin = record.get("constitution")
    named = {
        **record,
        "kind": kind,
        "constitution": f"{pin['id']}@{pin['version']}" if isinstance(pin, Mapping) else None,
    }
    return tuple(named.get(name) for name in COLUMNS)


def mac_of(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, DOMAIN + body, hashlib.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One link, as a store keeps it."""

    writer: str
    seq: int
    mac: bytes
    body: bytes
    columns: Columns


@dataclass(slots=True, kw_only=True)
class Chain:
    """The growing end of one writer's chain. Nothing grows until `advance` is told so."""

    key: bytes = field(repr=False)
    key_id: str
    writer: str = field(default_factory=lambda: secrets.token_hex(16))
    seq: int = 0
    tip: bytes = GENESIS

    def link(self, kind: Kind, record: bytes, named: Columns, after: Entry | None = None) -> Entry:
        """The entry that follows `after`, or the tip. `record` is canonical JSON already."""
        seq, prev = (after.seq + 1, after.mac) if after else (self.seq, self.tip)
        body = (  # canonical itself: keys sorted, no blanks
            b'{"format":1,"key_id":"%s","kind":"%s","prev":"%s","record":%s,"seq":%d,"writer":"%s"}'
        ) % (
            self.key_id.encode(),
            kind.encode(),
            prev.hex().encode(),
            record,
            seq,
            self.writer.encode(),
        )
        mac = mac_of(self.key, body)
        return Entry(writer=self.writer, seq=seq, mac=mac, body=body, columns=named)

    def advance(self, last: Entry) -> None:
        """All up to `last` is stored."""
        self.seq, self.tip = last.seq + 1, last.mac


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An entry as found in a store: nothing about it is trusted, types included."""

    id: int
    writer: Any
    seq: Any
    mac: Any
    body: Any
    columns: tuple[Any, ...]

    @property
    def record_id(self) -> str | None:
        value = self.columns[_RECORD_ID]
        return value if isinstance(value, str) else None


What = Literal[
    "altered",  # bytes or MAC are not what was written, or the entry was never written by us
    "columns",  # a column for queries does not say what the bytes say
    "duplicated",  # two entries of one number
    "foreign_key",  # authenticated with another key
    "misplaced",  # a true entry, at the place of another
    "missing",  # numbers that are not there
    "reordered",  # stored in another order than written
    "truncated",  # the anchor knows of later entries
    "unlinked",  # a true entry that does not follow the one before
    "unanchored",  # an anchored entry is not the one that is here
    "anchor",  # the anchor itself is damaged
    "damaged",  # the store's own structure is broken
    "unreadable",  # a true entry of a form that this version cannot read
    "delivery",  # promise 1: what was delivered was not judged
    "unopened",  # closed, but never opened
    "repeated",  # opened or closed more than once
]
"""What can be wrong with a trail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with a trail, and where."""

    what: What
    detail: str
    writer: str | None = None
    seq: int | None = None
    record_id: str | None = None

    @classmethod
    def at(cls, row: Row, what: What, detail: str) -> Fault:
        """A fault of one stored entry."""
        seq = row.seq if isinstance(row.seq, int) else None
        return cls(
            what=what, detail=detail, writer=str(row.writer), seq=seq, record_id=row.record_id
        )

    def __str__(self) -> str:
        place = f"writer {self.writer} " if self.writer is not None else ""
        place += f"entry {self.seq} " if self.seq is not None else ""
        place += f"record {self.record_id} " if self.record_id is not None else ""
        return f"{self.what}: {place and place.rstrip() + ': '}{self.detail}"


class Follower:
    """Walks one writer's rows in the order of their numbers and names what is wrong."""

    __slots__ = ("_foreign", "_key", "_key_id", "_last", "_links", "expected")

    def __init__(self, *, key: bytes, key_id: str) -> None:
        self.expected = 0  # the number of the next entry
        self._key = key
        self._key_id = key_id
        self._links: tuple[Any, ...] | None = (GENESIS,)  # None: it cannot be told
        self._last = -1
        self._foreign: str | None = None

    def follow(self, row: Row) -> list[Fault]:
        """What is wrong with the next row; [] if nothing is."""
        if not isinstance(row.seq, int) or not isinstance(row.body, bytes):
            return [Fault.at(row, "altered", "not an entry at all")]
        faults = self._numbers(row)
        mac = mac_of(self._key, row.body)
        if isinstance(row.mac, bytes) and hmac.compare_digest(mac, row.mac):
            faults += self._proven(row)
            self._links = None if any(f.what == "misplaced" for f in faults) else (mac,)
        else:
            faults += self._unproven(row)
            self._links = (mac, row.mac)  # the next one follows what was here or what is
        return faults

    def _numbers(self, row: Row) -> list[Fault]:
        faults = []
        if row.seq < self.expected:
            faults.append(Fault.at(row, "duplicated", "there is another entry of this number"))
            self._links = None
        elif row.seq > self.expected:
            missing = _numbers(self.expected, row.seq - 1)
            faults.append(Fault.at(row, "missing", f"{missing} before this one"))
            self._links = None
        if row.id <= self._last:
            faults.append(Fault.at(row, "reordered", "stored before an earlier one"))
        self.expected, self._last = max(self.expected, row.seq + 1), row.id
        return faults

    def _unproven(self, row: Row) -> list[Fault]:
        envelope = envelope_of(row.body)
        key_id = envelope.get("key_id") if envelope else None
        if not isinstance(key_id, str) or key_id == self._key_id:
            return [Fault.at(row, "altered", "its bytes are not what was written")]
        if key_id == self._foreign:  # said once, not for each entry under a wrong key
            return []
        self._foreign = key_id
        detail = f"made with key {key_id[:16]!r}, checked with {self._key_id!r}"
        return [Fault.at(row, "foreign_key", detail)]

    def _proven(self, row: Row) -> list[Fault]:
        envelope = envelope_of(row.body)
        if envelope is None:
            return [Fault.at(row, "unreadable", "not of format 1; a later version may read it")]
        if (envelope["writer"], envelope["seq"]) != (row.writer, row.seq):
            place = f"entry {envelope['seq']} of writer {envelope['writer']} stands here"
            return [Fault.at(row, "misplaced", place)]
        faults = []
        true = columns(envelope["kind"], envelope["record"])
        wrong = [name for name, a, b in zip(COLUMNS, true, row.columns, strict=True) if a != b]
        if wrong:
            faults.append(Fault.at(row, "columns", f"{', '.join(wrong)} changed"))
        if self._links is not None and bytes.fromhex(envelope["prev"]) not in self._links:
            faults.append(Fault.at(row, "unlinked", "does not follow the entry before it"))
        return faults


def _numbers(first: int, last: int) -> str:
    return f"entry {first}" if first == last else f"entries {first} to {last}"


def envelope_of(body: bytes) -> Mapping[str, Any] | None:
    """The parsed bytes if they have the shape of format 1, else None."""
    try:
        value = from_json(body, cache_strings="keys")  # values hardly repeat
    except ValueError:
        return None
    if not isinstance(value, dict) or value.get("format") != 1:
        return None
    if not isinstance(value.get("record"), dict):
        return None
    return value if {"writer", "seq", "kind", "prev"} <= value.keys() else None
