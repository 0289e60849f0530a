"""Every block of code in the README and the guides does what it says.

`python` blocks run, each file's in one process, in order. `console` blocks: each line that begins
with `$ ` is run by a shell, and ends with the status that a comment `# exits with N` says, else 0.
`yaml` blocks that begin with `schema:` or `id:` are linted without an error, and their tests pass.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from warm_python import EACH_WAY, SMALL, VENDORS, run_python

from guardrails.cli import main

PROJECT = Path(__file__).parents[1]
FILES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STATUS = re.compile(r"#.*\bexits with (\d+)")
MAKES = re.compile(r"^make\b")
"""What the Makefile does is tried by the tests of the project, in a clone."""


class Block(NamedTuple):
    language: str
    text: str


def blocks(file: Path) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall(file.read_text(encoding="utf-8"))]


def of(language: str) -> list[Path]:
    return [file for file in FILES if any(b.language == language for b in blocks(file))]


def environment(folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "GUARDRAILS_AUDIT": str(folder / "audit.db"),
        "PYTHONUTF8": "1",
        "NO_COLOR": "1",
    }


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def name(file: Path) -> str:
    return str(file.relative_to(PROJECT))


@pytest.mark.timeout(150)
@pytest.mark.parametrize("file", of("python"), ids=name)
@EACH_WAY
def test_python_blocks_run(file: Path, new: bool, tmp_path: Path) -> None:
    program = "\n\n".join(b.text for b in blocks(file) if b.language == "python")
    written = tmp_path / "program.py"
    written.write_text(program, encoding="utf-8")
    done = run_python(
        written,
        folder=tmp_path,
        environment=environment(tmp_path),
        libraries=(*SMALL, *VENDORS),
        new=new,
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("file", of("console"), ids=name)
def test_commands_end_as_they_say(file: Path, tmp_path: Path) -> None:
    for block in blocks(file):
        if block.language == "yaml" and (titled := re.match(r"# (\S+\.yaml)\n", block.text)):
            (tmp_path / titled[1]).write_text(block.text, encoding="utf-8")
        if block.language != "console":
            continue
        for line in block.text.splitlines():
            if not line.startswith("$ ") or MAKES.match(line[2:]):
                continue
            said = STATUS.search(line)
            done = run(["bash", "-c", line[2:]], tmp_path)
            expected = int(said[1]) if said else 0
            assert done.returncode == expected, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("file", of("yaml"), ids=name)
def test_constitutions_lint_clean_and_pass_their_tests(
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(tmp_path / "audit.db"))
    for number, block in enumerate(b for b in blocks(file) if b.language == "yaml"):
        body = re.sub(r"\A(?:#[^\n]*\n)+", "", block.text)
        if not body.startswith(("schema:", "id:")) or "principles:" not in body:
            continue
        written = tmp_path / f"block{number}.yaml"
        written.write_text(block.text, encoding="utf-8")
        for command in ("lint", "test"):
            status = main([command, str(written)])
            assert status == 0, "".join(capsys.readouterr())
