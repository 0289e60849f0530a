"""Verdicts are ordered by gravity and equal to their own names; what was used adds up by kind."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.verdict import Handover, PrincipleUse, RoleUse, Start, Usage, Verdict

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


SMALL = RoleUse(
    role="small", model="house/s", calls=1, asked=3, settled=2, deferred=1, cost_usd=0.5
)
LARGE = RoleUse(role="large", model="house/l", calls=1, asked=1, settled=1, cost_usd=None)
BEGAN = Start(role="small", last_role="large", last_model="house/l", always_last_usd=2.0)
RAISED = Start(role="large", why="rule", rule=1, last_role="large", last_model="house/l")
DEFERRED = Handover(principle="a", role="small", to="large", outcome="deferred")
UPHELD = Handover(principle="a", role="small", to="large", outcome="upheld")


def test_usage_adds_up_by_role_start_and_handover() -> None:
    one = Usage(roles=(SMALL,), starts=(BEGAN,), handovers=(DEFERRED,))
    other = Usage(roles=(LARGE, SMALL), starts=(RAISED, BEGAN), handovers=(UPHELD, DEFERRED))
    both = one + other
    assert both.roles == (SMALL + SMALL, LARGE)
    assert (both.roles[0].asked, both.roles[0].cost_usd) == (6, 1.0)
    assert [(s.role, s.times, s.always_last_usd) for s in both.starts] == [
        ("small", 2, 4.0),
        ("large", 1, 0.0),
    ]
    assert [(h.outcome, h.times) for h in both.handovers] == [("deferred", 2), ("upheld", 1)]


def test_a_cost_that_is_not_known_stays_so() -> None:
    assert (LARGE + LARGE).cost_usd is None
    assert (Usage(roles=(LARGE,)) + Usage(roles=(LARGE,))).roles[0].cost_usd is None
    assert (Usage(cost_usd=None) + Usage(cost_usd=1.0)).cost_usd is None


def test_the_same_role_played_by_another_model_is_told_apart() -> None:
    other = RoleUse(role="small", model="house/other", calls=1)
    assert (Usage(roles=(SMALL,)) + Usage(roles=(other,))).roles == (SMALL, other)


@given(
    st.lists(st.sampled_from("abcdefgh"), max_size=8),
    st.integers(0, 5_000),
    st.integers(0, 5_000),
    st.none() | st.floats(0, 10),
)
def test_shares_of_a_question_add_up_to_it(
    ids: list[str], entered: int, left: int, cost: float | None
) -> None:
    whole = Usage(calls=1, input_tokens=entered, output_tokens=left, cost_usd=cost)
    shares = PrincipleUse.shares(ids, whole)
    assert [share.principle for share in shares] == list(dict.fromkeys(ids))
    if not shares:
        return
    assert sum(share.input_tokens for share in shares) == entered
    assert sum(share.output_tokens for share in shares) == left
    costs = [share.cost_usd for share in shares]
    if cost is None:
        assert set(costs) == {None}
    else:
        assert sum(each or 0.0 for each in costs) == pytest.approx(cost)
    most, least = max(s.input_tokens for s in shares), min(s.input_tokens for s in shares)
    assert most - least <= 1
    twice = Usage(principles=shares) + Usage(principles=shares)
    assert [share.asked for share in twice.principles] == [2] * len(shares)
