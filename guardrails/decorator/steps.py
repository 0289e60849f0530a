"""What a guarded call does, step by step, without doing it: whoever drives it decides in which
thread and with or without `await`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NoReturn

from guardrails.decorator.signature import Signature
from guardrails.errors import WireFormatError
from guardrails.exchange import Context, current_context
from guardrails.guard import Guard, GuardedCall
from guardrails.guard.stream import Flow
from guardrails.verdict import Blocked, Decision, Stage
from guardrails.wire.replies import reply_in_place_of, reply_of_type

__all__ = ["Ask", "OnBlock", "Plan", "Raised", "Run", "Step", "Steps", "Stopped", "Tell"]

OnBlock = Literal["reply", "raise"] | Callable[[Decision], Any]
OnDecision = Callable[[Decision], Any]
ContextOf = Context | str | Callable[[inspect.BoundArguments], Context | None] | None


@dataclass(frozen=True, slots=True)
class Ask:
    """The guard's own work."""

    work: Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Tell:
    """A callable of the application, plain or async."""

    listener: Callable[[Decision], Any]
    decision: Decision


@dataclass(frozen=True, slots=True)
class Run:
    """The guarded function itself. The answer is what it returns, `Raised` if it raises."""

    arguments: inspect.BoundArguments


Step = Ask | Tell | Run
Steps = Generator[Step, Any, Any]


@dataclass(frozen=True, slots=True)
class Stopped:
    """What the caller gets instead of what was stopped before it began."""

    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Raised:
    """What the function raised, handed through as a value: a StopIteration would not survive the
    way through a generator."""

    error: BaseException = field(repr=False)


class _Nothing:
    """Stands for the answer of a function that never ran."""


