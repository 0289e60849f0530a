"""Verdicts: ordered by gravity, equal to their own names, and to nothing else."""

from __future__ import annotations

import copy
import pickle

import pytest

from guardrails.verdict import Verdict

NAMES = ["allow", "flag", "redact", "revise", "block", "escalate"]


def test_verdicts_are_ordered_by_gravity() -> None:
    assert [str(verdict) for verdict in sorted(Verdict, reverse=True)] == NAMES[::-1]
    assert max(Verdict.ALLOW, Verdict.REVISE, Verdict.BLOCK) is Verdict.BLOCK
    assert Verdict.FLAG <= Verdict.FLAG < Verdict.REDACT
    assert Verdict.ESCALATE > Verdict.BLOCK >= Verdict.BLOCK


@pytest.mark.parametrize("name", NAMES)
def test_a_verdict_equals_its_name(name: str) -> None:
    verdict = Verdict(name)
    assert verdict == name
    assert name == verdict
    assert {name: 1}[verdict] == 1
    assert f"{verdict}" == name
    assert [other for other in NAMES if verdict == other] == [name]


@pytest.mark.parametrize("other", ["block", 4, None], ids=repr)
def test_a_verdict_is_not_ordered_among_other_things(other: object) -> None:
    for compare in ("__lt__", "__le__", "__gt__", "__ge__"):
        with pytest.raises(TypeError, match="compared with another"):
            getattr(Verdict.FLAG, compare)(other)


def test_what_delivers() -> None:
    assert [v.delivers for v in Verdict] == [True, True, True, True, False, False]


def test_copies_are_the_same() -> None:
    for verdict in Verdict:
        assert copy.deepcopy(verdict) is verdict
        assert pickle.loads(pickle.dumps(verdict)) is verdict
