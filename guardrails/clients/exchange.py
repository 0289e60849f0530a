"""What is done about one request of a wrapped client and its reply, without doing it: whoever
drives the steps decides in which thread, and with or without `await`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, cast

from guardrails.clients.drive import Ask, Steps, Tell
from guardrails.clients.guarding import Asked, Gate, Given, Guarding, Replaced, Sent
from guardrails.clients.operations import Operation
from guardrails.clients.streaming import StreamedAnswer
from guardrails.clients.tool_calls import Called, called_in, with_arguments
from guardrails.critic.limits import BudgetHandle
from guardrails.errors import SettingsError, WireFormatError
from guardrails.exchange import Context, Part
from guardrails.guard import GuardedCall
from guardrails.guard.content import ToolCall
from guardrails.guard.streamed_body import StreamedBody
from guardrails.pipeline.engine import deliberate
from guardrails.verdict import Blocked, Decision, Stage
from guardrails.wire.body import Body, JsonBody, OpaqueBody
from guardrails.wire.event_body import EventBody
from guardrails.wire.formats import AUTO, Payload
from guardrails.wire.refusals import known_of
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.strict_json import AmbiguousError, dump_json
from guardrails.wire.walk import TooManyValuesError

__all__ = ["Exchange"]

JSON, EVENTS = "application/json", "text/event-stream"
INLINE_BYTES = 100_000
"""A longer body is read off the loop."""

MOST_HELD = 64 << 20
"""Bytes of a stream that may wait: those of a million characters, each in an event of its own."""

MOST_ROUNDS = 3
"""A reply whose tool calls are changed is judged again; so often it may change."""


class Exchange:
    """One call of the SDK: a request, however often it is tried, and its reply."""

    def __init__(self, guarding: Guarding, call: GuardedCall, context: Context) -> None:
        self.guarding, self._call, self._context = guarding, call, context
        self._tried: dict[bytes, Asked] = {}
        self._asked: Asked | None = None
        self._results: tuple[Decision, dict[int, str]] | None = None
        """What tools gave back, with the texts that may be sent of it by their place."""
        self.operation: Operation | None = None
        self.settled = False
        """Whether what came last needs no judging any more."""
        self.gate: Gate | None = None
        self.request: Any = None
        self.when_vain: Callable[[], object] = bool
        """Called when nothing that is under way could be given out."""

    def enter(self, operation: Operation) -> None:
        """Say what is asked for now. Raises SettingsError for what nobody could judge."""
        if operation.treatment == "refused":
            raise SettingsError(
                f"{operation.name!r} may give out text that nobody judges: use the client that is "
                f"not wrapped for it, or say wrap(…, allow=[{operation.name!r}])"
            )
        self.operation = operation
        self.settled = operation.treatment == "passed"
        if operation.dialect is not None:
            self._asked = Asked(dialect=operation.dialect)

    # -- what is asked -----------------------------------------------------------------------

    def ask(self, sent: Sent) -> Steps[bytes | Replaced | Given]:
        """What may be sent; anything but bytes is what the caller gets instead."""
        if (known := self._tried.get(sent.data)) is not None:
            self._asked = known
            return known.data
        asked = self._read(sent)
        body: Body = yield Ask(asked)
        self._asked = replace(self._dialected, body=body, helper=sent.helper)
        results = yield from self._judge_results(body)
        if not isinstance(results, Body):
            return results
        came, body = body, results
        if self.guarding.concurrent_input and self.gate is None:
            hidden: Body | None = yield Ask(partial(self._without_models, body))
            if hidden is not None:
                self.gate = yield Ask(partial(self._open_gate, body, hidden, sent.data))
                return self._remember(sent.data, came, hidden)
        decision = yield from self._decide(body, Stage.INPUT)
        if not decision.delivers:
            return (yield from self._stop(decision, None))
        yield from self._sends(decision)
        return self._remember(sent.data, came, decision.content)

    def _judge_results(self, body: Body) -> Steps[Body | Replaced | Given]:
        """What tools gave back since the model spoke last, at the stage of its own. The request
        with what may be sent of them."""
        spoke = [at for at, part in enumerate(body.parts) if part.role == "assistant"]
        first = spoke[-1] + 1 if spoke else 0
        new = {
            at: part
            for at, part in enumerate(body.parts)
            if at >= first and part.kind == "tool_result" and part.target
        }
        if not new or not self.guarding.guard.constitution.at(Stage.TOOL_RESULT):
            return body
        before = list(body.parts[:first])
        decision = yield from self._decide(list(new.values()), Stage.TOOL_RESULT, before or None)
        if not decision.delivers:
            return (yield from self._stop(decision, None))
        texts = {
            at: part.text
            for at, part in zip(new, cast("Sequence[Part]", decision.content), strict=True)
        }
        self._results = decision, texts
        return body.rewrite({at: text for at, text in texts.items() if text != new[at].text})

    def _sends(self, decision: Decision) -> Steps[None]:
        """Say that what was decided about the request is sent. Results of tools in which more was
        taken out then are what the request's own record says, and not what theirs does."""
        if self._results is not None:
            (results, texts), self._results = self._results, None
            sent = decision.content
            parts = sent.parts if isinstance(sent, Body) else ()
            if all(at < len(parts) and parts[at].text == text for at, text in texts.items()):
                yield Ask(partial(self._call.delivered, results, results.content))
            else:
                yield Ask(partial(self._call.delivered, results, None, how="nothing"))
        yield Ask(partial(self._call.delivered, decision, decision.content))

    @property
    def _dialected(self) -> Asked:
        if self._asked is None:
            raise SettingsError("a reply to nothing that was asked")
        return self._asked

    def _read(self, sent: Sent) -> Callable[[], Any]:
        payload = Payload(data=sent.data, media_type=sent.media_type)
        format, trusts = self._dialected.dialect.format, self.guarding.trust_system
        return partial(_read, payload, "user", partial(format.request, trust_system=trusts))

    def _remember(self, sent: bytes, body: Body, judged: object) -> bytes:
        changed = isinstance(judged, Body) and judged is not body
        kept = judged if isinstance(judged, Body) else body
        asked = replace(self._dialected, body=kept, data=kept.data if changed else sent)
        self._asked = self._tried[sent] = asked
        return asked.data

    # -- judging beside the call --------------------------------------------------------------

    async def _without_models(self, body: Body) -> Body | None:
        """The request as critics that need no model leave it; None if they stop it."""
        limits = self.guarding.guard.constitution.budget
        budget = BudgetHandle(
            deadline_s=limits.deadline_s,
            max_chars=limits.max_chars,
            max_calls=limits.max_calls,
            max_tokens=limits.max_tokens,
            max_cost_usd=limits.max_cost_usd,
        )
        outcome = await deliberate(
            self.guarding.without_models,
            body,
            stage=Stage.INPUT,
            context=self._context,
            budget=budget,
        )
        content = outcome.content
        return content if outcome.verdict.delivers and isinstance(content, Body) else None

    async def _open_gate(self, body: Body, hidden: Body, sent: bytes) -> Gate:
        judging = asyncio.ensure_future(self._call.check(body, stage=Stage.INPUT))
        return Gate(judging=judging, body=body, hidden=hidden, sent=sent, when_vain=self.when_vain)

    def pass_gate(self) -> Steps[Replaced | Given | Literal["passed", "again"]]:
        """Wait for the word on what was asked, once. "again": other words may be sent instead."""
        gate = self.gate
        if gate is None or gate.taken:
            return "passed"
        gate.taken = True
        decision: Decision = yield Ask(partial(_awaited, gate.judging))
        yield from self._tell(decision)
        if not decision.delivers:
            return (yield from self._stop(decision, None))
        yield from self._sends(decision)
        judged = decision.content
        if isinstance(judged, Body) and judged.data != gate.hidden.data:
            self._remember(gate.sent, gate.body, judged)
            return "again"
        return "passed"

    # -- what is answered ----------------------------------------------------------------------

    async def streamed(self, payload: Payload) -> StreamedAnswer | None:
        """The reply, judged while it comes; None if it must be there whole: where its text is one
        JSON value, or where something else than our own reply takes its place."""
        asked, guarding = self._dialected, self.guarding
        if (
            payload.media_type != EVENTS
            or callable(guarding.on_block)
            or asked.declines
            or self._call.holds_whole
        ):
            return None
        reader = stream_reader(asked.dialect.format, payload, asked.body)
        if reader is None:
            return None
        reply = await self._call.reply(prompt=asked.body, judges_calls=True)
        self.settled = True
        return StreamedAnswer(
            body=StreamedBody(reply, reader, most_held=MOST_HELD),
            on_block=guarding.on_block,
            on_decision=guarding.on_decision,
        )

    def answer(self, payload: Payload) -> Steps[Replaced | Given | None]:
        """What the caller gets in the place of a reply; None if that may go on as it is."""
        body: Body = yield Ask(self._read_reply(payload))
        judged = yield from self._judged_reply(body)
        self.settled = True
        if not isinstance(judged, tuple):
            return judged
        decision, content = judged
        if content is body or not isinstance(content, Body):
            return None
        data = content.data
        if isinstance(content, EventBody):
            data = self._dialected.dialect.stream(content.document)
        return Replaced(data=data, media_type=None, decision=decision)

    def answer_object(self, reply: object) -> Steps[Given | Replaced]:
        """As `answer`, for a reply that never was bytes."""
        decision = yield from self._decide(reply, Stage.OUTPUT, self._dialected.body)
        self.settled = True
        if not decision.delivers:
            return (yield from self._stop(decision, None))
        yield Ask(partial(self._call.delivered, decision, decision.content))
        return Given(decision.content)

    def _read_reply(self, payload: Payload) -> Callable[[], Any]:
        format = self._dialected.dialect.format
        if payload.media_type not in (JSON, EVENTS):
            format = AUTO  # the SDK gives out as text what is not of the type it expects
        request = self._dialected.body or OpaqueBody(b"", "user", "")
        return partial(_read, payload, "assistant", partial(format.response, request=request))

    def _judged_reply(self, body: Body) -> Steps[tuple[Decision, object] | Replaced | Given]:
        """Tool calls first, each by itself; then the reply as it is with them. What is delivered
        of both was judged as it is."""
        calls: dict[str, Decision] = {}
        for _ in range(MOST_ROUNDS):
            changes: dict[tuple[str | int, ...], object] = {}
            found = _calls(body)
            stopped = yield from self._judge_calls(found, calls)
            if stopped is not None:
                return (yield from self._stop(stopped, body))
            for called in found:
                settled = calls[called.key].content
                if settled is not called.arguments and settled != called.arguments:
                    changes[called.place] = settled
                    calls[replace(called, arguments=settled).key] = calls[called.key]
            if changes:
                body = yield Ask(self._changed(body, changes))
            decision = yield from self._decide(body, Stage.OUTPUT, self._dialected.body)
            if not decision.delivers:
                return (yield from self._stop(decision, body))
            final = _calls(decision.content)
            if all(called.key in calls for called in final):
                break
            yield Ask(partial(self._call.delivered, decision, None, how="nothing"))
            body = decision.content if isinstance(decision.content, Body) else body
        else:
            raise WireFormatError("a reply whose tool calls are changed without end")
        for called in {called.key: called for called in final}.values():
            made = calls[called.key]
            yield Ask(partial(self._call.delivered, made, made.content))
        yield Ask(partial(self._call.delivered, decision, decision.content))
        return decision, decision.content

    def _judge_calls(
        self, found: Sequence[Called], calls: dict[str, Decision]
    ) -> Steps[Decision | None]:
        """Judge the calls that are not among `calls` yet, all at once, and put them there. The
        decision that stops one, if there is one."""
        new = {called.key: called for called in found if called.key not in calls}
        contents = [ToolCall(called.name, called.arguments, called.free) for called in new.values()]
        if not contents:
            return None
        made: list[Decision] = yield Ask(partial(self._check_all, contents))
        for key, decision in zip(new, made, strict=True):
            yield from self._tell(decision)
            calls[key] = decision
        return next((decision for decision in made if not decision.delivers), None)

    async def _check_all(self, contents: Sequence[ToolCall]) -> list[Decision]:
        prompt = self._dialected.body
        judging = [
            asyncio.ensure_future(self._call.check(call, stage=Stage.TOOL_CALL, prompt=prompt))
            for call in contents
        ]
        try:
            return [await decision for decision in judging]
        finally:
            for decision in judging:
                decision.cancel()
            await asyncio.gather(*judging, return_exceptions=True)

    def _changed(
        self, body: Body, changes: Mapping[tuple[str | int, ...], object]
    ) -> Callable[[], Any]:
        if not isinstance(body, JsonBody | EventBody):
            raise WireFormatError("tool calls in what has none")
        reply = with_arguments(body.document, changes)
        if isinstance(body, JsonBody):
            return self._read_reply(Payload(data=dump_json(reply), media_type=JSON))
        data = self._dialected.dialect.stream(reply)
        return self._read_reply(Payload(data=data, media_type=EVENTS))

    # -- both -----------------------------------------------------------------------------------

    def _decide(self, content: object, stage: Stage, prompt: object = None) -> Steps[Decision]:
        decision: Decision = yield Ask(
            partial(self._call.check, content, stage=stage, prompt=prompt)
        )
        yield from self._tell(decision)
        return decision

    def _tell(self, decision: Decision) -> Steps[None]:
        if self.guarding.on_decision is not None:
            yield Tell(self.guarding.on_decision, decision)

    def _stop(self, decision: Decision, reply: Body | None) -> Steps[Replaced | Given]:
        """What the caller gets instead."""
        on_block = self.guarding.on_block
        self.settled = True
        text = decision.text
        if on_block == "raise":
            yield Ask(partial(self._call.delivered, decision, None, how="nothing"))
            raise Blocked(decision)
        if callable(on_block):
            given = yield Tell(on_block, decision)
            yield Ask(partial(self._call.delivered, decision, given, how="application_reply"))
            if not isinstance(given, str):
                return Given(given)
            text = given
        else:
            yield Ask(partial(self._call.delivered, decision, text, how="reply"))
        return self._refusal(text, decision, reply)

    def _refusal(self, text: str, decision: Decision, reply: Body | None) -> Replaced:
        asked = self._dialected
        streams = isinstance(reply, EventBody) or asked.document.get("stream") is True
        known = _known(reply) or {"model": asked.document.get("model")}
        made = asked.dialect.refusal(text, known, declines=asked.declines)
        data = asked.dialect.stream(made) if streams else dump_json(made)
        return Replaced(data=data, media_type=EVENTS if streams else JSON, decision=decision)


async def _awaited(judging: asyncio.Future[Decision]) -> Decision:
    return await judging


async def _read(
    payload: Payload, role: Literal["user", "assistant"], read: Callable[[Payload], Body]
) -> Body:
    """A body; one that nobody can read is one that nobody can judge."""
    if len(payload.data) > INLINE_BYTES:
        return await asyncio.to_thread(_read_here, payload, role, read)
    return _read_here(payload, role, read)


def _read_here(
    payload: Payload, role: Literal["user", "assistant"], read: Callable[[Payload], Body]
) -> Body:
    try:
        return read(payload)
    except (AmbiguousError, TooManyValuesError, WireFormatError) as error:
        return OpaqueBody(payload.data, role, str(error))


def _known(reply: Body | None) -> dict[str, Any]:
    return known_of(reply.document if isinstance(reply, JsonBody | EventBody) else None)


def _calls(body: object) -> list[Called]:
    return called_in(body.document) if isinstance(body, JsonBody | EventBody) else []
