"""How an answer goes over the wire: whole or in events, at its pace, and with what goes wrong."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from guardrails.testing.provider.dialect import Dialect, Frame, Json, Problem, dump
from guardrails.testing.provider.faults import Treatment
from guardrails.testing.provider.latency import Latency
from guardrails.testing.provider.request import ProviderRequest

__all__ = ["Delivery", "abort"]

_PAGE = b"""<html>
<head><title>%d</title></head>
<body><center><h1>%d</h1></center><hr><center>gateway</center></body>
</html>
"""
_GARBAGE = b"\x1f\x8b\x08\x00" + bytes(range(64, 128)) * 4
"""Begins as gzip does."""
_DRIP = 24
"""Bytes at a time."""
_TO_ARRIVE_S = 0.05
"""A reset throws away what the other side has not read yet: give it the time to."""
_AT_ONCE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Brings one reply to one client."""

    dialect: Dialect
    request: ProviderRequest
    latency: Latency
    sleep: Callable[[float], Awaitable[None]]
    closing: asyncio.Event
    """Set when the server closes: who waits for ever stops then."""
    pause_s: float

    async def error(
        self, http: web.Request, problem: Problem, headers: dict[str, str]
    ) -> web.StreamResponse:
        body = dump(self.dialect.error(problem, self.request.id))
        return await self._send(http, body, status=problem.status, headers=headers)

    async def page(self, http: web.Request, status: int) -> web.StreamResponse:
        """What a gateway says in the provider's place."""
        return await self._send(http, _PAGE % (status, status), status=status, kind="text/html")

    async def reply(
        self, http: web.Request, whole: Json, tokens: int, treatment: Treatment
    ) -> web.StreamResponse:
        """Deliver a whole reply of so many tokens, streamed if that was asked for."""
        match treatment:
            case "never":
                await self.closing.wait()
                return abort(http)
            case "reset_first":
                return abort(http)
            case "html":
                return await self.page(http, 200)
            case "empty_body":
                return await self._send(http, b"", kind=self._kind)
            case "gzip_garbage":
                headers = {"content-encoding": "gzip"}
                return await self._send(http, _GARBAGE, kind=self._kind, headers=headers)
            case "error_event" if not self.request.streaming:
                return await self.error(http, Problem(status=529, message="Overloaded"), {})
        if self.request.streaming:
            return await self._stream(http, whole, treatment)
        return await self._whole(http, whole, tokens, treatment)

    @property
    def _kind(self) -> str:
        return "text/event-stream; charset=utf-8" if self.request.streaming else "application/json"

    async def _whole(
        self, http: web.Request, whole: Json, tokens: int, treatment: Treatment
    ) -> web.StreamResponse:
        await self._pass(self.latency.before_s() + self.latency.writing_s(tokens))
        body = dump(whole)
        match treatment:
            case "cut_off":
                body = body[: len(body) // 2]
            case "wrong_shape":
                body = dump({"result": "ok", self.dialect.key: 7})
            case "duplicate_keys":
                twice = {self.dialect.key: _other(whole[self.dialect.key])}
                body = dump(twice)[:-1] + b"," + body[1:]
        kind = "text/plain" if treatment == "wrong_type" else self._kind
        if treatment in ("reset_midway", "stall_midway", "slow_drip"):
            response = await self._begin(http, kind, length=len(body))
            return await self._troubled(http, response, [Frame(body)], treatment)
        return await self._send(http, body, kind=kind)

    async def _stream(
        self, http: web.Request, whole: Json, treatment: Treatment
    ) -> web.StreamResponse:
        size = self.latency.chunk_tokens
        if treatment == "wrong_shape":
            whole = {"result": "ok", self.dialect.key: []}
        # All of them before the first is sent: what cannot be told is still a 500 then.
        frames = list(self.dialect.frames(whole, dict(self.request.body), size))
        if treatment == "duplicate_keys":
            frames = [_doubled(frame) for frame in frames]
        if treatment in ("cut_off", "error_event"):
            frames = self._broken(frames, treatment)
        elif self.dialect.end:
            frames.append(Frame(self.dialect.end))
        await self._pass(self.latency.before_s())
        kind = "text/plain" if treatment == "wrong_type" else self._kind
        response = await self._begin(http, kind)
        if treatment in ("reset_midway", "stall_midway", "slow_drip"):
            return await self._troubled(http, response, frames, treatment)
        for frame in frames:
            await self._pass(self.latency.writing_s(frame.tokens))
            await response.write(frame.data)
        await response.write_eof()
        return response

    def _broken(self, frames: list[Frame], treatment: Treatment) -> list[Frame]:
        half = frames[: len(frames) // 2]
        if treatment == "error_event":
            problem = Problem(status=529, message="Overloaded")
            half.append(self.dialect.error_frame(problem, self.request.id, len(half)))
        return half

    async def _troubled(
        self,
        http: web.Request,
        response: web.StreamResponse,
        frames: Iterable[Frame],
        treatment: Treatment,
    ) -> web.StreamResponse:
        data = b"".join(frame.data for frame in frames)
        if treatment == "slow_drip":
            for at in range(0, len(data), _DRIP):
                await self.sleep(self.pause_s)
                await response.write(data[at : at + _DRIP])
            await response.write_eof()
            return response
        await response.write(data[: len(data) // 2])
        if treatment == "stall_midway":
            await self.closing.wait()
        else:
            await asyncio.sleep(_TO_ARRIVE_S)
        return abort(http, response)

    async def _begin(
        self, http: web.Request, kind: str, *, length: int | None = None
    ) -> web.StreamResponse:
        headers = self.dialect.headers(self.request.id) | {"content-type": kind}
        response = web.StreamResponse(headers=headers)
        if length is not None:
            response.content_length = length
        else:
            response.headers["cache-control"] = "no-cache"
        await response.prepare(http)
        return response

    async def _send(
        self,
        http: web.Request,
        body: bytes,
        *,
        status: int = 200,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> web.StreamResponse:
        told = self.dialect.headers(self.request.id) | {"content-type": kind} | (headers or {})
        response = web.StreamResponse(status=status, headers=told)
        response.content_length = len(body)
        await response.prepare(http)
        for at in range(0, len(body), _AT_ONCE):
            await response.write(body[at : at + _AT_ONCE])
        await response.write_eof()
        return response

    async def _pass(self, seconds: float) -> None:
        if seconds > 0:
            await self.sleep(seconds)


def abort(http: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    """Reset the connection: no farewell, no rest of the answer."""
    if (transport := http.transport) is not None:
        own = transport.get_extra_info("socket")
        if own is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return response or web.Response()


def _other(said: Any) -> Any:
    """Something else of the same kind."""
    return type(said)()


def _doubled(frame: Frame) -> Frame:
    """An event that has its delta twice: first nothing, then what is meant."""
    for name in (b'"delta":', b'"choices":[{'):
        if name in frame.data and frame.tokens:
            empty = {b'"delta":': b'"delta":{},', b'"choices":[{': b'"choices":[],'}[name]
            return Frame(frame.data.replace(name, empty + name, 1), frame.tokens)
    return frame
