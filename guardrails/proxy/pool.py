"""Connections to providers: one answer for each request, and none that nobody asked for.

aiohttp 3.14 gives a pooled connection to the next request whatever came on it meanwhile, so that an
answer sent twice, or late, would be another client's. What tells is not of its public interface:
should a release name it otherwise, connections take no second answer, or none (`hears`).
"""

from __future__ import annotations

import asyncio
import functools
import select
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

__all__ = ["OneAnswerConnector"]

MOST_INTERIM = 20
"""Responses of 1xx before the answer; aiohttp takes any number, and gives nobody else a turn."""


class _Connection(ResponseHandler):
    def __init__(self, loop: asyncio.AbstractEventLoop, heard: Callable[[], None]) -> None:
        super().__init__(loop)
        self.is_idle, self.is_asked = False, True
        self._heard = heard
        self._interim = 0

    def data_received(self, data: bytes) -> None:
        if self.is_idle and data:
            self._refuse()
            return
        super().data_received(data)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """One message: its head, and its body to come."""
        self._heard()
        if not self.is_asked:  # another one has come, perhaps in the same piece
            self._refuse()
            return
        if 100 <= data[0].code < 200:
            self._interim += 1
            if self._interim > MOST_INTERIM:
                self._refuse()
                self.set_exception(HttpProcessingError(message="too many interim responses"))
                return
        else:
            self.is_asked, self._interim = False, 0
        super().feed_data(data, size)

    def _refuse(self) -> None:
        self.force_close()
        if self.transport is not None:
            self.transport.close()

    def is_clean(self) -> bool:
        """Whether nothing came since the last answer, and nothing waits to be read: a token of
        TLS's own, too, costs no more than a new connection."""
        if self.should_close or self.transport is None:
            return False
        bound = self.transport.get_extra_info("socket")
        if bound is None or bound.fileno() < 0:
            return False
        if not hasattr(select, "poll"):
            return False
        poll = select.poll()
        poll.register(bound.fileno(), select.POLLIN)
        return not poll.poll(0)


class OneAnswerConnector(aiohttp.TCPConnector):
    """On the loop that runs. `hears` whether connections see the answers that come on them: where
    one has come and this is false, aiohttp is a release in which nothing here has an effect."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.hears = False
        made = functools.partial(_Connection, loop=self._loop, heard=self._heard)
        self._factory = made  # type: ignore[assignment]  # partial is invariant

    async def _get(self, key: Any, traces: Any) -> Any:
        while (found := await super()._get(key, traces)) is not None:
            protocol = found.protocol
            if isinstance(protocol, _Connection) and protocol.is_clean():
                protocol.is_idle, protocol.is_asked = False, True
                return found
            found.close()
        return None

    def _heard(self) -> None:
        self.hears = True

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        protocol.is_idle = True
        super()._release(key, protocol, should_close=should_close)
