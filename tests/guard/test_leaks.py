"""The leak property: of what is stopped or changed nothing leaves, however a stream is cut."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from guard_samples import Records, guard_in
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrails.critic.protocol import CriticFinding, Critique, CritiqueRequest, Unit
from guardrails.guard import Guard
from guardrails.testing import scripted_critic
from guardrails.verdict import Decision, Verdict

REPLY = "No."
INSTEAD = "Please ask a person. "
RULES = f"""schema: 1
id: leaks
version: 1.0.0
budget: {{max_chars: 5000, max_calls: 64, max_tokens: 10000000}}
replies: {{blocked: "{REPLY}", unavailable: Away.}}
principles:
  - id: wide.block
    text: a
    action: block
    critics: [pattern: {{breach: ['red\\W+button', 'alpha\\.\\s+beta']}}]
  - id: wide.mask
    text: b
    action: redact
    critics: [pattern: {{breach: ['\\bsecret\\b', 'code:\\s*\\d{{3,6}}']}}]
  - id: wide.revise
    text: c
    action: revise
    critics: [pattern: {{breach: ['I promise']}}]
    remedy: {{replace_sentence: "{INSTEAD}"}}
  - {{id: wide.odd, text: d, action: flag, critics: [pattern: {{breach: [oddly]}}]}}
"""
JUDGED = """
  - {id: wide.judged, text: e, action: block, on_undecided: block, critics: [judge]}
"""
WORDS = [
    *("A plain sentence. ", "Another one, that is a little longer than the first! ", "word ", "\n"),
    *("red", " button", "red -- button. ", "alpha. ", "beta. ", "secret", " secret. ", "secre"),
    *("code: ", "12", "345", "code:\n", "I pro", "mise", "I promise you. ", "oddly. ", ". ", "。"),
    "x" * 120 + " ",
]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=14).map("".join)
JUDGED_TEXTS = st.lists(
    st.sampled_from([*WORDS, "wicked. ", *["Filler, for length. " * 9] * 6]), max_size=24
).map("".join)


def pieces_of(text: str, places: Sequence[int]) -> list[str]:
    bounds = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


async def streamed(guard: Guard, pieces: Sequence[str]) -> tuple[str, Decision]:
    stream = guard.stream(pieces)
    return "".join([piece async for piece in stream]), stream.decision


def found(decision: Decision) -> set[tuple[object, ...]]:
    return {(f.principle, f.value, f.action, f.span) for f in decision.findings}


def comparable(text: str) -> list[str]:
    """Without what stands in the place of sentences: it keeps their blanks, and a stream says it
    again where something has left in between."""
    return text.replace(INSTEAD.strip(), "").split()


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    return guard_in(tmp_path_factory.mktemp("leaks"), RULES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=TEXTS, places=st.lists(st.integers(0, 900), max_size=8))
async def test_promise_4_what_leaves_depends_on_the_text_alone(
    text: str, places: list[int], guard: Guard
) -> None:
    at_once, first = await streamed(guard, [text])
    cut, second = await streamed(guard, pieces_of(text, places))
    singly, third = await streamed(guard, list(text))
    assert at_once == cut == singly
    assert first.verdict == second.verdict == third.verdict
    assert found(first) == found(second) == found(third)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=TEXTS, places=st.lists(st.integers(0, 900), max_size=8))
async def test_promise_4_a_stream_comes_to_the_same_as_the_whole_text(
    text: str, places: list[int], guard: Guard
) -> None:
    whole = await guard.check_output(text)
    given_out, decision = await streamed(guard, pieces_of(text, places))
    assert decision.verdict == whole.verdict
    if whole.delivers:
        assert comparable(given_out) == comparable(whole.text)
        assert found(decision) == found(whole)
    else:
        left = given_out.removesuffix(decision.text)
        assert given_out.endswith(REPLY)
        assert not decision.released_before_breach
        again = await guard.check_output(left)
        assert again.verdict <= Verdict.FLAG or not left.strip()


def wicked(request: CritiqueRequest) -> Critique:
    """A judge that takes one word amiss, wherever in what it sees that stands."""
    findings = tuple(
        CriticFinding(principle="wide.judged", value="breach", part=target.part, span=(at, at + 6))
        for target in request.targets
        if (at := target.text.find("wicked")) >= 0
    )
    verdict = "breach" if findings else "pass"
    return Critique(
        looked=frozenset(request.asked),
        verdicts=dict.fromkeys(request.asked, verdict),  # type: ignore[arg-type]
        findings=findings,
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=JUDGED_TEXTS, places=st.lists(st.integers(0, 3_000), max_size=8))
async def test_promise_4_a_judge_is_asked_the_same_however_a_stream_is_cut(
    text: str, places: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    told, asked = [], []
    for pieces in ([text], pieces_of(text, places), list(text)):
        judge = scripted_critic(wicked, need=Unit("sentence"))
        guard = guard_in(tmp_path_factory.mktemp("judged"), RULES + JUDGED, critics=[judge])
        given_out, decision = await streamed(guard, pieces)
        told.append((given_out, str(decision.verdict), found(decision)))
        asked.append([[target.text for target in request.targets] for request in judge.asked])
        assert "wicked" not in given_out
    assert told[0] == told[1] == told[2]
    assert asked[0] == asked[1] == asked[2]
    assert len(asked[0]) <= 9


async def test_promise_1_every_way_a_stream_ends_is_on_record(tmp_path: Path) -> None:
    for text in (
        "Fine. Good.",
        "Fine. A secret.",
        "Fine. Good. red button",
        "alpha. beta. " * 9,
        "",
    ):
        records = Records()
        guard = guard_in(tmp_path, RULES, trail=records)
        _, decision = await streamed(guard, list(text))
        ((stage, verdict, how),) = records.how()
        assert (stage, verdict) == ("output", str(decision.verdict))
        assert how == ("judged" if decision.delivers else "cut" if records.begun else "reply")
