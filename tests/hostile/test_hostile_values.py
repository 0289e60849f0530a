"""Whatever is handed over: its texts are judged, or it is refused; nothing passes unread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from hostile_house import HOUSE, WORD, house, the_record
from hostile_values import MESSAGES, READ, UNREADABLE, WITHOUT_TEXT, Make, TwoFaced

from guardrails import Blocked, guarded
from guardrails.audit.record import delivery_fault
from guardrails.audit.trail import MemoryTrail
from guardrails.errors import GuardrailsError
from guardrails.guard import Guard
from guardrails.verdict import Decision, Verdict

CANARY = "ukulele-7391"
PLANTED = f"the {WORD} word {CANARY}"
CLEAN = "nothing to see"
PATIENCE_S = 5.0


@pytest.fixture
def tiny() -> Guard:
    return house()


Judge = Callable[[Guard, Any], Decision]
WAYS: dict[str, Judge] = {
    "input": lambda guard, value: guard.sync.check_input(value),
    "output": lambda guard, value: guard.sync.check_output(value),
    "tool_call": lambda guard, value: guard.sync.check_tool_call("send", value),
    "tool_result": lambda guard, value: guard.sync.check(value, stage="tool_result"),
    "retrieval": lambda guard, value: guard.sync.check(value, stage="retrieval"),
}
LARGE = {"among-20000", "doubling", "list-without-end", "many-items", "many-keys", "numbers-many"}
"""These take a while, so they go one way only."""


def each(makers: dict[str, Any]) -> pytest.MarkDecorator:
    """Each maker, and the ways that its values go."""
    long = list(WAYS.values())[1:2]
    table = [
        pytest.param(make, long if name in LARGE else list(WAYS.values()), id=name)
        for name, make in makers.items()
    ]
    return pytest.mark.parametrize(("make", "ways"), table)


def each_small(makers: dict[str, Any]) -> pytest.MarkDecorator:
    small = {name: make for name, make in makers.items() if name not in LARGE}
    return pytest.mark.parametrize("make", small.values(), ids=small)


def judged(way: Judge, guard: Guard, value: object, caplog: pytest.LogCaptureFixture) -> Decision:
    """The decision, on record, in bounded time, with nothing of the text where none may be."""
    start = time.process_time()
    with caplog.at_level(logging.DEBUG):
        decision = way(guard, value)
    assert time.process_time() - start < PATIENCE_S
    opened, _ = the_record(guard)
    assert opened.record_id == decision.record_id
    assert CANARY not in caplog.text + repr(decision) + str(decision) + opened.model_dump_json()
    return decision


@each(READ)
def test_a_text_is_found_wherever_it_is_kept(
    make: Make, ways: list[Judge], tiny: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    for way in ways:
        found = judged(way, tiny, make(PLANTED), caplog)
        assert (found.verdict, found.cause) == (Verdict.BLOCK, "policy")
        assert set(found.breaches) == {"house.word"}
        value = make(CLEAN)
        allowed = judged(way, tiny, value, caplog)
        assert allowed.verdict is Verdict.ALLOW
        assert allowed.content is value


@each(UNREADABLE)
def test_what_cannot_be_read_does_not_pass(
    make: Make, ways: list[Judge], tiny: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    for way in ways:
        for text in (PLANTED, CLEAN):
            refused = judged(way, tiny, make(text), caplog)
            assert refused.verdict is Verdict.BLOCK
            assert refused.cause in ("undecided", "limit")
            assert refused.findings


@each_small(MESSAGES)
def test_what_cannot_be_read_in_a_conversation_does_not_pass(
    make: Make, tiny: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    for text in (PLANTED, CLEAN):
        refused = judged(WAYS["input"], tiny, make(text), caplog)
        assert refused.verdict is Verdict.BLOCK


@each(WITHOUT_TEXT)
def test_what_holds_no_text_goes_on_as_it_came(
    make: Callable[[], Any], ways: list[Judge], tiny: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    for way in ways:
        value = make()
        allowed = judged(way, tiny, value, caplog)
        assert allowed.verdict is Verdict.ALLOW
        assert allowed.content is value


@each_small({**READ, **UNREADABLE})
def test_a_strange_prompt_does_not_keep_a_reply_from_being_judged(
    make: Make, tiny: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    def way(guard: Guard, reply: Any) -> Decision:
        return guard.sync.check_output(reply, prompt=make(CLEAN))

    assert judged(way, tiny, PLANTED, caplog).verdict is Verdict.BLOCK
    judged(way, tiny, CLEAN, caplog)


@each_small({**READ, **UNREADABLE, "object-whose-class-raises": UNREADABLE["object-hostile"]})
def test_a_guarded_function_hands_out_nothing_unread(make: Make, tiny: Guard) -> None:
    @guarded(tiny, on_block="raise")
    def answer(question: str) -> object:
        return make(PLANTED)

    with pytest.raises(Blocked) as raised:
        answer("a question")
    assert raised.value.decision.stage == "output"
    assert CANARY not in str(raised.value) + repr(raised.value)
    assert raised.value.__cause__ is None
    trail = tiny._enforcement.trail
    assert isinstance(trail, MemoryTrail)
    assert [closed.how for closed in trail.closed] == ["judged", "nothing"]
    trail.opened.clear()
    trail.closed.clear()


@each_small({**READ, **UNREADABLE})
def test_a_guarded_function_never_sees_what_is_refused(make: Make, tiny: Guard) -> None:
    seen: list[object] = []

    @guarded(tiny, prompt="question")
    def answer(question: object) -> str:
        seen.append(question)
        return "an answer"

    assert answer(make(PLANTED)) in ("No, not here.", "Not now.")
    assert not seen
    the_record(tiny)


def test_promise_1_what_changes_after_it_was_judged_is_told_by_its_record() -> None:
    guard = house()
    try:
        decision = guard.sync.check_output(TwoFaced(PLANTED))
    except GuardrailsError:
        return
    trail = guard._enforcement.trail
    assert isinstance(trail, MemoryTrail)
    fault = delivery_fault(trail.opened[0], trail.closed[0])
    assert not decision.delivers or fault is not None


def test_the_makers_make_what_they_say() -> None:
    assert HOUSE.count(WORD) == 1
    assert len(READ) + len(UNREADABLE) + len(WITHOUT_TEXT) + len(MESSAGES) > 150
