"""`constitution lint` and `test` do every file, tell each place, and end with the right status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardrails.cli import main

HEAD = """
schema: 1
id: {id}
version: 1.0.0
principles:
  - id: t.card
    text: Names no card number.
    action: block
    critics: [{{pattern: {{breach: ['\\bcard \\d{{4}}\\b']}}}}]
    examples: {{breach: [card 1234], fine: [a card]}}
    source: {{title: House rule}}
"""
JUDGED = """\
  - id: t.kind
    text: Is kind.
    action: revise
    critics: [judge]
    examples: {breach: [Go away.], fine: [Welcome.]}
    source: {title: House rule}
"""
PASSES = "tests:\n  - {name: a card, reply: card 1234, expect: block, breaches: [t.card]}\n"
FAILS = "tests:\n  - {name: wrong, reply: a card, expect: block}\n"
NOT_JUDGED = "tests:\n  - {name: rude, reply: Go far away now., expect: revise}\n"

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    texts = {
        "good": PASSES,
        "bad": FAILS,
        "unsettled": JUDGED + NOT_JUDGED,
        "weak": JUDGED.replace("Is kind.", "Usually tries to be kind."),
        "broken": JUDGED.replace("text:", "txt:"),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(HEAD.format(id=name) + text)
    monkeypatch.setenv("GUARDRAILS_CONSTITUTIONS", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        status = main(list(arguments))
        return status, "".join(capsys.readouterr())

    return run


def document(run: Run, *arguments: str) -> Any:
    status, told = run(*arguments, "--json")
    read = json.loads(told)
    assert read["status"] == status
    return read


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["good"], 0),
        (["bad"], 1),
        (["unsettled"], 0),
        (["unsettled", "--strict"], 3),
        (["bad", "unsettled", "--strict"], 1),
        (["good", "bad", "broken"], 2),
        (["nowhere"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_tests_end_with_their_status(names: list[str], status: int, run: Run) -> None:
    assert run("test", *names)[0] == status
    assert document(run, "test", *names)["ok"] is (status == 0)


def test_a_failed_test_is_told_with_its_place(run: Run) -> None:
    told = run("test", "good", "bad")[1]
    assert "good 1.0.0  1 passed  0 failed  0 not judged" in told
    assert "bad.yaml:13: failed: wrong: expected block, got allow" in told


def test_a_test_that_only_a_judge_could_decide_is_told(run: Run) -> None:
    told = run("test", "unsettled")[1]
    assert "unsettled.yaml:19: not judged: rude: only a judge can say: t.kind" in told


def test_findings_are_told_with_their_places(run: Run) -> None:
    status, told = run("lint", "weak")
    assert status == 0
    assert "weak.yaml:13:" in told
    assert "L101 advice" in told
    findings = document(run, "lint", "weak")["constitutions"][0]["findings"]
    assert "L101" in {finding["code"] for finding in findings}


def test_an_error_that_lint_finds_has_status_1(run: Run, tmp_path: Path) -> None:
    text = (tmp_path / "good.yaml").read_text().replace("fine: [a card]", "fine: [card 1234]")
    (tmp_path / "good.yaml").write_text(text)
    assert run("lint", "good")[0] == 1


@pytest.mark.parametrize("command", ["lint", "test"])
def test_a_file_that_does_not_load_costs_itself_only(command: str, run: Run) -> None:
    status, told = run(command, "broken", "good")
    assert status == 2
    assert "broken.yaml:13:5: principles[1].txt: unknown key" in told
    assert "good 1.0.0" in told
    broken, good = document(run, command, "broken", "good")["constitutions"]
    assert broken["problems"]
    assert not good["problems"]


@pytest.mark.proof  # all that ship, as `make lint` does
@pytest.mark.parametrize("command", ["lint", "test"])
def test_without_names_all_that_are_found_are_done(command: str, run: Run) -> None:
    names = {one["name"] for one in document(run, command)["constitutions"]}
    assert {"good", "bad", "base"} <= names
