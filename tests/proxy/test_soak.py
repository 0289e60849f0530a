"""Many streams for long, some read slowly, some left: nothing leaks and no record is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from proxy_house import CONSTITUTION, provider, written
from proxy_wire import CHAT, MESSAGES, chat, messages, request
from test_serve_command import Running, options, running

from guardrails.audit.verify import verify
from guardrails.testing import Latency

STREAMS = int(os.environ.get("PROXY_SOAK_STREAMS", "1000"))
SECONDS = float(os.environ.get("PROXY_SOAK_S", "300"))
WARM = 0.3
"""This part of the time is for warming up."""

TEXT = "The garden is watered in the morning, and the gate is closed at night. " * 6
GROWTH = 1.25
"""What memory may grow by after warming up; a leak of one stream in ten shows as more."""


class Crowd:
    """Clients that ask, read or leave, and ask again."""

    def __init__(self, port: int, until: float) -> None:
        self._port, self._until = port, until
        self._chance = random.Random(7)
        self.ends: Counter[str] = Counter()

    async def one(self) -> None:
        while time.monotonic() < self._until:
            try:
                async with asyncio.timeout(60):
                    self.ends[await self._ask()] += 1
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                self.ends[type(error).__name__] += 1

    async def _ask(self) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            is_chat = self._chance.random() < 0.5
            body = chat(stream=True) if is_chat else messages(stream=True)
            writer.write(request(CHAT if is_chat else MESSAGES, body))
            way = self._chance.random()
            if way < 0.2:
                await asyncio.sleep(self._chance.random())
                writer.transport.abort()
                return "left"
            data = b""
            while piece := await reader.read(300 if way < 0.4 else 65_536):
                data = data[-2_000:] + piece
                if way < 0.4:
                    await asyncio.sleep(0.05)
                if data.endswith(b"0\r\n\r\n"):
                    return "read"
            return "broken"
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def resident(pid: int) -> float:
    """In MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.proof
@pytest.mark.timeout(0)
async def test_nothing_leaks(tmp_path: Path) -> None:
    record = tmp_path / "audit.db"
    written(tmp_path, CONSTITUTION)
    latency = Latency(first_ms=100, per_token_ms=20, chunk_tokens=4)
    environ = {"GUARDRAILS_AUDIT": str(record)}
    with (
        provider(TEXT, latency=latency, keep=10) as upstream,
        running(*options(upstream, tmp_path), folder=tmp_path, environ=environ) as run,
    ):
        pid = run.process.pid
        crowd = Crowd(run.port, time.monotonic() + SECONDS)
        before = descriptors(pid)
        asking = [asyncio.create_task(crowd.one()) for _ in range(STREAMS)]
        sizes = await _watched(pid)
        await asyncio.gather(*asking)
        await _quiet(run)
        assert crowd.ends["read"] > STREAMS / 2, crowd.ends
        assert crowd.ends["left"] > 0, crowd.ends
        for _ in range(60):  # connections to the provider are kept for a while
            if descriptors(pid) <= before + 20:
                break
            await asyncio.sleep(1)
        assert descriptors(pid) <= before + 20
        assert max(sizes[-5:]) <= GROWTH * max(sizes[:5]), sizes
        run.tell(signal.SIGTERM)
        assert await asyncio.to_thread(run.process.wait, 60) == 0
    verified = verify(record, key=tmp_path / "key")
    assert verified.ok, verified
    assert verified.unclosed_count == 0


async def _watched(pid: int) -> list[float]:
    """The process's memory once it is warm, twenty times until the end."""
    await asyncio.sleep(SECONDS * WARM)
    sizes = []
    for _ in range(20):
        await asyncio.sleep(SECONDS * (1 - WARM) / 20)
        sizes.append(resident(pid))
    return sizes


async def _quiet(run: Running) -> None:
    """Until nothing is under way any more."""
    for _ in range(200):
        text = (await asyncio.to_thread(run.operations, "/metrics")).body.decode()
        if "guardrails_proxy_in_flight 0.0" in text:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("requests are still under way")
