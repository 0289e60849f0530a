"""A reply that comes in pieces, for callers that cannot await: its source is gone through in the
caller's own thread, and only the guard's own work is done elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import Any, Self

from guardrails.errors import WireFormatError
from guardrails.guard.call import GuardedCall
from guardrails.guard.stream import Flow, follow
from guardrails.verdict import Decision

__all__ = ["SyncGuardedStream"]

Run = Callable[[Awaitable[Any]], Any]


class SyncGuardedStream:
    """`for piece in stream: …`, then `stream.decision`: as `GuardedStream`, without `await`.

    It can be gone through once, in one thread at a time; `close`, or the end of a `with`, lets go
    of the source and closes the record.
    """

    def __init__(
        self, call: GuardedCall, pieces: Iterable[str], *, prompt: object, run: Run
    ) -> None:
        if isinstance(pieces, AsyncIterable):
            raise WireFormatError(
                f"guard.sync.stream goes through an iterable, not through an async one such as "
                f"{type(pieces).__name__}; use guard.stream"
            )
        self._pieces = pieces
        self._flow = Flow(call, prompt)
        self._running = _run(call, self._flow, pieces, run)

    @property
    def decision(self) -> Decision:
        """Raises GuardrailsError while it is not made yet."""
        return self._flow.decision

    def __iter__(self) -> Iterator[str]:
        return self._running

    def __next__(self) -> str:
        return next(self._running)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it: nothing more is taken from the source."""
        self._running.close()
        _let_go(self._pieces)


def _run(
    call: GuardedCall, flow: Flow, pieces: Iterable[str], run: Run
) -> Generator[str, None, None]:
    """It knows nothing of the stream that is made of it: whoever drops that one ends this at once,
    in their own thread. On the guard's own, where it may be found as garbage, it could not end."""
    run(call.__aenter__())
    try:
        try:
            yield from _judged(flow, pieces, run)
        finally:
            if flow.reply is not None:
                run(flow.reply.abandon())
    except BaseException as error:  # GeneratorExit too: nobody reads any more
        run(partial(call.__aexit__, type(error), error, error.__traceback__)())
        raise
    run(call.__aexit__(None, None, None))


def _judged(flow: Flow, pieces: Iterable[str], run: Run) -> Generator[str, None, None]:
    with (
        closing(_each(pieces)) as source,
        closing(follow(flow, source, run)) as released,
    ):
        yield from released
    reply = flow.reply
    if reply is not None and reply.decision is not None:
        run(reply.close())
        if reply.stopped:
            yield reply.decision.text


def _each(pieces: Iterable[str]) -> Generator[str, None, None]:
    iterator = iter(pieces)
    try:
        yield from iterator
    finally:
        _let_go(iterator)


def _let_go(source: object) -> None:
    """End a generator; anything else is its owner's to close."""
    if isinstance(source, Generator):
        source.close()
