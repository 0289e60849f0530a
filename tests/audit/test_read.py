from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from audit_samples import change, closed, opened, read_only, settings_in, write

from guardrails.audit.read import show, tail
from guardrails.audit.store_sqlite import open_for_reading
from guardrails.audit.trail import open_trail
from guardrails.errors import AuditError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    asyncio.run(write(settings_in(tmp_path), [f"r{number}" for number in range(5)]))
    return tmp_path / "audit.db"


def test_the_newest_records_come_in_the_order_written(file: Path) -> None:
    assert [record.record_id for record in tail(file, 3)] == ["r2", "r3", "r4"]
    assert len(tail(file, 99)) == 5
    assert tail(file, 0) == []


def test_a_record_is_shown_as_it_was_written(file: Path) -> None:
    record = show(file, "r1")
    assert record is not None
    assert (record.opened, record.closed) == (opened("r1"), closed("r1"))


@pytest.mark.parametrize("name", ["r9", "", "' OR 1=1 --", "\ud800"])
def test_there_is_nothing_to_show_for_what_is_not_there(file: Path, name: str) -> None:
    assert show(file, name) is None


def test_a_record_under_way_is_shown_without_its_end(tmp_path: Path) -> None:
    async def begin() -> None:
        trail = open_trail(settings_in(tmp_path))
        await trail.open(opened("r1"))
        record = await asyncio.to_thread(show, tmp_path / "audit.db", "r1")
        assert record is not None
        assert record.closed is None
        await trail.aclose()

    asyncio.run(begin())


@pytest.mark.parametrize("body", ["x'ff'", "'{}'", "zeroblob(9)"])
def test_an_entry_that_cannot_be_read_stands_in_its_place(file: Path, body: str) -> None:
    change(file, f"UPDATE entry SET body = {body} WHERE id = 9")
    (newest,) = tail(file, 1)
    assert (newest.record_id, newest.opened, newest.closed) == ("r4", None, closed("r4"))


def test_an_id_that_is_no_text_harms_nothing(file: Path) -> None:
    change(file, "UPDATE entry SET record_id = CAST(x'ff' AS TEXT) WHERE id = 9")
    (newest,) = tail(file, 1)
    assert (newest.opened, newest.closed) == (None, None)


def test_reading_changes_nothing_and_cannot_write(file: Path) -> None:
    before = file.read_bytes()
    tail(file, 9)
    with open_for_reading(file) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM entry")
    assert file.read_bytes() == before


def test_a_copy_in_a_folder_that_takes_no_files_can_be_read(file: Path, open_folder: Path) -> None:
    folder = open_folder / "archive #1?"
    folder.mkdir()
    shutil.copyfile(file, folder / "audit.db")
    with read_only(folder):
        assert len(tail(folder / "audit.db", 9)) == 5


@pytest.mark.parametrize("content", [b"", b"plain", b"SQLite format 3\x00"], ids=len)
def test_what_is_no_trail_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "audit.db"
    file.write_bytes(content)
    with pytest.raises(AuditError, match=r"audit\.db' (is not|is damaged)"):
        tail(file, 1)
    assert file.read_bytes() == content
