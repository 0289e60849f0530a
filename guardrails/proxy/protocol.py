"""uvicorn's HTTP protocol, bounded where it is not: how long and large a request's head may be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, MutableMapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from guardrails.proxy.answers import error_body
from guardrails.proxy.config import Limits
from guardrails.proxy.passage import ABORT, LEFT

__all__ = ["bounded_protocol"]

PHRASES: Mapping[int, str] = {
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
}


def bounded_protocol(limits: Limits) -> type[HttpToolsProtocol]:
    """The protocol's class, for these limits. Source: uvicorn 0.54, which arms a clock for idle
    connections only once a response is out, and takes heads of any length."""

    class BoundedProtocol(HttpToolsProtocol):
        _in_head = True
        _head_bytes = 0
        _clock: asyncio.TimerHandle | None = None

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self._under_way: list[MutableMapping[str, Any]] = []

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.abort()
                return
            self._clock = self.loop.call_later(limits.header_s, self._too_slow)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_clock()
            super().connection_lost(exc)
            for scope in self._under_way:
                if (left := scope.get(LEFT)) is not None:
                    left()

        def data_received(self, data: bytes) -> None:
            if self._in_head:
                self._head_bytes += len(data)
            super().data_received(data)
            if self._in_head and self._head_bytes > limits.header_bytes + 8_192:
                self._end(431, "the request's head is too long")

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._in_head, self._head_bytes = True, 1
            if self._clock is None:
                self._clock = self.loop.call_later(limits.header_s, self._too_slow)

        def on_headers_complete(self) -> None:
            self._in_head = False
            self._stop_clock()
            if self.cycle is None or self.cycle.response_complete:
                self._under_way.clear()
            super().on_headers_complete()
            scope: MutableMapping[str, Any] = self.scope  # type: ignore[assignment]
            self._under_way.append(scope)
            scope[ABORT] = self.transport.abort
            if not self.url.startswith(b"/"):
                scope["path"] = self.url.decode("latin-1")  # no path of ours: the gate refuses it

        def timeout_keep_alive_handler(self) -> None:
            """A client that does not take its response is not waited for."""
            if not self.transport.is_closing() and self.transport.get_write_buffer_size():
                self.loop.call_later(limits.write_s, self.transport.abort)
            super().timeout_keep_alive_handler()

        def _stop_clock(self) -> None:
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None

        def _too_slow(self) -> None:
            self._clock = None
            if self._head_bytes:
                self._end(408, "the request's head did not come in time")
            else:
                self.transport.close()

        def _end(self, status: int, message: str) -> None:
            if self.transport.is_closing():
                return
            body = json.dumps(error_body(status, message, None, "")).encode()
            head = (
                f"HTTP/1.1 {status} {PHRASES[status]}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode("ascii") + body)
            self.transport.close()

    return BoundedProtocol
