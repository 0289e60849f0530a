"""What a critic says at once is what it says when it is given the time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.critic.protocol import AnswersAtOnce, Critic, Critique, CritiqueRequest
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.verdict import Stage

ALL = """
schema: 1
id: house
version: 1.0.0
replies: {blocked: "No, not here."}
pii: {input: {EMAIL_ADDRESS: mask, CREDIT_CARD: block}, output: {EMAIL_ADDRESS: mask}}
tools:
  allow: [search]
  rules: {search: {never_from: [read_web], arguments: {q: {match: "[a-z]+"}}}}
principles:
  - {id: house.words, text: Says nothing forbidden., stages: [input, output, tool_call],
     critics: [pattern: {breach: [forbidden], unless: [never]}]}
  - {id: house.like, text: Tells of no loans., stages: [input, output],
     examples: {breach: [Your neighbour borrowed two books on divorce last week.],
                fine: [You borrowed two books.]},
     critics: [negative_examples]}
  - {id: house.keys, text: Gives away no key., stages: [input, output, tool_call],
     critics: [secrets: {}]}
  - {id: house.seen, text: Hides nothing., stages: [input, output], critics: [invisible_text: {}]}
  - {id: house.short, text: Is short., stages: [output], action: flag,
     critics: [length: {max_words: 6, min_characters: 2}]}
  - {id: house.shape, text: Is an object., stages: [output], action: flag,
     critics: [schema: {schema: {type: object}}]}
"""
SAID = st.lists(
    st.sampled_from(
        [
            *("forbidden", "odd", "never", ". ", " ", "\n", "{}", '{"q": "a"}', "[", "1", "", "é"),
            *("jo@example.org", "4111111111111111", "AKIAIOSFODNN7EXAMPLE", "\u200b", "\u202e"),
            *("Your neighbour borrowed two books on divorce last week.", "ｆ", "\x08", "Ab " * 9),
        ]
    ),
    max_size=6,
).map("".join)


class Noted:
    """A critic of which all that it is asked and says at once is kept."""

    def __init__(self, critic: Critic, log: list[tuple[Critic, CritiqueRequest, Any]]) -> None:
        self._critic, self._log = critic, log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._critic, name)

    def critique_now(self, request: CritiqueRequest) -> Critique | None:
        assert isinstance(self._critic, AnswersAtOnce), f"{self._critic.name} never does"
        said = self._critic.critique_now(request)
        self._log.append((self._critic, request, said))
        return said


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Guard, list[Any]]:
    file: Path = tmp_path_factory.mktemp("house") / "house.yaml"
    file.write_text(ALL)
    guard = Guard.load(file, offline=True, settings=Settings(audit="memory"))
    log: list[Any] = []
    for stage in guard._enforcement.plan.stages.values():
        for bound in stage.critics:
            object.__setattr__(bound, "critic", Noted(bound.critic, log))
    return guard, log


CALLED = {"type": "tool_use", "id": "c", "name": "search", "input": {"q": "a"}}


@given(text=SAID, before=SAID)
def test_promise_2_a_word_at_once_is_the_same_word(
    text: str, before: str, told: tuple[Guard, list[Any]]
) -> None:
    guard, log = told
    log.clear()
    asyncio.run(_ask(guard, text, before))
    names = {critic.name for critic, _, said in log if said is not None}
    assert {"pattern", "negative_examples", "secrets", "invisible_text", "length"} <= names
    for critic, request, said in log:
        if said is not None:
            assert said == asyncio.run(critic.critique(request)), critic.name


async def _ask(guard: Guard, text: str, before: str) -> None:
    await guard.check_input([{"role": "user", "content": text}])
    await guard.check_output(text, prompt=before)
    await guard.check_tool_call("search", {"q": text}, prompt=before)
    await guard.check([{**CALLED, "input": {"q": text}}], stage=Stage.OUTPUT, prompt=before)
