"""To the provider and back: what goes on, what does not, and what each fault of its leads to."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any

import pytest
from proxy_house import (
    REPLY,
    Handler,
    House,
    config_of,
    provider,
    serving,
    speaking,
    until,
    written,
)
from proxy_wire import CHAT, MESSAGES, ask, chat, connected, got, messages, request

from guardrails.testing import FakeProvider, Latency, fault, faults

OPEN = {"/v1/messages": {"guard": False}}
"""Nothing is held where nothing is judged."""


def saying(data: bytes, seen: list[bytes] | None = None) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(asked)
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    return handle


def whole(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = "".join(f"{line}\r\n" for line in (*headers, f"content-length: {len(body)}"))
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeProvider]:
    with provider([]) as made:
        yield made


@pytest.fixture(scope="module")
def house(upstream: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    file = written(tmp_path_factory.mktemp("relay"))
    limits = {"first_byte_s": 0.4, "idle_s": 0.4}
    with serving(config_of(upstream.url, file, limits=limits)) as made:
        yield made


PASSES = {"allow", "block", None}
LED_TO: dict[str, tuple[int, str]] = {
    "never-answers": (504, "timeout_error"),
    "reset-before-headers": (502, "api_error"),
    "reset-mid-body": (502, "api_error"),
    "stall-mid-body": (504, "timeout_error"),
    "huge-body": (413, "request_too_large"),
}
"""The rest is an answer of the provider's, which is judged and goes on, or is none that anybody can
read: then the constitution's reply stands in its place."""
UNREADABLE = {
    "cut-off-body", "html", "gzip-garbage", "duplicate-keys", "unknown-block",
}  # fmt: skip


@pytest.mark.parametrize("trouble", faults(), ids=str)
def test_what_a_fault_leads_to(house: House, upstream: FakeProvider, trouble: Any) -> None:
    upstream.extend(trouble)
    answer = ask(house.port, MESSAGES, messages())
    if trouble.name in LED_TO:
        status, kind = LED_TO[trouble.name]
        assert (answer.status, answer.json["error"]["type"]) == (status, kind)
        return
    if trouble.name in UNREADABLE:
        assert (answer.status, answer.headers["guardrails-verdict"]) == (200, "block")
        assert answer.json["stop_reason"] == "refusal"
        return
    assert answer.status == (529 if trouble.name == "error-event" else trouble.status)
    assert answer.headers.get("guardrails-verdict") in ("allow", None)


@pytest.mark.parametrize("trouble", faults(), ids=str)
@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_what_a_fault_in_a_stream_leads_to(
    house: House, upstream: FakeProvider, path: str, trouble: Any
) -> None:
    """A status, while nothing has left; then the connection breaks off. Records are closed."""
    upstream.extend(trouble)
    house.records.forget()
    body = chat(stream=True) if path == CHAT else messages(stream=True)
    try:
        answer = ask(house.port, path, body)
    except (HTTPException, ConnectionError):
        assert trouble.name in ("reset-mid-body", "stall-mid-body", "cut-off-body")
    else:
        assert answer.status in {200, 502, 503, 504, trouble.status}
        if trouble.name in LED_TO and answer.status != 200:
            assert answer.json["error"]["message"]
    until(lambda: house.proxy.gate.traffic.in_flight == 0)
    assert house.records.how()[0] == ("input", "allow", "judged")


def test_a_stream_leaves_while_it_comes(tmp_path: Any) -> None:
    """The client has the beginning before the provider has said the end."""
    go_on = threading.Event()
    told = [
        {"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-5-5",
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0,
           "delta": {"type": "text_delta", "text": f"This is sentence {n} of some. "}}
          for n in range(40)),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]  # fmt: skip
    events = [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in told]

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        for number, event in enumerate(events):
            if number == len(events) - 4:
                await writer.drain()
                await asyncio.to_thread(go_on.wait, 10)
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    with (
        speaking(handle) as url,
        serving(config_of(url, written(tmp_path))) as house,
        connected(house.port) as connection,
    ):
        connection.sendall(request(MESSAGES, messages(stream=True)))
        data = b""
        while b"sentence 5 of" not in data:
            data += connection.recv(10_000)
        assert b"guardrails-verdict: pending" in data
        go_on.set()
        while not data.endswith(b"0\r\n\r\n"):
            data += connection.recv(10_000)
    assert [how for *_, how in house.records.how()] == ["judged", "judged"]


