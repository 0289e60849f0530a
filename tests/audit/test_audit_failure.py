"""A store that fails: the caller is told where and what to do, or the record waits, bounded."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from audit_samples import KEYS, closed, opened, read_only, settings_in

from guardrails.audit import trail as trail_module
from guardrails.audit.chain import Entry, columns
from guardrails.audit.keys import make_keys
from guardrails.audit.record import Opened, as_json, canonical
from guardrails.audit.store_sqlite import SqliteStore
from guardrails.audit.trail import check_trail, open_trail
from guardrails.audit.verify import verify
from guardrails.audit.writer import RETRY_S, Item, Writer
from guardrails.errors import AuditError
from guardrails.settings import Settings

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_module, "PATIENCE_S", 0.05)
    monkeypatch.setattr(trail_module, "PATIENCE_WITH_BUFFER_S", 0.05)


async def refusal(settings: Settings) -> str:
    """What a caller is told."""
    trail = open_trail(settings)
    with pytest.raises(AuditError) as caught:
        await trail.open(opened())
    await trail.aclose()
    return str(caught.value)


async def told_before(settings: Settings) -> set[str]:
    """What is said of it before anything is recorded, in both ways."""
    with pytest.raises(AuditError) as looked:
        check_trail(settings)
    trail = open_trail(settings)
    with pytest.raises(AuditError) as probed:
        await trail.probe()
    await trail.aclose()
    return {str(looked.value), str(probed.value)}


async def test_a_trail_that_can_be_written_says_so_and_keeps_nothing(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "new")
    check_trail(settings)
    assert not (tmp_path / "new").exists()
    trail = open_trail(settings)
    await trail.probe()
    check_trail(settings)
    record_id = opened().record_id
    await trail.open(opened(record_id))
    await trail.probe()
    await trail.close(closed(record_id))
    await trail.aclose()
    check_trail(settings)
    verified = verify(
        tmp_path / "new" / "audit.db", key=settings.key_path, anchor=settings.audit_anchor
    )
    assert (verified.ok, verified.entries) == (True, 2)


async def test_what_keeps_a_trail_from_being_written_is_told_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("plain text")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE a (b)")
    key = tmp_path / "key"
    for audit, anchor, told in (
        (tmp_path, None, "Is a directory"),
        (tmp_path / "file" / "audit.db", None, "file"),
        (tmp_path / "file", None, "is not a SQLite database"),
        (tmp_path / "other.db", None, "other.db"),
        (tmp_path / "audit.db", tmp_path / "file" / "anchor", "anchor"),
        (tmp_path / "audit.db", tmp_path, "anchor"),
    ):
        settings = settings_in(tmp_path, audit=str(audit), audit_anchor=anchor, key_file=key)
        for said in await told_before(settings):
            assert told in said
            assert "GUARDRAILS_AUDIT" in said or "not an audit trail" in said


async def test_a_folder_that_may_not_be_written_is_told_before(open_folder: Path) -> None:
    make_keys(open_folder / "key")
    (open_folder / "key").chmod(0o640)
    settings = Settings(audit=str(open_folder / "deep" / "audit.db"))
    with read_only(open_folder), pytest.raises(AuditError, match="may not be written"):
        check_trail(settings)
    check_trail(settings)


@pytest.mark.parametrize("fails", [AuditError("the disk is gone"), OSError("marker")])
async def test_what_can_wait_is_taken_while_there_is_room(fails: Exception) -> None:
    store = ScriptedStore()
    writer = Writer(lambda: store, key=b"k" * 32, key_id="k", buffer=1, clock=Clock())
    writer.probe()
    store.fails = fails
    writer.probe(durably=False)
    with pytest.raises(AuditError) as caught:
        writer.probe()
    assert "marker" not in str(caught.value)
    put(writer, "r1")
    with pytest.raises(AuditError):
        writer.probe(durably=False)
    store.fails = None
    writer.probe()
    writer.stop()
    assert store.ids == ["r1"]


async def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    told = await refusal(settings_in(tmp_path, audit=str(tmp_path), key_file=tmp_path / "key"))
    assert f"{str(tmp_path)!r} cannot be opened: Is a directory" in told
    assert "GUARDRAILS_AUDIT" in told


async def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    audit = str(file / "audit.db")
    told = await refusal(settings_in(tmp_path, audit=audit, key_file=tmp_path / "key"))
    assert "file/audit.db' cannot be opened" in told


def test_a_folder_that_may_not_be_written(open_folder: Path) -> None:
    file = open_folder / "audit.db"
    writer = a_writer(partial(SqliteStore, file))
    with read_only(open_folder):
        with pytest.raises(AuditError, match=r"no key can be made.*Permission denied.*KEY_FILE"):
            open_trail(Settings(audit=str(file)))
        with pytest.raises(AuditError, match=r"opened: Permission denied.*GUARDRAILS_AUDIT"):
            put(writer, "r1")
    put(writer, "r1")
    writer.stop()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"plain text, long enough to be taken for a database" * 20, "is not a SQLite database"),
        (b"SQLite format 3\x00" + b"\xff" * 4096, "is not a SQLite database"),
    ],
    ids=["text", "broken-header"],
)
async def test_a_file_that_is_no_database_is_refused_and_kept(
    tmp_path: Path, content: bytes, told: str
) -> None:
    settings = settings_in(tmp_path)
    (tmp_path / "audit.db").write_bytes(content)
    assert told in await refusal(settings)
    assert (tmp_path / "audit.db").read_bytes() == content


async def test_a_database_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "audit.db")) as other:
        other.execute("CREATE TABLE recipes (name)")
    assert "something else" in await refusal(settings_in(tmp_path))
    with closing(sqlite3.connect(tmp_path / "audit.db")) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


async def test_a_locked_database_fails_the_call_and_is_used_again_when_it_is_free(
    tmp_path: Path,
) -> None:
    settings = settings_in(tmp_path)
    trail = open_trail(settings)
    await trail.open(opened("r1"))
    with closing(sqlite3.connect(tmp_path / "audit.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(AuditError, match=r"audit.db' is locked by another program; end it"):
            await trail.open(opened("r2"))
        other.execute("ROLLBACK")
    await trail.close(closed("r1"))
    await trail.aclose()
    report = verify(tmp_path / "audit.db", key=settings.key_path, anchor=settings.audit_anchor)
    assert report.ok
    assert (report.entries, report.records, report.unclosed) == (2, 1, ())


FULL_DISK = """
import asyncio, resource, signal, sys
from functools import partial
from pathlib import Path
from audit_samples import *
from guardrails.errors import AuditError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
trail = open_trail(settings_in(Path(sys.argv[1]), on_audit_failure=sys.argv[2]))
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
async def main():
    limit(150_000)
    written = 0
    try:
        while written < 1000:
            await trail.open(opened(f"r{written}"))
            written += 1
    except AuditError as error:
        print(error)
    limit(resource.RLIM_INFINITY)
    await trail.open(opened("last"))
    await trail.aclose()
    print(written)
