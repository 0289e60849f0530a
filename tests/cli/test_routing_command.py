"""`constitution audit routing` tells what each role did, from records that a guard wrote."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from guardrails.cli import main
from guardrails.cli.reading import InputError
from guardrails.cli.since import moment
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import FakeProvider
from guardrails.testing.provider import ProviderRequest

CANARY = "canary-31c7"
HOUSE = r"""
schema: 1
id: house
version: 1.0.0
judge:
  cascade: [small, large]
  routing: {start: [{look: true, role: large}], confirm: breach}
cache: {ttl_s: 0}
principles:
  - {id: house.kind, text: Is kind., critics: [judge]}
  - {id: house.calm, text: Is calm., critics: [{pattern: {look: [furious]}}, judge]}
"""
PRICES = {
    "fake/small": {"input_per_million_usd": 1, "output_per_million_usd": 5},
    "fake/large": {"input_per_million_usd": 10, "output_per_million_usd": 50},
}


def answer(request: ProviderRequest) -> Any:
    """`small` is unsure of what is odd and takes what is bad for a breach; `large` passes all."""
    ids = re.findall(r"^- (\S+)$", request.text.rpartition("exactly once:\n")[2], re.MULTILINE)
    verdict, quote = "pass", ""
    if request.model == "small" and "odd" in request.text:
        verdict = "undecided"
    elif request.model == "small" and "bad" in request.text:
        verdict, quote = "breach", "bad"
    rest = [{"id": id, "reason": "So.", "quote": "", "verdict": "pass"} for id in ids[1:]]
    first = {"id": ids[0], "reason": "So.", "quote": quote, "verdict": verdict}
    return {"verdicts": [first, *rest]}


async def judged(folder: Path, texts: list[str], *, offline: bool = False, **more: Any) -> None:
    (folder / "house.yaml").write_text(HOUSE)
    async with FakeProvider(answer) as provider:
        settings = Settings(
            **{
                "audit": str(folder / "audit.db"),
                "models": {"small": "fake/small", "large": "fake/large"},
                "providers": {"fake": {"kind": "anthropic", "base_url": provider.url}},
                "prices": PRICES,
            }
            | more
        )
        async with Guard.load(folder / "house.yaml", settings=settings, offline=offline) as guard:
            for text in texts:
                await guard.check_output(f"{CANARY} {text}")


@pytest.fixture
def trail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "audit.db"
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(file))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    return file


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str]:
        status = main(["audit", *arguments])
        told = "".join(capsys.readouterr())
        assert CANARY not in told
        return status, told

    return run


def test_each_role_is_told_with_its_calls_share_reversals_and_cost(trail: Path, run: Run) -> None:
    asyncio.run(judged(trail.parent, ["fine"] * 6 + ["odd", "bad", "bad", "furious"]))
    status, told = run("routing")
    assert status == 0
    small, large = (" ".join(line.split()) for line in told.splitlines() if " fake/" in line[:15])
    assert small.startswith("small fake/small 9 17 of 18 (94.4%) 2 of 2 (100.0%)")
    assert large.startswith("large fake/large 4 5 of 5 (100.0%) - ")
    words = " ".join(told.split())
    assert "10 decisions, 10 put to the judge" in words
    assert "small no rule held 9 large rule 1, house.calm 1" in words
    assert "house.kind small → large 1 0 2 0" in words
    assert "(large: fake/large; estimated from the tokens of each first question)" in words

    document = json.loads(run("routing", "--json")[1])
    first, second = document["roles"]
    assert (first["share_settled"], first["share_reversed"]) == (pytest.approx(17 / 18), 1.0)
    assert second["share_reversed"] is None
    assert document["cost_usd"] == pytest.approx(first["cost_usd"] + second["cost_usd"])
    starts = {start["role"]: start for start in document["starts"]}
    assert starts["small"]["always_last_usd"] == pytest.approx(10 * first["cost_usd"])
    assert document["always_last_usd"] == pytest.approx(
        sum(start["always_last_usd"] for start in document["starts"])
    )
    assert run("verify")[0] == 0


def test_an_unknown_price_is_told_so_and_adds_up_to_nothing_known(trail: Path, run: Run) -> None:
    prices = {"fake/small": PRICES["fake/small"]}
    asyncio.run(judged(trail.parent, ["fine", "odd"], prices=prices))
    words = " ".join(run("routing")[1].split())
    assert "cost of the judge unknown (no price for fake/large)" in words
    assert "always the last unknown (large: fake/large" in words
    document = json.loads(run("routing", "--json")[1])
    assert (document["cost_usd"], document["always_last_usd"]) == (None, None)
    assert document["roles"][0]["cost_usd"] > 0


def test_only_what_is_newer_and_of_one_constitution(trail: Path, run: Run) -> None:
    asyncio.run(judged(trail.parent, ["fine"]))
    assert "1 decisions since" in run("routing", "--since", "5m")[1]
    assert "0 decisions since" in run("routing", "--since", "9999-01-01")[1]
    assert "1 decisions," in run("routing", "-c", "house")[1]
    assert "0 decisions," in run("routing", str(trail), "-c", "medical")[1]


def test_one_record_tells_where_it_began_and_what_was_handed_on(trail: Path, run: Run) -> None:
    asyncio.run(judged(trail.parent, ["bad"]))
    (record,) = json.loads(run("tail", "--json")[1])["records"]
    told = run("show", record["record_id"])[1]
    assert "the judge began at small: no rule held" in told
    assert "small (fake/small), calls 1, settled 2 of 2, reversed 1 of 1 checked, $" in told
    assert "house.kind: small → large, reversed" in told


def test_a_trail_without_a_judge_is_no_error(trail: Path, run: Run) -> None:
    asyncio.run(judged(trail.parent, ["fine"], offline=True))
    status, told = run("routing")
    assert (status, "1 decisions, 0 put to the judge" in told) == (0, True)
    assert json.loads(run("routing", "--json")[1])["roles"] == []


NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("24h", NOW - timedelta(days=1)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(days=14)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T09:30", datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ("2026-11-24T09:30+01:00", datetime(2026, 11, 24, 8, 30, tzinfo=UTC)),
    ],
)
def test_moments_are_ago_or_dates(text: str, found: datetime) -> None:
    assert moment(text, now=NOW) == found


@pytest.mark.parametrize(
    "text",
    ["", "7", "7y", "-7d", "٧d", "999999w", "yesterday", "2026-13-01", "0001-01-01T00+14:00"],
)
def test_what_is_no_moment_is_named(text: str, run: Run) -> None:
    with pytest.raises(InputError, match="is no moment: expected so long ago, as 7d"):
        moment(text, now=NOW)
    status, told = run("routing", f"--since={text}")
    assert (status, "is no moment" in told) == (2, True)