def test_a_provider_that_is_not_there(tmp_path: Any) -> None:
    nobody = socket.socket()
    nobody.bind(("127.0.0.1", 0))
    port = nobody.getsockname()[1]
    nobody.close()
    with serving(config_of(f"http://127.0.0.1:{port}", written(tmp_path))) as house:
        answer = ask(house.port, MESSAGES, messages())
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.json["error"]["type"] == "overloaded_error"
        assert ask(house.port, CHAT, chat()).json["error"]["type"] == "server_error"
        assert house.metric("guardrails_proxy_upstream_faults_total", phase="connect") == 2


NOT_HTTP = {
    "nonsense": b"what?\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000,
    "a length that is none": b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}",
    "nothing": b"",
    "half": whole(b'{"type": "message"}')[:-3],
    "chunks that end early": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n50\r\n{",
}


@pytest.mark.parametrize("data", NOT_HTTP.values(), ids=NOT_HTTP)
def test_an_answer_that_is_not_http(tmp_path: Any, data: bytes) -> None:
    with speaking(saying(data)) as url, serving(config_of(url, written(tmp_path))) as house:
        answer = ask(house.port, MESSAGES, messages())
        assert (answer.status, answer.json["error"]["type"]) == (502, "api_error")


def test_a_redirect_is_not_followed(tmp_path: Any) -> None:
    seen: list[bytes] = []
    away = whole(b"", "location: http://127.0.0.1:1/stolen", status="307 Temporary Redirect")
    with (
        speaking(saying(away, seen)) as url,
        serving(config_of(url, written(tmp_path), routes=OPEN)) as house,
    ):
        answer = ask(house.port, MESSAGES, messages())
        assert answer.status == 502
        assert len(seen) == 1
        assert "location" not in answer.headers


def test_only_what_concerns_the_provider_goes_to_it(house: House, upstream: FakeProvider) -> None:
    upstream.extend("Four.")
    said = {
        "host": "localhost:99",
        "cookie": "session=secret",
        "x-forwarded-for": "10.0.0.1",
        "forwarded": "for=10.0.0.1",
        "connection": "keep-alive, x-hop",
        "x-hop": "secret",
        "te": "trailers",
        "proxy-authorization": "Basic abc",
        "accept-encoding": "br",
        "guardrails-verdict": "allow",
        "x-anything": "secret",
        "x-stainless-lang": "python",
        "anthropic-beta": "prompt-caching-2024-07-31",
        "user-agent": "mine/1",
        "idempotency-key": "once",
    }
    assert ask(house.port, MESSAGES, messages(), headers=said).status == 200
    headers = dict(upstream.requests[-1].headers)
    assert headers.pop("host") in upstream.url
    assert headers.pop("accept-encoding") == "identity"
    assert int(headers.pop("content-length")) > 50
    assert headers == {
        "authorization": "Bearer key-of-a-client-0123456789",
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "prompt-caching-2024-07-31",
        "x-stainless-lang": "python",
        "user-agent": "mine/1",
        "idempotency-key": "once",
    }


def test_what_concerns_the_connection_does_not_come_back(tmp_path: Any) -> None:
    said = whole(
        b'{"data": []}',
        "content-type: application/json",
        "connection: keep-alive, x-hop",
        "keep-alive: timeout=5",
        "x-hop: 1",
        "set-cookie: a=b",
        "server: theirs",
        "alt-svc: h3=:443",
        "guardrails-verdict: allow",
        "x-ratelimit-remaining: 7",
        "x-request-id: theirs",
    )
    with speaking(saying(said)) as url, serving(config_of(url, written(tmp_path))) as house:
        answer = ask(house.port, "/v1/models", method="GET")
    assert answer.status == 200
    assert set(answer.headers) - {"date"} == {
        "content-type", "content-length", "x-ratelimit-remaining", "x-request-id",
        "guardrails-request-id",
    }  # fmt: skip


# -- streams, and clients that leave -------------------------------------------------------------


def test_pieces_go_on_as_they_come(tmp_path: Any) -> None:
    """Where nothing is held: each event is there before the next one is sent."""
    go_on = threading.Semaphore(0)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for number in range(3):
            writer.write(b"1\r\n%d\r\n" % number)
            await writer.drain()
            await asyncio.to_thread(go_on.acquire, timeout=10)
        writer.write(b"0\r\n\r\n")
        writer.close()

    with (
        speaking(handle) as url,
        serving(config_of(url, written(tmp_path), routes=OPEN)) as house,
        connected(house.port) as connection,
    ):
        connection.sendall(request(MESSAGES, messages()))
        data = b""
        for number in (b"0", b"1", b"2"):
            while not data.endswith(b"1\r\n%s\r\n" % number):
                data += connection.recv(1_000)
            go_on.release()
        while not data.endswith(b"0\r\n\r\n"):
            data += connection.recv(1_000)


