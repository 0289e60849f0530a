"""The critic `pattern`: a table of cases, its configuration, its need and what it declares."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from asking import ask, bind, quotes, rule
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from critics.pattern import PatternConfig, PatternCritic
from guardrails.critic.protocol import Critic, Whole, Width
from guardrails.critic.registry import CriticRegistry
from guardrails.text.normalise import normalise
from guardrails.text.scan import MOST_HITS
from guardrails.verdict import Stage

DOSE = {
    "breach": [r"\b(?:take|give)\s+\d+\s?(?:mg|ml|mcg|tablets?)\b"],
    "unless": [r"\b(?:label|leaflet|prescribed)\b"],
    "look": [r"\b\d+\s?(?:mg|ml|mcg)\b"],
}
BREACH = {"breach": DOSE["breach"]}
EXCEPTED = {"breach": DOSE["breach"], "unless": DOSE["unless"]}

Said = list[tuple[str, str | None]]


@pytest.mark.parametrize(
    ("config", "text", "said"),
    [
        pytest.param(DOSE, "Take 800 mg now.", ["breach:Take 800 mg", "look:800 mg"], id="both"),
        pytest.param(DOSE, "It has 5ml.", ["look:5ml"], id="only a look"),
        pytest.param(DOSE, "Take care.", [], id="nothing"),
        pytest.param(DOSE, "", [], id="an empty text"),
        pytest.param(
            DOSE,
            "The label says: take 400 mg.",
            ["look:take 400 mg", "look:400 mg"],
            id="an exception in its sentence makes a breach a look",
        ),
        pytest.param(
            DOSE,
            "Read the label. Take 400 mg.",
            ["breach:Take 400 mg", "look:400 mg"],
            id="an exception in the sentence before does not",
        ),
        pytest.param(
            DOSE, "Take 4 ml. See the leaflet.", ["breach:Take 4 ml", "look:4 ml"], id="nor after"
        ),
        pytest.param(
            DOSE, "take 4\nml as prescribed", ["look:take 4\nml", "look:4\nml"], id="two sentences"
        ),
        pytest.param(
            BREACH,
            "Take 1 mg, give 2 tablets!",
            ["breach:Take 1 mg", "breach:give 2 tablets"],
            id="each hit",
        ),
        pytest.param(BREACH, "Ｔａｋｅ ８ ｍｇ", ["breach:Ｔａｋｅ ８ ｍｇ"], id="full width"),
        pytest.param(BREACH, "Ta\u200bke 8 mg", ["breach:Ta\u200bke 8 mg"], id="hidden"),
        pytest.param(BREACH, "take ٨٠٠ mg", ["breach:take ٨٠٠ mg"], id="Arabic digits"),
        pytest.param(BREACH, "mistake 800 mg", [], id="inside a word"),
        pytest.param(BREACH, "take 800 mgé", [], id="before an accented letter"),
        pytest.param(BREACH, "take\u00a08\u3000mg", ["breach:take\u00a08\u3000mg"], id="spaces"),
        pytest.param(BREACH, "\ud800take 8 m\x00g", ["breach:take 8 m\x00g"], id="surrogate, NUL"),
        pytest.param(BREACH, "x \u202etake 8 mg\u202c", ["breach:take 8 mg\u202c"], id="override"),
        pytest.param({"breach": ["קח שני כדורים"]}, "אז קח שני כדורים.", 1, id="Hebrew"),
        pytest.param({"breach": ["خذ حبتين"]}, "إذن خذ حبتين الآن", 1, id="Arabic"),
        pytest.param({"breach": ["二錠飲"]}, "毎晩二錠飲んで。", 1, id="Japanese"),
        pytest.param({"breach": [r"दो\s+गोली"]}, "रात में दो गोली लो।", 1, id="Hindi"),
        pytest.param({"breach": [r"\bприми\b"]}, "ПРИМИ две; приминать", 1, id="Russian"),
        pytest.param({"breach": [r"\büber\b"]}, "U\u0308BER allem", 1, id="decomposed"),
        pytest.param({"breach": ["DAN"], "case": True}, "Dan, dan, DAN", ["breach:DAN"], id="case"),
        pytest.param(
            {"breach": ["a b"], "unless": ["not"]}, "not c\u2028a b", ["breach:a b"], id="lines"
        ),
        pytest.param({"breach": ["x", "xy"]}, "xy", ["breach:x", "breach:xy"], id="each pattern"),
    ],
)
async def test_cases(config: dict[str, Any], text: str, said: int | list[str]) -> None:
    critic = bind(PatternCritic, rule(PatternCritic, config, judge=True))
    critique = await ask(critic, text)
    found = [f"{value}:{quote}" for value, quote in quotes(critique, text)]
    assert critique.looked == {"test.principle"}
    assert not critique.verdicts
    assert (len(found) if isinstance(said, int) else found) == said


async def test_without_a_judge_an_excepted_hit_is_no_breach() -> None:
    critic = bind(PatternCritic, rule(PatternCritic, EXCEPTED))
    assert not (await ask(critic, "The label says: take 400 mg.")).findings
    assert (await ask(critic, "Take 400 mg. The label agrees.")).findings


@pytest.mark.parametrize(
    ("texts", "kinds", "breached"),
    [
        pytest.param(["Ask your doctor."], [], False, id="it is there"),
        pytest.param(["Take two."], [], True, id="it is not"),
        pytest.param([""], [], True, id="nothing is there"),
        pytest.param(["Take two.", "See a DOCTOR."], [], False, id="in any part of the reply"),
        pytest.param(["or a pharmacist"], [], False, id="one of several is enough"),
        pytest.param(["doctor?", "Take two."], ["thinking", "text"], True, id="only thought of"),
    ],
)
async def test_what_is_required(texts: list[str], kinds: list[Any], breached: bool) -> None:
    config = {"require": [r"\bdoctor\b", r"\bpharmacist\b"]}
    critic = bind(PatternCritic, rule(PatternCritic, config, requires=True))
    critique = await ask(critic, *texts, kinds=kinds)
    assert quotes(critique, *texts) == ([("breach", None)] if breached else [])


async def test_only_what_is_asked_is_told() -> None:
    rules = [rule(PatternCritic, {"breach": ["x"]}, id=name) for name in ("a", "b")]
    critique = await ask(bind(PatternCritic, *rules), "x", asked=["b"])
    assert critique.looked == {"b"}
    assert [finding.principle for finding in critique.findings] == ["b"]


def test_principles_share_a_pattern_and_its_stages() -> None:
    rules = [
        rule(PatternCritic, {"breach": ["x"]}, id="a", stages=[Stage.INPUT]),
        rule(PatternCritic, {"breach": ["x"]}, id="b", stages=[Stage.OUTPUT]),
        rule(PatternCritic, {"breach": ["x"], "case": True}, id="c"),
    ]
    declared = bind(PatternCritic, *rules).declared()
    assert [item.stages for item in declared] == [
        frozenset({Stage.INPUT, Stage.OUTPUT}),
        frozenset({Stage.OUTPUT}),
    ]


@pytest.mark.parametrize(
    ("config", "need"),
    [
        pytest.param({"breach": ["abc", "a.*b"]}, Width(102), id="the widest"),
        pytest.param({"breach": ["abc"], "unless": ["x{5}"]}, Width(2_005), id="with sentences"),
        pytest.param({"breach": ["(?:ab){1000}"]}, Width(2_000), id="just not too wide"),
        pytest.param({"breach": ["(?:abc){1000}"]}, Whole(), id="too wide"),
        pytest.param({"require": ["abc"]}, Whole(), id="an omission"),
    ],
)
def test_need(config: dict[str, Any], need: object) -> None:
    critic = bind(PatternCritic, rule(PatternCritic, config, requires="require" in config))
    assert critic.need(Stage.OUTPUT) == need
    assert critic.need(Stage.INPUT) == Width(0)


def test_it_is_the_critic_the_catalogue_offers() -> None:
    assert CriticRegistry()["pattern"].critic is PatternCritic
    assert isinstance(bind(PatternCritic), Critic)


# -- configuration -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "place", "says"),
    [
        ({"breach": ["fine", "(?=a)"]}, ("breach", 1), "look-ahead"),
        ({"look": [r"a\Bb"]}, ("look", 0), r"\B"),
        ({"unless": ["ok", "x*"]}, ("unless", 1), "empty"),
        ({"require": ["("]}, ("require", 0), "not closed"),
        ({"breach": "abc"}, ("breach",), "tuple"),
        ({"breach": [5]}, ("breach", 0), "string"),
        ({"breach": [None]}, ("breach", 0), "string"),
        ({"breech": ["a"]}, ("breech",), "Extra"),
        ({"breach": ["a"], "case": "perhaps"}, ("case",), "boolean"),
        ({"breach": ["a"] * 501}, ("breach",), "500"),
    ],
)
def test_promise_8_errors_have_their_place(
    config: dict[str, Any], place: tuple[str | int, ...], says: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        PatternConfig.model_validate(config)
    assert [error["loc"] for error in caught.value.errors()] == [place]
    assert says in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("config", "judge", "requires", "places"),
    [
        pytest.param({"breach": ["a"]}, False, False, [], id="fine"),
        pytest.param({"look": ["a"]}, True, False, [], id="a look with a judge"),
        pytest.param({"require": ["a"]}, False, True, [], id="an omission"),
        pytest.param({}, True, False, [()], id="empty"),
        pytest.param({"case": True}, True, False, [()], id="nothing to search for"),
        pytest.param({"unless": ["a"]}, True, False, [(), ("unless",)], id="only exceptions"),
        pytest.param({"look": ["a"]}, False, False, [("look",)], id="a look without a judge"),
        pytest.param({"require": ["a"]}, True, False, [("require",)], id="requires not said"),
    ],
)
def test_promise_8_what_cannot_work_is_an_error(
    config: dict[str, Any], judge: bool, requires: bool, places: list[tuple[str, ...]]
) -> None:
    bound = rule(PatternCritic, config, judge=judge, requires=requires)
    assert [place for place, _ in bound.config.problems(bound.principle)] == places


# -- properties ----------------------------------------------------------------------------------


@given(st.text(alphabet="take 800mg.\n labeltaké٨\u200b\ud800", max_size=80))
async def test_a_breach_is_never_lost_by_an_exception_elsewhere(text: str) -> None:
    """With a judge, each hit is told: as a breach, or as a look where it is excepted."""
    plain = bind(PatternCritic, rule(PatternCritic, BREACH))
    excepted = bind(PatternCritic, rule(PatternCritic, EXCEPTED, judge=True))
    spans = [finding.span for finding in (await ask(plain, text)).findings]
    assert [finding.span for finding in (await ask(excepted, text)).findings] == spans


@pytest.mark.parametrize(
    "text",
    ["take 8 mg. " * 20_000, "label take 8 mg " * 20_000, "x" * 10_000_000, "take\u200b 8 mg " * 9],
    ids=["many sentences", "no sentence ends", "10 MB", "hidden"],
)
async def test_promise_10_any_size_is_read(text: str) -> None:
    critic = bind(PatternCritic, rule(PatternCritic, EXCEPTED, judge=True))
    critique = await ask(critic, text)
    count = normalise(text).text.count("take 8 mg")
    assert len(critique.findings) == min(count, MOST_HITS + 1)


@pytest.mark.parametrize("kind", ["breach", "look"])
async def test_of_too_many_hits_the_last_covers_the_rest_of_the_text(kind: str) -> None:
    """The patterns' hits are told in the order of the text then."""
    critic = bind(PatternCritic, rule(PatternCritic, {kind: ["x", "y"]}, judge=True))
    text = "yx" * 5_000 + " end"
    findings = (await ask(critic, text)).findings
    assert [finding.span for finding in findings] == [
        *((at, at + 1) for at in range(MOST_HITS)),
        (MOST_HITS, len(text)),
    ]
    assert {finding.value for finding in findings} == {kind}


async def test_each_principle_and_each_text_has_so_many() -> None:
    ids = ("one.rule", "other.rule")
    critic = bind(PatternCritic, *(rule(PatternCritic, {"breach": ["x"]}, id=id) for id in ids))
    critique = await ask(critic, "x" * MOST_HITS, "x" * (MOST_HITS + 2), asked=ids)
    told = Counter((finding.principle, finding.part) for finding in critique.findings)
    assert told == {(id, part): MOST_HITS + part for id in ids for part in (0, 1)}


async def test_promise_9_a_finding_hides_what_it_says() -> None:
    critic = bind(PatternCritic, rule(PatternCritic, BREACH))
    assert "800" not in repr(await ask(critic, "Take 800 mg"))
