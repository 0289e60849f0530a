"""Taking the steps of an exchange: with `await`, or in the caller's own thread."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from guardrails.guard import Guard
from guardrails.verdict import Decision

__all__ = ["Ask", "Step", "Steps", "Tell", "drive", "drive_async"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """The guard's own work."""

    work: Callable[[], Awaitable[Any]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tell:
    """A callable of the application, plain or async; it runs where the application does."""

    listener: Callable[[Decision], Any]
    decision: Decision


Step = Ask | Tell
Steps = Generator[Step, Any, T]


async def drive_async(steps: Steps[T]) -> T:
    take: Callable[[], Step] = partial(steps.send, None)
    while True:
        try:
            step = take()
        except StopIteration as end:
            given: T = end.value
            return given
        try:
            take = partial(steps.send, await _done(step))
        except BaseException as error:  # CancelledError too: the steps may have to clean up
            take = partial(steps.throw, error)


async def _done(step: Step) -> object:
    if isinstance(step, Ask):
        return await step.work()
    told = step.listener(step.decision)
    return await told if inspect.isawaitable(told) else told


def drive(steps: Steps[T], guard: Guard) -> T:
    """Take all steps in this thread; only the guard's own work is done on its private loop."""
    take: Callable[[], Step] = partial(steps.send, None)
    while True:
        try:
            step = take()
        except StopIteration as end:
            given: T = end.value
            return given
        try:
            take = partial(steps.send, _done_here(step, guard))
        except BaseException as error:
            take = partial(steps.throw, error)


def _done_here(step: Step, guard: Guard) -> object:
    if isinstance(step, Ask):
        return guard.sync.run(step.work())
    told = step.listener(step.decision)
    return guard.sync.run(told) if inspect.isawaitable(told) else told
