"""What is settled before a request comes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pipeline_samples import JUDGE, budget_of, held, pattern, plan_of, rule, use

from guardrails.constitution.model import Budget
from guardrails.critic.protocol import Critique, CritiqueRequest, Unit, Whole, Width
from guardrails.errors import BudgetExceeded, CriticError, SettingsError
from guardrails.exchange import Context
from guardrails.pipeline.matter import applies
from guardrails.pipeline.plan import UNIT_CHARACTERS
from guardrails.testing import passing, scripted_critic
from guardrails.verdict import Stage, Verdict


@pytest.mark.parametrize(
    ("wanted", "said", "holds"),
    [
        ({}, {}, True),
        ({}, {"audience": "patient"}, True),
        ({"audience": ("patient",)}, {}, True),
        ({"audience": ("patient", "carer")}, {"audience": "carer"}, True),
        ({"audience": ("patient",)}, {"audience": "doctor"}, False),
        ({"audience": ("patient",)}, {"audience": ["doctor", "patient"]}, True),
        ({"audience": ("patient",)}, {"audience": []}, True),
        ({"audience": ("patient",)}, {"audience": " Doctor "}, False),
        ({"audience": ("patient",)}, {"audience": "pat"}, False),
        ({"audience": ("patient",), "ward": ("7",)}, {"audience": "patient", "ward": "8"}, False),
        ({"audience": ("patient",), "ward": ("7",)}, {"audience": "patient"}, True),
    ],
)
def test_a_principle_holds_unless_an_attribute_says_otherwise(
    wanted: dict[str, tuple[str, ...]], said: dict[str, Any], holds: bool
) -> None:
    assert applies(rule(applies=wanted), Context(attributes=said)) is holds


def test_a_stage_has_its_own_principles_and_critics() -> None:
    judge = scripted_critic(passing)
    plan = plan_of(
        rule("a.rule", pattern("bad"), stages=(Stage.INPUT, Stage.OUTPUT)),
        rule("b.rule", use(judge)),
        critics=[judge],
    )
    assert [p.id for p in plan.stages[Stage.INPUT].principles] == ["a.rule"]
    assert [b.name for b in plan.stages[Stage.INPUT].critics] == ["pattern"]
    assert [b.name for b in plan.stages[Stage.OUTPUT].tier("model")] == ["judge"]
    assert plan.stages[Stage.RETRIEVAL].critics == ()


def test_offline_no_model_is_bound() -> None:
    judge = scripted_critic(passing)
    plan = plan_of(rule("a.rule", use(judge)), critics=[judge], offline=True)
    assert plan.stages[Stage.OUTPUT].critics == ()


def test_a_judge_that_nobody_offers_is_refused_unless_offline() -> None:
    with pytest.raises(SettingsError, match="offline=True"):
        plan_of(rule("a.rule", JUDGE))
    plan_of(rule("a.rule", JUDGE), offline=True)


@pytest.mark.parametrize(
    ("own", "need"),
    [
        (Width(3), Width(5)),
        (Width(80), Width(80)),
        (Unit("sentence"), Width(UNIT_CHARACTERS)),
        (Whole(), Whole()),
    ],
    ids=["narrower than the pattern", "wider", "a sentence", "all"],
)
def test_a_stage_needs_what_its_neediest_critic_does(own: Any, need: Any) -> None:
    critic: Any = scripted_critic(passing, name="mine", tier="deterministic")
    critic.need = lambda self, stage: own
    plan = plan_of(rule("a.rule", pattern("abcde"), use(critic)), critics=[critic])
    assert plan.stages[Stage.OUTPUT].need == need


def fails(*_: object) -> Any:
    raise ValueError("xyzzy")


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("need", fails),
        ("need", lambda self, stage: "all of it"),
        ("need", lambda self, stage: Width("wide")),  # type: ignore[arg-type]  # nonsense
        ("declared", fails),
        ("declared", lambda self: [1]),
        ("margin", fails),
        ("margin", lambda self, stage: "wide"),
    ],
)
def test_a_critic_that_cannot_say_what_it_needs_is_an_error_at_load(what: str, told: Any) -> None:
    """And holds nothing back too little, nor fails with every stream."""
    critic: Any = scripted_critic(passing, name="mine", tier="deterministic")
    setattr(critic, what, told)
    with pytest.raises(CriticError, match="'mine'") as refused:
        plan_of(rule("a.rule", use(critic)), critics=[critic])
    assert "xyzzy" not in str(refused.value)


@pytest.mark.parametrize("error", [ValueError("xyzzy"), CriticError("no such list")])
def test_a_critic_that_cannot_be_bound_is_an_error_at_load(error: Exception) -> None:
    critic: Any = scripted_critic(passing, name="mine")

    def bind(rules: object, resources: object) -> None:
        raise error

    critic.bind = staticmethod(bind)
    said = "no such list" if isinstance(error, CriticError) else "'mine' could not be bound"
    with pytest.raises(CriticError, match=said):
        plan_of(rule("a.rule", use(critic)), critics=[critic])


@pytest.mark.parametrize("tier", ["deterministic", "local", "model"])
async def test_the_critics_of_a_tier_are_asked_at_once(tier: Any) -> None:
    waiting: list[str] = []
    all_there = asyncio.Event()

    async def waits(request: CritiqueRequest) -> Critique:
        waiting.extend(request.asked)
        if len(waiting) == 3:
            all_there.set()
        await all_there.wait()
        return passing(request)

    critics = [scripted_critic(waits, name=f"number_{n}", tier=tier) for n in range(3)]
    rules = [rule(f"rule.{n}", use(critic)) for n, critic in enumerate(critics)]
    outcome = await held(plan_of(*rules, critics=critics), "good day")
    assert outcome.verdict is Verdict.ALLOW


async def test_promise_10_the_stages_of_a_call_share_its_model_calls() -> None:
    def spends(request: CritiqueRequest) -> Critique:
        request.budget.spend_call(tokens=10)
        return passing(request)

    judge = scripted_critic(spends)
    plan = plan_of(
        rule("a.rule", use(judge), stages=(Stage.INPUT, Stage.OUTPUT), on_undecided="flag"),
        critics=[judge],
        budget=Budget(max_calls=2),
    )
    budget = budget_of(plan)
    for stage, verdict in [
        (Stage.INPUT, "allow"),
        (Stage.OUTPUT, "allow"),
        (Stage.OUTPUT, "block"),
    ]:
        outcome = await held(plan, "good day", stage=stage, budget=budget)
        assert str(outcome.verdict) == verdict
    assert outcome.cause == "limit"
    assert [f.principle for f in outcome.findings] == ["budget.max_calls"]


async def test_promise_10_a_limit_outweighs_what_else_is_in_doubt() -> None:
    spent = scripted_critic(BudgetExceeded("max_tokens", 1, 2), name="spent")
    flags = scripted_critic(passing, name="flags")
    plan = plan_of(
        rule("a.rule", use(spent), on_undecided="flag"),
        rule("b.rule", use(flags), on_undecided="flag"),
        critics=[spent, flags],
    )
    outcome = await held(plan, "good day")
    assert (outcome.verdict, outcome.cause) == (Verdict.BLOCK, "limit")
