"""Changing a text without a model."""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipeline_samples import hides, plan_of, rule

from guardrails.exchange import Part
from guardrails.pipeline import remedy
from guardrails.pipeline.remedy import apply_edits, mask, remedy_edits
from guardrails.text.sentences import sentences
from guardrails.verdict import Finding, Span, Stage

KINDS = {
    "redact": rule("redact.rule", action="redact"),
    "replace": rule("replace.rule", action="revise", replace_with="Ask a person."),
    "drop": rule("drop.rule", action="revise", replace_with=""),
    "append": rule("append.rule", action="revise", append="See a doctor.", requires=True),
    "mask": hides("CREDIT_CARD", "mask"),
    "pseudonymise": hides("EMAIL_ADDRESS", "pseudonymise"),
    "label": hides("US_SSN", "redact"),
    "none": rule("none.rule", action="revise"),
    "flag": rule("flag.rule", action="flag"),
}
CONSTITUTION = plan_of(*KINDS.values(), offline=True).constitution


def found(kind: str, span: Span | None, part: int | None = 0) -> Finding:
    principle = KINDS[kind]
    return Finding(
        principle=principle.id,
        critic="a critic",
        value="breach",
        cause="policy",
        action=principle.actions[Stage.OUTPUT],
        part=part,
        span=span,
    )


def at(text: str, quote: str) -> Span:
    start = text.index(quote)
    return start, start + len(quote)


def mended(text: str, *findings: Finding) -> str | None:
    parts = [Part(text=text, role="assistant")]
    edits = remedy_edits(findings, parts, CONSTITUTION)
    return None if edits is None else apply_edits(parts, edits).get(0, text)


@pytest.mark.parametrize(
    ("kind", "text", "quote", "after"),
    [
        ("redact", "Say the bad word.", "bad", "Say the  word."),
        ("label", "It is 123-45-6789.", "123-45-6789", "It is [US_SSN]."),
        ("pseudonymise", "To jo@x.org.", "jo@x.org", "To [EMAIL_ADDRESS]."),
        ("mask", "Pay 4111 1111 1111 1234.", "4111 1111 1111 1234", "Pay **** **** **** 1234."),
        ("replace", "One. Take two pills. Three.", "two", "One. Ask a person. Three."),
        ("replace", "Take two pills", "two", "Ask a person."),
        ("replace", "One! Take\ntwo pills. Three.", "Take\ntwo", "One! Ask a person. Three."),
        ("drop", "One. Take two pills. Three.", "two", "One. Three."),
        ("flag", "Take two pills.", "two", "Take two pills."),
    ],
)
def test_a_remedy_changes_what_was_found(kind: str, text: str, quote: str, after: str) -> None:
    assert mended(text, found(kind, at(text, quote))) == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("Rest well.", "Rest well. See a doctor."),
        ("Rest well.  \n", "Rest well. See a doctor.  \n"),
        ("Rest.\nDrink.", "Rest.\nDrink.\n\nSee a doctor."),
        ("", "See a doctor."),
    ],
)
def test_an_addition_stands_apart_from_what_was_there(text: str, after: str) -> None:
    assert mended(text, found("append", None)) == after


def test_an_addition_goes_to_the_last_target_that_is_prose() -> None:
    parts = [
        Part(text="One.", role="assistant"),
        Part(text="Two.", role="assistant"),
        Part(text="Thought.", role="assistant", kind="thinking"),
        Part(text="Before.", role="user", target=False),
    ]
    edits = remedy_edits([found("append", None, None)], parts, CONSTITUTION)
    assert edits is not None
    assert apply_edits(parts, edits) == {1: "Two. See a doctor."}


@pytest.mark.parametrize(
    ("kind", "span", "parts"),
    [
        ("none", (0, 3), [Part(text="bad")]),
        ("replace", None, [Part(text="bad")]),
        ("append", None, [Part(text="bad", kind="tool_call")]),
        ("append", None, [Part(text="bad", target=False)]),
    ],
    ids=["no remedy", "no place", "no prose", "no target"],
)
def test_what_no_remedy_can_mend_has_none(kind: str, span: Any, parts: list[Part]) -> None:
    place = 0 if span else None
    assert remedy_edits([found(kind, span, place)], parts, CONSTITUTION) is None


