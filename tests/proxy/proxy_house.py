"""A proxy on a real port, in a thread of its own, before a fake provider; a small constitution."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardrails.audit.record import delivery_fault
from guardrails.audit.trail import MemoryTrail
from guardrails.proxy.config import ServeConfig
from guardrails.proxy.server import Proxy, Serving, loop_factory, make_proxy
from guardrails.proxy.tracing import Tracing
from guardrails.settings import Settings
from guardrails.testing import FakeProvider, FixedClock

CONSTITUTION = """
schema: 1
id: house
version: 1.0.0
budget: {max_chars: 1000000}
replies: {blocked: "No, not here."}
principles:
  - {id: house.forbidden, text: Says nothing forbidden., stages: [input, output],
     action: block, critics: [pattern: {breach: [forbidden]}]}
  - {id: house.secret, text: Keeps the secret., stages: [input, output],
     action: redact, critics: [pattern: {breach: [secret]}]}
  - id: house.promise
    text: Promises nothing.
    action: revise
    critics: [pattern: {breach: ['I promise']}]
    remedy: {replace_sentence: "Please ask a person."}
"""
REPLY = "No, not here."
KEY = "key-of-a-client-0123456789"
LIMIT_S = 20

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Records(MemoryTrail):
    """What was recorded, held to promise 1 whenever somebody looks."""

    def how(self) -> list[tuple[str, str, str]]:
        """(stage, verdict, how it was delivered) of every record, in the order opened."""
        closed = {record.record_id: record for record in tuple(self.closed)}
        found = []
        for opened in tuple(self.opened):
            record = closed[opened.record_id]
            assert delivery_fault(opened, record) is None
            found.append((str(opened.stage), str(opened.verdict), record.how))
        return found

    def forget(self) -> None:
        self.opened.clear()
        self.closed.clear()


@dataclass
class House:
    """A proxy under way."""

    proxy: Proxy
    serving: Serving
    port: int
    operations_port: int
    records: Records
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    def drain(self) -> None:
        self.loop.call_soon_threadsafe(self.serving.drain)

    def reload(self) -> bool:
        return asyncio.run_coroutine_threadsafe(self.proxy.hosting.reload(), self.loop).result(
            LIMIT_S
        )

    def metric(self, name: str, **labels: str) -> float:
        for line in self.proxy.metrics.text().decode().splitlines():
            if line.startswith(name) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                return float(line.rpartition(" ")[2])
        return 0.0


def config_of(upstream: str, file: Path | str, **said: Any) -> ServeConfig:
    values = {
        "upstream": upstream,
        "constitution": str(file),
        "offline": True,
        "access_log": False,
        "reload_s": 0,
        **said,
    }
    return ServeConfig.model_validate(values)


@contextmanager
def serving(
    config: ServeConfig,
    *,
    tracing: Tracing | None = None,
    records: Records | None = None,
    settings: Settings | None = None,
) -> Iterator[House]:
    """At its end it drains, and no task of it is left."""
    records = Records() if records is None else records
    settings = settings or Settings(audit="memory")
    proxy = make_proxy(config, settings=settings, trail=records, tracing=tracing)
    public, operations = _listening(), _listening()
    ready = threading.Event()
    made: list[Any] = []
    left: list[asyncio.Task[Any]] = []

    async def main() -> None:
        made.append(Serving(proxy, public, operations))
        made.append(asyncio.get_running_loop())
        ready.set()
        await made[0].run(signals=())
        left.extend(asyncio.all_tasks() - {asyncio.current_task()})  # type: ignore[arg-type]

    def run() -> None:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(main())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(LIMIT_S)
    house = House(
        proxy=proxy,
        serving=made[0],
        port=public.getsockname()[1],
        operations_port=operations.getsockname()[1],
        records=records,
        loop=made[1],
        thread=thread,
    )
    try:
        yield house
    finally:
        if thread.is_alive() and not proxy.gate.draining:
            house.drain()
        thread.join(LIMIT_S)
        assert not thread.is_alive(), "the proxy did not end"
        assert not left, f"tasks were left: {left}"


def until(holds: Callable[[], bool]) -> None:
    """What follows a response a little later."""
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        threading.Event().wait(0.01)


def _listening() -> socket.socket:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen(128)
    return bound


@contextmanager
def provider(answers: Any = "Four.", **options: Any) -> Iterator[FakeProvider]:
    """Tells the same time always, so that two of them answer the same."""
    with FakeProvider(answers, clock=FixedClock(1_700_000_000), strict=False, **options) as made:
        yield made


@contextmanager
def speaking(handler: Handler) -> Iterator[str]:
    """Something that takes connections, and says what no HTTP library would."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    address: list[str] = []
    end = asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        address.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        ready.set()
        await end.wait()
        server.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def written(folder: Path, text: str = CONSTITUTION, name: str = "house") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return file
