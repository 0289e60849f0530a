"""Handles on time and money that are passed down, so that no level invents its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from guardrails.errors import BudgetExceeded

__all__ = ["BudgetHandle", "Deadline", "Estimate", "Purse", "Reserved"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one call of a model is reckoned with before it is made. `most_…` is what it may come to
    if it uses all the output that it is allowed; None: no more than that."""

    tokens: int
    cost_usd: float = 0.0
    most_tokens: int | None = None
    most_cost_usd: float | None = None

    @property
    def dearest(self) -> tuple[int, float]:
        """Tokens and US dollars at most."""
        tokens = self.tokens if self.most_tokens is None else self.most_tokens
        cost = self.cost_usd if self.most_cost_usd is None else self.most_cost_usd
        return max(tokens, self.tokens), max(cost, self.cost_usd)


class Purse(Protocol):
    """What is limited beyond one guarded call: what a tenant or a subject may spend in a day."""

    async def reserve(self, *, calls: int, tokens: int, cost_usd: float) -> str:
        """Set aside. Returns the day that it is of. Raises DailyBudgetExceeded, or CriticOutage
        where nobody knows what is left."""

    async def settle(self, day: str, *, tokens: int, cost_usd: float) -> None:
        """Add to what was set aside, or (less than 0) give back. Never raises."""

    def spend(self, *, calls: int, tokens: int, cost_usd: float) -> None:
        """Spend without waiting, by what is known here. Raises as `reserve`."""

    async def square(self) -> None:
        """Tell others what was spent without waiting. Never raises."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """What was set aside for one call, until it is known what that came to."""

    estimate: Estimate
    purse: Purse | None = None
    day: str = ""

    async def settle(self, *, tokens: int, cost_usd: float | None) -> None:
        """Say what the call used; None: nobody knows what it costs, so it stays at the estimate."""
        if self.purse is None:
            return
        most_tokens, most_cost = self.estimate.dearest
        cost = 0.0 if cost_usd is None else cost_usd - most_cost
        await self.purse.settle(self.day, tokens=tokens - most_tokens, cost_usd=cost)


class BudgetHandle:
    """What one guarded call may still spend, both stages together.

    `time_left_s` counts only the time the guard itself adds: the clock runs inside `spending()`.
    `purse` is what its tenant and subject may spend today, if that is limited.
    """

    __slots__ = ("_clock", "calls", "chars", "cost_usd", "limits", "purse", "spent_s", "tokens")

    def __init__(
        self,
        *,
        deadline_s: float,
        max_chars: int,
        max_calls: int,
        max_tokens: int,
        max_cost_usd: float | None = None,
        clock: Clock = time.monotonic,
        purse: Purse | None = None,
    ) -> None:
        self.purse = purse
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

    async def reserve(self, estimates: Sequence[Estimate]) -> list[Reserved]:
        """Count calls of models before any of them is made, all or none, and say of each what it
        used (`Reserved.settle`) once that is known. Raises BudgetExceeded for what does not fit
        into the call's budget, or into what may be spent in a day."""
        taken: list[Estimate] = []
        purse, day = self.purse, ""
        try:
            for estimate in estimates:
                self._take(estimate.tokens, estimate.cost_usd)
                taken.append(estimate)
            if purse is not None and estimates:
                dearest = [estimate.dearest for estimate in estimates]
                day = await purse.reserve(
                    calls=len(estimates),
                    tokens=sum(tokens for tokens, _ in dearest),
                    cost_usd=sum(cost for _, cost in dearest),
                )
        except BaseException:
            for estimate in taken:
                self._give_back(estimate.tokens, estimate.cost_usd)
            raise
        return [Reserved(estimate, purse, day) for estimate in estimates]

    def spend_call(self, *, tokens: int, cost_usd: float = 0.0) -> None:
        """Count a model call before it is made, without waiting: of what may be spent in a day, as
        far as this process knows. Raises BudgetExceeded if it does not fit."""
        self._take(tokens, cost_usd)
        if self.purse is None:
            return
        try:
            self.purse.spend(calls=1, tokens=tokens, cost_usd=cost_usd)
        except BaseException:
            self._give_back(tokens, cost_usd)
            raise

    async def square(self) -> None:
        """Tell others what was spent in the day without waiting."""
        if self.purse is not None:
            await self.purse.square()

    def _take(self, tokens: int, cost_usd: float) -> None:
        self._check("max_calls", self.calls + 1)
        self._check("max_tokens", self.tokens + tokens)
        self._check("max_cost_usd", self.cost_usd + cost_usd)
        self.calls += 1
        self.tokens += tokens
        self.cost_usd += cost_usd

    def _give_back(self, tokens: int, cost_usd: float) -> None:
        self.calls -= 1
        self.tokens -= tokens
        self.cost_usd -= cost_usd

    def _check(self, limit: str, needed: float) -> None:
        if needed > self.limits[limit]:
            raise BudgetExceeded(limit, self.limits[limit], needed)