def test_one_breach_without_a_remedy_leaves_none_for_all() -> None:
    text = "Take two pills."
    assert mended(text, found("redact", at(text, "two")), found("none", at(text, "pills"))) is None


@pytest.mark.parametrize("part", [None, 0])
def test_what_has_no_place_withholds_its_part_or_every_target(part: int | None) -> None:
    parts = [Part(text="one"), Part(text="two"), Part(text="context", target=False)]
    edits = remedy_edits([found("redact", None, part)], parts, CONSTITUTION)
    assert edits is not None
    assert {edit.kind for edit in edits} == {"withhold"}
    assert apply_edits(parts, edits) == ({0: "", 1: ""} if part is None else {0: ""})


TEXT = "One. Take two pills of 4111111111111234 now. Three."
CARD = at(TEXT, "4111111111111234")
SENTENCE = "One. {} Three."


@pytest.mark.parametrize(
    ("findings", "after"),
    [
        ([found("mask", CARD), found("redact", CARD)], "One. Take two pills of  now. Three."),
        (
            [found("mask", CARD), found("redact", (CARD[0] - 3, CARD[0] + 2))],
            "One. Take two pills  now. Three.",
        ),
        (
            [found("mask", (CARD[0], CARD[0] + 10)), found("mask", (CARD[0] + 5, CARD[1]))],
            f"One. Take two pills of {'*' * 16} now. Three.",
        ),
        (
            [found("mask", CARD), found("mask", (CARD[0], CARD[0] + 6))],
            f"One. Take two pills of {'*' * 16} now. Three.",
        ),
        (
            [found("mask", CARD), found("mask", CARD)],
            "One. Take two pills of ************1234 now. Three.",
        ),
        ([found("mask", CARD), found("replace", CARD)], "One. Ask a person. Three."),
        ([found("replace", CARD), found("drop", CARD)], "One. Ask a person. Three."),
        (
            [found("label", CARD), found("pseudonymise", CARD)],
            "One. Take two pills of [EMAIL_ADDRESS] now. Three.",
        ),
        (
            [found("redact", at(TEXT, "two")), found("mask", CARD)],
            "One. Take  pills of ************1234 now. Three.",
        ),
        ([found("replace", at(TEXT, "two"))] * 2, "One. Ask a person. Three."),
        (
            [found("replace", at(TEXT, "One")), found("replace", at(TEXT, "Three"))],
            "Ask a person. Take two pills of 4111111111111234 now. ",
        ),
        (
            [found("append", None), found("drop", at(TEXT, "Three"))],
            "One. Take two pills of 4111111111111234 now. See a doctor.",
        ),
    ],
    ids=[
        "a redaction over a mask",
        "a redaction into a mask",
        "masks that overlap",
        "a mask in a mask",
        "the same mask twice",
        "a sentence with a mask",
        "the first of two sentences' remedies",
        "the first of two labels",
        "apart",
        "the same twice",
        "said once",
        "an addition after the last sentence is gone",
    ],
)
def test_edits_that_meet_become_one(findings: list[Finding], after: str) -> None:
    for turned in (findings, findings[::-1]):
        given = mended(TEXT, *turned)
        assert given is not None
        assert given.split() == after.split()


def test_an_addition_survives_the_sentence_before_it() -> None:
    text = "Rest well. Take two pills. "
    given = mended(text, found("append", None), found("drop", at(text, "two")))
    assert given is not None
    assert given.split() == ["Rest", "well.", "See", "a", "doctor."]


@given(st.text(max_size=40))
def test_a_mask_leaves_no_more_than_the_last_four_letters_or_digits(value: str) -> None:
    masked = mask(value)
    signs = [sign for sign in value if sign.isalnum()]
    left = [sign for sign in masked if sign.isalnum()]
    assert len(masked) == len(value)
    assert left == (signs[-4:] if len(signs) > 4 else [])
    assert [s for s in value if not s.isalnum()] == [
        new for old, new in zip(value, masked, strict=True) if not old.isalnum()
    ]


