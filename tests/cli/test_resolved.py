"""`constitution show` tells what is enforced and where each rule came from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from guardrails.cli import main
from guardrails.cli.resolved import _flow

PARENT = r"""
schema: 1
id: parent
version: 1.0.0
principles:
  - id: p.card
    text: Names no card.
    action: block
    critics: [{pattern: {breach: ['\bcard \d{4}\b']}}]
    examples: {breach: [card 1234], fine: [a card]}
pii: {output: {EMAIL_ADDRESS: redact}, keep: [help@x.example]}
"""
CHILD = r"""
schema: 1
id: child
version: 2.1.0
title: "A child \e[2J"
extends: [parent@^1]
relax:
  - {id: p.card, set: {action: flag}, reason: cards are the subject here}
principles:
  - id: c.dose
    text: Leaves the dose to a doctor.
    severity: high
    action: revise
    critics: [{pattern: {breach: ['\btake \d+ mg\b']}}, judge]
    remedy: {replace_sentence: Please ask a doctor.}
    examples: {breach: [take 80 mg], fine: [the dose]}
"""

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name, text in (("parent", PARENT), ("child", CHILD)):
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.setenv("GUARDRAILS_CONSTITUTIONS", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        status = main(list(arguments))
        return status, "".join(capsys.readouterr())

    return run


def test_what_came_from_where_is_told(run: Run) -> None:
    status, told = run("show", "child")
    flat = " ".join(told.split())
    assert status == 0
    assert "extends parent@1.0.0" in flat
    assert "from parent@1.0.0" in flat
    assert "from child@2.1.0" in flat
    assert "flag at output" in flat
    assert "relax p.card by child@2.1.0, action: flag: cards are the subject here" in flat
    assert "kept as they are: help@x.example" in flat


def test_patterns_have_their_widths(run: Run) -> None:
    assert r"\bcard \d{4}\b (width 9)" in " ".join(run("show", "parent")[1].split())
    patterns = json.loads(run("show", "parent", "--json")[1])["patterns"]
    assert patterns == [
        {"principle": "p.card", "list": "breach", "source": r"\bcard \d{4}\b", "width": 9}
    ]


def test_rules_for_tools_are_told(run: Run, tmp_path: Path) -> None:
    rule = "arguments: {to: {match: '[a-z]+', required: true}, body: {}}, additional: false"
    file = tmp_path / "desk.yaml"
    file.write_text(
        "id: desk\nversion: 1.0.0\nprinciples: []\n"
        f"tools: {{allow: [send], rules: {{send: {{{rule}, never_from: [web]}}}}}}\n"
    )
    status, told = run("show", str(file))
    assert status == 0
    for line in ("to: match: ['[a-z]+'], required: true", "body: any", "never from  web"):
        assert line in told


def test_a_file_is_shown_as_well_as_a_name(run: Run, tmp_path: Path) -> None:
    by_name = json.loads(run("show", "child", "--json")[1])
    by_file = json.loads(run("show", str(tmp_path / "child.yaml"), "--json")[1])
    assert by_name["digest"] == by_file["digest"]
    assert by_name["digest"].startswith("sha256:")


def test_texts_of_a_file_cannot_command_the_terminal(run: Run) -> None:
    assert "A child ␛[2J" in run("show", "child")[1]


def test_a_broken_file_is_told_with_its_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "child.yaml").write_text(CHILD.replace("severity:", "sevrity:"))
    status, told = run("show", "child")
    assert status == 2
    assert "child.yaml:12:5: principles[0].sevrity: unknown key" in told
    error = json.loads(run("show", "child", "--json")[1])["error"]
    assert (error["kind"], error["problems"][0]["line"]) == ("constitution", 12)


def test_an_unknown_name_is_wrong_usage(run: Run) -> None:
    status, told = run("show", "chold")
    assert status == 2
    assert "child" in told


def test_the_schema_is_one_document(run: Run) -> None:
    status, told = run("schema")
    assert status == 0
    assert "$schema" in json.loads(told)


def test_where_exchanges_start_is_told(run: Run, tmp_path: Path) -> None:
    routing = (
        "judge: {cascade: [small, large], routing: {start: [{severity: high, look: true, "
        "role: large}, {min_chars: 20000, role: large}, {role: small}], confirm: breach, "
        "audit_share: 0.05, reversals: {share: 0.2}}}\n"
    )
    (tmp_path / "child.yaml").write_text(CHILD.replace("extends:", f"{routing}extends:"))
    told = " ".join(run("show", "child")[1].split())
    for line in (
        "large: high or graver, after a look",
        "large: from 20,000 characters on",
        "small: else",
        "a breach is put to the next role, too",
        "0.05 of what passes is put to the next role, too",
        "a role is passed over if 0.2 of 20 or more checked words were contradicted",
    ):
        assert line in told
    document = json.loads(run("show", "child", "--json")[1])
    assert document["judging"]["routing"]["start"][0]["severity"] == "high"


def test_values_are_shown_as_they_could_stand_in_a_file() -> None:
    shown = {
        "[\\bx, '*.example.com']": ["\\bx", "*.example.com"],
        "{image: flag}": {"image": "flag"},
        "true": True,
        "5": 5.0,
        "0.5": 0.5,
        "x": "x",
    }
    assert [_flow(value) for value in shown.values()] == [*shown]


def test_what_follows_from_attachments_is_shown_though_nobody_said_it(run: Run) -> None:
    told = run("show", "parent")[1]
    assert "attachments  block image, audio, file at output\n" in told
    file = Path("parent.yaml")
    file.write_text(PARENT + "attachments: {output: {image: flag}, retrieval: block}\n")
    told = " ".join(run("show", "parent")[1].split())
    assert "attachments flag image at output (let through, unread)" in told
    assert "block audio, file at output block image, audio, file at retrieval" in told
