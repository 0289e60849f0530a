"""Records, and a trail to put them in, as tests of the audit want them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from guardrails.audit.keys import Keys
from guardrails.audit.record import Closed, ConstitutionRecord, How, Opened, new_record_id
from guardrails.audit.trail import open_trail
from guardrails.settings import Settings
from guardrails.verdict import Stage, Verdict

NOBODY = 65534
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
KEYS = Keys(bytes(32))
JUDGED = KEYS.digest(["the answer"])
REPLY = KEYS.digest(["I cannot help with that."])
OTHER = KEYS.digest(["something else"])


def opened(record_id: str | None = None, **changes: Any) -> Opened:
    values: dict[str, Any] = {
        "record_id": record_id or new_record_id(),
        "at": NOW,
        "stage": Stage.OUTPUT,
        "verdict": Verdict.ALLOW,
        "constitution": ConstitutionRecord(id="medical", version="1.0.0", digest="sha256:00"),
        "tenant": "clinic",
        "judged_digest": JUDGED,
    }
    return Opened(**values | changes)


def closed(record_id: str, how: How = "judged", delivered: str | None = JUDGED) -> Closed:
    return Closed(record_id=record_id, at=NOW, how=how, delivered_digest=delivered)


def settings_in(folder: Path, **changes: Any) -> Settings:
    values = {"audit": str(folder / "audit.db"), "audit_anchor": folder / "anchor"}
    return Settings(**values | changes)


async def write(settings: Settings, record_ids: Iterable[str]) -> None:
    """A trail of its own writer with these records, opened and closed."""
    trail = open_trail(settings)
    for record_id in record_ids:
        await trail.open(opened(record_id))
        await trail.close(closed(record_id))
    await trail.aclose()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let this process not write there, whoever runs it. The folder must be open to all."""
    me = os.geteuid()
    folder.chmod(0o555)
    if me == 0:  # root may write anywhere
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(me)
        folder.chmod(0o755)


def change(file: Path, *statements: str) -> None:
    """What somebody with the file, but without the key, may do."""
    connection = sqlite3.connect(file)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
