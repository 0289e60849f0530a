"""Any framework behind the middleware, on a real server: requests judged, responses judged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from asgi_frameworks import FRAMEWORKS
from asgi_house import REPLY, Records, Said, Script
from asgi_server import Got, ask, connected, request_bytes, serving

from guardrails.asgi import GuardrailMiddleware
from guardrails.guard import Guard


@pytest.fixture(params=sorted(FRAMEWORKS))
def app(request: pytest.FixtureRequest, script: Script, guard: Guard) -> GuardrailMiddleware:
    inner = FRAMEWORKS[request.param](script, ["/chat", "/{rest:path}"])
    return GuardrailMiddleware(inner, guard, routes={"/chat": "text"}, exempt=["/open/*"])


EXCHANGES = {
    "a clean one": ("hello", "all  fine\r\n", "all  fine\r\n", "allow", "allow"),
    "an odd one is only flagged": ("oddly", "oddly so", "oddly so", "flag", "flag"),
    "a secret is cut out": ("hello", "my secret.", None, "allow", "redact"),
    "a promise is replaced": (
        "hello", "Hi. I promise it. Bye.", "Hi. Please ask a person. Bye.", "allow", "revise",
    ),
    "a forbidden reply": ("hello", "it is forbidden", REPLY, "allow", "block"),
    "a forbidden prompt": ("forbidden!", "fine", REPLY, "block", None),
}  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "in pieces"])
@pytest.mark.parametrize(
    ("asked", "said", "delivered", "input", "output"), EXCHANGES.values(), ids=EXCHANGES
)
async def test_an_exchange_is_held_to_the_constitution(
    app: GuardrailMiddleware,
    script: Script,
    records: Records,
    asked: str,
    said: str,
    delivered: str | None,
    input: str,
    output: str | None,
    streamed: bool,
) -> None:
    pieces: bytes | Sequence[bytes] = said.encode()
    if streamed:
        pieces = [letter.encode() for letter in said]
    script.said = Said(pieces)
    async with serving(app) as port:
        got = await ask(port, "/chat", asked)
    assert got.status == 200
    if delivered is None:
        assert b"secret" not in got.body
        assert got.body.startswith(b"my ")
    else:
        assert got.body == delivered.encode()
    if got.verdict == "pending":  # it left while it came
        assert streamed
        assert "content-length" not in got.headers
    else:
        assert got.headers["content-length"] == str(len(got.body))
        assert got.verdict == (output or input)
    assert got.headers["guardrails-constitution"] == "house@1.0.0"
    assert got.headers["guardrails-record"] in {record.record_id for record in records.opened}
    assert [(stage, verdict) for stage, verdict, _ in records.how()] == [
        ("input", input),
        *([("output", output)] if output else []),
    ]
    assert len(script.seen) == (input != "block")


async def test_a_redacted_prompt_reaches_the_application_whole_and_well_measured(
    app: GuardrailMiddleware, script: Script, records: Records
) -> None:
    async with serving(app) as port:
        await ask(port, "/chat", [b"tell me the se", b"cret now"])
    (seen,) = script.seen
    assert b"secret" not in seen.body
    assert seen.body.startswith(b"tell me the ")
    assert seen.headers["content-length"] == str(len(seen.body))
    assert "transfer-encoding" not in seen.headers
    assert records.how()[0] == ("input", "redact", "judged")


async def test_a_body_in_chunks_is_read_whole(app: GuardrailMiddleware, script: Script) -> None:
    async with serving(app) as port:
        blocked = await ask(port, "/chat", [b"for", b"bid", b"den"])
        await ask(port, "/chat", [b"all", b" fine"])
    assert blocked.body == REPLY.encode()
    assert [seen.body for seen in script.seen] == [b"all fine"]


async def test_headers_that_lead_past_the_guard_do_not_reach_the_application(
    app: GuardrailMiddleware, script: Script
) -> None:
    hidden = {
        "range": "bytes=0-1",
        "if-range": '"x"',
        "if-none-match": '"x"',
        "if-modified-since": "Tue, 24 Nov 2026 00:00:00 GMT",
        "accept-encoding": "gzip",
        "guardrails-verdict": "allow",
        "Guardrails-Trust": "me",
    }
    async with serving(app) as port:
        await ask(port, "/chat", "hi", headers={**hidden, "x-own": "stays"})
    (seen,) = script.seen
    assert seen.headers["x-own"] == "stays"
    assert not {name.lower() for name in hidden} & set(seen.headers)
    assert "http.response.pathsend" not in seen.extensions


async def test_an_exempt_path_is_left_alone(
    app: GuardrailMiddleware, script: Script, records: Records
) -> None:
    script.said = Said(b"forbidden", headers={"etag": '"x"'})
    async with serving(app) as port:
        got = await ask(port, "/open/door", "forbidden", headers={"if-none-match": '"x"'})
    assert got.body == b"forbidden"
    assert got.headers["etag"] == '"x"'
    assert got.verdict is None
    assert script.seen[0].headers["if-none-match"] == '"x"'
    assert not records.opened


async def test_many_at_once_are_kept_apart(
    app: GuardrailMiddleware, script: Script, records: Records
) -> None:
    async def one(number: int) -> Got:
        return await ask(port, "/chat", f"{number} forbidden" if number % 2 else f"{number}")

    async with serving(app) as port:
        got = await asyncio.gather(*map(one, range(20)))
    assert [g.body == REPLY.encode() for g in got] == [bool(n % 2) for n in range(20)]
    assert {seen.body for seen in script.seen} == {b"%d" % n for n in range(0, 20, 2)}
    assert len(records.how()) == 30


async def test_pipelined_requests_are_answered_in_their_order(
    app: GuardrailMiddleware, script: Script
) -> None:
    bodies = [b"one", b"forbidden", b"three", b"forbidden", b"five"]
    async with serving(app) as port, connected(port) as client:
        await client.send(b"".join(
            request_bytes("/chat", body, headers={"content-type": "text/plain"}) for body in bodies
        ))  # fmt: skip
        got = [await client.get() for _ in bodies]
    assert [g.body == REPLY.encode() for g in got] == [b"forbidden" in body for body in bodies]
    assert [seen.body for seen in script.seen] == [b"one", b"three", b"five"]


async def test_an_upload_that_is_cut_off_never_reaches_the_application(
    app: GuardrailMiddleware, script: Script, records: Records
) -> None:
    async with serving(app) as port:
        async with connected(port) as client:
            head = request_bytes("/chat", b"hello", headers={"content-length": "500"})
            await client.send(head)
            await client.leave()
        await ask(port, "/chat", "next")
    assert [seen.body for seen in script.seen] == [b"next"]
    assert [record[0] for record in records.how()] == ["input", "output"]


async def test_a_head_request_is_answered_without_a_body(
    app: GuardrailMiddleware, script: Script
) -> None:
    async with serving(app) as port:
        got: Any = await ask(port, "/chat", method="HEAD", media_type=None)
    assert got.body == b""
    assert got.status in (200, 405)
