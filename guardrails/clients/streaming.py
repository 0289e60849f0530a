"""Streams of a wrapped client that leave while they come: the SDK reads a response of which each
byte was let go by the guard. No SDK's HTTP client is imported: classes are made of those there are.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any

from guardrails.audit.record import How
from guardrails.clients.guarding import OnBlock
from guardrails.guard import Guard
from guardrails.guard.streamed_body import StreamedBody
from guardrails.verdict import Blocked, Decision

__all__ = ["StreamedAnswer", "streaming_response"]

DEPENDENT = frozenset({"content-encoding", "content-length", "transfer-encoding", "etag"})
"""Fields about a content's bytes: wrong for other bytes."""


@dataclass(frozen=True, kw_only=True)
class StreamedAnswer:
    """A reply under way, and what is done at its end."""

    body: StreamedBody = field(repr=False)
    on_block: OnBlock
    on_decision: Callable[[Decision], Any] | None
    _told: list[Decision] = field(default_factory=list, repr=False)

    async def read(self, response: Any) -> AsyncGenerator[bytes, None]:
        """What the SDK gets of a response. Raises Blocked where the application wants that."""
        body, decision = self.body, None
        try:
            pieces = response.aiter_bytes()
            while not body.is_over:
                piece = await anext(pieces, None)
                made = await (body.close() if piece is None else body.feed(piece))
                for one in self._decided():
                    told = None if self.on_decision is None else self.on_decision(one)
                    if inspect.isawaitable(told):
                        await told
                if decision is None and (decision := body.reply.decision) is not None:
                    made += self._ended(decision)
                    await body.reply.close(self._how)
                if made:
                    yield made
                self._refuse(decision)
        finally:
            await self.let_go(response)

    def read_here(self, response: Any, guard: Guard) -> Generator[bytes, None, None]:
        """As `read`, in the caller's own thread."""
        run, body, decision = guard.sync.run, self.body, None
        try:
            pieces = response.iter_bytes()
            while not body.is_over:
                piece = next(pieces, None)
                made = run(body.close() if piece is None else body.feed(piece))
                for one in self._decided():
                    told = None if self.on_decision is None else self.on_decision(one)
                    if inspect.isawaitable(told):
                        run(told)
                if decision is None and (decision := body.reply.decision) is not None:
                    made += self._ended(decision)
                    run(body.reply.close(self._how))
                if made:
                    yield made
                self._refuse(decision)
        finally:
            self.let_go_here(response, guard)

    async def let_go(self, response: Any) -> None:
        try:
            await response.aclose()
        finally:
            await self.body.reply.abandon()

    def let_go_here(self, response: Any, guard: Guard) -> None:
        try:
            response.close()
        finally:
            guard.sync.run(self.body.reply.abandon())

    def _decided(self) -> list[Decision]:
        """What was decided since somebody asked last."""
        reply = self.body.reply
        made = [*reply.calls, *([] if reply.decision is None else [reply.decision])]
        new = made[len(self._told) :]
        self._told.extend(new)
        return new

    @property
    def _raises(self) -> bool:
        return self.body.reply.stopped and self.on_block == "raise"

    @property
    def _how(self) -> How | None:
        return "nothing" if self._raises else None

    def _ended(self, decision: Decision) -> bytes:
        return self.body.ending(status=None) if decision.reply_key and not self._raises else b""

    def _refuse(self, decision: Decision | None) -> None:
        if decision is not None and self._raises:
            raise Blocked(decision)


def streaming_response(
    response: Any, answer: StreamedAnswer, guard: Guard, *, is_async: bool
) -> Any:
    """The response with what may leave of its stream."""
    module = sys.modules[type(response).__module__.partition(".")[0]]
    stream = (
        _async_stream(module.AsyncByteStream)(response, answer)
        if is_async
        else _sync_stream(module.SyncByteStream)(response, answer, guard)
    )
    reply = answer.body.reply
    kept = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name.lower() not in DEPENDENT
    ]
    said = [
        ("guardrails-verdict", "pending"),
        ("guardrails-record", reply.record_id),
        ("guardrails-constitution", f"{reply.pin.id}@{reply.pin.version}"),
    ]
    made = type(response)(
        response.status_code,
        headers=[*kept, *said],
        stream=stream,
        request=response.request,
        extensions=response.extensions,
    )
    made.elapsed = vars(response).get("_elapsed", timedelta(0))  # unset if no transport was there
    return made


@lru_cache(maxsize=8)
def _async_stream(base: type[Any]) -> type[Any]:
    class AsyncStream(base):  # type: ignore[misc]  # a class of whatever client is there
        def __init__(self, response: Any, answer: StreamedAnswer) -> None:
            self._response, self._answer = response, answer
            self._pieces = answer.read(response)

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._pieces

        async def aclose(self) -> None:
            await self._pieces.aclose()
            await self._answer.let_go(self._response)

    return AsyncStream


@lru_cache(maxsize=8)
def _sync_stream(base: type[Any]) -> type[Any]:
    class SyncStream(base):  # type: ignore[misc]  # a class of whatever client is there
        def __init__(self, response: Any, answer: StreamedAnswer, guard: Guard) -> None:
            self._response, self._answer, self._guard = response, answer, guard
            self._pieces = answer.read_here(response, guard)

        def __iter__(self) -> Iterator[bytes]:
            return self._pieces

        def close(self) -> None:
            self._pieces.close()
            self._answer.let_go_here(self._response, self._guard)

    return SyncStream
