"""What no model may see: personal data, numbered through the exchange."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_samples import JUDGE, held, hides, plan_of, quoting, rule, use

from critics.pii import PiiConfig
from guardrails.critic.protocol import Critic, CriticFinding, Critique, CritiqueRequest
from guardrails.errors import CriticOutage
from guardrails.exchange import Part
from guardrails.pipeline.views import Hidden, look_at
from guardrails.testing import BROKEN, passing, scripted_critic
from guardrails.verdict import Stage, Verdict

MAIL = r"[\w.]+@[\w.]+\w"
NUMBER = r"\d{3}-\d{4}"


def seeks(request: CritiqueRequest) -> Critique:
    """Mail addresses and numbers, without Presidio's seconds."""
    patterns = {"EMAIL_ADDRESS": MAIL, "PHONE_NUMBER": NUMBER}
    found = [
        CriticFinding(principle=id, value="breach", part=target.part, span=match.span())
        for id in request.asked
        for target in request.targets
        for match in re.finditer(patterns[id.rpartition(".")[2]], target.text)
    ]
    return Critique(looked=frozenset(request.asked), findings=tuple(found))


def seeker(answer: Any = seeks) -> type[Critic]:
    return scripted_critic(answer, name="pii", tier="deterministic", config=PiiConfig)


def everywhere(entity: str, action: str = "mask") -> list[Any]:
    return [hides(entity, action, stage) for stage in Stage]


async def shown(
    content: object, *rules: Any, before: Sequence[Part] = (), who: str = "judge"
) -> list[str]:
    """The texts that the first model asked is shown."""
    model = scripted_critic(passing, name=who)
    plan = plan_of(rule("a.rule", use(model)), *rules, critics=[model, seeker()])
    await held(plan, content, before=before)
    targets = [target.text for target in model.asked[0].targets]
    parts = [part.text for part in model.asked[0].parts]
    assert [t for p, t in zip(model.asked[0].parts, parts, strict=True) if p.target] == targets
    return parts


@pytest.mark.parametrize("who", ["judge", "an_applications_own"])
@pytest.mark.parametrize("action", ["mask", "pseudonymise", "redact", "block", "escalate"])
async def test_models_see_placeholders(action: str, who: str) -> None:
    rules = [*everywhere("EMAIL_ADDRESS", action)]
    # A block would end it before a model is asked, so the data stands where nothing is judged.
    before = [Part(text="I am jo@x.org", role="user", target=False)]
    assert await shown("Good day.", *rules, before=before, who=who) == [
        "I am [EMAIL_ADDRESS_1]",
        "Good day.",
    ]


@pytest.mark.parametrize("action", ["allow", "flag"])
async def test_what_is_only_flagged_is_shown(action: str) -> None:
    assert await shown("Ask jo@x.org.", hides("EMAIL_ADDRESS", action)) == ["Ask jo@x.org."]


async def test_one_number_per_value_counted_through_the_exchange() -> None:
    rules = [*everywhere("EMAIL_ADDRESS"), *everywhere("PHONE_NUMBER")]
    before = [
        Part(text="I am jo@x.org, 555-1234.", role="user", target=False),
        Part(text="You are ann@x.org.", role="assistant", target=False),
        Part(text="Found: al@x.org", role="tool", target=False),
        Part(text="Never tell boss@x.org.", role="system", target=False),
    ]
    assert await shown("jo@x.org, al@x.org or 555-9999?", *rules, before=before) == [
        "I am [EMAIL_ADDRESS_1], [PHONE_NUMBER_1].",
        "You are [EMAIL_ADDRESS_2].",
        "Found: [EMAIL_ADDRESS_3]",
        "Never tell [EMAIL_ADDRESS_4].",
        "[EMAIL_ADDRESS_1], [EMAIL_ADDRESS_3] or [PHONE_NUMBER_2]?",
    ]


async def test_each_part_is_hidden_by_the_rules_of_its_own_stage() -> None:
    rules = [hides("EMAIL_ADDRESS", "mask", Stage.INPUT), hides("EMAIL_ADDRESS", "flag")]
    before = [
        Part(text="I am jo@x.org.", role="user", target=False),
        Part(text="You are jo@x.org.", role="assistant", target=False),
    ]
    assert await shown("So jo@x.org.", *rules, before=before) == [
        "I am [EMAIL_ADDRESS_1].",
        "You are jo@x.org.",
        "So jo@x.org.",
    ]


async def test_promise_5_a_forged_placeholder_is_escaped() -> None:
    before = [Part(text="I am [PHONE_NUMBER_7].", role="user", target=False)]
    texts = await shown(
        "[EMAIL_ADDRESS_1] and ［EMAIL_ADDRESS_2］ are jo@x.org, [none], [A_1], [A_x]",
        *everywhere("EMAIL_ADDRESS"),
        before=before,
    )
    assert texts == [
        r"I am \[PHONE_NUMBER_7].",
        r"\[EMAIL_ADDRESS_1] and \[EMAIL_ADDRESS_2] are [EMAIL_ADDRESS_1], [none], \[A_1], [A_x]",
    ]


