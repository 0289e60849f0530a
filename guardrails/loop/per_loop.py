"""One client for each event loop, closed when its loop ends.

HTTP clients belong to the loop that they were first used on. A guard is used from any.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Generic, TypeVar

__all__ = ["PerLoop"]

C = TypeVar("C")

CLOSING_S = 5.0
"""How long to wait for another thread's loop to close its client."""
AT_EXIT_S = 1.0


class PerLoop(Generic[C]):
    """Makes a client when a loop first asks for one. Forgotten, it closes those it made.

    (For that no client may lead back here: Python ends what refers to itself in any order.)
    """

    def __init__(
        self, make: Callable[[], Awaitable[C]], close: Callable[[C], Awaitable[None]]
    ) -> None:
        self._make, self._close = make, close
        self._lock = threading.RLock()
        self._held: dict[asyncio.AbstractEventLoop, tuple[C, AsyncGenerator[None]]] = {}
        self._making: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        _living.add(self)

    async def get(self) -> C:
        """The running loop's client."""
        loop = asyncio.get_running_loop()
        if (held := self._held.get(loop)) is not None:
            return held[0]
        with self._lock:
            making = self._making.setdefault(loop, asyncio.Lock())
        async with making:
            if (held := self._held.get(loop)) is not None:  # another task made it meanwhile
                return held[0]
            return await self._begin(loop)

    async def _begin(self, loop: asyncio.AbstractEventLoop) -> C:
        client = await self._make()
        watch = _until_the_end(weakref.ref(self), loop, client, self._close)
        with self._lock:
            for ended in [one for one in (*self._held, *self._making) if one.is_closed()]:
                self._held.pop(ended, None)
                self._making.pop(ended, None)
            self._held[loop] = client, watch
            self._making.pop(loop, None)
        # Loops close their asynchronous generators before they end, `asyncio.run` among them: so
        # does this one's client, without anybody having to say so.
        await anext(watch)
        return client

    async def aclose(self) -> None:
        """Close every loop's client. Whoever asks again gets a new one."""
        here, elsewhere = asyncio.get_running_loop(), []
        for loop, watch in self._let_go():
            if loop is here:
                await watch.aclose()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(_closed(watch), loop)
                elsewhere.append(asyncio.wrap_future(closing))
        if elsewhere:
            await asyncio.wait(elsewhere, timeout=CLOSING_S)

    def close_elsewhere(self) -> None:
        """At the end of the program: what loops that other threads still run have open."""
        for loop, watch in self._let_go():
            if loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(_closed(watch), loop)
                with contextlib.suppress(Exception):
                    closing.result(AT_EXIT_S)

    def forget(self, loop: asyncio.AbstractEventLoop, client: C) -> None:
        with self._lock:
            held = self._held.get(loop)
            if held is not None and held[0] is client:
                del self._held[loop]

    def _let_go(self) -> list[tuple[asyncio.AbstractEventLoop, AsyncGenerator[None]]]:
        with self._lock:
            held, self._held = self._held, {}
        return [(loop, watch) for loop, (_, watch) in held.items()]


async def _until_the_end(
    owner: weakref.ref[PerLoop[C]],
    loop: asyncio.AbstractEventLoop,
    client: C,
    close: Callable[[C], Awaitable[None]],
) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        if (held := owner()) is not None:
            held.forget(loop, client)
            del held
        await close(client)


async def _closed(watch: AsyncGenerator[None]) -> None:
    await watch.aclose()


_living: weakref.WeakSet[PerLoop[Any]] = weakref.WeakSet()
_process = os.getpid()


def _close_all() -> None:
    if os.getpid() == _process:  # a forked one has the loops of its parent, and nobody to run them
        for each in list(_living):
            each.close_elsewhere()


atexit.register(_close_all)
