"""One guarded call: its stages share a budget, a caller and the care for their records."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self

from guardrails.audit.record import Closed, How, Opened, delivery_fault, new_record_id
from guardrails.audit.trail import Trail
from guardrails.budget.daily import DailyBudgets
from guardrails.cache.names import Name
from guardrails.cache.value import Kept
from guardrails.critic.limits import BudgetHandle
from guardrails.errors import AuditError, DeliveryError, WireFormatError
from guardrails.exchange import Context, Part
from guardrails.guard.content import ToolCall, plain_text, read_content, read_prompt, texts_of
from guardrails.guard.ledger import closed, opened
from guardrails.guard.reply import StreamedReply
from guardrails.guard.turns import Conversation, Turn, Turns, turn_of, turns_in
from guardrails.pipeline.engine import Content, Outcome, deliberate, refuse
from guardrails.pipeline.plan import Plan
from guardrails.pipeline.replies import Reply
from guardrails.pipeline.rhythm import is_held_whole
from guardrails.review.webhook import Webhook
from guardrails.settings import Settings
from guardrails.telemetry import log
from guardrails.verdict import ConstitutionPin, Decision, Stage, Verdict
from guardrails.wire.reading import Reading
from guardrails.wire.tools import ToolSchemas

__all__ = ["Enforcement", "GuardedCall"]

_CALLING = frozenset({Stage.OUTPUT, Stage.TOOL_CALL})
"""Stages at which a model calls tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforcement:
    """All that a guard enforces with."""

    plan: Plan
    trail: Trail = field(repr=False)
    settings: Settings = field(repr=False)
    webhook: Webhook | None = field(default=None, repr=False)
    daily: DailyBudgets | None = field(default=None, repr=False)
    turns: Turns | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A decision with its record, on what was decided, and what came before that."""

    decision: Decision
    record: Opened
    content: Content | None = field(repr=False)
    before: tuple[Part, ...] = field(repr=False)
    conversation: Conversation | None = field(repr=False)


class GuardedCall:
    """Judges what goes in and out of one call, and records what was delivered of it.

    An async context manager: what was decided and never delivered is recorded so at its end.
    """

    def __init__(self, enforcement: Enforcement, context: Context) -> None:
        self._plan = enforcement.plan
        self._trail = enforcement.trail
        self._settings = enforcement.settings
        self._webhook = enforcement.webhook
        self._turns = enforcement.turns
        self._context = context
        limits = self._plan.constitution.budget
        self._max_chars = limits.max_chars
        self._budget = BudgetHandle(
            deadline_s=limits.deadline_s,
            max_chars=limits.max_chars,
            max_calls=limits.max_calls,
            max_tokens=limits.max_tokens,
            max_cost_usd=limits.max_cost_usd,
            purse=None if enforcement.daily is None else enforcement.daily.purse(context),
        )
        self._open: dict[str, _Judged] = {}
        self._learnt: dict[Name, Kept] = {}
        """Of a conversation, to be kept at the end."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for judged in tuple(self._open.values()):
            try:
                await self.delivered(judged.decision, None, how="nothing")
            except AuditError:
                if error is None:
                    raise
                log.warning("a record could not be closed", record=judged.decision.record_id)
        await self._budget.square()
        if self._turns is not None and self._learnt:
            await self._turns.keep(self._learnt)

    async def check(self, content: object, *, stage: Stage, prompt: object = None) -> Decision:
        """Judge a content. When this returns the decision is on record, and `delivered` must say
        what became of it. Raises AuditError if it cannot be recorded: then deliver nothing."""
        judged = await self._decided(content, stage, prompt)
        decision = judged.decision
        self._open[decision.record_id] = judged
        try:
            await self._trail.open(judged.record)
        except AuditError:
            del self._open[decision.record_id]
            raise
        self._tell(judged.record)
        return decision

    @property
    def holds_whole(self) -> bool:
        """Whether nothing of a reply may leave before all of it is judged."""
        return is_held_whole(self._plan, self._context)

    async def reply(self, *, prompt: object = None, judges_calls: bool = False) -> StreamedReply:
        """A reply that is judged while it comes, and leaves piece by piece. `judges_calls`: the
        tool calls in it are judged at their own stage, too."""
        unreadable = False
        before: tuple[Part, ...] = ()
        try:
            before = await read_prompt(prompt, self._max_chars)
        except WireFormatError as error:
            log.info("a prompt could not be read", error=str(error))
            unreadable = True
        reply = StreamedReply(
            self._plan,
            self._trail,
            self._settings,
            self._webhook,
            before=before,
            context=self._context,
            budget=self._budget,
            check_call=partial(self._check_call, prompt) if judges_calls else None,
            schemas=ToolSchemas.of(prompt),
            delivered=None if self._turns is None else partial(self._streamed, before),
        )
        if unreadable or sum(len(part.text) for part in before) > self._max_chars:
            reply.refuse("format.readable" if unreadable else "budget.max_chars")
        return reply

    async def _check_call(self, prompt: object, name: str | None, arguments: str) -> Decision:
        """Judge a call within a reply. What stops it stops the reply, and that record says how."""
        content = ToolCall(name or "", arguments)
        decision = await self.check(content, stage=Stage.TOOL_CALL, prompt=prompt)
        if decision.delivers:
            await self.delivered(decision, decision.content)
        else:
            await self.delivered(decision, None, how="nothing")
        return decision

    async def delivered(
        self, decision: Decision, content: object, *, how: How | None = None
    ) -> None:
        """Record what is delivered, right before it is. Without `how` it is the decision's own
        content, or its reply. Raises AuditError, or DeliveryError for what is not what was judged:
        then deliver nothing."""
        judged = self._open.get(decision.record_id)
        end = await self._end(decision, content, how, None if judged is None else judged.record)
        self._open.pop(decision.record_id, None)  # who is cancelled before has it closed at the end
        await self._trail.close(end)
        _refuse_other(end, how)
        if judged is not None:
            await self._learn(judged, end)

    async def check_and_deliver(
        self, content: object, *, stage: Stage, prompt: object = None
    ) -> Decision:
        """Judge a content that is delivered by being handed to the caller. Raises AuditError."""
        judged = await self._decided(content, stage, prompt)
        decision = judged.decision
        end = await self._end(decision, decision.content, None, judged.record)
        # Handed over together, so that both are in one commit.
        await asyncio.gather(self._trail.open(judged.record), self._trail.close(end))
        self._tell(judged.record)
        _refuse_other(end, None)
        await self._learn(judged, end)
        return decision

    async def _end(
        self, decision: Decision, content: object, how: How | None, record: Opened | None
    ) -> Closed:
        """What is really delivered; nothing, if that is not what was judged any more."""
        try:
            end = await self._closed(decision, content, how)
        except WireFormatError:
            return closed(decision, "nothing", self._trail)
        if record is not None and delivery_fault(record, end) is not None:
            return closed(decision, "nothing", self._trail)
        return end

    def _tell(self, record: Opened) -> None:
        """Of a case that is on record by now."""
        if self._webhook is not None and record.verdict is Verdict.ESCALATE:
            self._webhook.tell(record)

    async def _decided(self, value: object, stage: Stage, prompt: object) -> _Judged:
        """The decision with its record, neither of them told to anybody yet."""
        content: Content | None = None
        conversation: Conversation | None = None
        before: tuple[Part, ...] = ()
        try:
            content = await read_content(value, stage, self._max_chars)
            before = await read_prompt(prompt, self._max_chars)
        except WireFormatError as error:
            log.info("a value could not be read", stage=str(stage), error=str(error))
            outcome = refuse(self._plan, "format.readable", stage, self._context, content=content)
        else:
            if self._turns is not None and stage is Stage.INPUT:
                conversation = await self._turns.look((*before, *content.parts), self._context)
            outcome = await deliberate(
                self._plan,
                content,
                before=before,
                stage=stage,
                context=self._context,
                budget=self._budget,
                schemas=ToolSchemas.of(prompt) if stage in _CALLING else None,
                known=frozenset() if conversation is None else conversation.known_behind(before),
            )
        decision = self._decision(outcome, stage)
        record = opened(
            decision,
            judged=texts_of(outcome.content),
            parts=(*before, *(content.parts if content else ())),
            context=self._context,
            constitution=self._plan.constitution,
            trail=self._trail,
            settings=self._settings,
        )
        return _Judged(
            decision=decision,
            record=record,
            content=content,
            before=before,
            conversation=conversation,
        )

    async def _learn(self, judged: _Judged, end: Closed) -> None:
        """What of the conversation is known from now on: what was let in, and what went out."""
        turns, decision, content = self._turns, judged.decision, judged.content
        if turns is None or content is None:
            return
        before: Sequence[Part] = judged.before
        if decision.stage is Stage.INPUT:
            before = (*before, *content.parts)
        if judged.conversation is not None:
            self._learnt |= turns.judged(judged.conversation, before, decision)
        reply: Sequence[Turn]
        if end.how == "reply":
            reply = [turn_of(Part(text=decision.text, role="assistant"))]
        elif end.how == "judged" and decision.stage is Stage.OUTPUT:
            delivered = await read_content(decision.content, Stage.OUTPUT, self._max_chars)
            reply = await turns_in(delivered.parts)
        else:
            return
        if before:
            self._learnt |= await turns.delivered(before, reply, self._context)

    async def _streamed(self, before: Sequence[Part], reply: Sequence[Turn]) -> None:
        """The same of a reply that went out piece by piece, perhaps after the end of the call."""
        if self._turns is not None and before:
            await self._turns.keep(await self._turns.delivered(before, reply, self._context))

    def _decision(self, outcome: Outcome, stage: Stage) -> Decision:
        constitution = self._plan.constitution
        content, reply = outcome.content, outcome.reply
        return Decision(
            verdict=outcome.verdict,
            cause=outcome.cause,
            constitution=ConstitutionPin(
                id=constitution.id,
                version=constitution.version,
                digest=constitution.digest,
                offline=self._plan.offline,
                models=outcome.models,
            ),
            stage=stage,
            content=_content(content, reply),
            text=plain_text(content) if reply is None else reply.text,
            findings=outcome.findings,
            attempts=outcome.attempts,
            coverage=outcome.coverage,
            usage=outcome.usage,
            record_id=new_record_id(),
            reply_key=None if reply is None else reply.key,
            repair=outcome.repair,
        )

    async def _closed(self, decision: Decision, content: object, how: How | None) -> Closed:
        """The end of a record, its digest taken of what is really delivered."""
        how = how or ("judged" if decision.delivers else "reply")
        texts: list[str] | None
        match how:
            case "nothing":
                texts = None
            case "reply":
                texts = [decision.text]
            case "application_reply":
                texts = await _readable(content, self._max_chars)
            case _:
                read = await read_content(content, decision.stage, self._max_chars)
                texts = texts_of(read)
        return closed(decision, how, self._trail, texts=texts)


def _refuse_other(end: Closed, how: How | None) -> None:
    if end.how == "nothing" and how != "nothing":
        raise DeliveryError(
            f"record {end.record_id}: what was to be delivered is not what was judged; it was "
            f"changed meanwhile, and nothing was delivered"
        )


def _content(content: Content | None, reply: Reply | None) -> object:
    """What is delivered: a reply in the shape of what came, if it is known where in it one goes."""
    if reply is None:
        return None if content is None else content.value
    if not isinstance(content, Reading):
        return reply.text
    try:
        return content.reply(reply.text)
    except WireFormatError:
        return reply.text


async def _readable(value: object, max_chars: int) -> list[str]:
    """The texts of an application's own reply, which nobody judges."""
    try:
        return texts_of(await read_content(value, Stage.OUTPUT, max_chars))
    except WireFormatError:
        return []
