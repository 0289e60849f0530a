"""The critic `length`: units in many scripts, limits, what is cut, wrong settings, size."""

from __future__ import annotations

import time
from typing import Any

import pytest
from asking import ask, bind, quotes, rule
from hypothesis import given
from hypothesis import strategies as st

from critics.length import LengthConfig, LengthCritic
from guardrails.constitution.load import parse_constitution
from guardrails.constitution.model import Constitution
from guardrails.critic.protocol import Critic, Whole
from guardrails.critic.registry import CriticRegistry
from guardrails.errors import ConstitutionError
from guardrails.guard import Guard
from guardrails.verdict import Stage, Verdict

REGISTRY = CriticRegistry()


def of(**limits: Any) -> Critic:
    return bind(LengthCritic, rule(LengthCritic, limits))


async def reasons(text: str, **limits: Any) -> list[str]:
    return [finding.reason for finding in (await ask(of(**limits), text)).findings]


COUNTS = [
    ("English", "The cat sat. It slept!", 22, 5, 2),
    ("apostrophes", "I don't know; it’s Ann's.", 25, 5, 1),
    ("numbers", "It is 3.5 or 1,200 or 7.", 24, 7, 1),
    ("a hyphen", "A well-known fact.", 18, 4, 1),
    ("signs alone", "-- ** ... ?!", 12, 0, 2),
    ("nothing", "", 0, 0, 0),
    ("blank", " \n\t ", 4, 0, 0),
    ("code", "x_1 = f(y)", 10, 3, 1),
    ("German", "Größe zählt. Über alles!", 24, 4, 2),
    ("French", "L’été est là. Où vas-tu ?", 25, 6, 2),
    ("Vietnamese", "Hôm nay trời đẹp.", 17, 4, 1),
    ("accents apart", "E\u0301te\u0301 a\u0300 Paris", 11, 3, 1),
    ("Russian", "Мама мыла раму. Ура!", 20, 4, 2),
    ("Greek", "Πού είναι; Εδώ.", 15, 3, 1),
    ("Armenian", "Բարև ձեզ։ Ինչպե՞ս եք։", 22, 4, 2),
    ("Hebrew", "שָׁלוֹם לְכֻלָּם. צה״ל.", 23, 3, 2),
    ("Arabic", "ذَهَبَ الوَلَدُ. كيف حالك؟", 26, 4, 2),
    ("Persian", "می\u200cخواهم بروم.", 13, 2, 1),
    ("Urdu", "آج موسم اچھا ہے۔", 16, 4, 1),
    ("Hindi", "हिन्दी में लिखना अच्छा है। ठीक?", 31, 6, 2),
    ("Bengali", "বাংলা ভাষা সুন্দর।", 18, 3, 1),
    ("Tamil", "தமிழ் மொழி இனிது.", 17, 3, 1),
    ("Malayalam", "അവന്\u200d വന്നു.", 11, 2, 1),
    ("Thai", "สวัสดี", 6, 4, 1),
    ("Khmer", "សួស្តី", 6, 3, 1),
    ("Chinese", "你好,世界。再见!", 9, 6, 2),
    ("Japanese", "コーヒーを飲む。", 8, 7, 1),
    ("Korean", "안녕하세요. 반갑습니다.", 13, 2, 2),
    ("Chinese and English", "我用 Python 3.11 写。", 17, 5, 1),
    ("Amharic", "ሰላም ነው። እሺ።", 11, 3, 2),
    ("wide letters", "ＡＢＣ ｄｅ", 6, 2, 1),
    ("what is invisible", "ab\u200bc \u00adde", 6, 2, 1),
    ("emoji", "Hi 👋🏽 there", 11, 2, 1),
]


@pytest.mark.parametrize(
    ("text", "characters", "words", "sentences"),
    [pytest.param(*case[1:], id=case[0]) for case in COUNTS],
)
async def test_units(text: str, characters: int, words: int, sentences: int) -> None:
    for unit, count in (("characters", characters), ("words", words), ("sentences", sentences)):
        for limit in (count - 1, count, count + 1):
            if limit < 1:
                continue
            over = [f"more than {limit} {unit}"] if count > limit else []
            under = [f"fewer than {limit} {unit}"] if count < limit else []
            assert await reasons(text, **{f"max_{unit}": limit}) == over
            assert await reasons(text, **{f"min_{unit}": limit}) == under


