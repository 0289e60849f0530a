"""`constitution audit cost` tells what judging cost, and what nobody knows."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from guardrails.audit import costs as audit_costs
from guardrails.audit.costs import Cost
from guardrails.audit.record import Opened
from guardrails.audit.trail import open_trail
from guardrails.cli import main
from guardrails.cli.audit_commands import CostsBy
from guardrails.cli.costs import money
from guardrails.settings import Settings

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def trail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "audit.db"
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(file))
    monkeypatch.chdir(tmp_path)
    asyncio.run(_write(file, 60))
    return file


async def _write(file: Path, tenants: int) -> None:
    made = open_trail(Settings(audit=str(file)))
    for n in range(tenants):
        await made.open(
            Opened.model_validate(
                {
                    "record_id": f"r{n}",
                    "at": NOW,
                    "stage": "output",
                    "verdict": "block" if n % 2 else "allow",
                    "cause": "policy" if n % 2 else None,
                    "constitution": {"id": "medical", "version": "1.0.0", "digest": "sha256:0"},
                    "tenant": f"t{n}\x1b[31m",
                    "usage": {
                        "calls": 1,
                        "input_tokens": 1_000 + n,
                        "output_tokens": 20,
                        "cost_usd": None if n == 5 else 0.001,
                    },
                    "judged_digest": "hmac-sha256:" + "0" * 64,
                }
            )
        )
    await made.aclose()


def test_the_by_of_the_command_is_the_by_of_the_report() -> None:
    assert get_args(CostsBy) == audit_costs.BY


def test_a_table_for_people(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "cost"]) == 0
    told = capsys.readouterr().out
    assert "and 10 more" in told
    assert "> $0.059000" in told
    assert "the cost of 1 is not known" in told
    assert "\x1b[31m" not in told
    assert main(["audit", "cost", str(trail), "--by", "day"]) == 0
    assert "2026-11-25" in capsys.readouterr().out


def test_a_document_for_programs(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "cost", "--by", "constitution", "--since", "2026-11-01", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["since"] == "2026-11-01T00:00:00Z"
    (line,) = told["lines"]
    assert line["key"] == "medical 1.0.0"
    assert (line["decisions"], line["stopped"], line["cost"]["unknown"]) == (60, 30, 1)
    assert line["cost"]["cost_usd"] == pytest.approx(0.059)
    assert told["total"]["cost"] == line["cost"]


def test_nothing_is_told_as_nothing(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "cost", "--since", "2030-01-01"]) == 0
    assert "no records since 2030-01-01T00:00:00Z" in capsys.readouterr().out


@pytest.mark.parametrize("said", ["yesterday", "7y", "2026-13-01", "", "1e3h"])
def test_a_moment_that_is_none_is_wrong_usage(
    said: str, trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "cost", "--since", said]) == 2
    assert "is no moment" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        (Cost(), "$0.000000"),
        (Cost(cost_usd=1e-9), "< $0.000001"),
        (Cost(cost_usd=0.25), "$0.250000"),
        (Cost(cost_usd=1234.5), "$1,234.50"),
        (Cost(unknown=3), "unknown"),
        (Cost(cost_usd=2.5, unknown=1), "> $2.50"),
    ],
)
def test_money(cost: Cost, told: str) -> None:
    assert money(cost) == told
