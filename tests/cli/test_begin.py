"""`constitution new` writes what works, asks only on a terminal, and overwrites nothing."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guardrails.cli import main

Run = Callable[..., tuple[int, str]]


class Terminal(io.StringIO):
    """What somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.delenv("GUARDRAILS_CONSTITUTIONS", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, typed: str | None = None) -> tuple[int, str]:
        stream = io.StringIO() if typed is None else Terminal(typed)
        monkeypatch.setattr(sys, "stdin", stream)
        status = main(list(arguments))
        return status, "".join(capsys.readouterr())

    return run


def test_what_it_writes_can_be_used_at_once(run: Run, tmp_path: Path) -> None:
    status, told = run("new", "help-desk", "--yes")
    assert status == 0
    assert "wrote help-desk.yaml" in told
    first, *_ = (tmp_path / "help-desk.yaml").read_text().splitlines()
    assert first == "# yaml-language-server: $schema=constitution.schema.json"
    assert (
        json.loads((tmp_path / "constitution.schema.json").read_text())["title"] == "Constitution"
    )
    assert "0 error  0 advice" in run("lint", "help-desk.yaml")[1]
    status, told = run("test", "help-desk.yaml", "--strict")
    assert (status, "5 passed  0 failed  0 not judged" in told) == (0, True)


def test_options_say_what_it_holds(run: Run, tmp_path: Path) -> None:
    status, told = run(
        "new", "desk", "--title", 'The "desk": 2', "--owner", "team", "--extends", "medical",
        "--extends", "none", "--language", "de", "--stage", "input", "--into", "rules/", "--json",
    )  # fmt: skip
    document = json.loads(told)
    assert (status, document["file"]) == (0, "rules/desk.yaml")
    shown = json.loads(run("show", "rules/desk.yaml", "--json")[1])
    assert (shown["title"], shown["owner"]) == ('The "desk": 2', "team")
    assert shown["languages"] == ["de"]
    assert {parent.partition("@")[0] for parent in shown["parents"]} == {"base", "medical"}
    assert shown["digest"] == document["digest"]


def test_no_parent_is_a_choice(run: Run) -> None:
    run("new", "desk", "--extends", "none", "--yes")
    assert json.loads(run("show", "desk.yaml", "--json")[1])["parents"] == []


def test_on_a_terminal_it_asks_for_the_rest(run: Run) -> None:
    status, told = run("new", "desk", "--owner", "team", typed="My desk\n\nen, de\ninput output\n")
    assert status == 0, told
    assert "Title, for people [Desk]: " in told
    assert "Owner" not in told
    shown = json.loads(run("show", "desk.yaml", "--json")[1])
    assert (shown["title"], shown["languages"]) == ("My desk", ["en", "de"])
    stages = {stage for p in shown["principles"] for stage in p["stages"] if "desk" in p["id"]}
    assert stages == {"input", "output"}


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("My desk\n", "without an answer; give options, or say --yes"),
        ("\n\n\n\noutptu\n", "'outptu' is no stage; did you mean 'output'?"),
        ("\n\nbse\n", "did you mean 'base'?"),
        ("\n\n\nEnglish\n\n", "languages[0]: expected a language tag"),
    ],
    ids=["the input ends", "no such stage", "no such parent", "no language"],
)
def test_an_answer_that_cannot_be_is_refused(
    typed: str, told: str, run: Run, tmp_path: Path
) -> None:
    status, said = run("new", "desk", typed=typed)
    assert (status, told in said) == (2, True), said
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unless_that_is_said(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "desk.yaml"
    file.write_text("mine")
    (tmp_path / "constitution.schema.json").write_text("mine")
    status, told = run("new", "desk", "--yes")
    assert (status, file.read_text()) == (2, "mine")
    assert "'desk.yaml' is there already; choose another name, or say --force" in told
    assert run("new", "desk", "--yes", "--force")[0] == 0
    assert file.read_text() != "mine"
    assert (tmp_path / "constitution.schema.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["Help Desk"], "did you mean 'help-desk'?"),
        (["../escape"], "did you mean 'escape'?"),
        (["budget"], "is a word of the format itself, as 'customer-service'"),
        (["desk", "--into", "other.yaml"], "name the folder, or that file"),
        (["desk", "--stage", "outptu"], "--stage"),
        (["desk", "--extends", "bse"], "did you mean 'base'?"),
        (["desk", "--extends", "desk"], "unknown constitution"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_wish_is_refused_with_what_was_meant(
    arguments: list[str], told: str, run: Run, tmp_path: Path
) -> None:
    status, said = run("new", *arguments, "--yes")
    assert (status, told in said) == (2, True), said
    assert list(tmp_path.iterdir()) == []
    assert json.loads(run("new", *arguments, "--json")[1])["status"] == 2


def test_the_file_itself_can_be_named(run: Run, tmp_path: Path) -> None:
    assert run("new", "desk", "--yes", "--into", "some/desk.yaml")[0] == 0
    assert (tmp_path / "some" / "desk.yaml").is_file()


def test_the_folder_of_the_settings_is_where_it_goes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDRAILS_CONSTITUTIONS", str(tmp_path / "house"))
    assert run("new", "desk", "--yes")[0] == 0
    assert (tmp_path / "house" / "desk.yaml").is_file()
    assert run("test", "desk")[0] == 0


def test_a_place_that_cannot_be_written_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, told = run("new", "desk", "--yes", "--into", "file/below")
    assert (status, "cannot be written" in told) == (2, True)
