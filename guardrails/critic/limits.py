"""Handles on time and money that are passed down, so that no level invents its own."""

from __future__ import annotations

import time
from collections.abc import Callable

from guardrails.errors import BudgetExceeded

__all__ = ["BudgetHandle", "Deadline"]

Clock = Callable[[], float]


class Deadline:
    """A moment on the monotonic clock after which nothing more may be waited for."""

    __slots__ = ("_clock", "at")

    def __init__(self, seconds: float, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self.at = clock() + seconds

    def remaining(self) -> float:
        """Seconds left; negative when it has passed."""
        return self.at - self._clock()

    @property
    def passed(self) -> bool:
        return self.remaining() <= 0

    def within(self, seconds: float) -> Deadline:
        """The nearer of this deadline and one `seconds` from now."""
        return Deadline(min(seconds, self.remaining()), clock=self._clock)


class BudgetHandle:
    """What one guarded call may still spend, both stages together.

    `time_left_s` counts only the time the guard itself adds: the clock runs inside `spending()`.
    """

    __slots__ = ("_clock", "calls", "chars", "cost_usd", "limits", "spent_s", "tokens")

    def __init__(
        self,
        *,
        deadline_s: float,
        max_chars: int,
        max_calls: int,
        max_tokens: int,
        max_cost_usd: float | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.limits = {
            "deadline_s": deadline_s,
            "max_chars": float(max_chars),
            "max_calls": float(max_calls),
            "max_tokens": float(max_tokens),
            "max_cost_usd": float("inf") if max_cost_usd is None else max_cost_usd,
        }
        self._clock = clock
        self.spent_s = 0.0
        self.chars = 0
        self.calls = 0
        self.tokens = 0
        self.cost_usd = 0.0

    def deadline(self) -> Deadline:
        """The moment at which the guard's own time is used up, if it works from now on."""
        return Deadline(self.limits["deadline_s"] - self.spent_s, clock=self._clock)

    def spend_time(self, seconds: float) -> None:
        self.spent_s += seconds

    def spend_chars(self, count: int) -> None:
        """Raises BudgetExceeded if the call's text is longer than allowed."""
        self._check("max_chars", self.chars + count)
        self.chars += count

    def spend_call(self, *, tokens: int, cost_usd: float = 0.0) -> None:
        """Count a model call before it is made. Raises BudgetExceeded if it does not fit."""
        self._check("max_calls", self.calls + 1)
        self._check("max_tokens", self.tokens + tokens)
        self._check("max_cost_usd", self.cost_usd + cost_usd)
        self.calls += 1
        self.tokens += tokens
        self.cost_usd += cost_usd

    def _check(self, limit: str, needed: float) -> None:
        if needed > self.limits[limit]:
            raise BudgetExceeded(limit, self.limits[limit], needed)
