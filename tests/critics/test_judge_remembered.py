"""Who shares an answer under way, when somebody gave it less time than others have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from critics.judge.panel import Said
from critics.judge.remembered import Case, Memory, Query, Reply, Role, consult, finding_of, kept_of
from critics.judge.windows import Piece, Window
from guardrails.cache.memory import MemoryStore
from guardrails.cache.value import Kept
from guardrails.cache.verdicts import VerdictCache
from guardrails.constitution.model import Principle
from guardrails.critic.limits import BudgetHandle, Deadline
from guardrails.critic.protocol import CriticFinding, CritiqueRequest, Rule
from guardrails.critic.registry import JudgeConfig
from guardrails.exchange import Part
from guardrails.prompts.judging import Ruling
from guardrails.verdict import Stage

RULE = Rule(
    principle=Principle(
        id="a",
        text="Is kind.",
        stages=(Stage.OUTPUT,),
        actions={Stage.OUTPUT: "block"},
        critics=(),
    ),
    config=JudgeConfig(),
)
WINDOW: Window = (Piece(part=0, start=0, text="Hello"),)
QUERY = Query(group=("a",), prefix="", asked=(RULE.principle,), window=WINDOW)
CASE = Case(
    request=CritiqueRequest(
        stage=Stage.OUTPUT,
        parts=(Part(text="Hello", role="assistant"),),
        targets=(),
        asked=("a",),
        deadline=Deadline(10),
        budget=BudgetHandle(deadline_s=10, max_chars=10, max_calls=10, max_tokens=10),
    ),
    shown=(),
    role=0,
)


class Caller:
    """Has so much patience, and a model that needs so long."""

    def __init__(self, patience_s: float, takes_s: float) -> None:
        self.patience, self.takes_s = patience_s, takes_s
        self.calls = 0

    async def put(self, queries: Sequence[Query]) -> Sequence[Callable[[], Awaitable[Said]]]:
        return [self.ask for _ in queries]

    async def ask(self) -> Said:
        self.calls += 1
        await asyncio.sleep(min(self.patience, self.takes_s))
        if self.patience < self.takes_s:
            return Said(failure="timeout")
        return Said(model="m", rulings={"a": Ruling(id="a", value="pass")})

    def patience_s(self) -> float:
        return self.patience

    def settled(self, principle: Principle, said: Said, window: Window) -> Kept | None:
        return kept_of(None, window)


def memory() -> Memory:
    return Memory(
        VerdictCache(MemoryStore(entries=10), b"k" * 32),
        critic="judge",
        rules=[RULE],
        roles=[Role(name="small", model="m", backwards=False)],
        ttl_s=60,
    )


async def asked(*callers: Caller) -> list[Reply]:
    shared = memory()
    return [
        reply
        for replies in await asyncio.gather(*(consult(shared, c, [QUERY], CASE) for c in callers))
        for reply in replies
    ]


async def test_who_has_more_time_asks_again() -> None:
    hurried, patient, third = Caller(0.01, 0.05), Caller(5, 0.05), Caller(5, 0.05)
    replies = await asked(hurried, patient, third)
    assert [reply.said and reply.said.failure for reply in replies] == ["timeout", None, None]
    assert (hurried.calls, patient.calls + third.calls) == (1, 1)


async def test_who_has_no_more_time_does_not() -> None:
    callers = [Caller(0.01, 0.05) for _ in range(5)]
    replies = await asked(*callers)
    assert {reply.said.failure for reply in replies if reply.said} == {"timeout"}
    assert sum(caller.calls for caller in callers) == 1
    assert [reply.own for reply in replies] == [True, False, False, False, False]


async def test_the_same_question_twice_in_one_request_is_asked_once() -> None:
    caller = Caller(5, 0.01)
    first, second = await consult(memory(), caller, [QUERY, QUERY], CASE)
    assert caller.calls == 1
    assert (first.cached, second.cached) == (0, 1)


async def test_without_a_memory_every_question_is_asked() -> None:
    caller = Caller(5, 0.0)
    replies = await consult(None, caller, [QUERY, QUERY], CASE)
    assert caller.calls == 2
    assert all(reply.own and not reply.cached for reply in replies)


def test_a_place_is_the_same_in_another_part() -> None:
    breach = CriticFinding(principle="a", value="breach", part=3, span=(105, 108))
    kept = kept_of(
        breach, (Piece(part=2, start=0, text="x"), Piece(part=3, start=100, text="y" * 9))
    )
    moved = (Piece(part=0, start=0, text="x"), Piece(part=7, start=40, text="y" * 9))
    found = finding_of("a", kept, moved)
    assert found is not None
    assert (found.part, found.span) == (7, (45, 48))
