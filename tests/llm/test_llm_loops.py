"""A model works from any loop and thread, keeps its limit over all of them, and leaves nothing."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
import uvloop
from aiohttp import web
from llm_samples import BODIES, KINDS, Kind, asked, asking, question, serving

from guardrails.llm.slots import Slots
from guardrails.loop.per_loop import PerLoop
from guardrails.testing import FakeProvider
from guardrails.testing.provider import fault

OK = {"answer": "forty-two"}


async def soon(holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold, with time enough on a busy machine."""
    for _ in range(1_000):
        if holds():
            return True
        await asyncio.sleep(0.005)
    return False


class Counting:
    """A server that knows how many requests and connections it has."""

    def __init__(self, kind: Kind, takes_s: float = 0.0, together: int = 1) -> None:
        self.kind, self.takes_s = kind, takes_s
        self.barrier = asyncio.Barrier(together)
        self.now = self.most = self.requests = self.left_early = 0
        self.connections: set[object] = set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.connections.add(request.transport)
        self.now += 1
        self.requests += 1
        self.most = max(self.most, self.now)
        try:
            await self.barrier.wait()
            await asyncio.sleep(self.takes_s)
            return web.json_response(BODIES[self.kind])
        except asyncio.CancelledError:
            self.left_early += 1
            raise
        finally:
            self.now -= 1

    @property
    def open_connections(self) -> int:
        return sum(not each.is_closing() for each in self.connections)  # type: ignore[attr-defined]


@asynccontextmanager
async def counting(
    kind: Kind, takes_s: float = 0.0, together: int = 1
) -> AsyncIterator[tuple[str, Counting]]:
    served = Counting(kind, takes_s, together)
    async with serving(served.answer) as url:
        yield url, served


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_works_from_many_loops_and_threads(kind: Kind) -> None:
    with FakeProvider(OK) as provider:
        made = asked(kind, provider.url if kind == "anthropic" else provider.openai_url)

        async def some() -> list[str]:
            calls = [made.model.ask(question(), timeout_s=30) for _ in range(3)]
            return [answer.stop for answer in await asyncio.gather(*calls)]

        for _ in range(2):  # loop after loop
            assert asyncio.run(some()) == ["finished"] * 3
        with ThreadPoolExecutor(8) as pool:  # and at once
            done = list(pool.map(lambda _: asyncio.run(some()), range(16)))
        assert done == [["finished"] * 3] * 16
        assert provider.requests.total == 54
        assert made.endpoint._clients is not None
        assert not made.endpoint._clients._held, "each loop's client ended with its loop"
    gc.collect()  # a connection that is left open would warn here, and warnings are errors


@pytest.mark.parametrize("kind", KINDS)
async def test_connections_are_used_again_and_closed_at_the_end(kind: Kind) -> None:
    async with counting(kind) as (url, served):
        made = asked(kind, url)
        for _ in range(5):
            await made.model.ask(question(), timeout_s=20)
        assert (served.requests, len(served.connections)) == (5, 1)
        await made.model.aclose()
        assert await soon(lambda: served.open_connections == 0)
        await made.model.ask(question(), timeout_s=20)  # who asks again gets a new one
        await made.model.aclose()
        await made.model.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_10_no_more_run_at_once_than_the_endpoint_may(kind: Kind) -> None:
    async with counting(kind, takes_s=0.01, together=3) as (url, served):
        made = asked(kind, url, max_concurrency=3)
        await asyncio.gather(*[made.model.ask(question(), timeout_s=20) for _ in range(12)])
        await made.model.aclose()
    assert (served.requests, served.most) == (12, 3)


def test_10_the_limit_holds_over_threads() -> None:
    slots, running, most = Slots(3), 0, 0
    lock = threading.Lock()

    async def work() -> None:
        nonlocal running, most
        await slots.acquire()
        with lock:
            running += 1
            most = max(most, running)
        await asyncio.sleep(0.002)
        with lock:
            running -= 1
        slots.release()

    async def much() -> None:
        await asyncio.gather(*[work() for _ in range(20)])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: asyncio.run(much()), range(6)))
    assert most == 3
    assert slots._free == 3
    assert not slots._waiting