def test_a_slow_reader_slows_the_provider(tmp_path: Any) -> None:
    """Memory is bounded: what the client does not take is not fetched."""
    sent = [0]
    piece = b"a" * 100_000

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            for _ in range(1_000):
                writer.write(piece)
                await writer.drain()
                sent[0] += len(piece)
        except OSError:
            pass

    limits = {"write_s": 0.5}
    config = config_of("http://127.0.0.1:1", written(tmp_path), routes=OPEN, limits=limits)
    with (
        speaking(handle) as url,
        serving(config.model_copy(update={"upstream": {"anthropic": url}})) as house,
        connected(house.port) as connection,
    ):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(request(MESSAGES, messages()))
        connection.recv(100)
        until(lambda: house.metric("guardrails_proxy_refused_total", reason="slow_client") == 1)
        assert sent[0] < 50_000_000
        until(lambda: house.proxy.gate.traffic.in_flight == 0)


LEAVES = {
    "before the answer begins": fault("never-answers"),
    "while it comes": fault("slow-drip").saying("word " * 2_000),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("trouble", LEAVES.values(), ids=LEAVES)
def test_a_client_that_leaves_ends_the_request_upstream(
    tmp_path: Any, trouble: Any, stream: bool
) -> None:
    cancelled = threading.Event()

    class Watching(FakeProvider):
        async def _answer(self, http: Any) -> Any:
            try:
                return await super()._answer(http)
            except (asyncio.CancelledError, ConnectionError):
                cancelled.set()
                raise

    with (
        Watching([trouble], strict=False) as made,
        serving(config_of(made.url, written(tmp_path))) as house,
    ):
        connection = connected(house.port)
        connection.sendall(request(MESSAGES, messages(stream=stream)))
        until(lambda: made.requests.total == 1)
        threading.Event().wait(0.1)
        connection.close()
        assert cancelled.wait(2), "the request upstream went on"
        until(lambda: house.proxy.gate.traffic.in_flight == 0)
        assert house.records.how() == [("input", "allow", "judged")]
        assert house.metric("guardrails_proxy_clients_left_total") == 1


def test_a_client_that_leaves_before_its_body_is_whole(
    house: House, upstream: FakeProvider
) -> None:
    before = upstream.requests.total
    left = house.metric("guardrails_proxy_clients_left_total")
    with connected(house.port) as connection:
        connection.sendall(request(MESSAGES, headers={"content-length": "100"}) + b"{")
    until(lambda: house.metric("guardrails_proxy_clients_left_total") == left + 1)
    assert upstream.requests.total == before


def test_one_connection_serves_many_requests_in_their_order(
    house: House, upstream: FakeProvider
) -> None:
    upstream.extend("One.", "This is forbidden.", "Three.")
    asked = request(MESSAGES, messages())
    with connected(house.port) as connection:
        told = []
        for _ in range(3):
            connection.sendall(asked)
            told.append(got(connection).json["content"][0]["text"])
    assert told == ["One.", REPLY, "Three."]


def test_requests_that_are_piped_are_answered_in_their_order(
    house: House, upstream: FakeProvider
) -> None:
    upstream.extend("One.", "Two.")
    with connected(house.port) as connection:
        connection.sendall(2 * request(MESSAGES, messages()))
        data = b""
        while data.count(b"HTTP/1.1 200") < 2 or b"Two." not in data:
            data += connection.recv(10_000)
    assert data.index(b"One.") < data.index(b"Two.")


def test_a_long_body_goes_on_whole(house: House, upstream: FakeProvider) -> None:
    upstream.extend("Four.")
    text = "The garden is full. " * 9_000
    system = "Be brief, as always. " * 9_000
    asked = messages(text, system=system)
    assert ask(house.port, MESSAGES, asked).status == 200
    assert upstream.requests[-1].text == text
    assert upstream.requests[-1].system == system


def test_a_stream_that_takes_its_time_is_not_idle(tmp_path: Any) -> None:
    latency = Latency(per_token_ms=50, chunk_tokens=2)
    with provider("One two three four five six.", latency=latency) as made:
        limits = {"idle_s": 0.25, "first_byte_s": 0.25}
        with serving(config_of(made.url, written(tmp_path), limits=limits)) as house:
            assert ask(house.port, MESSAGES, messages(stream=True)).status == 200
