"""A reply that comes in pieces: what may leave does so while the rest still comes.

`Flow` says what is to be done next without doing it, so that it serves callers with `await` and
without (`sync_stream`); `GuardedStream` is the one for who has the pieces already.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from guardrails.errors import GuardrailsError, WireFormatError
from guardrails.exchange import Part
from guardrails.guard.call import GuardedCall
from guardrails.guard.outbox import Outbox
from guardrails.guard.reply import StreamedReply
from guardrails.pipeline.so_far import Head
from guardrails.verdict import Decision
from guardrails.wire import rebuild

__all__ = ["Do", "Flow", "Give", "GuardedStream", "Pieces", "Take", "follow", "follow_async"]

MOST_EMPTY = 100_000
"""Pieces without a character that may come, for nothing else bounds their number."""

TURN = 1_000
"""After so many pieces others get their turn: a source need not ever wait for anything."""

Pieces = AsyncIterable[str] | Iterable[str]

TEXT = Head(part=Part(text="", role="assistant"))
END = object()
"""The source has no further piece."""


@dataclass(frozen=True, slots=True)
class Do:
    """Work of the guard's, to be awaited."""

    work: Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Take:
    """The next piece is wanted, or END."""


@dataclass(frozen=True, slots=True)
class Give:
    """A piece for the caller."""

    piece: str = field(repr=False)


Step = Do | Take | Give


class Flow:
    """The pieces of one reply, from the source to the caller.

    Whoever drives it does its `steps`, then hands out the decision's reply if it `stopped`, and
    says so to the `reply`; in any case `reply.abandon` at the end.
    """

    def __init__(self, call: GuardedCall, prompt: object) -> None:
        self._call, self._prompt = call, prompt
        self._box = Outbox[str]()
        self._count = self._empty = 0
        self.reply: StreamedReply | None = None

    @property
    def decision(self) -> Decision:
        """Raises GuardrailsError while it is not made yet."""
        if self.reply is None or self.reply.decision is None:
            raise GuardrailsError("the stream is not judged yet; go through it first")
        return self.reply.decision

    def steps(self) -> Generator[Step, Any, StreamedReply]:
        """Gives the reply, all of which has left that may. Raises WireFormatError for pieces of
        anything but one text, AuditError and DeliveryError."""
        reply: StreamedReply = yield Do(partial(self._call.reply, prompt=self._prompt))
        self.reply, box = reply, self._box
        box.open(reply.open(TEXT))
        while not (reply.stopped or reply.is_full):
            piece = yield Take()
            if piece is END:
                reply.end()
                box.end()
                break
            text = self._text(piece)
            if self._count % TURN == 0:
                yield Do(partial(asyncio.sleep, 0))
            reply.say(0, text)
            box.put(piece, [(0, text, False)])
            yield from self._leaving(reply)
        yield from self._leaving(reply)
        if not reply.stopped and (made := box.tail(0)):
            reply.left(0, made)
            yield Give(made)
        return reply

    def _leaving(self, reply: StreamedReply) -> Generator[Step, Any, None]:
        """What may leave by now, each piece as it came where it is unchanged."""
        more = True
        while more:
            releases = yield Do(reply.step)
            more = releases is not None
            self._box.let_go(releases or ())
            for leaving in self._box.take():
                reply.left(0, leaving.new[0])
                if leaving.texts is None:
                    yield Give(leaving.item)
                elif leaving.new[0]:
                    yield Give(leaving.new[0])
        if reply.stopped and (last := self._box.remains()) is not None:
            reply.left(0, last.new[0])
            yield Give(last.new[0])
        yield Do(reply.stop)

    def _text(self, piece: object) -> str:
        """Raises WireFormatError for what is no text or no end of nothing."""
        text = rebuild.text_of(piece) if isinstance(piece, str) else None
        if text is None:
            raise WireFormatError(
                f"what is guarded comes in pieces of one text, not of {type(piece).__name__}"
            )
        self._count += 1
        self._empty += not text
        if self._empty > MOST_EMPTY:
            raise WireFormatError(f"more than {MOST_EMPTY:,} of the pieces are empty")
        return text


async def follow_async(flow: Flow, source: AsyncIterator[Any]) -> AsyncGenerator[str, None]:
    """Do the steps of a flow, and give its pieces."""
    steps, answer = flow.steps(), None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return
        answer = None
        match step:
            case Do():
                answer = await step.work()
            case Take():
                answer = await anext(source, END)
            case Give():
                yield step.piece


def follow(
    flow: Flow, source: Iterator[Any], run: Callable[[Awaitable[Any]], Any]
) -> Generator[str, None, None]:
    """As `follow_async`, with the guard's own work done by `run`."""
    steps, answer = flow.steps(), None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return
        answer = None
        match step:
            case Do():
                answer = run(step.work())
            case Take():
                answer = next(source, END)
            case Give():
                yield step.piece


class GuardedStream:
    """`async for piece in stream: …`, then `stream.decision` says why it is what it is.

    A piece leaves as it came once it is judged, with as much after it as a finding could reach; or
    changed; and where the reply is stopped, the constitution's reply comes after what left before.
    It can be gone through once; `aclose` lets go of the source.
    """

    def __init__(self, call: GuardedCall, pieces: Pieces, *, prompt: object) -> None:
        self._call = call
        self._pieces = pieces
        self._flow = Flow(call, prompt)
        self._running = self._run()

    @property
    def decision(self) -> Decision:
        """Raises GuardrailsError while it is not made yet."""
        return self._flow.decision

    def __aiter__(self) -> AsyncIterator[str]:
        return self._running

    async def __anext__(self) -> str:
        return await anext(self._running)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it: nothing more is taken from the source."""
        await self._running.aclose()
        await _let_go(self._pieces)

    async def _run(self) -> AsyncGenerator[str, None]:
        async with self._call:
            try:
                async with (
                    aclosing(_each(self._pieces)) as source,
                    aclosing(follow_async(self._flow, source)) as pieces,
                ):
                    async for piece in pieces:
                        yield piece
                reply = self._flow.reply
                if reply is not None and reply.decision is not None:
                    await reply.close()
                    if reply.stopped:
                        yield reply.decision.text
            finally:
                if self._flow.reply is not None:
                    await self._flow.reply.abandon()


async def _each(pieces: Pieces) -> AsyncGenerator[str, None]:
    if isinstance(pieces, AsyncIterable):
        iterator = aiter(pieces)
        try:
            async for piece in iterator:
                yield piece
        finally:
            await _let_go(iterator)
    else:
        plain = iter(pieces)
        try:
            for piece in plain:
                yield piece
        finally:
            await _let_go(plain)


async def _let_go(source: object) -> None:
    """End a generator; anything else is its owner's to close."""
    if isinstance(source, AsyncGenerator):
        await source.aclose()
    elif isinstance(source, Generator):
        source.close()
