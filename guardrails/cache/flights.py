"""Identical questions under way share one answer.

Whoever boards first leads: it finds out what has to be asked, and launches. The asking is a task of
nobody in particular: it goes on while anybody waits for it, whoever else was cancelled.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["Flights", "Seat"]

T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(self, name: bytes, under_way: dict[bytes, _Flight[T]]) -> None:
        self.name, self.under_way = name, under_way
        self.landing: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None
        self.aboard = 0

    def end(self, result: T | None) -> None:
        """Tell all aboard; None: nobody found out."""
        self.forget()
        if not self.landing.done():
            self.landing.set_result(result)

    def forget(self) -> None:
        if self.under_way.get(self.name) is self:
            del self.under_way[self.name]

    async def fly(self, work: Coroutine[Any, Any, T]) -> None:
        try:
            result = await work
        except asyncio.CancelledError:
            self.end(None)
            raise
        except Exception as error:  # is raised where it is waited for
            self.forget()
            if not self.landing.done():
                self.landing.set_exception(error)
                self.landing.exception()  # they may all have left
        else:
            self.end(result)


class Seat(Generic[T]):
    """One caller's place. Every seat has to be left at the end, whatever happened."""

    def __init__(self, flight: _Flight[T], *, leads: bool) -> None:
        self._flight, self.leads = flight, leads
        self._left = False
        flight.aboard += 1

    def launch(self, work: Coroutine[Any, Any, T]) -> None:
        """For who leads, once: find out for all aboard."""
        flight = self._flight
        flight.task = asyncio.get_running_loop().create_task(flight.fly(work))

    def land(self, result: T) -> None:
        """For who leads and knows already."""
        self._flight.end(result)

    async def arrival(self) -> T | None:
        """What was found out. None if who led gave up: then board again. Raises what the work
        raised."""
        await asyncio.wait([self._flight.landing])
        return self._flight.landing.result()

    def leave(self) -> None:
        if self._left:
            return
        self._left = True
        flight = self._flight
        flight.aboard -= 1
        if flight.landing.done():
            return
        if flight.task is None:
            if self.leads:
                flight.end(None)
        elif flight.aboard == 0:
            flight.forget()
            flight.task.cancel()


class Flights(Generic[T]):
    """What is under way, for each loop by itself: loops cannot wait for one another."""

    def __init__(self) -> None:
        self._loops: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[bytes, _Flight[T]]
        ] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def board(self, name: bytes) -> Seat[T]:
        """Join what is under way by that name, or lead."""
        with self._lock:
            under_way = self._loops.setdefault(asyncio.get_running_loop(), {})
        flight = under_way.get(name)
        if flight is not None:
            return Seat(flight, leads=False)
        flight = under_way[name] = _Flight(name, under_way)
        return Seat(flight, leads=True)

    def __len__(self) -> int:
        """How many are under way on the running loop."""
        return len(self._loops.get(asyncio.get_running_loop(), ()))
