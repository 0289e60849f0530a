"""Whatever is said is judged: nothing crashes, hides what is forbidden, or hangs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest
from hostile_house import CARD, SETTINGS, STAGES, WORD, house, the_record
from hostile_texts import FLOODS, INVISIBLE, TEXTS, cuts

from guardrails.audit.trail import MemoryTrail
from guardrails.guard import Guard
from guardrails.text.normalise import normalise
from guardrails.verdict import Decision, Stage, Verdict

CANARY = "ukulele-7391"
PATIENCE_S = 5.0
"""Far more than any of them takes; what runs away takes minutes."""

WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
FORMS = {
    "plain": WORD,
    "wide": WORD.translate(WIDE),
    "capitals": WORD.upper(),
    "mathematical": "".join(chr(0x1D41A + ord(letter) - ord("a")) for letter in WORD),
    "circled": "".join(chr(0x24D0 + ord(letter) - ord("a")) for letter in WORD),
    "invisible-in-all-gaps": "\u200b\u2060".join(WORD),
    **{f"split-by-{name}": f"forb{sign}idd{sign * 3}en" for name, sign in INVISIBLE.items()},
}
CARD_FORMS = {
    "plain": CARD,
    "together": CARD.replace(" ", ""),
    "dashes": CARD.replace(" ", "-"),
    "wide": CARD.translate(WIDE),
    "no-break-spaces": CARD.replace(" ", "\u00a0"),
    **{f"split-by-{name}": f"4111 11{sign}11 1111 {sign}1111" for name, sign in INVISIBLE.items()},
}


@pytest.fixture(scope="module")
def tiny() -> Guard:
    guard = house()
    guard.sync.check_output(f"card {CARD}")  # loads what finds it
    the_record(guard)
    return guard


@pytest.fixture(scope="module")
def base() -> Guard:
    guard = Guard.load("base", offline=True, settings=SETTINGS, trail=MemoryTrail())
    guard.sync.check_output(f"card {CARD}")
    the_record(guard)
    return guard


@pytest.fixture(autouse=True)
def bounded(request: pytest.FixtureRequest) -> Iterator[None]:
    start = time.process_time()
    yield
    if request.node.get_closest_marker("proof") is None:
        assert time.process_time() - start < PATIENCE_S


def judged(guard: Guard, text: str, stage: Stage) -> Decision:
    if stage is Stage.TOOL_CALL:
        return guard.sync.check_tool_call("send", {"a": text})
    if stage is Stage.INPUT:
        return guard.sync.check_input(text)
    if stage is Stage.OUTPUT:
        return guard.sync.check_output(text, prompt=text)
    return guard.sync.check(text, stage=stage)


def each(texts: dict[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("text", texts.values(), ids=texts)


@each(TEXTS)
def test_what_is_allowed_goes_on_as_it_came(text: str, tiny: Guard) -> None:
    for stage in STAGES:
        decision = judged(tiny, text, stage)
        assert decision.verdict is Verdict.ALLOW
        said = decision.content["a"] if stage is Stage.TOOL_CALL else decision.content  # type: ignore[index]
        assert said is text
        opened, closed = the_record(tiny)
        assert opened.judged_digest == closed.delivered_digest


@each(TEXTS)
def test_what_is_forbidden_is_found_wherever_it_stands(text: str, tiny: Guard) -> None:
    for stage, (before, after) in zip(STAGES, cuts(text), strict=False):
        found = judged(tiny, f"{before}\n{WORD} {CANARY}\n{after}", stage)
        assert (found.verdict, found.cause) == (Verdict.BLOCK, "policy")
        assert found.breaches == ("house.word",)
        opened, closed = the_record(tiny)
        assert closed.how == "reply"
        for told in (repr(found), str(found), repr(opened), opened.model_dump_json()):
            assert CANARY not in told


@each(TEXTS)
def test_a_card_is_taken_out_wherever_it_stands(text: str, tiny: Guard) -> None:
    for before, after in cuts(text):
        decision = judged(tiny, f"{before}\n{CARD}\n{after}", Stage.OUTPUT)
        assert decision.verdict is Verdict.REDACT
        assert CARD not in normalise(decision.text).text
        assert "[CREDIT_CARD]" in decision.text
        opened, closed = the_record(tiny)
        assert opened.judged_digest == closed.delivered_digest


@each(FORMS)
def test_a_word_is_found_in_every_form(text: str, tiny: Guard) -> None:
    said = f"so the {text} word"
    for stage in STAGES:
        decision = judged(tiny, said, stage)
        assert decision.verdict is Verdict.BLOCK
        span = decision.findings[0].span
        assert span is not None
        assert normalise(said[slice(*span)]).text.casefold() == WORD
        the_record(tiny)


@each(CARD_FORMS)
def test_a_card_is_found_in_every_form(text: str, tiny: Guard) -> None:
    decision = judged(tiny, f"the card {text} is mine", Stage.OUTPUT)
    assert decision.text == "the card [CREDIT_CARD] is mine"
    the_record(tiny)


@each(TEXTS)
def test_base_judges_it_too(text: str, base: Guard, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        reply = judged(base, f"{text}\n{CANARY} {CARD}", Stage.OUTPUT)
        assert reply.verdict >= Verdict.REDACT
        assert CARD not in normalise(reply.text).text
        the_record(base)
        judged(base, text, Stage.INPUT)
        the_record(base)
    assert CANARY not in caplog.text + repr(reply)


@each(FLOODS)
def test_a_flood_is_judged_whole(text: str, tiny: Guard) -> None:
    decision = judged(tiny, f"{text}\n{WORD} {CANARY}", Stage.RETRIEVAL)
    assert decision.breaches == ("house.word",)
    assert CANARY not in repr(decision)
    the_record(tiny)


@pytest.mark.parametrize("text", ["x", "\n", "ｘ", "\u200b", "\ud800", "\U0010ffff", "\ufdfa"])
def test_the_limit_counts_the_characters_that_came(text: str) -> None:
    guard = house(max_chars=1_000)
    assert judged(guard, text * 1_000, Stage.RETRIEVAL).verdict is Verdict.ALLOW
    the_record(guard)
    refused = judged(guard, text * 1_001, Stage.RETRIEVAL)
    assert (refused.verdict, refused.cause) == (Verdict.BLOCK, "limit")
    assert [finding.principle for finding in refused.findings] == ["budget.max_chars"]
    the_record(guard)


@pytest.mark.parametrize("stage", STAGES)
def test_ten_megabytes_are_refused_at_once_by_default(stage: Stage, base: Guard) -> None:
    start = time.process_time()
    refused = judged(base, "x" * 10_000_000, stage)
    assert time.process_time() - start < 0.5
    assert (refused.verdict, refused.cause) == (Verdict.BLOCK, "limit")
    the_record(base)


@pytest.mark.proof
@pytest.mark.timeout(600)
@each(FLOODS)
def test_ten_megabytes_are_judged_where_they_are_allowed(text: str, tiny: Guard) -> None:
    """In time that grows with the text; what takes too long is refused."""
    times = 10_000_000 // len(text)
    start = time.process_time()
    assert judged(tiny, text, Stage.OUTPUT).verdict is Verdict.ALLOW
    once = time.process_time() - start
    the_record(tiny)
    start = time.process_time()
    decision = judged(tiny, f"{text * times}\n{WORD}", Stage.OUTPUT)
    assert time.process_time() - start < 3 * times * once + 5
    assert decision.verdict is Verdict.BLOCK
    assert decision.cause == "limit" or decision.breaches == ("house.word",)
    the_record(tiny)
