"""Replies that come in pieces."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from guard_samples import JUDGED, REPLY, UNAVAILABLE, FailingTrail, Records, guard_in, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrails.critic.protocol import Critique, CritiqueRequest, Unit
from guardrails.errors import AuditError, GuardrailsError, WireFormatError
from guardrails.guard import Guard
from guardrails.testing import breaching, passing, scripted_critic
from guardrails.verdict import Verdict


class Source:
    """Pieces with a memory of how many were taken and whether it was let go."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = pieces
        self.taken = 0
        self.ended = False

    def plain(self) -> Iterator[Any]:
        try:
            for piece in self.pieces:
                self.taken += 1
                yield piece
        finally:
            self.ended = True

    async def awaited(self) -> AsyncIterator[Any]:
        try:
            for piece in self.pieces:
                self.taken += 1
                await asyncio.sleep(0)
                yield piece
        finally:
            self.ended = True


class Iterating(Source):
    """An async iterable that is no generator itself."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self.awaited()


KINDS = {
    "sync generator": Source.plain,
    "async generator": Source.awaited,
    "async iterable": lambda source: Iterating(*source.pieces),
    "list": lambda source: list(source.pieces),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("pieces", "given", "verdict", "how"),
    [
        (["good", " ", "", "day"], ["good", " ", "", "day"], "allow", "judged"),
        (["oddly", " good"], ["oddly", " good"], "flag", "judged"),
        (["a sec", "ret", " word"], ["a  word"], "redact", "judged"),
        (["Hi. I pro", "mise. Bye."], ["Hi. Please ask a person. ", "Bye."], "revise", "judged"),
        (["for", "bid", "den"], [REPLY], "block", "reply"),
        ([], [], "allow", "judged"),
        ([""], [""], "allow", "judged"),
    ],
    ids=["allow", "flag", "redact", "revise", "block", "nothing", "an empty piece"],
)
async def test_promise_3_a_clean_reply_leaves_in_its_own_pieces(
    pieces: list[str],
    given: list[str],
    verdict: str,
    how: str,
    kind: str,
    guard: Guard,
    records: Records,
) -> None:
    stream = guard.stream(KINDS[kind](Source(*pieces)), prompt="hello")
    assert [piece async for piece in stream] == given
    assert str(stream.decision.verdict) == verdict
    assert records.how() == [("output", verdict, how)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.sampled_from(["sec", "ret", "secret", "for", "bidden", "oddly", ". ", "I pro", "mise"]),
        max_size=8,
    ),
    st.data(),
)
async def test_promise_4_how_a_stream_is_cut_changes_nothing(
    shared: tuple[Guard, Records], words: list[str], data: st.DataObject
) -> None:
    guard, _ = shared
    text = "".join(words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    bounds = [0, *cuts, len(text)]
    pieces = [text[start:end] for start, end in pairwise(bounds)]
    stream = guard.stream(pieces)
    given = "".join([piece async for piece in stream])
    whole = await guard.check_output(text)
    found = Counter(stream.decision.findings)
    assert stream.decision.verdict == whole.verdict
    if whole.delivers:
        assert given == whole.text
        assert found == Counter(whole.findings)
    else:  # what comes after is not looked at, and what came before has left
        assert given.endswith(REPLY)
        assert found <= Counter(whole.findings)


async def test_promise_1_no_piece_leaves_before_all_are_judged(guard: Guard) -> None:
    source = Source("good ", "day ", "forbidden")
    stream = guard.stream(source.awaited())
    assert await anext(stream) == REPLY
    assert source.taken == 3
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_judge_is_asked_once_about_the_whole_with_its_prompt(tmp_path: Path) -> None:
    judge = scripted_critic(passing)
    guard = guard_in(tmp_path, written(JUDGED), critics=[judge])
    stream = guard.stream(["good ", "day"], prompt="hello")
    assert [piece async for piece in stream] == ["good ", "day"]
    (request,) = judge.asked
    assert [part.text for part in request.parts] == ["hello", "good day"]


async def test_what_a_judge_breaks_is_replaced(tmp_path: Path) -> None:
    guard = guard_in(tmp_path, written(JUDGED), critics=[scripted_critic(breaching("house.kind"))])
    stream = guard.stream(["good ", "day"])
    assert [piece async for piece in stream] == [REPLY]


async def test_there_is_no_decision_before_the_end(guard: Guard) -> None:
    stream = guard.stream(["good day"])
    with pytest.raises(GuardrailsError, match="not judged yet"):
        _ = stream.decision
    async for _piece in stream:
        assert stream.decision.verdict is Verdict.ALLOW


@pytest.mark.parametrize("kind", ["sync generator", "async generator"])
async def test_promise_10_more_than_the_limit_is_not_read(
    kind: str, guard: Guard, records: Records
) -> None:
    source = Source(*["a" * 1_000] * 20)
    stream = guard.stream(KINDS[kind](source))
    *left, last = [piece async for piece in stream]
    assert set("".join(left)) == {"a"}
    assert last == UNAVAILABLE
    assert (stream.decision.verdict, stream.decision.cause) == (Verdict.BLOCK, "limit")
    assert source.taken == 6
    assert source.ended
    assert records.how() == [("output", "block", "cut")]


@pytest.mark.parametrize("kind", ["sync generator", "async generator"])
@pytest.mark.parametrize("begun", [False, True], ids=["before", "within"])
async def test_ending_a_stream_lets_go_of_its_source(kind: str, begun: bool, guard: Guard) -> None:
    source = Source("good ", "day")
    pieces: Any = KINDS[kind](source)
    first = next(pieces) if kind == "sync generator" else await anext(pieces)
    assert first == "good "
    async with guard.stream(pieces) as stream:
        if begun:
            assert await anext(stream) == "day"
    assert source.ended
    assert [piece async for piece in stream] == []


async def test_an_error_of_the_source_passes_through_and_nothing_is_delivered(
    guard: Guard, records: Records
) -> None:
    def breaks() -> Iterator[str]:
        yield "good "
        raise ConnectionError("gone")

    stream = guard.stream(breaks())
    with pytest.raises(ConnectionError, match="gone"):
        await anext(stream)
    assert records.how() == []


async def test_promise_9_a_piece_that_is_no_text_is_told_by_its_type(guard: Guard) -> None:
    stream = guard.stream([b"marker"])  # type: ignore[list-item]
    with pytest.raises(WireFormatError, match="bytes") as caught:
        await anext(stream)
    assert "marker" not in str(caught.value)


async def test_promise_1_a_stream_that_cannot_be_recorded_delivers_nothing(tmp_path: Path) -> None:
    stream = guard_in(tmp_path, trail=FailingTrail("open")).stream(["good ", "day"])
    with pytest.raises(AuditError):
        await anext(stream)
    assert [piece async for piece in stream] == []


async def test_a_stream_whose_end_cannot_be_recorded_says_so(tmp_path: Path) -> None:
    stream = guard_in(tmp_path, trail=FailingTrail("close")).stream(["good ", "day"])
    assert [await anext(stream), await anext(stream)] == ["good ", "day"]
    with pytest.raises(AuditError):
        await anext(stream)


async def test_of_a_reader_who_leaves_it_is_told_how_far_he_got(
    guard: Guard, records: Records
) -> None:
    stream = guard.stream(["good ", "day"])
    assert await anext(stream) == "good "
    await stream.aclose()
    assert records.how() == [("output", "allow", "interrupted")]


async def test_a_cancelled_stream_lets_go_of_its_source(guard: Guard, records: Records) -> None:
    ended = []

    async def waits() -> AsyncIterator[str]:
        try:
            yield "good "
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    stream = guard.stream(waits())
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
    assert records.how() == []


@pytest.mark.parametrize("action", ["redact", "revise", "block", "escalate"])
async def test_whatever_is_to_be_done_about_it_a_breach_in_what_has_left_is_told(
    action: str, records: Records, tmp_path: Path
) -> None:
    asked = 0

    def second_time(request: CritiqueRequest) -> Critique:
        nonlocal asked
        asked += 1
        return passing(request) if asked == 1 else breaching("house.kind")(request)

    rules = f"\n  - {{id: house.kind, text: Is kind., action: {action}, critics: [judge]}}\n"
    judge = scripted_critic(second_time, need=Unit("sentence"))
    guard = guard_in(tmp_path, written(rules), critics=[judge], trail=records)
    stream = guard.stream(["One sentence after another. "] * 100)
    said = "".join([piece async for piece in stream])
    assert 400 < len(said) < 500
    assert said.endswith(REPLY)
    assert stream.decision.verdict >= Verdict.BLOCK
    assert stream.decision.released_before_breach
    assert [how for _, _, how in records.how()] == ["cut"]
