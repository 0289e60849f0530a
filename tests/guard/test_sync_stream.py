"""Replies that come in pieces, for callers that cannot await."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from guard_samples import JUDGED, REPLY, UNAVAILABLE, FailingTrail, Records, guard_in, written
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Context, context
from guardrails.errors import AuditError, GuardrailsError, WireFormatError
from guardrails.guard import Guard
from guardrails.loop.private import run_apart
from guardrails.testing import passing, scripted_critic
from guardrails.verdict import Verdict


class Source:
    """Pieces with a memory of how many were taken, in which thread, and whether it was let go."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = pieces
        self.taken = 0
        self.ended = False
        self.threads = set[str]()

    def plain(self) -> Iterator[Any]:
        try:
            for piece in self.pieces:
                self.taken += 1
                self.threads.add(threading.current_thread().name)
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self.ended = True


KINDS: dict[str, Callable[[Source], Any]] = {
    "generator": Source.plain,
    "list": lambda source: list(source.pieces),
    "iterator": lambda source: iter(source.pieces),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("pieces", "given", "verdict", "how"),
    [
        (["good", " ", "", "day"], ["good", " ", "", "day"], "allow", "judged"),
        (["a sec", "ret", " word"], ["a  word"], "redact", "judged"),
        (["Hi. I pro", "mise. Bye."], ["Hi. Please ask a person. ", "Bye."], "revise", "judged"),
        (["for", "bid", "den"], [REPLY], "block", "reply"),
        ([], [], "allow", "judged"),
    ],
    ids=["allow", "redact", "revise", "block", "nothing"],
)
def test_promise_3_a_clean_reply_leaves_in_its_own_pieces(
    pieces: list[str],
    given: list[str],
    verdict: str,
    how: str,
    kind: str,
    guard: Guard,
    records: Records,
) -> None:
    stream = guard.sync.stream(KINDS[kind](Source(*pieces)), prompt="hello")
    assert list(stream) == given
    assert str(stream.decision.verdict) == verdict
    assert records.how() == [("output", verdict, how)]


