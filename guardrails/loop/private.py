"""One event loop of our own, in a thread of its own, for callers that have none.

Made when it is first needed; a forked process makes a new one. What ends a loop elsewhere
(SystemExit out of a task, `loop.stop()`) does not end this one; should it break for all that,
whoever waits is told and the next caller gets a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from collections.abc import Awaitable, Coroutine
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

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
        self._waiting: set[Future[Any]] = set()

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
        done: Future[T] = Future()
        context = contextvars.copy_context()
        tasks: list[asyncio.Task[T]] = []

        with self._lock:
            loop = self._running()
            self._waiting.add(done)
        done.add_done_callback(self._waiting.discard)

        def begin() -> None:
            task = loop.create_task(_awaited(work), context=context)
            tasks.append(task)
            task.add_done_callback(lambda task: _hand_over(task, done))

        loop.call_soon_threadsafe(begin)
        return done, tasks, loop

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._serve, args=(loop,), name="guardrails-sync", daemon=True
            )
            self._thread.start()
            self._loop = loop
        return self._loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while True:
                # It comes back where somebody stopped it: there are others who wait.
                with contextlib.suppress(SystemExit, KeyboardInterrupt):  # told to whom it is about
                    loop.run_forever()
        finally:
            self._end()

    def _end(self) -> None:
        """The loop is broken: fail what was left to it."""
        with self._lock:
            left, self._waiting = self._waiting, set()
            self._loop = self._thread = None
        for done in tuple(left):  # which is left by what is done
            with contextlib.suppress(InvalidStateError):
                done.set_exception(RuntimeError("the event loop of guard.sync broke down"))

    def forget(self) -> None:
        """After a fork: the thread is the parent's."""
        self._lock = threading.Lock()
        self._loop = self._thread = None
        self._waiting = set()


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _hand_over(task: asyncio.Task[T], done: Future[T]) -> None:
    if done.done():
        return
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
