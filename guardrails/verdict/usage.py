"""What judging cost, and who was asked: told of a decision, and added up over many."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self, TypeVar

__all__ = [
    "NOTHING_USED",
    "Handover",
    "HandoverOutcome",
    "PrincipleUse",
    "RoleUse",
    "Start",
    "StartReason",
    "Usage",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleUse:
    """What one role of the judge's cascade was asked, told of the model that answered for it.

    `asked` counts principles, each once a judgement; `settled` of them passed or were breached,
    `deferred` were in doubt and went on to the next role; the rest stayed open. `checked` are those
    of its words that a dearer role was asked about, too, `reversed` those that it contradicted.
    What was remembered, or asked by somebody else at the same time, is not counted.
    """

    role: str
    model: str
    calls: int = 0
    asked: int = 0
    settled: int = 0
    deferred: int = 0
    checked: int = 0
    reversed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0

    @property
    def kind(self) -> Hashable:
        return self.role, self.model

    def __add__(self, other: Self) -> Self:
        return replace(
            self,
            calls=self.calls + other.calls,
            asked=self.asked + other.asked,
            settled=self.settled + other.settled,
            deferred=self.deferred + other.deferred,
            checked=self.checked + other.checked,
            reversed=self.reversed + other.reversed,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=_added(self.cost_usd, other.cost_usd),
        )


StartReason = Literal["first", "rule", "reversals", "failed"]
"""Why a judgement began at its role: no rule held, a rule of the constitution did, past reversals,
or the router failed (then it is the first role, as without one)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """At which role of the cascade judgements began, and why. `rule` counts the constitution's
    rules from 1, `principle` is the one that moved it there.

    `always_last_usd` is what the same questions would have cost if they had gone to `last_role` at
    once: an estimate, by the tokens that this role's model used; None if the price is unknown.
    """

    role: str
    why: StartReason = "first"
    rule: int | None = None
    principle: str | None = None
    last_role: str
    last_model: str
    times: int = 1
    always_last_usd: float | None = 0.0

    @property
    def kind(self) -> Hashable:
        return self.role, self.why, self.rule, self.principle, self.last_role, self.last_model

    def __add__(self, other: Self) -> Self:
        return replace(
            self,
            times=self.times + other.times,
            always_last_usd=_added(self.always_last_usd, other.always_last_usd),
        )


HandoverOutcome = Literal["deferred", "upheld", "reversed", "unanswered"]
"""A doubt that went on; a word that the dearer role said, too; one that it contradicted; one that
it did not answer, so that it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A principle that one role of the cascade handed on to a dearer one, and what came of it."""

    principle: str
    role: str
    to: str
    outcome: HandoverOutcome
    times: int = 1

    @property
    def kind(self) -> Hashable:
        return self.principle, self.role, self.to, self.outcome

    def __add__(self, other: Self) -> Self:
        return replace(self, times=self.times + other.times)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipleUse:
    """What was spent for the sake of one principle: of each question to a judge or a reviser an
    even share, whatever was answered. `asked` counts the questions in which it stood."""

    principle: str
    asked: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0

    @property
    def kind(self) -> Hashable:
        return self.principle

    def __add__(self, other: Self) -> Self:
        return replace(
            self,
            asked=self.asked + other.asked,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=_added(self.cost_usd, other.cost_usd),
        )

    @classmethod
    def shares(cls, ids: Iterable[str], of: Usage) -> tuple[PrincipleUse, ...]:
        """What one question used, shared evenly. Tokens are whole, so that the first ones have what
        is left over and all together add up."""
        named = tuple(dict.fromkeys(ids))
        return tuple(
            cls(
                principle=id,
                asked=1,
                input_tokens=_share(of.input_tokens, n, len(named)),
                output_tokens=_share(of.output_tokens, n, len(named)),
                cost_usd=None if of.cost_usd is None else of.cost_usd / len(named),
            )
            for n, id in enumerate(named)
        )


def _share(amount: int, n: int, of: int) -> int:
    return amount // of + (n < amount % of)


class _Countable(Protocol):
    @property
    def kind(self) -> Hashable: ...
    def __add__(self, other: Self) -> Self: ...


C = TypeVar("C", bound=_Countable)


def _together(one: tuple[C, ...], other: tuple[C, ...]) -> tuple[C, ...]:
    """What is of one kind added up, in the order in which kinds first came."""
    if not other:
        return one
    found: dict[Hashable, C] = {}
    for item in (*one, *other):
        known = found.get(item.kind)
        found[item.kind] = item if known is None else known + item
    return tuple(found.values())


def _added(one: float | None, other: float | None) -> float | None:
    """What is not known stays so."""
    return None if one is None or other is None else one + other


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What judging cost. `cost_usd` is None when a model's price is unknown, never 0 then. `cached`
    counts verdicts about a text or a window of it that cost nothing: kept from before, or given to
    somebody who asked the same at the same time. `roles`, `starts` and `handovers` tell of the
    judge's cascade. Of the input, `cache_read_tokens` were read from a provider's prompt cache and
    `cache_write_tokens` written to it; `principles` are those for whose sake it was."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    latency_ms: float = 0.0
    cached: int = 0
    roles: tuple[RoleUse, ...] = ()
    starts: tuple[Start, ...] = ()
    handovers: tuple[Handover, ...] = ()
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    principles: tuple[PrincipleUse, ...] = ()

    def __add__(self, other: Usage) -> Usage:
        if other is NOTHING_USED:  # most judgements ask nobody
            return self
        if self is NOTHING_USED:
            return other
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=_added(self.cost_usd, other.cost_usd),
            latency_ms=self.latency_ms + other.latency_ms,
            cached=self.cached + other.cached,
            roles=_together(self.roles, other.roles),
            starts=_together(self.starts, other.starts),
            handovers=_together(self.handovers, other.handovers),
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            principles=_together(self.principles, other.principles),
        )


NOTHING_USED = Usage()
