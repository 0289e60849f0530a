"""The table of entities says what the installed presidio says; its gates let every finding through.

Each gate is derived again from the recognizers' own patterns: from their syntax trees, and from
strings made by walking those.
"""

from __future__ import annotations

import inspect
import random
import re
import sys
from collections.abc import Callable
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import phonenumbers
import pytest
import regex
from presidio_analyzer import PatternRecognizer, predefined_recognizers
from presidio_analyzer.predefined_recognizers import (
    MedicalNERRecognizer,
    PhoneRecognizer,
    SpacyRecognizer,
    TransformersRecognizer,
)

from critics.pii.entities import (
    _ANY_DIGIT,
    ENTITIES,
    MOST_DIGITS,
    NEEDS_MODEL,
    Entity,
    Glance,
)

KINDS = {
    kind().supported_entities[0]: kind
    for _, kind in inspect.getmembers(predefined_recognizers, inspect.isclass)
    if issubclass(kind, PatternRecognizer | PhoneRecognizer)
}
BY_PATTERN = sorted(name for name, kind in KINDS.items() if issubclass(kind, PatternRecognizer))
SAMPLES = 40
"""Strings made from each pattern."""


def test_holds_what_presidio_finds_by_pattern_or_as_a_phone_number() -> None:
    assert {name: entity.recognizer for name, entity in ENTITIES.items()} == {
        name: kind.__name__ for name, kind in KINDS.items()
    }


def test_names_what_only_a_model_finds() -> None:
    by_model = {
        *SpacyRecognizer.ENTITIES,
        *TransformersRecognizer.ENTITIES,
        *MedicalNERRecognizer.ENTITIES,
    }
    by_model -= {"EMAIL"}  # a model's own label for what has another name in the table
    assert by_model - ENTITIES.keys() == NEEDS_MODEL


def test_knows_every_digit_that_presidio_knows() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    assert set(regex.findall(r"\d", everything)) <= set(re.findall(_ANY_DIGIT, everything))


@pytest.mark.parametrize("text", ["٤١١١", "4111", "４１１１", "𝟜𝟙𝟙𝟙", "é4111"])
def test_counts_digits_of_any_script(text: str) -> None:
    assert Glance(text).digits == 4


@pytest.mark.parametrize("text", ["1" * 50, "é" + "1" * 50])
def test_counts_no_further_than_any_gate_asks(text: str) -> None:
    assert Glance(text).digits == MOST_DIGITS == max(e.digits for e in ENTITIES.values())


def trees(name: str) -> list[Any]:
    # ItDriverLicense says (?i) in mid-pattern, which `re` refuses; case plays no part here.
    return [parser.parse(p.regex.replace("(?i)", "")) for p in KINDS[name]().patterns]


def fewest(tree: Any, counts: Callable[[str], bool]) -> int:
    """The least number of counted characters in a text that holds a match; a lower bound."""
    consumed = ahead = 0
    for kind, value in tree:
        if kind is op.LITERAL:
            consumed += counts(chr(value))
        elif kind is op.IN:
            consumed += _all(value, counts)
        elif kind is op.BRANCH:
            consumed += min(fewest(branch, counts) for branch in value[1])
        elif kind is op.SUBPATTERN:
            consumed += fewest(value[3], counts)
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            consumed += value[0] * fewest(value[2], counts)
        elif kind is op.ASSERT:
            ahead = max(ahead, fewest(value[1], counts))
        else:
            assert kind in (op.AT, op.ASSERT_NOT, op.GROUPREF, op.ANY, op.NOT_LITERAL)
    return max(consumed, ahead)


def _all(items: Any, counts: Callable[[str], bool]) -> bool:
    """Whether a character class holds counted characters only."""
    for kind, value in items:
        if kind is op.LITERAL:
            inside = counts(chr(value))
        elif kind is op.RANGE:
            inside = all(counts(chr(code)) for code in range(value[0], value[1] + 1))
        else:
            inside = kind is op.CATEGORY and value is op.CATEGORY_DIGIT and counts("0")
        if not inside:
            return False
    return True


@pytest.mark.parametrize("name", BY_PATTERN)
def test_asks_for_no_more_than_each_pattern_needs(name: str) -> None:
    entity = ENTITIES[name]
    assert entity.digits == min(fewest(tree, str.isdecimal) for tree in trees(name))
    if entity.any_of:
        assert min(fewest(tree, entity.any_of.__contains__) for tree in trees(name)) > 0


