"""ASGI's messages: bodies read within bounds, headers taken out and put in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "DEPENDENT",
    "ASGIApp",
    "BodyTooLongError",
    "ClientLeftError",
    "Headers",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "read_body",
    "replaying",
]

DEPENDENT = frozenset(
    {
        *(b"accept-ranges", b"content-digest", b"content-encoding", b"content-length"),
        *(b"content-md5", b"digest", b"etag", b"last-modified", b"repr-digest", b"trailer"),
        b"transfer-encoding",
    }
)
"""Fields about a content's bytes: wrong for other bytes."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class ClientLeftError(Exception):
    """The client went away before its request was read."""


class BodyTooLongError(Exception):
    """A body is longer than may be read; no more of it was."""


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in their order, names in lower case."""

    items: tuple[tuple[bytes, bytes], ...] = field(repr=False)

    @classmethod
    def of(cls, raw: Iterable[Any]) -> Headers:
        return cls(tuple([(bytes(name).lower(), bytes(value)) for name, value in raw]))

    def get(self, name: str) -> str | None:
        """The field's value, several joined by commas; None if it is not there."""
        found = self.all(name)
        return ", ".join(found) if found else None

    def all(self, name: str) -> list[str]:
        wanted = name.encode("ascii")
        return [value.decode("latin-1") for key, value in self.items if key == wanted]

    def without(self, names: Collection[bytes]) -> Headers:
        return Headers(tuple([item for item in self.items if item[0] not in names]))

    def without_any(self, prefix: bytes) -> Headers:
        """Without those whose names begin so."""
        return Headers(tuple([item for item in self.items if not item[0].startswith(prefix)]))

    def plus(self, *items: tuple[str, str]) -> Headers:
        """With these fields in the place of any of the same names."""
        added = [(name.encode("ascii"), value.encode("latin-1")) for name, value in items]
        rest = self.without({name for name, _ in added})
        return Headers((*rest.items, *added))

    def raw(self) -> list[tuple[bytes, bytes]]:
        return list(self.items)


async def read_body(receive: Receive, *, limit: int) -> bytes:
    """A request's whole body. Raises BodyTooLongError, ClientLeftError."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        piece = message.get("body") or b""
        size += len(piece)
        if size > limit:
            raise BodyTooLongError
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)


def replaying(body: bytes, receive: Receive) -> Receive:
    """Gives the body once, then what really comes, such as that the client left."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
