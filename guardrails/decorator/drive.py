"""Taking the steps of a guarded call: with `await`, or in the caller's own thread."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from guardrails.decorator.steps import Ask, Raised, Run, Step, Steps, Tell
from guardrails.guard import Guard

__all__ = ["drive", "drive_async"]

Runs = Callable[..., Any]


async def drive_async(steps: Steps, function: Runs, answer: object = None) -> Any:
    """Take all steps. `answer` is to the step last asked for, if some were taken elsewhere."""
    take = partial(steps.send, answer)
    while True:
        try:
            step = take()
        except StopIteration as end:
            return _given(end.value)
        try:
            take = partial(steps.send, await _do(step, function))
        except BaseException as error:  # CancelledError too: the record is closed, then it goes on
            take = partial(steps.throw, error)


async def _do(step: Step, function: Runs) -> object:
    match step:
        case Ask():
            return await step.work()
        case Tell():
            told = step.listener(step.decision)
            return await told if inspect.isawaitable(told) else told
        case Run():
            return await _outcome(function(*step.arguments.args, **step.arguments.kwargs))


async def _outcome(running: Awaitable[Any]) -> object:
    try:
        return await running
    except BaseException as error:
        return Raised(error)


def drive(steps: Steps, function: Runs, guard: Guard) -> Any:
    """Take all steps in this thread; only the guard's own work is done on its private loop.

    If the function turns out to return an awaitable, one is returned that takes the rest.
    """
    take = partial(steps.send, None)
    while True:
        try:
            step = take()
        except StopIteration as end:
            return _given(end.value)
        try:
            answer = _do_here(step, function, guard)
        except BaseException as error:
            take = partial(steps.throw, error)
            continue
        if isinstance(step, Run) and inspect.isawaitable(answer):
            return _drive_on(steps, function, answer)
        take = partial(steps.send, answer)


def _do_here(step: Step, function: Runs, guard: Guard) -> object:
    match step:
        case Ask():
            return guard.sync.run(step.work())
        case Tell():
            told = step.listener(step.decision)
            return guard.sync.run(told) if inspect.isawaitable(told) else told
        case Run():
            try:
                return function(*step.arguments.args, **step.arguments.kwargs)
            except BaseException as error:
                return Raised(error)


async def _drive_on(steps: Steps, function: Runs, running: Awaitable[Any]) -> Any:
    return await drive_async(steps, function, await _outcome(running))


def _given(value: object) -> object:
    if isinstance(value, Raised):
        raise value.error
    return value
