"""A critic of one's own: finds runs of words in capitals.

    pip install ./examples/custom_critic
    constitution test examples/custom_critic/house-style.yaml

Known misses: scripts without capitals, S P A C E D letters, shouting by exclamation marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from guardrails.constitution.model import CriticConfig
from guardrails.critic.protocol import (
    CriticFinding,
    Critique,
    CritiqueRequest,
    Declared,
    Need,
    Resources,
    Rule,
    Tier,
    Width,
)
from guardrails.text.patterns import Pattern, compile_pattern
from guardrails.verdict import Stage


class ShoutingConfig(CriticConfig):
    """What may stand under `no_shouting:` in YAML; a wrong key or number is an error at load."""

    words: Annotated[int, Field(ge=2, le=20)] = 4


class NoShouting:
    """A run of so many words in capitals is a breach; a shorter one may be a name."""

    name: ClassVar[str] = "no_shouting"
    version: ClassVar[str] = "1.0.0"
    tier: ClassVar[Tier] = "deterministic"
    Config: ClassVar[type[CriticConfig]] = ShoutingConfig

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._runs = {rule.principle.id: _run_of(rule.config) for rule in rules}

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> NoShouting:
        """Called once per constitution, with every principle that names this critic."""
        return cls(rules)

    def need(self, stage: Stage) -> Need:
        """A stream is held back by the width of what could be found."""
        return Width(max(run.width for run in self._runs.values()))

    def declared(self) -> Sequence[Declared]:
        """The engine searches for this, in one go with the patterns of all other critics."""
        return [
            Declared(
                key=rule.principle.id,
                pattern=self._runs[rule.principle.id],
                stages=frozenset(rule.principle.stages),
            )
            for rule in self._rules
        ]

    async def critique(self, request: CritiqueRequest) -> Critique:
        """Say what the hits mean: here, each is a breach of the principle that asked."""
        findings = tuple(
            CriticFinding(principle=principle, value="breach", part=part, span=span)
            for part, hits in request.hits.items()
            for principle in request.asked
            for span in hits.get(principle, ())
        )
        return Critique(looked=frozenset(request.asked), findings=findings)


def _run_of(config: CriticConfig) -> Pattern:
    assert isinstance(config, ShoutingConfig)
    word = r"\p{Lu}{2,20}"
    return compile_pattern(rf"\b{word}(?:[ ,]+{word}){{{config.words - 1}}}\b", case=True)
