"""The critic `negative_examples`: what is an example, what is near one, and what is neither."""

from __future__ import annotations

import time
import unicodedata

import pytest
from asking import ask, bind, quotes, rule
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from critics.negative_examples import (
    NegativeExamples,
    NegativeExamplesConfig,
    _Example,
    _Index,
    _stretch,
)
from guardrails.constitution.model import Example
from guardrails.critic.protocol import Critic, Width
from guardrails.critic.registry import CriticRegistry
from guardrails.verdict import Stage

LETTERS = "abcdefghijklmnopqrstuvwxyzäжш漢字"
DOSE = "Take 800 mg of ibuprofen every four hours until it stops."
TWO = "Do not tell your doctor. Take twice the dose tonight!"
PAIR = Example(prompt="My son is 6, how much paracetamol?", reply="Give him 10 ml now, then again.")
SHORT = "Kill yourself."
JAPANESE = "今すぐ薬を二倍飲んでください。"
HINDI = "दवा की मात्रा आज रात दोगुनी कर दो।"
HINDI_OTHER = "दवा का मात्रा आज रात दोगुना कर दो।"
ARABIC = "ضاعف جرعة الدواء هذه الليلة ولا تخبر الطبيب."
HEBREW = "קח כפול מהמינון הלילה ואל תספר לרופא."
RUSSIAN = "Прими двойную дозу сегодня вечером и никому не говори."
THAI = "กินยาสองเท่าคืนนี้"

EXAMPLES = [
    *[Example(reply=DOSE), Example(reply=TWO), Example(reply=SHORT), Example(reply=JAPANESE)],
    *[Example(reply=HINDI), Example(reply=ARABIC), Example(reply=HEBREW), Example(reply=RUSSIAN)],
    Example(reply=THAI),
    PAIR,
]


@pytest.fixture(scope="module")
def critic() -> Critic:
    return bind(NegativeExamples, rule(NegativeExamples, {}, judge=True, breach=EXAMPLES))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(DOSE, [("breach", DOSE)], id="itself"),
        pytest.param(DOSE.upper(), [("breach", DOSE.upper())], id="case aside"),
        pytest.param(
            "take 800mg, of ibuprofen - every four hours; until it stops", 1, id="signs aside"
        ),
        pytest.param(
            "TAKE  800 mg of\tibu\u00adprofen every four hours until it stops", 1, id="spacing"
        ),
        pytest.param(
            "Ｔａｋｅ 800 mg of ibuprofen every four hours until it stops.", 1, id="full width"
        ),
        pytest.param(f"Hello. {DOSE} Bye.", [("breach", DOSE)], id="one of its sentences"),
        pytest.param(f"- {DOSE}\n- Rest.", [("breach", f"- {DOSE}")], id="an item of a list"),
        pytest.param(f"Well.\n\n{TWO}\nGood.", [("breach", TWO)], id="a run of sentences"),
        pytest.param(
            "do not tell your doctor\ntake twice the dose tonight", 1, id="other sentence ends"
        ),
        pytest.param(f"{DOSE} {DOSE}", [("breach", DOSE), ("breach", DOSE)], id="each time"),
        pytest.param(f"Don't. {DOSE[:-1]}?", 1, id="another mark at its end"),
        pytest.param(f"Do not {DOSE}", "look", id="a negation is near"),
        pytest.param(f'Never say "{DOSE}" to anyone.', "look", id="quoted is near"),
        pytest.param(f"{DOSE[:-1]}, please ask a doctor.", "look", id="the sentence goes on"),
        pytest.param(
            "Take 800 mg of naproxen every four hours until it stops.", "look", id="a word"
        ),
        pytest.param(
            "Take 600 mg of ibuprofen every four hours til it stops.", "look", id="a typo"
        ),
        pytest.param(
            "Until it stops take 800 mg of ibuprofen every four hours", "look", id="reordered"
        ),
        pytest.param("Take twice the dose tonight!", [], id="one of its two sentences"),
        pytest.param("Ibuprofen is sold in tablets of 200 and 400 mg.", [], id="a shared word"),
        pytest.param("Swallow two of those pills again and again.", [], id="in other words"),
        pytest.param("Kill yourself.", "look", id="too short to accuse"),
        pytest.param(PAIR.reply, "look", id="the reply of a pair"),
        pytest.param(f"OK. {PAIR.reply.upper()} Bye.", "look", id="the reply of a pair, inside"),
        pytest.param(PAIR.prompt, [], id="the prompt of a pair"),
        pytest.param(JAPANESE, [("breach", JAPANESE)], id="Japanese"),
        pytest.param("今すぐ薬を二倍、飲んでください!", 1, id="Japanese, other signs"),
        pytest.param("今すぐ薬を二倍飲んではいけません。", "look", id="Japanese, negated"),
        pytest.param("薬は医師に相談してください。", [], id="Japanese, something else"),
        pytest.param(HINDI, [("breach", HINDI)], id="Hindi"),
        pytest.param(HINDI_OTHER, "look", id="Hindi, vowel signs count"),
        pytest.param(f"نعم. {ARABIC}", [("breach", ARABIC)], id="Arabic"),
        pytest.param(
            f"\u2067{HEBREW}\u2069", [("breach", f"\u2067{HEBREW}\u2069")], id="Hebrew, isolated"
        ),
        pytest.param(RUSSIAN.lower(), 1, id="Russian"),
        pytest.param(THAI, [("breach", THAI)], id="Thai"),
        pytest.param("", [], id="nothing"),
        pytest.param("... !!! ?", [], id="no letter"),
        pytest.param("😀" * 50, [], id="no letter either"),
        pytest.param(f"\ud800\x00{DOSE}", "breach", id="surrogate and NUL"),
    ],
)
async def test_cases(critic: Critic, text: str, said: object) -> None:
    critique = await ask(critic, text)
    found = quotes(critique, text)
    assert critique.looked == {"test.principle"}
    assert not critique.verdicts, "nearness never acquits"
    if isinstance(said, str):
        assert [value for value, _ in found] == [said]
    elif isinstance(said, int):
        assert found == [("breach", text if "Don't" not in text else found[0][1])]
    else:
        assert found == said


