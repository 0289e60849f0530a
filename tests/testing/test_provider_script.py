"""Which answer comes when, at what pace, and how the fake provider begins and ends."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from anthropic import AsyncAnthropic
from openai import OpenAI
from provider_clients import CHAT, FACES, MESSAGES, RESPONSES, anthropic, openai

import guardrails.testing
from guardrails.testing import (
    FakeProvider,
    FixedClock,
    Latency,
    ProviderRequest,
    Reply,
    ScriptExhaustedError,
    Thinking,
    When,
    WholeReply,
    fault,
)


async def ask(provider: FakeProvider, text: str = "What is it?") -> str:
    async with anthropic(provider) as client:
        request = MESSAGES | {"messages": [{"role": "user", "content": text}]}
        message = await client.messages.create(**request)
        return "".join(block.text for block in message.content if block.type == "text")


async def test_answers_come_in_order() -> None:
    async with FakeProvider(["One.", {"two": 2}, lambda request: "Three."]) as provider:
        assert provider.left == 3
        assert [await ask(provider) for _ in range(3)] == ["One.", '{"two": 2}', "Three."]
        assert provider.left == 0
        provider.extend("Four.", "Five.")
        assert [await ask(provider) for _ in range(2)] == ["Four.", "Five."]


async def test_matching_answers_come_first() -> None:
    script = [
        When(lambda request: "weather" in request.text, "Rain."),
        When(lambda request: "twice" in request.text, "Once.", times=1),
        "In order.",
        "And then.",
    ]
    async with FakeProvider(script) as provider:
        told = [await ask(provider, text) for text in ("twice", "weather", "twice", "weather", "x")]
    assert told == ["Once.", "Rain.", "In order.", "Rain.", "And then."]


async def test_a_callable_may_choose_a_fault_or_another_callable() -> None:
    def answer(request: ProviderRequest) -> Any:
        return fault("status-400") if request.text == "bad" else lambda again: again.text

    async with FakeProvider(answer) as provider:
        assert await ask(provider, "good") == "good"
        with pytest.raises(Exception, match="400"):
            await ask(provider, "bad")


async def asked_to_the_end(
    provider: FakeProvider, name: str = "messages", *, sees: str, error: Exception | None = None
) -> None:
    """A block in which the last question is answered with an error that says `sees`."""
    face = FACES[name]
    async with provider, face.client(provider, max_retries=3) as client:
        for _ in range(provider.left):
            await face.whole(client, face.request)
        with pytest.raises(Exception, match=sees):
            await face.whole(client, face.request)
        if error is not None:
            raise error


@pytest.mark.parametrize("name", FACES)
async def test_an_exhausted_script_is_a_500_that_is_not_tried_again(name: str) -> None:
    provider = FakeProvider(["One."])
    with pytest.raises(ScriptExhaustedError, match="given its 1 answers and was asked once more"):
        await asked_to_the_end(provider, name, sees="script has given its 1 answers")
    assert provider.requests.total == 2


async def test_a_callable_that_raises_is_told_at_the_end() -> None:
    def answer(request: ProviderRequest) -> Any:
        raise LookupError("no such answer")

    with pytest.raises(LookupError, match="no such answer"):
        await asked_to_the_end(FakeProvider(answer), sees="LookupError: no such answer")


async def test_what_cannot_be_said_is_told_at_the_end() -> None:
    with pytest.raises(TypeError, match="a scripted answer of type 'object'"):
        await asked_to_the_end(FakeProvider(object()), sees="500")


@pytest.mark.parametrize("mode", ["whole", "stream"])
async def test_a_whole_reply_that_cannot_be_streamed_is_a_500(mode: str) -> None:
    face = FACES["messages"]
    provider = FakeProvider(WholeReply({"content": [{"type": "text", "text": 7}]}), strict=False)
    async with provider, face.client(provider) as client:
        with pytest.raises(Exception, match="500" if mode == "stream" else "invalid for expected"):
            await getattr(face, mode)(client, face.request)
    assert len(provider.errors) == (mode == "stream")


async def test_errors_of_a_script_may_be_kept_for_later() -> None:
    async with FakeProvider([], strict=False) as provider:
        with pytest.raises(Exception, match="500"):
            await ask(provider)
    assert [type(error) for error in provider.errors] == [ScriptExhaustedError]


async def test_an_error_in_the_block_is_not_covered_by_the_scripts() -> None:
    with pytest.raises(ZeroDivisionError):
        await asked_to_the_end(FakeProvider([]), sees="500", error=ZeroDivisionError())


class Waits:
    """Sleeps that only count."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(round(seconds, 6))
        await asyncio.sleep(0)


