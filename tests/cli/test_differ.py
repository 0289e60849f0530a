"""`constitution diff` tells a difference of meaning by its status, its words and its document."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from guardrails.cli import main

PARENT = """\
id: parent
version: 1.0.0
principles:
  - id: p.card
    text: Names no card.
    critics: [{pattern: {breach: ['card \\d{4}']}}]
"""
CHILD = """\
id: child
version: 1.0.0
extends: [parent@^1]
principles:
  - id: c.dose
    text: Leaves the dose to a doctor.
    examples: {breach: [Do take eight of them.]}
"""
RELAXED = CHILD + "relax: [{id: p.card, set: {action: flag}, reason: cards are the subject}]\n"

Run = Callable[..., tuple[int, str]]


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("parent", PARENT), ("child", CHILD), ("relaxed", RELAXED)):
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.setenv("GUARDRAILS_CONSTITUTIONS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str]:
        status = main(list(arguments))
        return status, "".join(capsys.readouterr())

    return run


def test_equal_meaning_has_status_0_whatever_the_formatting(run: Run, folder: Path) -> None:
    (folder / "other.yaml").write_text("# a comment\ntitle: Another title\n" + CHILD)
    status, told = run("diff", "child", "other.yaml")
    assert status == 0
    assert "title: {+Another title+}" in told
    assert "the same meaning" in told
    assert json.loads(run("diff", "child", "other.yaml", "--json")[1])["same"]


def test_what_is_relaxed_is_told_first_and_with_its_reason(run: Run) -> None:
    status, told = run("diff", "child", "relaxed.yaml")
    assert status == 1
    lines = told.splitlines()
    assert lines[2].startswith("relaxed: ")
    assert lines[3] == "  - p.card: action.output: block → flag  (of parent@1.0.0)"
    assert lines[4] == "      child@1.0.0: cards are the subject"


def test_the_words_that_differ_are_marked(run: Run, folder: Path) -> None:
    (folder / "other.yaml").write_text(CHILD.replace("a doctor", "the clinician"))
    told = run("diff", "child", "other.yaml")[1]
    assert "c.dose: text: Leaves the dose to [-a-]{+the+} [-doctor-]{+clinician+}." in told


def test_texts_of_a_file_cannot_command_the_terminal(run: Run, folder: Path) -> None:
    text = CHILD.replace("a doctor.", "a doctor \\e[2J\\u202e.").replace("text: L", 'text: "L')
    (folder / "other.yaml").write_text(text.replace("\\u202e.", '\\u202e."'))
    told = run("diff", "child", "other.yaml")[1]
    assert "␛[2J‹U+202E›" in told
    assert "\x1b" not in told


def test_the_document_holds_all_of_it(run: Run) -> None:
    status, told = run("diff", "child", "relaxed.yaml", "--json")
    found = json.loads(told)
    assert (found["status"], status, found["same"]) == (1, 1, False)
    assert found["counts"]["relaxed"] == len(found["changes"]) > 0
    assert found["old"]["digest"] != found["new"]["digest"]
    change = found["changes"][0]
    assert (change["about"], change["key"]) == ("p.card", "action.output")
    assert (change["was"], change["now"], change["origin"]) == ("block", "flag", "parent@1.0.0")
    assert change["place"].endswith("parent.yaml:4")


def test_many_tests_are_counted_and_few_are_named(run: Run, folder: Path) -> None:
    def with_tests(number: int) -> str:
        rows = [f"  - {{name: t{n}, reply: x, expect: allow}}\n" for n in range(number)]
        return CHILD + "tests:\n" + "".join(rows)

    (folder / "few.yaml").write_text(with_tests(2))
    (folder / "many.yaml").write_text(with_tests(20))
    assert "tests: test 't1' added" in run("diff", "child", "few.yaml")[1]
    told = run("diff", "child", "many.yaml")[1]
    assert "tests: 20 added" in told
    assert "'t1'" not in told


def test_a_file_that_does_not_load_is_told_with_its_place(run: Run, folder: Path) -> None:
    (folder / "other.yaml").write_text(CHILD.replace("text:", "txt:"))
    status, told = run("diff", "child", "other.yaml")
    assert status == 2
    assert "other.yaml:6:5: principles[0].txt: unknown key" in told


@pytest.mark.parametrize("arguments", [["child"], ["child", "parent", "--git", "HEAD"]])
def test_two_things_are_compared(arguments: list[str], run: Run) -> None:
    status, told = run("diff", *arguments)
    assert status == 2
    assert "OLD and NEW" in told


# -- against a revision ----------------------------------------------------------------------------


@pytest.fixture
def history(folder: Path) -> Path:
    """A repository in which only the parent, beside the file, has changed since."""
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Begin")
    changed = PARENT.replace("    critics", "    action: escalate\n    critics")
    (folder / "parent.yaml").write_text(changed)
    return folder


def test_a_revision_has_the_parents_of_its_day(run: Run, history: Path) -> None:
    status, told = run("diff", "child", "--git", "HEAD")
    assert status == 1
    assert "p.card: action.output: block → escalate  (of parent@1.0.0)" in told
    assert run("diff", "child.yaml", "--git", "HEAD")[0] == 1
    git(history, "commit", "-qam", "Escalate")
    assert run("diff", "child", "--git", "HEAD")[0] == 0
    assert run("diff", "child", "--git", "HEAD~1")[0] == 1


def test_a_folder_below_the_repository_is_found(
    run: Run, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = history / "some" / "rules"
    below.mkdir(parents=True)
    for name in ("parent", "child"):
        (below / f"{name}.yaml").write_text((history / f"{name}.yaml").read_text())
    git(history, "add", ".")
    git(history, "commit", "-qm", "Move")
    (below / "child.yaml").write_text(RELAXED)
    monkeypatch.delenv("GUARDRAILS_CONSTITUTIONS")
    found = json.loads(run("diff", str(below / "child.yaml"), "--git", "HEAD", "--json")[1])
    assert found["old"]["file"] == "HEAD:child.yaml"
    assert {change["about"] for change in found["changes"]} == {"p.card"}


@pytest.mark.parametrize(
    ("revision", "told"),
    [("nowhere", "git: "), ("--output=x", "git: "), ("HEAD", "is not in revision 'HEAD'")],
    ids=["no such revision", "no option of git's", "the file is new"],
)
def test_what_git_cannot_tell_is_wrong_usage(
    revision: str, told: str, run: Run, history: Path
) -> None:
    (history / "fresh.yaml").write_text(CHILD)
    status, said = run("diff", "fresh.yaml", f"--git={revision}")
    assert (status, told in said) == (2, True), said
    assert not (history / "x").exists()


def test_a_folder_without_git_is_told(run: Run) -> None:
    status, told = run("diff", "child", "--git", "HEAD")
    assert status == 2
    assert "git: not a git repository" in told


def test_a_revision_that_does_not_load_names_itself(run: Run, history: Path) -> None:
    (history / "child.yaml").write_text(CHILD.replace("text:", "txt:"))
    git(history, "commit", "-qam", "Break")
    (history / "child.yaml").write_text(CHILD)
    status, told = run("diff", "child", "--git", "HEAD")
    assert status == 2
    assert "HEAD:child.yaml:6:5: principles[0].txt: unknown key" in told
