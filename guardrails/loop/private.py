"""One event loop of our own, in a thread of its own, for callers that have none.

Made when it is first needed; a forked process makes a new one.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Awaitable, Coroutine
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["run_apart", "start_apart"]

T = TypeVar("T")


def run_apart(work: Awaitable[T]) -> T:
    """Await something on the private loop, in the caller's context variables.

    Raises RuntimeError on that loop's own thread, which would wait for itself.
    """
    return _private.run(work)


def start_apart(work: Awaitable[T]) -> Future[T]:
    """Start something on the private loop and do not wait for it."""
    return _private.start(work)[0]


class _PrivateLoop:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Awaitable[T]) -> T:
        if threading.current_thread() is self._thread:
            if isinstance(work, Coroutine):
                work.close()
            raise RuntimeError("guard.sync inside a callback of the guard's own: await it instead")
        done, tasks, loop = self.start(work)
        try:
            return done.result()
        except BaseException:
            if not done.done():  # the caller was interrupted: nobody waits any more
                loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
            raise

    def start(
        self, work: Awaitable[T]
    ) -> tuple[Future[T], list[asyncio.Task[T]], asyncio.AbstractEventLoop]:
        """The outcome to come, the task once there is one, and the loop that it runs on."""
        loop = self._running()
        done: Future[T] = Future()
        context = contextvars.copy_context()
        tasks: list[asyncio.Task[T]] = []

        def begin() -> None:
            task = loop.create_task(_awaited(work), context=context)
            tasks.append(task)
            task.add_done_callback(lambda task: _hand_over(task, done))

        loop.call_soon_threadsafe(begin)
        return done, tasks, loop

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
