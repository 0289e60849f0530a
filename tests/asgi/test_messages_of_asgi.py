"""ASGI's own ways: lifespans, websockets, tasks behind a response, clients that leave."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from asgi_frameworks import FRAMEWORKS
from asgi_house import REPLY, App, Records, Said, Script, load_house, plain_app, whole_body
from asgi_server import ask, connected, request_bytes, serving

from guardrails import Context, context
from guardrails.asgi import GuardrailMiddleware, streaming
from guardrails.guard import Guard

TEXT = {"/*": "text"}


async def test_a_lifespan_and_unknown_scopes_are_passed_on(guard: Guard) -> None:
    asked: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["type"])
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                asked.append(message["type"])
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return

    guarded = GuardrailMiddleware(app, guard)
    async with serving(guarded, lifespan="on"):
        pass
    assert asked == ["lifespan", "lifespan.startup", "lifespan.shutdown"]
    await guarded({"type": "news.of.tomorrow"}, None, None)  # type: ignore[arg-type]
    assert asked[-1] == "news.of.tomorrow"


async def test_a_websocket_is_refused_where_the_path_is_guarded(guard: Guard) -> None:
    reached: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    guarded = GuardrailMiddleware(app, guard, exempt=["/socket"])
    async with serving(guarded, lifespan="off") as port:
        refused = []
        for path in ("/chat", "/socket/../chat", "/%2e/socket"):
            async with connected(port) as client:
                await client.send(request_bytes(path, method="GET", headers=upgrade))
                refused.append((await client.get()).status)
        async with connected(port) as client:
            await client.send(request_bytes("/socket", method="GET", headers=upgrade))
            line = await client.reader.readline()
    assert refused == [403, 403, 403]
    assert line.startswith(b"HTTP/1.1 101")
    assert reached == ["/socket"]


async def test_a_websocket_is_told_why_where_the_server_can(guard: Guard, script: Script) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/chat",
        "extensions": {"websocket.http.response": {}},
        "headers": [],
    }
    await GuardrailMiddleware(plain_app(script), guard)(scope, receive, send)
    assert [message["type"] for message in sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert sent[0]["status"] == 403
    assert b"exempt the path" in sent[1]["body"]


async def test_what_an_application_does_after_its_response_delays_nobody(
    guard: Guard, records: Records
) -> None:
    answered, done = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await whole_body(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})
        await answered.wait()
        done.set()

    guarded = GuardrailMiddleware(app, guard, routes=TEXT)
    async with serving(guarded, lifespan="off") as port:
        got = await ask(port, "/chat", "hi")
        assert got.body == b"fine"
        assert not done.is_set()
        assert records.how()[1] == ("output", "allow", "judged")
        answered.set()
        await asyncio.wait_for(done.wait(), 5)


@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
async def test_a_background_task_runs_after_the_response(guard: Guard, framework: str) -> None:
    from starlette.background import BackgroundTask
    from starlette.responses import PlainTextResponse

    answered, done = asyncio.Event(), asyncio.Event()

    async def later() -> None:
        await answered.wait()
        done.set()

    app = FRAMEWORKS[framework](Script(), [])

    async def answer(request: Any) -> PlainTextResponse:
        return PlainTextResponse("fine", background=BackgroundTask(later))

    app.add_route("/chat", answer, methods=["POST"])  # type: ignore[attr-defined]
    guarded = GuardrailMiddleware(app, guard, routes=TEXT)
    async with serving(guarded) as port:
        assert (await ask(port, "/chat", "hi")).body == b"fine"
        assert not done.is_set()
        answered.set()
        await asyncio.wait_for(done.wait(), 5)


@pytest.mark.parametrize("streams", [False, True], ids=["before", "after"])
async def test_an_application_that_fails_is_a_500_with_nothing_of_its_response(
    guard: Guard, records: Records, streams: bool
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await whole_body(receive)
        if streams:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("as tests do")

    guarded = GuardrailMiddleware(app, guard, routes=TEXT)
    async with serving(guarded, lifespan="off") as port:
        got = await ask(port, "/chat", "hi")
    assert got.status == 500
    assert b"half" not in got.body
    assert records.how() == [("input", "allow", "judged")]


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "litestar", "quart"])
async def test_a_frameworks_own_error_page_stays_an_error(
    guard: Guard, script: Script, framework: str
) -> None:
    app = FRAMEWORKS[framework](script, ["/chat"])
    script.said = None  # type: ignore[assignment]  # so the handler fails
    formats = {"/auto": "auto", "/chat": "json: /question -> /answer", "/lost": "anthropic"}
    guarded = GuardrailMiddleware(app, guard, routes=formats)
    async with serving(guarded) as port:
        failed = await ask(port, "/chat", b'{"question": "hi"}', media_type="application/json")
        lost = await ask(port, "/lost", b'{"messages": []}', media_type="application/json")
    assert failed.status == 500
    assert lost.status == 404
    assert failed.verdict == lost.verdict == "allow"


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [
        (204, "POST", b""),
        (304, "POST", b""),
        (200, "POST", b""),
        (200, "HEAD", b"forbidden"),
        (204, "POST", b"forbidden"),
        (205, "POST", b"forbidden"),
        (304, "POST", b"forbidden"),
    ],
)
async def test_a_response_without_a_place_for_a_body_has_none(
    guard: Guard, script: Script, status: int, method: str, body: bytes
) -> None:
    headers = {"x-own": "stays", "content-length": str(len(body))}
    script.said = Said(body, status=status, headers=headers)
    guarded = GuardrailMiddleware(plain_app(script), guard, routes=TEXT)
    async with serving(guarded, lifespan="off") as port, connected(port) as client:
        for _ in range(2):  # nothing of the first may be taken for the second
            await client.send(request_bytes("/chat", b"", method=method))
            got = await client.get(method)
            assert (got.status, got.body) == (status, b"")
            assert got.headers["x-own"] == "stays"


@pytest.mark.parametrize("said", ["redacted", "clean"])
async def test_fields_about_bytes_go_only_with_the_bytes(
    guard: Guard, script: Script, said: str
) -> None:
    fields = {"etag": '"x"', "last-modified": "now", "content-md5": "x", "x-own": "stays"}
    script.said = Said(b"the secret" if said == "redacted" else b"fine", headers=fields)
    guarded = GuardrailMiddleware(plain_app(script), guard, routes=TEXT)
    async with serving(guarded, lifespan="off") as port:
        got = await ask(port, "/chat", "hi")
    kept = set(fields) if said == "clean" else {"x-own"}
    assert {name for name in fields if name in got.headers} == kept


async def test_what_a_server_offers_beside_messages_of_the_body_is_withdrawn(
    guard: Guard, script: Script
) -> None:
    offered = {
        "http.response.pathsend": {},
        "http.response.zerocopysend": {},
        "http.response.early_hint": {},
        "http.response.trailers": {},
        "tls": {},
    }
    messages = iter([{"type": "http.request", "body": b"hi", "more_body": False}])

    async def receive() -> Any:
        return next(messages)

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert set(scope["extensions"]) == {"http.response.trailers", "tls"}
        await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
        await send({"type": "http.response.body", "body": b"fine", "more_body": True})
        await send({"type": "http.response.pathsend", "path": "/etc/hostname"})
        await send({"type": "http.response.body", "body": b"!", "more_body": False})
        await send({"type": "http.response.trailers", "headers": [(b"x", b"forbidden")]})
        await send({"type": "http.response.body", "body": b"forbidden"})

    scope = {
        "type": "http", "method": "POST", "path": "/chat", "query_string": b"", "headers": [],
        "extensions": offered,
    }  # fmt: skip
    await GuardrailMiddleware(app, guard, routes=TEXT)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[1]["body"] == b"fine!"
    assert "trailers" not in sent[0]


class Paused:
    """An application that waits until it is told to go on, or until its client has left."""

    def __init__(self) -> None:
        self.started, self.go_on, self.left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await whole_body(receive)
        self.started.set()
        waits = asyncio.create_task(self.go_on.wait())
        leaves = asyncio.create_task(receive())
        await asyncio.wait([waits, leaves], return_when=asyncio.FIRST_COMPLETED)
        if leaves.done() and leaves.result()["type"] == "http.disconnect":
            self.left.set()
        for task in (waits, leaves):
            task.cancel()
        await asyncio.gather(waits, leaves, return_exceptions=True)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})


async def test_an_application_is_told_that_its_client_has_left(
    guard: Guard, records: Records
) -> None:
    app = Paused()
    async with serving(GuardrailMiddleware(app, guard, routes=TEXT), lifespan="off") as port:
        async with connected(port) as client:
            await client.send(request_bytes("/chat", b"hi"))
            await asyncio.wait_for(app.started.wait(), 5)
            await client.leave()
        await asyncio.wait_for(app.left.wait(), 5)
    assert [record[0] for record in records.how()] == ["input", "output"]


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "litestar", "quart"])
async def test_a_client_that_leaves_a_stream_leaves_no_record_open_and_no_task(
    guard: Guard, records: Records, script: Script, framework: str
) -> None:
    reached, gone = asyncio.Event(), asyncio.Event()

    class Slow(Said):
        async def stream(self) -> Any:
            yield b"first"
            reached.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gone.wait(), 5)
            yield b"last"

    script.said = Slow([b"slow"])
    app = GuardrailMiddleware(FRAMEWORKS[framework](script, ["/chat"]), guard, routes=TEXT)
    async with serving(app) as port:
        async with connected(port) as client:
            await client.send(request_bytes("/chat", b"hi", headers={"content-type": "text/plain"}))
            await asyncio.wait_for(reached.wait(), 5)
            await client.leave()
        gone.set()
        script.said = Said()
        await ask(port, "/chat", "next")
    assert records.how()[0] == ("input", "allow", "judged")


async def test_a_call_that_is_cancelled_while_it_judges_closes_its_record(
    tmp_path: Path, script: Script
) -> None:
    class Stuck(Records):
        def __init__(self) -> None:
            super().__init__()
            self.reached = asyncio.Event()

        async def open(self, record: Any) -> None:
            await super().open(record)
            if len(self.opened) == 2:
                self.reached.set()
                await asyncio.Event().wait()

    records = Stuck()
    guarded = GuardrailMiddleware(plain_app(script), load_house(tmp_path, records), routes=TEXT)
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"hi"}

    async def send(message: Any) -> None:
        sent.append(message)

    task = asyncio.create_task(guarded(scope, receive, send))  # type: ignore[arg-type]
    await asyncio.wait_for(records.reached.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert records.how() == [("input", "allow", "judged"), ("output", "allow", "nothing")]
    assert not sent


# -- other middleware ----------------------------------------------------------------------------


def gzip_outside(app: Any, guard: Guard) -> App:
    from starlette.middleware.gzip import GZipMiddleware

    return GZipMiddleware(GuardrailMiddleware(app, guard, routes=TEXT), minimum_size=1)


def gzip_inside(app: Any, guard: Guard) -> App:
    from starlette.middleware.gzip import GZipMiddleware

    return GuardrailMiddleware(GZipMiddleware(app, minimum_size=1), guard, routes=TEXT)


def cors_outside(app: Any, guard: Guard) -> App:
    from starlette.middleware.cors import CORSMiddleware

    guarded = GuardrailMiddleware(app, guard, routes=TEXT)
    return CORSMiddleware(guarded, allow_origins=["*"], allow_methods=["*"])


def cors_inside(app: Any, guard: Guard) -> App:
    from starlette.middleware.cors import CORSMiddleware

    return GuardrailMiddleware(CORSMiddleware(app, allow_origins=["*"]), guard, routes=TEXT)


def base_http_outside(app: Any, guard: Guard) -> App:
    return _named_by_base_http(GuardrailMiddleware(app, guard, routes=TEXT))


def base_http_inside(app: Any, guard: Guard) -> App:
    return GuardrailMiddleware(_named_by_base_http(app), guard, routes=TEXT)


def _named_by_base_http(app: Any) -> App:
    from starlette.middleware.base import BaseHTTPMiddleware

    async def name(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-named"] = "yes"
        return response

    return BaseHTTPMiddleware(app, name)


def added_to_starlette(app: Any, guard: Guard) -> App:
    app.add_middleware(GuardrailMiddleware, guard=guard, routes=TEXT)
    return app  # type: ignore[no-any-return]


MIDDLEWARE = [
    gzip_outside, gzip_inside, cors_outside, cors_inside, base_http_outside, base_http_inside,
    added_to_starlette,
]  # fmt: skip


@pytest.mark.parametrize("wrap", MIDDLEWARE, ids=lambda wrap: wrap.__name__)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "in pieces"])
async def test_other_middleware_may_stand_before_and_after(
    guard: Guard, records: Records, script: Script, wrap: Any, streamed: bool
) -> None:
    import gzip

    app = wrap(FRAMEWORKS["starlette"](script, ["/chat"]), guard)
    headers = {"origin": "http://elsewhere.test", "accept-encoding": "gzip"}
    async with serving(app) as port:
        for said, delivered in ((b"fine", b"fine"), (b"forbidden", REPLY.encode())):
            script.said = Said([b"%c" % c for c in said] if streamed else said)
            got = await ask(port, "/chat", "hi", headers=headers)
            coded = got.headers.get("content-encoding") == "gzip"
            assert (gzip.decompress(got.body) if coded else got.body) == delivered
            assert coded == (wrap is gzip_outside)
            if wrap is cors_outside or (wrap is cors_inside and said == b"fine"):
                assert got.headers["access-control-allow-origin"] == "*"
            if wrap is base_http_outside:
                assert got.headers["x-named"] == "yes"
    assert len(records.how()) == 4


# -- who is asking -------------------------------------------------------------------------------

ANN = Context(tenant="ann")


def by_header(scope: Any) -> Context:
    return Context(tenant=dict(scope["headers"])[b"x-user"].decode())


async def by_header_later(scope: Any) -> Context:
    await asyncio.sleep(0)
    return by_header(scope)


@pytest.mark.parametrize("said", [ANN, by_header, by_header_later], ids=["value", "sync", "async"])
async def test_who_is_asking_is_said_by_a_value_or_a_callable(
    guard: Guard, records: Records, script: Script, said: Any
) -> None:
    guarded = GuardrailMiddleware(plain_app(script), guard, routes=TEXT, context=said)
    async with serving(guarded, lifespan="off") as port:
        await ask(port, "/chat", "hi", headers={"x-user": "ann"})
    assert [record.tenant for record in records.opened] == ["ann", "ann"]


async def test_without_a_word_it_is_the_context_set_outside(
    guard: Guard, records: Records, script: Script
) -> None:
    guarded = GuardrailMiddleware(plain_app(script), guard, routes=TEXT, context=lambda _: None)

    async def outside(scope: Any, receive: Any, send: Any) -> None:
        with context(ANN):
            await guarded(scope, receive, send)

    async with serving(outside, lifespan="off") as port:
        await ask(port, "/chat", "hi")
    assert [record.tenant for record in records.opened] == ["ann", "ann"]


@pytest.mark.parametrize("said", ["a name", 3], ids=repr)
async def test_a_context_that_is_none_fails_closed(
    guard: Guard, script: Script, said: object
) -> None:
    guarded = GuardrailMiddleware(
        plain_app(script), guard, routes=TEXT, context=lambda _: said  # type: ignore[arg-type,return-value]
    )  # fmt: skip
    async with serving(guarded, lifespan="off") as port:
        assert (await ask(port, "/chat", "hi")).status == 500
    assert not script.seen


async def streams_to(app: Any, send: Any) -> None:
    """One call of a guarded application's, straight through ASGI."""
    asked = [{"type": "http.request", "body": b"hi", "more_body": False}]

    async def receive() -> Any:
        return asked.pop() if asked else await asyncio.Event().wait()

    scope = {"type": "http", "method": "POST", "path": "/chat", "headers": [], "query_string": b""}
    await app(scope, receive, send)


