"""Connections of clients that send what no client should: late fields, endless ones, garbage."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from proxy_house import House, config_of, provider, serving, until, written
from proxy_wire import CHAT, MESSAGES, chat, connected, got, messages, request

from guardrails.proxy import protocol
from guardrails.testing import FakeProvider

CHUNKED = {"transfer-encoding": "chunked"}
LIMITS = {"header_s": 0.5, "body_s": 1, "keep_alive_s": 1, "header_bytes": 4_096, "write_s": 1}


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeProvider]:
    with provider() as made:
        yield made


@pytest.fixture(scope="module")
def house(upstream: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    file = written(tmp_path_factory.mktemp("connections"))
    with serving(config_of(upstream.url, file, limits=LIMITS)) as made:
        yield made


@pytest.fixture
def dropped_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "DROPPED_S", 0.5)


def chunked(body: object, target: str = MESSAGES) -> bytes:
    """A request in chunks, up to where its trailers would begin."""
    data = json.dumps(body).encode()
    return request(target, headers=CHUNKED) + b"%x\r\n%b\r\n0\r\n" % (len(data), data)


def ends(connection: socket.socket) -> bytes:
    """Until the other side closes, within the socket's time."""
    data = b""
    try:
        while piece := connection.recv(65_536):
            data += piece
    except ConnectionError:
        pass
    return data


def is_cut_off(connection: socket.socket, piece: bytes) -> bool:
    """Whether the other side stops taking this some time."""
    try:
        for _ in range(2_000):
            connection.sendall(piece)
    except ConnectionError:
        return True
    return False


# -- another protocol ----------------------------------------------------------------------------