@pytest.mark.parametrize(
    ("limits", "text", "cut"),
    [
        ({"max_characters": 5}, "Hello there", " there"),
        ({"max_characters": 6}, "Hello there", " there"),
        ({"max_characters": 7}, "Hello there", "here"),
        ({"max_words": 2}, "One, two, three.", " three."),
        ({"max_words": 2}, "One two\n\n three four", "\n\n three four"),
        ({"max_words": 1}, "One!", None),
        ({"max_words": 3}, "你好世界", "界"),
        ({"max_words": 1}, "don't go", " go"),
        ({"max_sentences": 1}, "One. Two. Three.", " Two. Three."),
        ({"max_sentences": 2}, "一。二。三。", "三。"),
        ({"max_sentences": 1}, "One. \n \n", None),
        ({"max_characters": 2}, "e\u0301te\u0301", "e\u0301"),
        ({"max_characters": 2}, "ﬃ!", "ﬃ!"),
    ],
)
async def test_what_is_over_is_told(limits: dict[str, int], text: str, cut: str | None) -> None:
    said = quotes(await ask(of(**limits), text), text)
    assert said == ([] if cut is None else [("breach", cut)])


async def test_what_is_too_short_has_no_place() -> None:
    (finding,) = (await ask(of(min_words=3), "Too short")).findings
    assert (finding.part, finding.span, finding.reason) == (0, None, "fewer than 3 words")


async def test_each_limit_is_told_by_itself() -> None:
    limits = {"min_sentences": 2, "max_words": 2, "max_characters": 4, "min_characters": 2}
    assert await reasons("One two three", **limits) == [
        "more than 4 characters", "more than 2 words", "fewer than 2 sentences",
    ]  # fmt: skip
    assert await reasons("1,000 " * 2_000, max_words=1_500) == ["more than 1,500 words"]


async def test_each_part_counts_by_itself_but_not_what_was_thought() -> None:
    critic = of(max_words=2, min_words=2)
    texts = ["hm", "one two", "one", "one two three", "let me think about that"]
    kinds = ["thinking", "text", "text", "document", "thinking"]
    said = await ask(critic, *texts, kinds=kinds)  # type: ignore[arg-type]
    assert [finding.part for finding in said.findings] == [2, 3]
    assert said.looked == {"test.principle"}


async def test_each_principle_has_its_own() -> None:
    rules = [
        rule(LengthCritic, {"max_words": 1}, id="a"),
        rule(LengthCritic, {"max_words": 2}, id="b"),
    ]
    critic = bind(LengthCritic, *rules)
    said = await ask(critic, "one two", asked=["a", "b"])
    assert [finding.principle for finding in said.findings] == ["a"]
    assert not (await ask(critic, "one two", asked=["b"])).findings
    assert critic.need(Stage.OUTPUT) == Whole()


WORDS = st.lists(st.sampled_from(["one", "don't", "3.5", "你", "हिन्दी", "שָׁלוֹם", "é"]), max_size=12)


@given(WORDS, st.integers(1, 12))
async def test_what_is_left_fits(words: list[str], most: int) -> None:
    text = " ".join(words)
    critic = of(max_words=most)
    said = await ask(critic, text)
    assert bool(said.findings) == (len(words) > most)
    for finding in said.findings:
        assert finding.span is not None
        left = text[: finding.span[0]]
        assert left == " ".join(words[:most])
        assert not (await ask(critic, left)).findings


@given(st.text(max_size=60), st.sampled_from(["characters", "words", "sentences"]))
async def test_any_text_can_be_counted(text: str, unit: str) -> None:
    for finding in (await ask(of(**{f"max_{unit}": 1}), text)).findings:
        assert finding.span is not None
        assert 0 <= finding.span[0] < finding.span[1]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("word and " * 110_000, id="words"),
        pytest.param("明天" * 500_000, id="Chinese"),
        pytest.param("x" * 1_000_000, id="one word"),
        pytest.param("a'" * 500_000, id="apostrophes"),
        pytest.param("1." * 500_000, id="points"),
        pytest.param("!" * 1_000_000, id="marks"),
        pytest.param("e" + "\u0301\u0316" * 100_000, id="accents"),
    ],
)
async def test_promise_10_time_is_linear(text: str) -> None:
    critic = of(max_characters=9_000_000, min_words=5_000_000, max_sentences=5_000_000)
    before = time.process_time()
    await ask(critic, text)
    assert time.process_time() - before < 5


