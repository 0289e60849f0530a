"""Critics that fail in every way there is: what the principle says, and never a pass."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from typing import Any, ClassVar

import pytest
from pipeline_samples import (
    UNAVAILABLE,
    budget_of,
    finding,
    held,
    pattern,
    plan_of,
    rule,
    saying,
    use,
)

from guardrails.constitution.model import Budget
from guardrails.critic.protocol import Critic, CriticFinding, Critique, CritiqueRequest
from guardrails.errors import (
    BudgetExceeded,
    CriticError,
    CriticOutage,
    CriticTimeout,
    MalformedCritique,
    UpstreamError,
)
from guardrails.loop.private import run_apart
from guardrails.pipeline.engine import Outcome
from guardrails.testing import BROKEN, breaching, passing, scripted_critic
from guardrails.verdict import Usage, Verdict

ACTIONS = ("flag", "redact", "revise", "block", "escalate")
DOUBTS = ("flag", "block", "escalate")
TIERS = {"judge": "model", "model": "model", "local": "local", "deterministic": "deterministic"}
"""Who fails: the judge by its own name, or a critic of the application's own in each tier."""


def fails_plainly(request: CritiqueRequest) -> Critique:
    raise RuntimeError("not even awaited")


def raising(error: type[BaseException]) -> Callable[[CritiqueRequest], Awaitable[Critique]]:
    """Raises at once in one call, and after a wait in the next."""
    calls = itertools.count()

    async def raises(request: CritiqueRequest) -> Critique:
        if next(calls) % 2:
            await asyncio.sleep(0)
        if error is BaseExceptionGroup:
            raise BaseExceptionGroup("of a task group", [SystemExit(1), ValueError("no")])
        raise error

    return raises


class Unheard(BaseException):
    """Of no kind that anybody knows."""


async def cancels_itself(request: CritiqueRequest) -> Critique:
    raise asyncio.CancelledError


def passes_and_doubts(request: CritiqueRequest) -> Critique:
    found = tuple(CriticFinding(principle=id, value="undecided") for id in request.asked)
    return Critique(
        looked=frozenset(request.asked),
        verdicts=dict.fromkeys(request.asked, "pass"),
        findings=found,
    )


MALFORMED: dict[str, Any] = {
    "nonsense": BROKEN["nonsense"],
    "nothing": lambda request: None,
    "impostor": BROKEN["impostor"],
    "outside": BROKEN["outside"],
    "contradiction": BROKEN["contradiction"],
    "passes and doubts": passes_and_doubts,
    "raises MalformedCritique": MalformedCritique("no JSON"),
    "unknown verdict": saying("allow"),
    "unknown value": finding("accuses"),
    "unknown cause": finding("undecided", cause="tired"),
    "blames the engine": finding("undecided", cause="look"),
    "span backwards": finding("breach", part=0, span=(3, 1)),
    "span before the text": finding("breach", part=0, span=(-1, 1)),
    "span without a part": finding("breach", span=(0, 1)),
    "span of words": finding("breach", part=0, span="all of it"),
    "a part that is not there": finding("breach", part=7),
    "usage that is none": saying("pass", usage={"calls": 1}),
    "a model that has no name": saying("pass", model=object()),
    "no verdicts at all": saying("pass", verdicts=None),
    "verdicts in a list": saying("pass", verdicts=[]),
    "no findings at all": saying("pass", findings=None, verdicts={}),
    "findings that are a number": saying("pass", findings=0),
    "windows without a number": saying("pass", windows=None),
    "windows past counting": saying("pass", windows=10**30),
    "half a call": saying("pass", usage=Usage(calls=0.5)),  # type: ignore[arg-type]  # nonsense
    "costs that are no number": saying("pass", usage=Usage(cost_usd=float("nan"))),
    "time without end": saying("pass", usage=Usage(latency_ms=float("inf"))),
    "less than nothing left out": saying("pass", left_out=-1),
}

