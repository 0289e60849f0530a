"""A circuit opens on outages in a row, and one call tries whether it may close."""

from __future__ import annotations

import pytest

from guardrails.llm.breaker import Breaker, Pass
from guardrails.testing import FixedClock


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(100.0)


def breaker(clock: FixedClock) -> Breaker:
    return Breaker(clock=clock, threshold=3, window_s=60, pause_s=15)


def state(one: Breaker) -> str:
    return one.state


def admitted(one: Breaker) -> Pass:
    leave = one.admit()
    assert leave is not None
    return leave


def away(one: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with admitted(one) as leave:
            leave.away()


def test_it_opens_on_outages_in_a_row(clock: FixedClock) -> None:
    one = breaker(clock)
    away(one, 2)
    assert state(one) == "closed"
    with admitted(one) as leave:
        assert leave.away(), "this one opens it"
    assert state(one) == "open"
    assert one.admit() is None


def test_an_answer_in_between_begins_the_row_anew(clock: FixedClock) -> None:
    one = breaker(clock)
    away(one, 2)
    with admitted(one) as leave:
        leave.answered()
    away(one, 2)
    assert state(one) == "closed"


def test_outages_long_ago_do_not_count(clock: FixedClock) -> None:
    one = breaker(clock)
    away(one, 2)
    clock.move(60)
    away(one, 2)
    assert state(one) == "closed"


def test_after_a_pause_one_call_tries(clock: FixedClock) -> None:
    one = breaker(clock)
    away(one, 3)
    clock.move(15)
    assert state(one) == "half-open"
    with admitted(one) as leave:
        assert one.admit() is None, "only one"
        assert not leave.void
        leave.answered()
    assert state(one) == "closed"
    away(one, 2)
    assert state(one) == "closed", "and the row begins anew"


def test_a_failed_trial_opens_it_again(clock: FixedClock) -> None:
    one = breaker(clock)
    away(one, 3)
    clock.move(15)
    away(one)
    assert state(one) == "open"
    clock.move(14)
    assert one.admit() is None
    clock.move(1)
    assert one.admit() is not None


def test_a_trial_that_showed_nothing_lets_the_next_one_try(clock: FixedClock) -> None:
    """Cancelled or timed out: a slow text must keep no circuit open."""
    one = breaker(clock)
    away(one, 3)
    clock.move(15)
    with admitted(one):
        pass
    assert state(one) == "half-open"
    assert one.admit() is not None


def test_stragglers_of_before_do_not_prolong_the_pause(clock: FixedClock) -> None:
    one = breaker(clock)
    straggler = admitted(one)
    away(one, 3)
    assert straggler.void
    clock.move(14)
    assert not straggler.away()
    clock.move(1)
    assert state(one) == "half-open"


def test_a_straggler_that_was_answered_closes_it(clock: FixedClock) -> None:
    one = breaker(clock)
    straggler = admitted(one)
    away(one, 3)
    straggler.answered()
    assert state(one) == "closed"