texts = st.text(alphabet="ab1 .\n", min_size=1, max_size=30)


@st.composite
def breached(draw: st.DrawFn) -> tuple[str, list[Finding]]:
    text = draw(texts)
    findings = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from([k for k in KINDS if k not in ("none", "append")]))
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        findings.append(found(kind, (start, end)))
    if draw(st.booleans()):
        findings.append(found("append", None))
    return text, findings


@given(breached())
def test_edits_stand_in_the_order_of_the_text_and_apart(case: tuple[str, list[Finding]]) -> None:
    text, findings = case
    edits = remedy_edits(findings, [Part(text=text)], CONSTITUTION)
    assert edits is not None
    at = 0
    for edit in edits:
        assert at <= edit.span[0] <= edit.span[1] <= len(text)
        at = edit.span[1]


@given(breached())
def test_all_that_is_to_be_changed_lies_in_an_edit(case: tuple[str, list[Finding]]) -> None:
    text, findings = case
    edits = remedy_edits(findings, [Part(text=text)], CONSTITUTION)
    assert edits is not None
    for finding in findings:
        if finding.action == "flag" or finding.span is None:
            continue
        start, end = finding.span
        said = text[start:end]
        if not said.strip():
            continue  # blanks round a sentence may stay
        start += len(said) - len(said.lstrip())
        end -= len(said) - len(said.rstrip())
        assert any(
            edit.span[0] <= start and end <= edit.span[1] and finding.principle in edit.principles
            for edit in edits
        )


@given(breached())
def test_masks_leave_no_more_than_four_of_any_value(case: tuple[str, list[Finding]]) -> None:
    text, findings = case
    edits = remedy_edits(findings, [Part(text=text)], CONSTITUTION)
    assert edits is not None
    for edit in edits:
        if edit.kind in ("mask", "redact"):
            visible = [sign for sign in edit.replacement if sign in "ab1"]
            assert len(visible) <= 4


@given(breached(), st.randoms(use_true_random=False))
def test_the_order_of_findings_does_not_matter(
    case: tuple[str, list[Finding]], random: Any
) -> None:
    text, findings = case
    turned = list(findings)
    random.shuffle(turned)
    assert mended(text, *findings) == mended(text, *turned)


# -- many findings -------------------------------------------------------------------------------


def test_a_text_is_split_once_however_much_is_found_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    split = []
    monkeypatch.setattr(remedy, "sentences", lambda text: split.append(text) or sentences(text))
    text = "It is bad. " * 500
    findings = [found("replace", (at, at + 3)) for at in range(6, len(text), 11)]
    assert mended(text, *findings) == "Ask a person. " + " " * 499
    assert split == [text]


def test_what_leads_to_one_edit_is_worked_out_once() -> None:
    """With as many findings as parts nothing may grow with both."""
    parts = [Part(text="It is bad.", role="tool") for _ in range(20_000)]
    findings = [found("redact", None, part=None)] * len(parts)
    findings += [found("redact", None, part=index) for index in range(len(parts))]
    findings += [found("append", None, part=index) for index in range(len(parts))]
    edits = remedy_edits(findings, parts, CONSTITUTION)
    assert edits is not None
    assert Counter(edit.kind for edit in edits) == {"withhold": len(parts), "append": 1}


def test_a_mask_over_more_than_a_value_leaves_nothing() -> None:
    text = "4111 1111 1111 1234, " * 10
    masked = mended(text, found("mask", (0, len(text))))
    assert masked == re.sub("[0-9]", "*", text)


@pytest.mark.proof
def test_twice_the_findings_take_twice_the_time() -> None:
    def seconds(count: int) -> float:
        text = "I guarantee you a full refund today. " * count
        findings = [found("replace", (at, at + 5)) for at in range(2, len(text), 37)]
        started = time.process_time()
        mended(text, *findings)
        return time.process_time() - started

    seconds(100)
    assert seconds(16_000) < 24 * seconds(2_000)
