"""What records tell of the judge's cascade adds up, whatever else stands in a trail."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_samples import NOW, opened, settings_in
from pydantic import ValidationError

from guardrails.audit.read import decisions
from guardrails.audit.record import Opened
from guardrails.audit.routing import routing_report
from guardrails.audit.trail import open_trail

SMALL = {
    "role": "small",
    "model": "fake/small",
    "calls": 1,
    "asked": 10,
    "settled": 9,
    "deferred": 1,
    "checked": 2,
    "reversed": 1,
    "input_tokens": 100,
    "output_tokens": 10,
    "cost_usd": 0.5,
}
LARGE = {**SMALL, "role": "large", "model": "fake/large", "asked": 3, "settled": 3, "deferred": 0}
START = {
    "role": "small",
    "why": "first",
    "last_role": "large",
    "last_model": "fake/large",
    "always_last_usd": 4.0,
}
DEFERRED = {"principle": "a.b", "role": "small", "to": "large", "outcome": "deferred"}
REVERSED = {**DEFERRED, "principle": "a.z", "outcome": "reversed"}


def judged(id: str | None = None, **changes: Any) -> Opened:
    """A decision with a cascade of two roles."""
    usage = {
        "calls": 2,
        "roles": [SMALL, LARGE],
        "starts": [START],
        "handovers": [DEFERRED, REVERSED],
    }
    return opened(id, **{"usage": usage | changes.pop("usage", {}), **changes})


def test_roles_starts_and_handovers_add_up() -> None:
    report = routing_report([judged(), judged(), opened(), judged()])
    assert (report.decisions, report.judged, report.untold, report.unreadable) == (4, 3, 0, 0)
    small, large = report.roles
    assert (small.role, small.calls, small.asked, small.settled) == ("small", 3, 30, 27)
    assert (small.checked, small.reversed, small.input_tokens) == (6, 3, 300)
    assert large.cost_usd == 1.5
    assert [(s.times, s.always_last_usd) for s in report.starts] == [(3, 12.0)]
    assert [(h.principle, h.times) for h in report.handovers] == [("a.z", 3), ("a.b", 3)]
    assert (report.cost_usd, report.always_last_usd) == (3.0, 12.0)


def test_what_is_not_known_is_not_nothing() -> None:
    unknown = judged(
        usage={
            "roles": [SMALL, {**LARGE, "cost_usd": None}],
            "starts": [{**START, "always_last_usd": None}],
        }
    )
    report = routing_report([judged(), unknown])
    assert [use.cost_usd for use in report.roles] == [1.0, None]
    assert (report.cost_usd, report.always_last_usd) == (None, None)


def test_models_of_one_role_are_told_apart_and_roles_stand_in_the_order_of_price() -> None:
    other = {**SMALL, "model": "another/one"}
    report = routing_report([judged(usage={"roles": [LARGE, SMALL, other]})])
    assert [(use.role, use.model) for use in report.roles] == [
        ("small", "another/one"),
        ("small", "fake/small"),
        ("large", "fake/large"),
    ]


def test_calls_of_which_no_role_is_told_are_counted_apart() -> None:
    report = routing_report([opened(usage={"calls": 2}), opened(), None])
    assert (report.decisions, report.judged, report.untold, report.unreadable) == (2, 0, 1, 1)
    assert (report.cost_usd, report.always_last_usd) == (0.0, 0.0)


def test_one_constitution_may_be_asked_for() -> None:
    pin = {"id": "finance", "version": "1.0.0", "digest": "sha256:00"}
    found = [judged(), judged(constitution=pin)]
    assert routing_report(found, constitution="finance").decisions == 1
    assert routing_report(found, constitution="nobody").roles == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"roles": [{**SMALL, "calls": -1}]},
        {"roles": [{**SMALL, "calls": 10**5000}]},
        {"roles": [{**SMALL, "cost_usd": float("nan")}]},
        {"roles": [{**SMALL, "cost_usd": 1e308}]},
        {"starts": [{**START, "why": "because"}]},
        {"starts": [{**START, "always_last_usd": float("inf")}]},
        {"handovers": [{**DEFERRED, "times": -1}]},
        {"handovers": [{**DEFERRED, "text": "x"}]},
    ],
)
def test_a_record_with_what_cannot_be_added_up_is_none(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        judged(usage=wrong)


def test_decisions_are_read_oldest_first_from_a_moment_on(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)

    async def write() -> None:
        trail = open_trail(settings)
        for hours, name in enumerate(("one", "two", "three")):
            await trail.open(judged(name, at=NOW + timedelta(hours=hours)))
        await trail.aclose()

    asyncio.run(write())
    file = tmp_path / "audit.db"

    def ids(**more: Any) -> list[str | None]:
        return [found.record_id if found else None for found in decisions(file, **more)]

    assert ids() == ["one", "two", "three"]
    assert ids(since=NOW + timedelta(hours=1)) == ["two", "three"]
    assert ids(since=NOW + timedelta(hours=1, microseconds=1)) == ["three"]
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE entry SET body = x'7b7d' WHERE record_id = 'two'")
    assert ids() == ["one", None, "three"]
    assert routing_report(decisions(file)).unreadable == 1
