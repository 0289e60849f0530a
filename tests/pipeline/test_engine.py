"""The loop: judged, changed, judged again by all, released only if clean."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_samples import (
    BLOCKED,
    JUDGE,
    UNAVAILABLE,
    budget_of,
    held,
    hides,
    pattern,
    plan_of,
    quoting,
    rule,
    saying,
    text_of,
    use,
)

from guardrails.constitution.model import Budget
from guardrails.critic.limits import BudgetHandle
from guardrails.critic.protocol import Critique, CritiqueRequest
from guardrails.errors import BudgetExceeded, CriticOutage
from guardrails.exchange import Part
from guardrails.guard.content import Parts
from guardrails.pipeline import engine
from guardrails.pipeline.engine import MOST_ROUNDS, Outcome
from guardrails.pipeline.remedy import apply_edits, remedy_edits
from guardrails.testing import breaching, passing, scripted_critic
from guardrails.verdict import Stage, Usage, Verdict

SECRET = rule("secret.rule", pattern("secret"), action="redact")
PROMISE = rule("promise.rule", pattern("promise"), action="revise", replace_with="Ask us.")
FORBIDDEN = rule("forbidden.rule", pattern("forbidden"))
ODD = rule("odd.rule", pattern("oddly"), action="flag")


def attempts(outcome: Outcome) -> list[tuple[str, str, bool]]:
    return [(a.method, str(a.verdict), a.released) for a in outcome.attempts]


def is_reply(outcome: Outcome, key: str = "blocked", text: str = BLOCKED) -> bool:
    return outcome.reply is not None and (outcome.reply.key, outcome.reply.text) == (key, text)


async def test_what_is_clean_goes_on_untouched_after_one_look() -> None:
    judge = scripted_critic(passing)
    outcome = await held(plan_of(SECRET, rule(), critics=[judge]), "good day")
    assert (outcome.verdict, outcome.cause, outcome.reply) == (Verdict.ALLOW, None, None)
    assert text_of(outcome) == "good day"
    assert (outcome.findings, outcome.attempts, len(judge.asked)) == ((), (), 1)


async def test_what_is_flagged_goes_on_untouched() -> None:
    outcome = await held(plan_of(ODD), "oddly good")
    assert (outcome.verdict, outcome.cause) == (Verdict.FLAG, "policy")
    assert text_of(outcome) == "oddly good"
    assert outcome.attempts == ()


@pytest.mark.parametrize(
    ("text", "verdict", "after", "method"),
    [
        ("Keep the secret word.", "redact", "Keep the  word.", "redaction"),
        ("Hello. I promise it. Bye.", "revise", "Hello. Ask us. Bye.", "remedy"),
        ("A secret. I promise it. Bye.", "revise", "A . Ask us. Bye.", "remedy"),
        ("Oddly secret.", "redact", "Oddly .", "redaction"),
    ],
)
async def test_promise_6_a_changed_text_is_judged_again_and_released(
    text: str, verdict: str, after: str, method: str
) -> None:
    judge = scripted_critic(passing)
    plan = plan_of(SECRET, PROMISE, ODD, rule(), critics=[judge])
    outcome = await held(plan, text)
    assert (str(outcome.verdict), outcome.cause, outcome.reply) == (verdict, "policy", None)
    assert text_of(outcome) == after
    again = "flag" if "Oddly" in text else "allow"
    assert attempts(outcome) == [(method, again, True)]
    assert [request.targets[0].text for request in judge.asked] == [text, after]


async def test_promise_6_all_principles_judge_the_changed_text() -> None:
    judge = scripted_critic(passing)
    plan = plan_of(rule("a.rule"), SECRET, rule("b.rule"), critics=[judge])
    await held(plan, "a secret word")
    assert [request.asked for request in judge.asked] == [("a.rule", "b.rule")] * 2


@pytest.mark.parametrize(
    ("answer", "verdict", "cause", "reply"),
    [
        (breaching("a.rule"), "block", "policy", "blocked"),
        (saying("undecided"), "block", "undecided", "blocked"),
        (CriticOutage("away"), "escalate", "outage", "unavailable"),
        (BudgetExceeded("max_calls", 1, 2), "block", "limit", "unavailable"),
    ],
    ids=["breach", "undecided", "outage", "limit"],
)
async def test_promise_6_a_change_that_is_not_clean_is_not_released(
    answer: Any, verdict: str, cause: str, reply: str
) -> None:
    judge = scripted_critic([passing, answer])
    plan = plan_of(rule(on_outage="escalate"), SECRET, critics=[judge])
    outcome = await held(plan, "a secret word")
    assert (str(outcome.verdict), outcome.cause) == (verdict, cause)
    assert outcome.reply is not None
    assert outcome.reply.key == reply
    assert attempts(outcome) == [("redaction", verdict, False)]
    later = [f for f in outcome.findings if f.principle != "secret.rule"]
    assert later
    assert all((f.part, f.span) == (None, None) for f in later), "no place in the original"


async def test_promise_6_a_change_that_is_only_flagged_is_released() -> None:
    judge = scripted_critic([passing, saying("undecided")])
    plan = plan_of(rule(on_undecided="flag"), SECRET, critics=[judge])
    outcome = await held(plan, "a secret word")
    assert (outcome.verdict, outcome.cause) == (Verdict.REDACT, "policy")
    assert text_of(outcome) == "a  word"
    assert [f.principle for f in outcome.findings] == ["secret.rule", "a.rule"]


async def test_a_breach_that_only_the_first_edit_shows_is_mended_too() -> None:
    text = "Well: forsecretbidden words. I said so."
    plan = plan_of(
        SECRET, rule("b.rule", pattern("forbidden"), action="revise", replace_with="No.")
    )
    outcome = await held(plan, text)
    assert text_of(outcome) == "No. I said so."
    assert outcome.verdict is Verdict.REVISE
    assert attempts(outcome) == [("redaction", "revise", False), ("remedy", "allow", True)]
    (later,) = (f for f in outcome.findings if f.principle == "b.rule")
    assert later.span is not None
    assert text[slice(*later.span)] == "forsecretbidden"


async def test_a_breach_that_only_the_first_edit_shows_may_block() -> None:
    outcome = await held(plan_of(SECRET, FORBIDDEN), "these forsecretbidden words")
    assert is_reply(outcome)
    assert (outcome.verdict, outcome.cause) == (Verdict.BLOCK, "policy")
    assert attempts(outcome) == [("redaction", "block", False)]


@pytest.mark.parametrize("depth", range(1, MOST_ROUNDS + 2))
async def test_a_text_is_mended_a_bounded_number_of_times(depth: int) -> None:
    plan = plan_of(rule("ab.rule", pattern("ab"), action="redact"))
    outcome = await held(plan, "ok " + "a" * depth + "b" * depth)
    assert len(outcome.attempts) == min(depth, MOST_ROUNDS)
    if depth <= MOST_ROUNDS:
        assert (outcome.verdict, text_of(outcome)) == (Verdict.REDACT, "ok ")
    else:
        assert (outcome.verdict, outcome.cause, is_reply(outcome)) == (
            Verdict.BLOCK,
            "policy",
            True,
        )


async def test_an_edit_that_changes_nothing_is_not_tried_for_ever() -> None:
    judge = scripted_critic(breaching("a.rule"))
    plan = plan_of(rule(action="revise", append="See a doctor."), critics=[judge])
    outcome = await held(plan, "Rest.")
    assert outcome.verdict is Verdict.BLOCK
    assert is_reply(outcome)
    assert len(judge.asked) == 2


@pytest.mark.parametrize("remedy", [{"replace_with": "I promise a lot."}, {"append": "I promise."}])
async def test_a_remedy_that_itself_breaches_is_not_released(remedy: dict[str, str]) -> None:
    judge = scripted_critic(breaching("a.rule"))
    plan = plan_of(rule(action="revise", **remedy), critics=[judge])
    outcome = await held(plan, "Rest well.")
    assert (outcome.verdict, outcome.cause) == (Verdict.BLOCK, "policy")
    assert is_reply(outcome)


async def test_what_has_no_remedy_gets_the_reply() -> None:
    plan = plan_of(rule("a.rule", pattern("promise"), action="revise"))
    outcome = await held(plan, "I promise.")
    assert (outcome.verdict, outcome.cause, outcome.attempts) == (Verdict.BLOCK, "policy", ())
    assert is_reply(outcome)


@pytest.mark.parametrize(
    "text", ["secret", " secret\n", "secret\u200bsecret"], ids=["all", "but blanks", "but nothing"]
)
async def test_a_reply_of_which_nothing_is_left_is_replaced(text: str) -> None:
    outcome = await held(plan_of(SECRET), text)
    assert outcome.verdict is Verdict.BLOCK
    assert is_reply(outcome)


async def test_a_document_of_which_nothing_is_left_is_withheld() -> None:
    judge = scripted_critic([saying("breach"), lambda request: passing(request)], name="judge")
    plan = plan_of(rule(action="redact", stages=(Stage.RETRIEVAL,)), critics=[judge])
    outcome = await held(plan, ["one", "two"], stage=Stage.RETRIEVAL)
    assert outcome.verdict is Verdict.REDACT
    assert outcome.content is not None
    assert outcome.content.value == ["", ""]


async def test_promise_6_input_is_redacted_and_never_revised() -> None:
    stages = (Stage.INPUT,)
    plan = plan_of(
        replace(SECRET, stages=stages, actions={Stage.INPUT: "redact"}),
        hides("CREDIT_CARD", "mask", Stage.INPUT),
    )
    outcome = await held(plan, "my secret is it", stage=Stage.INPUT)
    assert text_of(outcome) == "my  is it"
    assert {edit.kind for attempt in outcome.attempts for edit in attempt.edits} == {"redact"}


async def test_findings_and_edits_count_what_came_before() -> None:
    outcome = await held(plan_of(SECRET), "a secret word", prompt=["one", "two secret"])
    assert [(f.part, f.span) for f in outcome.findings] == [(2, (2, 8))]
    assert outcome.attempts[0].edits[0].part == 2
    assert text_of(outcome) == "a  word"


async def test_each_part_is_mended_where_it_stands() -> None:
    parts = [
        Part(text="a secret", role="assistant"),
        Part(text="the secret is context", role="user", target=False),
        Part(text="I promise. Bye.", role="assistant"),
    ]
    outcome = await held(plan_of(SECRET, PROMISE), parts)
    assert isinstance(outcome.content, Parts)
    assert [part.text for part in outcome.content.value] == [
        "a ",
        "the secret is context",
        "Ask us. Bye.",
    ]


async def test_content_that_cannot_hold_the_change_gets_the_reply() -> None:
    outcome = await held(plan_of(SECRET), {"a": {"one secret"}})  # a set
    assert outcome.verdict is Verdict.BLOCK
    assert is_reply(outcome)
    assert outcome.attempts == ()


class TestLimits:
    @pytest.mark.parametrize("doubt", ["flag", "escalate"])
    @pytest.mark.parametrize("length", [10, 11])
    async def test_promise_10_a_text_that_is_too_long_is_refused_and_not_looked_at(
        self, length: int, doubt: str
    ) -> None:
        judge = scripted_critic(passing)
        plan = plan_of(
            rule(action="flag", on_undecided=doubt, on_outage=doubt),
            critics=[judge],
            budget=Budget(max_chars=10),
        )
        outcome = await held(plan, "a" * length)
        if length == 10:
            assert outcome.verdict is Verdict.ALLOW
        else:
            assert (outcome.verdict, outcome.cause) == (Verdict.BLOCK, "limit")
            assert [f.principle for f in outcome.findings] == ["budget.max_chars"]
            assert is_reply(outcome, "unavailable", UNAVAILABLE)
            assert judge.asked == []

    async def test_promise_10_the_stages_of_a_call_share_its_characters(self) -> None:
        plan = plan_of(SECRET, budget=Budget(max_chars=10))
        budget = budget_of(plan)
        first = await held(plan, "123456", budget=budget)
        second = await held(plan, "12345", budget=budget, prompt="123456")
        assert (str(first.verdict), str(second.verdict)) == ("allow", "block")
        assert second.cause == "limit"

    async def test_promise_10_no_more_context_is_read_than_may_be_judged(self) -> None:
        plan = plan_of(SECRET, budget=Budget(max_chars=10))
        assert (await held(plan, "12345", prompt="1234567890")).verdict is Verdict.ALLOW
        assert (await held(plan, "12345", prompt="12345678901")).cause == "limit"

    async def test_promise_10_many_pieces_are_counted_together(self) -> None:
        plan = plan_of(SECRET, budget=Budget(max_chars=10))
        assert (await held(plan, ["123456", "12345"])).cause == "limit"


async def test_the_usage_of_every_look_is_added_up() -> None:
    usage = Usage(calls=1, input_tokens=10, output_tokens=2, cost_usd=0.5)
    judge = scripted_critic(saying("pass", usage=usage))
    outcome = await held(plan_of(rule(), SECRET, critics=[judge]), "a secret word")
    assert (outcome.usage.calls, outcome.usage.input_tokens, outcome.usage.cost_usd) == (2, 20, 1.0)
    assert outcome.usage.latency_ms > 0


async def test_an_unknown_price_is_not_told_as_none() -> None:
    answers = [saying("pass", usage=Usage(cost_usd=None)), saying("pass", usage=Usage(cost_usd=1))]
    outcome = await held(
        plan_of(rule(), SECRET, critics=[scripted_critic(answers)]), "a secret word"
    )
    assert outcome.usage.cost_usd is None


async def test_promise_7_a_pattern_works_beside_a_dead_judge() -> None:
    judge = scripted_critic(CriticOutage("away"))
    plan = plan_of(
        FORBIDDEN,
        SECRET,
        rule("a.rule", pattern("never"), use(judge), on_outage="flag"),
        critics=[judge],
    )
    assert is_reply(await held(plan, "forbidden"))
    assert text_of(await held(plan, "a secret word")) == "a  word"
    outcome = await held(plan, "good day")
    assert (outcome.verdict, outcome.cause, text_of(outcome)) == (
        Verdict.FLAG,
        "outage",
        "good day",
    )


async def test_promise_7_a_pattern_works_without_a_model() -> None:
    plan = plan_of(FORBIDDEN, SECRET, rule("a.rule", pattern("never"), JUDGE), offline=True)
    assert is_reply(await held(plan, "forbidden"))
    assert text_of(await held(plan, "a secret word")) == "a  word"
    assert (await held(plan, "never")).verdict is Verdict.BLOCK


LOOP = plan_of(
    rule("x.rule", pattern("x+"), action="redact"),
    rule("ab.rule", pattern("ab"), action="redact"),
    rule("cd.rule", pattern("cd"), action="revise", replace_with="Ey."),
    rule("ef.rule", pattern("ef"), action="flag"),
)
texts = st.lists(
    st.sampled_from(
        ["a", "b", "c", "d", "x", "ef", " ", ". ", "\n", "\u200b", "ｘ", "ﬁ", "e\u0301"]
    ),
    max_size=14,
).map("".join)


@given(texts)
async def test_edits_compose_over_the_original(text: str) -> None:
    """However often it is changed, the result is the original with the last attempt's edits."""
    outcome = await held(LOOP, text)
    for finding in outcome.findings:
        if finding.span is not None:
            assert 0 <= finding.span[0] <= finding.span[1] <= len(text)
    for earlier, later in zip(outcome.attempts, outcome.attempts[1:], strict=False):
        for edit in earlier.edits:
            assert any(
                new.span[0] <= edit.span[0] and edit.span[1] <= new.span[1] for new in later.edits
            )
    if outcome.verdict.delivers:
        after = text_of(outcome)
        assert (after == text) == (not outcome.attempts)
        if outcome.attempts:
            edits = outcome.attempts[-1].edits
            assert after == apply_edits([Part(text=text)], edits)[0]
        assert (await held(LOOP, after)).verdict <= Verdict.FLAG
    else:
        assert is_reply(outcome)