def sample(tree: Any, choose: random.Random, groups: dict[int, str]) -> str:
    """A string from a pattern's language (assertions aside), short ones as likely as long ones."""
    made = ""
    for kind, value in tree:
        if kind is op.LITERAL:
            made += chr(value)
        elif kind is op.NOT_LITERAL:
            made += choose.choice([c for c in "aZ0-. " if ord(c) != value])
        elif kind is op.ANY:
            made += choose.choice("aZ0-. ")
        elif kind is op.IN:
            made += _member(value, choose)
        elif kind is op.BRANCH:
            made += sample(choose.choice(value[1]), choose, groups)
        elif kind is op.SUBPATTERN:
            inner = sample(value[3], choose, groups)
            groups[value[0]] = inner
            made += inner
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            low, high, inner = value
            for _ in range(choose.choice([low, min(high, low + 3)])):
                made += sample(inner, choose, groups)
        elif kind is op.GROUPREF:
            made += groups.get(value, "")
    return made


def _member(items: Any, choose: random.Random) -> str:
    if items[0][0] is op.NEGATE:
        return choose.choice("aZ0")
    kind, value = choose.choice(items)
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.RANGE:
        return chr(choose.randint(*value))
    return choose.choice("0123456789" if value is op.CATEGORY_DIGIT else "aZ5")


@pytest.mark.parametrize("name", BY_PATTERN)
def test_lets_through_what_each_pattern_matches(name: str) -> None:
    choose = random.Random(name)
    for tree in trees(name):
        for _ in range(SAMPLES):
            text = sample(tree, choose, {})
            matched = any(
                regex.search(p.regex, text, KINDS[name]().global_regex_flags)
                for p in KINDS[name]().patterns
            )
            assert not matched or ENTITIES[name].may_be_in(Glance(text), 1.0), text


@pytest.mark.parametrize("name", ["CREDIT_CARD", "IBAN_CODE", "US_SSN"])
def test_the_shapes_are_seen_at_work(name: str) -> None:
    choose = random.Random(name)
    made = [sample(tree, choose, {}) for tree in trees(name) for _ in range(1_000)]
    assert all(re.search(ENTITIES[name].shape, text) for text in made)


@pytest.mark.parametrize("name", sorted(KINDS.keys() - set(BY_PATTERN)))
def test_no_phone_number_has_fewer_digits(name: str) -> None:
    regions = KINDS[name]().supported_regions
    for length in range(1, ENTITIES[name].digits):
        for number in range(10**length):
            for region in regions:
                for written in (f"{number:0{length}d}", f"+{number:0{length}d}"):
                    try:
                        parsed = phonenumbers.parse(written, region)
                    except phonenumbers.NumberParseException:
                        continue
                    assert not phonenumbers.is_valid_number(parsed)


def test_a_phone_number_without_a_context_word_scores_what_the_table_says() -> None:
    phone = ENTITIES["PHONE_NUMBER"]
    assert phone.alone == PhoneRecognizer.SCORE
    for word in PhoneRecognizer.CONTEXT:
        assert any(part in word for part in phone.words)


@pytest.mark.parametrize(
    ("entity", "text", "min_score", "expected"),
    [
        (Entity("X", digits=3), "12 a", 0.5, False),
        (Entity("X", digits=3), "12 3", 0.5, True),
        (Entity("X", any_of=".:"), "a;b", 0.5, False),
        (Entity("X", any_of=".:"), "a:b", 0.5, True),
        (Entity("X", shape="[a-z]{3}"), "ab1c", 0.5, False),
        (Entity("X", shape="[a-z]{3}"), "1abc", 0.5, True),
        (Entity("X", alone=0.4, words=("phone",)), "call", 0.5, False),
        (Entity("X", alone=0.4, words=("phone",)), "call", 0.4, True),
        (Entity("X", alone=0.4, words=("phone",)), "TelePHONE", 0.5, True),
        (Entity("X"), "", 1.0, True),
    ],
)
def test_all_conditions_of_a_gate_must_hold(
    entity: Entity, text: str, min_score: float, expected: bool
) -> None:
    assert entity.may_be_in(Glance(text), min_score) is expected
