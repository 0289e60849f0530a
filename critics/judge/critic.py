"""The judge: one question for all open principles, deferred to a dearer role where in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from critics.judge.bench import Bench, Group
from critics.judge.sitting import Sitting
from guardrails.constitution.model import CriticConfig
from guardrails.critic.protocol import (
    Critique,
    CritiqueRequest,
    Declared,
    Need,
    Resources,
    Rule,
    Tier,
    Unit,
    Whole,
)
from guardrails.critic.registry import JudgeConfig
from guardrails.errors import SettingsError
from guardrails.llm.roles import Player
from guardrails.prompts.judging import VERSION
from guardrails.verdict import Stage

__all__ = ["Judge"]


class Judge:
    """A model reads the judged text beside what it answers, and says of each open principle pass,
    breach or undecided, with a quote for a breach.

    All open principles of a stage go into one question (more than ten into fixed groups). What is
    undecided is deferred to the next role of the cascade, which sees the principles in reverse
    order; the constitution's routing may begin at a dearer role and have words checked by the next.
    A quote that the text does not hold makes its verdict undecided: a model may err, and may be
    talked into things. A model that is away is stood in for by its role's fallback.

    Costs a call per group and window: some 0.3 to 3 s. Known misses: whatever the model misses.
    """

    name: ClassVar[str] = "judge"
    version: ClassVar[str] = f"1.0.0 template-{VERSION}"
    tier: ClassVar[Tier] = "model"
    Config: ClassVar[type[CriticConfig]] = JudgeConfig
    asks_models: ClassVar[bool] = True
    """It must have models, and keeps the time of each answer itself."""

    def __init__(
        self, rules: Sequence[Rule], players: Sequence[Player], resources: Resources
    ) -> None:
        self._bench = Bench.of(rules, players, resources, critic=f"{self.name} {self.version}")
        self._principles = {rule.principle.id: rule.principle for rule in rules}
        self._groups = {
            stage: tuple(Group.all_of([r.principle for r in rules if stage in r.principle.stages]))
            for stage in Stage
        }

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> Judge:
        """Raises SettingsError if a role of the cascade has no model that can be asked."""
        if resources.roles is None:
            raise SettingsError("the judge needs models, and none was given")
        cascade = resources.constitution.judging.cascade
        return cls(rules, [resources.roles.player(role) for role in cascade], resources)

    def need(self, stage: Stage) -> Need:
        at = [p for group in self._groups[stage] for p in group.principles]
        whole = any(p.scope == "reply" or p.requires for p in at)
        return Whole() if whole else Unit("sentence")

    def declared(self) -> Sequence[Declared]:
        return ()

    async def critique(self, request: CritiqueRequest) -> Critique:
        sitting = Sitting(self._bench, request, self._groups[request.stage])
        await sitting.hold([self._principles[id] for id in request.asked])
        return sitting.critique()
