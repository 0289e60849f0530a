"""The same checks without `await`: they run on a private loop in a thread of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from guardrails.exchange import Context, Part, current_context
from guardrails.guard.sync_stream import SyncGuardedStream
from guardrails.loop.private import run_apart
from guardrails.verdict import Decision, Stage

if TYPE_CHECKING:
    from guardrails.guard import Guard

__all__ = ["SyncGuard"]

T = TypeVar("T")


class SyncGuard:
    """A guard for callers that cannot await. Every check waits in the caller's own thread."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def check_input(self, content: object, *, context: Context | None = None) -> Decision:
        """As `Guard.check_input`."""
        return self.run(self._guard.check_input(content, context=_asking(context)))

    def check_output(
        self, reply: object, *, prompt: object = None, context: Context | None = None
    ) -> Decision:
        """As `Guard.check_output`."""
        return self.run(self._guard.check_output(reply, prompt=prompt, context=_asking(context)))

    def check(
        self,
        parts: Sequence[Part] | object,
        *,
        stage: Stage | str,
        prompt: object = None,
        context: Context | None = None,
    ) -> Decision:
        """As `Guard.check`."""
        return self.run(
            self._guard.check(parts, stage=stage, prompt=prompt, context=_asking(context))
        )

    def check_tool_call(
        self,
        name: str,
        arguments: object,
        *,
        prompt: object = None,
        context: Context | None = None,
    ) -> Decision:
        """As `Guard.check_tool_call`."""
        return self.run(
            self._guard.check_tool_call(name, arguments, prompt=prompt, context=_asking(context))
        )

    def stream(
        self, pieces: Iterable[str], *, prompt: object = None, context: Context | None = None
    ) -> SyncGuardedStream:
        """As `Guard.stream`, for an iterable of pieces; see `SyncGuardedStream`."""
        return SyncGuardedStream(
            self._guard.call(context=context), pieces, prompt=prompt, run=self.run
        )

    def close(self) -> None:
        """As `Guard.aclose`."""
        self.run(self._guard.aclose())

    def run(self, work: Awaitable[T]) -> T:
        """Do some work of the guard's on the private loop, and wait for it."""
        return run_apart(work)


def _asking(context: Context | None) -> Context:
    """Found in the caller's own thread and task."""
    return current_context() if context is None else context
