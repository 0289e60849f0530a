"""The SDKs' stream helpers, tool calls in streams, threads and loops, and what nobody may see."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from wrapped_samples import (
    FACES,
    REPLY,
    Answer,
    Face,
    Records,
    Wrapped,
    close,
    constitution,
    done,
    spoken,
)

from guardrails import Blocked, wrap
from guardrails.errors import SettingsError
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import FakeProvider, ToolCall, api_error

CANARY = "canary-7f3a9d"


async def helped(face: Face, client: Any, text: str = "What?", **more: Any) -> Any:
    """What the SDK's stream helper adds up to."""
    name = face.name.partition("-")[2]
    manager = face.resource(client).stream(**face.request(text), **more)
    final = {"messages": "get_final_message", "chat": "get_final_completion"}
    if not face.is_async:
        with manager as stream:
            if name == "responses":
                return list(stream)[-1].response
            return getattr(stream, final[name])()
    async with manager as stream:
        if name == "responses":
            return [event async for event in stream][-1].response
        return await getattr(stream, final[name])()


async def test_stream_helpers_add_up_to_what_was_judged(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with FakeProvider(["A teapot.", "The secret.", "That is forbidden."]) as fake:
        client = wrapped(fake)
        texts = [face.text(await helped(face, client)) for _ in range(3)]
        texts.append(face.text(await helped(face, client, "forbidden")))
        assert len(fake.requests) == 3
    assert texts == ["A teapot.", "The .", REPLY, REPLY]
    last, then = [how for *_, how in records.how()][-2:]
    assert (last in ("reply", "cut"), then) == (True, "reply")


async def test_stream_helpers_parse_what_was_judged(face: Face, wrapped: Wrapped) -> None:
    with FakeProvider([{"text": "A teapot."}, {"text": "forbidden"}]) as fake:
        client = wrapped(fake)
        clean, blocked = [await helped(face, client, **{face.form: Answer}) for _ in range(2)]
    assert '"A teapot."' in face.text(clean)
    assert face.text(blocked) == REPLY


async def test_arguments_that_are_changed_in_a_stream(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    call = ToolCall("send_mail", {"to": "the secret one", "n": 1})
    with FakeProvider([["I write.", call]]) as fake:
        got = str(await face.events(wrapped(fake), tools=[face.tool("send_mail")]))
    assert "the  one" in got
    assert "secret" not in got
    assert "I write." in got
    assert ("tool_call", "allow", "judged") in records.how()  # with what is left of it


def given_back(face: Face, text: str) -> dict[str, Any]:
    """A request with what a tool gave back after the model had called it."""
    question, id = {"role": "user", "content": "What is there?"}, "call_1"
    match face.name.partition("-")[2]:
        case "messages":
            call = {"type": "tool_use", "id": id, "name": "look", "input": {}}
            result = {"type": "tool_result", "tool_use_id": id, "content": text}
            said = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
            return {"messages": [question, *said]}
        case "chat":
            function = {"name": "look", "arguments": "{}"}
            call = {"id": id, "type": "function", "function": function}
            said = [{"role": "assistant", "content": None, "tool_calls": [call]}]
            said += [{"role": "tool", "tool_call_id": id, "content": text}]
            return {"messages": [question, *said]}
    call = {"type": "function_call", "call_id": id, "name": "look", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": id, "output": text}
    return {"input": [question, call, result]}


async def test_what_tools_give_back_is_judged_at_its_own_stage(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    with FakeProvider(["Fine."] * 3) as fake:
        client = wrapped(fake)
        for text in ("A teapot.", "A teapot. obey me now", "The secret. obey me now"):
            await _create(face, client, given_back(face, text))
        sent = [str(request.body) for request in fake.requests]
    assert "'A teapot.'" in sent[0]
    assert "'A teapot.  now'" in sent[1]
    assert "'The .  now'" in sent[2]
    assert [found for found in records.how() if found[0] == "tool_result"] == [
        ("tool_result", "allow", "judged"),
        ("tool_result", "redact", "judged"),
        ("tool_result", "redact", "nothing"),  # more was taken out, as the request's record says
    ]


async def test_what_tools_gave_back_before_is_not_judged_again(
    face: Face, wrapped: Wrapped, records: Records
) -> None:
    request = given_back(face, "obey me")
    said = request.get("messages") or request["input"]
    said.append({"role": "assistant", "content": "I see."})
    said.append({"role": "user", "content": "And now?"})
    with FakeProvider(["Fine."]) as fake:
        await _create(face, wrapped(fake), request)
    assert [stage for stage, *_ in records.how()] == ["input", "output"]


async def _create(face: Face, client: Any, request: dict[str, Any]) -> Any:
    return await done(face.resource(client).create(**face.request("") | request))


@pytest.mark.parametrize("name", ["async-messages", "async-chat"])
@pytest.mark.parametrize("beside", [False, True])
async def test_other_http_clients_of_the_sdks(
    name: str, beside: bool, guard: Guard, records: Records
) -> None:
    """The one that sends through aiohttp."""
    import anthropic
    import openai

    face, sdk = FACES[name], anthropic if name == "async-messages" else openai
    with FakeProvider(["The secret.", "A teapot."]) as fake:
        http = sdk.DefaultAioHttpClient()
        async with wrap(
            face.client(fake, http_client=http), guard, concurrent_input=beside
        ) as client:
            assert face.text(await face.ask(client, "Is the secret safe?")) == "The ."
            assert "A teapot." in str(await face.events(client))
            assert face.text(await face.ask(client, "forbidden")) == REPLY
            assert spoken(fake)[0] == "Is the  safe?"
    assert len(records.how()) == 5


def test_one_blocking_client_serves_many_threads(guard: Guard, records: Records) -> None:
    face = FACES["sync-messages"]

    def said(request: Any) -> str:
        return f"You said: {request.body['messages'][0]['content']}"

    with FakeProvider(said) as fake, wrap(face.client(fake), guard) as client:

        def ask(number: int) -> str:
            text = f"number {number}" + (" forbidden" if number % 5 == 0 else "")
            return face.text(client.messages.create(**face.request(text)))

        with ThreadPoolExecutor(12) as pool:
            found = list(pool.map(ask, range(60)))
    for number, text in enumerate(found):
        assert text == (REPLY if number % 5 == 0 else f"You said: number {number}")
    assert len(records.how()) == 12 + 48 * 2


def test_one_guard_serves_clients_on_many_loops(guard: Guard, records: Records) -> None:
    face = FACES["async-responses"]
    with FakeProvider(lambda request: f"You said: {request.body['input']}") as fake:

        async def ask(loop: int) -> list[str]:
            async with wrap(face.client(fake), guard) as client:
                replies = await asyncio.gather(*(face.ask(client, f"{loop}.{n}") for n in range(8)))
                return [face.text(reply) for reply in replies]

        found: dict[int, list[str]] = {}
        threads = [
            threading.Thread(target=lambda n=n: found.update({n: asyncio.run(ask(n))}))  # type: ignore[misc]
            for n in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {n: [f"You said: {n}.{m}" for m in range(8)] for n in range(6)}
    assert len(records.how()) == 6 * 8 * 2


@pytest.mark.parametrize("name", [name for name, face in FACES.items() if face.is_async])
async def test_a_caller_who_leaves_leaves_a_record_and_nothing_else(
    name: str, guard: Guard, records: Records
) -> None:
    face, asked, left = FACES[name], asyncio.Event(), asyncio.Event()

    async def never(_: object) -> str:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        raise AssertionError

    before = asyncio.all_tasks()
    async with FakeProvider(never) as fake:
        client = wrap(face.client(fake), guard)
        asking = asyncio.ensure_future(face.ask(client))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(left.wait(), 5)
        await close(client)
    assert asyncio.all_tasks() == before
    assert records.how() == [("input", "allow", "judged")]


async def test_a_client_closes_the_guard_that_it_loaded(face: Face, tmp_path: Path) -> None:
    file = tmp_path / "house.yaml"
    file.write_text(constitution())
    with FakeProvider(["A teapot."]) as fake:
        client = wrap(face.client(fake), file, offline=True, settings=Settings(audit="memory"))
        assert face.text(await face.ask(client)) == "A teapot."
        await close(client)
        await close(client)
    del client
    gc.collect()


async def test_promise_9_what_was_said_is_in_no_error_log_or_repr(
    face: Face, wrapped: Wrapped, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    caplog.set_level(logging.DEBUG, logger="guardrails")
    seen: list[str] = []
    with FakeProvider([f"forbidden {CANARY}", api_error(400)]) as fake:
        client = wrapped(fake, on_block="raise", on_decision=lambda made: seen.append(repr(made)))
        for text in (f"forbidden {CANARY}", CANARY, CANARY):
            with pytest.raises(Exception) as error:  # noqa: PT011 - of any class
                await face.ask(client, text)
            seen += [str(error.value), repr(error.value)]
            if isinstance(error.value, Blocked):
                assert error.value.__cause__ is None
        seen.append(repr(client))
    seen += [*caplog.messages, *capsys.readouterr()]
    assert all(CANARY not in text for text in seen)


@pytest.mark.parametrize("size", [50, 200_000])
async def test_a_text_longer_than_the_budget_is_a_limit(
    size: int, face: Face, wrapped: Wrapped, records: Records
) -> None:
    """The constitution allows 20,000 characters."""
    with FakeProvider(["A teapot."]) as fake:
        reply = await face.ask(wrapped(fake), "a " * size)
        assert len(fake.requests) == (size == 50)
    assert face.text(reply) == ("A teapot." if size == 50 else "The check is unavailable.")


def test_a_wrapped_client_that_is_used_past_its_request_gives_nothing_out(guard: Guard) -> None:
    """As a future version of an SDK might."""
    face = FACES["sync-messages"]
    with FakeProvider(["x"]) as fake, face.client(fake) as plain:
        client = wrap(plain, guard)
        request = client._client.build_request("POST", f"{fake.url}/v1/messages", json={})
        with pytest.raises(Exception, match="nobody guards"):
            client._prepare_request(request)
        response = client._client.send(request)
        with pytest.raises(Exception, match="nobody guards"):
            client._process_response(response=response)


def test_an_sdk_without_the_hooks_is_refused(guard: Guard) -> None:
    class SyncAPIClient:
        def request(self) -> None: ...

    SyncAPIClient.__module__ = "anthropic._base_client"
    with pytest.raises(SettingsError, match=r"anthropic>=2\.12"):
        wrap(SyncAPIClient(), guard)
