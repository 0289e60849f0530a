"""Entries in a SQLite file: WAL, every commit synced, several processes at once.

A connection belongs to whoever holds the writer's lock; it is never shared or carried over a fork.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache, partial
from pathlib import Path

from guardrails.audit.chain import COLUMNS, Entry, Row
from guardrails.audit.moved import brought_home, make_room
from guardrails.errors import AuditError

__all__ = ["SqliteStore", "alterations", "open_for_reading", "rows"]

APPLICATION_ID = 0x434F4E53
FORMAT = 1
SCHEMA = (
    f"CREATE TABLE entry (id INTEGER PRIMARY KEY, writer TEXT NOT NULL, seq INTEGER NOT NULL,"
    f" mac BLOB NOT NULL, body BLOB NOT NULL, {', '.join(f'{name} TEXT' for name in COLUMNS)},"
    f" UNIQUE (writer, seq))",
    "CREATE INDEX entry_by_record ON entry (record_id)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)
INSERT = (
    f"INSERT INTO entry (writer, seq, mac, body, {', '.join(COLUMNS)})"  # noqa: S608 - our names
    f" VALUES (?, ?, ?, ?{', ?' * len(COLUMNS)})"
)
DEFINITIONS = "SELECT type, name, sql FROM sqlite_master"
FIELDS = f"id, writer, seq, mac, body, {', '.join(COLUMNS)}"

ELSEWHERE = "or name another file in GUARDRAILS_AUDIT"
TROUBLE: dict[int, str] = {
    sqlite3.SQLITE_FULL: f"cannot grow, the disk is full; free some space {ELSEWHERE}",
    sqlite3.SQLITE_BUSY: "is locked by another program; end it, or wait for it",
    sqlite3.SQLITE_READONLY: f"may not be written; give write permission {ELSEWHERE}",
    sqlite3.SQLITE_CANTOPEN: f"cannot be opened; check the folder's permissions {ELSEWHERE}",
    sqlite3.SQLITE_CORRUPT: f"is damaged; move it away to keep it, {ELSEWHERE}",
    sqlite3.SQLITE_NOTADB: f"is not a SQLite database; move it away, {ELSEWHERE}",
    sqlite3.SQLITE_IOERR: f"meets an error of its disk; see to it {ELSEWHERE}",
}


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Turn the database's errors into AuditError with the file and a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        trouble = TROUBLE.get(code, f"cannot be used: {error}")
        raise AuditError(f"the audit trail {str(file)!r} {trouble}") from None
    except OSError as error:
        raise AuditError(
            f"the audit trail {str(file)!r} cannot be opened: {error.strerror}; "
            f"see to it, {ELSEWHERE}"
        ) from None


class SqliteStore:
    """One connection that appends. Every method raises AuditError."""

    def __init__(self, file: Path, *, patience_s: float = 5.0) -> None:
        self._file = file
        self._identity = (0, 0)
        self._schema_version = -1
        with _explained(file):
            self._connection = self._connect(patience_s)

    def _connect(self, patience_s: float) -> sqlite3.Connection:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_room(self._file, patience_s=patience_s)
        os.close(os.open(self._file, os.O_RDWR))
        found = self._file.stat()
        self._identity = (found.st_dev, found.st_ino)
        connection = sqlite3.connect(
            self._file, timeout=patience_s, isolation_level=None, check_same_thread=False
        )
        try:
            _use_wal(connection, time.monotonic() + patience_s)
            connection.execute("PRAGMA synchronous = FULL")
            self._prepare(connection)
            self._refuse_alterations(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if _is_ours(connection):
            return
        with _transaction(connection):
            if _is_ours(connection):  # another process was faster
                return
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
                raise AuditError(
                    f"{str(self._file)!r} is a database of something else, or of a later version; "
                    f"name another file in GUARDRAILS_AUDIT"
                )
            for statement in SCHEMA:
                connection.execute(statement)

    def _refuse_alterations(self, connection: sqlite3.Connection) -> None:
        """A foreign trigger could make an entry vanish that is acknowledged."""
        (version,) = connection.execute("PRAGMA schema_version").fetchone()
        if version == self._schema_version:
            return
        if altered := alterations(connection):
            raise AuditError(
                f"the audit trail {str(self._file)!r} is not as it was made: {altered[0]}; undo "
                f"that with SQLite, or move the file away to keep it, {ELSEWHERE}"
            )
        self._schema_version = version

    @property
    def is_current(self) -> bool:
        """Whether the file's name still leads to the file that is written here."""
        try:
            found = self._file.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def append(self, entries: Sequence[Entry]) -> None:
        """All or nothing; on disk when it returns."""
        with _explained(self._file), _transaction(self._connection):
            self._refuse_alterations(self._connection)
            cursor = self._connection.executemany(
                INSERT, [(e.writer, e.seq, e.mac, e.body, *e.columns) for e in entries]
            )
            if cursor.rowcount != len(entries):
                raise AuditError(
                    f"the audit trail {str(self._file)!r} did not take every entry; move it away "
                    f"to keep it, {ELSEWHERE}"
                )

    def probe(self) -> None:
        """Commit what changes nothing, so that a disk that is full or read-only shows."""
        with _explained(self._file), _transaction(self._connection):
            self._refuse_alterations(self._connection)
            self._connection.execute(f"PRAGMA user_version = {FORMAT}")

    def holds(self, entry: Entry) -> bool:
        """Whether that very entry is stored."""
        with _explained(self._file):
            found = self._connection.execute(
                "SELECT mac FROM entry WHERE writer = ? AND seq = ?", (entry.writer, entry.seq)
            ).fetchone()
        return bool(found == (entry.mac,))

    def close(self) -> None:
        """What was acknowledged is on disk already: a failure here loses nothing."""
        if not self.is_current:
            brought_home(self._connection)
        with suppress(sqlite3.Error):
            self._connection.close()


