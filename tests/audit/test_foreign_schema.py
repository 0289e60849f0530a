"""A trail's database with something in it that is not its own: nothing vanishes in silence."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from audit_samples import change, settings_in, write

from guardrails.audit.verify import verify
from guardrails.errors import AuditError

ALTERED = {
    "trigger": "CREATE TRIGGER tg BEFORE INSERT ON entry BEGIN SELECT raise(ignore); END",
    "table": "CREATE TABLE tg (id)",
    "view": "CREATE VIEW tg AS SELECT * FROM entry",
    "index": "CREATE INDEX tg ON entry (writer)",
}


@pytest.mark.parametrize("kind", ALTERED)
def test_what_is_foreign_is_refused_and_named(kind: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    asyncio.run(write(settings, ["a"]))
    change(tmp_path / "audit.db", ALTERED[kind])
    with pytest.raises(AuditError, match=rf"audit\.db.*{kind} 'tg'.*move the file away"):
        asyncio.run(write(settings, ["b"]))
    report = verify(tmp_path / "audit.db", key=tmp_path / "key")
    assert [(fault.what, kind in fault.detail) for fault in report.faults] == [("damaged", True)]


def test_what_is_lacking_is_named(tmp_path: Path) -> None:
    asyncio.run(write(settings_in(tmp_path), ["a"]))
    change(tmp_path / "audit.db", "DROP INDEX entry_by_record")
    (fault,) = verify(tmp_path / "audit.db", key=tmp_path / "key").faults
    assert (fault.what, fault.detail) == ("damaged", "it lacks 'entry_by_record'")


def test_statistics_are_nobodys(tmp_path: Path) -> None:
    asyncio.run(write(settings_in(tmp_path), ["a"]))
    change(tmp_path / "audit.db", "ANALYZE")
    asyncio.run(write(settings_in(tmp_path), ["b"]))
    assert verify(tmp_path / "audit.db", key=tmp_path / "key").ok