# -- in a constitution -----------------------------------------------------------------------------

FILE = "short.yaml"


def load(settings: str, *, action: str = "block", more: str = "") -> Constitution:
    text = f"""\
id: short
version: 1.0.0
{more}
principles:
  - id: short.reply
    text: Answers briefly.
    action: {action}
    critics:
      - length: {settings}
"""
    return parse_constitution(text, file=FILE, catalogue=REGISTRY)


@pytest.mark.parametrize(
    ("settings", "place", "says"),
    [
        pytest.param("{}", "9:", "no limit is named", id="none"),
        pytest.param("{max_words: 0}", "9:29", "expected at least 1", id="zero"),
        pytest.param("{max_words: -3}", "9:29", "expected at least 1", id="negative"),
        pytest.param("{max_words: 10_000_001}", "9:29", "", id="no number of YAML"),
        pytest.param("{max_words: 10000001}", "9:29", "expected at most", id="too many"),
        pytest.param("{max_words: 2.5}", "9:29", "expected a whole number", id="half a word"),
        pytest.param("{max_words: many}", "9:29", "expected a whole number", id="many"),
        pytest.param("{max_words: true}", "9:29", "expected a whole number", id="true"),
        pytest.param("{max_words: }", "9:18", "a key without a value", id="empty"),
        pytest.param("{max_word: 3}", "9:18", "max_words", id="misspelt"),
        pytest.param("{max_words: 3, min_words: 4}", "9:17", "nothing could fit", id="crossed"),
    ],
)
def test_promise_8_wrong_settings_are_refused_at_their_place(
    settings: str, place: str, says: str
) -> None:
    with pytest.raises(ConstitutionError) as raised:
        load(settings)
    problem = str(raised.value.problems[-1])
    assert says in problem
    assert problem.startswith(f"{FILE}:{place}")


def test_what_is_too_short_cannot_be_redacted() -> None:
    with pytest.raises(ConstitutionError) as raised:
        load("{max_words: 9, min_words: 3}", action="redact")
    (problem,) = map(str, raised.value.problems)
    assert "too short has nothing to redact" in problem
    assert problem.startswith(f"{FILE}:9:43")


def test_one_limit_is_enough() -> None:
    config = load("{max_words: 3}").principles[0].critics[0].config
    assert config == LengthConfig(max_words=3)
    assert load("{max_words: 3, min_words: 3}")


def test_the_catalogue_offers_it() -> None:
    assert REGISTRY["length"].critic is LengthCritic
    assert isinstance(of(max_words=1), Critic)


@pytest.mark.parametrize(
    ("settings", "text", "left"),
    [
        ("{max_words: 4}", "A very long reply, indeed.", "A very long reply,"),
        ("{max_sentences: 1}", "Yes. And there is more.", "Yes."),
        ("{max_characters: 10}", "It ﬁts or not.", "It ﬁts or"),
        ("{max_words: 9}", "ﬁne\u200b as it is", "ﬁne\u200b as it is"),
    ],
)
async def test_redaction_cuts_what_is_over(settings: str, text: str, left: str) -> None:
    short = load(settings, action="redact", more="replies: {blocked: 'No.', unavailable: 'No.'}")
    async with Guard.load(short, offline=True) as guard:
        decision = await guard.check_output(text)
    assert decision.text == left
    assert decision.verdict is (Verdict.ALLOW if text == left else Verdict.REDACT)


async def test_a_guard_blocks_what_is_too_short() -> None:
    short = load("{min_words: 3}")
    async with Guard.load(short, offline=True) as guard:
        assert (await guard.check_output("No.")).verdict is Verdict.BLOCK
        assert (await guard.check_output("")).verdict is Verdict.BLOCK
        assert (await guard.check_output("Not at all.")).verdict is Verdict.ALLOW