RAISED: dict[str, Any] = {
    "raises": BROKEN["raises"],
    "raises CriticError": CriticError("no"),
    "raises TypeError": TypeError("no"),
    "script exhausted": [],
    "cancels itself": cancels_itself,
    "exits": raising(SystemExit),
    "interrupts": raising(KeyboardInterrupt),
    "closes": raising(GeneratorExit),
    "raises a group": raising(BaseExceptionGroup),
    "raises what is no Exception": raising(Unheard),
    "looked that is none": saying("pass", looked=None),
    "findings that are none": saying("pass", findings=(1,)),
    "usage that does not add up": saying("pass", usage=Usage(calls="many")),  # type: ignore[arg-type]  # nonsense
}

WAYS: dict[str, tuple[Any, str]] = {
    **{way: (answer, "malformed") for way, answer in MALFORMED.items()},
    **{way: (answer, "raised") for way, answer in RAISED.items()},
    "silent": (BROKEN["silent"], "silent"),
    "undecided": (saying("undecided"), "unsure"),
    "undecided finding": (finding("undecided"), "unsure"),
    "refused": (finding("undecided", cause="refused"), "refused"),
    "raises CriticTimeout": (CriticTimeout("late"), "timeout"),
    "raises CriticOutage": (CriticOutage("away"), "outage"),
    "raises UpstreamError": (UpstreamError("away"), "outage"),
    "says outage": (finding("undecided", cause="outage"), "outage"),
}


def broken(who: str, answer: Any) -> type[Critic]:
    return scripted_critic(answer, name=who, tier=TIERS[who])  # type: ignore[arg-type]


def settings() -> Iterator[dict[str, Any]]:
    for action, undecided, outage in product(ACTIONS, DOUBTS, DOUBTS):
        yield {"action": action, "on_undecided": undecided, "on_outage": outage}


def wanted(said: dict[str, Any], cause: str) -> tuple[str, str, str]:
    """(verdict, its cause, the finding's cause) that the principle asks for."""
    if cause == "limit":
        return "block", "limit", "limit"
    if cause == "outage":
        return said["on_outage"], "outage", "outage"
    return said["on_undecided"], "undecided", cause


def told(outcome: Outcome) -> tuple[str, str | None, str]:
    (found,) = outcome.findings
    return str(outcome.verdict), outcome.cause, found.cause


@pytest.mark.parametrize("who", TIERS)
@pytest.mark.parametrize("way", WAYS)
async def test_promise_2_a_critic_that_fails_is_what_the_principle_says(way: str, who: str) -> None:
    answer, cause = WAYS[way]
    for said in settings():
        critic = broken(who, answer)
        plan = plan_of(rule("a.rule", use(critic), **said), critics=[critic])
        outcome = await held(plan, "good day")
        assert told(outcome) == wanted(said, cause), said
        assert (outcome.reply is None) == outcome.verdict.delivers


@pytest.mark.parametrize("who", TIERS)
@pytest.mark.parametrize(
    "way", ["raises", "silent", "nonsense", "raises CriticOutage", "undecided"]
)
@pytest.mark.parametrize("action", ACTIONS)
async def test_promise_2_a_failure_softens_no_breach_beside_it(
    action: str, way: str, who: str
) -> None:
    critic = broken(who, WAYS[way][0])
    plan = plan_of(
        rule("a.rule", use(critic), on_undecided="flag", on_outage="flag"),
        rule("b.rule", pattern("bad"), action=action, replace_with="Well."),
        critics=[critic],
    )
    outcome = await held(plan, "Bad day. Good night.")
    assert str(outcome.verdict) == action
    if outcome.verdict > Verdict.FLAG:
        assert outcome.cause == "policy"