asyncio.run(main())
"""


@pytest.mark.parametrize("policy", ["block", "buffer"])
def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path, policy: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), policy],
        cwd=HERE,
        check=True,
        capture_output=True,
        text=True,
        timeout=50,
    )
    *told, written = done.stdout.splitlines()
    if policy == "block":
        assert 0 < int(written) < 1000
        assert "audit.db' " in told[0]
        assert "GUARDRAILS_AUDIT" in told[0]
    else:
        assert int(written) == 1000
        assert told == []
        assert "the audit store fails; entries are buffered" in done.stderr
    settings = settings_in(tmp_path)
    report = verify(tmp_path / "audit.db", key=settings.key_path, anchor=settings.audit_anchor)
    assert report.ok
    assert report.entries == int(written) + 1


def test_a_file_that_may_not_grow_says_that_the_disk_is_full(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "audit.db")
    store._connection.execute("PRAGMA max_page_count = 8")
    writer = a_writer(lambda: store)
    value = as_json(opened(redacted_text="x" * 100_000))
    item = Item(kind="open", record=canonical(value), columns=columns("open", value))
    with pytest.raises(AuditError, match=r"the disk is full; free some space or name another"):
        writer.submit(item).result(10)
    writer.stop()


# What no real disk does on demand: a store that is scripted.


class ScriptedStore:
    """Fails while told to; may store and fail all the same, as a broken disk does."""

    is_current = True

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.fails: Exception | None = None
        self.stores_and_fails = False

    def append(self, entries: Sequence[Entry]) -> None:
        if self.fails is not None and not self.stores_and_fails:
            raise self.fails
        self.entries += entries
        if self.fails is not None:
            raise self.fails

    def probe(self) -> None:
        if self.fails is not None:
            raise self.fails

    def holds(self, entry: Entry) -> bool:
        return entry in self.entries

    def close(self) -> None: ...

    @property
    def numbers(self) -> list[int]:
        return [entry.seq for entry in self.entries]

    @property
    def ids(self) -> list[str | None]:
        return [entry.columns[1] for entry in self.entries]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_writer(connect: Any, **options: Any) -> Writer:
    return Writer(connect, key=KEYS.derive("mac"), key_id=KEYS.id, **options)


def put(writer: Writer, record_id: str) -> None:
    value = as_json(opened(record_id))
    item = Item(kind="open", record=canonical(value), columns=columns("open", value))
    writer.submit(item).result(10)


FAILURE = AuditError("the store fails")


def test_a_buffered_entry_is_written_in_order_once_the_store_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, clock = ScriptedStore(), Clock()
    writer = a_writer(lambda: store, buffer=10, clock=clock)
    put(writer, "r0")
    store.fails = FAILURE
    put(writer, "r1")
    put(writer, "r2")
    store.fails = None
    clock.now += RETRY_S
    put(writer, "r3")
    assert store.ids == ["r0", "r1", "r2", "r3"]
    assert store.numbers == [0, 1, 2, 3]
    writer.stop()
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "event='the audit store fails; entries are buffered' problem='the store fails'",
        "event='the audit store is back' entries=2",
    ]


def test_buffered_entries_are_written_though_no_other_follows() -> None:
    store, clock = ScriptedStore(), Clock()
    writer = a_writer(lambda: store, buffer=10, clock=clock)
    store.fails = FAILURE
    put(writer, "r1")
    store.fails = None
    writer.stop()
    assert store.ids == ["r1"]


def test_promise_10_the_buffer_is_bounded_and_then_blocks() -> None:
    store = ScriptedStore()
    writer = a_writer(lambda: store, buffer=2)
    store.fails = FAILURE
    put(writer, "r0")
    put(writer, "r1")
    with pytest.raises(AuditError, match=r"store .*; 2 entries are buffered, no more will be"):
        put(writer, "r2")
    store.fails = None
    writer.stop()
    assert store.ids == ["r0", "r1"]


def test_what_the_buffer_could_not_write_at_the_end_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = ScriptedStore()
    writer = a_writer(lambda: store, buffer=2)
    store.fails = FAILURE
    put(writer, "r0")
    with pytest.raises(AuditError, match="1 buffered audit entries"):
        writer.stop()
    assert caplog.records[-1].levelname == "ERROR"


@pytest.mark.parametrize("buffer", [0, 10], ids=["block", "buffer"])
def test_a_commit_that_took_place_but_was_reported_as_failed_is_not_repeated(buffer: int) -> None:
    store, clock = ScriptedStore(), Clock()
    writer = a_writer(lambda: store, buffer=buffer, clock=clock)
    store.fails, store.stores_and_fails = FAILURE, True
    if buffer:
        put(writer, "r0")
    else:
        with pytest.raises(AuditError):
            put(writer, "r0")
    store.fails = None
    clock.now += RETRY_S
    put(writer, "r1")
    writer.stop()
    assert store.ids == ["r0", "r1"]
    assert store.numbers == [0, 1]


def test_a_fault_of_the_writer_itself_fails_the_call_and_not_the_thread() -> None:
    store = ScriptedStore()
    writer = a_writer(lambda: store)
    store.fails = ZeroDivisionError("the user's own words")
    with pytest.raises(AuditError, match=r"^the audit writer failed: ZeroDivisionError$"):
        put(writer, "r0")
    store.fails = None
    put(writer, "r1")
    writer.stop()
    assert store.ids == ["r1"]


@pytest.mark.parametrize("policy", ["block", "buffer"])
async def test_an_anchor_that_cannot_be_written_goes_by_the_same_policy(
    tmp_path: Path, policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_in(tmp_path, audit_anchor=tmp_path, on_audit_failure=policy)
    trail = open_trail(settings)
    if policy == "block":
        with pytest.raises(AuditError, match=r"anchor .* cannot be written: Is a directory"):
            await trail.open(opened("r1"))
    else:
        await trail.open(opened("r1"))
        assert "the audit anchor fails" in caplog.text
    await trail.aclose()
    report = verify(tmp_path / "audit.db", key=settings.key_path)
    assert (report.ok, report.entries, report.tail_anchored) == (True, 1, False)


def test_promise_9_what_is_raised_and_logged_holds_nothing_of_the_record(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "the user's own words"
    settings = settings_in(tmp_path, audit=str(tmp_path), key_file=tmp_path / "key")
    trail = open_trail(settings)
    record: Opened = opened(redacted_text=secret)
    with pytest.raises(AuditError) as caught:
        asyncio.run(trail.open(record))
    asyncio.run(trail.aclose())
    assert secret not in str(caught.value) + caplog.text
    assert caught.value.__cause__ is None
