"""`constitution explain` draws what a constitution makes of a text, and tells it to programs."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guardrails.cli import main

HOUSE = r"""
id: house
version: 1.0.0
principles:
  - id: h.card
    text: Names no card.
    breach: Says a number.
    action: block
    critics: [{pattern: {breach: ['\bcard \d{4}\b']}}, judge]
    examples: {breach: [The card is 1234.], fine: ["A card \e[2J."]}
  - {id: h.kind, text: Is kind., applies: {audience: [child]}}
"""

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "house.yaml").write_text(HOUSE)
    monkeypatch.setenv("GUARDRAILS_CONSTITUTIONS", str(tmp_path))
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(tmp_path / "audit.db"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        status = main(["explain", *arguments])
        return status, "".join(capsys.readouterr())

    return run


def test_who_saw_what_is_drawn(run: Run, tmp_path: Path) -> None:
    status, told = run("My ca\u00adrd 1234.", "-c", "house")
    flat = " ".join(told.split())
    unbroken = "".join(told.split())  # a long path goes over several lines
    assert status == 0
    assert "normalised: My card 1234." in flat
    assert r"breach h.card matches \bcard \d{4}\b" in flat
    assert "My ⟦ca‹U+00AD›rd 1234⟧." in flat
    assert f"breach\\bcard\\d{{4}}\\b{tmp_path}/house.yaml:9" in unbroken
    assert "h.card breached by pattern" in flat
    assert "BLOCK policy" in flat
    assert not (tmp_path / "audit.db").exists()


def test_what_a_judge_would_be_asked_is_drawn(run: Run) -> None:
    told = " ".join(run("Hello.", "-c", "house")[1].split())
    assert "A judge would be asked about 2 of them, in this order h.card Names no card." in told
    assert "breach: Says a number. breaches: The card is 1234. is fine: A card ␛[2J." in told
    assert "not judged offline: h.card, h.kind" in told


def test_the_caller_and_the_stage_are_given(run: Run) -> None:
    told = run("Hello.", "-c", "house", "--attribute", "audience=adult")[1]
    assert "h.kind  not for this caller" in told
    document = json.loads(run("Hello.", "-c", "house", "--stage", "input", "--json")[1])
    assert (document["stage"], document["principles"]) == ("input", [])


def test_the_document_holds_all_of_it(run: Run) -> None:
    status, told = run("My card 1234.", "-c", "house", "--prompt", "Which?", "--json")
    found = json.loads(told)
    assert (status, found["status"], found["decision"]["verdict"]) == (0, 0, "block")
    (note,) = found["heard"][0]["notes"]
    assert (note["part"], note["span"]) == (1, [3, 12])
    assert note["because"][0]["place"].endswith("house.yaml:9")
    assert {one["principle"]: one["state"] for one in found["principles"]}["h.card"] == "breach"


def test_a_file_or_standard_input_is_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_text("My card 1234.")
    assert "h.card  breached" in run("-c", "house", "--file", "text")[1]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"My card 1234.")))
    assert "h.card  breached" in run("-", "-c", "house")[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-c", "house"], "give one of TEXT"),
        (["a", "--file", "b", "-c", "house"], "give one of TEXT"),
        (["a", "-c", "hose"], "did you mean 'house'?"),
        (["--file", "nowhere", "-c", "house"], "'nowhere' cannot be read"),
        (["a", "-c", "house", "--attribute", "x"], "KEY=VALUE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_told(arguments: list[str], told: str, run: Run) -> None:
    status, said = run(*arguments)
    assert (status, told in said) == (2, True), said
