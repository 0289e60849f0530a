"""The same checks without `await`: they run on a private loop in a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Awaitable, Coroutine, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from guardrails.exchange import Context, Part, current_context
from guardrails.verdict import Decision, Stage

if TYPE_CHECKING:
    from guardrails.guard import Guard

__all__ = ["SyncGuard", "run_apart"]

T = TypeVar("T")


class SyncGuard:
    """A guard for callers that cannot await. Every check waits in the caller's own thread."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def check_input(self, content: object, *, context: Context | None = None) -> Decision:
        """As `Guard.check_input`."""
        return self.run(self._guard.check_input(content, context=context or current_context()))

    def check_output(
        self, reply: object, *, prompt: object = None, context: Context | None = None
    ) -> Decision:
        """As `Guard.check_output`."""
        return self.run(
            self._guard.check_output(reply, prompt=prompt, context=context or current_context())
        )

    def check(
        self,
        parts: Sequence[Part] | object,
        *,
        stage: Stage | str,
        prompt: object = None,
        context: Context | None = None,
    ) -> Decision:
        """As `Guard.check`."""
        return self.run(
            self._guard.check(
                parts, stage=stage, prompt=prompt, context=context or current_context()
            )
        )

    def check_tool_call(
        self,
        name: str,
        arguments: object,
        *,
        prompt: object = None,
        context: Context | None = None,
    ) -> Decision:
        """As `Guard.check_tool_call`."""
        return self.run(
            self._guard.check_tool_call(
                name, arguments, prompt=prompt, context=context or current_context()
            )
        )

    def close(self) -> None:
        """As `Guard.aclose`."""
        self.run(self._guard.aclose())

    def run(self, work: Awaitable[T]) -> T:
        """Do some work of the guard's on the private loop, and wait for it."""
        return run_apart(work)


def run_apart(work: Awaitable[T]) -> T:
    """Await something on the process's private loop, in the caller's context variables.

    Raises RuntimeError on that loop's own thread, which would wait for itself.
    """
    return _private.run(work)


class _PrivateLoop:
    """One loop in one daemon thread for all guards of the process; made when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Awaitable[T]) -> T:
        if threading.current_thread() is self._thread:
            if isinstance(work, Coroutine):
                work.close()
            raise RuntimeError("guard.sync inside a callback of the guard's own: await it instead")
        loop = self._running()
        done: Future[T] = Future()
        context = contextvars.copy_context()
        tasks: list[asyncio.Task[T]] = []

        def start() -> None:
            task = loop.create_task(_awaited(work), context=context)
            tasks.append(task)
            task.add_done_callback(lambda task: _hand_over(task, done))

        loop.call_soon_threadsafe(start)
        try:
            return done.result()
        except BaseException:
            if not done.done():  # the caller was interrupted: nobody waits any more
                loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="guardrails-sync", daemon=True
                )
                self._thread.start()
            return self._loop

    def forget(self) -> None:
        """After a fork: the thread is the parent's."""
        self._lock = threading.Lock()
        self._loop = self._thread = None


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _hand_over(task: asyncio.Task[T], done: Future[T]) -> None:
    if task.cancelled():
        done.cancel()
        done.set_running_or_notify_cancel()
    elif (error := task.exception()) is not None:
        done.set_exception(error)
    else:
        done.set_result(task.result())


_private = _PrivateLoop()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_private.forget)