START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream")],
}


def piece_of(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def test_a_client_who_leaves_in_silence_hides_no_error_and_leaves_no_record_open(
    guard: Guard, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "KEEP_ALIVE_S", 0.01)
    left = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(piece_of(b"data: Hello. \n\ndata: You. \n\n"))
        await left.wait()
        raise LookupError("the application's own")

    async def send(message: Any) -> None:
        if message.get("body") == streaming.KEPT_ALIVE:
            left.set()
            raise OSError("the client has left")

    guarded = GuardrailMiddleware(app, guard, routes=TEXT)
    with pytest.raises(LookupError):
        await asyncio.wait_for(streams_to(guarded, send), 5)
    assert records.how()[-1] == ("output", "allow", "interrupted")


async def test_several_tasks_may_send_a_stream(guard: Guard, records: Records) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        said = [piece_of(b"data: A secret. \n\n"), *[piece_of(b"data: And more. \n\n")] * 5]
        await asyncio.gather(*map(send, said))
        await send(piece_of(b"", more=False))

    sent: list[bytes] = []

    async def send(message: Any) -> None:
        await asyncio.sleep(0)
        sent.append(message.get("body", b""))

    await streams_to(GuardrailMiddleware(app, guard, routes=TEXT), send)
    assert b"".join(sent) == b"data: A . \n\n" + b"data: And more. \n\n" * 5
    assert records.how()[-1] == ("output", "redact", "judged")
