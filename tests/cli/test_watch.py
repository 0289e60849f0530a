"""`--watch` runs again when a file or what it extends changes, and ends with Ctrl-C."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guardrails.cli import main
from guardrails.cli.watch import watched

PARENT = """\
id: parent
version: 1.0.0
principles:
  - {id: p.card, text: Names no card., critics: [{pattern: {breach: ['card \\d{4}']}}]}
"""
CHILD = """\
id: child
version: 1.0.0
extends: [parent@^1]
principles: []
tests:
  - {name: a card, reply: card 1234, expect: block}
"""
COMMAND = ("-c", "import sys; from guardrails.cli import main; sys.exit(main())")


class Watching:
    """The command under way, and its lines as they come."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *COMMAND, *arguments],
            cwd=folder,
            env={**os.environ, "GUARDRAILS_CONSTITUTIONS": str(folder), "PYTHONUTF8": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def until(self, wanted: str) -> str:
        """All that is told up to the line that holds this."""
        told = ""
        while wanted not in told:
            told += self.lines.get(timeout=40)
        return told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parent.yaml").write_text(PARENT)
    (tmp_path / "child.yaml").write_text(CHILD)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Watching]]:
    started: list[Watching] = []

    def start(*arguments: str) -> Watching:
        started.append(Watching(*arguments, folder=folder))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        assert one.process.stdout is not None
        one.process.stdout.close()


@pytest.mark.timeout(180)
def test_a_change_of_the_file_or_a_parent_runs_it_again(
    start: Callable[..., Watching], folder: Path
) -> None:
    running = start("test", "child", "--watch")
    assert "1 passed  0 failed" in running.until("status 0, watching 2 files; Ctrl-C ends")
    (folder / "parent.yaml").write_text(PARENT.replace("card", "cord"))
    assert "0 passed  1 failed" in running.until("status 1, watching 2 files")
    replacement = folder / "new"  # as editors do
    replacement.write_text(CHILD.replace("expect: block", "expect: allow"))
    replacement.replace(folder / "child.yaml")
    assert "1 passed  0 failed" in running.until("status 0, watching 2 files")
    (folder / "child.yaml").write_text(CHILD.replace("tests:", "tset:"))
    assert "child.yaml:5:1: tset: unknown key" in running.until("status 2, watching 2 files")
    (folder / "child.yaml").write_text(CHILD.replace("parent@^1", "missing"))
    assert "'missing'" in running.until("status 2, watching 2 files")
    (folder / "missing.yaml").write_text(PARENT.replace("id: parent", "id: missing"))
    running.until("status 0, watching 2 files")
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=30) == 0
    assert "Traceback" not in "".join(running.lines.queue)


@pytest.mark.timeout(120)
def test_lint_watches_as_well(start: Callable[..., Watching], folder: Path) -> None:
    running = start("lint", "parent", "--watch")
    running.until("status 0, watching 1 file;")
    (folder / "parent.yaml").write_text(PARENT.replace("Names no", "Usually names no"))
    assert "L101" in running.until("status 0, watching 1 file;")
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=30) == 0


def test_programs_are_refused_an_endless_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "base", "--watch", "--json"]) == 2
    assert "leave out --json" in capsys.readouterr().out


@pytest.mark.parametrize(
    "extends",
    [
        "extends: [one@^1, 'two@>=1 <2']",
        'extends: ["one", two]  # both',
        "extends:\n  - one@^1\n  # and\n  - 'two@>=1 <2'\n",
        "extends:\n- one\n\n- two@^1\n",
        "extends: [one@^1,\n  two]\n",
        "extends: [one, two\nprinciples: {[",
    ],
    ids=["flow", "quoted", "block", "block at the margin", "over lines", "not YAML"],
)
def test_all_that_a_file_extends_is_watched_whether_or_not_it_loads(
    extends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDRAILS_CONSTITUTIONS", str(tmp_path))
    (tmp_path / "child.yaml").write_text(f"id: child\n{extends}\n")
    (tmp_path / "two.yaml").write_text("extends: [three, child]\n")
    names = {file.stem for file in watched(["child"])}
    assert names == {"child", "one", "two", "three"}
    assert tmp_path in watched([])