@given(
    st.lists(
        st.sampled_from(["sec", "ret", "secret", "for", "bidden", "oddly", ". ", "I pro", "mise"]),
        max_size=8,
    ),
    st.data(),
)
def test_promise_4_it_gives_what_an_awaited_stream_gives(
    shared: tuple[Guard, Records], words: list[str], data: st.DataObject
) -> None:
    guard, _ = shared
    text = "".join(words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
    stream = guard.sync.stream(pieces)

    async def awaited() -> tuple[list[str], Any]:
        other = guard.stream(pieces)
        return [piece async for piece in other], other.decision

    given, decision = asyncio.run(awaited())
    assert list(stream) == given
    assert (stream.decision.verdict, stream.decision.findings) == (
        decision.verdict, decision.findings,
    )  # fmt: skip


def test_promise_1_no_piece_leaves_before_all_are_judged(guard: Guard) -> None:
    source = Source("good ", "day ", "forbidden")
    stream = guard.sync.stream(source.plain())
    assert source.taken == 0
    assert next(stream) == REPLY
    assert source.taken == 3
    with pytest.raises(StopIteration):
        next(stream)


def test_the_source_is_gone_through_in_the_callers_thread(guard: Guard) -> None:
    source = Source("good ", "day")
    assert list(guard.sync.stream(source.plain())) == ["good ", "day"]
    assert source.threads == {threading.current_thread().name}


def test_what_it_answers_and_who_asks_go_with_it(tmp_path: Path, records: Records) -> None:
    judge = scripted_critic(passing)
    guard = guard_in(tmp_path, written(JUDGED), critics=[judge], trail=records)
    with context(Context(tenant="shop")):
        stream = guard.sync.stream(["good ", "day"], prompt="hello")
    other = guard.sync.stream(["good"], context=Context(tenant="clinic"))
    assert list(stream) == ["good ", "day"]
    assert list(other) == ["good"]
    assert [part.text for part in judge.asked[0].parts] == ["hello", "good day"]
    assert [record.tenant for record in records.opened] == ["shop", "clinic"]


def test_there_is_no_decision_before_the_end(guard: Guard) -> None:
    stream = guard.sync.stream(["good day"])
    with pytest.raises(GuardrailsError, match="not judged yet"):
        _ = stream.decision
    for _piece in stream:
        assert stream.decision.verdict is Verdict.ALLOW


def test_promise_10_more_than_the_limit_is_not_read(guard: Guard, records: Records) -> None:
    source = Source(*["a" * 1_000] * 20)
    *_, last = guard.sync.stream(source.plain())
    assert last == UNAVAILABLE
    assert source.taken == 6
    assert source.ended
    assert records.how() == [("output", "block", "cut")]


# -- how it ends -----------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [0, 1])
def test_ending_a_stream_lets_go_of_its_source(taken: int, guard: Guard, records: Records) -> None:
    source = Source("good ", "day ", "after")
    pieces = source.plain()
    assert next(pieces) == "good "
    with guard.sync.stream(pieces) as stream:
        for _ in range(taken):
            assert next(stream) == "day "
    assert source.ended
    assert list(stream) == []
    assert records.how() == [("output", "allow", "interrupted")] * taken
    stream.close()


def test_a_loop_that_is_left_closes_the_record_with_the_stream(
    guard: Guard, records: Records
) -> None:
    source = Source("good ", "day ", "after")
    with guard.sync.stream(source.plain()) as stream:
        for _piece in stream:
            break
    assert source.ended
    assert records.how() == [("output", "allow", "interrupted")]


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_stream_that_is_dropped_ends_at_once_without_with(
    is_kept: bool, guard: Guard, records: Records
) -> None:
    """Not when it is found as garbage, which may be on the guard's own thread."""
    source = Source("good ", "day ", "after")
    gc.disable()
    try:
        if is_kept:
            stream = guard.sync.stream(source.plain())
            next(stream)
            del stream
        else:
            for _piece in guard.sync.stream(source.plain()):
                break
        assert source.ended
        assert source.threads == {threading.current_thread().name}
        assert records.how() == [("output", "allow", "interrupted")]
    finally:
        gc.enable()


def test_an_error_of_the_reader_passes_through(guard: Guard, records: Records) -> None:
    source = Source("good ", "day ", "after")

    def reads() -> None:
        with guard.sync.stream(source.plain()) as stream:
            for _piece in stream:
                raise LookupError

    with pytest.raises(LookupError):
        reads()
    assert source.ended
    assert records.how() == [("output", "allow", "interrupted")]


@pytest.mark.parametrize("error", [ConnectionError("gone"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("before", [[], ["Good day. ", "And "]])
def test_an_error_of_the_source_passes_through(
    error: BaseException, before: list[str], guard: Guard, records: Records
) -> None:
    source = Source(*before, error)
    stream = guard.sync.stream(source.plain())
    with pytest.raises(type(error)):
        list(stream)
    assert source.ended
    assert records.how() == ([("output", "allow", "interrupted")] if before else [])
    assert list(stream) == []


def test_promise_9_a_piece_that_is_no_text_is_told_by_its_type(guard: Guard) -> None:
    stream = guard.sync.stream([b"marker"])  # type: ignore[list-item]
    with pytest.raises(WireFormatError, match="bytes") as caught:
        next(stream)
    assert "marker" not in str(caught.value)


def test_an_async_source_is_for_the_other_one(guard: Guard) -> None:
    async def awaited() -> AsyncIterator[str]:
        yield "good"

    with pytest.raises(WireFormatError, match=r"use guard\.stream"):
        guard.sync.stream(awaited())  # type: ignore[arg-type]


def test_promise_1_a_stream_that_cannot_be_recorded_delivers_nothing(tmp_path: Path) -> None:
    stream = guard_in(tmp_path, trail=FailingTrail("open")).sync.stream(["good ", "day"])
    with pytest.raises(AuditError):
        next(stream)
    assert list(stream) == []


def test_a_stream_whose_end_cannot_be_recorded_says_so(tmp_path: Path) -> None:
    stream = guard_in(tmp_path, trail=FailingTrail("close")).sync.stream(["good ", "day"])
    assert [next(stream), next(stream)] == ["good ", "day"]
    with pytest.raises(AuditError):
        next(stream)


# -- loops and threads -----------------------------------------------------------------------------


async def test_it_works_where_a_loop_is_running(guard: Guard, records: Records) -> None:
    """The loop waits meanwhile, as for every check of `guard.sync`."""
    assert list(guard.sync.stream(["a sec", "ret"])) == ["a "]
    assert records.how() == [("output", "redact", "judged")]


def test_on_the_guards_own_loop_it_is_an_error(guard: Guard, records: Records) -> None:
    source = Source("good")

    async def inside() -> None:
        list(guard.sync.stream(source.plain()))

    with pytest.raises(RuntimeError, match="await it instead"):
        run_apart(inside())
    assert source.taken == 0
    assert records.how() == []


def test_many_threads_have_a_stream_each(guard: Guard, records: Records) -> None:
    who = ContextVar("who", default="nobody")

    def said(number: int) -> str:
        who.set(str(number))
        given = "".join(guard.sync.stream([f"good {number} sec", "ret."]))
        assert who.get() == str(number)
        return given

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(said, range(40))) == [f"good {number} ." for number in range(40)]
    assert records.how() == [("output", "redact", "judged")] * 40
