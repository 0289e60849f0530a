"""Ask one critic, and turn whatever happens into a value. The one place where critics fail."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from traceback import walk_tb
from typing import cast

from guardrails.critic.protocol import AnswersAtOnce, Critic, Critique, CritiqueRequest
from guardrails.errors import (
    BudgetExceeded,
    CriticError,
    CriticOutage,
    CriticTimeout,
    MalformedCritique,
    UpstreamError,
)
from guardrails.pipeline.decide import Limit
from guardrails.telemetry import log
from guardrails.verdict import NOTHING_USED, FindingCause, Usage

__all__ = ["Silence", "consult", "consult_now"]

_VALUES = frozenset({"pass", "breach", "undecided"})
_FINDING_VALUES = frozenset({"breach", "undecided", "look"})
_OWN_CAUSES: frozenset[FindingCause] = frozenset(
    {"policy", "unsure", "timeout", "malformed", "refused", "unknown_format", "outage"}
)
"""What a critic may say of itself; the other causes are for the engine to find out."""

MOST_COUNTED = 10**12


@dataclass(frozen=True, slots=True)
class Silence:
    """A critic that could not be heard, and why. `limit` names the budget that ran out, `reason`
    says when it begins anew, where it does."""

    cause: FindingCause
    limit: Limit | None = None
    reason: str = ""


def consult_now(critic: Critic, request: CritiqueRequest) -> Critique | Silence | None:
    """Ask a critic that can say at once; None if it cannot, or not about this. It spares a task,
    which takes longer than many a look."""
    try:
        if not hasattr(critic, "critique_now"):  # as AnswersAtOnce says, which takes long to ask
            return None
        if request.deadline.passed:
            return Silence("limit", "budget.deadline_s")
        critique = cast("AnswersAtOnce", critic).critique_now(request)
        if critique is not None:
            _check(critique, request)
    except BaseException as error:  # as `consult` takes it
        return _failed(critic, error)
    return critique


async def consult(
    critic: Critic, request: CritiqueRequest, *, timeout_s: float | None = None
) -> Critique | Silence:
    """Ask, wait no longer than the critic's own time and the call's, and check the answer.

    A critic that ignores its cancellation is left behind, not waited for.
    """
    left = request.deadline.remaining()
    if left <= 0:
        return Silence("limit", "budget.deadline_s")
    task = asyncio.ensure_future(_asked(critic, request))
    try:
        done, _ = await asyncio.wait(
            {task}, timeout=left if timeout_s is None else min(left, timeout_s)
        )
    except asyncio.CancelledError:
        _abandon(task)
        raise
    if not done:
        _abandon(task)
        if request.deadline.passed:
            return Silence("limit", "budget.deadline_s")
        return Silence("timeout")
    try:
        critique = task.result()
        _check(critique, request)
    except BaseException as error:  # whatever a critic raises is one thing here: no answer
        return _failed(critic, error)
    return critique


def _failed(critic: Critic, error: BaseException) -> Silence:
    """What an error of a critic comes to. Raises it if it is somebody's Ctrl-C."""
    if isinstance(error, asyncio.CancelledError):
        return Silence("raised")
    if _is_interrupt(error):
        raise error
    if isinstance(error, BudgetExceeded):
        log.info("budget_reached", critic=critic.name, limit=error.name)
    else:
        log.warning("critic_failed", critic=critic.name, error=type(error).__name__)
    return _silence(error)


async def _asked(critic: Critic, request: CritiqueRequest) -> Critique:
    """A task of its own even for a critic whose method is a plain function that raises."""
    try:
        return await critic.critique(request)
    except (SystemExit, KeyboardInterrupt) as error:  # out of a task these end the loop
        if _is_interrupt(error):
            raise
        raise CriticError(f"the critic raised {type(error).__name__}") from None


def _is_interrupt(error: BaseException) -> bool:
    """Whether it is somebody's Ctrl-C, which the critic was only there for, and not its own.

    Python's own handler leaves no trace of itself, so that under it any may be one.
    """
    on_main = threading.current_thread() is threading.main_thread()
    if not isinstance(error, KeyboardInterrupt) or not on_main:
        return False
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        return True
    while isinstance(handler, partial):
        handler = handler.func
    code = getattr(handler, "__code__", None)
    return any(frame.f_code is code for frame, _ in walk_tb(error.__traceback__))


