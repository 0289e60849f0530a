"""A reply that comes in pieces, judged before any of it leaves. For now all of it is held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable
from contextlib import aclosing
from typing import Self

from guardrails.errors import GuardrailsError, WireFormatError
from guardrails.guard.call import GuardedCall
from guardrails.verdict import Decision, Stage
from guardrails.wire import rebuild

__all__ = ["GuardedStream", "HeldPieces", "Pieces"]

MOST_EMPTY = 100_000
"""Pieces without a character that may be held, for nothing else bounds their number."""

TURN = 1_000
"""After so many pieces others get their turn: a source need not ever wait for anything."""

Pieces = AsyncIterable[str] | Iterable[str]


class GuardedStream:
    """`async for piece in stream: …`, then `stream.decision` says why it is what it is.

    A clean reply leaves in the pieces in which it came, a changed or replaced one in one piece. It
    can be gone through once; `aclose` lets go of the source.
    """

    def __init__(
        self, call: GuardedCall, pieces: Pieces, *, prompt: object, max_chars: int
    ) -> None:
        self._call = call
        self._pieces = pieces
        self._prompt = prompt
        self._max_chars = max_chars
        self._decision: Decision | None = None
        self._running = self._run()

    @property
    def decision(self) -> Decision:
        """Raises GuardrailsError while it is not made yet."""
        if self._decision is None:
            raise GuardrailsError("the stream is not judged yet; go through it first")
        return self._decision

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
        async with self._call as call:
            held = await self._collected()
            text = "".join(held)
            decision = await call.check(text, stage=Stage.OUTPUT, prompt=self._prompt)
            self._decision = decision
            changed = not decision.delivers or decision.text != text
            await call.delivered(decision, decision.text if changed else text)
        for piece in [decision.text] if changed else held:
            yield piece

    async def _collected(self) -> list[str]:
        """The pieces, or as many as are one character too much to be judged."""
        held = HeldPieces(self._max_chars)
        async with aclosing(_each(self._pieces)) as pieces:
            async for piece in pieces:
                if not await held.add_in_turn(piece):
                    break
        return held.pieces


class HeldPieces:
    """Pieces of one text that wait for their verdict."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = self._empty = 0
        self.pieces: list[str] = []

    def add(self, piece: object) -> bool:
        """Whether there is room for more. What goes over the limit is refused when it is judged.
        Raises WireFormatError for what is no text or no end of nothing."""
        text = rebuild.text_of(piece) if isinstance(piece, str) else None
        if not isinstance(piece, str) or text is None:
            raise WireFormatError(
                f"what is guarded comes in pieces of one text, not of {type(piece).__name__}"
            )
        self.pieces.append(piece)
        self._size += len(text)
        self._empty += not text
        if self._empty > MOST_EMPTY:
            raise WireFormatError(f"more than {MOST_EMPTY:,} of the pieces are empty")
        return self._size <= self._limit

    async def add_in_turn(self, piece: object) -> bool:
        """As `add`, and lets others run now and then."""
        if len(self.pieces) % TURN == TURN - 1:
            await asyncio.sleep(0)
        return self.add(piece)


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