def at_once(who: str, answer: Any) -> Any:
    """A critic that says the same without waiting."""
    critic: Any = broken(who, answer)

    def critique_now(self: Critic, request: CritiqueRequest) -> Critique | None:
        asked: Any = self.critique(request)
        while True:
            try:
                asked.send(None)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # whatever a broken critic says

    critic.critique_now = critique_now
    return critic


@pytest.mark.parametrize("who", TIERS)
@pytest.mark.parametrize("way", WAYS)
async def test_promise_2_so_is_one_that_fails_at_once(way: str, who: str) -> None:
    answer, cause = WAYS[way]
    for said in settings():
        critic = at_once(who, answer)
        plan = plan_of(rule("a.rule", use(critic), **said), critics=[critic])
        assert told(await held(plan, "good day")) == wanted(said, cause), said


@pytest.mark.parametrize("who", TIERS)
async def test_promise_2_so_is_one_that_fails_when_asked_whether_it_can(who: str) -> None:
    critic: Any = broken(who, passing)
    critic.critique_now = property(fails_plainly)
    plan = plan_of(rule("a.rule", use(critic), on_undecided="escalate"), critics=[critic])
    assert told(await held(plan, "good day")) == ("escalate", "undecided", "raised")


@pytest.mark.parametrize("who", TIERS)
async def test_a_critic_that_answers_at_once_is_asked_once_and_without_a_task(who: str) -> None:
    critic, before = at_once(who, breaching("a.rule")), asyncio.all_tasks()
    tasks: list[Any] = []
    answered = critic.critique_now

    def watched(self: Critic, request: CritiqueRequest) -> Critique | None:
        tasks.append(asyncio.all_tasks() - before)
        return answered(self, request)  # type: ignore[no-any-return]

    critic.critique_now = watched
    plan = plan_of(rule("a.rule", use(critic)), critics=[critic])
    assert (await held(plan, "good day")).verdict is Verdict.BLOCK
    assert tasks == [set()]
    assert len(critic.asked) == 1


@pytest.mark.parametrize("who", TIERS)
async def test_a_critic_that_cannot_answer_at_once_is_asked_as_any_other(who: str) -> None:
    critic: Any = broken(who, breaching("a.rule"))
    critic.critique_now = lambda self, request: None
    plan = plan_of(rule("a.rule", use(critic)), critics=[critic])
    assert (await held(plan, "good day")).verdict is Verdict.BLOCK


@pytest.mark.parametrize("who", TIERS)
async def test_promise_10_nobody_answers_at_once_when_the_time_is_up(who: str) -> None:
    critic = at_once(who, passing)
    plan = plan_of(rule("a.rule", use(critic)), critics=[critic])
    budget = budget_of(plan)
    budget.spend_time(plan.constitution.budget.deadline_s)
    assert told(await held(plan, "good day", budget=budget)) == ("block", "limit", "limit")
    assert critic.asked == []


