"""Identical questions under way: one is asked, whoever waits, leaves, or gives up."""

from __future__ import annotations

import asyncio

import pytest

from guardrails.cache.flights import Flights, Seat

NAME = b"n"


class Work:
    """Something that is found out once the test says so."""

    def __init__(self) -> None:
        self.began = 0
        self.cancelled = 0
        self.go = asyncio.Event()

    async def __call__(self, result: str = "found") -> str:
        self.began += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return result


async def waiting(seat: Seat[str]) -> str | None:
    try:
        return await seat.arrival()
    finally:
        seat.leave()


async def test_who_boards_first_leads_and_all_arrive() -> None:
    flights, work = Flights[str](), Work()
    seats = [flights.board(NAME) for _ in range(5)]
    assert [seat.leads for seat in seats] == [True, False, False, False, False]
    assert flights.board(b"another").leads
    seats[0].launch(work())
    tasks = [asyncio.ensure_future(waiting(seat)) for seat in seats]
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(*tasks) == ["found"] * 5
    assert work.began == 1
    assert flights.board(NAME).leads, "nothing is kept"


@pytest.mark.parametrize("who", [0, 1], ids=["the leader", "a follower"])
async def test_one_who_is_cancelled_cancels_nobody_else(who: int) -> None:
    flights, work = Flights[str](), Work()
    seats = [flights.board(NAME) for _ in range(3)]
    seats[0].launch(work())
    tasks = [asyncio.ensure_future(waiting(seat)) for seat in seats]
    await asyncio.sleep(0)
    tasks[who].cancel()
    await asyncio.sleep(0)
    work.go.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(done.pop(who), asyncio.CancelledError)
    assert done == ["found"] * 2
    assert work.cancelled == 0


async def test_the_work_ends_when_nobody_waits() -> None:
    flights, work = Flights[str](), Work()
    seats = [flights.board(NAME) for _ in range(2)]
    seats[0].launch(work())
    tasks = [asyncio.ensure_future(waiting(seat)) for seat in seats]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    again = flights.board(NAME)
    assert again.leads, "nobody boards what is ending"
    await asyncio.sleep(0)
    assert work.cancelled == 1
    again.launch(work("later"))
    work.go.set()
    assert await waiting(again) == "later"
    assert len(flights) == 0


async def test_who_gives_up_before_the_launch_tells_the_others() -> None:
    flights = Flights[str]()
    first, second = flights.board(NAME), flights.board(NAME)
    first.leave()
    assert await waiting(second) is None
    assert flights.board(NAME).leads


async def test_a_failure_is_shared_and_not_kept() -> None:
    flights = Flights[str]()
    seats = [flights.board(NAME) for _ in range(3)]

    async def fails() -> str:
        await asyncio.sleep(0)
        raise ValueError("no")

    seats[0].launch(fails())
    done = await asyncio.gather(*map(waiting, seats), return_exceptions=True)
    assert [type(each) for each in done] == [ValueError] * 3
    assert flights.board(NAME).leads


async def test_what_is_known_already_lands_without_a_flight() -> None:
    flights = Flights[str]()
    first, second = flights.board(NAME), flights.board(NAME)
    first.land("known")
    assert await asyncio.gather(waiting(first), waiting(second)) == ["known"] * 2


def test_loops_do_not_wait_for_one_another() -> None:
    flights = Flights[str]()

    async def leads() -> bool:
        return flights.board(NAME).leads  # and is never left: the loop ends first

    assert asyncio.run(leads())
    assert asyncio.run(leads())
