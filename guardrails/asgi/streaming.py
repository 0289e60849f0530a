"""An application's response that leaves while it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from guardrails.asgi.answers import (
    UNRECORDED,
    Errors,
    decision_headers,
    pending_headers,
    send_answer,
    status_of,
)
from guardrails.asgi.messages import DEPENDENT, Headers, Message, Send
from guardrails.errors import AuditError
from guardrails.guard.streamed_body import StreamedBody
from guardrails.telemetry import log
from guardrails.verdict import Decision
from guardrails.wire.formats import Answer

__all__ = ["KEEP_ALIVE_S", "StreamedResponse"]

KEEP_ALIVE_S = 10.0
"""After so many seconds of silence an event stream gets a comment, lest somebody close it."""

KEPT_ALIVE = b": keep-alive\n\n"
STOPPED = "the response was stopped, and is at its end already"

Instead = Callable[[Decision], Answer | None]


class StreamedResponse:
    """`take` what the application sends, piece by piece; `let_go` of it at the end in any case.

    `instead` gives the answer where the stream is stopped before any of it was sent, or None where
    the stream itself says so; `stopped` is told of its end in any case. `is_events`: it is kept
    alive with comments.
    """

    def __init__(
        self,
        body: StreamedBody,
        start: Message,
        headers: Headers,
        send: Send,
        *,
        errors: Errors,
        instead: Instead,
        stopped: Callable[[], None],
        is_events: bool,
    ) -> None:
        self._body = body
        self._start, self._headers, self._send = start, headers, send
        self._errors, self._instead, self._stopped = errors, instead, stopped
        self._sending = asyncio.Lock()
        self._has_started = self._is_over = False
        self._last = asyncio.get_running_loop().time()
        self._keeper = asyncio.ensure_future(self._keep_alive()) if is_events else None

    async def take(self, piece: bytes, *, more: bool) -> None:
        """Raises OSError where the stream was stopped before its end, as servers do when a client
        has left: nobody wants any more of it."""
        if self._is_over:
            if self._body.reply.stopped:
                raise OSError(STOPPED)
            return
        try:
            made = await self._body.feed(piece) if piece else b""
            if not more:
                made += await self._body.close()
            if await self._pass_on(made) and more and self._body.reply.stopped:
                raise OSError(STOPPED)
        except AuditError as error:
            await self._break_off(error)

    async def let_go(self) -> None:
        """Nobody sends any more."""
        self._is_over = True
        try:
            if self._keeper is not None:
                self._keeper.cancel()
                await asyncio.gather(self._keeper, return_exceptions=True)  # clients leave
        finally:
            with suppress(AuditError):
                await self._body.reply.abandon()

    async def _pass_on(self, made: bytes) -> bool:
        """Whether that was the end."""
        reply, decision = self._body.reply, self._body.reply.decision
        if not self._body.is_over or decision is None:
            if made:
                await self._out(made, more=True)
            return False
        if reply.stopped:
            self._stopped()
        answer = self._instead(decision) if reply.stopped and not self._has_started else None
        if reply.stopped and answer is None:
            made += self._body.ending(status=status_of(decision))
        self._is_over = True  # nothing is kept alive meanwhile: it would begin the response
        await reply.close()
        if answer is None:
            await self._out(made, more=False)
            return True
        async with self._sending:
            self._has_started = True
            await send_answer(self._send, answer, decision)
        return True

    async def _out(self, made: bytes, *, more: bool) -> None:
        async with self._sending:
            await self._begin(None if more else made)
            await self._send({"type": "http.response.body", "body": made, "more_body": more})
            self._last = asyncio.get_running_loop().time()

    async def _begin(self, whole: bytes | None) -> None:
        """Send the headers, once. `whole` is the body if it is all there already."""
        if self._has_started:
            return
        self._has_started = True
        reply, headers = self._body.reply, self._headers
        if whole is None or self._body.is_changed or reply.stopped:
            headers = headers.without(DEPENDENT)
        if whole is not None:
            headers = headers.without((b"transfer-encoding",))
            headers = headers.plus(("content-length", str(len(whole))))
        said = (
            pending_headers(reply.pin, reply.record_id)
            if reply.decision is None
            else decision_headers(reply.decision)
        )
        start = {key: value for key, value in self._start.items() if key != "trailers"}
        await self._send({**start, "headers": headers.plus(*said).raw()})

    async def _keep_alive(self) -> None:
        clock = asyncio.get_running_loop().time
        while not self._is_over:
            await asyncio.sleep(max(0.01, self._last + KEEP_ALIVE_S - clock()))
            if not self._is_over and clock() - self._last >= KEEP_ALIVE_S:
                await self._out(KEPT_ALIVE, more=True)

    async def _break_off(self, error: AuditError) -> None:
        """What cannot be recorded is not delivered, nor is anything after it."""
        log.error("a decision could not be recorded", problem=str(error))
        self._is_over = True
        async with self._sending:
            if not self._has_started:
                self._has_started = True
                await send_answer(self._send, self._errors.answer(503, UNRECORDED))
                return
            body = self._body.failure(503, UNRECORDED)
            await self._send({"type": "http.response.body", "body": body, "more_body": False})
