"""Streams of an application's own shape, through the middleware on a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgi_house import REPLY, Records, Said, Script, plain_app
from asgi_server import ask, connected, request_bytes, serving
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from guardrails.asgi import GuardrailMiddleware, streaming
from guardrails.errors import SettingsError
from guardrails.guard import Guard
from guardrails.wire.formats import Named

EVENTS, JSON = "text/event-stream", "application/json"
ASKED = json.dumps({"message": "hi"})
FORMAT = "sse: /message -> /token"
SHAPED: Named = {
    "sse": {
        "request": "/message",
        "delta": {"token": "/text", "sources": []},
        "whole": {"final": "/text"},
        "done": {"event": "end", "data": {}},
        "stop": {"event": "refusal", "text": "/reason", "data": {"code": "blocked"}},
    }
}


def event(data: Any, name: str = "") -> bytes:
    named = f"event: {name}\n" if name else ""
    return f"{named}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def tokens(*texts: str, done: bool = True) -> list[bytes]:
    return [*(event({"token": text}) for text in texts), *[event("[DONE]")] * done]


def shaped(*texts: str) -> list[bytes]:
    """Many applications say all of it again at the end."""
    return [
        event({"titles": ["A page"]}, "sources"),
        *(event({"text": text}, "token") for text in texts),
        event({"text": "".join(texts), "usage": {"tokens": 3}}, "final"),
        event({}, "end"),
    ]


def guarding(script: Script, guard: Guard, format: Named = FORMAT, **options: Any) -> Any:
    return GuardrailMiddleware(plain_app(script), guard, routes={"/chat": format}, **options)


@pytest.mark.parametrize("size", [1, 7, None], ids=["bytes", "sevens", "events"])
@pytest.mark.parametrize(
    ("format", "said", "got"),
    [
        (FORMAT, tokens("Hel", "lo. ", "Fine."), None),
        (FORMAT, tokens("oddly", " said"), None),
        (SHAPED, shaped("Hel", "lo. ", "Fine."), None),
        (FORMAT, tokens("a sec", "ret."), [event('{"token":"a ."}'), event('{"token":""}')]),
        (FORMAT, tokens("Fine. A for", "bidden", " word."), [
            event('{"token":"Fine. "}'), event(f'{{"token":"\\n\\n{REPLY}"}}'),
        ]),
        (SHAPED, shaped("a sec", "ret."), [
            event('{"titles": ["A page"]}', "sources"),
            event('{"text":"a ."}', "token"), event('{"text":""}', "token"),
            event('{"text":"a .","usage":{"tokens":3}}', "final"),
        ]),
        (SHAPED, shaped("Fine. A for", "bidden", " word."), [
            event('{"titles": ["A page"]}', "sources"), event('{"text":"Fine. "}', "token"),
            event(f'{{"code":"blocked","reason":"{REPLY}"}}', "refusal"),
        ]),
    ],
)  # fmt: skip
async def test_promise_4_a_stream_of_the_applications_own_shape_is_judged_as_one_text(
    guard: Guard, records: Records, script: Script, format: Named, said: Any, got: Any, size: Any
) -> None:
    body = b"".join(said)
    pieces = said if size is None else [body[at : at + size] for at in range(0, len(body), size)]
    script.said = Said(pieces, EVENTS)
    async with serving(guarding(script, guard, format), lifespan="off") as port:
        answer = await ask(port, body=ASKED, media_type=JSON)
    end = event("{}", "end") if format is SHAPED else event("[DONE]")
    assert answer.body == (body if got is None else b"".join(got) + end)
    assert (answer.status, answer.media_type) == (200, EVENTS)
    assert len(records.how()) == 2


@pytest.mark.parametrize("format", [FORMAT, SHAPED])
async def test_a_whole_event_stream_is_judged_as_a_streamed_one(
    guard: Guard, script: Script, format: Named
) -> None:
    make = shaped if format is SHAPED else tokens
    async with serving(guarding(script, guard, format), lifespan="off") as port:
        got = []
        for texts in (("Hel", "lo."), ("a sec", "ret."), ("for", "bidden")):
            body = b"".join(make(*texts))
            script.said = Said(body, EVENTS, headers={"content-length": str(len(body))})
            got.append(await ask(port, body=ASKED, media_type=JSON))
    assert [answer.verdict for answer in got] == ["allow", "redact", "block"]
    assert b"secret" not in got[1].body
    assert REPLY.encode() in got[2].body
    assert {answer.media_type for answer in got} == {EVENTS}


async def test_a_blocked_request_is_answered_in_the_streams_shape(
    guard: Guard, script: Script
) -> None:
    async with serving(guarding(script, guard, SHAPED), lifespan="off") as port:
        got = await ask(port, body='{"message": "a forbidden thing"}', media_type=JSON)
    assert got.media_type == EVENTS
    assert got.body == event(f'{{"code":"blocked","reason":"{REPLY}"}}', "refusal") + event(
        "{}", "end"
    )
    assert not script.seen


async def test_what_is_asked_in_a_query_is_judged(guard: Guard, script: Script) -> None:
    """An EventSource can ask in no other way."""
    script.said = Said(tokens("fine"), EVENTS)
    async with serving(guarding(script, guard), lifespan="off") as port:
        fine = await ask(port, "/chat?q=hi", method="GET", media_type=None)
        got = await ask(port, "/chat?q=forbidden", method="GET", media_type=None)
    assert (fine.status, fine.body) == (200, b"".join(tokens("fine")))
    assert got.verdict == "block"


async def test_a_framework_streams_as_it_says_each_sentence(guard: Guard) -> None:
    go_on = asyncio.Event()

    async def said() -> AsyncIterator[bytes]:
        for piece in tokens("Hello ", "there. ", "How are", done=False):
            yield piece
        await go_on.wait()
        for piece in tokens(" you? sec", "ret"):
            yield piece

    inner = FastAPI()

    @inner.post("/chat")
    async def chat() -> StreamingResponse:
        return StreamingResponse(said(), media_type=EVENTS)

    app = GuardrailMiddleware(inner, guard, routes={"/chat": FORMAT})
    async with serving(app) as port, connected(port) as client:
        await client.send(request_bytes("/chat", ASKED.encode(), headers={"content-type": JSON}))
        early = b""
        while b"there" not in early:
            early += await asyncio.wait_for(client.reader.read(1 << 16), 10)
        assert b"guardrails-verdict: pending" in early
        go_on.set()
        rest = b""
        while b"[DONE]" not in rest:
            rest += await asyncio.wait_for(client.reader.read(1 << 16), 10)
    assert b"sec" not in rest


def vendors(*texts: str, is_chat: bool) -> list[bytes]:
    """Chunks that say a text in the choice: of no chat, or again beside the delta's content."""
    made = []
    for text in texts:
        choice = {"index": 0, "text": text, "finish_reason": None, "logprobs": None}
        delta = {"delta": {"role": "assistant", "content": text}} if is_chat else {}
        made.append(event({"choices": [choice | delta]}))
    return [*made, event("[DONE]")]


