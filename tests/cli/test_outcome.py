"""Exit statuses are those of the design, section 4."""

from __future__ import annotations

import pytest

from guardrails.cli.outcome import Status, of_all, of_decision
from guardrails.verdict import Cause, ConstitutionPin, Coverage, Decision, Stage, Verdict


def decided(verdict: Verdict, cause: Cause | None, *uncovered: str) -> Decision:
    pin = ConstitutionPin(id="x", version="1.0.0", digest="sha256:0", offline=True)
    return Decision(
        verdict=verdict,
        cause=cause,
        constitution=pin,
        stage=Stage.OUTPUT,
        content="",
        text="",
        coverage=Coverage(uncovered=uncovered),
    )


@pytest.mark.parametrize(
    ("verdict", "cause", "status"),
    [
        (Verdict.ALLOW, None, Status.FINE),
        (Verdict.FLAG, "policy", Status.FINE),
        (Verdict.FLAG, "undecided", Status.FINE),
        (Verdict.REDACT, "policy", Status.INTERVENED),
        (Verdict.REVISE, "policy", Status.INTERVENED),
        (Verdict.BLOCK, "policy", Status.INTERVENED),
        (Verdict.ESCALATE, "policy", Status.INTERVENED),
        (Verdict.BLOCK, "outage", Status.UNSETTLED),
        (Verdict.BLOCK, "undecided", Status.UNSETTLED),
        (Verdict.ESCALATE, "undecided", Status.UNSETTLED),
        (Verdict.BLOCK, "limit", Status.UNSETTLED),
    ],
    ids=str,
)
def test_a_decision_has_its_status(verdict: Verdict, cause: Cause | None, status: Status) -> None:
    assert of_decision(decided(verdict, cause)) is status


def test_uncovered_alone_is_fine() -> None:
    assert of_decision(decided(Verdict.ALLOW, None, "a", "b")) is Status.FINE


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 3], 3),
        ([3, 1, 0], 1),
        ([1, 2, 3], 2),
    ],
    ids=str,
)
def test_many_rows_have_the_status_that_tells_most(statuses: list[int], status: int) -> None:
    assert of_all(map(Status, statuses)) == status
