"""How a client is guarded, and what passes between an exchange and whoever drives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from guardrails.clients.operations import Dialect
from guardrails.exchange import Context, current_context
from guardrails.guard import Guard
from guardrails.pipeline.plan import Plan
from guardrails.verdict import Decision, Stage
from guardrails.wire.body import Body, JsonBody
from guardrails.wire.refusals import expects_json

__all__ = ["Asked", "Gate", "Given", "Guarding", "OnBlock", "Replaced", "Sent"]

OnBlock = Literal["reply", "raise"] | Callable[[Decision], Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Guarding:
    """How a client is guarded."""

    guard: Guard = field(repr=False)
    owns_guard: bool
    context: Context | Callable[[], Context | None] | None
    on_block: OnBlock
    on_decision: Callable[[Decision], Any] | None
    concurrent_input: bool
    trust_system: bool
    allow: frozenset[str]
    websockets: bool

    def who(self) -> Context:
        """Who is asking, found in the caller's own thread and task."""
        said = self.context() if callable(self.context) else self.context
        if said is None:
            return current_context()
        if not isinstance(said, Context):
            raise TypeError(
                f"wrap(context=…) must give a guardrails.Context, not a {type(said).__name__}"
            )
        return said

    @cached_property
    def without_models(self) -> Plan:
        """The guard's plan with nobody in it who would have to be waited for at the input."""
        plan = self.guard._enforcement.plan
        stage = plan.stages[Stage.INPUT]
        alone = replace(stage, critics=stage.tier("deterministic"))
        stages = {**plan.stages, Stage.INPUT: alone}
        return replace(plan, stages=stages, reviser=None, roles=None)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request's body as the SDK wrote it. `helper`: it comes from a helper of the SDK's, which
    has its own mind about what a reply may be."""

    data: bytes = field(repr=False)
    media_type: str
    helper: bool


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """Another body than the one that is there. `media_type` is None where it stays."""

    data: bytes = field(repr=False)
    media_type: str | None
    decision: Decision


@dataclass(frozen=True)
class Given:
    """What the caller gets, as it is."""

    value: object = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it is sent."""

    dialect: Dialect
    body: Body | None = field(default=None, repr=False)
    data: bytes = field(default=b"", repr=False)
    helper: bool = False

    @property
    def document(self) -> Mapping[str, Any]:
        document = self.body.document if isinstance(self.body, JsonBody) else None
        return document if isinstance(document, dict) else {}

    @property
    def declines(self) -> bool:
        """Whether a text of ours would be read as something else, such as JSON."""
        return self.helper or expects_json(self.document)


@dataclass(kw_only=True)
class Gate:
    """A request that was sent while it is judged: `body` as it came, `hidden` as it was sent.
    `taken`: somebody waits for the word already, so that nobody else acts on it."""

    judging: asyncio.Future[Decision] = field(repr=False)
    body: Body = field(repr=False)
    hidden: Body = field(repr=False)
    sent: bytes = field(repr=False)
    when_vain: Callable[[], object] = field(repr=False)
    taken: bool = False
    called_off: bool = False
    watched: bool = False

    def watch(self) -> None:
        """Call it off as soon as it is in vain."""
        if not self.watched:
            self.watched = True
            self.judging.add_done_callback(self._judged)

    def _judged(self, _: object) -> None:
        if not self.taken and self._is_vain():
            self.called_off = True
            self.when_vain()

    def _is_vain(self) -> bool:
        if self.judging.cancelled():
            return False
        if self.judging.exception() is not None:
            return True
        decision = self.judging.result()
        judged = decision.content
        same = not isinstance(judged, Body) or judged.data == self.hidden.data
        return not decision.delivers or not same
