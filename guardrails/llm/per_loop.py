"""One client for each event loop, closed when its loop ends.

HTTP clients belong to the loop that they were first used on. A guard is used from any.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["PerLoop"]

C = TypeVar("C")

CLOSING_S = 5.0
"""How long to wait for another thread's loop to close its client."""


class PerLoop(Generic[C]):
    """Makes a client when a loop first asks for one."""

    def __init__(self, make: Callable[[], C], close: Callable[[C], Awaitable[None]]) -> None:
        self._make, self._close = make, close
        self._lock = threading.RLock()
        self._held: dict[asyncio.AbstractEventLoop, tuple[C, AsyncGenerator[None]]] = {}

    async def get(self) -> C:
        """The running loop's client."""
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is not None:
            return held[0]
        client = self._make()
        watch = self._until_the_end(loop, client)
        with self._lock:
            for ended in [one for one in self._held if one.is_closed()]:
                del self._held[ended]
            self._held[loop] = client, watch
        # Loops close their asynchronous generators before they end, `asyncio.run` among them: so
        # does this one's client, without anybody having to say so.
        await anext(watch)
        return client

    async def aclose(self) -> None:
        """Close every loop's client. Whoever asks again gets a new one."""
        with self._lock:
            held, self._held = self._held, {}
        here = asyncio.get_running_loop()
        elsewhere = []
        for loop, (_, watch) in held.items():
            if loop is here:
                await watch.aclose()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(_closed(watch), loop)
                elsewhere.append(asyncio.wrap_future(closing))
        if elsewhere:
            await asyncio.wait(elsewhere, timeout=CLOSING_S)

    async def _until_the_end(
        self, loop: asyncio.AbstractEventLoop, client: C
    ) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            with self._lock:
                held = self._held.get(loop)
                if held is not None and held[0] is client:
                    del self._held[loop]
            await self._close(client)


async def _closed(watch: AsyncGenerator[None]) -> None:
    await watch.aclose()
