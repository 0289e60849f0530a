"""Escalated cases are listed, shown and decided over the record, and the record still verifies."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from guardrails.audit.verify import verify
from guardrails.cli import main
from guardrails.errors import GovernanceError
from guardrails.guard import Guard
from guardrails.review.cases import case, cases, decide_case
from guardrails.settings import Settings

CONSTITUTION = """
schema: 1
id: house
version: 1.0.0
principles:
  - {id: house.case, text: Is for a person., action: escalate, stages: [input, output],
     critics: [pattern: {breach: [help me]}]}
  - {id: house.secret, text: Keeps it., action: redact, critics: [pattern: {breach: [secret]}]}
pii: {output: {EMAIL_ADDRESS: flag}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(audit=str(tmp_path / "audit.db"), audit_anchor=tmp_path / "anchor")


@pytest.fixture
def trail(settings: Settings, tmp_path: Path) -> Path:
    """A trail with two cases and an ordinary record."""
    file = tmp_path / "house.yaml"
    file.write_text(CONSTITUTION)

    async def fill() -> None:
        async with Guard.load(file, settings=settings) as guard:
            await guard.check_output("Please help me, the secret is at ann@example.com.")
            await guard.check_output("All is well.")
            await guard.check_input("help me")

    asyncio.run(fill())
    assert settings.audit_file is not None
    return settings.audit_file


def decide(trail: Path, settings: Settings, record: str, outcome: Any = "accept") -> None:
    said = decide_case(trail, record, outcome, by="Ines", reason="as agreed", settings=settings)
    asyncio.run(said)


def ids(trail: Path, *, all_cases: bool = False) -> list[str]:
    found = cases(trail, number=10, undecided_only=not all_cases)
    return [one.record_id for one in found]


def test_only_escalated_records_are_cases(trail: Path) -> None:
    found = cases(trail, number=10, undecided_only=True)
    assert [str(one.opened.stage) for one in found if one.opened] == ["output", "input"]


def test_a_case_keeps_its_text_without_secrets_and_personal_data(trail: Path) -> None:
    opened = case(trail, ids(trail)[0]).opened
    assert opened is not None
    assert opened.redacted_text == "Please help me, the [house.secret] is at [EMAIL_ADDRESS]."


def test_a_setting_keeps_the_text_of_cases_out(tmp_path: Path) -> None:
    file = tmp_path / "house.yaml"
    file.write_text(CONSTITUTION)
    audit = tmp_path / "other.db"
    settings = Settings(audit=str(audit), audit_escalated="digest")

    async def fill() -> None:
        async with Guard.load(file, settings=settings) as guard:
            await guard.check_input("help me")

    asyncio.run(fill())
    opened = case(audit, ids(audit)[0]).opened
    assert opened is not None
    assert opened.redacted_text is None


def test_a_decided_case_waits_no_longer(trail: Path, settings: Settings) -> None:
    first, second = ids(trail)
    decide(trail, settings, first)
    assert ids(trail) == [second]
    assert ids(trail, all_cases=True) == [first, second]


def test_a_later_outcome_stands_beside_the_earlier(trail: Path, settings: Settings) -> None:
    first, _ = ids(trail)
    decide(trail, settings, first, "accept")
    decide(trail, settings, first, "overrule")
    found = case(trail, first)
    assert [(said.outcome, said.by) for said in found.outcomes] == [
        ("accept", "Ines"),
        ("overrule", "Ines"),
    ]


def test_promise_1_outcomes_are_in_the_chain(trail: Path, settings: Settings) -> None:
    decide(trail, settings, ids(trail)[0])
    report = verify(trail, key=settings.key_path, anchor=settings.audit_anchor)
    assert (report.ok, report.entries, report.records) == (True, 7, 3)


@pytest.mark.parametrize("record", ["nowhere", "", "\ud800", "x" * 10_000])
def test_what_is_no_record_cannot_be_decided(trail: Path, settings: Settings, record: str) -> None:
    with pytest.raises(GovernanceError, match="no record"):
        decide(trail, settings, record)


def test_what_was_not_escalated_cannot_be_decided(trail: Path, settings: Settings) -> None:
    told = json.loads(_told(trail, "audit", "tail", "-n", "3"))
    (ordinary,) = [
        one["record_id"] for one in told["records"] if one["opened"]["verdict"] == "allow"
    ]
    with pytest.raises(GovernanceError, match="was not escalated"):
        decide(trail, settings, ordinary)


@pytest.mark.parametrize(
    ("by", "reason", "named"),
    [
        ("", "x", "by"),
        ("Ines", " ", "reason"),
        ("I" * 201, "x", "by"),
        ("I", "x" * 2_001, "reason"),
    ],
    ids=["no name", "no reason", "long name", "long reason"],
)
def test_a_person_and_a_reason_must_be_given(
    trail: Path, settings: Settings, by: str, reason: str, named: str
) -> None:
    with pytest.raises(GovernanceError, match=named):
        asyncio.run(
            decide_case(trail, ids(trail)[0], "accept", by=by, reason=reason, settings=settings)
        )


Capture = pytest.CaptureFixture[str]


def _told(trail: Path, *words: str) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        assert main([*words, str(trail), "--json"]) == 0
    return out.getvalue()


def test_the_command_lists_shows_and_decides(trail: Path, capsys: Capture) -> None:
    first, second = ids(trail)
    assert main(["review", "list", str(trail)]) == 0
    told = capsys.readouterr().out
    assert first in told
    assert second in told
    said = ["--reason", "a bath", "--by", "Ines"]
    assert main(["review", "overrule", first, str(trail), *said]) == 0
    assert "overruled by Ines" in capsys.readouterr().out
    assert main(["review", "show", first, str(trail)]) == 0
    assert "overrule by Ines" in capsys.readouterr().out
    assert main(["review", "list", str(trail)]) == 0
    assert first not in capsys.readouterr().out
    assert json.loads(_told(trail, "review", "list"))["cases"][0]["record_id"] == second


@pytest.mark.parametrize("command", ["show", "accept", "overrule"])
def test_a_wrong_case_is_wrong_usage(command: str, trail: Path, capsys: Capture) -> None:
    reason = [] if command == "show" else ["--reason", "x"]
    assert main(["review", command, "nowhere", str(trail), *reason]) == 2
    assert "there is no record 'nowhere'" in capsys.readouterr().err