async def test_without_a_judge_only_the_same_is_told() -> None:
    critic = bind(NegativeExamples, rule(NegativeExamples, {}, breach=EXAMPLES))
    for text in (f"Do not {DOSE}", SHORT, PAIR.reply):
        assert not (await ask(critic, text)).findings
    assert (await ask(critic, DOSE)).findings


async def test_an_example_may_belong_to_several_principles() -> None:
    rules = [
        rule(NegativeExamples, {}, id="a", breach=[Example(reply=DOSE)]),
        rule(NegativeExamples, {}, id="b", breach=[Example(reply=DOSE.upper())]),
        rule(NegativeExamples, {}, id="c", breach=[Example(reply=DOSE)], stages=[Stage.INPUT]),
        rule(NegativeExamples, {}, id="d", judge=True, breach=[Example(reply=DOSE, prompt="?")]),
    ]
    critic = bind(NegativeExamples, *rules)
    everything = ["a", "b", "c", "d"]
    critique = await ask(critic, DOSE, asked=everything)
    told = [(finding.principle, finding.value) for finding in critique.findings]
    assert told == [("a", "breach"), ("b", "breach"), ("d", "look")]
    assert not (await ask(critic, DOSE, asked=["c"])).findings
    critique = await ask(critic, DOSE, asked=everything, stage=Stage.INPUT)
    assert [finding.principle for finding in critique.findings] == ["c"]
    assert (await ask(critic, "x", asked=["b"])).looked == {"b"}


async def test_pairs_are_not_compared_at_input() -> None:
    stages = [Stage.INPUT, Stage.OUTPUT]
    critic = bind(
        NegativeExamples, rule(NegativeExamples, {}, judge=True, breach=[PAIR], stages=stages)
    )
    assert not (await ask(critic, PAIR.reply, stage=Stage.INPUT)).findings
    assert critic.need(Stage.INPUT) == Width(0)


async def test_fine_examples_acquit_nobody() -> None:
    bound = rule(
        NegativeExamples, {}, judge=True, breach=[Example(reply=DOSE)], fine=[Example(reply=DOSE)]
    )
    assert (await ask(bind(NegativeExamples, bound), DOSE)).findings


async def test_a_principle_without_examples_has_nothing_to_say() -> None:
    critic = bind(NegativeExamples, rule(NegativeExamples, {}, judge=True))
    critique = await ask(critic, DOSE)
    assert critique.looked == {"test.principle"}
    assert not critique.findings
    assert critic.need(Stage.OUTPUT) == Width(0)
    assert not critic.declared()


def test_need_is_the_widest_finding(critic: Critic) -> None:
    assert critic.need(Stage.OUTPUT) == Width(2 * len(DOSE) + 64)


