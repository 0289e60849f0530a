"""Where in the cascade an exchange starts, what is checked by a dearer role, and what is recorded:
from a text to a decision, with fake models that see only what they are sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from judge_samples import (
    INSULT,
    JUDGE,
    PRICES,
    constitution,
    critic,
    house,
    principle,
    quoting,
    ruling,
    rulings,
    sheet,
)

from guardrails.constitution.model import Budget, Judging, Reversals, Routing, StartRule
from guardrails.testing.provider import Refusal, api_error, fault
from guardrails.verdict import Handover, RoleUse, Verdict

CASCADE = ("small", "medium", "large")
TRIO = {
    "models": {role: f"fake/{role}" for role in CASCADE},
    "prices": {
        "fake/small": PRICES,
        "fake/medium": {"input_per_million_usd": 10, "output_per_million_usd": 50},
        "fake/large": {"input_per_million_usd": 100, "output_per_million_usd": 500},
    },
}
FINE = "Good morning to you all."


def routed(*principles: Any, cascade: Any = CASCADE, **routing: Any) -> Any:
    judging = Judging(cascade=cascade, timeout_s=5.0, routing=Routing(**routing))
    return constitution(*principles, judging=judging)


def by_model(**answers: Any) -> Any:
    def answer(request: Any) -> Any:
        chosen = answers.get(request.model, passing)
        return chosen(request) if callable(chosen) else chosen

    return answer


def passing(request: Any) -> Any:
    return rulings(sheet(request).ids)


def undecided(request: Any) -> Any:
    return rulings(sheet(request).ids, verdict="undecided")


def breaching(request: Any) -> Any:
    return rulings(sheet(request).ids, verdict="breach", quote="Good morning")


def asked(here: Any) -> list[str]:
    return [request.model for request in here.provider.requests]


def start_of(decision: Any) -> Any:
    (start,) = decision.usage.starts
    return start.role, start.why, start.rule, start.principle


def uses(decision: Any) -> dict[str, tuple[int, int, int, int, int, int]]:
    """Role → calls, asked, settled, deferred, checked, reversed."""
    return {
        use.role: (use.calls, use.asked, use.settled, use.deferred, use.checked, use.reversed)
        for use in decision.usage.roles
    }


def handed(decision: Any) -> list[tuple[str, str, str, str, int]]:
    return [(h.principle, h.role, h.to, h.outcome, h.times) for h in decision.usage.handovers]


# -- where it starts --------------------------------------------------------------------------

GRAVE = principle("house.grave", severity="critical")
KIND = principle("house.kind")
ODD = principle("house.odd", critic("pattern", look=["perhaps"]), JUDGE)
RULES = (
    StartRule(role="large", severity="critical"),
    StartRule(role="medium", look=True),
    StartRule(role="medium", min_chars=500),
)


@pytest.mark.parametrize(
    ("principles", "text", "start"),
    [
        ((KIND, ODD), FINE, ("small", "first", None, None)),
        ((KIND, GRAVE), FINE, ("large", "rule", 1, "house.grave")),
        ((KIND, ODD), "Or perhaps not.", ("medium", "rule", 2, "house.odd")),
        ((KIND, ODD), FINE * 50, ("medium", "rule", 3, None)),
    ],
    ids=["no rule", "severity", "look", "length"],
)
async def test_the_first_rule_that_holds_says_where_an_exchange_starts(
    principles: Any, text: str, start: Any
) -> None:
    async with house(made=routed(*principles, start=RULES), **TRIO) as here:
        decision = await here.guard.check_output(text)
        (opened,) = here.trail.opened
        assert asked(here) == [start[0]], "one question, wherever it starts"
    assert decision.verdict is Verdict.ALLOW
    assert start_of(decision) == start_of(opened) == start


async def test_what_is_settled_moves_no_start() -> None:
    """A principle that a cheaper critic settled is not open any more."""
    grave = principle("house.grave", critic("pattern", breach=["fool"]), JUDGE, severity="critical",
                      action="flag")  # fmt: skip
    async with house(made=routed(KIND, grave, start=RULES), **TRIO) as here:
        await here.guard.check_output("What a fool.")
        await here.guard.check_output(FINE)
        assert asked(here) == ["small", "large"]


async def test_a_start_that_was_too_low_is_followed_by_the_dearer_roles() -> None:
    answers = by_model(small=undecided, medium=undecided)
    async with house(answers, routed(KIND), **TRIO) as here:
        decision = await here.guard.check_output(FINE)
        assert asked(here) == ["small", "medium", "large"]
    assert decision.verdict is Verdict.ALLOW
    assert handed(decision) == [
        ("house.kind", "small", "medium", "deferred", 1),
        ("house.kind", "medium", "large", "deferred", 1),
    ]
    assert uses(decision) == {
        "small": (1, 1, 0, 1, 0, 0),
        "medium": (1, 1, 0, 1, 0, 0),
        "large": (1, 1, 1, 0, 0, 0),
    }


async def test_a_dearer_start_goes_on_upwards_from_there_only() -> None:
    start = (StartRule(role="medium", min_chars=1),)
    async with house(by_model(medium=undecided), routed(KIND, start=start), **TRIO) as here:
        await here.guard.check_output(FINE)
        assert asked(here) == ["medium", "large"]


@pytest.mark.parametrize("fallback", [True, False], ids=["stood in for", "nobody stands in"])
async def test_a_dearer_start_that_is_away_is_an_outage_like_any_other(fallback: bool) -> None:
    """Who stands in for the role is asked. A cheaper role is not: an outage chooses no judge."""
    more = {**TRIO, "fallbacks": {"large": "other/third"} if fallback else {}}
    made = routed(principle("house.grave", severity="critical"), start=RULES)
    async with house(by_model(large=api_error(403)), made, **more) as here:
        decision = await here.guard.check_output(FINE)
        assert asked(here) == ["large", "third"] if fallback else ["large"]
    assert decision.verdict is (Verdict.ALLOW if fallback else Verdict.BLOCK)
    assert decision.cause == (None if fallback else "outage")
    assert start_of(decision)[0] == "large"


async def test_a_router_that_fails_begins_at_the_first_role_and_is_recorded_so() -> None:
    """The loader refuses such a file; a constitution that is made in code is not loaded."""
    made = routed(KIND, cascade=("small", "large"), start=(StartRule(role="medium"),))
    async with house(quoting(), made) as here:
        decision = await here.guard.check_output(INSULT)
        assert asked(here) == ["small"]
    assert decision.breaches == ("house.kind",), "nothing goes unjudged"
    assert start_of(decision) == ("small", "failed", None, None)


# -- what is checked --------------------------------------------------------------------------


async def test_a_breach_counts_once_the_next_role_says_so_too() -> None:
    made = routed(KIND, confirm="breach")
    async with house(by_model(small=breaching, medium=breaching), made, **TRIO) as here:
        decision = await here.guard.check_output(FINE)
        assert asked(here) == ["small", "medium"], "one look is enough"
    assert decision.breaches == ("house.kind",)
    assert handed(decision) == [("house.kind", "small", "medium", "upheld", 1)]
    assert uses(decision) == {"small": (1, 1, 1, 0, 1, 0), "medium": (1, 1, 1, 0, 0, 0)}


async def test_a_breach_that_the_next_role_contradicts_is_none_and_a_reversal() -> None:
    async with house(by_model(small=breaching), routed(KIND, confirm="breach"), **TRIO) as here:
        decision = await here.guard.check_output(FINE)
        (opened,) = here.trail.opened
    assert decision.verdict is Verdict.ALLOW
    assert handed(decision) == handed(opened) == [("house.kind", "small", "medium", "reversed", 1)]
    assert uses(decision)["small"] == (1, 1, 1, 0, 1, 1)


async def test_a_breach_of_the_last_role_needs_nobody() -> None:
    made = routed(KIND, confirm="breach", start=(StartRule(role="large"),))
    async with house(by_model(large=breaching), made, **TRIO) as here:
        decision = await here.guard.check_output(FINE)
        assert asked(here) == ["large"]
    assert decision.breaches == ("house.kind",)


async def test_a_doubt_and_a_check_are_one_question_and_each_has_its_own_end() -> None:
    def small(request: Any) -> Any:
        return {"verdicts": [ruling("a.breach", "breach", "Good"), ruling("a.doubt", "undecided")]}

    def medium(request: Any) -> Any:
        return {"verdicts": [ruling("a.doubt", "breach", "Good"), ruling("a.breach", "undecided")]}

    made = routed(principle("a.breach"), principle("a.doubt"), confirm="breach")
    async with house(by_model(small=small, medium=medium), made, **TRIO) as here:
        decision = await here.guard.check_output(FINE)
        first, second, third = here.sheets
    assert list(second.ids) == ["a.doubt", "a.breach"]
    assert list(third.ids) == ["a.doubt"], "a doubt that became a breach is confirmed, too"
    assert decision.breaches == ("a.breach",), "who could not tell takes no breach back"
    assert handed(decision) == [
        ("a.doubt", "small", "medium", "deferred", 1),
        ("a.breach", "small", "medium", "unanswered", 1),
        ("a.doubt", "medium", "large", "reversed", 1),
    ]
    assert list(first.ids) == ["a.breach", "a.doubt"]


@pytest.mark.parametrize(
    "answer",
    [undecided, Refusal(), api_error(403), api_error(400), "So be it.", fault("never-answers")],
    ids=["undecided", "refusal", "403", "400", "no json", "never"],
)
async def test_a_check_that_is_not_answered_leaves_the_word_as_it_was(answer: Any) -> None:
    judging = Judging(
        cascade=CASCADE, timeout_s=0.3, routing=Routing(confirm="breach", audit_share=1.0)
    )

    def small(request: Any) -> Any:
        return {"verdicts": [ruling("a.bad", "breach", "Good"), ruling("a.good")]}

    made = constitution(principle("a.bad", action="flag"), principle("a.good"), judging=judging)
    async with house(by_model(small=small, medium=answer), made, **TRIO) as here:
        decision = await here.guard.check_output(FINE)
        assert asked(here) == ["small", "medium"]
    assert (decision.verdict, decision.cause) == (Verdict.FLAG, "policy")
    assert decision.breaches == ("a.bad",)
    assert {(id, outcome) for id, _, _, outcome, _ in handed(decision)} == {
        ("a.bad", "unanswered"),
        ("a.good", "unanswered"),
    }
    assert uses(decision)["small"][4:] == (0, 0)


@pytest.mark.parametrize("limits", [{"max_calls": 1}, {"max_cost_usd": 0.01}])
async def test_nothing_is_refused_for_the_sake_of_a_check(limits: Any) -> None:
    judging = Judging(cascade=CASCADE, routing=Routing(confirm="breach", audit_share=1.0))
    made = constitution(KIND, judging=judging, budget=Budget(**limits))
    for answer, verdict in ((passing, Verdict.ALLOW), (breaching, Verdict.BLOCK)):
        async with house(by_model(small=answer), made, **TRIO) as here:
            decision = await here.guard.check_output(FINE)
            assert asked(here) == ["small"]
        assert (decision.verdict, decision.cause == "limit") == (verdict, False)
        assert handed(decision) == [("house.kind", "small", "medium", "unanswered", 1)]


async def test_a_doubt_is_asked_about_where_there_is_no_room_for_the_check_beside_it() -> None:
    """Each group is a call; the check is in another one than the doubt."""

    def small(request: Any) -> Any:
        ids = sheet(request).ids
        doubt = {"house.rule-0": ruling("house.rule-0", "undecided")}
        breach = {"house.rule-10": ruling("house.rule-10", "breach", "Good")}
        return {"verdicts": [(doubt | breach).get(id) or ruling(id) for id in ids]}

    judging = Judging(cascade=CASCADE, routing=Routing(confirm="breach"))
    eleven = [principle(f"house.rule-{n}", action="flag") for n in range(11)]
    made = constitution(*eleven, judging=judging, budget=Budget(max_calls=3, max_tokens=10**6))
    async with house(by_model(small=small), made, **TRIO) as here:
        decision = await here.guard.check_output(FINE)
        assert asked(here) == ["small", "small", "medium"]
    assert (decision.verdict, decision.breaches) == (Verdict.FLAG, ("house.rule-10",))


async def test_a_check_takes_half_of_the_time_that_is_left_at_most() -> None:
    judging = Judging(cascade=CASCADE, timeout_s=60, routing=Routing(confirm="breach"))
    made = constitution(
        principle(action="flag"), judging=judging, budget=Budget(deadline_s=1.5, max_tokens=10**6)
    )
    answers = by_model(small=breaching, medium=fault("never-answers"))
    async with house(answers, made, **TRIO) as here:
        decision = await here.guard.check_output(FINE)
    assert (decision.verdict, decision.cause) == (Verdict.FLAG, "policy")


async def test_an_audit_finds_what_a_cheaper_role_let_pass() -> None:
    made = routed(KIND, audit_share=1.0)
    async with house(by_model(medium=breaching), made, **TRIO) as here:
        decision = await here.guard.check_output(FINE)
    assert decision.breaches == ("house.kind",)
    assert decision.findings[0].span == (0, 12)
    assert handed(decision) == [("house.kind", "small", "medium", "reversed", 1)]


async def test_an_audit_is_of_that_share_and_of_the_same_texts_each_time() -> None:
    texts = [f"Good morning, number {n}." for n in range(60)]
    seen: list[list[str]] = []
    for _ in range(2):
        async with house(passing, routed(KIND, audit_share=0.3), **TRIO) as here:
            for text in texts:
                await here.guard.check_output(text)
            checked = [s.judged for s in here.sheets if s.model == "medium"]
        seen.append(checked)
    assert seen[0] == seen[1]
    assert 8 <= len(seen[0]) <= 30


# -- past reversals ---------------------------------------------------------------------------


async def test_a_role_that_is_reversed_too_often_about_a_principle_is_passed_over() -> None:
    made = routed(
        KIND, confirm="breach", reversals=Reversals(share=0.5, samples=4), cascade=CASCADE
    )
    async with house(by_model(small=breaching), made, **TRIO) as here:
        starts = [start_of(await here.guard.check_output(f"{FINE} {n}")) for n in range(6)]
    assert starts[:4] == [("small", "first", None, None)] * 4
    assert starts[4:] == [("medium", "reversals", None, "house.kind")] * 2


async def test_a_role_that_is_upheld_stays() -> None:
    made = routed(KIND, confirm="breach", reversals=Reversals(share=0.5, samples=4))
    async with house(by_model(small=breaching, medium=breaching), made, **TRIO) as here:
        for n in range(6):
            decision = await here.guard.check_output(f"{FINE} {n}")
    assert start_of(decision) == ("small", "first", None, None)


# -- what is kept -----------------------------------------------------------------------------


@pytest.mark.parametrize("small", [breaching, passing])
@pytest.mark.parametrize("medium", [breaching, passing])
async def test_what_was_checked_is_the_same_when_it_is_remembered(small: Any, medium: Any) -> None:
    judging = Judging(cascade=CASCADE, routing=Routing(confirm="breach", audit_share=1.0))
    made = constitution(KIND, judging=judging, cache_ttl_s=60)
    async with house(by_model(small=small, medium=medium), made, **TRIO) as here:
        first = await here.guard.check_output(FINE)
        again = await here.guard.check_output(FINE)
        assert asked(here) == ["small", "medium"]
    assert (again.verdict, again.breaches) == (first.verdict, first.breaches)
    assert [f.span for f in again.findings] == [f.span for f in first.findings]
    assert (again.usage.calls, again.usage.roles, again.usage.handovers) == (0, (), ())
    (start,) = again.usage.starts
    assert (start.role, start.always_last_usd) == ("small", 0.0)


async def test_a_check_that_was_not_answered_is_asked_again() -> None:
    judging = Judging(cascade=CASCADE, routing=Routing(confirm="breach"))
    made = constitution(KIND, judging=judging, cache_ttl_s=60)
    answers = [undecided, passing]
    chosen = by_model(small=breaching, medium=lambda request: answers.pop(0)(request))
    async with house(chosen, made, **TRIO) as here:
        first = await here.guard.check_output(FINE)
        second = await here.guard.check_output(FINE)
        assert asked(here) == ["small", "medium", "medium"]
    assert (first.verdict, second.verdict) == (Verdict.BLOCK, Verdict.ALLOW)


async def test_who_asks_the_same_at_the_same_time_counts_nothing_twice() -> None:
    judging = Judging(
        cascade=CASCADE, routing=Routing(confirm="breach", reversals=Reversals(share=1, samples=2))
    )
    made = constitution(KIND, judging=judging, cache_ttl_s=60)
    async with house(by_model(small=breaching), made, **TRIO) as here:
        decisions = await asyncio.gather(*(here.guard.check_output(FINE) for _ in range(5)))
        assert sorted(asked(here)) == ["medium", "small"]
        later = await here.guard.check_output(f"{FINE} Again.")
    assert {decision.verdict for decision in decisions} == {Verdict.ALLOW}
    assert sum(h.times for d in decisions for h in d.usage.handovers) == 1
    assert sum(use.calls for d in decisions for use in d.usage.roles) == 2
    assert start_of(later)[1] == "first", "one reversal, not five"


# -- what it costs ----------------------------------------------------------------------------


async def test_the_record_tells_what_always_the_dearest_would_have_cost() -> None:
    async with house(by_model(small=undecided), routed(KIND), **TRIO) as here:
        decision = await here.guard.check_output(FINE)
        (opened,) = here.trail.opened
    small, medium = decision.usage.roles
    (start,) = decision.usage.starts
    assert (start.last_role, start.last_model) == ("large", "fake/large")
    assert small.cost_usd is not None
    assert medium.cost_usd is not None
    assert start.always_last_usd == pytest.approx(100 * small.cost_usd)
    assert decision.usage.cost_usd == pytest.approx(small.cost_usd + medium.cost_usd)
    assert small.input_tokens + medium.input_tokens == decision.usage.input_tokens
    assert opened.usage.starts[0].always_last_usd == start.always_last_usd


async def test_a_price_that_is_not_known_is_not_nothing() -> None:
    prices = {"fake/small": PRICES}
    async with house(by_model(small=undecided), routed(KIND), **TRIO | {"prices": prices}) as here:
        decision = await here.guard.check_output(FINE)
    small, medium = decision.usage.roles
    assert small.cost_usd
    assert medium.cost_usd is None
    assert decision.usage.cost_usd is None
    assert decision.usage.starts[0].always_last_usd is None


async def test_a_reply_that_is_mended_is_routed_anew_each_time_it_is_judged() -> None:
    made = routed(
        principle("house.kind", critic("pattern", look=["idiot"]), JUDGE, action="revise"),
        start=(StartRule(role="large", look=True),),
    )
    async with house(quoting(), made, **TRIO) as here:
        decision = await here.guard.check_output(f"Good day. {INSULT}")
        assert asked(here) == ["large", "small", "small"], "judged, mended, judged again"
    assert decision.verdict is Verdict.REVISE
    assert [(s.role, s.why, s.times) for s in decision.usage.starts] == [
        ("large", "rule", 1),
        ("small", "first", 1),
    ]
    assert [(use.role, use.calls) for use in decision.usage.roles] == [("large", 1), ("small", 1)]
    assert decision.usage.calls == 3, "mending is no judging, and no role's of the cascade"


async def test_what_is_recorded_holds_no_text() -> None:
    canary = "canary-9f2c"
    made = routed(KIND, confirm="breach", audit_share=1.0)

    def quoted(request: Any) -> Any:
        return rulings(sheet(request).ids, verdict="breach", quote=canary, reason=canary)

    async with house(by_model(small=quoted), made, **TRIO) as here:
        decision = await here.guard.check_output(f"A {canary}.", prompt=canary)
        (opened,) = here.trail.opened
    assert canary not in opened.model_dump_json()
    assert canary not in repr(decision.usage)
    assert decision.usage.handovers == (
        Handover(principle="house.kind", role="small", to="medium", outcome="reversed"),
    )
    assert isinstance(decision.usage.roles[0], RoleUse)


@pytest.mark.parametrize("size", [3, 40, 10_000])
async def test_how_a_stream_is_cut_changes_no_start_and_no_check(size: int) -> None:
    made = routed(
        principle("house.kind", critic("pattern", look=["perhaps"]), JUDGE, action="flag"),
        start=(StartRule(role="large", look=True), StartRule(role="medium", min_chars=900)),
        confirm="breach",
        audit_share=0.5,
    )
    text = "".join(f"{FINE} Number {n}. " for n in range(80)) + "Or perhaps not. " + FINE * 40

    async def pieces() -> Any:
        for at in range(0, len(text), size):
            yield text[at : at + size]

    async with house(passing, made, **TRIO) as here:
        stream = here.guard.stream(pieces())
        delivered = "".join([piece async for piece in stream])
        models = [(s.model, len(s.judged)) for s in here.sheets]
    assert delivered == text
    assert models == await as_a_whole(made, text)
    assert sum(start.times for start in stream.decision.usage.starts) >= 3


async def as_a_whole(made: Any, text: str) -> list[tuple[str, int]]:
    """What is asked if all of a reply comes at once, as a stream of one piece."""

    async def pieces() -> Any:
        yield text

    async with house(passing, made, **TRIO) as here:
        stream = here.guard.stream(pieces())
        _ = [piece async for piece in stream]
        return [(s.model, len(s.judged)) for s in here.sheets]
