"""Exit statuses: what a decision, or many, mean to a shell."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from guardrails.verdict import Decision, Verdict

__all__ = ["Status", "of_all", "of_decision"]


class Status(IntEnum):
    """The exit statuses of `check`; other commands use the first three."""

    FINE = 0
    INTERVENED = 1  # elsewhere: a check failed
    WRONG = 2  # usage, configuration, or an input line
    UNSETTLED = 3  # an outage, a doubt, a limit
    INTERRUPTED = 130  # 128 + SIGINT
    PIPE_CLOSED = 141  # 128 + SIGPIPE


def of_decision(decision: Decision) -> Status:
    """What goes on unchanged is fine; so is what nobody could judge offline, if it may go on."""
    if decision.verdict <= Verdict.FLAG:
        return Status.FINE
    return Status.INTERVENED if decision.cause == "policy" else Status.UNSETTLED


def of_all(statuses: Iterable[Status]) -> Status:
    """One status for many rows: an unreadable line tells most, then an intervention."""
    seen = set(statuses)
    order = (Status.WRONG, Status.INTERVENED, Status.UNSETTLED)
    return next((status for status in order if status in seen), Status.FINE)
