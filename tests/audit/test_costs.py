"""What judging cost is added up from the record; what nobody knows stays unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from guardrails.audit.costs import BY, REST, REST_OF_ROLES, By, costs
from guardrails.audit.record import Opened
from guardrails.audit.trail import open_trail
from guardrails.settings import Settings

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def record(n: int, **more: Any) -> Opened:
    return Opened.model_validate(
        {
            "record_id": f"r{n}",
            "at": AT + timedelta(days=n),
            "stage": "output",
            "verdict": "allow",
            "constitution": {"id": "medical", "version": "1.0.0", "digest": "sha256:0"},
            "tenant": "acme",
            "judged_digest": "hmac-sha256:" + "0" * 64,
        }
        | more
    )


def usage(calls: int = 1, tokens: int = 100, cost: float | None = 0.5, **more: Any) -> Any:
    return {"calls": calls, "input_tokens": tokens, "output_tokens": 10, "cost_usd": cost} | more


def part(key: Mapping[str, Any], tokens: int, cost: float | None) -> Any:
    return {**key, "input_tokens": tokens, "output_tokens": 5, "cost_usd": cost}


RECORDS = [
    record(
        0,
        usage=usage(
            principles=[
                part({"principle": "a.b", "asked": 1}, 60, 0.25),
                part({"principle": "c.d", "asked": 1}, 40, 0.25),
            ],
            roles=[part({"role": "small", "model": "x/m", "calls": 1}, 80, 0.4)],
            cache_read_tokens=50,
        ),
    ),
    record(1, tenant="zeta", verdict="block", cause="policy", usage=usage(3, 300, None, cached=2)),
    record(2, stage="input", verdict="block", cause="limit"),
]


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    file = tmp_path / "audit.db"
    asyncio.run(_write(file))
    return file


async def _write(file: Path) -> None:
    made = open_trail(Settings(audit=str(file)))
    for each in RECORDS:
        await made.open(each)
    await made.aclose()


LINES: Mapping[By, Mapping[str, tuple[int, int, int, float, int]]] = {
    "tenant": {"acme": (2, 1, 100, 0.5, 0), "zeta": (1, 1, 300, 0.0, 1)},
    "constitution": {"medical 1.0.0": (3, 2, 400, 0.5, 1)},
    "stage": {"output": (2, 1, 400, 0.5, 1), "input": (1, 1, 0, 0.0, 0)},
    "day": {
        "2026-11-24": (1, 0, 100, 0.5, 0),
        "2026-11-25": (1, 1, 300, 0.0, 1),
        "2026-11-26": (1, 1, 0, 0.0, 0),
    },
    "principle": {
        "a.b": (1, 0, 60, 0.25, 0),
        "c.d": (1, 0, 40, 0.25, 0),
        REST: (1, 1, 300, 0.0, 1),
    },
    "role": {"small (x/m)": (1, 0, 80, 0.4, 0), REST_OF_ROLES: (2, 1, 320, pytest.approx(0.1), 1)},
}


@pytest.mark.parametrize("by", BY)
def test_costs_add_up_by(trail: Path, by: By) -> None:
    """decisions, stopped, tokens in, US dollars, unknown"""
    report = costs(trail, by=by)
    found = {
        line.key: (
            line.decisions,
            line.stopped,
            line.cost.input_tokens,
            line.cost.cost_usd,
            line.cost.unknown,
        )
        for line in report.lines
    }
    assert found == LINES[by]
    total = report.total
    assert (total.decisions, total.stopped, total.cost.calls, total.cost.unknown) == (3, 2, 4, 1)
    assert (total.cost.cached, total.cost.cache_read_tokens) == (2, 50)
    assert sum(line.cost.input_tokens for line in report.lines) == total.cost.input_tokens
    assert (report.first, report.last) == (AT, AT + timedelta(days=2))


@pytest.mark.parametrize("days", [0, 1, 2, 3])
def test_since_a_moment_that_counts_itself(trail: Path, days: int) -> None:
    report = costs(trail, by="day", since=AT + timedelta(days=days))
    assert report.total.decisions == 3 - days
    later = costs(trail, by="day", since=AT + timedelta(days=days, microseconds=1))
    assert later.total.decisions == max(0, 2 - days)


def test_what_nobody_wrote_is_told_and_counted_nowhere(trail: Path) -> None:
    import sqlite3

    with sqlite3.connect(trail) as connection:
        body = connection.execute("SELECT body FROM entry WHERE record_id = 'r0'").fetchone()[0]
        odd = body.replace(b'"cost_usd":0.5', b'"cost_usd":Infinity')
        connection.execute("UPDATE entry SET body = ? WHERE record_id = 'r0'", (odd,))
        connection.execute("UPDATE entry SET body = 'x' WHERE record_id = 'r1'")
    connection.close()
    report = costs(trail)
    assert report.unreadable in (1, 2)
    assert report.total.cost.cost_usd == 0.0
