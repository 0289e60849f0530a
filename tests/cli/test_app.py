"""What is typed wrongly, interrupted or cut off ends as the design says."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from guardrails.cli import main
from guardrails.cli.app import app
from guardrails.errors import ConstitutionError, Problem

WRONG = [
    pytest.param(["nonsense"], "No such command 'nonsense'", id="no such command"),
    pytest.param(["check", "hello"], "Missing option '--constitution'", id="no constitution"),
    pytest.param(["check", "-c", "base"], "give one of TEXT", id="nothing to check"),
    pytest.param(["check", "a", "--file", "b", "-c", "base"], "give one of TEXT", id="two texts"),
    pytest.param(["check", "a", "-c", "base", "--stage", "out"], "--stage", id="no such stage"),
    pytest.param(["check", "a", "-c", "base", "--attribute", "x"], "KEY=VALUE", id="attribute"),
    pytest.param(
        ["check", "--jsonl", "a", "--prompt", "b", "-c", "base"], "--prompt", id="prompt for rows"
    ),
    pytest.param(["audit", "tail", "-n", "0"], "--number", id="no records"),
    pytest.param(["show"], "Missing argument 'NAME'", id="no name"),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG)
def test_wrong_usage_has_status_2_and_says_where_to_read(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert not out
    assert told in err
    assert "--help" in err


@pytest.mark.parametrize(("arguments", "told"), WRONG)
def test_wrong_usage_is_a_document_when_json_is_asked_for(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--json"]) == 2
    out, err = capsys.readouterr()
    assert not err
    document = json.loads(out)
    assert (document["status"], document["error"]["kind"]) == (2, "usage")
    assert told in document["error"]["message"]


def test_no_command_prints_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "check" in "".join(capsys.readouterr())


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["audit", "--help"]])
def test_help_has_status_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert "Usage" in capsys.readouterr().out


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.count(".") == 2


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command `demo` raise."""

    def demo() -> None:
        raise error

    (command,) = (known for known in app.registered_commands if known.callback.__name__ == "demo")
    monkeypatch.setattr(command, "callback", demo)


def test_an_interrupt_has_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(KeyboardInterrupt(), monkeypatch)
    assert main(["demo"]) == 130


def test_a_closed_pipe_ends_quietly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    raising(BrokenPipeError(), monkeypatch)
    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert main(["demo"]) == 141
        print("goes nowhere", flush=True)
    assert not (tmp_path / "out").read_text()


def test_every_problem_of_a_constitution_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = [
        Problem(file="a.yaml", line=3, column=5, where="id", what="unknown\x1b[31m", hint="try x"),
        Problem(file="a.yaml", line=9, what="missing"),
    ]
    raising(ConstitutionError(problems), monkeypatch)
    assert main(["demo"]) == 2
    assert "a.yaml:3:5: id: unknown␛[31m; try x\na.yaml:9:1: missing" in capsys.readouterr().err


def test_a_narrow_character_set_shows_escapes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", out)
    assert main(["nonsense-é"]) == 2
    out.flush()
    assert b"nonsense-\\xe9" in out.buffer.getvalue()  # type: ignore[attr-defined]
