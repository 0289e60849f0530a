"""Pieces that wait for their verdict: no lies, no end of nothing, and others get their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from guard_samples import UNAVAILABLE, Records

from guardrails.decorator import guarded
from guardrails.errors import WireFormatError
from guardrails.guard import Guard
from guardrails.guard.stream import MOST_EMPTY


class Lying(str):
    def __str__(self) -> str:
        return "harmless"

    def __len__(self) -> int:
        return 0


class Short(str):
    """Says it has nothing to count."""

    def __len__(self) -> int:
        return 0


def ever(piece: str) -> Iterator[str]:
    while True:
        yield piece


async def ever_async(piece: str) -> AsyncIterator[str]:
    while True:
        yield piece


async def streamed(guard: Guard, pieces: Any) -> list[str]:
    return [piece async for piece in guard.stream(pieces())]


async def yielded(guard: Guard, pieces: Callable[[], Iterator[str]]) -> list[str]:
    @guarded(guard)
    def answer(question: str) -> Iterator[str]:
        yield from pieces()

    return await asyncio.to_thread(lambda: list(answer("hello")))


async def yielded_async(guard: Guard, pieces: Any) -> list[str]:
    @guarded(guard)
    async def answer(question: str) -> AsyncIterator[str]:
        made = pieces()
        if hasattr(made, "__aiter__"):
            async for piece in made:
                yield piece
        else:
            for piece in made:
                yield piece

    return [piece async for piece in answer("hello")]


WAYS = pytest.mark.parametrize("way", [streamed, yielded, yielded_async])


@WAYS
async def test_promise_1_a_piece_that_says_others_than_it_has_is_refused(
    way: Any, guard: Guard
) -> None:
    with pytest.raises(WireFormatError, match="not of Lying"):
        await way(guard, lambda: iter(["good ", Lying("forbidden")]))


@WAYS
async def test_promise_10_a_pieces_own_length_is_not_believed(way: Any, guard: Guard) -> None:
    given = await way(guard, lambda: ever(Short("a" * 100)))
    assert len(given) < 60
    assert given[-1] == UNAVAILABLE


@pytest.mark.parametrize(
    ("way", "most"), [(streamed, MOST_EMPTY), (yielded, 1_000), (yielded_async, 1_000)]
)
async def test_promise_10_nothing_without_end_is_refused(
    way: Any, most: int, guard: Guard, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardrails.guard.stream.MOST_EMPTY", most)
    with pytest.raises(WireFormatError, match=f"more than {most:,} of the pieces are empty"):
        await way(guard, lambda: ever(""))
    assert "judged" not in [how for stage, _, how in records.how() if stage == "output"]


@WAYS
async def test_promise_3_empty_pieces_come_back_as_they_came(way: Any, guard: Guard) -> None:
    pieces = ["", "good", *[""] * 2_000, " day", ""]
    assert await way(guard, lambda: iter(pieces)) == pieces


@pytest.mark.parametrize("way", [streamed, yielded_async])
async def test_a_source_that_never_waits_can_be_cancelled(
    way: Any, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardrails.guard.stream.MOST_EMPTY", 10**9)
    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await way(guard, lambda: ever_async(""))
    assert MOST_EMPTY < 10**9
