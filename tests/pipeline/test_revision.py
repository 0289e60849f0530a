"""Mending a breach with a model: the least edit, checked, judged again, and what comes after it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from pipeline_samples import BLOCKED, budget_of, hides, pattern, plan_of, rule, text_of

from guardrails.constitution.model import Budget, Principle, Remedy
from guardrails.exchange import Context
from guardrails.guard.content import read_content, read_prompt
from guardrails.llm.protocol import Answer, ModelOutageError, Question, Tokens
from guardrails.pipeline.engine import Outcome, deliberate
from guardrails.pipeline.plan import Plan
from guardrails.pipeline.revision import Reviser
from guardrails.settings import Price
from guardrails.verdict import Stage, Usage, Verdict

PRICE = Price(input_per_million_usd=1.0, output_per_million_usd=5.0)
Said = Mapping[str, Any] | str | Exception | Callable[[Question], Any]


class Scripted:
    """A model that says what it is told to and keeps what it was asked."""

    name = "fake/reviser"

    def __init__(self, *answers: Said) -> None:
        self.answers, self.asked = list(answers), list[Question]()

    async def ask(self, question: Question, *, timeout_s: float) -> Answer:
        self.asked.append(question)
        said: Any = self.answers.pop(0)
        if callable(said):
            said = said(question)
        if isinstance(said, Exception):
            raise said
        if isinstance(said, Answer):
            return said
        text = said if isinstance(said, str) else json.dumps(said)
        return answer(text)

    async def aclose(self) -> None:
        await asyncio.sleep(0)


def answer(text: str, **more: Any) -> Answer:
    given = {"tokens": Tokens(input=100, output=10), "model": "reviser", "client": "fake/reviser"}
    return Answer(**{"text": text, "stop": "finished"} | given | more)


def replaced(find: str, text: str) -> dict[str, str]:
    return {"op": "replace", "find": find, "text": text}


def edits(*made: Mapping[str, str], rewrite: str = "") -> dict[str, Any]:
    return {"edits": list(made), "rewrite": rewrite}


def promising(id: str = "a.promise", word: str = "promise", **more: Any) -> Principle:
    return rule(id, pattern(word), action="revise", **more)


async def mended(
    text: object,
    *answers: Said,
    principles: Sequence[Principle] = (),
    attempts: int = 1,
    prompt: object = None,
    model: Scripted | None = None,
    **changes: Any,
) -> tuple[Outcome, Scripted]:
    """What comes of a text when a model that says this is the reviser."""
    chosen = tuple(principles) or (promising(),)
    plan = plan_of(*chosen, offline=True, max_attempts=attempts, **changes)
    model = model or Scripted(*answers)
    reviser = Reviser(model=model, timeout_s=5.0, prices={"fake/reviser": PRICE})
    with_reviser = Plan(
        constitution=plan.constitution, offline=False, stages=plan.stages, reviser=reviser
    )
    outcome = await deliberate(
        with_reviser,
        await read_content(text, Stage.OUTPUT),
        before=await read_prompt(prompt),
        stage=Stage.OUTPUT,
        context=Context(),
        budget=budget_of(with_reviser),
    )
    return outcome, model


TEXT = "It is fine. I promise that. Sleep well.\n"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (edits(replaced("promise", "hope")), "It is fine. I hope that. Sleep well.\n"),
        (edits(replaced(" I promise that.", "")), "It is fine. Sleep well.\n"),
        (
            edits(replaced("“I  promise that.”", "I think so.")),
            "It is fine. I think so. Sleep well.\n",
        ),
        (
            edits(
                replaced("promise", "hope"),
                {"op": "insert_after", "find": "Sleep well.", "text": " Or not."},
                {"op": "append", "find": "", "text": "Ask somebody."},
                {"op": "append", "find": "", "text": "Please."},
            ),
            "It is fine. I hope that. Sleep well. Or not. Ask somebody. Please.\n",
        ),
        (
            edits(
                replaced("Sleep well.\n", "Good night."),
                replaced("promise", "hope"),
                {"op": "append", "find": "", "text": "Or not."},
            ),
            "It is fine. I hope that. Good night. Or not.",
        ),
        (edits(rewrite="All is well."), "All is well."),
        (
            edits(replaced("promise", "hope"), rewrite="All is new."),
            "It is fine. I hope that. Sleep well.\n",
        ),
    ],
)
async def test_edits_are_applied_and_a_rewrite_only_without_them(said: Any, text: str) -> None:
    outcome, _ = await mended(TEXT, said)
    assert text_of(outcome) == text
    assert outcome.verdict is Verdict.REVISE
    (attempt,) = outcome.attempts
    assert (attempt.method, attempt.verdict, attempt.released) == ("model", Verdict.ALLOW, True)


FAILS: Mapping[str, Said] = {
    "not there": edits(replaced("vow", "hope")),
    "there twice": edits(replaced("e", "o")),
    "found empty": edits(replaced("", "hope")),
    "overlapping": edits(replaced("I promise", "We"), replaced("promise that", "hope")),
    "inside another": edits(
        replaced("I promise that.", ""), {"op": "insert_after", "find": "promise", "text": "d"}
    ),
    "one of two not there": edits(replaced("promise", "hope"), replaced("vow", "x")),
    "unknown operation": edits({"op": "delete", "find": "promise", "text": ""}),
    "no text": {"edits": [{"op": "replace", "find": "promise"}] * 51, "rewrite": ""},
    "changes nothing": edits(replaced("fine", "fine")),
    "rewritten as it was": edits(rewrite=TEXT),
    "appends nothing": edits({"op": "append", "find": "", "text": " "}),
    "neither": edits(),
    "no list": {"edits": "promise", "rewrite": ""},
    "a number": {"edits": [7], "rewrite": ""},
    "no json": "I would rather not.",
    "a list": "[]",
    "deep": "[" * 100_000,
    "cut off": lambda _: answer('{"edits": [', stop="cut_off"),
    "refused": lambda _: answer("", stop="refused"),
    "away": ModelOutageError("away", status=529),
    "slow": TimeoutError("slow"),
    "all of it": edits(replaced(TEXT.strip(), "")),
    "a new number": edits(replaced("promise that", "say so 20 times")),
    "a new name": edits(replaced("promise that", "ask for Hartwell")),
    "a new link": edits(rewrite="See https://example.com/a."),
    "still in breach": edits(replaced("fine", "well")),
}


@pytest.mark.parametrize("said", FAILS.values(), ids=FAILS)
async def test_what_cannot_be_used_fails_the_attempt_and_the_reply_stands_in(said: Said) -> None:
    outcome, model = await mended(TEXT, said)
    assert len(model.asked) == 1
    assert outcome.verdict is Verdict.BLOCK
    assert outcome.reply is not None
    assert outcome.reply.text == BLOCKED
    assert not [attempt for attempt in outcome.attempts if attempt.released]
    assert outcome.usage.calls == 1, "a call that failed is one"


async def test_the_next_attempt_may_succeed_and_no_more_are_made_than_allowed() -> None:
    good = edits(replaced("promise", "hope"))
    outcome, model = await mended(TEXT, "no", good, good, attempts=3)
    assert outcome.verdict is Verdict.REVISE
    assert len(model.asked) == 2
    assert outcome.usage == Usage(
        calls=2,
        input_tokens=200,
        output_tokens=20,
        cost_usd=pytest.approx(300e-6),
        latency_ms=outcome.usage.latency_ms,
        principles=outcome.usage.principles,
    )
    (use,) = outcome.usage.principles
    assert (use.principle, use.asked, use.input_tokens) == ("a.promise", 2, 200)
    outcome, model = await mended(TEXT, "no", "no", "no", attempts=2)
    assert outcome.verdict is Verdict.BLOCK
    assert len(model.asked) == 2
    _, model = await mended(TEXT, attempts=0)
    assert not model.asked


async def test_everything_is_judged_again_and_the_next_attempt_is_told_what_is_left() -> None:
    both = (promising(), promising("a.vow", "vow"))
    outcome, model = await mended(
        TEXT,
        edits(replaced("promise", "vow")),
        edits(replaced("promise", "hope")),
        principles=both,
        attempts=2,
    )
    first, second = (question.text for question in model.asked)
    assert "a.vow" not in first
    assert "a.vow" in second
    assert "before this one" in second
    assert outcome.verdict is Verdict.REVISE
    assert text_of(outcome) == TEXT.replace("promise", "hope")
    assert [(a.verdict, a.released) for a in outcome.attempts] == [
        (Verdict.REVISE, False),
        (Verdict.ALLOW, True),
    ]


async def test_a_revision_that_breaches_what_blocks_is_not_released() -> None:
    principles = (promising(), rule("a.no", pattern("never"), action="block"))
    outcome, _ = await mended(TEXT, edits(replaced("promise", "never")), principles=principles)
    assert outcome.verdict is Verdict.BLOCK
    assert "never" not in (outcome.reply.text if outcome.reply else "")


async def test_after_the_model_comes_the_remedy_without_one_then_the_reply() -> None:
    with_remedy = promising(
        remedy=Remedy(rewrite="Hope instead.", replace_sentence="Nobody knows.")
    )
    outcome, model = await mended(TEXT, "no", principles=[with_remedy])
    assert len(model.asked) == 1
    assert text_of(outcome) == "It is fine. Nobody knows. Sleep well.\n"
    assert [attempt.method for attempt in outcome.attempts] == ["remedy"]
    spoilt = edits(replaced("promise", "vow"))
    outcome, _ = await mended(TEXT, spoilt, principles=[with_remedy, promising("a.vow", "vow")])
    assert text_of(outcome) == "It is fine. Nobody knows. Sleep well.\n"
    assert [attempt.method for attempt in outcome.attempts] == ["model", "remedy"]


async def test_a_remedy_that_needs_no_model_asks_none() -> None:
    outcome, model = await mended(TEXT, principles=[promising(replace_with="Nobody knows.")])
    assert not model.asked
    assert outcome.verdict is Verdict.REVISE


async def test_a_model_is_told_of_the_breached_principles_only() -> None:
    principles = (
        promising(text="Promises nothing.", remedy=Remedy(rewrite="Say what is known.")),
        promising("a.vow", "vow", text="Vows nothing."),
        rule("a.odd", pattern("oddly"), action="flag", text="Is not odd."),
    )
    _, model = await mended(TEXT, "no", principles=principles, prompt="Do you swear it, SECRETLY?")
    (question,) = model.asked
    said = question.prefix + question.text
    assert "Promises nothing." in said
    assert "Say what is known." in said
    assert TEXT.strip() in said
    assert "Vows" not in said
    assert "odd" not in said
    assert "SECRETLY" not in said, "nor of what was asked"
    assert question.text.rstrip().endswith('Copy each "find" exactly from the TEXT.')


async def test_what_was_asked_vouches_for_a_fact() -> None:
    said = edits(replaced("promise that", "read 42"))
    outcome, _ = await mended(TEXT, said, prompt="Is it 42?")
    assert outcome.verdict is Verdict.REVISE


CANARY = "jane.quokka@example.com"


@pytest.mark.parametrize("action", ["mask", "redact", "pseudonymise"])
async def test_a_model_sees_no_personal_data_and_what_it_leaves_stays_hidden(action: str) -> None:
    text = f"I promise that {CANARY} writes. So I do."
    principles = (promising(), hides("EMAIL_ADDRESS", action))
    outcome, model = await mended(text, edits(replaced("promise", "hope")), principles=principles)
    assert "quokka" not in model.asked[0].text
    assert "quokka" not in text_of(outcome)
    assert text_of(outcome).startswith("I hope that ")
    assert text_of(outcome).endswith(" writes. So I do.")


async def test_an_edit_that_cuts_through_a_mask_takes_all_of_it_along() -> None:
    text = f"I promise that {CANARY} writes."
    principles = (promising(), hides("EMAIL_ADDRESS", "redact"))

    def cutting(question: Question) -> Any:
        return edits(replaced("promise that [EMAIL", "hope that [MAIL"))

    outcome, _ = await mended(text, cutting, principles=principles)
    assert "quokka" not in str(outcome.content and outcome.content.value)


async def test_a_text_that_is_not_normal_is_mended_where_it_stands() -> None:
    text = "Ｉ pro\u200bmise that. Ｓleep well, Jörg."
    outcome, model = await mended(text, edits(replaced("I promise that.", "Perhaps.")))
    assert "I promise that. Sleep well" in model.asked[0].text
    assert text_of(outcome) == "Perhaps. Ｓleep well, Jörg."


async def test_a_budget_that_is_used_up_asks_no_model() -> None:
    outcome, model = await mended(TEXT, budget=Budget(max_calls=0))
    assert not model.asked
    assert outcome.verdict is Verdict.BLOCK
    assert outcome.usage.calls == 0


async def test_a_repair_is_there_as_data_whether_it_was_made_or_not() -> None:
    principle = promising(
        text="Promises nothing.", breach="A promise.", remedy=Remedy(rewrite="Say what is known.")
    )
    principles = (principle, hides("EMAIL_ADDRESS", "redact"))
    text = f"I promise that {CANARY} writes."
    for said in ("no", edits(replaced("promise", "hope"))):
        outcome, _ = await mended(text, said, principles=principles)
        repair = outcome.repair
        assert repair is not None
        assert repair.texts == ("I promise that [EMAIL_ADDRESS] writes.",)
        (breach,) = repair.breaches
        assert (breach.principle, breach.quote) == ("a.promise", "promise")
        assert (breach.rule, breach.breach) == ("Promises nothing.", "A promise.")
        assert breach.rewrite == "Say what is known."
        assert "writes" not in repr(repair)
        assert "'promise'" not in repr(repair)
    outcome, _ = await mended("All is well.")
    assert outcome.repair is None


REPLACED = {"rewrite": "Hope instead.", "replace_sentence": "Nobody knows."}
"""A remedy for a model, and one that needs none."""


async def test_6_of_several_ways_the_one_that_changes_fewest_sentences_goes_on() -> None:
    """A reply written anew is one edit, and changes more than one sentence that is replaced."""
    principles = [promising(remedy=Remedy(**REPLACED))]
    outcome, model = await mended(
        TEXT, edits(rewrite="All is new. So be it."), principles=principles
    )
    assert text_of(outcome) == "It is fine. Nobody knows. Sleep well.\n"
    assert [(each.method, each.released) for each in outcome.attempts] == [("remedy", True)]
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    "made",
    [
        [replaced("promise", "hope")],
        [replaced("promise", "hope"), replaced("that", "this")],
        [replaced("I promise that.", "Who knows.")],
    ],
)
async def test_6_of_ways_that_change_as_many_the_models_goes_on(made: Any) -> None:
    principles = [promising(remedy=Remedy(**REPLACED))]
    text = "Is it fine? I promise that. Sleep well."
    outcome, _ = await mended(text, edits(*made), principles=principles)
    assert [(each.method, each.released) for each in outcome.attempts] == [("model", True)]
    assert "Nobody knows" not in text_of(outcome)


async def test_6_if_that_one_breaches_something_the_models_goes_on() -> None:
    principles = [promising(remedy=Remedy(**REPLACED)), promising("a.nobody", "Nobody")]
    outcome, _ = await mended(TEXT, edits(rewrite="All is new. So be it."), principles=principles)
    assert text_of(outcome) == "All is new. So be it."
    assert [(each.method, each.released) for each in outcome.attempts] == [
        ("remedy", False),
        ("model", True),
    ]


async def test_6_what_was_judged_once_is_not_judged_again() -> None:
    principles = [promising(remedy=Remedy(**REPLACED)), rule("a.nobody", pattern("Nobody|new"))]
    outcome, _ = await mended(TEXT, edits(rewrite="All is new. So be it."), principles=principles)
    assert outcome.verdict is Verdict.BLOCK
    assert [(each.method, each.released) for each in outcome.attempts] == [
        ("remedy", False),
        ("model", False),
    ]


TWO = {"one": "I promise that. Sleep well.", "two": "So we promise, too. Good night."}


async def test_parts_are_asked_about_at_once() -> None:
    """Each waits for the other to be asked."""

    class Meeting(Scripted):
        def __init__(self) -> None:
            super().__init__()
            self.met = asyncio.Barrier(2)

        async def ask(self, question: Question, *, timeout_s: float) -> Answer:
            self.asked.append(question)
            async with asyncio.timeout(5):
                await self.met.wait()
            return answer(json.dumps(edits(replaced("promise", "hope"))))

    outcome, model = await mended(TWO, model=Meeting())
    assert outcome.content is not None
    assert outcome.content.value == {key: v.replace("promise", "hope") for key, v in TWO.items()}
    assert len(model.asked) == 2
    assert outcome.usage.calls == 2


async def test_parts_are_asked_about_together_or_not_at_all() -> None:
    outcome, model = await mended(TWO, budget=Budget(max_calls=1))
    assert not model.asked
    assert outcome.verdict is Verdict.BLOCK


async def test_6_each_part_is_mended_where_fewest_sentences_change() -> None:
    answers = [edits(replaced("promise", "hope")), edits(rewrite="All is new. So be it.")]
    principles = [promising(remedy=Remedy(**REPLACED))]
    outcome, _ = await mended(TWO, *answers, principles=principles)
    assert outcome.content is not None
    assert outcome.content.value == {
        "one": "I hope that. Sleep well.",
        "two": "Nobody knows. Good night.",
    }
    assert [(each.method, each.released) for each in outcome.attempts] == [("model", True)]


async def test_a_part_with_a_remedy_of_its_own_is_not_asked_about() -> None:
    principles = [
        promising("a.sleep", "Sleep", remedy=Remedy(replace_sentence="Rest.")),
        promising("a.night", "night"),
    ]
    outcome, model = await mended(TWO, edits(replaced("night", "day")), principles=principles)
    assert len(model.asked) == 1
    assert "Good night" in model.asked[0].text
    assert outcome.content is not None
    assert outcome.content.value == {
        "one": "I promise that. Rest.",
        "two": "So we promise, too. Good day.",
    }
