"""Critics that answer from a list, and critics that fail in every way there is."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

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
    Whole,
)
from guardrails.critic.registry import JudgeConfig
from guardrails.verdict import Stage

__all__ = [
    "BROKEN",
    "Answer",
    "ScriptExhaustedError",
    "breaching",
    "broken_critic",
    "passing",
    "scripted_critic",
]

Answer = Critique | BaseException | Callable[[CritiqueRequest], Any]
"""What is answered to one question: a critique, an error to raise, or a callable (plain or async)
that makes the answer, which may be nonsense."""


ALL_OF_IT = Whole()


class ScriptExhaustedError(AssertionError):
    """A scripted critic was asked more often than its script has answers."""


class ScriptedCritic:
    """The protocol round a script. Made by `scripted_critic`."""

    name: ClassVar[str] = "judge"
    version: ClassVar[str] = "scripted"
    tier: ClassVar[Tier] = "model"
    Config: ClassVar[type[CriticConfig]] = JudgeConfig
    answers: ClassVar[Sequence[Answer] | Answer] = ()
    needs: ClassVar[Need] = Whole()
    asked: ClassVar[list[CritiqueRequest]] = []
    """Every question so far, the class's own list."""

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> ScriptedCritic:
        return cls()

    def need(self, stage: Stage) -> Need:
        return self.needs

    def declared(self) -> Sequence[Declared]:
        return ()

    async def critique(self, request: CritiqueRequest) -> Critique:
        answer = self._next()
        self.asked.append(request)
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            answer = answer(request)
        if inspect.isawaitable(answer):
            answer = await answer
        return answer  # type: ignore[no-any-return]  # nonsense on purpose, perhaps

    def _next(self) -> Any:
        if not isinstance(self.answers, list | tuple):
            return self.answers
        if len(self.asked) >= len(self.answers):
            raise ScriptExhaustedError(
                f"{self.name!r} has {len(self.answers)} answers and was asked once more"
            )
        return self.answers[len(self.asked)]


def scripted_critic(
    answers: Sequence[Answer] | Answer,
    *,
    name: str = "judge",
    tier: Tier = "model",
    config: type[CriticConfig] | None = None,
    need: Need = ALL_OF_IT,
) -> type[ScriptedCritic]:
    """A critic that gives one answer after the other, or the same one every time if it is no list.
    `need` says how much of a stream it must see; `Unit("sentence")` lets one go piece by piece.

    It raises ScriptExhaustedError when it has none left. `asked`, on the class, are the questions.
    """
    if config is None:
        config = JudgeConfig if name == "judge" else CriticConfig
    return type(
        "ScriptedCritic",
        (ScriptedCritic,),
        {
            "name": name,
            "tier": tier,
            "Config": config,
            "answers": _constant(answers),
            "needs": need,
            "asked": [],
        },
    )


def _constant(answers: Sequence[Answer] | Answer) -> Any:
    """A function on a class would become a method."""
    return staticmethod(answers) if inspect.isfunction(answers) else answers


def passing(request: CritiqueRequest) -> Critique:
    """Everything that is asked passes."""
    return Critique(looked=frozenset(request.asked), verdicts=dict.fromkeys(request.asked, "pass"))


def breaching(*ids: str) -> Callable[[CritiqueRequest], Critique]:
    """These are breached, with the whole of the first judged text as the quote; all else passes."""

    def answer(request: CritiqueRequest) -> Critique:
        first = request.targets[0]
        found = [id for id in request.asked if id in ids]
        return Critique(
            looked=frozenset(request.asked),
            verdicts={id: "breach" if id in found else "pass" for id in request.asked},
            findings=tuple(
                CriticFinding(
                    principle=id, value="breach", part=first.part, span=(0, len(first.text))
                )
                for id in found
            ),
        )

    return answer


def _raises(request: CritiqueRequest) -> Critique:
    raise RuntimeError("a critic that fails")


async def _hangs(request: CritiqueRequest) -> Critique:
    await asyncio.Event().wait()
    raise AssertionError("an event that nobody sets was set")


def _is_silent(request: CritiqueRequest) -> Critique:
    return Critique(looked=frozenset())


def _talks_nonsense(request: CritiqueRequest) -> Any:
    return {"verdict": "pass", "confidence": 1.0}


def _claims_others(request: CritiqueRequest) -> Critique:
    others = frozenset({*request.asked, "somebody.elses"})
    return Critique(looked=others, verdicts=dict.fromkeys(others, "pass"))


def _quotes_outside(request: CritiqueRequest) -> Critique:
    first = request.targets[0]
    end = len(first.text)
    return Critique(
        looked=frozenset(request.asked),
        verdicts=dict.fromkeys(request.asked, "breach"),
        findings=tuple(
            CriticFinding(principle=id, value="breach", part=first.part, span=(end, end + 10))
            for id in request.asked
        ),
    )


def _contradicts_itself(request: CritiqueRequest) -> Critique:
    first = request.targets[0]
    return Critique(
        looked=frozenset(request.asked),
        verdicts=dict.fromkeys(request.asked, "pass"),
        findings=tuple(
            CriticFinding(principle=id, value="breach", part=first.part, span=(0, 1))
            for id in request.asked
        ),
    )


BROKEN: Mapping[str, Callable[[CritiqueRequest], Critique | Awaitable[Critique]]] = {
    "raises": _raises,
    "hangs": _hangs,
    "silent": _is_silent,
    "nonsense": _talks_nonsense,
    "impostor": _claims_others,
    "outside": _quotes_outside,
    "contradiction": _contradicts_itself,
}
"""The ways in which a critic fails, by name."""


def broken_critic(
    way: str,
    *,
    name: str = "judge",
    tier: Tier = "model",
    config: type[CriticConfig] | None = None,
) -> type[ScriptedCritic]:
    """A critic that fails each time in one of the ways of `BROKEN`."""
    return scripted_critic(BROKEN[way], name=name, tier=tier, config=config)
