"""A judge whose word is written down beforehand, as in a constitution's own tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from guardrails.constitution.model import CriticConfig, Principle
from guardrails.critic.protocol import (
    CriticFinding,
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
from guardrails.text.normalise import normalise
from guardrails.verdict import Stage

__all__ = ["scripted_judge"]


def scripted_judge(script: Mapping[str, str | bool]) -> type[_ScriptedJudge]:
    """A judge that knows a breach by its quote: it holds while the quote is in a judged text.

    `script` maps ids to quotes, or to True for something that is missing: that holds until the
    principle's `remedy.append` is there. Whatever else is asked passes. Give it to
    `Guard.load(..., critics=[scripted_judge({...})])`.
    """
    return type("ScriptedJudge", (_ScriptedJudge,), {"script": dict(script)})


class _ScriptedJudge:
    name: ClassVar[str] = "judge"
    version: ClassVar[str] = "scripted"
    tier: ClassVar[Tier] = "model"
    Config: ClassVar[type[CriticConfig]] = JudgeConfig
    script: ClassVar[Mapping[str, str | bool]] = {}

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._principles = {rule.principle.id: rule.principle for rule in rules}

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> _ScriptedJudge:
        return cls(rules)

    def need(self, stage: Stage) -> Need:
        whole = any(p.scope == "reply" or p.requires for p in self._principles.values())
        return Whole() if whole else Unit("sentence")

    def declared(self) -> Sequence[Declared]:
        return ()

    async def critique(self, request: CritiqueRequest) -> Critique:
        verdicts: dict[str, Literal["pass", "breach", "undecided"]] = {}
        findings: list[CriticFinding] = []
        for id in request.asked:
            breach = self._breach(self._principles[id], request)
            verdicts[id] = "pass" if breach is None else "breach"
            findings += [] if breach is None else [breach]
        return Critique(
            looked=frozenset(request.asked),
            verdicts=verdicts,
            findings=tuple(findings),
            model="scripted",
        )

    def _breach(self, principle: Principle, request: CritiqueRequest) -> CriticFinding | None:
        said = self.script.get(principle.id, False)
        if isinstance(said, str):
            return _quoted(principle.id, normalise(said).text, request)
        if not said or _is_there(principle, request):
            return None
        return CriticFinding(principle=principle.id, value="breach", reason="something is missing")


def _quoted(id: str, quote: str, request: CritiqueRequest) -> CriticFinding | None:
    for target in request.targets:
        at = target.text.find(quote)
        if at >= 0:
            return CriticFinding(
                principle=id, value="breach", part=target.part, span=(at, at + len(quote))
            )
    return None


def _is_there(principle: Principle, request: CritiqueRequest) -> bool:
    """Whether the remedy for what is missing has been added."""
    added = principle.remedy.append if principle.remedy else None
    if added is None:
        return False
    wanted = normalise(added).text
    return any(wanted in target.text for target in request.targets)