PACE = Latency(first_ms=200, per_token_ms=10, chunk_tokens=2)


@pytest.mark.parametrize("name", FACES)
async def test_a_whole_reply_takes_all_of_its_time_at_once(name: str) -> None:
    face, waits = FACES[name], Waits()
    answer = Reply(Thinking("Four"), "a" * 20)
    async with (
        FakeProvider(answer, latency=PACE, sleep=waits) as provider,
        face.client(provider) as client,
    ):
        await face.whole(client, face.request)
    assert waits.seconds == [0.26]


@pytest.mark.parametrize("name", FACES)
async def test_a_stream_takes_it_event_by_event(name: str) -> None:
    face, waits = FACES[name], Waits()
    async with (
        FakeProvider("a" * 20, latency=PACE, sleep=waits) as provider,
        face.client(provider) as client,
    ):
        await face.stream(client, face.request)
    assert waits.seconds == [0.2, 0.02, 0.02, 0.01]


async def test_the_first_token_comes_before_the_last() -> None:
    pace = Latency(first_ms=10, per_token_ms=20, chunk_tokens=1)
    async with FakeProvider("a" * 40, latency=pace) as provider, openai(provider) as client:
        start, seen = time.perf_counter(), list[float]()
        stream = await client.chat.completions.create(**CHAT, stream=True)
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                seen.append(time.perf_counter() - start)
    assert len(seen) == 10
    assert seen[-1] - seen[0] > 0.1


@pytest.mark.parametrize("wrong", [{"first_ms": -1}, {"per_token_ms": -1}, {"chunk_tokens": 0}])
def test_latencies_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Latency(**wrong)


async def test_a_fixed_clock_makes_replies_repeatable() -> None:
    replies = []
    for _ in range(2):
        async with (
            FakeProvider("Yes.", clock=FixedClock(1_700_000_000)) as provider,
            openai(provider) as client,
        ):
            replies.append((await client.responses.create(**RESPONSES)).model_dump_json())
    assert replies[0] == replies[1]
    assert '"created_at":1700000000' in replies[0]


async def test_sixty_four_at_once() -> None:
    def answer(request: ProviderRequest) -> str:
        return f"You said {request.text}"

    pace = Latency(first_ms=5, per_token_ms=0.5)
    async with FakeProvider(answer, latency=pace) as provider, anthropic(provider) as client:

        async def one(number: int) -> str:
            turn = [{"role": "user", "content": f"number {number}"}]
            request = MESSAGES | {"messages": turn}
            if number % 2:
                async with client.messages.stream(**request) as stream:
                    return await stream.get_final_text()
            message = await client.messages.create(**request)
            return "".join(block.text for block in message.content if block.type == "text")

        told = await asyncio.gather(*(one(number) for number in range(64)))
        assert told == [f"You said number {number}" for number in range(64)]
        assert provider.requests.total == 64


