"""A trail in SQLite: durable, shared, used from anywhere, and never doubled or lost."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from audit_samples import JUDGED, closed, opened, settings_in, write

from guardrails.audit.keys import make_keys
from guardrails.audit.read import show
from guardrails.audit.record import new_record_id
from guardrails.audit.trail import MemoryTrail, StoredTrail, open_trail
from guardrails.audit.verify import Report, verify
from guardrails.errors import AuditError
from guardrails.settings import Settings

HERE = Path(__file__).parent


def verified(settings: Settings) -> Report:
    assert settings.audit_file is not None
    return verify(settings.audit_file, key=settings.key_path, anchor=settings.audit_anchor)


def stored_ids(settings: Settings) -> list[str]:
    connection = sqlite3.connect(str(settings.audit_file))
    found = [
        name for (name,) in connection.execute("SELECT record_id FROM entry WHERE kind = 'open'")
    ]
    connection.close()
    return found


async def test_what_is_acknowledged_is_in_the_file(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    trail = open_trail(settings)
    await trail.open(opened("r1"))
    assert stored_ids(settings) == ["r1"]
    await trail.close(closed("r1"))
    record = show(Path(str(settings.audit)), "r1")
    assert record is not None
    assert record.opened == opened("r1")
    assert record.closed == closed("r1")
    await trail.aclose()


async def test_only_the_owner_may_read_what_is_written(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, audit=str(tmp_path / "state" / "audit.db"))
    trail = open_trail(settings)
    await trail.open(opened())
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "state").iterdir()}
    assert modes == dict.fromkeys(["audit.db", "audit.db-shm", "audit.db-wal", "key"], 0o600)
    assert (tmp_path / "anchor").stat().st_mode & 0o777 == 0o600
    await trail.aclose()


async def test_a_digest_is_the_same_for_each_trail_under_one_key(tmp_path: Path) -> None:
    one, two = open_trail(settings_in(tmp_path)), open_trail(settings_in(tmp_path))
    assert one.digest(["a", "b"]) == two.digest(["a", "b"])
    assert one.key_id == two.key_id
    await one.aclose()
    await two.aclose()


async def test_trails_of_one_file_share_a_writer_until_the_last_is_closed(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    one, two = open_trail(settings), open_trail(settings)
    await one.open(opened("r1"))
    await one.aclose()
    await one.aclose()
    await two.open(opened("r2"))
    with pytest.raises(AuditError, match="closed"):
        await one.open(opened("r3"))
    assert verified(settings).writers == 1
    await two.aclose()
    assert not (tmp_path / "audit.db-wal").exists()
    await write(settings, ["r4"])
    assert verified(settings).writers == 2


async def test_32_callers_on_several_loops_and_threads_lose_and_double_nothing(
    tmp_path: Path,
) -> None:
    settings = settings_in(tmp_path)
    trail = open_trail(settings)
    ids = [[new_record_id() for _ in range(10)] for _ in range(32)]

    async def call(mine: list[str]) -> None:
        for record_id in mine:
            await trail.open(opened(record_id))
            await trail.close(closed(record_id))

    async def several(callers: list[list[str]]) -> None:
        await asyncio.gather(*(call(mine) for mine in callers))

    with ThreadPoolExecutor(4) as threads:
        loops = [
            threads.submit(asyncio.run, several(ids[start : start + 8])) for start in (0, 8, 16, 24)
        ]
        for loop in loops:
            loop.result()
    assert sorted(stored_ids(settings)) == sorted(name for mine in ids for name in mine)
    report = verified(settings)
    assert report.ok
    assert (report.entries, report.records, report.writers) == (640, 320, 1)
    assert (report.unclosed_count, report.tail_anchored) == (0, True)
    await trail.aclose()


def test_processes_that_write_one_file_at_once_keep_a_chain_each(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from audit_samples import *;"
        "sys.stdin.read(); asyncio.run(write(settings_in(Path(sys.argv[1])), "
        "[new_record_id() for _ in range(20)]))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, cwd=HERE
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(30) for process in processes] == [0] * 4
    report = verified(settings_in(tmp_path))
    assert report.ok
    assert (report.entries, report.writers, report.tail_anchored) == (160, 4, True)


async def test_a_cancelled_caller_takes_nothing_back_and_doubles_nothing(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    trail = open_trail(settings)
    tasks = [asyncio.create_task(trail.open(opened(f"r{number}"))) for number in range(20)]
    await asyncio.sleep(0)  # each has handed its entry over
    for task in tasks:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in done)
    await trail.aclose()
    assert sorted(stored_ids(settings)) == sorted(f"r{number}" for number in range(20))


def test_a_loop_that_is_gone_before_its_entry_is_written_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_in(tmp_path)
    trail = open_trail(settings)
    assert isinstance(trail, StoredTrail)

    async def leave() -> None:
        task = asyncio.create_task(trail.open(opened("r1")))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    asyncio.run(trail.aclose())
    assert stored_ids(settings) == ["r1"]
    assert caplog.records == []


def test_a_forked_child_writes_a_chain_of_its_own(tmp_path: Path) -> None:
    code = """
