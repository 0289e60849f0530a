"""Requests that lie, hide or flood: a clear 4xx, never a 500, and never a pass."""

from __future__ import annotations

import asyncio
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from asgi_house import CONSTITUTION, Records, Said, Script, load_house, plain_app
from asgi_server import Got, ask, connected, request_bytes, serving

from guardrails.asgi import GuardrailMiddleware
from guardrails.guard import Guard

JSON = "application/json"
FORBIDDEN = "forbidden"
ESCAPED = "forb\\u0069dden"

BODIES: dict[str, bytes] = {
    "10,000 levels": b'{"message": "forbidden", "a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "500 levels": b'{"message": "forbidden", "a": ' + b"[" * 500 + b"]" * 500 + b"}",
    "NaN": b'{"message": "forbidden", "a": NaN}',
    "Infinity": b'{"message": "forbidden", "a": [-Infinity]}',
    "1e400": b'{"message": "forbidden", "a": 1e400}',
    "half a surrogate pair": b'{"message": "forbidden \\ud800"}',
    "a key twice": b'{"message": "forbidden", "message": "fine"}',
    "a key twice, escaped": b'{"message": "forbidden", "messag\\u0065": "fine"}',
    "a byte order mark": b'\xef\xbb\xbf{"message": "forbidden"}',
    "UTF-16": '{"message": "forbidden"}'.encode("utf-16"),
    "UTF-16 without its mark": '{"message": "forbidden"}'.encode("utf-16-le"),
    "UTF-32": '{"message": "forbidden"}'.encode("utf-32-be"),
    "Latin-1": '{"message": "forbidden é"}'.encode("latin-1"),
    "more after the end": b'{"message": "fine"} {"message": "forbidden"}',
    "lines": b'{"message": "fine"}\n{"message": "forbidden"}\n',
    "a huge number": b'{"message": "forbidden", "a": ' + b"9" * 5_000 + b"}",
    "cut off": b'{"message": "forbidden"',
    "a NUL behind": b'{"message": "forbidden"}\0',
}


@pytest.mark.parametrize(
    "format", ["auto", "json", "json: /message -> /answer", "anthropic", "openai-chat"]
)
async def test_ambiguous_json_is_a_400_that_says_why(
    guard: Guard, script: Script, format: str
) -> None:
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": format})
    async with serving(guarded, lifespan="off") as port:
        for name, body in BODIES.items():
            got = await ask(port, "/chat", body, media_type=JSON)
            assert got.status == 400 or (name == "500 levels" and got.verdict == "block"), name
            assert b"forbidden" not in got.body
            assert re.search("JSON|UTF-8|nested", got.body.decode()) or got.verdict, name
    assert not script.seen


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize(
    "body",
    [
        f'{{"message": "{ESCAPED}"}}'.encode(),
        f'  ["{ESCAPED}"]'.encode(),
        f'"{ESCAPED}"'.encode(),
        f'{{"message": "{ESCAPED}", "message": "{ESCAPED}"}}'.encode(),
        f'{{"message": "{ESCAPED}", "a": NaN}}'.encode(),
        f'{{"message": "{ESCAPED}"}}'.encode("utf-16"),
        f'{{"message": "{ESCAPED}"}}'.encode("utf-16-le"),
        f'{{"message": "{ESCAPED}"}}'.encode("utf-32"),
        f'{{"message": "{ESCAPED}"}}'.encode("utf-8-sig"),
    ],
    ids=repr,
)
async def test_json_that_says_it_is_something_else_is_read_as_json(
    guard: Guard, script: Script, media_type: str, body: bytes
) -> None:
    """As an application does that reads it whatever its type."""
    assert FORBIDDEN in json.dumps(json.loads(body))
    async with serving(GuardrailMiddleware(plain_app(script), guard), lifespan="off") as port:
        got = await ask(port, "/chat", body, media_type=media_type)
    assert not script.seen
    assert got.status == 400 or got.verdict == "block"


@pytest.mark.parametrize(
    "types",
    [
        ["text/plain", JSON],
        [JSON, "text/plain"],
        ["text/plain; charset=utf-8; charset=utf-7"],
        [f"{JSON}; charset=utf-16"],
        [f"{JSON}; charset=utf-7"],
        [f"{JSON}; charset = utf-7"],
        [f"{JSON}; charset= utf-7"],
        [f"{JSON};\tcharset\t=utf-7"],
        [f"{JSON}; charset*=utf-8''utf-7"],
        [f"{JSON}; charset*0=utf; charset*1=-7"],
        [f"{JSON}; charset"],
        [f'{JSON}; a="b; charset=utf-7; c="'],
        [f'{JSON}; a="\\"; charset=utf-7'],
        [f"{JSON}; charset=utf-8, text/plain"],
    ],
    ids=repr,
)
async def test_a_type_that_two_readers_may_read_in_two_ways_is_a_400(
    guard: Guard, script: Script, types: list[str]
) -> None:
    data = request_bytes("/chat", b'{"a": "b"}', headers=[("content-type", t) for t in types])
    guarded = GuardrailMiddleware(plain_app(script), guard)
    async with serving(guarded, lifespan="off") as port, connected(port) as client:
        await client.send(data)
        assert (await client.get()).status == 400
    assert not script.seen


@pytest.mark.parametrize(
    "charset",
    [
        "utf-8",
        "UTF-8",
        '"utf-8"',
        "utf8",
        "us-ascii",
        "iso-8859-1",
        "utf-8; a=b",
        'utf-8 ; a="b c";',
    ],
)
async def test_a_charset_that_changes_nothing_is_fine(
    guard: Guard, script: Script, charset: str
) -> None:
    async with serving(GuardrailMiddleware(plain_app(script), guard), lifespan="off") as port:
        for media_type in (JSON, "text/plain"):
            type = f"{media_type}; charset={charset}"
            got = await ask(port, "/chat", b'{"a": "b"}', media_type=type)
            assert (got.status, got.body) == (200, b"fine")


@pytest.mark.parametrize(
    "media_type",
    ["multipart/form-data; boundary=x", "application/x-ndjson", "application/octet-stream",
     "application/xml", "text/event-stream", None, "", "text/plain; charset=utf-7",
     "text/plain; charset=utf-16", "text/plain; charset=forbidden"],
)  # fmt: skip
async def test_a_type_that_nobody_reads_is_undecided_and_says_what_to_do(
    guard: Guard,
    script: Script,
    records: Records,
    media_type: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(GuardrailMiddleware(plain_app(script), guard), lifespan="off") as port:
        got = await ask(port, "/chat", b"anything, or forbidden", media_type=media_type)
    assert not script.seen
    assert (got.status, got.media_type, got.verdict) == (403, "application/problem+json", "block")
    assert [str(record.cause) for record in records.opened] == ["undecided"]
    assert "name its format in routes=, or exempt its path" in caplog.text
    assert "forbidden" not in caplog.text


async def test_a_million_keys_are_too_many(tmp_path: Path, script: Script) -> None:
    house = CONSTITUTION.replace("max_chars: 20000", "max_chars: 10000000")
    guard = load_house(tmp_path, Records(), house)
    body = b"{" + b",".join(b'"%d":0' % n for n in range(1_000_000)) + b"}"
    async with serving(GuardrailMiddleware(plain_app(script), guard), lifespan="off") as port:
        got = await ask(port, "/chat", body, media_type=JSON)
    assert (got.status, script.seen) == (413, [])


@pytest.mark.parametrize("format", ["anthropic", "openai-chat", "openai-responses"])
async def test_nothing_is_no_request_of_a_providers(
    guard: Guard, script: Script, format: str
) -> None:
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": format})
    async with serving(guarded, lifespan="off") as port:
        got = await ask(port, "/chat", b"", media_type=JSON)
    assert (got.status, script.seen) == (400, [])
    assert "error" in json.loads(got.body)


# -- lengths -------------------------------------------------------------------------------------


async def spoken_to(guarded: Any, headers: list[tuple[bytes, bytes]], *bodies: bytes) -> int:
    """The status, without a server that would look at the headers itself."""
    sent: list[Any] = []
    coming = [{"type": "http.request", "body": b, "more_body": True} for b in bodies]
    coming[-1]["more_body"] = False
    messages = iter(coming)

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    await guarded(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("lengths", "status"),
    [
        (["5"], 200),
        (["5", "5"], 200),
        ([], 200),
        (["4"], 400),
        (["6"], 400),
        (["5", "6"], 400),
        (["5, 5"], 400),
        (["-5"], 400),
        (["+5"], 400),
        (["5.0"], 400),
        (["0x5"], 400),
        ([""], 400),
        (["five"], 400),
        (["٥"], 400),
        (["9" * 30], 413),
        (["999999"], 413),
    ],
    ids=str,
)
async def test_a_length_that_lies_is_refused(
    guard: Guard, script: Script, lengths: list[str], status: int
) -> None:
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": "text"})
    headers = [(b"content-length", length.encode()) for length in lengths]
    assert await spoken_to(guarded, headers, b"he", b"llo") == status
    assert len(script.seen) == (status == 200)


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_a_length_that_lies_to_a_server_is_no_pass(
    guard: Guard, script: Script, http: str
) -> None:
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": "json"})
    answers: list[Got] = []
    lies = [
        "3",
        "-1",
        "x",
        "14, 15",
        "14\r\ncontent-length: 15",
        "14\r\ntransfer-encoding: chunked",
    ]
    async with serving(guarded, lifespan="off", http=http) as port:
        for lie in lies:
            async with connected(port) as client:
                head = {"content-type": JSON, "content-length": lie}
                await client.send(request_bytes("/", b'{"a": "b"}  \r\n', headers=head))
                try:
                    answers.append(await client.get())
                except ConnectionError:
                    continue
    assert {got.status for got in answers} <= {400}
    assert not script.seen


HUNDRED_MB = 100_000_000


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
async def test_a_body_over_the_limit_is_refused_unread(
    guard: Guard, script: Script, chunked: bool
) -> None:
    guarded = GuardrailMiddleware(
        plain_app(script), guard, routes={"/*": "text"}, max_body_bytes=50_000
    )
    read = 0

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        async def counted() -> Any:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            return message

        await guarded(scope, counted, send)

    piece = b"x" * 100_000
    async with serving(counting, lifespan="off") as port, connected(port) as client:
        if chunked:
            head = b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
            wrapped = b"%x\r\n%b\r\n" % (len(piece), piece)
        else:
            head = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n" % HUNDRED_MB
            wrapped = piece
        tracemalloc.start()
        try:
            await client.send(head)
            sending = asyncio.create_task(flood(client, wrapped, HUNDRED_MB // len(piece)))
            got = await client.get()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (got.status, script.seen) == (413, [])
    assert b"longer than 50,000 bytes" in got.body
    assert read <= (0 if not chunked else 50_000 + 262_144)
    assert most < 5_000_000


async def flood(client: Any, piece: bytes, times: int) -> None:
    for _ in range(times):
        await client.send(piece)


async def test_a_text_over_the_budget_is_a_413(
    guard: Guard, script: Script, records: Records
) -> None:
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": "text"})
    async with serving(guarded, lifespan="off") as port:
        got = await ask(port, "/", b"x" * 20_001)
        assert (got.status, script.seen) == (413, [])
        script.said = Said(b"x" * 20_001)
        answered = await ask(port, "/", b"hi")
    assert answered.status == 413
    assert b"xxx" not in answered.body
    assert [record.cause for record in records.opened] == ["limit", None, "limit"]


async def test_an_endless_response_is_cut_off_at_the_limit(guard: Guard, records: Records) -> None:
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
            sent += 1

    guarded = GuardrailMiddleware(app, guard, routes={"/*": "text"}, max_body_bytes=50_000)
    async with serving(guarded, lifespan="off") as port:
        got = await ask(port, "/", b"hi")
    assert got.status == 200
    assert got.body.strip(b"x")
    assert sent <= 51
    assert records.how() == [("input", "allow", "judged"), ("output", "block", "cut")]


async def test_a_query_is_judged_as_the_body_is(guard: Guard, script: Script) -> None:
    async with serving(GuardrailMiddleware(plain_app(script), guard), lifespan="off") as port:
        for target in ("/?q=forbidden", "/?q=forb%69dden", "/?forbidden", "/?a=b&c=not+forbidden"):
            got = await ask(port, target, method="GET", media_type=None)
            assert (got.verdict, got.body) == ("block", b"No, not here.")
        assert (await ask(port, "/?q=%ff", method="GET", media_type=None)).status == 400
        assert not script.seen
        await ask(port, "/?b=2&a=a+b%20&a=&empty", method="GET", media_type=None)
        await ask(port, "/?q=my+secret&r=1", method="GET", media_type=None)
    assert [seen.query for seen in script.seen] == [b"b=2&a=a+b%20&a=&empty", b"q=my+&r=1"]