CLOSE = {"connection": "Upgrade, close", "upgrade": "h2c"}
H2C = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQA"}
"""As Java's own client asks on every connection without TLS."""


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("pause", [False, True], ids=["at once", "late"])
def test_who_would_like_another_protocol_is_answered_in_this_one(
    house: House, upstream: FakeProvider, pause: bool, framing: str
) -> None:
    """RFC 9110, section 7.8: a server may ignore what it does not speak."""
    whole = request(MESSAGES, messages(), headers=H2C)
    if framing == "chunks":
        data = json.dumps(messages()).encode()
        head = request(MESSAGES, headers={**H2C, **CHUNKED})
        whole = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
    at = whole.index(b"\r\n\r\n") + 4
    with connected(house.port) as connection:
        for _ in range(2):  # and the connection goes on
            before = upstream.requests.total
            connection.sendall(whole[:at] if pause else whole)
            if pause:
                time.sleep(0.1)
                connection.sendall(whole[at:])
            answer = got(connection)
            assert (answer.status, answer.json["content"][0]["text"]) == (200, "Four.")
            assert upstream.requests.total == before + 1
            assert "upgrade" not in upstream.requests[-1].headers


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0"])
def test_the_body_of_who_would_like_another_protocol_is_no_request(
    house: House, upstream: FakeProvider, upgrade: str
) -> None:
    before = upstream.requests.total
    hidden = request(MESSAGES, messages())
    head = {**H2C, "upgrade": upgrade, "content-length": str(len(hidden))}
    with connected(house.port) as connection:
        connection.sendall(request(MESSAGES, b"", headers=head))
        time.sleep(0.1)
        connection.sendall(hidden)
        answer = ends(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert upstream.requests.total == before


def test_many_who_would_like_another_protocol_at_once(house: House) -> None:
    one = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
    with connected(house.port) as connection:
        connection.sendall(one * 3_000 + request(MESSAGES, messages(), headers=CLOSE))
        answers = ends(connection)
    assert answers.count(b"HTTP/1.1 421 ") == 3_000
    assert answers.count(b"HTTP/1.1 200 ") == 1


def test_nobody_is_connected_to_elsewhere(house: House, upstream: FakeProvider) -> None:
    before = upstream.requests.total
    with connected(house.port) as connection:
        connection.sendall(request(MESSAGES, b"", method="CONNECT"))
        time.sleep(0.1)
        connection.sendall(request(MESSAGES, messages()))
        answer = ends(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert upstream.requests.total == before


# -- trailers ------------------------------------------------------------------------------------

TRAILERS = (
    b"anthropic-beta: code-execution-2025-05-22\r\nx-api-key: of-somebody-else\r\n"
    b"content-encoding: gzip\r\nanthropic-workspace: another\r\nx-last: 1\r\n\r\n"
)


@pytest.mark.parametrize("pause", [False, True], ids=["at once", "late"])
def test_trailers_are_no_headers(house: House, upstream: FakeProvider, pause: bool) -> None:
    """Neither of this request, nor of the next one on the connection."""
    with connected(house.port) as connection:
        connection.sendall(chunked(messages()))
        if pause:
            threading.Event().wait(0.2)
        connection.sendall(TRAILERS)
        assert got(connection).status == 200
        connection.sendall(request(MESSAGES, messages()))
        assert got(connection).status == 200
    for asked in (upstream.requests[-1], upstream.requests[-2]):
        assert not {"anthropic-beta", "x-api-key", "content-encoding", "anthropic-workspace"} & {
            name.lower() for name in asked.headers
        }


def test_a_late_coding_hides_no_field(house: House, upstream: FakeProvider) -> None:
    before = upstream.requests.total
    with connected(house.port) as connection:
        connection.sendall(chunked(messages(container="container_1")))
        threading.Event().wait(0.2)
        connection.sendall(b"content-encoding: gzip\r\nx-last: 1\r\n\r\n")
        assert got(connection).status == 403
    assert upstream.requests.total == before


@pytest.mark.parametrize("piece", [b"x-a: 1\r\n" * 1_000, b"a" * 8_000], ids=["many", "one"])
def test_endless_trailers_are_cut_off(house: House, piece: bytes) -> None:
    with connected(house.port) as connection:
        connection.sendall(chunked(messages()) + b"x-a: 1")
        assert is_cut_off(connection, piece)


def test_trailers_within_the_limit_are_read(house: House) -> None:
    with connected(house.port) as connection:
        connection.sendall(chunked(messages()))
        for _ in range(20):
            connection.sendall(b"x-a: 1\r\n")
        connection.sendall(b"\r\n")
        assert got(connection).status == 200


# -- connections on which nothing is asked -------------------------------------------------------

UNREAD = {
    "401": request(MESSAGES, headers={"authorization": None, "content-length": "100000"}),
    "404": request("/unheard-of", headers={"content-length": "100000"}),
    "404 in chunks": request("/unheard-of", headers=CHUNKED) + b"5\r\n",
}


@pytest.mark.usefixtures("dropped_soon")
@pytest.mark.parametrize("asked", UNREAD.values(), ids=UNREAD)
def test_what_is_answered_before_its_body_came_is_closed(house: House, asked: bytes) -> None:
    """Whether or not more of it comes: bytes are no reason to wait."""
    with connected(house.port) as connection:
        connection.sendall(asked)
        assert got(connection).status in (401, 404)
        connection.sendall(b"x")
        assert ends(connection) == b""


def test_a_body_may_still_come_after_its_answer(house: House) -> None:
    """Its client reads the answer, and asks again."""
    asked = request(MESSAGES, headers={"authorization": None, "content-length": "100000"})
    with connected(house.port) as connection:
        connection.sendall(asked + b"x" * 1_000)
        assert got(connection).status == 401
        connection.sendall(b"x" * 99_000)
        connection.sendall(request(MESSAGES, messages()))
        assert got(connection).status == 200


def test_an_endless_body_after_its_answer_is_not_taken(house: House) -> None:
    with connected(house.port) as connection:
        connection.sendall(request("/unheard-of", headers={"content-length": "9" * 12}))
        assert got(connection).status == 404
        assert is_cut_off(connection, b"x" * 65_536)


@pytest.mark.parametrize("rest", [b"\r\n", b""], ids=["an empty line", "nothing"])
def test_an_idle_connection_is_closed_whatever_came_after_the_answer(
    house: House, rest: bytes
) -> None:
    with connected(house.port) as connection:
        connection.sendall(request(MESSAGES, messages()))
        assert got(connection).status == 200
        connection.sendall(rest)
        assert ends(connection) == b""


# -- what comes while an answer is under way -----------------------------------------------------

WHILE = {
    "half a head": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x",
    "garbage": b"GARBAGE\r\n\r\n",
    "a head that is too long": b"POST / HTTP/1.1\r\nx: " + b"a" * 20_000,
    "a body that is none": request(MESSAGES, headers=CHUNKED) + b"nonsense\r\n",
}


@pytest.mark.parametrize("more", WHILE.values(), ids=WHILE)
def test_no_error_stands_in_the_place_of_an_answer(tmp_path: Any, more: bytes) -> None:
    """The answer under way is ended as it should, and the connection with it."""
    go_on = threading.Event()

    async def late(_: object) -> str:
        await asyncio.to_thread(go_on.wait, 10)
        return "Four, in the end."

    with (
        provider(late) as slow,
        serving(config_of(slow.url, written(tmp_path), limits=LIMITS)) as house,
        connected(house.port) as connection,
    ):
        connection.sendall(request(CHAT, chat()))
        until(lambda: slow.requests.total == 1)
        connection.sendall(more)
        threading.Event().wait(1)  # the time for a head is over
        go_on.set()
        told = ends(connection)
    assert told.startswith(b"HTTP/1.1 200 ")
    assert told.count(b"HTTP/1.1 ") == 1
    assert b"Four, in the end." in told
    assert slow.requests.total == 1


def test_garbage_is_told_to_be_so(house: House) -> None:
    with connected(house.port) as connection:
        connection.sendall(b"GARBAGE\r\n\r\n")
        answer = got(connection)
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")


def test_chunks_that_are_none_are_told_to_be_so(house: House, upstream: FakeProvider) -> None:
    before = upstream.requests.total
    with connected(house.port) as connection:
        connection.sendall(request(MESSAGES, headers=CHUNKED) + b"nonsense\r\n")
        assert got(connection).status == 400
    until(lambda: house.proxy.gate.traffic.in_flight == 0)
    assert upstream.requests.total == before