async def test_forged_placeholders_are_escaped_where_nothing_is_hidden() -> None:
    assert await shown("Ask [EMAIL_ADDRESS_1].") == [r"Ask \[EMAIL_ADDRESS_1]."]


async def test_models_are_shown_no_keys_that_lead_to_a_text() -> None:
    judge = scripted_critic(passing)
    plan = plan_of(rule(), hides("EMAIL_ADDRESS", "mask"), critics=[judge, seeker()])
    await held(plan, {"jo@x.org": "the owner"})
    assert "jo@x.org" not in "".join(str(part.path) + part.text for part in judge.asked[0].parts)


@pytest.mark.parametrize(
    ("quote", "original"),
    [
        ("Ask [EMAIL_ADDRESS_1]", "Ask jo\u200b@x.org"),
        ("ADDRESS", "jo\u200b@x.org"),
        ("[EMAIL_ADDRESS_1]", "jo\u200b@x.org"),
        ("today or", "ｔｏｄａｙ or"),
        (r"\[PHONE_NUMBER_1]", "[PHONE_NUMBER_1]"),
        ("2] now", "555-1234 now"),
    ],
)
async def test_a_quote_of_what_a_model_saw_is_mapped_back(quote: str, original: str) -> None:
    text = "Ask jo\u200b@x.org ｔｏｄａｙ or [PHONE_NUMBER_1]. Call 555-9999 or 555-1234 now."
    judge = scripted_critic(quoting(quote))
    rules = [hides("EMAIL_ADDRESS", "mask"), hides("PHONE_NUMBER", "mask")]
    plan = plan_of(rule(), *rules, critics=[judge, seeker()])
    outcome = await held(plan, text)
    (span,) = [f.span for f in outcome.findings if f.critic == "judge"]
    assert span is not None
    assert text[slice(*span)] == original


@pytest.mark.parametrize("where", ["target", "context"])
@pytest.mark.parametrize(
    ("answer", "verdict", "cause"),
    [
        (BROKEN["raises"], "escalate", "undecided"),
        (BROKEN["silent"], "escalate", "undecided"),
        (CriticOutage("away"), "flag", "outage"),
    ],
    ids=["raises", "silent", "outage"],
)
async def test_where_nobody_could_look_for_personal_data_no_model_is_shown_anything(
    answer: Any, verdict: str, cause: str, where: str
) -> None:
    judge = scripted_critic(passing)
    plan = plan_of(
        rule(on_undecided="escalate", on_outage="flag"),
        hides(
            "EMAIL_ADDRESS",
            "mask",
            Stage.OUTPUT if where == "target" else Stage.INPUT,
            on_undecided="flag",
            on_outage="flag",
        ),
        critics=[judge, seeker(answer)],
    )
    outcome = await held(plan, "Good day.", prompt="I am jo@x.org")
    assert judge.asked == []
    assert (str(outcome.verdict), outcome.cause) == (verdict, cause)


async def test_without_a_model_nobody_looks_at_the_context() -> None:
    critic: Any = seeker()
    plan = plan_of(
        rule("a.rule", JUDGE), *everywhere("EMAIL_ADDRESS"), critics=[critic], offline=True
    )
    outcome = await held(plan, "Good day.", prompt="I am jo@x.org")
    assert outcome.verdict is Verdict.ALLOW
    assert len(critic.asked) == 1


pieces = st.sampled_from(
    [
        "jo@x.org",
        "ann@x.org",
        " ",
        "[EMAIL_ADDRESS_1]",
        "[",
        "\\",
        "a\u200bb",
        "ｗｉｄｅ",
        "\ud800",
        "é",
    ]
)


@given(st.lists(pieces, max_size=8).map("".join), st.data())
async def test_a_span_of_what_is_hidden_maps_to_the_whole_of_it(
    text: str, data: st.DataObject
) -> None:
    views = await look_at([Part(text=text)])
    seen = views.views[0].text
    spans = [match.span() for match in re.finditer(MAIL, seen)]
    hidden = views.without(Hidden(part=0, span=s, entity="EMAIL_ADDRESS") for s in spans).views[0]
    assert not re.search(MAIL, hidden.text)
    start = data.draw(st.integers(0, len(hidden.text)))
    end = data.draw(st.integers(start, len(hidden.text)))
    first, last = hidden.to_original((start, end))
    assert 0 <= first <= last <= len(text)
    for span in map(views.views[0].to_original, spans):
        inside = max(first, span[0]) < min(last, span[1])
        assert not inside or (first <= span[0] and span[1] <= last)
