"""Where an exchange starts is a function of what is known; what is remembered of reversals ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_samples import principle

from critics.judge.routing import NEWEST, Begin, Exchange, Past, Tally, is_audited, start_role
from guardrails.constitution.model import Reversals, Routing, StartRule

CASCADE = ("small", "medium", "large")
SEVERITIES = ("low", "medium", "high", "critical")
ROUND = {severity: principle(f"house.{severity}", severity=severity) for severity in SEVERITIES}


def nobody(principle: str, role: str) -> Past:
    return Past()


def begins(*rules: StartRule, open: Any = (), **known: Any) -> Begin:
    exchange = Exchange(open=[ROUND[severity] for severity in open], **known)
    return start_role(Routing(start=rules), CASCADE, exchange, nobody)


@pytest.mark.parametrize("asked", SEVERITIES)
@pytest.mark.parametrize("open", SEVERITIES)
def test_a_severity_is_at_least_that(asked: Any, open: Any) -> None:
    begin = begins(StartRule(role="large", severity=asked), open=["low", open])
    holds = SEVERITIES.index(open) >= SEVERITIES.index(asked) or asked == "low"
    assert begin.place == (2 if holds else 0)


def test_what_a_rule_says_of_a_principle_it_says_of_one() -> None:
    rule = StartRule(role="medium", severity="high", look=True)
    looked, other = frozenset({"house.low"}), frozenset({"house.high"})
    assert begins(rule, open=["low", "high"], looks=looked) == Begin()
    assert begins(rule, open=["low", "high"], looks=other).principle == "house.high"
    assert begins(rule, open=["low"], looks=other) == Begin(), "not open any more"


def test_a_length_is_that_of_all_that_is_judged() -> None:
    rule = StartRule(role="medium", min_chars=100)
    assert [begins(rule, open=["low"], chars=chars).place for chars in (99, 100, 101)] == [0, 1, 1]


def test_the_first_rule_that_holds_wins_even_if_it_is_cheaper() -> None:
    rules = (
        StartRule(role="small", min_chars=1000),
        StartRule(role="large", severity="critical"),
        StartRule(role="medium"),
    )
    assert begins(*rules, open=["critical"], chars=2000).rule == 1
    assert begins(*rules, open=["critical"]).rule == 2
    assert begins(*rules, open=["low"]) == Begin(place=1, why="rule", rule=3)


def test_a_rule_for_a_role_that_is_not_there_raises() -> None:
    with pytest.raises(ValueError, match="not in"):
        start_role(
            Routing(start=(StartRule(role="huge"),)), CASCADE, Exchange(open=[ROUND["low"]]), nobody
        )


LIMIT = Reversals(share=0.25, samples=20)


@pytest.mark.parametrize(
    ("past", "reaches"),
    [
        (Past(0, 0), False),
        (Past(19, 19), False),
        (Past(20, 4), False),
        (Past(20, 5), True),
        (Past(200, 49), False),
        (Past(200, 50), True),
    ],
)
def test_a_limit_is_a_share_of_enough(past: Past, reaches: bool) -> None:
    assert past.reaches(LIMIT) is reaches


def test_a_share_that_is_just_reached_is_reached() -> None:
    for n in range(1, 101):
        assert Past(100, n).reaches(Reversals(share=n / 100, samples=1)), n


def test_roles_are_passed_over_up_to_the_last() -> None:
    def past(principle: str, role: str) -> Past:
        return Past(20, 20) if principle == "house.low" else Past()

    routing = Routing(confirm="breach", reversals=LIMIT, start=(StartRule(role="medium"),))
    for open, begin in (
        (["high"], Begin(place=1, why="rule", rule=1)),
        (["high", "low"], Begin(place=2, why="reversals", principle="house.low")),
    ):
        exchange = Exchange(open=[ROUND[severity] for severity in open])
        assert start_role(routing, CASCADE, exchange, past) == begin


rules = st.builds(
    StartRule,
    role=st.sampled_from(CASCADE),
    severity=st.none() | st.sampled_from(SEVERITIES),
    look=st.booleans(),
    min_chars=st.none() | st.integers(1, 100),
)
exchanges = st.builds(
    Exchange,
    open=st.lists(st.sampled_from(list(ROUND.values())), min_size=1, max_size=4),
    looks=st.frozensets(st.sampled_from([p.id for p in ROUND.values()])),
    chars=st.integers(0, 200),
)
pasts = st.dictionaries(
    st.tuples(st.sampled_from([p.id for p in ROUND.values()]), st.sampled_from(CASCADE)),
    st.integers(0, 40).flatmap(lambda n: st.builds(Past, st.just(n), st.integers(0, n))),
)


@given(st.lists(rules, max_size=5), exchanges, pasts)
def test_the_same_exchange_and_tally_give_the_same_start_and_reversals_only_a_dearer_one(
    rules: list[StartRule], exchange: Exchange, known: dict[tuple[str, str], Past]
) -> None:
    def past(principle: str, role: str) -> Past:
        return known.get((principle, role), Past())

    routing = Routing(start=tuple(rules), confirm="breach", reversals=LIMIT)
    begin = start_role(routing, CASCADE, exchange, past)
    assert begin == start_role(routing, CASCADE, exchange, past)
    assert 0 <= begin.place < len(CASCADE)
    assert begin.place >= start_role(routing, CASCADE, exchange, nobody).place


# -- which are checked ------------------------------------------------------------------------


@given(st.lists(st.text(alphabet=st.characters()), max_size=4), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_holds_the_smaller_one(texts: list[str], one: float, other: float) -> None:
    assert not is_audited(0.0, texts)
    assert is_audited(1.0, texts)
    small, large = sorted((one, other))
    assert is_audited(small, texts) <= is_audited(large, texts)


def test_a_share_is_about_that_many_and_where_texts_part_matters() -> None:
    found = sum(is_audited(0.1, ["output", f"text {n}"]) for n in range(5_000))
    assert 400 <= found <= 600
    parted = {is_audited(0.5, [f"{n}", "b"]) == is_audited(0.5, [f"{n}b"]) for n in range(50)}
    assert parted == {True, False}


# -- what is remembered -----------------------------------------------------------------------


def test_a_tally_keeps_the_newest_of_a_day_by_principle_and_role() -> None:
    now = [0.0]
    tally = Tally(clock=lambda: now[0])
    assert tally.past("a", "small") == Past()
    for n in range(NEWEST + 50):
        tally.note("a", "small", is_reversed=n < 50)
    assert tally.past("a", "small") == Past(NEWEST, 0), "the oldest are forgotten"
    now[0] = 40_000.0
    tally.note("a", "small", is_reversed=True)
    tally.note("a", "large", is_reversed=True)
    now[0] = 90_000.0
    assert tally.past("a", "small") == Past(1, 1), "a day has passed for all but one"
    assert tally.past("a", "large") == Past(1, 1)
    assert tally.past("b", "small") == Past()
    now[0] = 200_000.0
    assert tally.past("a", "small") == Past()