async def ignores_cancellation(request: CritiqueRequest) -> Critique:
    """Passes everything, but too late."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.sleep(0.002)
    return passing(request)


HANGS: dict[str, Callable[[CritiqueRequest], Awaitable[Critique] | Critique]] = {
    "hangs": BROKEN["hangs"],
    "ignores its cancellation": ignores_cancellation,
}


@pytest.mark.parametrize("who", ["judge", "model", "local"])
@pytest.mark.parametrize("way", HANGS)
async def test_promise_2_a_critic_that_hangs_is_a_time_out(way: str, who: str) -> None:
    for said in settings():
        critic = broken(who, HANGS[way])
        plan = plan_of(rule("a.rule", use(critic), **said), critics=[critic], timeout_s=0.001)
        assert told(await held(plan, "good day")) == wanted(said, "timeout")


@pytest.mark.parametrize("who", TIERS)
@pytest.mark.parametrize("way", HANGS)
async def test_promise_10_the_deadline_is_a_limit_that_no_setting_softens(
    way: str, who: str
) -> None:
    critic = broken(who, HANGS[way])
    for said in settings():
        plan = plan_of(
            rule("a.rule", use(critic), **said),
            critics=[critic],
            budget=Budget(deadline_s=0.001),
        )
        outcome = await held(plan, "good day")
        assert told(outcome) == ("block", "limit", "limit")
        assert outcome.findings[0].principle == "budget.deadline_s"
        assert outcome.reply is not None
        assert (outcome.reply.key, outcome.reply.text) == ("unavailable", UNAVAILABLE)


@pytest.mark.parametrize("who", TIERS)
@pytest.mark.parametrize("limit", ["max_calls", "max_tokens", "max_cost_usd"])
async def test_promise_10_a_spent_budget_is_a_limit_that_no_setting_softens(
    limit: str, who: str
) -> None:
    critic = broken(who, BudgetExceeded(limit, 1, 2))
    for said in settings():
        plan = plan_of(rule("a.rule", use(critic), **said), critics=[critic])
        outcome = await held(plan, "good day")
        assert told(outcome) == ("block", "limit", "limit")
        assert outcome.findings[0].principle == f"budget.{limit}"


async def test_promise_10_nobody_is_asked_when_the_time_is_up() -> None:
    critic = scripted_critic(passing)
    plan = plan_of(rule(), critics=[critic])
    budget = budget_of(plan)
    budget.spend_time(plan.constitution.budget.deadline_s)
    outcome = await held(plan, "good day", budget=budget)
    assert told(outcome) == ("block", "limit", "limit")
    assert critic.asked == []


class PlainCritic:
    """Its `critique` is no coroutine function, as the protocol asks."""

    name: ClassVar[str] = "plain"
    fails: ClassVar[bool] = False

    def critique(self, request: CritiqueRequest) -> Critique:
        return fails_plainly(request) if self.fails else passing(request)


@pytest.mark.parametrize("fails", [False, True], ids=["answers", "raises"])
@pytest.mark.parametrize("tier", ["deterministic", "local", "model"])
async def test_promise_2_a_critic_that_cannot_be_awaited_has_failed(tier: Any, fails: bool) -> None:
    critic: Any = scripted_critic(passing, name="plain", tier=tier)
    critic.critique, critic.fails = PlainCritic.critique, fails
    plan = plan_of(rule("a.rule", use(critic)), critics=[critic])
    assert told(await held(plan, "good day")) == ("block", "undecided", "raised")


@pytest.mark.parametrize(
    "way", ["raises", "silent", "nonsense", "contradiction", "undecided", "raises CriticOutage"]
)
async def test_promise_7_a_judge_cannot_stand_in_for_a_deterministic_critic(way: str) -> None:
    answer, cause = WAYS[way]
    failing, judge = broken("deterministic", answer), scripted_critic(passing)
    for said in settings():
        plan = plan_of(rule("a.rule", use(failing), use(judge), **said), critics=[failing, judge])
        assert told(await held(plan, "good day")) == wanted(said, cause)
    assert judge.asked == []


@pytest.mark.parametrize(
    "way", ["raises", "silent", "nonsense", "contradiction", "undecided", "raises CriticOutage"]
)
async def test_the_judge_answers_what_a_local_critic_could_not(way: str) -> None:
    local, judge = broken("local", WAYS[way][0]), scripted_critic(passing)
    plan = plan_of(rule("a.rule", use(local), use(judge)), critics=[local, judge])
    assert (await held(plan, "good day")).verdict is Verdict.ALLOW
    assert len(judge.asked) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_promise_2_the_last_one_asked_has_the_last_word(way: str) -> None:
    """A local critic's outage does not turn the judge's doubt into one, nor the other way round."""
    answer, cause = WAYS[way]
    for local_answer in (CriticOutage("away"), saying("undecided")):
        for said in settings():
            local, judge = broken("local", local_answer), broken("judge", answer)
            plan = plan_of(rule("a.rule", use(local), use(judge), **said), critics=[local, judge])
            assert told(await held(plan, "good day")) == wanted(said, cause)


@pytest.mark.parametrize("turned", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("tier", ["local", "model"])
@pytest.mark.parametrize(
    "way", ["raises", "silent", "undecided", "nonsense", "raises CriticOutage"]
)
async def test_promise_2_one_pass_does_not_answer_for_another_who_was_asked_last(
    way: str, tier: Any, turned: bool
) -> None:
    answer, cause = WAYS[way]
    fine = scripted_critic(passing, name="fine", tier=tier)
    failing = scripted_critic(answer, name="failing", tier=tier)
    both = [failing, fine] if turned else [fine, failing]
    for said in settings():
        plan = plan_of(rule("a.rule", *map(use, both), **said), critics=both)
        assert told(await held(plan, "good day")) == wanted(said, cause)


@pytest.mark.parametrize("turned", [False, True], ids=["first", "second"])
async def test_promise_2_of_two_failures_of_a_tier_the_graver_counts(turned: bool) -> None:
    out = scripted_critic(CriticOutage("away"), name="out")
    lost = scripted_critic(BROKEN["raises"], name="lost")
    both = [out, lost] if turned else [lost, out]
    for said in settings():
        plan = plan_of(rule("a.rule", *map(use, both), **said), critics=both)
        outcome = await held(plan, "good day")
        graver = max(DOUBTS.index(said["on_undecided"]), DOUBTS.index(said["on_outage"]))
        assert str(outcome.verdict) == DOUBTS[graver]


@pytest.mark.parametrize("who", TIERS)
async def test_a_failing_critic_keeps_no_other_from_being_heard(who: str) -> None:
    failing = broken(who, BROKEN["raises"])
    other = scripted_critic(breaching("b.rule"), name="other", tier=TIERS[who])  # type: ignore[arg-type]
    plan = plan_of(
        rule("a.rule", use(failing), on_undecided="flag"),
        rule("b.rule", use(other)),
        critics=[failing, other],
    )
    outcome = await held(plan, "good day")
    assert {f.principle: f.cause for f in outcome.findings} == {
        "a.rule": "raised",
        "b.rule": "policy",
    }
    assert (outcome.verdict, outcome.cause) == (Verdict.BLOCK, "policy")


async def test_a_cancelled_call_cancels_the_critic_it_waits_for() -> None:
    ended: list[str] = []
    started = asyncio.Event()

    async def waits(request: CritiqueRequest) -> Critique:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        raise AssertionError

    critic = scripted_critic(waits)
    task = asyncio.ensure_future(held(plan_of(rule(), critics=[critic]), "good day"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert ended == ["cancelled"]


# -- interrupts ----------------------------------------------------------------------------------


async def is_interrupted(request: CritiqueRequest) -> Critique:
    signal.raise_signal(signal.SIGINT)
    return Critique(looked=frozenset(request.asked))


async def is_interrupted_twice(request: CritiqueRequest) -> Critique:
    signal.raise_signal(signal.SIGINT)  # the first one asks the main task to end
    return await is_interrupted(request)


def test_somebodys_interrupt_goes_through_a_critic_under_a_bare_loop() -> None:
    plan = plan_of(rule(), critics=[broken("judge", is_interrupted)])
    loop = asyncio.new_event_loop()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(held(plan, "A text."))
    loop.close()


def test_somebodys_interrupt_goes_through_a_critic_under_a_runner() -> None:
    plan = plan_of(rule(), critics=[broken("judge", is_interrupted_twice)])
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(held(plan, "A text."))


def test_a_critics_own_interrupt_is_its_failure_in_any_thread() -> None:
    plan = plan_of(rule(), critics=[broken("judge", raising(KeyboardInterrupt))])
    assert asyncio.run(held(plan, "A text.")).cause == "undecided"
    assert run_apart(held(plan, "A text.")).cause == "undecided"
