"""Routes of the proxy's own, whose upstream is an application and no provider."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from proxy_house import REPLY, Handler, config_of, serving, speaking, written
from proxy_wire import ask

from guardrails.errors import SettingsError
from guardrails.proxy.config_file import load_config

STREAM = b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def streaming(pieces: Sequence[bytes]) -> Handler:
    """Sends these to whoever asks."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + STREAM)
        for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    return handle


def tokens(*texts: str) -> list[bytes]:
    told = [json.dumps({"type": "token", "text": text}) for text in texts]
    return [b"data: %s\n\n" % data.encode() for data in (*told, "[DONE]")]


TABLE = """
[serve]
upstream = "http://127.0.0.1:1"
constitution = "house"

[serve.routes."/chat"]
format = { sse = { request = "/message", by = "/type", delta = { token = "/text" } } }
"""


def routes_of(folder: Path, text: str) -> Any:
    file = folder / "serve.toml"
    file.write_text(text)
    return dict(load_config(file, environ={}).routes)


def said_in(body: bytes) -> str:
    """The pieces of the reply, together: how they are cut depends on when they came."""
    told = [json.loads(event) for event in body.split(b"data: ")[1:-1]]
    assert {event["type"] for event in told} == {"token"}
    return "".join(event["text"] for event in told)


def test_events_of_an_applications_own_shape_are_judged(tmp_path: Path) -> None:
    routes = routes_of(tmp_path, TABLE)
    for pieces, got in (
        (tokens("Hel", "lo. ", "Fine."), []),
        (tokens("Hello. A sec", "ret. ", "Fine."), ["Hello. A . Fine."]),
        (tokens("Hello. A for", "bidden word."), [f"Hello. \n\n{REPLY}", REPLY]),  # all at once
    ):
        with (
            speaking(streaming(pieces)) as url,
            serving(config_of(url, written(tmp_path), routes=routes)) as house,
        ):
            answer = ask(house.port, "/chat", {"message": "hi"})
        assert answer.status == 200
        assert answer.body.endswith(b"data: [DONE]\n\n")
        if got:
            assert said_in(answer.body) in got
        else:
            assert answer.body == b"".join(pieces)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{ sse = { dleta = '/text' } }", "unknown key; did you mean 'delta'"),
        ("{ sse = { delta = 'text' } }", "is no JSON pointer"),
        ("{ json = { delta = 'text' } }", "expected to be one table"),
        ("3", "serve.routes./chat.format"),
    ],
)
def test_a_shape_that_could_not_work_is_an_error_with_its_place(
    tmp_path: Path, said: str, problem: str
) -> None:
    text = TABLE.partition("format")[0] + f"format = {said}\n"
    with pytest.raises(SettingsError) as error:
        routes_of(tmp_path, text)
    assert problem in str(error.value)
    assert "serve.routes./chat.format" in str(error.value)
