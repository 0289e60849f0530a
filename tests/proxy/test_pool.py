"""Connections to a provider: kept, but never with an answer on them that nobody asked for."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from proxy_house import config_of, serving, until, written
from proxy_wire import CHAT, ask, chat, connected, got, request
from test_relay import speaking, whole

from guardrails.proxy import pool

OPEN = {CHAT: {"guard": False}}
JSON = "content-type: application/json"


def answer(text: str) -> bytes:
    return whole(json.dumps({"said": text}).encode(), JSON)


@dataclass
class Answers:
    """A provider that answers each request with the next of these, piece by piece."""

    pieces: list[list[bytes]]
    connections: int = 0
    told: int = 0
    lost: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                for piece in self.pieces[min(self.told, len(self.pieces) - 1)]:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.1)
                self.told += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lost.set()
        finally:
            writer.close()


@contextmanager
def asking(tmp_path: Any, made: Answers, **limits: Any) -> Iterator[Callable[[], Any]]:
    with (
        speaking(made) as url,
        serving(config_of(url, written(tmp_path), routes=OPEN, limits=limits)) as house,
    ):
        yield lambda: ask(house.port, CHAT, chat())


def test_a_connection_is_used_again(tmp_path: Any) -> None:
    made = Answers([[answer("first")]])
    with asking(tmp_path, made) as asked:
        for _ in range(3):
            assert asked().json == {"said": "first"}
    assert made.connections == 1


FIRST, POISON = answer("first"), answer("of somebody else")
TWICE = {
    "at once": [FIRST + POISON],
    "later": [FIRST, POISON],
    "with the end of the first": [FIRST[:-5], FIRST[-5:] + POISON],
    "half of it with the end": [FIRST[:-5], FIRST[-5:] + POISON[:30]],
    "half of it later": [FIRST, POISON[:30]],
    "an empty line": [FIRST, b"\r\n"],
}


@pytest.mark.parametrize("pieces", TWICE.values(), ids=TWICE)
def test_an_answer_that_nobody_asked_for_goes_to_nobody(tmp_path: Any, pieces: list[bytes]) -> None:
    made = Answers([pieces, [answer("second")]])
    with asking(tmp_path, made) as asked:
        assert asked().json == {"said": "first"}
        until(lambda: made.told == 1)
        assert asked().json == {"said": "second"}


def test_what_an_unknown_aiohttp_does_not_tell_is_no_second_answer(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a release took connections out of its pool by another name."""
    monkeypatch.delattr(pool.OneAnswerConnector, "_get")
    made = Answers([[answer("first")], [answer("second")]])
    with asking(tmp_path, made) as asked:
        assert asked().json == {"said": "first"}
        assert asked().status == 502
        assert asked().json == {"said": "second"}


def test_with_an_aiohttp_that_tells_nothing_there_is_no_answer(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a release handed answers to its connections by another name."""
    monkeypatch.delattr(pool._Connection, "feed_data")
    with asking(tmp_path, Answers([[answer("first")]])) as asked:
        told = asked()
        assert (told.status, told.json["error"]["type"]) == (502, "server_error")


STATUSES = ["101 Switching Protocols", "600 Beyond", "999 Beyond", "700 X"]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("is_judged", [True, False])
def test_a_status_that_is_no_answer(tmp_path: Any, status: str, is_judged: bool) -> None:
    said = whole(b"{}", JSON, "connection: upgrade", "upgrade: websocket", status=status)
    made = Answers([[said]])
    routes = {} if is_judged else OPEN
    with (
        speaking(made) as url,
        serving(config_of(url, written(tmp_path), routes=routes)) as house,
    ):
        told = ask(house.port, CHAT, chat())
        assert (told.status, told.json["error"]["type"]) == (502, "server_error")
        assert "upgrade" not in told.headers


def test_what_comes_before_an_answer_is_skipped(tmp_path: Any) -> None:
    made = Answers([[b"HTTP/1.1 102 Processing\r\n\r\n" * 5 + answer("first")]])
    with asking(tmp_path, made) as asked:
        assert asked().json == {"said": "first"}
        assert asked().json == {"said": "first"}
    assert made.connections == 1


def test_a_flood_before_an_answer_is_cut_off(tmp_path: Any) -> None:
    made = Answers([[b"HTTP/1.1 102 Processing\r\n\r\n" * 5_000] * 1_000])
    with asking(tmp_path, made, first_byte_s=20) as asked:
        assert asked().status == 502
        assert made.lost.wait(10)


def test_a_flood_of_pieces_leaves_others_their_turn(tmp_path: Any) -> None:
    """A second request is answered while the first one's answer has no end."""
    asked_twice, ended = threading.Event(), threading.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if asked_twice.is_set():
            writer.write(answer("second"))
            await writer.drain()
            writer.close()
            return
        asked_twice.set()
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while not ended.is_set():
                writer.write(b"1\r\na\r\n" * 10_000)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    with (
        speaking(handle) as url,
        serving(config_of(url, written(tmp_path), routes=OPEN)) as house,
        connected(house.port) as flooded,
    ):
        flooded.sendall(request(CHAT, chat()))
        taking = threading.Thread(target=lambda: _take(flooded, ended), daemon=True)
        taking.start()
        assert asked_twice.wait(10)
        with connected(house.port) as connection:
            connection.sendall(request(CHAT, chat()))
            assert got(connection).json == {"said": "second"}
        ended.set()
        taking.join(10)


def _take(connection: Any, ended: threading.Event) -> None:
    try:
        while not ended.is_set() and connection.recv(1 << 20):
            pass
    except OSError:
        pass