import asyncio, os, sys
from pathlib import Path
from audit_samples import *

trail = open_trail(settings_in(Path(sys.argv[1])))
asyncio.run(trail.open(opened("before")))
child = os.fork()
name = "parent" if child else "child"
for number in range(10):
    asyncio.run(trail.open(opened(f"{name}{number}")))
if child:
    assert os.waitpid(child, 0)[1] == 0
asyncio.run(trail.aclose())
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=HERE, check=True, timeout=30)
    report = verified(settings_in(tmp_path))
    assert report.ok
    assert (report.entries, report.writers) == (21, 2)


def test_what_waits_is_written_when_the_interpreter_ends(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from audit_samples import *

trail = open_trail(settings_in(Path(sys.argv[1])))
async def leave():
    for number in range(50):
        asyncio.ensure_future(trail.open(opened(f"r{number}")))
    await asyncio.sleep(0)
asyncio.run(leave())
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=HERE, check=True, timeout=30)
    report = verified(settings_in(tmp_path))
    assert report.ok
    assert report.entries == 50
    assert report.unclosed_count == 50
    assert report.tail_anchored


def test_an_acknowledged_record_survives_kill_9(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from audit_samples import *

trail = open_trail(settings_in(Path(sys.argv[1])))
async def call():
    while True:
        record_id = new_record_id()
        await trail.open(opened(record_id))
        sys.stdout.write(record_id + "\\n")
        sys.stdout.flush()
        await trail.close(closed(record_id))
async def main():
    await asyncio.gather(*(call() for _ in range(8)))
asyncio.run(main())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=HERE, text=True
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    report = verified(settings_in(tmp_path))
    assert report.ok
    assert report.tail_anchored
    assert report.unclosed_count <= 16
    assert set(acknowledged) <= set(stored_ids(settings_in(tmp_path)))


async def test_a_trail_moved_away_is_followed_by_a_new_one(tmp_path: Path) -> None:
    """As log rotation does: both files are whole, and the anchor misses the old one."""
    settings = settings_in(tmp_path)
    trail = open_trail(settings)
    await trail.open(opened("r1"))
    (tmp_path / "audit.db").rename(tmp_path / "old.db")
    await trail.open(opened("r2"))
    await trail.aclose()
    assert stored_ids(settings) == ["r2"]
    for name in ("audit.db", "old.db"):
        assert verify(tmp_path / name, key=settings.key_path).ok
    (fault,) = verified(settings).faults
    assert fault.what == "truncated"


def test_several_processes_follow_a_trail_that_is_moved_away(tmp_path: Path) -> None:
    """Renamed, a file leaves its log behind under the old name: some of them still write to that,
    and it must never be the new one's."""
    code = """
import asyncio, sys
from pathlib import Path
from audit_samples import *

trail = open_trail(settings_in(Path(sys.argv[1])))
async def call():
    while True:
        record_id = new_record_id()
        await trail.open(opened(record_id))
        sys.stdout.write(record_id + "\\n")
        sys.stdout.flush()
        await asyncio.sleep(0.002)
async def main():
    await asyncio.gather(*(call() for _ in range(3)))
asyncio.run(main())
"""
    make_keys(tmp_path / "key")
    with ExitStack() as until_killed:
        processes = []
        for _ in range(3):
            process = subprocess.Popen(
                [sys.executable, "-c", code, str(tmp_path)],
                stdout=subprocess.PIPE,
                cwd=HERE,
                text=True,
            )
            until_killed.callback(process.wait)
            until_killed.callback(process.kill)
            processes.append(process)
        acknowledged = set()

        def wait_for(lines: int) -> None:
            for process in processes:
                assert process.stdout is not None
                acknowledged.update(process.stdout.readline().strip() for _ in range(lines))

        for number in range(4):
            wait_for(30)
            (tmp_path / "audit.db").rename(tmp_path / f"old-{number}.db")
        wait_for(30)
        for process in processes:
            process.send_signal(signal.SIGKILL)
        for process in processes:
            assert process.stdout is not None
            rest = [line.strip() for line in process.stdout if line.endswith("\n")]
            acknowledged.update(rest)
            process.stdout.close()
    stored = set()
    for file in sorted(tmp_path.glob("*.db")):
        report = verify(file, key=tmp_path / "key")
        assert report.ok, (file, report)
        stored |= set(stored_ids(Settings(audit=str(file), key_file=tmp_path / "key")))
    assert acknowledged <= stored


def test_what_a_killed_process_left_of_a_trail_that_was_moved_is_kept(tmp_path: Path) -> None:
    code = """
import asyncio, os, signal, sys
from pathlib import Path
from audit_samples import *

trail = open_trail(settings_in(Path(sys.argv[1])))
asyncio.run(trail.open(opened("r1")))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=HERE, timeout=30)
    settings = settings_in(tmp_path)
    (tmp_path / "audit.db").rename(tmp_path / "old.db")
    asyncio.run(write(settings, ["r2"]))
    assert stored_ids(settings) == ["r2"]
    (left,) = tmp_path.glob("audit.db-wal.*")
    left.rename(tmp_path / "old.db-wal")
    assert stored_ids(Settings(audit=str(tmp_path / "old.db"), key_file=settings.key_path)) == [
        "r1"
    ]


def test_one_thread_writes_however_many_call(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    others = set(threading.enumerate())  # of trails that tests before this one left open
    trails = [open_trail(settings) for _ in range(8)]
    for trail in trails:
        asyncio.run(trail.open(opened()))
    writers = [t for t in set(threading.enumerate()) - others if t.name == "guardrails-audit"]
    assert len(writers) == 1
    for trail in trails:
        asyncio.run(trail.aclose())
    assert not writers[0].is_alive()


def test_a_trail_in_memory_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    trail = open_trail(Settings(audit="memory"))
    assert isinstance(trail, MemoryTrail)
    asyncio.run(trail.open(opened("r1")))
    asyncio.run(trail.close(closed("r1")))
    asyncio.run(trail.aclose())
    assert [record.record_id for record in trail.opened] == ["r1"]
    assert [record.delivered_digest for record in trail.closed] == [JUDGED]
    assert not list(tmp_path.iterdir())


async def test_promise_10_a_trail_in_memory_is_bounded() -> None:
    trail = MemoryTrail(newest=3)
    for number in range(5):
        await trail.open(opened(f"r{number}"))
    assert [record.record_id for record in trail.opened] == ["r2", "r3", "r4"]
