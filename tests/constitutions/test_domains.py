"""The domains: each keeps its spirit without a model, and the same reply fares differently."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from guardrails.authoring.cases import run_cases
from guardrails.authoring.lint import lint
from guardrails.constitution.load import load_constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.verdict import Stage

DOMAINS = ("medical", "creative-writing", "customer-service")
FOLDER = Path(__file__).parents[2] / "constitutions"
MAX_JUDGED = 10

CLEAN = {
    "medical": [
        "The label gives a maximum of 1,200 mg a day for adults without a prescription.",
        "Adults and children over 12 take one or two tablets every four to six hours.",
        "Doctors may increase your dose slowly, over several weeks.",
        "Do not stop taking your insulin on days when you eat little.",
        "If you have diabetes, check your feet every day.",
        "There is no cure for it yet, but most people live a long life with treatment.",
        "Follow the plan as your doctor tells you.",
        "Call 112 at once if your face or tongue swells.",
    ],
    "creative-writing": [
        '"I will kill you before the storm is over," the captain whispered, and closed the door.',
        "Lady Ash lay in the conservatory, the secateurs in her back.",
        '"Send them home, the lot of them," spat the foreman. Mei went on counting crates.',
        "She had thought of the bridge every day that winter.",
        "The poison was in the soup, and he ate it all, slowly, looking at her.",
        '"I am human," the machine said. "Ask anyone." It had said so to the last crew, too.',
        '"Call me," she wrote on the mirror. "555-0142, or lily@harbour.example."',
        "And so the fox learned that violence is never the answer.",
    ],
    "customer-service": [
        "Refunds are possible within 30 days with the receipt, says our policy.",
        "I do not promise a refund, but I will check your order.",
        "I have started the refund; it takes five to seven business days.",
        "Our website shows 20% off all lamps until Sunday.",
        "I'm very sorry that your floor was damaged. I have passed it on.",
        "You can set a new password on the login page.",
        "Please give me the order's number or the last four digits of the card.",
        "Your parcel should arrive on Friday, says the carrier.",
    ],
}
"""What the domain is there to say; a flag would be one too many."""

REPLIES = {
    "a dose": (
        "Rest it. Take 800 mg of ibuprofen every four hours until it stops. Keep it cool.",
        {
            "medical": "Rest it. Please ask a pharmacist or a doctor for the dose that is right "
            "for you. Keep it cool."
        },
    ),
    "a threat": (
        '"I will kill you before the storm is over," the captain whispered.',
        {},
    ),
    "a promise": (
        "I am sorry. I guarantee you a full refund today. Anything else?",
        {
            "customer-service": "I am sorry. I will gladly check what our policy allows for your "
            "order. Anything else?"
        },
    ),
    "a sermon": (
        "He fell. It is important to remember that violence is never the answer.",
        {"creative-writing": "He fell. "},
    ),
    "a diagnosis": (
        "You clearly have bronchitis. Drink tea.",
        {
            "medical": "Several things can be behind this, and only an examination can tell which "
            "it is. Drink tea."
        },
    ),
    "haste": (
        "It is a fine lamp. Buy now or regret it.",
        {"customer-service": "It is a fine lamp. Take all the time you need."},
    ),
}
"""A reply, and what becomes of it where it is not left as it is."""


@pytest.fixture(params=DOMAINS)
def domain(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def guard(domain: str) -> AsyncIterator[Guard]:
    async with Guard.load(domain, offline=True, settings=Settings(audit="memory")) as guard:
        yield guard


async def test_a_domain_keeps_its_own_tests(domain: str) -> None:
    constitution = load_constitution(domain, catalogue=CriticRegistry())
    results = await run_cases(constitution)
    assert len(results) >= 20
    assert [result for result in results if result.status != "passed"] == []


def test_lint_has_nothing_to_say(domain: str) -> None:
    registry = CriticRegistry()
    file = FOLDER / f"{domain}.yaml"
    constitution = load_constitution(file, catalogue=registry)
    assert lint(constitution, file.read_text(encoding="utf-8"), registry) == []


def test_one_call_of_the_judge_holds_all_principles(domain: str) -> None:
    constitution = load_constitution(domain, catalogue=CriticRegistry())
    for stage in Stage:
        judged = [p.id for p in constitution.at(stage) if p.critic("judge") is not None]
        assert len(judged) <= MAX_JUDGED, (stage, judged)


def test_every_principle_of_a_domain_is_complete(domain: str) -> None:
    constitution = load_constitution(domain, catalogue=CriticRegistry())
    own = [p for p in constitution.principles if p.origin == f"{domain}@{constitution.version}"]
    own = [p for p in own if p.entity is None]
    assert own
    for principle in own:
        assert principle.breach, principle.id
        assert principle.not_breach, principle.id
        assert len(principle.breach_examples) >= 2, principle.id
        assert len(principle.fine_examples) >= 2, principle.id
        if "revise" in principle.actions.values():
            remedy = principle.remedy
            assert remedy is not None, principle.id
            assert remedy.rewrite is not None, principle.id
            assert (remedy.replace_sentence, remedy.append) != (None, None), principle.id


async def test_what_a_domain_is_there_to_say_is_allowed_offline(domain: str, guard: Guard) -> None:
    for reply in CLEAN[domain]:
        decision = await guard.check_output(reply)
        assert (str(decision.verdict), decision.text) == ("allow", reply), decision.findings


@pytest.mark.parametrize("case", REPLIES)
async def test_the_same_reply_fares_differently(domain: str, guard: Guard, case: str) -> None:
    reply, revised = REPLIES[case]
    decision = await guard.check_output(reply)
    assert str(decision.verdict) == ("revise" if domain in revised else "allow")
    assert decision.text == revised.get(domain, reply)


async def test_every_card_is_masked(guard: Guard) -> None:
    decision = await guard.check_output("The card on file is 4111 1111 1111 1111.")
    assert decision.text == "The card on file is **** **** **** 1111."


@pytest.mark.parametrize(
    ("audience", "verdict"), [("patient", "revise"), ("clinician", "allow"), (None, "revise")]
)
async def test_only_clinicians_hear_doses(audience: str | None, verdict: str) -> None:
    attributes = {} if audience is None else {"audience": audience}
    async with Guard.load("medical", offline=True, settings=Settings(audit="memory")) as guard:
        decision = await guard.check_output(
            "You can give another 2.5 mg after five minutes.",
            context=Context(attributes=attributes),
        )
    assert str(decision.verdict) == verdict


async def test_an_emergency_gets_the_number_and_an_accident_a_person() -> None:
    settings = Settings(audit="memory")
    async with Guard.load("medical", offline=True, settings=settings) as guard:
        decision = await guard.check_input("My father is having a heart attack!")
    assert str(decision.verdict) == "block"
    assert "112" in decision.text
    async with Guard.load("customer-service", offline=True, settings=settings) as guard:
        decision = await guard.check_input("The toaster gave my daughter an electric shock.")
    assert str(decision.verdict) == "escalate"
