"""HTTP as bytes: what no client library would send, and what it would hide."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

from proxy_house import KEY, LIMIT_S

MESSAGES = "/v1/messages"
CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["error"]["message"])


def head(target: str, method: str, headers: list[tuple[str, str]]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def request(
    target: str = MESSAGES,
    body: bytes | object = None,
    *,
    method: str = "POST",
    headers: Mapping[str, str | None] | None = None,
    more: list[tuple[str, str]] | None = None,
) -> bytes:
    """A header of the value None is left out."""
    if method == "GET":
        body = None
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    said: dict[str, str | None] = {
        "host": "localhost",
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "anthropic-version": "2023-06-01" if target.startswith(MESSAGES) else None,
        **(headers or {}),
    }
    items = [(name, value) for name, value in said.items() if value is not None] + (more or [])
    if "content-length" not in said and "transfer-encoding" not in said and method != "GET":
        items.append(("content-length", str(len(data))))
    return head(target, method, items) + data


def exchange(port: int, data: bytes) -> Got:
    with connected(port) as connection:
        connection.sendall(data)
        return got(connection)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)


def got(connection: socket.socket, method: str = "POST") -> Got:
    response = HTTPResponse(connection, method=method)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Got(response.status, headers, response.read())


def ask(port: int, target: str = MESSAGES, body: object = None, **options: Any) -> Got:
    return exchange(port, request(target, body, **options))


def messages(text: str = "What is two and two?", **more: Any) -> dict[str, Any]:
    said = [{"role": "user", "content": text}]
    return {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": said, **more}


def chat(text: str = "What is two and two?", **more: Any) -> dict[str, Any]:
    return {"model": "gpt-5", "messages": [{"role": "user", "content": text}], **more}


def responses(text: object = "What is two and two?", **more: Any) -> dict[str, Any]:
    return {"model": "gpt-5", "input": text, **more}