def _use_wal(connection: sqlite3.Connection, until: float) -> None:
    """The switch to WAL does not wait for other connections by itself."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def alterations(connection: sqlite3.Connection) -> list[str]:
    """What a trail's database has that is not its own, and what it lacks. SQLite's statistics
    (ANALYZE makes them) are nobody's."""
    found = {
        (kind, name): statement
        for kind, name, statement in connection.execute(DEFINITIONS)
        if not (kind == "table" and str(name).startswith("sqlite_stat"))
    }
    own = _own_definitions()
    foreign = [
        f"it has the {kind} {name!r}, which is none of its own"
        for kind, name in found
        if (kind, name) not in own
    ]
    changed = [
        f"its {kind} {name!r} is another" if (kind, name) in found else f"it lacks {name!r}"
        for (kind, name), statement in own.items()
        if found.get((kind, name), "") != statement
    ]
    return foreign + changed


@cache
def _own_definitions() -> dict[tuple[str, str], str | None]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in SCHEMA:
            connection.execute(statement)
        return {(kind, name): sql for kind, name, sql in connection.execute(DEFINITIONS)}


def _is_ours(connection: sqlite3.Connection) -> bool:
    marks = [
        connection.execute(f"PRAGMA {name}").fetchone()
        for name in ("application_id", "user_version")
    ]
    return bool(marks == [(APPLICATION_ID,), (FORMAT,)])


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def open_for_reading(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, in one consistent view of the trail. Raises AuditError."""
    with _explained(file):
        file.open("rb").close()  # names what is wrong better than SQLite does
        connection = _connect_for_reading(file)
        try:
            connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
            connection.execute("BEGIN")
            if not _is_ours(connection):
                raise AuditError(f"{str(file)!r} is not an audit trail, or is of a later version")
            yield connection
        finally:
            connection.close()


def _connect_for_reading(file: Path) -> sqlite3.Connection:
    uri = file.resolve().as_uri() + "?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA user_version")
    except sqlite3.Error as error:
        connection.close()
        is_locked_out = isinstance(error, sqlite3.OperationalError)
        if not is_locked_out or file.with_name(file.name + "-wal").exists():
            raise
        # A copy on a medium that takes no lock files; nobody can be writing to it.
        connection = sqlite3.connect(uri + "&immutable=1", uri=True, isolation_level=None)
    return connection


def rows(connection: sqlite3.Connection, rest: str, *values: object) -> Iterator[Row]:
    """Stored entries, as found. `rest` is the query after FROM."""
    cursor = connection.execute(f"SELECT {FIELDS} FROM entry {rest}", values)  # noqa: S608 - ours
    for number, writer, seq, mac, body, *named in cursor:
        yield Row(id=number, writer=writer, seq=seq, mac=mac, body=body, columns=tuple(named))
