"""A real server on loopback, in the test's own loop, and a client that hides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h11
import uvicorn
from asgi_house import App

LIMIT_S = 20


class Server(uvicorn.Server):
    """Tells when it has started, and leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up, self.end = asyncio.Event(), asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        """Ends at once when told to, without looking ten times a second."""
        await self.on_tick(0)
        await self.end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it, but for a tenth of a second that it waits whatever happens."""
        self.should_exit = True
        for listening in (*self.servers, *(sockets or [])):
            listening.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        while state.connections or state.tasks:  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.001)
        await self.lifespan.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: App, **options: Any) -> AsyncIterator[int]:
    """The port on which it answers. At the end, no task that it started is left."""
    before = asyncio.all_tasks()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    port: int = listening.getsockname()[1]
    said: dict[str, Any] = {"log_level": "critical", "timeout_graceful_shutdown": 5, **options}
    server = Server(uvicorn.Config(app, **said))  # type: ignore[arg-type]
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.wait_for(server.up.wait(), LIMIT_S)
        yield port
    finally:
        server.end.set()
        await asyncio.wait_for(task, LIMIT_S)
    for _ in range(50):
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        if not left:
            return
        await asyncio.sleep(0)
    assert not left, f"tasks were left: {left}"


@dataclass
class Got:
    """A response as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def verdict(self) -> str | None:
        return self.headers.get("guardrails-verdict")

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def get(self, method: str = "POST") -> Got:
        """The next response. `method` is what was asked with, for HEAD has no body."""
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("host", "h")]))
        parser.send(h11.EndOfMessage())
        start: h11.Response | None = None
        body = b""
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(await asyncio.wait_for(self._some(), LIMIT_S))
            elif isinstance(event, h11.Response):
                start = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                raise ConnectionError(f"no response, but {event!r}")
        assert start is not None
        self._rest = parser.trailing_data[0]
        headers: dict[str, str] = {}
        for name, value in start.headers:
            key, said = name.decode(), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {said}" if key in headers else said
        return Got(start.status_code, headers, body)

    _rest = b""

    async def _some(self) -> bytes:
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        return await self.reader.read(65_536)

    async def leave(self) -> None:
        self.writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def request_bytes(
    target: str,
    body: bytes | Sequence[bytes] = b"",
    *,
    method: str = "POST",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
) -> bytes:
    """A sequence of pieces is sent in chunks."""
    items = list(headers.items() if isinstance(headers, Mapping) else headers)
    named = {name.lower() for name, _ in items}
    if "host" not in named:
        items.insert(0, ("host", "localhost"))
    if isinstance(body, bytes):
        if "content-length" not in named and (body or method != "GET"):
            items.append(("content-length", str(len(body))))
        sent = body
    else:
        items.append(("transfer-encoding", "chunked"))
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in body if piece]
        sent = b"".join([*chunks, b"0\r\n\r\n"])
    head = "".join(f"{name}: {value}\r\n" for name, value in items)
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + sent


async def ask(
    port: int,
    target: str = "/chat",
    body: bytes | str | Sequence[bytes] = b"",
    *,
    method: str = "POST",
    media_type: str | None = "text/plain",
    headers: Mapping[str, str] | None = None,
) -> Got:
    if isinstance(body, str):
        body = body.encode()
    items = list((headers or {}).items())
    if media_type is not None:
        items.append(("content-type", media_type))
    async with connected(port) as client:
        await client.send(request_bytes(target, body, method=method, headers=items))
        return await client.get(method)