def _abandon(task: asyncio.Task[Critique]) -> None:
    task.cancel()
    # Reading the outcome keeps asyncio from reporting it, with its text, as never retrieved.
    task.add_done_callback(lambda late: None if late.cancelled() else late.exception())


def _silence(error: BaseException) -> Silence:
    match error:
        case BudgetExceeded():
            return Silence("limit", cast("Limit", error.name), error.reason)
        case CriticOutage() | UpstreamError():
            return Silence("outage")
        case CriticTimeout():
            return Silence("timeout")
        case MalformedCritique():
            return Silence("malformed")
        case _:
            return Silence("raised")


def _check(critique: object, request: CritiqueRequest) -> None:
    """Raise MalformedCritique unless this is a critique of exactly what was asked."""
    if not isinstance(critique, Critique):
        raise MalformedCritique(f"expected a Critique, got {type(critique).__name__}")
    if not isinstance(critique.verdicts, Mapping):
        raise MalformedCritique("verdicts are no mapping")
    if not isinstance(critique.findings, tuple | list):
        raise MalformedCritique("findings are no list")
    _check_account(critique)
    asked = frozenset(request.asked)
    _ids(critique.looked, asked)
    if not critique.verdicts and not critique.findings:
        return
    _ids(critique.verdicts, asked)
    _ids((finding.principle for finding in critique.findings), asked)
    if not _VALUES.issuperset(critique.verdicts.values()):
        raise MalformedCritique("a verdict is none of pass, breach, undecided")
    lengths = {target.part: len(target.text) for target in request.targets}
    originals = {target.part: len(target.original) for target in request.targets}
    for finding in critique.findings:
        if finding.value not in _FINDING_VALUES:
            raise MalformedCritique("a finding's value is none of breach, undecided, look")
        if finding.value != "look" and critique.verdicts.get(finding.principle) == "pass":
            raise MalformedCritique(f"{finding.principle} both passes and does not")
        if finding.cause not in _OWN_CAUSES or not isinstance(finding.reason, str):
            raise MalformedCritique("a finding's cause or reason is none that a critic may give")
        _place(finding.part, finding.span, originals if finding.of_original else lengths)


def _check_account(critique: Critique) -> None:
    """What a critique tells besides its words, which goes on record. Raises as `_check`."""
    if not isinstance(critique.usage, Usage) or not isinstance(critique.model, str | None):
        raise MalformedCritique("what it used, or the model it asked, cannot be told")
    used = critique.usage
    counts = [critique.windows, critique.left_out]
    amounts: list[float] = []
    if used is not NOTHING_USED:
        counts += [used.calls, used.input_tokens, used.output_tokens, used.cached]
        counts += [used.cache_read_tokens, used.cache_write_tokens]
        amounts += [0.0 if used.cost_usd is None else used.cost_usd, used.latency_ms]
        _ = Usage() + used  # raises for what cannot be added up
    if not all(isinstance(count, int) and 0 <= count <= MOST_COUNTED for count in counts):
        raise MalformedCritique("what it counts is no number of them")
    if not all(isinstance(amount, int | float) and 0 <= amount < inf for amount in amounts):
        raise MalformedCritique("what it cost, or how long it took, is no amount")


def _ids(claimed: Iterable[object], asked: frozenset[str]) -> None:
    if not asked.issuperset(claimed):
        raise MalformedCritique("speaks of principles it was not asked about")


def _place(part: object, span: object, lengths: Mapping[int, int]) -> None:
    if part is None and span is None:
        return
    if part not in lengths:
        raise MalformedCritique("a finding names a part that is not judged")
    if span is None:
        return
    match span:
        case (int(start), int(end)) if 0 <= start <= end <= lengths[part]:  # type: ignore[index]
            return
    raise MalformedCritique("a finding's span lies outside its part")
