"""What is asked of whom: tiers, looks, what nobody covers, what no longer matters."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_samples import (
    JUDGE,
    JUDGE_AFTER_LOOK,
    finding,
    held,
    pattern,
    plan_of,
    quoting,
    rule,
    saying,
    use,
)

from guardrails.exchange import Context, Part
from guardrails.pipeline.engine import Outcome
from guardrails.testing import breaching, passing, scripted_critic
from guardrails.verdict import Stage, Verdict

SCREEN: Any = scripted_critic(passing, name="screen", tier="local")


def screen(answer: Any) -> Any:
    return scripted_critic(answer, name="screen", tier="local")


def told(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(f.principle, f.value, f.cause) for f in outcome.findings]


class TestTiers:
    """A tier settles what it can; only what is open goes on."""

    @pytest.mark.parametrize("action", ["flag", "redact", "revise", "block", "escalate"])
    async def test_the_judge_is_not_asked_what_a_pattern_settled(self, action: str) -> None:
        judge = scripted_critic(passing)
        plan = plan_of(rule("a.rule", pattern("bad"), use(judge), action=action), critics=[judge])
        outcome = await held(plan, "a bad day")
        assert str(outcome.verdict) == ("block" if action == "revise" else action)
        assert all(not request.asked for request in judge.asked if "bad" in request.parts[-1].text)

    async def test_the_judge_is_not_asked_what_a_screen_passed(self) -> None:
        judge = scripted_critic(passing)
        plan = plan_of(rule("a.rule", use(SCREEN), use(judge)), critics=[SCREEN, judge])
        assert (await held(plan, "good day")).verdict is Verdict.ALLOW
        assert judge.asked == []

    async def test_the_judge_is_asked_all_that_is_open_at_once_in_declared_order(self) -> None:
        judge = scripted_critic(passing)
        plan = plan_of(
            rule("z.rule"),
            rule("b.rule", pattern("odd"), JUDGE, action="flag"),
            rule("a.rule"),
            critics=[judge],
        )
        await held(plan, "an odd day")
        assert [request.asked for request in judge.asked] == [("z.rule", "a.rule")]

    async def test_the_judge_sees_the_prompt_as_context(self) -> None:
        judge = scripted_critic(passing)
        await held(plan_of(rule(), critics=[judge]), "good day", prompt="hello")
        (request,) = judge.asked
        assert [(p.text, p.role, p.target) for p in request.parts] == [
            ("hello", "user", False),
            ("good day", "assistant", True),
        ]
        assert [target.part for target in request.targets] == [1]

    @pytest.mark.parametrize("doubt", ["block", "escalate"])
    async def test_a_block_ends_what_no_longer_matters(self, doubt: str) -> None:
        judge = scripted_critic(passing)
        plan = plan_of(
            rule("a.rule", pattern("bad")), rule("b.rule", on_undecided=doubt), critics=[judge]
        )
        outcome = await held(plan, "a bad day")
        assert outcome.verdict is Verdict.BLOCK
        assert len(judge.asked) == (doubt == "escalate"), "asked only if it could be graver"
        assert told(outcome) == [("a.rule", "breach", "policy")]

    async def test_a_redaction_ends_nothing(self) -> None:
        judge = scripted_critic(breaching("b.rule"))
        plan = plan_of(
            rule("a.rule", pattern("bad"), action="redact"), rule("b.rule"), critics=[judge]
        )
        assert (await held(plan, "a bad day")).verdict is Verdict.BLOCK

    async def test_a_principle_of_another_caller_is_not_asked(self) -> None:
        judge = scripted_critic(passing)
        plan = plan_of(
            rule("a.rule", applies={"audience": ("patient",)}),
            rule("b.rule", pattern("bad"), applies={"audience": ("doctor",)}),
            critics=[judge],
        )
        for said, asked, verdict in [
            ({"audience": "patient"}, ["a.rule"], "allow"),
            ({"audience": "doctor"}, [], "block"),
            ({"audience": ["nurse", "patient"]}, ["a.rule"], "allow"),
            ({"audience": "nurse"}, [], "allow"),
            ({"ward": "7"}, [], "block"),  # an attribute that is not said is a match
        ]:
            judge.asked.clear()
            outcome = await held(plan, "a bad day", context=Context(attributes=said))
            assert str(outcome.verdict) == verdict, said
            assert [id for request in judge.asked for id in request.asked] == asked, said

    async def test_models_are_told_by_critic(self) -> None:
        judge = scripted_critic(saying("pass", model="small-1"))
        outcome = await held(plan_of(rule(), critics=[judge]), "good day")
        assert outcome.models == {"judge": "small-1"}


class TestLook:
    """A look makes the judge look; it accuses nobody."""

    async def test_without_a_look_the_judge_who_waits_for_one_is_not_asked(self) -> None:
        judge = scripted_critic(breaching("a.rule"))
        plan = plan_of(rule("a.rule", pattern(look=["dose"]), JUDGE_AFTER_LOOK), critics=[judge])
        assert (await held(plan, "good day")).verdict is Verdict.ALLOW
        assert judge.asked == []
        assert (await held(plan, "a dose")).verdict is Verdict.BLOCK
        assert len(judge.asked) == 1

    async def test_the_judges_pass_answers_a_look(self) -> None:
        plan = plan_of(
            rule("a.rule", pattern(look=["dose"]), JUDGE), critics=[scripted_critic(passing)]
        )
        outcome = await held(plan, "a dose")
        assert (outcome.verdict, outcome.findings) == (Verdict.ALLOW, ())

    @pytest.mark.parametrize("judge", [JUDGE, JUDGE_AFTER_LOOK], ids=["open", "look"])
    @pytest.mark.parametrize("answer", [passing, saying("undecided")], ids=["pass", "undecided"])
    async def test_a_look_that_no_judge_answers_flags_offline(
        self, judge: Any, answer: Any
    ) -> None:
        local = screen(answer)
        plan = plan_of(
            rule("a.rule", pattern(look=["dose"]), use(local), judge, on_undecided="flag"),
            critics=[local],
            offline=True,
        )
        outcome = await held(plan, "a dose")
        assert (outcome.verdict, outcome.cause) == (Verdict.FLAG, "undecided")
        assert ("a.rule", "look", "look") in told(outcome)

    async def test_a_look_keeps_the_screen_from_passing(self) -> None:
        judge = scripted_critic(breaching("a.rule"))
        plan = plan_of(
            rule("a.rule", pattern(look=["dose"]), use(SCREEN), JUDGE), critics=[SCREEN, judge]
        )
        assert (await held(plan, "good day")).verdict is Verdict.ALLOW
        assert (await held(plan, "a dose")).verdict is Verdict.BLOCK

    async def test_the_screens_own_look_makes_the_judge_look(self) -> None:
        local, judge = screen(finding("look")), scripted_critic(breaching("a.rule"))
        plan = plan_of(rule("a.rule", use(local), JUDGE_AFTER_LOOK), critics=[local, judge])
        assert (await held(plan, "good day")).verdict is Verdict.BLOCK

    @pytest.mark.parametrize("turned", [False, True], ids=["first", "second"])
    async def test_one_local_critics_look_outweighs_anothers_pass(self, turned: bool) -> None:
        fine = scripted_critic(passing, name="fine", tier="local")
        looks = scripted_critic(finding("look"), name="looks", tier="local")
        both = [looks, fine] if turned else [fine, looks]
        judge = scripted_critic(breaching("a.rule"))
        plan = plan_of(rule("a.rule", *map(use, both), JUDGE), critics=[*both, judge])
        assert (await held(plan, "good day")).verdict is Verdict.BLOCK

    async def test_a_look_is_no_answer_of_the_last_one_asked(self) -> None:
        plan = plan_of(rule(), critics=[scripted_critic(finding("look"))])
        outcome = await held(plan, "good day")
        assert outcome.verdict is Verdict.BLOCK
        assert ("a.rule", "undecided", "silent") in told(outcome)


class TestUncovered:
    """What is open because nobody who could settle it is there."""

    @pytest.mark.parametrize(
        ("uncovered", "verdict", "cause"),
        [
            ("accept", "allow", None),
            ("block", "block", "undecided"),
            ("escalate", "escalate", "undecided"),
        ],
    )
    async def test_uncovered_is_what_the_principle_says(
        self, uncovered: str, verdict: str, cause: str | None
    ) -> None:
        plan = plan_of(rule(uncovered=uncovered), offline=True)
        outcome = await held(plan, "good day")
        assert (str(outcome.verdict), outcome.cause) == (verdict, cause)
        assert outcome.coverage.uncovered == ("a.rule",)

    async def test_what_a_pattern_or_the_screen_settled_is_covered(self) -> None:
        plan = plan_of(
            rule("a.rule", pattern("odd"), JUDGE, action="flag"),
            rule("b.rule", use(SCREEN), JUDGE),
            rule("c.rule", pattern("odd"), action="flag"),
            rule("d.rule", pattern("never"), JUDGE),
            critics=[SCREEN],
            offline=True,
        )
        assert (await held(plan, "an odd day")).coverage.uncovered == ("d.rule",)

    async def test_a_judge_that_waits_for_a_look_leaves_nothing_uncovered(self) -> None:
        plan = plan_of(rule("a.rule", pattern(look=["dose"]), JUDGE_AFTER_LOOK), offline=True)
        assert (await held(plan, "good day")).coverage.uncovered == ()
        assert (await held(plan, "a dose")).coverage.uncovered == ("a.rule",)

    async def test_a_screen_that_is_silent_before_an_absent_judge_leaves_it_uncovered(self) -> None:
        local = screen(saying("pass", looked=frozenset(), verdicts={}))
        plan = plan_of(rule("a.rule", use(local), JUDGE), critics=[local], offline=True)
        outcome = await held(plan, "good day")
        assert (outcome.verdict, outcome.coverage.uncovered) == (Verdict.ALLOW, ("a.rule",))

    @pytest.mark.parametrize("uncovered", ["block", "escalate"])
    async def test_a_breach_beside_it_makes_it_no_milder(self, uncovered: str) -> None:
        plan = plan_of(
            rule("a.rule", pattern("bad")), rule("b.rule", uncovered=uncovered), offline=True
        )
        for text in ("good day", "bad day"):
            assert str((await held(plan, text)).verdict) == uncovered


class TestUnreadable:
    """A part that no critic can read is undecided, by name."""

    @pytest.mark.parametrize("kind", ["image", "opaque"])
    @pytest.mark.parametrize("doubt", ["flag", "block", "escalate"])
    async def test_it_goes_by_the_principle_that_is_strictest_about_doubt(
        self, doubt: str, kind: Any
    ) -> None:
        plan = plan_of(
            rule("a.rule", pattern("bad"), on_undecided="flag"),
            rule("b.rule", pattern("bad"), on_undecided=doubt),
        )
        parts = [Part(text="", kind=kind, role="assistant"), Part(text="good", role="assistant")]
        outcome = await held(plan, parts)
        assert (str(outcome.verdict), outcome.cause) == (doubt, "undecided")
        assert outcome.coverage.unjudged_parts == (0,)
        assert outcome.findings[0].cause == "unjudged_part"
        assert outcome.findings[0].part == 0

    async def test_it_may_stand_in_the_context(self) -> None:
        plan = plan_of(rule("a.rule", pattern("bad")))
        before = [Part(text="", kind="image", target=False)]
        assert (await held(plan, "good", before=before)).verdict is Verdict.ALLOW

    async def test_where_there_are_no_rules_nothing_is_in_doubt(self) -> None:
        plan = plan_of(rule("a.rule", pattern("bad"), stages=(Stage.INPUT,)))
        parts = [Part(text="", kind="image", role="assistant")]
        assert (await held(plan, parts)).verdict is Verdict.ALLOW


TEXTS = [
    ("Say bad\u200b\u200bness now.", "badness"),
    ("Say ｂａｄｎｅｓｓ now.", "badness"),
    ("\ufeffSay b\u00ada\u200bdness now.", "badness"),
    ("Say badness now.", "badness"),
    ("ﬁrst badness", "first"),
    ("e\u0301te\u0301 badness", "été"),
]


class TestPlaces:
    """Findings point into the text as it came."""

    @pytest.mark.parametrize(("text", "quote"), TEXTS)
    async def test_a_quote_is_mapped_back_through_normalisation(
        self, text: str, quote: str
    ) -> None:
        judge = scripted_critic(quoting(quote))
        outcome = await held(plan_of(rule(), critics=[judge]), text)
        (found,) = outcome.findings
        assert found.span is not None
        start, end = found.span
        normal = plan_of(rule("a.rule", pattern(quote)))
        assert (await held(normal, text[start:end])).verdict is Verdict.BLOCK
        assert (await held(normal, text[:start] + "|" + text[end:])).verdict is Verdict.ALLOW

    async def test_a_part_is_counted_through_the_exchange(self) -> None:
        judge = scripted_critic(quoting("bad"))
        parts = [Part(text="good", role="assistant"), Part(text="so bad", role="assistant")]
        outcome = await held(plan_of(rule(), critics=[judge]), parts, prompt="bad or good?")
        assert [(f.part, f.span) for f in outcome.findings] == [(2, (3, 6))]
