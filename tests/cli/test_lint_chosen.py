"""`constitution lint --select --ignore`: advice by its codes; errors are always told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.authoring.chosen import Chosen
from guardrails.authoring.codes import CODES, LintFinding
from guardrails.cli import main
from guardrails.errors import SettingsError

WEAK = """id: weak
version: 1.0.0
principles:
  - {id: a.b, text: Usually is kind., critics: [judge]}
tools: {allow: [x, "x*"]}   # lint: ignore L807
"""
"""Advice: L101, L106, L201, L601, L807. An error: L901."""

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "weak.yaml").write_text(WEAK)
    (tmp_path / "mild.yaml").write_text(
        WEAK.replace("   # lint: ignore L807", "").replace("weak", "mild")
    )
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        status = main(["lint", *arguments])
        return status, "".join(capsys.readouterr())

    return run


def codes(told: str) -> set[str]:
    return set(re.findall(r"(L\d{3}) (?:error|advice):", told))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("", "L101 L106 L201 L601 L807"),
        ("--select L1", "L101 L106"),
        ("--select L1,L6", "L101 L106 L601"),
        ("--select L1 --select l601", "L101 L106 L601"),
        ("--ignore L1", "L201 L601 L807"),
        ("--ignore L106,L2, --ignore L601", "L101 L807"),
        ("--select L1 --ignore L106", "L101"),
        ("--select L106 --ignore L1", "L106"),
        ("--select L1 --ignore L1", ""),
        ("--ignore L", ""),
        ("--ignore L8", "L101 L106 L201 L601"),
    ],
)
def test_advice_is_told_by_its_code_and_errors_always(options: str, found: str, run: Run) -> None:
    status, told = run("mild.yaml", *options.split())
    assert (status, codes(told)) == (0, set(found.split()))
    assert ("left out" in told) is (options != "")
    status, told = run("weak.yaml", *options.split())
    assert (status, codes(told)) == (1, {*found.split(), "L901"})


def test_only_advice_that_is_asked_for_fails_when_strict(run: Run) -> None:
    assert run("mild.yaml", "--strict", "--select", "L1")[0] == 1
    assert run("mild.yaml", "--strict", "--select", "L7")[0] == 0
    assert run("mild.yaml", "--strict", "--ignore", "L")[0] == 0
    assert run("weak.yaml", "--strict", "--ignore", "L")[0] == 1


def test_what_was_left_out_is_counted(run: Run) -> None:
    assert "mild 1.0.0  0 error  1 advice  4 left out" in run("mild.yaml", "--select", "L2")[1]
    told = json.loads(run("mild.yaml", "--select", "L2", "--json")[1])
    assert told["constitutions"][0]["left_out"] == 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--ignore L810", "--ignore: no code begins with 'L810'; did you mean L801 or L802 or"),
        ("--select L999", "did you mean L901 or L902 or L903?"),
        ("--select F401", "no code begins with 'F401'; did you mean L401?"),
        ("--select style", "codes are L101 to L903, or what they begin with: L1"),
        ("--select ,", "no code begins with ''"),
        ("--ignore L801", "L801 is an error, which is always told; mend what it finds, or say why"),
        ("--ignore L901", "L901 is an error, which is always told; mend what it finds\n"),
        ("--select L1,X1 --ignore X2", "--select: no code begins with 'X1'"),
    ],
)
def test_a_code_that_is_none_is_wrong_usage(options: str, told: str, run: Run) -> None:
    status, said = run("mild.yaml", *options.split())
    assert status == 2
    assert told in said
    assert "0 error" not in said  # nothing was linted


def test_all_unknown_codes_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        Chosen.of(["X1", "L1"], ["X2", "L801"])
    assert str(raised.value).count("\n") == 2
    with pytest.raises(SettingsError) as raised:
        Chosen.of(["x" * 10_000], [])
    assert len(str(raised.value)) < 200


@given(st.lists(st.sampled_from([*CODES, "L", "L1", "L2", "L8", "L80"])), st.data())
def test_no_choice_hides_an_error(select: list[str], data: st.DataObject) -> None:
    ignore = data.draw(st.lists(st.sampled_from(["L", "L1", "L2", "L20", "L8", "L80", "L806"])))
    chosen = Chosen.of(select, ignore)
    for code in CODES.values():
        finding = LintFinding(
            code=code.id,
            level=code.level,
            file="f",
            line=1,
            column=1,
            where="",
            message="",
            hint="",
        )
        assert chosen.has(finding) or code.level == "advice"
