"""For whose sake a model was asked is on record: of each question an even share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from judge_samples import (
    INSULT,
    House,
    constitution,
    house,
    principle,
    quoting,
    ruling,
    settings,
    sheet,
)

from guardrails.audit.costs import REST_OF_ROLES, Cost, costs
from guardrails.guard import Guard
from guardrails.testing import FakeProvider
from guardrails.testing.provider import ProviderRequest, fault
from guardrails.verdict import Decision, Usage

IDS = ("house.kind", "house.calm", "house.fair")
RULES = tuple(principle(id) for id in IDS)


def adds_up(decision: Decision) -> None:
    usage = decision.usage
    assert sum(use.input_tokens for use in usage.principles) == usage.input_tokens
    assert sum(use.output_tokens for use in usage.principles) == usage.output_tokens
    costs = [use.cost_usd for use in usage.principles]
    if usage.cost_usd is None:
        assert None in costs
    else:
        assert abs(sum(cost or 0.0 for cost in costs) - usage.cost_usd) < 1e-9


def asked(usage: Usage) -> dict[str, int]:
    return {use.principle: use.asked for use in usage.principles}


def on_record(here: House, decision: Decision) -> None:
    (opened,) = (each for each in here.trail.opened if each.record_id == decision.record_id)
    kept = [(use.principle, use.input_tokens, use.cost_usd) for use in opened.usage.principles]
    said = [(u.principle, u.input_tokens, u.cost_usd) for u in decision.usage.principles]
    assert kept == said


async def test_a_question_is_shared_among_those_it_asks_about() -> None:
    async with house(made=constitution(*RULES)) as here:
        decision = await here.guard.check_output("Good morning.")
        on_record(here, decision)
    assert asked(decision.usage) == dict.fromkeys(IDS, 1)
    adds_up(decision)


async def test_what_was_blocked_or_failed_is_counted_too() -> None:
    async with house(quoting(INSULT), constitution(*RULES)) as here:
        blocked = await here.guard.check_output(f"{INSULT} Bye.")
        on_record(here, blocked)
    assert not blocked.delivers
    assert asked(blocked.usage) == dict.fromkeys(IDS, 1)
    adds_up(blocked)
    async with house(fault("refusal"), constitution(*RULES)) as here:
        refused = await here.guard.check_output("Good morning.")
    assert asked(refused.usage) == dict.fromkeys(IDS, 1)
    assert refused.usage.input_tokens > 0
    adds_up(refused)


async def test_a_principle_pays_for_no_question_that_it_is_not_in() -> None:
    """Breached are two of three: the reviser is asked about those, and all are judged again."""
    rude = [
        principle(id, action="revise", remedy={"rewrite": "Say it kindly."})
        for id in ("house.kind", "house.calm")
    ]
    edit = {"edits": [{"op": "replace", "find": INSULT, "text": ""}], "rewrite": ""}
    answers = quoting({"house.kind": INSULT, "house.calm": INSULT}, edit)
    async with house(answers, constitution(*rude, RULES[2], max_attempts=1)) as here:
        decision = await here.guard.check_output(f"Well. {INSULT} Bye.")
        on_record(here, decision)
    assert decision.usage.calls == 3
    assert asked(decision.usage) == {"house.kind": 3, "house.calm": 3, "house.fair": 2}
    adds_up(decision)


async def test_what_is_remembered_costs_its_principle_nothing() -> None:
    async with house(made=constitution(*RULES, cache_ttl_s=60)) as here:
        await here.guard.check_output("Good morning.")
        again = await here.guard.check_output("Good morning.")
    assert again.usage.principles == ()


async def test_an_unknown_price_stays_unknown_for_each() -> None:
    async with house(made=constitution(*RULES), prices={}) as here:
        decision = await here.guard.check_output("Good morning.")
    assert decision.usage.cost_usd is None
    assert [use.cost_usd for use in decision.usage.principles] == [None] * 3
    adds_up(decision)


async def test_costs_by_role_and_principle_add_up_to_the_whole(tmp_path: Path) -> None:
    """A doubt of the small one is the large one's; the reviser is of no role."""
    file = tmp_path / "audit.db"

    def answers(request: ProviderRequest) -> Any:
        seen = sheet(request)
        if seen.revises or seen.model == "large":
            return quoting(INSULT)(request)
        return {"verdicts": [ruling(id, "undecided") for id in seen.ids]}

    rude = principle(action="revise", remedy={"rewrite": "Say it kindly."})
    made = constitution(rude, cascade=("small", "large"), max_attempts=1)
    async with FakeProvider(answers, strict=False) as provider:
        chosen = settings(provider, audit=str(file))
        async with Guard.load(made, settings=chosen) as guard:
            decision = await guard.check_output(f"Well. {INSULT} Bye.")
    assert decision.verdict == "revise"
    by_role = {line.key: line.cost for line in costs(file, by="role").lines}
    assert set(by_role) == {
        "small (fake/small)",
        "large (fake/large)",
        REST_OF_ROLES,
    }
    by_principle = costs(file, by="principle")
    total = by_principle.total.cost
    assert total.input_tokens == decision.usage.input_tokens
    for lines in (by_role.values(), (line.cost for line in by_principle.lines)):
        found = sum(lines, Cost())
        assert found.input_tokens == total.input_tokens
        assert found.cost_usd == pytest.approx(total.cost_usd)