def test_threads_share_one_provider() -> None:
    with FakeProvider([f"{n}" for n in range(16)]) as provider:
        told = list[str]()

        def ask_four_times() -> None:
            with OpenAI(base_url=provider.openai_url, api_key="test") as client:
                for _ in range(4):
                    told.append(client.responses.create(**RESPONSES).output_text)

        threads = [threading.Thread(target=ask_four_times) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(map(int, told)) == list(range(16))


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts files as Linux shows them")
async def test_nothing_is_left_behind() -> None:
    """Neither tasks nor sockets, whatever the answer was and whoever still waited."""
    troubles = ("never-answers", "reset-mid-body", "stall-mid-body", "refusal", "cut-off-body")
    gc.collect()
    before, tasks = open_files(), asyncio.all_tasks()
    for trouble in troubles:
        async with (
            FakeProvider(fault(trouble)) as provider,
            AsyncAnthropic(
                api_key="test", base_url=provider.url, timeout=0.2, max_retries=0
            ) as client,
        ):
            with_error = asyncio.gather(
                *(client.messages.create(**MESSAGES) for _ in range(3)),
                return_exceptions=True,
            )
            await with_error
    for _ in range(100):
        gc.collect()
        if asyncio.all_tasks() == tasks and open_files() <= before:
            break
        await asyncio.sleep(0.02)
    assert asyncio.all_tasks() == tasks
    assert open_files() <= before


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts files as Linux shows them")
def test_a_thread_leaves_nothing_behind() -> None:
    gc.collect()
    before, threads = open_files(), threading.active_count()
    for _ in range(3):
        with (
            FakeProvider("Yes.") as provider,
            OpenAI(base_url=provider.openai_url, api_key="test") as client,
        ):
            client.responses.create(**RESPONSES)
    gc.collect()
    assert threading.active_count() == threads
    assert open_files() <= before


def test_a_thread_ends_at_once_whoever_waits() -> None:
    with FakeProvider(fault("stall-mid-body")) as provider:
        client = OpenAI(base_url=provider.openai_url, api_key="test", max_retries=0)
        failed = list[Exception]()

        def wait_for_ever() -> None:
            try:
                client.responses.create(**RESPONSES)
            except Exception as error:
                failed.append(error)

        thread = threading.Thread(target=wait_for_ever)
        thread.start()
        while not provider.requests:
            time.sleep(0.01)
        start = time.perf_counter()
    assert time.perf_counter() - start < 2
    thread.join(5)
    client.close()
    assert [type(error).__name__ for error in failed] == ["APIConnectionError"]


async def test_a_client_that_leaves_ends_the_answer() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def answer(request: ProviderRequest) -> str:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return "Never."

    async with FakeProvider(answer) as provider, aiohttp.ClientSession() as session:
        post = session.post(f"{provider.openai_url}/responses", json=RESPONSES)
        asking = asyncio.ensure_future(post)
        await asked.wait()
        asking.cancel()
        await asyncio.wait_for(left.wait(), 5)
    assert not provider.errors


async def test_it_can_be_used_again_and_not_twice_at_once() -> None:
    provider = FakeProvider("Yes.")
    with pytest.raises(RuntimeError, match="inside `with`"):
        _ = provider.url
    async with provider:
        assert await ask(provider) == "Yes."
        with pytest.raises(RuntimeError, match="running already"):
            await provider.__aenter__()
        with pytest.raises(RuntimeError, match="running already"):
            provider.__enter__()
    async with provider:
        assert await ask(provider) == "Yes."
    assert provider.requests.total == 2


def test_any_loop_will_do() -> None:
    provider = FakeProvider("Yes.")

    async def once() -> str:
        async with provider:
            return await ask(provider)

    assert [asyncio.run(once()) for _ in range(2)] == ["Yes.", "Yes."]


async def test_unchanged_programs_find_it_by_the_environment() -> None:
    program = (
        "import anthropic, openai\n"
        "m = anthropic.Anthropic().messages.create(model='claude-haiku-5-5', max_tokens=9,\n"
        "    messages=[{'role': 'user', 'content': 'x'}])\n"
        "r = openai.OpenAI().responses.create(model='g', input='x')\n"
        "print(m.content[0].text, r.output_text)"
    )
    async with FakeProvider("Yes.", api_key="right") as provider:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program,
            env=os.environ | provider.environment, stdout=subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
    assert out.decode().split() == ["Yes.", "Yes."]


def test_testing_stays_light_and_knows_its_names() -> None:
    program = (
        "import sys, guardrails.testing as t\n"
        "early = [m for m in ('aiohttp', 'jsonschema', 'anthropic') if m in sys.modules]\n"
        "print(early, all(hasattr(t, name) for name in t.__all__))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["[]", "True"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = guardrails.testing.nothing
