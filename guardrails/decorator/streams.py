"""Guarded generators: the prompt first, then piece after piece while the function still runs."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing
from functools import partial
from typing import Any

from guardrails.decorator.drive import drive, drive_async
from guardrails.decorator.steps import Plan
from guardrails.guard.stream import Flow, follow, follow_async

__all__ = ["stream", "stream_async"]

Runs = Callable[..., Any]


async def stream_async(
    plan: Plan, function: Runs, arguments: inspect.BoundArguments
) -> AsyncGenerator[str, None]:
    """What a caller gets of an async generator. What it returns is not handed on, and nothing can
    be sent to it."""
    async with plan.call(arguments) as call:
        stopped = await drive_async(plan.admit(call, arguments), function)
        if stopped is not None:
            for piece in stopped.value:
                yield piece
            return
        flow = Flow(call, plan.asked(arguments))
        try:
            async with (
                aclosing(function(*arguments.args, **arguments.kwargs)) as source,
                aclosing(follow_async(flow, source)) as pieces,
            ):
                async for piece in pieces:
                    yield piece
            for piece in await drive_async(plan.end(flow), function):
                yield piece
        finally:
            if flow.reply is not None:
                await flow.reply.abandon()


def stream(
    plan: Plan, function: Runs, arguments: inspect.BoundArguments
) -> Generator[str, None, None]:
    """As `stream_async`, in the caller's thread; only the guard's own work is done elsewhere."""
    run = plan.guard.sync.run
    call = plan.call(arguments)
    run(call.__aenter__())
    try:
        stopped = drive(plan.admit(call, arguments), function, plan.guard)
        if stopped is not None:
            yield from stopped.value
            return
        flow = Flow(call, plan.asked(arguments))
        try:
            with (
                closing(function(*arguments.args, **arguments.kwargs)) as source,
                closing(follow(flow, source, run)) as pieces,
            ):
                yield from pieces
            yield from drive(plan.end(flow), function, plan.guard)
        finally:
            if flow.reply is not None:
                run(flow.reply.abandon())
    except BaseException as error:
        run(partial(call.__aexit__, type(error), error, error.__traceback__)())
        raise
    run(call.__aexit__(None, None, None))