@given(texts)
async def test_a_judge_who_quotes_and_a_pattern_lead_to_one_result(text: str) -> None:
    def answer(request: CritiqueRequest) -> Critique:
        return quoting("ab")(request)

    judged = plan_of(rule("ab.rule", action="redact"), critics=[scripted_critic(answer)])
    scanned = plan_of(rule("ab.rule", pattern("ab"), action="redact"))
    if text.count("ab") > 1:
        return  # this judge quotes one at a time
    one, other = await held(judged, text), await held(scanned, text)
    assert (one.verdict, [f.span for f in one.findings]) == (
        other.verdict,
        [f.span for f in other.findings],
    )


# -- much to mend --------------------------------------------------------------------------------


async def test_much_is_mended_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[bool] = []

    def noted(*arguments: Any) -> Any:
        where.append(threading.current_thread() is threading.main_thread())
        return remedy_edits(*arguments)

    monkeypatch.setattr(engine, "remedy_edits", noted)
    plan = plan_of(rule("a.rule", pattern("bad"), action="revise", replace_with="Ask."))
    for text in ("It is bad.", "It is bad. " * 200, "It is bad." + "x" * 20_000):
        outcome = await held(plan, text)
        assert (outcome.verdict, outcome.reply) == (Verdict.REVISE, None)
        assert "bad" not in text_of(outcome)
    assert where == [True, False, False]


