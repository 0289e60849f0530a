"""What is cut over two content blocks of a stream is found, however the bytes come: where all of
the reply is held, before any of it leaves; else what has left has left, and the rest does not."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from guard_samples import guard_in
from hypothesis import given, settings
from hypothesis import strategies as st
from leak_samples import FORMATS

from guardrails.guard import Guard
from guardrails.guard.streamed_body import StreamedBody
from guardrails.verdict import Decision

HOUSE = """schema: 1
id: house
version: 1.0.0
replies: {blocked: "No."}
principles:
  - {id: house.forbidden, text: a, action: block,
     critics: [pattern: {breach: ['keep it dark']}]}
  - {id: house.secret, text: b, action: redact, critics: [pattern: {breach: ['swordfish']}]}
  - {id: house.long, text: c, action: block, critics: [pattern: {breach: ['a. b. c. d. e. f']}]}
"""
ESCALATING = """
  - {id: house.case, text: d, action: escalate, critics: [pattern: {breach: ['gravely']}]}
"""
HOUSES = {
    "pieces": HOUSE,
    "whole": HOUSE + "stream: {release: whole}\n",
    "all remembered": HOUSE + ESCALATING,
}
SIZES = [1, 7, 100_000]
ANTHROPIC = FORMATS["anthropic"]


@pytest.fixture(scope="module")
def guards(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Guard]:
    return {name: guard_in(tmp_path_factory.mktemp("g"), said) for name, said in HOUSES.items()}


def body_of(texts: list[str]) -> bytes:
    return ANTHROPIC.body([("text", text) for text in texts], 5)


async def streamed(guard: Guard, texts: list[str], size: int) -> tuple[bytes, Decision]:
    data = body_of(texts)
    async with guard.call() as call:
        reply = await call.reply()
        body = StreamedBody(reply, ANTHROPIC.reader(), most_held=1 << 22)
        bounds = [*range(0, len(data), size), len(data)]
        left = b"".join([await body.feed(data[a:b]) for a, b in pairwise(bounds)])
        left += await body.close()
        decision = reply.decision
        await reply.close()
    assert decision is not None
    return left, decision


def found(decision: Decision) -> list[tuple[str, int | None, tuple[int, int] | None]]:
    return [(f.principle, f.part, f.span) for f in decision.findings]


@pytest.mark.parametrize("size", SIZES)
async def test_promise_4_what_is_held_whole_is_judged_joined(
    guards: Mapping[str, Guard], size: int
) -> None:
    left, decision = await streamed(guards["whole"], ["Well. keep i", "t dark. So."], size)
    assert decision.breaches == ("house.forbidden",)
    assert b"Well" not in left
    left, decision = await streamed(guards["whole"], ["It is sword", "fish. So."], size)
    assert decision.verdict == "redact"
    assert b"sword" not in left
    assert b"fish" not in left
    assert b"So." in left


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["pieces", "all remembered"])
async def test_of_what_has_left_in_half_the_rest_does_not_leave(
    guards: Mapping[str, Guard], name: str, size: int
) -> None:
    left, decision = await streamed(guards[name], ["Well. It is keep i", "t dark. So."], size)
    assert decision.breaches == ("house.forbidden",)
    assert b"keep" in left
    assert b"t dar" not in left
    left, decision = await streamed(guards[name], ["It is sword", "", "fish. So."], size)
    assert decision.breaches == ("house.secret",)
    assert b"fish" not in left


@pytest.mark.parametrize("size", SIZES)
async def test_the_rest_is_redacted_where_what_has_left_is_not_remembered(
    guards: Mapping[str, Guard], size: int
) -> None:
    left, decision = await streamed(guards["pieces"], ["It is sword", "fish. So."], size)
    assert found(decision) == [("house.secret", 1, (0, 4))]
    assert decision.verdict == "redact"
    assert b"So." in left


@pytest.mark.parametrize("size", SIZES)
async def test_what_goes_on_past_a_sentence_ends_the_stream(
    guards: Mapping[str, Guard], size: int
) -> None:
    texts = ["It is a.", " b. c. d. e. f. So. More."]
    left, decision = await streamed(guards["pieces"], texts, size)
    assert decision.breaches == ("house.long",)
    assert decision.released_before_breach
    assert b"So." not in left


@pytest.mark.parametrize("name", HOUSES)
async def test_what_crosses_no_border_leaves_as_it_came(
    guards: Mapping[str, Guard], name: str
) -> None:
    texts = ["Well. keep it", " light.", "", " It is sword. ", "fish. So."]
    left, decision = await streamed(guards[name], texts, 7)
    assert decision.verdict == "allow"
    assert left == body_of(texts)


PIECES = (
    *("keep ", "it", " dark", "sword", "fish", ". ", "So. ", "\u200b", "x", " ", "a", ". b. "),
    *("c. d. e. f", "a word " * 30),
)
TEXTS = st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), min_size=2, max_size=5)


def told(decision: Decision) -> tuple[Any, ...]:
    spans = sorted((f.principle, str(f.part), str(f.span)) for f in decision.findings)
    return decision.verdict, decision.released_before_breach, spans


@settings(max_examples=60)
@given(texts=TEXTS, size=st.integers(2, 60), name=st.sampled_from(sorted(HOUSES)))
async def test_promise_4_how_a_stream_is_cut_changes_nothing_at_borders_either(
    guards: Mapping[str, Guard], texts: list[str], size: int, name: str
) -> None:
    left, decision = await streamed(guards[name], texts, 1 << 20)
    for of in (1, size):
        again, other = await streamed(guards[name], texts, of)
        assert told(other) == told(decision)
        assert again == left
