"""The judge, from a text to a decision, with fake models that see only what they are sent."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from judge_samples import (
    AFTER_LOOK,
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
    settings,
    sheet,
)

from critics.judge.windows import OVERLAP, WINDOW
from guardrails.constitution.model import Budget, Judging
from guardrails.errors import SettingsError
from guardrails.exchange import Part
from guardrails.guard import Guard
from guardrails.testing import FakeProvider
from guardrails.testing.provider import Refusal, Reply, api_error, fault
from guardrails.verdict import Stage, Verdict

TEN = tuple(principle(f"house.rule-{n}") for n in range(10))
CASCADE = ("small", "large")


def by_model(**answers: Any) -> Any:
    """An answer by the name of the model that is asked."""

    def answer(request: Any) -> Any:
        chosen = answers[request.model]
        return chosen(request) if callable(chosen) else chosen

    return answer


def undecided(request: Any) -> Any:
    return rulings(sheet(request).ids, verdict="undecided")


# -- one question -----------------------------------------------------------------------------


async def test_all_open_principles_are_one_call() -> None:
    async with house(made=constitution(*TEN)) as here:
        decision = await here.guard.check_output("Good morning.")
        (seen,) = here.sheets
    assert decision.verdict is Verdict.ALLOW
    assert decision.usage.calls == 1
    assert list(seen.ids) == list(seen.told) == [p.id for p in TEN]


async def test_more_than_ten_are_fixed_groups_and_only_what_is_open_is_called() -> None:
    settled = [
        principle(f"house.word-{n}", critic("pattern", breach=["forbidden"]), JUDGE, action="flag")
        for n in range(12)
    ]
    made = constitution(*settled, *TEN)
    async with house(made=made) as here:
        await here.guard.check_output("Good morning.")
        first = here.sheets
        await here.guard.check_output("That is forbidden.")
        second = here.sheets[len(first) :]
    assert sorted(len(seen.told) for seen in first) == [2, 10, 10]
    assert {tuple(seen.told) for seen in second} < {tuple(seen.told) for seen in first}
    assert [id for seen in second for id in seen.ids] == [p.id for p in TEN]


async def test_a_judge_is_never_asked_what_a_cheaper_tier_settled() -> None:
    made = constitution(
        principle("house.word", critic("pattern", breach=["forbidden"]), JUDGE, action="flag"),
        principle("house.kind"),
    )
    async with house(made=made) as here:
        await here.guard.check_output("Good morning.")
        await here.guard.check_output("That is forbidden.")
        asked = [list(seen.ids) for seen in here.sheets]
        told = {tuple(seen.told) for seen in here.sheets}
    assert asked == [["house.word", "house.kind"], ["house.kind"]]
    assert told == {("house.word", "house.kind")}, "the prefix is the same nevertheless"


async def test_a_refusal_by_a_cheaper_tier_asks_no_judge() -> None:
    made = constitution(principle("house.word", critic("pattern", breach=["no"])), principle())
    async with house(made=made) as here:
        decision = await here.guard.check_output("no")
        assert not here.sheets
    assert decision.usage.calls == 0


async def test_a_judge_that_waits_for_a_look_is_asked_after_one_only() -> None:
    made = constitution(principle("house.odd", critic("pattern", look=["perhaps"]), AFTER_LOOK))
    async with house(made=made) as here:
        await here.guard.check_output("Good morning.")
        assert not here.sheets
        decision = await here.guard.check_output("Or perhaps not.")
        assert len(here.sheets) == 1
    assert decision.verdict is Verdict.ALLOW, "the judge's pass answers the look"


async def test_the_prefix_is_the_same_byte_for_byte_and_the_models_are_pinned() -> None:
    async with house(made=constitution(*TEN)) as here:
        for text in ("Good morning.", "Good night.", INSULT):
            decision = await here.guard.check_output(text, prompt=f"Say: {text}")
        assert len({request.system for request in here.provider.requests}) == 1
    assert decision.constitution.models == {"judge": "fake/small"}


# -- doubts and outages -----------------------------------------------------------------------


async def test_what_is_undecided_goes_to_the_next_role_in_reverse_order() -> None:
    def unsure(request: Any) -> Any:
        ids = sheet(request).ids
        return {"verdicts": [ruling(i, "undecided" if i[-1] in "27" else "pass") for i in ids]}

    made = constitution(*TEN, cascade=CASCADE)
    async with house(by_model(small=unsure, large=quoting()), made) as here:
        decision = await here.guard.check_output("Good morning.")
        first, second = here.sheets
    assert decision.verdict is Verdict.ALLOW
    assert list(second.ids) == ["house.rule-7", "house.rule-2"]
    assert list(second.told) == list(first.told)[::-1]
    assert decision.usage.calls == 2
    assert decision.constitution.models == {"judge": "fake/small, fake/large"}


@pytest.mark.parametrize("action", ["flag", "block", "escalate"])
@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (undecided, "unsure"),
        (Refusal(), "refused"),
        (Reply('{"verdicts": [', stop="max_tokens"), "malformed"),
        ("So be it.", "malformed"),
        (api_error(400), "refused"),
        (fault("never-answers"), "timeout"),
    ],
    ids=["undecided", "refusal", "cut off", "no json", "400", "never"],
)
async def test_the_last_doubt_goes_by_on_undecided(answer: Any, cause: str, action: str) -> None:
    made = constitution(
        principle(on_undecided=action, on_outage="flag" if action != "flag" else "block"),
        judging=Judging(cascade=CASCADE, timeout_s=0.15),
    )
    async with house(answer, made) as here:
        decision = await here.guard.check_output("Good morning.")
        models = [request.model for request in here.provider.requests]
    assert models == ["small", "large"], "each role is asked once"
    assert str(decision.verdict) == action
    assert (decision.cause, decision.findings[0].cause) == ("undecided", cause)


async def test_an_outage_is_told_as_one_and_asks_no_dearer_role() -> None:
    made = constitution(principle(on_outage="block", on_undecided="flag"), cascade=CASCADE)
    async with house(api_error(403), made) as here:
        decision = await here.guard.check_output("Good morning.")
        assert [request.model for request in here.provider.requests] == ["small"]
        (opened,) = here.trail.opened
    assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "outage")
    assert decision.text == "Later, please."
    assert not decision.breaches
    assert opened.cause == "outage"


async def test_who_stands_in_answers_for_a_role_that_is_away() -> None:
    answers = by_model(small=api_error(404), third=quoting())
    async with house(answers, fallbacks={"small": "other/third"}) as here:
        decision = await here.guard.check_output(INSULT)
    assert decision.breaches == ("house.kind",)
    assert decision.constitution.models == {"judge": "other/third"}


async def test_who_stands_in_mends_for_a_reviser_that_is_away() -> None:
    def away_to_mend(request: Any) -> Any:
        return api_error(404) if sheet(request).revises else quoting()(request)

    made = constitution(principle(action="revise"), max_attempts=1)
    answers = by_model(small=away_to_mend, third=quoting())
    async with house(answers, made, fallbacks={"small": "other/third"}) as here:
        decision = await here.guard.check_output(f"Well. {INSULT}")
    assert decision.verdict is Verdict.REVISE
    assert decision.text.strip() == "Well."
    assert decision.constitution.models == {"judge": "fake/small", "reviser": "other/third"}


async def test_what_passes_may_be_named_only_or_ruled_on() -> None:
    made = constitution(principle("a.one"), principle("a.two"), principle("a.three"))
    said = {"verdicts": [ruling("a.one")], "pass": ["a.two", "a.three"]}
    async with house(said, made) as here:
        assert (await here.guard.check_output("Good morning.")).verdict is Verdict.ALLOW
    for passed, open in (
        (["a.two"], {"a.three"}),
        (["a.one", "a.two", "a.three"], {"a.one"}),
        (["a.two", "a.two", "a.three"], {"a.two"}),
        (["a.two", "a.four"], {"a.one", "a.two", "a.three"}),
        ([7], {"a.one", "a.two", "a.three"}),
        ("a.two", {"a.one", "a.two", "a.three"}),
    ):
        async with house({"verdicts": [ruling("a.one")], "pass": passed}, made) as here:
            decision = await here.guard.check_output("Good morning.")
        assert {finding.principle for finding in decision.findings} == open


async def test_when_both_are_away_it_is_an_outage() -> None:
    async with house(api_error(404), fallbacks={"small": "other/third"}) as here:
        decision = await here.guard.check_output("Good morning.")
        assert len(here.provider.requests) == 2
    assert decision.cause == "outage"


# -- answers ----------------------------------------------------------------------------------


async def answered(verdicts: list[Any], text: str = INSULT, **more: Any) -> Any:
    """The findings by id when a judge of two principles says this."""
    made = constitution(principle("a.one", **more), principle("a.two", **more))
    async with house({"verdicts": verdicts}, made) as here:
        decision = await here.guard.check_output(text)
    return {f.principle: (f.value, f.cause, f.span) for f in decision.findings}


ONE, TWO = ruling("a.one"), ruling("a.two")
DOUBT = ("undecided", "malformed", None)


@pytest.mark.parametrize(
    ("verdicts", "found"),
    [
        ([ONE, TWO], {}),
        ([TWO, ONE], {}),
        ([ONE], {"a.two": DOUBT}),
        ([], {"a.one": DOUBT, "a.two": DOUBT}),
        ([ONE, TWO, TWO], {"a.two": DOUBT}),
        ([ONE, TWO, ruling("a.two", "breach", INSULT)], {"a.two": DOUBT}),
        ([ONE, TWO, ruling("a.three")], {"a.one": DOUBT, "a.two": DOUBT}),
        ([ONE, TWO, "pass"], {"a.one": DOUBT, "a.two": DOUBT}),
        ([ONE, TWO | {"verdict": "PASS"}], {"a.one": DOUBT, "a.two": DOUBT}),
        ([ONE, TWO | {"verdict": True}], {"a.one": DOUBT, "a.two": DOUBT}),
        ([ONE, TWO | {"quote": 7}], {"a.one": DOUBT, "a.two": DOUBT}),
    ],
)
async def test_an_answer_that_leaves_something_open_leaves_a_doubt(
    verdicts: list[Any], found: Any
) -> None:
    assert await answered(verdicts) == found


LONG = "a " * 50_000


@pytest.mark.parametrize(
    ("text", "quote", "span"),
    [
        (INSULT, INSULT, (0, 17)),
        (f"So, {INSULT}", "an idiot", (12, 20)),
        ("You are\n  an\tidiot.", "are an idiot", (4, 18)),
        ("You are an idiot.", "are  an\nidiot", (4, 16)),
        (INSULT, "“an idiot”", (8, 16)),
        (INSULT, "'an idiot.' ", (8, 17)),
        ('He said "an idiot" twice.', '"an idiot"', (8, 18)),
        ("Du bist ein Ｉｄｉｏｔ.", "ein Idiot", (8, 17)),
        ("An id\u200biot.", "idiot", (3, 9)),
        ("See <<<END>>> there.", "<<<END>>>", (4, 13)),
        ("See <<<END>>> there.", "‹‹‹END›››", (4, 13)),
        (INSULT, "an Idiot", None),
        (INSULT, "You are mad.", None),
        (INSULT, "", None),
        (INSULT, " \n", None),
        (INSULT, "\"'", None),
        (f"{LONG}b", f"{'a ' * 900}c", None),
    ],
)
async def test_a_breach_stands_where_its_quote_does(text: str, quote: str, span: Any) -> None:
    started = time.process_time()
    found = await answered([ONE, ruling("a.two", "breach", quote)], text)
    assert found == {"a.two": DOUBT if span is None else ("breach", "policy", span)}
    assert time.process_time() - started < 5


async def test_an_answer_that_runs_on_and_on_settles_nothing() -> None:
    found = await answered([ONE, ruling("a.two", "breach", LONG)], LONG)
    assert found == {"a.one": DOUBT, "a.two": DOUBT}


async def test_what_is_missing_has_no_quote_and_no_place() -> None:
    found = await answered([ONE, ruling("a.two", "breach", "")], "Take care.", requires=True)
    assert found == {"a.two": ("breach", "policy", None)}
    found = await answered([ONE, ruling("a.two", "breach", "no such")], "Take care.", requires=True)
    assert found == {"a.two": DOUBT}


# -- long texts -------------------------------------------------------------------------------


def filler(length: int) -> str:
    words = "The weather was fair and the road was long, so they walked on and said little. "
    return (words * (length // len(words) + 1))[:length]


def borders(length: int) -> list[int]:
    steps = range(WINDOW, length, WINDOW - OVERLAP)
    return [at + by for at in steps for by in (-len(INSULT) // 2, -1, 0, -OVERLAP, -OVERLAP - 9)]


@pytest.mark.parametrize("length", [4_000, 16_000, 64_000, 256_000])
async def test_a_breach_is_found_wherever_it_stands(length: int) -> None:
    text = filler(length)
    places = [0, length // 2, length - len(INSULT), *borders(length)]
    places = [at for at in dict.fromkeys(places) if 0 <= at <= length - len(INSULT)]
    async with house() as here:
        clean = await here.guard.check_output(text)
        found = []
        for at in places:
            decision = await here.guard.check_output(text[:at] + INSULT + text[at + len(INSULT) :])
            found += [finding.span for finding in decision.findings]
        longest = max(len(seen.judged) for seen in here.sheets)
    assert clean.verdict is Verdict.ALLOW
    assert clean.coverage.windows == -(-max(1, length - OVERLAP) // (WINDOW - OVERLAP))
    assert longest <= WINDOW
    assert found == [(at, at + len(INSULT)) for at in places]


async def test_a_breach_across_the_border_of_a_window_is_found_in_later_parts_too() -> None:
    """What does not fit beside other parts is not cut where nobody would see both halves."""
    for before in range(WINDOW - 250, WINDOW + 50, 7):
        parts = [
            Part(text=filler(before), role="assistant"),
            Part(text=filler(30) + INSULT + filler(3_000), role="assistant"),
        ]
        async with house() as here:
            decision = await here.guard.check(parts, stage="output")
        assert [(f.part, f.span) for f in decision.findings] == [(1, (30, 30 + len(INSULT)))], (
            before
        )


async def test_what_must_be_there_may_be_in_any_window() -> None:
    def there(request: Any) -> Any:
        seen = sheet(request)
        return rulings(seen.ids, verdict="pass" if "NOTICE" in seen.judged else "breach")

    text = filler(100_000)
    async with house(there, constitution(principle(requires=True))) as here:
        without = await here.guard.check_output(text)
        for at in (0, 50_000, 99_000):
            held = await here.guard.check_output(f"{text[:at]} NOTICE {text[at:]}")
            assert held.verdict is Verdict.ALLOW
    assert without.breaches == ("house.kind",)
    assert without.findings[0].span is None


async def test_many_small_parts_share_a_window_and_none_is_left_out() -> None:
    async with house() as here:
        decision = await here.guard.check_output({f"k{n}": f"v{n}." for n in range(1_000)})
        judged = "\n".join(seen.judged for seen in here.sheets)
    assert all(f"v{n}." in judged for n in range(1_000))
    assert len(here.sheets) < 10
    assert decision.verdict is Verdict.ALLOW


# -- context ----------------------------------------------------------------------------------


def turn(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


async def test_context_is_system_text_the_last_turn_and_the_newest_of_the_rest() -> None:
    long = "w " * 1_500
    turns = [turn("system", f"SYSTEM {long * 3}")]
    for n in range(10):
        turns += [turn("user", f"Q{n} {long}"), turn("assistant", f"A{n} {long}")]
    turns.append(turn("user", f"LAST {long * 4}"))
    async with house() as here:
        decision = await here.guard.check_output("Good morning.", prompt=turns)
        (seen,) = here.sheets
    shown = [piece.text.split()[0] for piece in seen.pieces if not piece.judged]
    assert shown == ["SYSTEM", "Q9", "A9", "LAST"]
    assert decision.coverage.left_out == 18
    assert seen.judged == "Good morning."


async def test_a_conversation_costs_its_new_turn_and_two_thousand_tokens_at_most() -> None:
    turns = []
    async with house() as here:
        for n in range(20):
            turns += [turn("user", f"{n} " + "question " * 100)]
            await here.guard.check_input(list(turns))
            turns += [turn("assistant", f"{n} " + "an answer " * 200)]
        sizes = [len(seen.context) for seen in here.sheets]
    assert max(sizes) <= 8_000


async def test_the_parts_of_one_turn_are_shown_together() -> None:
    content = [
        {"type": "text", "text": "FIRST " + "w " * 5_000},
        {"type": "text", "text": "SECOND"},
    ]
    async with house() as here:
        await here.guard.check_output("Good morning.", prompt=[turn("user", content)])  # type: ignore[arg-type]
        (seen,) = here.sheets
    assert [p.text.split()[0] for p in seen.pieces if not p.judged] == ["FIRST", "SECOND"]


# -- personal data ----------------------------------------------------------------------------

CANARY = "canary.quokka@example.com"


def pii(stage: Stage, action: str) -> Any:
    return principle(
        f"pii.{stage}.EMAIL_ADDRESS",
        critic("pii", entity="EMAIL_ADDRESS"),
        stages=(stage,),
        action=action,
        entity="EMAIL_ADDRESS",
    )


@pytest.mark.parametrize("action", ["mask", "redact", "pseudonymise"])
async def test_personal_data_that_is_hidden_reaches_no_model(action: str) -> None:
    kind = principle(action="revise", stages=(Stage.INPUT, Stage.OUTPUT))
    made = constitution(
        pii(Stage.INPUT, action),
        pii(Stage.OUTPUT, action),
        kind,
        cascade=CASCADE,
        max_attempts=2,
    )
    text = f"Write to {CANARY}. {INSULT} Or ask {CANARY}, {INSULT}"
    answers = by_model(small=quoting(f"{INSULT} Or ask"), large=undecided)
    async with house(answers, made) as here:
        for _ in range(2):
            await here.guard.check_output(text, prompt=f"I am {CANARY}.")
            await here.guard.check_input(text)
        bodies = [str(request.body) for request in here.provider.requests]
    assert any("TEXT" in body for body in bodies), "the reviser was asked, too"
    assert not [body for body in bodies if "quokka" in body]


async def test_quotes_for_the_reviser_hide_what_the_text_hides() -> None:
    made = constitution(pii(Stage.OUTPUT, "redact"), principle(action="revise"), max_attempts=1)

    def judge(request: Any) -> Any:
        seen = sheet(request)
        if seen.revises:
            return {"edits": [], "rewrite": "Good."}
        return rulings(seen.ids, verdict="breach", quote=seen.judged)

    async with house(judge, made) as here:
        decision = await here.guard.check_output(f"You idiot, mail {CANARY}.")
        bodies = [str(request.body) for request in here.provider.requests]
    assert not [body for body in bodies if "quokka" in body]
    assert decision.repair is not None
    assert "quokka" not in str(decision.repair.texts) + decision.repair.breaches[0].quote
    assert "quokka" not in repr(decision)


# -- budget and usage -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "limit"),
    [
        (Budget(max_calls=0), "max_calls"),
        (Budget(max_tokens=100), "max_tokens"),
        (Budget(max_cost_usd=0.000_1), "max_cost_usd"),
    ],
    ids=["calls", "tokens", "cost"],
)
async def test_what_does_not_fit_is_refused_before_it_is_asked(budget: Budget, limit: str) -> None:
    async with house(made=constitution(principle(on_undecided="flag"), budget=budget)) as here:
        decision = await here.guard.check_output("Good morning.")
        assert not here.sheets
    assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "limit")
    assert decision.findings[0].principle == f"budget.{limit}"
    assert decision.usage.calls == 0


async def test_a_second_role_that_does_not_fit_is_a_limit_and_the_first_is_paid_for() -> None:
    made = constitution(budget=Budget(max_calls=1), cascade=CASCADE)
    async with house(undecided, made) as here:
        decision = await here.guard.check_output("Good morning.")
        assert len(here.sheets) == 1
    assert decision.cause == "limit"
    assert decision.usage.calls == 1
    assert decision.usage.cost_usd


async def test_a_limited_cost_needs_a_known_price() -> None:
    made = constitution(budget=Budget(max_cost_usd=1.0))
    async with FakeProvider() as provider:
        with pytest.raises(SettingsError, match="fake/small"):
            Guard.load(made, settings=settings(provider, prices={}))
        free = {"input_per_million_usd": 0.0, "output_per_million_usd": 0.0}
        guard = Guard.load(made, settings=settings(provider, prices={"fake/small": free}))
        await guard.aclose()


async def test_an_unknown_price_is_an_unknown_cost() -> None:
    async with house(prices={}) as here:
        decision = await here.guard.check_output("Good morning.")
    assert decision.usage.cost_usd is None


@pytest.mark.parametrize("cascade", [("small",), CASCADE], ids=["one", "two"])
async def test_a_deadline_is_a_limit_and_nothing_outlives_it(cascade: tuple[str, ...]) -> None:
    made = constitution(principle(on_undecided="flag"), budget=Budget(deadline_s=0.3))
    async with house(fault("never-answers"), made) as here:
        started = time.perf_counter()
        decision = await here.guard.check_output("Good morning.")
        took = time.perf_counter() - started
    assert (decision.verdict, decision.cause) == (Verdict.BLOCK, "limit")
    assert took < 1.0
    assert decision.usage.calls == 1, "a call that was given up may be charged"


async def test_usage_counts_what_was_used_by_failed_calls_too() -> None:
    async with house("no json") as here:
        decision = await here.guard.check_output("Good morning.")
    usage = decision.usage
    assert usage.calls == 1
    assert usage.output_tokens
    rate = PRICES["input_per_million_usd"], PRICES["output_per_million_usd"]
    cost = (usage.input_tokens * rate[0] + usage.output_tokens * rate[1]) / 1e6
    assert usage.cost_usd == pytest.approx(cost)
    for failure in (api_error(400), api_error(404)):
        async with house(failure) as here:
            decision = await here.guard.check_output("Good morning.")
        assert (decision.usage.calls, decision.usage.cost_usd) == (1, 0.0)
    made = constitution(judging=Judging(timeout_s=0.1))
    async with house(fault("never-answers"), made) as here:
        decision = await here.guard.check_output("Good morning.")
    assert decision.usage.calls == 1
    assert decision.usage.cost_usd


async def test_a_caller_who_gives_up_leaves_nothing_running() -> None:
    before, asked = asyncio.all_tasks(), asyncio.Event()

    async def slowly(request: Any) -> Any:
        asked.set()
        await asyncio.sleep(0.2)
        return rulings(sheet(request).ids)

    async with house(slowly) as here:
        call = asyncio.create_task(here.guard.check_output("Good morning."))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(0.05)
        left = [t for t in asyncio.all_tasks() - before if "critics" in str(t) or "_ask" in str(t)]
    assert not left
