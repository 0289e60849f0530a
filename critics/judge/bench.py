"""Who is asked about what: made once for a constitution, and the same for all its requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from critics.judge.remembered import Memory, Role
from critics.judge.routing import Router, Tally, start_role
from guardrails.constitution.model import Principle, Routing
from guardrails.critic.protocol import Resources, Rule
from guardrails.llm.prices import cost_usd
from guardrails.llm.protocol import Tokens
from guardrails.llm.roles import Player
from guardrails.prompts.judging import prefix
from guardrails.settings import Price

__all__ = ["Bench", "Group", "is_backwards"]

MOST_IN_A_GROUP = 10
"""More principles than these in one question are judged worse; design, section 3."""


@dataclass(frozen=True, slots=True)
class Group:
    """Principles that are asked about together: a prefix, and the same in reverse order."""

    principles: tuple[Principle, ...]
    forth: str = field(repr=False)
    back: str = field(repr=False)

    @classmethod
    def of(cls, principles: Sequence[Principle]) -> Group:
        return cls(tuple(principles), prefix(principles), prefix(principles[::-1]))

    @classmethod
    def all_of(cls, principles: Sequence[Principle]) -> Iterable[Group]:
        """Fixed groups, in declared order."""
        for first in range(0, len(principles), MOST_IN_A_GROUP):
            yield cls.of(principles[first : first + MOST_IN_A_GROUP])


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Who is asked, cheapest first, how long, and at what price where settings say it; where an
    exchange starts, and how often who was reversed; and what they said before, if that is kept."""

    players: tuple[Player, ...]
    timeout_s: float
    prices: Mapping[str, Price]
    routing: Routing
    router: Router = start_role
    tally: Tally = field(default_factory=Tally)
    memory: Memory | None = None

    @classmethod
    def of(
        cls,
        rules: Sequence[Rule],
        players: Sequence[Player],
        resources: Resources,
        *,
        critic: str,
    ) -> Bench:
        """`critic` is the judge's name and version."""
        judging = resources.constitution.judging
        return cls(
            players=tuple(players),
            timeout_s=judging.timeout_s,
            routing=judging.routing,
            prices=resources.settings.prices,
            memory=_memory(rules, players, resources, critic),
        )

    def price(self, model: str, tokens: Tokens) -> float | None:
        """What a call cost; nothing if nobody answered, None if nobody knows."""
        return 0.0 if tokens == Tokens() else cost_usd(model, tokens, own=self.prices)

    def dearest(self, player: Player, tokens: Tokens) -> float:
        """What a call may cost, whoever of the two answers."""
        models = [player.first] if player.fallback is None else [player.first, player.fallback]
        return max(self.price(model.name, tokens) or 0.0 for model in models)


def _memory(
    rules: Sequence[Rule], players: Sequence[Player], resources: Resources, critic: str
) -> Memory | None:
    if resources.verdicts is None:
        return None
    return Memory(
        resources.verdicts,
        critic=critic,
        rules=rules,
        roles=[
            Role(name=player.role, model=player.name, backwards=is_backwards(place))
            for place, player in enumerate(players)
        ],
        ttl_s=resources.constitution.cache_ttl_s,
    )


def is_backwards(place: int) -> bool:
    """Every other role of a cascade sees the principles in reverse order."""
    return place % 2 == 1