@pytest.mark.parametrize("is_chat", [False, True])
async def test_promise_2_what_a_choice_says_beside_its_delta_leaves_as_it_was_judged(
    guard: Guard, script: Script, is_chat: bool
) -> None:
    async with serving(guarding(script, guard, "auto"), lifespan="off") as port:
        got = []
        for texts in (("Hel", "lo."), ("a sec", "ret."), ("Hi. A for", "bidden word.")):
            script.said = Said(vendors(*texts, is_chat=is_chat), EVENTS)
            got.append(await ask(port, body=ASKED, media_type=JSON))
    assert got[0].body == b"".join(vendors("Hel", "lo.", is_chat=is_chat))
    assert b"a ." in got[1].body
    assert b"sec" not in got[1].body
    assert b"ret" not in got[1].body
    assert b"bidden" not in got[2].body
    assert REPLY in got[2].body.decode()
    assert b"content_filter" in got[2].body


UNKNOWN = [
    ("auto", tokens("Hel", "lo.")),
    ("text", tokens("Hel", "lo.")),
    ("text", [event('"Hel"'), event('"lo."')]),
    ("sse: /tokn", tokens("Hel", "lo.")),
    ("sse: /token", [event("Hel"), event("lo.")]),
]


@pytest.mark.parametrize(("format", "said"), UNKNOWN, ids=range(len(UNKNOWN)))
async def test_a_stream_that_nobody_can_read_ends_clearly_and_the_log_says_what_to_do(
    guard: Guard, script: Script, format: str, said: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each stream. Where no form is known, a status tells an EventSource not to ask again,
    which it does after each stream that ends."""
    script.said = Said(said, EVENTS)
    async with serving(guarding(script, guard, format), lifespan="off") as port:
        for asked in ("", ASKED):
            caplog.clear()
            got = await ask(port, body=asked, media_type=JSON)
            if format.startswith("sse"):
                assert (got.status, got.media_type) == (200, EVENTS)
                assert REPLY in got.body.decode()
            else:
                assert (got.status, got.media_type) == (403, "application/problem+json")
                assert json.loads(got.body)["detail"] == REPLY
            assert got.verdict == "block"
            (line,) = [one for one in caplog.messages if "name its format in routes=" in one]
            assert ("'sse: /pointer'" in line) is not format.startswith("sse")
            assert "Hel" not in line
            assert f"format='{format}'" in line


async def test_a_stream_that_began_and_that_nobody_can_read_ends_with_an_error(
    guard: Guard, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "KEEP_ALIVE_S", 0.01)

    class Slow(Said):
        async def stream(self) -> AsyncIterator[bytes]:
            yield b": wait\n\n"
            await asyncio.sleep(0.1)
            yield tokens("Hello.")[0]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", EVENTS.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for piece in Slow().stream():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    guarded = GuardrailMiddleware(app, guard)
    async with serving(guarded, lifespan="off") as port:
        got = await ask(port, body="hi")
    assert got.status == 200
    end = got.body.removeprefix(streaming.KEPT_ALIVE).replace(streaming.KEPT_ALIVE, b"")
    assert end == event(f'{{"error":{{"message":"{REPLY}"}}}}', "error")


def test_a_shape_that_could_not_work_is_an_error_at_start(guard: Guard, script: Script) -> None:
    with pytest.raises(SettingsError, match="did you mean 'delta'"):
        guarding(script, guard, {"sse": {"detla": "/token"}})