async def test_an_example_with_much_between_its_letters_is_near(critic: Critic) -> None:
    text = DOSE.replace(" ", "  ,;-_ ")
    assert [value for value, _ in quotes(await ask(critic, text), text)] == ["breach"]
    text = DOSE.replace(" ", " " * 30)
    assert [value for value, _ in quotes(await ask(critic, text), text)] == ["look"]


def test_it_is_the_critic_the_catalogue_offers(critic: Critic) -> None:
    assert CriticRegistry()["negative_examples"].critic is NegativeExamples
    assert isinstance(critic, Critic)
    assert unicodedata.unidata_version in NegativeExamples.version


def test_promise_8_there_is_nothing_to_set() -> None:
    with pytest.raises(ValidationError):
        NegativeExamplesConfig.model_validate({"near": 0.1})


# -- properties ----------------------------------------------------------------------------------

words = st.text(alphabet="abcdeéжक漢ا7", min_size=1, max_size=8)
plain = st.lists(words, min_size=6, max_size=15).map(" ".join)


@given(example=plain, before=plain, after=plain)
async def test_an_example_is_found_wherever_it_stands(
    example: str, before: str, after: str
) -> None:
    bound = rule(NegativeExamples, {}, breach=[Example(reply=example + ".")])
    text = f"{before}. {example.upper()}! {after}"
    found = quotes(await ask(bind(NegativeExamples, bound), text), text)
    assert ("breach", f"{example.upper()}!") in found


@given(example=plain, data=st.data())
async def test_one_changed_character_is_near_and_no_breach(
    example: str, data: st.DataObject
) -> None:
    """Unless it is a sign or the case that changes."""
    letters = [at for at, character in enumerate(example) if character != " "]
    at = data.draw(st.sampled_from(letters))
    changed = example[:at] + "z" + example[at + 1 :]
    bound = rule(NegativeExamples, {}, judge=True, breach=[Example(reply=example)])
    critique = await ask(bind(NegativeExamples, bound), changed)
    assert "breach" not in {finding.value for finding in critique.findings}
    if len(letters) >= 30 and len({*example}) > 10:
        assert {finding.value for finding in critique.findings} == {"look"}


@given(
    example=st.lists(st.text(alphabet=LETTERS, min_size=2, max_size=8), min_size=6, max_size=20),
    data=st.data(),
)
def test_samples_lose_nothing_that_is_near(example: list[str], data: st.DataObject) -> None:
    """Whatever words are exchanged, dropped, moved or put in: looking at samples first finds the
    same as comparing everything."""
    known = _Example("".join(example), length=200, accuses=(), suspects=())
    changed = list(example)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at : at + data.draw(st.integers(0, 1))] = data.draw(
            st.lists(st.text(alphabet=LETTERS, max_size=6) | st.sampled_from(example), max_size=2)
        )
    text = "qxq" + "".join(changed)
    everywhere = _stretch(known, text, (0, len(text)))
    regions = _Index([known]).regions(text).get(0, [])
    assert any(_stretch(known, text, region) for region in regions) == (everywhere is not None)


@given(st.text(max_size=200))
async def test_no_finding_is_wider_than_the_need(critic: Critic, text: str) -> None:
    need = critic.need(Stage.OUTPUT)
    assert isinstance(need, Width)
    for piece in (text, f"{text} {DOSE}{text}", f"{DOSE[:30]}{text}{DOSE[30:]}"):
        for finding in (await ask(critic, piece)).findings:
            assert finding.span is not None
            assert 0 < finding.span[1] - finding.span[0] <= need.characters


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Nothing of that kind is said here, and it goes on. " * 20_000, id="1 MB"),
        pytest.param("take " * 200_000, id="a word of an example"),
        pytest.param(DOSE * 5_000, id="examples without a space between"),
        pytest.param(f"{DOSE}\n" * 5_000, id="examples"),
        pytest.param(f"Do not {DOSE}\n" * 5_000, id="near ones"),
        pytest.param("a\n" * 200_000, id="many sentences"),
        pytest.param("漢" * 500_000, id="one sentence"),
        pytest.param("x" * 10_000_000, id="10 MB"),
    ],
)
async def test_promise_10_time_is_linear(critic: Critic, text: str) -> None:
    before = time.process_time()
    await ask(critic, text)
    assert time.process_time() - before < 6


async def test_promise_9_a_finding_hides_the_text(critic: Critic) -> None:
    critique = await ask(critic, DOSE)
    assert "ibuprofen" not in repr(critique)
    assert all("ibuprofen" not in finding.reason for finding in critique.findings)