NOTHING = _Nothing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A function and how it is guarded."""

    signature: Signature
    guard: Guard = field(repr=False)
    prompt: str | None
    documents: str | None
    reply_to: str | None
    context: ContextOf
    on_block: OnBlock
    on_decision: OnDecision | None

    def steps(self, arguments: inspect.BoundArguments) -> Steps:
        """One guarded call. Gives what the caller gets, or `Raised`; raises Blocked and what the
        guard and the application's callables raise."""
        call = self.call(arguments)
        yield Ask(call.__aenter__)
        try:
            given = yield from self._call(call, arguments)
        except GeneratorExit:  # nobody drives this any more
            raise
        except BaseException as error:
            yield Ask(partial(call.__aexit__, type(error), error, error.__traceback__))
            raise
        yield Ask(partial(call.__aexit__, None, None, None))
        return given

    def call(self, arguments: inspect.BoundArguments) -> GuardedCall:
        return self.guard.call(context=self._context(arguments))

    def asked(self, arguments: inspect.BoundArguments) -> object:
        """The prompt, as the function gets it."""
        return _get(arguments, self.prompt) if self.prompt else None

    def admit(self, call: GuardedCall, arguments: inspect.BoundArguments) -> Steps:
        """Judge what goes in. Gives None if the function may run, else `Stopped`."""
        handed: list[Decision] = []
        for stage, name in ((Stage.INPUT, self.prompt), (Stage.RETRIEVAL, self.documents)):
            if name is None:
                continue
            decision = yield from self._decide(call, _get(arguments, name), stage, arguments)
            if not decision.delivers:
                return Stopped((yield from self._stop(call, decision, NOTHING)))
            _set(arguments, name, decision.content)
            handed.append(decision)
        for decision in handed:
            yield Ask(partial(call.delivered, decision, decision.content))
        return None

    def _call(self, call: GuardedCall, arguments: inspect.BoundArguments) -> Steps:
        stopped = yield from self.admit(call, arguments)
        if stopped is not None:
            return stopped.value
        answer = yield Run(arguments)
        if isinstance(answer, Raised):
            return answer
        decision = yield from self._decide(call, answer, Stage.OUTPUT, arguments)
        if not decision.delivers:
            return (yield from self._stop(call, decision, answer))
        yield Ask(partial(call.delivered, decision, decision.content))
        return decision.content

    def end(self, flow: Flow) -> Steps:
        """What comes after all that left of a generator's pieces."""
        reply = flow.reply
        if reply is None or (decision := reply.decision) is None:
            return ()
        if self.on_decision is not None:
            yield Tell(self.on_decision, decision)
        if not reply.stopped:
            yield Ask(reply.close)
            return ()
        if self.on_block == "raise":
            yield Ask(partial(reply.close, "nothing"))
            raise Blocked(decision)
        if callable(self.on_block):
            given = yield Tell(self.on_block, decision)
            texts = (given,) if isinstance(given, str) else ()
            yield Ask(partial(reply.close, "application_reply", texts=texts))
            return texts
        yield Ask(reply.close)
        return (decision.text,)

    def _decide(
        self, call: GuardedCall, content: object, stage: Stage, arguments: inspect.BoundArguments
    ) -> Generator[Step, Any, Decision]:
        prompt = None if stage is Stage.INPUT or not self.prompt else _get(arguments, self.prompt)
        decision: Decision = yield Ask(partial(call.check, content, stage=stage, prompt=prompt))
        if self.on_decision is not None:
            yield Tell(self.on_decision, decision)
        return decision

    def _stop(self, call: GuardedCall, decision: Decision, answer: object) -> Steps:
        """What the caller gets instead."""
        if self.on_block == "raise":
            yield from _refuse(call, decision)
        if callable(self.on_block):
            given = yield Tell(self.on_block, decision)
            yield Ask(partial(call.delivered, decision, given, how="application_reply"))
            return self._in_shape(given)
        try:
            given = self._reply(decision.text, answer)
        except WireFormatError:
            given = yield from _refuse(call, decision)
        yield Ask(partial(call.delivered, decision, decision.text, how="reply"))
        return given

    def _reply(self, text: str, answer: object) -> object:
        if self.signature.kind.endswith("generator"):
            return (text,)
        if answer is NOTHING:
            return reply_of_type(self.signature.returns, text, self.reply_to)
        return reply_in_place_of(answer, text, self.reply_to)

    def _in_shape(self, given: object) -> object:
        if not self.signature.kind.endswith("generator"):
            return given
        return (given,) if isinstance(given, str) else ()

    def _context(self, arguments: inspect.BoundArguments) -> Context:
        """Who is asking, found in the caller's own thread and task."""
        said: object = self.context
        if isinstance(said, str):
            said = _get(arguments, said)
        elif callable(said):
            said = said(arguments)
        if said is None:
            return current_context()
        if not isinstance(said, Context):
            raise TypeError(
                f"{self.signature.name}: context= must give a guardrails.Context, "
                f"not a {type(said).__name__}"
            )
        return said


def _refuse(call: GuardedCall, decision: Decision) -> Generator[Step, Any, NoReturn]:
    yield Ask(partial(call.delivered, decision, None, how="nothing"))
    raise Blocked(decision)


def _get(arguments: inspect.BoundArguments, name: str) -> Any:
    """An argument as the function will get it, its default included."""
    holder = _holder(arguments, name)
    if name in holder:
        return holder[name]
    parameter = arguments.signature.parameters.get(name)
    missing = parameter is None or parameter.default is inspect.Parameter.empty
    return None if missing or parameter is None else parameter.default


def _set(arguments: inspect.BoundArguments, name: str, value: object) -> None:
    if value is not _get(arguments, name):
        _holder(arguments, name)[name] = value


def _holder(arguments: inspect.BoundArguments, name: str) -> dict[str, Any]:
    """Where an argument of that name stands: among the named ones, or in `**kwargs`."""
    if name not in arguments.signature.parameters:
        for parameter in arguments.signature.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                holder: dict[str, Any] = arguments.arguments.setdefault(parameter.name, {})
                return holder
    return arguments.arguments
