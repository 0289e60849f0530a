"""A small constitution, records that hold promise 1, and answers that an application gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardrails.audit.record import delivery_fault
from guardrails.audit.trail import MemoryTrail
from guardrails.guard import Guard

CONSTITUTION = """
schema: 1
id: house
version: 1.0.0
budget: {max_chars: 20000}
replies: {blocked: "No, not here.", unavailable: "Not right now."}
principles:
  - {id: house.forbidden, text: Says nothing forbidden., stages: [input, output],
     action: block, critics: [pattern: {breach: [forbidden]}]}
  - {id: house.secret, text: Keeps the secret., stages: [input, output],
     action: redact, critics: [pattern: {breach: [secret]}]}
  - id: house.promise
    text: Promises nothing.
    action: revise
    critics: [pattern: {breach: ['I promise']}]
    remedy: {replace_sentence: "Please ask a person."}
  - {id: house.odd, text: Says nothing odd., stages: [input, output], action: flag,
     critics: [pattern: {breach: [oddly]}]}
"""

REPLY = "No, not here."
UNAVAILABLE = "Not right now."


class Records(MemoryTrail):
    """What was recorded, held to promise 1 whenever somebody looks."""

    def how(self) -> list[tuple[str, str, str]]:
        """(stage, verdict, how it was delivered) of every record, in the order opened."""
        closed = {record.record_id: record for record in self.closed}
        assert len(closed) == len(self.closed), "a record was closed twice"
        found = []
        for opened in self.opened:
            assert opened.record_id in closed, f"a record of {opened.stage} was left open"
            record = closed[opened.record_id]
            assert delivery_fault(opened, record) is None
            found.append((str(opened.stage), str(opened.verdict), record.how))
        return found

    def forget(self) -> None:
        self.opened.clear()
        self.closed.clear()


def load_house(folder: Path, trail: MemoryTrail, text: str = CONSTITUTION, **more: Any) -> Guard:
    file = folder / "house.yaml"
    file.write_text(text)
    return Guard.load(file, offline=True, trail=trail, **more)


Scope = Mapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass
class Seen:
    """A request as the application got it."""

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    body: bytes
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Said:
    """What the application answers, whatever it is asked."""

    body: bytes | Sequence[bytes] = b"fine"
    media_type: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def pieces(self) -> list[bytes]:
        return [self.body] if isinstance(self.body, bytes) else list(self.body)

    async def stream(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


@dataclass
class Script:
    """What the application says next, and what it was asked."""

    said: Said = field(default_factory=Said)
    seen: list[Seen] = field(default_factory=list)


async def whole_body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request", message["type"]
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def plain_app(script: Script) -> App:
    """ASGI with no framework. Says nothing to a lifespan, as many applications do."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http", scope["type"]
        script.seen.append(
            Seen(
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"],
                headers={k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
                body=await whole_body(receive),
                extensions=scope.get("extensions") or {},
            )
        )
        said = script.said
        headers = [(b"content-type", said.media_type.encode("latin-1"))]
        headers += [(k.encode(), v.encode("latin-1")) for k, v in said.headers.items()]
        await send({"type": "http.response.start", "status": said.status, "headers": headers})
        for piece in said.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app
