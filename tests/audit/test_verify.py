"""Somebody holds the file, but not the key: whatever they change is found and named."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from audit_samples import OTHER, change, closed, opened, settings_in, write
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from guardrails.audit.chain import Chain, columns
from guardrails.audit.keys import make_keys
from guardrails.audit.record import as_json, canonical, new_record_id
from guardrails.audit.store_sqlite import SqliteStore
from guardrails.audit.trail import open_trail
from guardrails.audit.verify import Report, verify
from guardrails.errors import AuditError
from guardrails.settings import Settings

ROWS = "SELECT writer, seq, mac, body, kind, record_id, how FROM entry ORDER BY id"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the trail of two writers, five records each."""
    folder = tmp_path_factory.mktemp("whole")
    for name in "ab":
        asyncio.run(write(settings_in(folder), [f"{name}{number}" for number in range(5)]))
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to be tampered with."""
    return shutil.copytree(whole, tmp_path / "copy")


def checked(folder: Path, *, anchored: bool = True) -> Report:
    anchor = folder / "anchor" if anchored else None
    return verify(folder / "audit.db", key=folder / "key", anchor=anchor)


def writers(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "audit.db")) as connection:
        return [
            name
            for (name,) in connection.execute("SELECT writer FROM entry WHERE seq = 0 ORDER BY id")
        ]


def test_a_whole_trail_is_clean(folder: Path) -> None:
    report = checked(folder)
    assert report.ok
    assert (report.entries, report.records, report.writers) == (20, 10, 2)
    assert (report.faults, report.unclosed) == ((), ())
    assert (report.tail_anchored, report.unanchored_entries) == (True, 0)
    assert report.key_id == make_keys(folder / "key").id


def test_without_an_anchor_the_tail_is_not_anchored(folder: Path) -> None:
    report = checked(folder, anchored=False)
    assert (report.ok, report.tail_anchored, report.unanchored_entries) == (True, False, 20)


LAST = "id = (SELECT max(id) FROM entry)"

TAMPERED = {
    "an edit": (
        ["UPDATE entry SET body = replace(body, 'clinic', 'casino') WHERE id = 3"],
        "altered",
    ),
    "an edit of bytes and column": (
        [
            "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), 'allow', 'block') AS BLOB),"
            " verdict = 'block' WHERE id = 3"
        ],
        "altered",
    ),
    "a column": (["UPDATE entry SET verdict = 'block' WHERE id = 3"], "columns"),
    "a time": (["UPDATE entry SET at = '1999' WHERE id = 3"], "columns"),
    "a removal": (["DELETE FROM entry WHERE id = 3"], "missing"),
    "the first entry": (["DELETE FROM entry WHERE id = 1"], "missing"),
    "a MAC": (["UPDATE entry SET mac = zeroblob(32) WHERE id = 3"], "altered"),
    "an entry made up": (
        [
            "INSERT INTO entry (writer, seq, mac, body, kind, record_id)"
            " SELECT writer, seq + 1, zeroblob(32), body, kind, 'x' FROM entry WHERE " + LAST
        ],
        "altered",
    ),
    "an entry of a writer made up": (
        [
            "INSERT INTO entry (writer, seq, mac, body, kind, record_id)"
            " SELECT 'me', 0, mac, body, kind, record_id FROM entry WHERE id = 1"
        ],
        "misplaced",
    ),
    "a swap": (
        [
            "UPDATE entry SET seq = -3 WHERE id = 3",
            "UPDATE entry SET seq = 2 WHERE id = 5",
            "UPDATE entry SET seq = 4 WHERE id = 3",
        ],
        "misplaced",
    ),
    "swapped writers": (
        [
            "UPDATE entry SET writer = 'x' WHERE id <= 10",
            "UPDATE entry SET writer = (SELECT json_extract(body, '$.writer') FROM entry"
            " WHERE id = 1) WHERE id > 10",
            "UPDATE entry SET writer = (SELECT json_extract(body, '$.writer') FROM entry"
            " WHERE id = 20) WHERE id <= 10",
        ],
        "misplaced",
    ),
    "an order of storing": (
        ["UPDATE entry SET id = 99 WHERE id = 4"],
        "reordered",
    ),
    "a copy, once no rule forbids it": (
        [
            "ALTER TABLE entry RENAME TO old",
            "CREATE TABLE entry AS SELECT * FROM old",
            "INSERT INTO entry SELECT 99, writer, seq, mac, body, kind, record_id, at, tenant,"
            " stage, verdict, constitution, how FROM old WHERE id = 3",
            "DROP TABLE old",
        ],
        "duplicated",
    ),
    "types": (["UPDATE entry SET body = CAST(body AS TEXT) WHERE id = 3"], "altered"),
    "the table": (["DROP TABLE entry"], "damaged"),
    "its shape": (["ALTER TABLE entry DROP COLUMN how"], "damaged"),
    "no number": (["UPDATE entry SET seq = 'first' WHERE id = 3"], "altered"),
    "bytes that are no text": (
        ["UPDATE entry SET tenant = CAST(x'ff' AS TEXT) WHERE id = 3"],
        "columns",
    ),
}


@pytest.mark.parametrize(("statements", "what"), TAMPERED.values(), ids=TAMPERED)
@pytest.mark.parametrize("anchored", [True, False], ids=["anchored", "not"])
def test_tampering_is_found_and_named(
    folder: Path, statements: list[str], what: str, anchored: bool
) -> None:
    change(folder / "audit.db", *statements)
    report = checked(folder, anchored=anchored)
    assert not report.ok
    assert what in {fault.what for fault in report.faults}


def test_a_fault_names_writer_entry_and_record(folder: Path) -> None:
    change(folder / "audit.db", "UPDATE entry SET verdict = 'block' WHERE id = 3")
    (fault,) = checked(folder).faults
    assert (fault.writer, fault.seq, fault.record_id) == (writers(folder)[0], 2, "a1")


@pytest.mark.parametrize("kept", [0, 3, 9])
def test_a_cut_tail_is_missed_with_an_anchor_only(folder: Path, kept: int) -> None:
    writer = writers(folder)[0]
    change(folder / "audit.db", f"DELETE FROM entry WHERE writer = '{writer}' AND seq >= {kept}")
    found = [fault for fault in checked(folder).faults if fault.what == "truncated"]
    assert [fault.writer for fault in found] == [writer]
    report = checked(folder, anchored=False)
    assert "truncated" not in {fault.what for fault in report.faults}
    assert not report.tail_anchored


def test_an_emptied_trail_is_missed_with_an_anchor(folder: Path) -> None:
    change(folder / "audit.db", "DELETE FROM entry")
    assert [fault.what for fault in checked(folder).faults] == ["truncated", "truncated"]


def test_a_tail_written_anew_is_not_the_one_that_was_anchored(folder: Path) -> None:
    shutil.copy(folder / "audit.db", folder / "short.db")
    writer = writers(folder)[0]
    change(folder / "audit.db", f"UPDATE entry SET mac = zeroblob(32) WHERE writer = '{writer}'")
    assert "unanchored" in {fault.what for fault in checked(folder).faults}


def test_another_key_is_named(folder: Path) -> None:
    make_keys(folder / "other")
    report = verify(folder / "audit.db", key=folder / "other")
    assert [fault.what for fault in report.faults] == ["foreign_key", "foreign_key"]


def test_a_damaged_anchor_is_named(folder: Path) -> None:
    lines = (folder / "anchor").read_bytes().splitlines(keepends=True)
    (folder / "anchor").write_bytes(lines[0] + lines[1].replace(b" 9 ", b" 3 ") + b"\xff\n")
    report = checked(folder)
    assert [str(fault) for fault in report.faults] == [
        "anchor: line 2 is damaged, or made with another key",
        "anchor: line 3 is damaged, or made with another key",
    ]
    assert not report.tail_anchored


def test_records_that_were_never_closed_are_listed_and_are_no_fault(folder: Path) -> None:
    async def crash() -> None:
        trail = open_trail(settings_in(folder))
        await trail.open(opened("left"))
        await trail.aclose()

    asyncio.run(crash())
    report = checked(folder)
    assert (report.ok, report.unclosed, report.unclosed_count) == (True, ("left",), 1)


def faults_of(settings: Settings, *records: object) -> list[tuple[str, str | None]]:
    """What verify says of records that the application itself wrote."""

    async def record() -> None:
        trail = open_trail(settings)
        for value in records:
            await (trail.close if hasattr(value, "how") else trail.open)(value)  # type: ignore[arg-type, operator]
        await trail.aclose()

    asyncio.run(record())
    assert settings.audit_file is not None
    report = verify(settings.audit_file, key=settings.key_path)
    return [(fault.what, fault.record_id) for fault in report.faults]


def test_promise_1_a_delivery_that_was_not_judged_fails_the_verification(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    records = [opened("r"), opened("s"), closed("r", "judged", OTHER), closed("s")]
    assert faults_of(settings, *records) == [("delivery", "r")]


def test_a_close_without_an_open_is_a_fault(tmp_path: Path) -> None:
    assert faults_of(settings_in(tmp_path), closed("r")) == [("unopened", "r")]


def test_what_is_opened_or_closed_twice_is_a_fault(tmp_path: Path) -> None:
    records = [opened("r"), opened("r"), closed("r"), closed("r"), opened("r")]
    assert faults_of(settings_in(tmp_path), *records) == [("repeated", "r")] * 3


def test_promise_10_a_report_names_so_many_and_counts_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardrails.audit.verify.MOST_NAMED", 3)
    change(folder / "audit.db", "UPDATE entry SET tenant = 'x'")
    report = checked(folder)
    assert (len(report.faults), report.fault_count) == (3, 20)


def peak_of_checking(folder: Path, entries: int) -> int:
    """Bytes that a verification of so many entries holds at most."""
    keys = make_keys(folder / "key")
    chain = Chain(key=keys.derive("mac"), key_id=keys.id)
    store = SqliteStore(folder / f"{entries}.db")
    for _ in range(entries // 2):
        record_id = new_record_id()
        for kind, record in (("open", opened(record_id)), ("close", closed(record_id))):
            value = as_json(record)
            entry = chain.link(kind, canonical(value), columns(kind, value))  # type: ignore[arg-type]
            chain.advance(entry)
            store.append([entry])
    store.close()
    tracemalloc.start()
    assert verify(folder / f"{entries}.db", key=folder / "key").entries == entries
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_promise_10_a_longer_trail_takes_no_more_memory(tmp_path: Path) -> None:
    peak_of_checking(tmp_path, 500)  # what is made once, such as validators
    assert peak_of_checking(tmp_path, 1000) < peak_of_checking(tmp_path, 100) + 50_000


@given(st.data())
@hypothesis_settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_byte_of_the_file_is_found_or_changes_no_entry(
    whole: Path, tmp_path: Path, data: st.DataObject
) -> None:
    good = (whole / "audit.db").read_bytes()
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    file = tmp_path / "flipped.db"
    file.write_bytes(bad)
    try:
        found = not verify(file, key=whole / "key", anchor=whole / "anchor").ok
    except AuditError:
        found = True
    if not found:
        with (
            closing(sqlite3.connect(file)) as one,
            closing(sqlite3.connect(whole / "audit.db")) as two,
        ):
            assert one.execute(ROWS).fetchall() == two.execute(ROWS).fetchall()


@pytest.mark.parametrize("missing", ["audit.db", "key", "anchor"])
def test_a_missing_file_is_named(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(AuditError, match=rf"{missing}' cannot be .*: No such file"):
        checked(folder)
    assert not (folder / missing).exists()


def test_a_trail_may_be_checked_while_it_is_written(tmp_path: Path) -> None:
    async def both() -> None:
        settings = settings_in(tmp_path)
        trail = open_trail(settings)
        await trail.open(opened("first"))

        async def go_on() -> None:
            for number in range(200):
                await trail.open(opened(f"r{number}"))

        writing = asyncio.create_task(go_on())
        while not writing.done():
            report = await asyncio.to_thread(checked, tmp_path)
            assert report.ok
            assert report.tail_anchored
        await writing
        await trail.aclose()

    asyncio.run(both())
