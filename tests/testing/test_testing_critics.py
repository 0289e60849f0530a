"""The critics, judge and clock that tests are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardrails.constitution.model import CriticConfig
from guardrails.critic.limits import BudgetHandle, Deadline
from guardrails.critic.protocol import Critic, Critique, CritiqueRequest, Target, Unit, Whole
from guardrails.critic.registry import JudgeConfig
from guardrails.exchange import Part
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import (
    BROKEN,
    FixedClock,
    ScriptExhaustedError,
    breaching,
    broken_critic,
    passing,
    scripted_critic,
    scripted_judge,
)
from guardrails.verdict import Decision, Stage, Verdict

HOUSE = """
schema: 1
id: house
version: 1.0.0
replies: {blocked: "No."}
principles:
  - {id: house.kind, text: Is kind., action: block, critics: [judge]}
  - {id: house.modest, text: Is modest., action: redact, critics: [judge]}
  - id: house.disclaimer
    text: Names a doctor.
    requires: true
    action: revise
    critics: [judge]
    remedy: {append: "Ask a doctor."}
  - id: house.source
    text: Names its source.
    requires: true
    action: block
    critics: [judge]
"""


def guard_with(folder: Path, critic: type[Critic]) -> Guard:
    file = folder / "house.yaml"
    file.write_text(HOUSE)
    return Guard.load(file, critics=[critic], settings=Settings(audit="memory"))


def judged(folder: Path, reply: str, script: dict[str, str | bool]) -> Decision:
    return guard_with(folder, scripted_judge(script)).sync.check_output(reply)


def question(*asked: str, text: str = "good day") -> CritiqueRequest:
    return CritiqueRequest(
        stage=Stage.OUTPUT,
        parts=(Part(text=text, role="assistant"),),
        targets=(Target(part=0, text=text),),
        asked=asked or ("a.rule",),
        deadline=Deadline(5),
        budget=BudgetHandle(deadline_s=5, max_chars=100, max_calls=1, max_tokens=1),
    )


def bound(critic: type[Critic]) -> Critic:
    resources: Any = None
    return critic.bind((), resources)


class TestScriptedCritic:
    async def test_it_gives_one_answer_after_the_other(self) -> None:
        critic = scripted_critic([passing, breaching("a.rule")])
        one = bound(critic)
        verdicts = [(await one.critique(question())).verdicts["a.rule"] for _ in range(2)]
        assert verdicts == ["pass", "breach"]
        assert len(critic.asked) == 2

    async def test_it_raises_when_its_script_runs_out(self) -> None:
        one = bound(scripted_critic([passing], name="mine"))
        await one.critique(question())
        with pytest.raises(ScriptExhaustedError, match="'mine' has 1 answers"):
            await one.critique(question())

    async def test_an_answer_that_is_no_list_is_given_every_time(self) -> None:
        one = bound(scripted_critic(passing))
        assert {(await one.critique(question())).verdicts["a.rule"] for _ in range(5)} == {"pass"}

    async def test_answers_may_be_values_errors_functions_and_coroutines(self) -> None:
        said = Critique(looked=frozenset({"a.rule"}))

        async def later(request: CritiqueRequest) -> Critique:
            return said

        one = bound(scripted_critic([said, later, ValueError("no"), lambda request: said]))
        assert await one.critique(question()) is said
        assert await one.critique(question()) is said
        with pytest.raises(ValueError, match="no"):
            await one.critique(question())
        assert await one.critique(question()) is said

    def test_two_critics_share_no_script(self) -> None:
        one, other = scripted_critic(passing), scripted_critic(passing)
        assert one.asked is not other.asked

    def test_it_is_the_judge_unless_it_is_named(self) -> None:
        judge = scripted_critic(passing)
        mine = scripted_critic(passing, name="mine", tier="local")
        assert (judge.name, judge.tier, judge.Config) == ("judge", "model", JudgeConfig)
        assert (mine.name, mine.tier, mine.Config) == ("mine", "local", CriticConfig)
        assert isinstance(bound(mine), Critic)

    def test_an_exhausted_script_never_passes(self, tmp_path: Path) -> None:
        guard = guard_with(tmp_path, scripted_critic([]))
        decision = guard.sync.check_output("good day")
        assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "undecided")
        assert {f.cause for f in decision.findings} == {"raised"}

    async def test_breaching_quotes_the_first_text_and_passes_all_else(self) -> None:
        critique = breaching("b.rule", "not.asked")(question("a.rule", "b.rule"))
        assert critique.verdicts == {"a.rule": "pass", "b.rule": "breach"}
        assert [(f.principle, f.span) for f in critique.findings] == [("b.rule", (0, 8))]


@pytest.mark.parametrize("way", [way for way in BROKEN if way != "hangs"])
def test_a_broken_critic_never_passes(way: str, tmp_path: Path) -> None:
    decision = guard_with(tmp_path, broken_critic(way)).sync.check_output("good day")
    assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "undecided")


def test_an_unknown_way_to_fail_is_an_error() -> None:
    with pytest.raises(KeyError):
        broken_critic("explodes")


class TestScriptedJudge:
    def test_what_the_script_does_not_name_passes(self, tmp_path: Path) -> None:
        assert judged(tmp_path, "good day", {}).verdict is Verdict.ALLOW

    @pytest.mark.parametrize(
        ("reply", "verdict"),
        [
            ("You fool!", "block"),
            ("You ｆｏｏｌ!", "block"),
            ("You fo\u200bol!", "block"),
            ("You!", "allow"),
        ],
    )
    def test_a_quote_is_a_breach_while_it_is_in_the_text(
        self, reply: str, verdict: str, tmp_path: Path
    ) -> None:
        decision = judged(tmp_path, reply, {"house.kind": "fool"})
        assert str(decision.verdict) == verdict
        for finding in decision.findings:
            assert finding.span is not None
            assert reply[slice(*finding.span)] in ("fool", "ｆｏｏｌ", "fo\u200bol")

    def test_a_breach_is_a_pass_once_its_quote_is_gone(self, tmp_path: Path) -> None:
        decision = judged(tmp_path, "I, the best, agree.", {"house.modest": ", the best,"})
        assert (decision.verdict, decision.text) == (Verdict.REDACT, "I agree.")

    def test_a_quote_is_looked_for_in_what_is_judged_alone(self, tmp_path: Path) -> None:
        guard = guard_with(tmp_path, scripted_judge({"house.kind": "fool"}))
        assert guard.sync.check_output("good day", prompt="You fool!").verdict is Verdict.ALLOW

    def test_an_omission_holds_until_its_remedy_is_there(self, tmp_path: Path) -> None:
        script: dict[str, str | bool] = {"house.disclaimer": True}
        decision = judged(tmp_path, "Rest.", script)
        assert (decision.verdict, decision.text) == (Verdict.REVISE, "Rest. Ask a doctor.")
        assert judged(tmp_path, "Rest. Ask a doctor.", script).verdict is Verdict.ALLOW

    def test_an_omission_without_a_remedy_stays(self, tmp_path: Path) -> None:
        decision = judged(tmp_path, "Rest.", {"house.source": True})
        assert (decision.verdict, decision.breaches) == (Verdict.BLOCK, ("house.source",))
        assert decision.findings[0].span is None

    def test_false_is_no_breach(self, tmp_path: Path) -> None:
        assert judged(tmp_path, "Rest.", {"house.source": False}).verdict is Verdict.ALLOW

    def test_the_decision_names_it_as_the_model(self, tmp_path: Path) -> None:
        assert judged(tmp_path, "Rest.", {}).constitution.models == {"judge": "scripted"}

    def test_its_script_is_its_own(self) -> None:
        script: dict[str, str | bool] = {"a.rule": "x"}
        judge: Any = scripted_judge(script)
        script.clear()
        assert judge.script == {"a.rule": "x"}

    @pytest.mark.parametrize("requires", [False, True])
    def test_it_needs_the_whole_reply_where_something_may_be_missing(self, requires: bool) -> None:
        principle: Any = type("P", (), {"id": "a.rule", "scope": "part", "requires": requires})
        rule: Any = type("R", (), {"principle": principle})
        judge: Any = scripted_judge({})
        need = judge.bind([rule], None).need(Stage.OUTPUT)
        assert need == (Whole() if requires else Unit("sentence"))


def test_a_fixed_clock_stands_until_it_is_moved() -> None:
    clock = FixedClock(10)
    deadline = Deadline(2, clock=clock)
    assert (clock(), clock(), deadline.passed) == (10, 10, False)
    clock.move(1.5)
    assert deadline.remaining() == 0.5
    clock.move(0.5)
    assert deadline.passed
