"""An application's response, held until it is whole, or handed on as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from guardrails.asgi.messages import Headers, Message, Send
from guardrails.asgi.streaming import StreamedResponse

__all__ = ["HeldResponse"]


class HeldResponse:
    """Give `send` to the application. `opens` may make a stream of a response that comes in
    several pieces. Else `whole` is called once: when the response is complete, or when more of it
    came than may be held; what an application does afterwards goes on."""

    def __init__(
        self,
        limit: int,
        whole: Callable[[HeldResponse], Awaitable[None]],
        opens: Callable[[Message], Awaitable[StreamedResponse | None]],
    ) -> None:
        self._opens = opens
        self._stream: StreamedResponse | None = None
        self._is_decided = False
        self._taking = asyncio.Lock()
        """Several tasks may send: one the reply, one what keeps it alive."""
        self._limit = limit
        self._whole = whole
        self._pieces: list[bytes] = []
        self._size = 0
        self._ended = False
        self.start: Mapping[str, Any] = {}
        self.overflowed = False

    async def send(self, message: Message) -> None:
        """Raises OSError once the response was cut off, as servers do when a client has left."""
        if self.overflowed:
            raise OSError("the response was longer than may be checked, and is answered already")
        kind = message["type"]
        if kind == "http.response.start":
            self.start = dict(message)
        elif kind == "http.response.body":
            async with self._taking:
                if not self._ended:
                    await self._take(message)
        # Trailers, and whatever else comes beside a response, is nothing that was judged.

    async def let_go(self) -> None:
        """The application has ended, or failed."""
        if self._stream is not None:
            await self._stream.let_go()

    async def _take(self, message: Message) -> None:
        piece, more = message.get("body") or b"", bool(message.get("more_body"))
        if more and not self._is_decided:
            self._stream = await self._opens(dict(self.start))
        self._is_decided = True
        if self._stream is not None:
            await self._stream.take(piece, more=more)
            return
        self._size += len(piece)
        if self._size > self._limit:
            self.overflowed = True
            self._pieces.clear()
        else:
            self._pieces.append(piece)
        if self.overflowed or not message.get("more_body"):
            self._ended = True
            await self._whole(self)

    @property
    def body(self) -> bytes:
        return b"".join(self._pieces)

    async def pass_on(self, send: Send, headers: Headers, body: bytes) -> None:
        """Send it, with these headers and this body."""
        start = {key: value for key, value in self.start.items() if key != "trailers"}
        await send({**start, "headers": headers.raw()})
        await send({"type": "http.response.body", "body": body})
