"""The hooks for pre-commit name commands that exist and files that are constitutions."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from guardrails.cli import main

ROOT = Path(__file__).parents[2]
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())


def by_id(hook: dict[str, Any]) -> str:
    return str(hook["id"])


def test_there_is_one_for_lint_and_one_for_test() -> None:
    assert list(map(by_id, HOOKS)) == ["constitution-lint", "constitution-test"]


@pytest.mark.parametrize("hook", HOOKS, ids=by_id)
def test_it_has_what_pre_commit_asks_for(hook: dict[str, Any]) -> None:
    assert {"id", "name", "entry", "language", "files", "types"} <= hook.keys()
    assert (hook["language"], hook["types"]) == ("python", ["yaml"])


@pytest.mark.parametrize("hook", HOOKS, ids=by_id)
@pytest.mark.parametrize(
    ("file", "taken"),
    [
        ("constitutions/medical.yaml", True),
        ("services/chat/constitutions/desk.yaml", True),
        ("constitutions/medical.approvals.yaml", False),
        ("constitutions/constitution.schema.json", False),
        ("myconstitutions/medical.yaml", False),
        ("config/other.yaml", False),
    ],
)
def test_it_takes_constitutions_only(hook: dict[str, Any], file: str, taken: bool) -> None:
    found = re.search(hook["files"], file) and not re.search(hook["exclude"], file)
    assert bool(found) is taken


@pytest.mark.parametrize("hook", HOOKS, ids=by_id)
def test_its_command_takes_files_and_fails_where_one_is_wrong(
    hook: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *arguments = shlex.split(hook["entry"])
    assert command == "constitution"
    assert main(["new", "desk", "--yes", "--extends", "none", "--into", str(tmp_path)]) == 0
    good, bad = tmp_path / "desk.yaml", tmp_path / "bad.yaml"
    bad.write_text(good.read_text().replace("text:", "txt:"))
    assert main([*arguments, str(good)]) == 0
    assert main([*arguments, str(good), str(bad)]) == 2
    assert "txt: unknown key" in capsys.readouterr().out