async def test_what_the_changed_text_breaches_is_told_of_the_original_in_every_part() -> None:
    plan = plan_of(
        rule("a.rule", pattern("bad"), action="redact"),
        rule("b.rule", pattern("wo  rse"), action="redact"),
    )
    outcome = await held(plan, ["wo bad rse", "fine", "a wo bad rse b"])
    assert outcome.reply is None
    assert [(f.principle, f.part, f.span) for f in outcome.findings] == [
        ("a.rule", 0, (3, 6)),
        ("a.rule", 2, (5, 8)),
        ("b.rule", 0, (0, 10)),
        ("b.rule", 2, (2, 12)),
    ]


async def test_no_round_begins_when_the_time_is_over() -> None:
    now = [0.0]

    def slow(request: CritiqueRequest) -> Critique:
        now[0] += 100
        return quoting("bad")(request)

    principle = rule("a.rule", action="revise", replace_with="Ask.")
    plan = plan_of(principle, critics=[scripted_critic(slow)])
    budget = BudgetHandle(
        deadline_s=60, max_chars=1_000, max_calls=9, max_tokens=9_000, clock=lambda: now[0]
    )
    outcome = await held(plan, "It is bad.", budget=budget)
    assert (outcome.verdict, outcome.cause) == (Verdict.BLOCK, "limit")
    assert outcome.attempts == ()
    assert [f.principle for f in outcome.findings] == ["a.rule", "budget.deadline_s"]
