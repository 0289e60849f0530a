"""uvicorn's HTTP protocol, bounded where it is not: how long and large a request's head and
trailers may be, and how long a connection stays on which nothing is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, MutableMapping
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from guardrails.proxy.answers import error_body, named
from guardrails.proxy.config import Limits
from guardrails.proxy.passage import ABORT, LEFT, request_id_of
from guardrails.telemetry import log

__all__ = ["bounded_protocol"]

PHRASES: Mapping[int, str] = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
}

WISHES = frozenset({b"upgrade", b"http2-settings"})
"""Of a request for another protocol: what is left out to have it answered in this one."""

DROPPED_BYTES = 1 << 20
DROPPED_S = 5
"""How much of a body still comes, and how long, whose request is answered already: closed at once,
the connection would be reset while the client sends, and it might not read its answer."""


def bounded_protocol(limits: Limits) -> type[HttpToolsProtocol]:
    """The protocol's class, for these limits. Source: uvicorn 0.54, which arms a clock for idle
    connections only once a response is out, and takes heads of any length."""

    class BoundedProtocol(HttpToolsProtocol):
        _in_head = True
        _head_bytes = 0
        _in_body = False
        _silent_bytes = 0  # since the body's last byte: trailers, and what chunks say of themselves
        _dropped_bytes = 0
        _is_deaf = False
        _idle_until = 0.0
        _clock: asyncio.TimerHandle | None = None

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self._cycles: list[RequestResponseCycle] = []

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.abort()
                return
            self._clock = self.loop.call_later(limits.header_s, self._too_slow)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_clock()
            super().connection_lost(exc)
            for cycle in self._cycles:
                if (left := _scope(cycle).get(LEFT)) is not None:
                    left()

        def data_received(self, data: bytes) -> None:
            if self._is_deaf or self._is_dropping():
                self._dropped_bytes += len(data)
                if self._dropped_bytes > DROPPED_BYTES:
                    self._close()
                    return
            if self._is_deaf:
                return
            if self._in_head:
                self._head_bytes += len(data)
            self._silent_bytes += len(data)
            self._unset_keepalive_if_required()
            self._feed(data)
            if self._in_head and self._head_bytes > limits.header_bytes + 8_192:
                self._end(431, "the request's head is too long")
            elif self._in_body and self._silent_bytes > limits.header_bytes:
                self._end(431, "the request's trailers are too long")
            self._arm()

        def _feed(self, data: bytes) -> None:
            left: bytes | None = data
            while left is not None:
                left = self._read(left)

        def _read(self, data: bytes) -> bytes | None:
            """What is to be read after it, if anything."""
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if self.parser.get_method() != b"CONNECT":
                    return self._without_wish() + data[upgrade.args[0] :]
                self.send_400_response("CONNECT is not served.")
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
            return None

        def _without_wish(self) -> bytes:
            """The head of who would like another protocol, and gets this one. The parser has taken
            it for the whole request, and would take its body for the next one."""
            method = self.parser.get_method()
            version = self.parser.get_http_version().encode("ascii")
            fields = b"".join(
                b"%b: %b\r\n" % field for field in self.headers if field[0] not in WISHES
            )
            self.parser = httptools.HttpRequestParser(self)
            return b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, fields)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._in_head, self._head_bytes = True, 1
            if self._clock is None:
                self._clock = self.loop.call_later(limits.header_s, self._too_slow)

        def on_header(self, name: bytes, value: bytes) -> None:
            """Trailers are dropped: whoever looked at the headers has not seen them."""
            if self._in_head:
                super().on_header(name, value)

        def on_headers_complete(self) -> None:
            if self.parser.should_upgrade():
                return
            self._in_head, self._in_body = False, True
            self._silent_bytes = self._dropped_bytes = 0
            self._stop_clock()
            self._cycles = self._unanswered()
            super().on_headers_complete()
            self._cycles.append(self.cycle)
            scope = _scope(self.cycle)
            scope["headers"] = tuple(scope["headers"])
            scope[ABORT] = self.transport.abort
            if not self.url.startswith(b"/"):
                scope["path"] = self.url.decode("latin-1")  # no path of ours: the gate refuses it

        def on_body(self, body: bytes) -> None:
            self._silent_bytes = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            if self.parser.should_upgrade():
                return
            super().on_message_complete()
            self._in_body = False
            self._idle_until = self.loop.time() + self.timeout_keep_alive

        def on_response_complete(self) -> None:
            wait_s = DROPPED_S if self._in_body else self.timeout_keep_alive
            self._idle_until = self.loop.time() + wait_s
            super().on_response_complete()
            if self._in_body or self._in_head:
                self._arm()  # not as uvicorn has just done
            if self.transport.is_closing():
                self._close()

        def timeout_keep_alive_handler(self) -> None:
            self._close()

        def send_400_response(self, msg: str) -> None:
            self._end(400, msg)

        def _unanswered(self) -> list[RequestResponseCycle]:
            return [cycle for cycle in self._cycles if not cycle.response_complete]

        def _is_dropping(self) -> bool:
            """Whether what comes is the body of a request that is answered."""
            return self._in_body and self.cycle.response_complete

        def _arm(self) -> None:
            """The clock of an idle connection, which uvicorn stops at any byte, so that one that
            asks nothing stays for ever."""
            self._unset_keepalive_if_required()
            if self._in_head or self._unanswered() or self.transport.is_closing():
                return
            self.timeout_keep_alive_task = self.loop.call_at(
                self._idle_until, self.timeout_keep_alive_handler
            )

        def _stop_clock(self) -> None:
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None

        def _too_slow(self) -> None:
            self._clock = None
            if self._head_bytes:
                self._end(408, "the request's head did not come in time")
            else:
                self._close()

        def _close(self) -> None:
            """A client that does not take its response is not waited for."""
            if self.transport.get_write_buffer_size():
                self.loop.call_later(limits.write_s, self.transport.abort)
            self.transport.close()

        def _end(self, status: int, message: str) -> None:
            """Take nothing more, and say why unless that would stand in another answer's place."""
            if self._is_deaf or self.transport.is_closing():
                return
            self._is_deaf = True
            self._stop_clock()
            under_way = self._unanswered()
            if under_way and (len(under_way) > 1 or not self._in_body):
                if self._in_body:  # the newest will never be whole
                    under_way.remove(self.cycle)
                    self.pipeline.popleft()
                under_way[-1].keep_alive = False
                return
            if under_way and under_way[0].response_started:
                self._close()
                return
            request_id = request_id_of(None)
            log.info("a request was refused", status=status, why=message, request=request_id)
            body = json.dumps(error_body(status, message, None, request_id)).encode()
            ids = b"".join(b"%b: %b\r\n" % field for field in named(request_id))
            head = (
                f"HTTP/1.1 {status} {PHRASES[status]}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nguardrails-request-id: {request_id}\r\n"
            )
            end = b"connection: close\r\n\r\n"
            self.transport.write(head.encode("ascii") + ids + end + body)
            self._close()

    return BoundedProtocol


def _scope(cycle: RequestResponseCycle) -> MutableMapping[str, Any]:
    return cycle.scope  # type: ignore[return-value]  # a TypedDict, that takes no keys of ours
