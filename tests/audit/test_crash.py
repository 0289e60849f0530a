"""An acknowledged record survives kill -9, round after round on one trail, through the guard.

`test_trail` has the same for the trail alone.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from guardrails.audit.read import show
from guardrails.audit.verify import verify

CONSTITUTION = """
schema: 1
id: house
version: 1.0.0
principles:
  - {id: house.word, text: Does not say the word., action: block,
     critics: [pattern: {breach: [forbidden]}]}
  - {id: house.secret, text: Keeps the secret., action: redact,
     critics: [pattern: {breach: [secret]}]}
"""
REPLIES = ["a fine answer", "a forbidden answer", "a secret answer"]
CHECKS = f"""
import asyncio, sys, threading
from pathlib import Path
from guardrails.guard import Guard
from guardrails.settings import Settings

folder = Path(sys.argv[1])
settings = Settings(audit=str(folder / "audit.db"), audit_anchor=folder / "anchor")
guard = Guard.load(folder / "house.yaml", offline=True, settings=settings)
lock = threading.Lock()

def acknowledge(decision):
    with lock:
        sys.stdout.write(f"{{decision.record_id}} {{decision.verdict}}\\n")
        sys.stdout.flush()

async def calls(reply):
    while True:
        acknowledge(await guard.check_output(reply))

async def task():
    await asyncio.gather(*(calls(reply) for reply in {REPLIES!r}))

def thread():
    while True:
        acknowledge(guard.sync.check_output({REPLIES[0]!r}))

threading.Thread(target=thread, daemon=True).start()
asyncio.run(task())
"""
ROUNDS = 4


def killed(folder: Path, *, after_s: float) -> dict[str, str]:
    """What a process acknowledged until it was killed, some time after its first word."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHECKS, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    timer = threading.Timer(after_s, process.send_signal, [signal.SIGKILL])
    timer.start()
    lines += process.stdout
    timer.join()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return dict(line.split() for line in lines if line.endswith("\n"))


def rounds(folder: Path, number: int, seed: int) -> None:
    (folder / "house.yaml").write_text(CONSTITUTION)
    moments = random.Random(seed)
    acknowledged: dict[str, str] = {}
    for _ in range(number):
        acknowledged |= killed(folder, after_s=moments.uniform(0, 0.3))
        report = verify(folder / "audit.db", key=folder / "key", anchor=folder / "anchor")
        assert report.faults == ()
        assert report.ok
        assert report.tail_anchored
        assert report.records >= len(acknowledged)
    assert report.writers == number
    assert len(acknowledged) > number
    assert set(acknowledged.values()) <= {"allow", "block", "redact"}
    for record_id, verdict in acknowledged.items():
        record = show(folder / "audit.db", record_id)
        assert record is not None, f"{record_id} was acknowledged and is lost"
        assert record.opened is not None
        assert str(record.opened.verdict) == verdict
        assert record.closed is not None


def test_what_a_guard_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    rounds(tmp_path, ROUNDS, seed=7)


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
def test_what_a_guard_acknowledged_survives_many_kills(seed: int, tmp_path: Path) -> None:
    rounds(tmp_path, 30, seed)
