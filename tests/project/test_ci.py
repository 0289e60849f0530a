"""`.ci/run` installs what is missing, runs every step, and ends as badly as the worst of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
REAL = ("bash", "env", "dirname", "cp")


class Bare:
    """A machine with a few commands, whose package manager brings what it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin, self.log = folder, folder / "bin", folder / "log"
        self.bin.mkdir()
        self.log.touch()
        (folder / ".ci").mkdir()
        shutil.copy(PROJECT / ".ci" / "run", folder / ".ci" / "run")
        for name in REAL:
            found = shutil.which(name)
            assert found
            (self.bin / name).symlink_to(found)
        self.command("id", "echo 0")
        self.command("apt-get", '[ "$1" != install ] || cp "$BIN/git" "$BIN/make"')
        self.command("git")
        self.command("python3", '[ "$1" != tools/suites.py ]')

    def command(self, name: str, script: str = "true") -> None:
        file = self.bin / name
        said = "" if name == "id" else f'echo "${{0##*/}} $*" >> "{self.log}"\n'
        file.write_text(
            f'#!/usr/bin/env bash\nBIN="{self.bin}"\n{said}{script}\n', encoding="utf-8"
        )
        file.chmod(0o755)

    def run(self) -> int:
        done = subprocess.run(
            ["bash", ".ci/run"], cwd=self.folder, env={"PATH": str(self.bin)}, timeout=30
        )
        return done.returncode

    def ran(self, name: str) -> list[str]:
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line.split()[0] == name]


@pytest.fixture
def machine(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


def test_what_is_missing_is_installed_and_every_step_is_run(machine: Bare) -> None:
    assert machine.run() == 0
    assert machine.ran("apt-get") == [
        "apt-get update",
        "apt-get install --yes --no-install-recommends make",
    ]
    assert machine.ran("make") == ["make test", "make lint"]


def test_on_a_machine_that_has_everything_nothing_is_installed(machine: Bare) -> None:
    machine.command("make")
    assert machine.run() == 0
    assert machine.ran("apt-get") == []


@pytest.mark.parametrize("step", ["test", "lint"])
def test_a_step_that_fails_fails_the_run(machine: Bare, step: str) -> None:
    machine.command("make", f'[ "$1" != {step} ]')
    assert machine.run() != 0


def test_a_browser_is_installed_once_there_are_tests_for_one(machine: Bare) -> None:
    machine.command("make")
    machine.command("python3", '[ "$2" != node ]')
    pytest_of = machine.folder / ".venv" / "bin"
    pytest_of.mkdir(parents=True)
    machine.command("python")
    (pytest_of / "python").symlink_to(machine.bin / "python")
    assert machine.run() == 0
    assert machine.ran("apt-get")[-1].endswith(" chromium")
    assert machine.ran("python") == ["python -m pytest -m browser"]
