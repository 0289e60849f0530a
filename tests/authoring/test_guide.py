"""The guide for authors can be followed to the letter: every command in it runs here, in order."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

PAGE = Path(__file__).parents[2] / "docs" / "authoring.md"
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
SHORT_CUTS = {
    "constitution": "from guardrails.cli import main",
    "pytest": "from pytest import main",
}


@dataclass(frozen=True)
class Block:
    """A block of the guide: what its fence says, its text, and the line it begins on."""

    info: str
    text: str
    line: int


def blocks() -> list[Block]:
    page = PAGE.read_text(encoding="utf-8")
    return [
        Block(found["info"], found["text"], page[: found.start()].count("\n") + 1)
        for found in FENCE.finditer(page)
    ]


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def desk(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder to work in, and an environment that has the commands of the guide."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, code in SHORT_CUTS.items():
        script = commands / name
        script.write_text(f"#!{sys.executable}\nimport sys\n{code}\nsys.exit(main())\n")
        script.chmod(0o755)
    folder = tmp_path / "desk"
    folder.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GUARDRAILS_")}
    environment = {
        **kept,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "GUARDRAILS_AUDIT": "memory",
        "PYTHONUTF8": "1",
        "PYTHONPATH": str(PAGE.parents[1]),
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    return folder, environment


@pytest.mark.timeout(240)
def test_every_command_runs_as_the_guide_says(desk: tuple[Path, dict[str, str]]) -> None:
    folder, environment = desk
    told = ""
    for block in blocks():
        kind, *more = block.info.split()
        if kind == "yaml" and more:
            (folder / more[0]).write_text(block.text, encoding="utf-8")
        elif kind == "text":
            for line in filter(None, map(squeezed, block.text.splitlines())):
                assert line in squeezed(told), f"line {block.line}: {line!r} is not in {told}"
        elif kind == "sh":
            done = subprocess.run(
                ["/bin/sh", "-c", block.text],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=100,
            )
            told = done.stdout + done.stderr
            expected = int(more[0].removeprefix("status=")) if more else 0
            assert done.returncode == expected, f"line {block.line}: {told}"


def test_every_block_is_of_a_kind_that_is_held_to_something() -> None:
    kinds = {block.info.partition(" ")[0] for block in blocks()}
    assert kinds == {"sh", "text", "yaml", "json", "toml"}
    for block in blocks():
        match block.info.partition(" ")[0]:
            case "json":
                json.loads(block.text)
            case "toml":
                tomllib.loads(block.text)
            case "yaml":
                yaml.safe_load(block.text)


def test_the_hooks_that_it_names_are_there() -> None:
    (text,) = (block.text for block in blocks() if block.info == "yaml")
    named = {hook["id"] for repo in yaml.safe_load(text)["repos"] for hook in repo["hooks"]}
    offered = yaml.safe_load((PAGE.parents[1] / ".pre-commit-hooks.yaml").read_text())
    assert named == {hook["id"] for hook in offered}


def test_what_it_leads_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (PAGE.parent / link).is_file()] == []