async def test_slots_go_to_whoever_waited_longest_and_not_to_who_left() -> None:
    slots = Slots(1)
    await slots.acquire()
    order: list[int] = []

    async def wait(number: int) -> None:
        await slots.acquire()
        order.append(number)
        slots.release()

    tasks = [asyncio.create_task(wait(number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    slots.release()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 2, 3]
    assert slots._free == 1


async def test_a_slot_that_came_with_a_cancellation_is_passed_on() -> None:
    slots = Slots(1)
    await slots.acquire()
    first = asyncio.create_task(slots.acquire())
    second = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    slots.release()  # granted to the first, which has not run yet
    first.cancel()
    await asyncio.wait_for(second, 5)
    assert first.cancelled()
    slots.release()
    assert slots._free == 1


def test_a_loop_that_ended_while_it_waited_takes_no_slot_along() -> None:
    slots = Slots(1)
    asyncio.run(slots.acquire())
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(slots.acquire())
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    slots.release()
    assert slots._free == 1
    assert not waiting.done()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS)
async def test_cancellation_passes_through_and_ends_the_request(kind: Kind) -> None:
    async with counting(kind, takes_s=30) as (url, served):
        made = asked(kind, url, max_concurrency=1)
        made.model.prepare()
        before = asyncio.all_tasks()
        task = asyncio.create_task(made.model.ask(question(), timeout_s=60))
        behind = asyncio.create_task(made.model.ask(question(), timeout_s=60))
        assert await soon(lambda: served.now == 1)
        task.cancel()
        behind.cancel()
        for each in (task, behind):
            with pytest.raises(asyncio.CancelledError):
                await each
        assert await soon(lambda: (served.left_early, served.now) == (1, 0))
        assert made.endpoint._slots._free == 1
        assert {t for t in asyncio.all_tasks() - before if "ask" in repr(t.get_coro())} == set()
        await made.model.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_10_a_time_out_ends_the_request(kind: Kind) -> None:
    async with counting(kind, takes_s=30) as (url, served):
        made = asked(kind, url)
        made.model.prepare()
        assert made.endpoint._clients is not None
        await made.endpoint._clients.get()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await made.model.ask(question(), timeout_s=1.0)
        assert time.monotonic() - began < 5
        assert await soon(lambda: served.left_early == 1)
        await made.model.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_10_waiting_for_a_slot_counts_as_time(kind: Kind) -> None:
    async with counting(kind, takes_s=30) as (url, served):
        made = asked(kind, url, max_concurrency=1)
        made.model.prepare()
        first = asyncio.create_task(made.model.ask(question(), timeout_s=60))
        assert await soon(lambda: served.now == 1)
        with pytest.raises(TimeoutError):
            await made.model.ask(question(), timeout_s=0.2)
        assert served.requests == 1
        first.cancel()
        await asyncio.wait([first])
        await made.model.aclose()


async def test_clients_of_other_threads_loops_are_closed_there() -> None:
    closed: list[tuple[int, int]] = []

    async def close(client: int) -> None:
        closed.append((client, threading.get_ident()))

    async def make() -> int:
        return threading.get_ident()

    clients = PerLoop(make, close)
    ready, stop = threading.Event(), threading.Event()

    async def apart() -> None:
        await clients.get()
        ready.set()
        await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(apart(),))
    thread.start()
    await asyncio.to_thread(ready.wait)
    here = await clients.get()
    assert await clients.get() == here
    await clients.aclose()
    stop.set()
    thread.join()
    assert sorted(closed) == sorted({(here, here), (thread.ident, thread.ident)})


async def test_many_first_questions_make_one_client() -> None:
    made = 0

    async def make() -> object:
        nonlocal made
        made += 1
        await asyncio.sleep(0.01)
        return object()

    async def close(_: object) -> None:
        pass

    clients = PerLoop(make, close)
    impatient = asyncio.create_task(clients.get())
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(clients.get()) for _ in range(10)]
    await asyncio.sleep(0)
    impatient.cancel()
    assert len(set(await asyncio.gather(*waiting))) == 1
    assert made == 2, "the first one left, so the second one makes it"
    assert not clients._making
    await clients.aclose()


@pytest.mark.parametrize("kind", KINDS)
def test_other_event_loops_close_what_they_opened_too(kind: Kind) -> None:
    with FakeProvider(OK) as provider:
        made = asked(kind, provider.url if kind == "anthropic" else provider.openai_url)
        for _ in range(2):
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                answer = runner.run(made.model.ask(question(), timeout_s=30))
            assert answer.stop == "finished"
            assert made.endpoint._clients is not None
            assert not made.endpoint._clients._held


@pytest.mark.parametrize("kind", KINDS)
async def test_a_model_that_is_forgotten_closes_its_connections(kind: Kind) -> None:
    async with counting(kind) as (url, served):
        made = asked(kind, url)
        await made.model.ask(question(), timeout_s=20)
        assert served.open_connections == 1
        del made
        gc.collect()
        assert await soon(lambda: served.open_connections == 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_that_closes_nothing_ends_quietly(kind: Kind) -> None:
    module, name = kind, {"anthropic": "AnthropicModel", "openai": "OpenAIModel"}[kind]
    with FakeProvider(OK) as provider:
        url = provider.url if kind == "anthropic" else provider.openai_url
        program = f"""
import asyncio
from guardrails.llm.{module} import {name}
from guardrails.llm.endpoint import Endpoint
from guardrails.llm.protocol import Question
from guardrails.loop.private import run_apart
schema = {{"type": "object", "properties": {{}}, "required": [], "additionalProperties": False}}
model = {name}("claude-haiku-5-5", Endpoint("house", base_url={url!r}, api_key="test"))
question = Question(prefix="p", text="t", schema=schema, max_tokens=2000)
print(asyncio.run(model.ask(question, timeout_s=30)).stop)
print(run_apart(model.ask(question, timeout_s=30)).stop)
"""
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c", program],
            capture_output=True,
            timeout=50,
            text=True,
        )
    assert done.stdout.split() == ["finished"] * 2
    assert "nclosed" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stale_connection_is_no_outage(kind: Kind) -> None:
    """A server may close a connection just as it is used again."""
    script = [OK, fault("reset-before-headers"), OK]
    async with FakeProvider(script) as provider, asking(kind, provider) as made:
        await made.model.ask(question(), timeout_s=20)
        assert (await made.model.ask(question(), timeout_s=20)).attempts == 2
