"""`guard.instructions`: what the application's own model is told of the constitution."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from guard_samples import guard_in, written

from guardrails.constitution.model import Example
from guardrails.errors import SettingsError
from guardrails.guard import Guard
from guardrails.prompts.instructing import (
    DIGEST,
    MOST_CHARS,
    MOST_REPEATED,
    POSITIONS,
    VERSION,
    Instructions,
    Position,
    instruct,
)
from guardrails.prompts.rules import in_words
from guardrails.verdict import Stage

RULES = """
  - {id: a.low, text: Is brief., severity: low, action: flag,
     critics: [length: {max_characters: 9000}]}
  - id: a.grave
    text: Names no dose.
    breach: Says how much.
    not_breach: Names the leaflet.
    severity: critical
    action: block
    critics: [pattern: {breach: [mg]}]
    examples:
      breach: [{prompt: How much?, reply: Take 5 mg.}, Take 6 mg., Take 7 mg.]
      fine: [Read the leaflet., Ask a pharmacist.]
  - {id: a.locked, text: Tells no secret., severity: low, locked: true, action: block,
     critics: [pattern: {breach: [secret]}]}
  - {id: a.asked, text: Is not asked for secrets., stages: [input], action: block,
     critics: [pattern: {breach: [secret]}]}
  - {id: a.called, text: Calls nothing dangerous., stages: [tool_call], severity: high,
     action: block, critics: [pattern: {breach: [dangerous]}]}
pii:
  output: {CREDIT_CARD: mask, EMAIL_ADDRESS: flag}
"""
REPLIES = "replies: {blocked: {en: Not here., de: Nicht hier.}, unavailable: {en: Later.}}"


@pytest.fixture
def house(tmp_path: Path) -> Guard:
    text = written(RULES)
    old = next(line for line in text.splitlines() if line.startswith("replies:"))
    return guard_in(tmp_path, text.replace(old, REPLIES), offline=True)


def test_the_words_are_the_judges(house: Guard) -> None:
    """Without the examples that a judge is told and that are too many here."""
    told = house.instructions()
    for id in ("a.low", "a.grave", "a.locked"):
        words = [
            line for line in in_words(house.constitution.principle(id)).splitlines()
            if not line.startswith("- ")
        ]  # fmt: skip
        assert "\n".join(words) in told
    assert told.index("## a.low") < told.index("## a.grave") < told.index("## a.locked")


def test_few_examples_of_both_kinds_are_told(house: Guard) -> None:
    told = house.instructions()
    assert "- breach: (asked: How much?) Take 5 mg." in told
    assert "- breach: Take 6 mg." in told
    assert "Take 7 mg." not in told
    assert "- no breach: Ask a pharmacist." in told


def test_the_gravest_come_again_at_the_end(house: Guard) -> None:
    for position in ("end", "both"):
        _, again = house.instructions(position).split("# Above all")
        assert again.split("\n- ")[1:] == ["Names no dose.", "Tells no secret."]
    assert "# Above all" not in house.instructions("start")


def test_the_position_says_where_the_applications_own_words_stand(house: Guard) -> None:
    own = "You sell tea."
    start, end, both = [house.instructions(position).around(own) for position in POSITIONS]
    assert start == f"{house.instructions('start')}\n\n{own}"
    assert end == f"{own}\n\n{house.instructions('end')}"
    assert both == f"{house.instructions('start')}\n\n{own}\n\n{both[both.index('# Above') :]}"
    assert both.count(own) == 1


@pytest.mark.parametrize("position", POSITIONS)
def test_the_text_is_pinned(position: Position, house: Guard, tmp_path: Path) -> None:
    told, again = house.instructions(position), house.instructions(position)
    assert told == again
    assert told.digest == again.digest == f"sha256:{hashlib.sha256(told.encode()).hexdigest()}"
    assert told.version == VERSION
    assert told.constitution == "house@1.2.0"
    assert told.constitution_digest == house.constitution.digest
    other = guard_in(tmp_path, written(RULES.replace("Is brief.", "Is short.")), offline=True)
    assert other.instructions(position).digest != told.digest


def test_it_is_a_string_wherever_one_is_wanted(house: Guard) -> None:
    told = house.instructions()
    assert type(told.text) is str
    assert str(told) == told.text == told
    assert json.loads(json.dumps({"system": told})) == {"system": told.text}
    assert repr(told) == f"<Instructions house@1.2.0, both, {len(told)} characters>"
    for copied in (copy.deepcopy(told), pickle.loads(pickle.dumps(told))):
        assert copied == told
        assert copied.digest == told.digest
        assert copied.around("x") == told.around("x")


def test_only_the_principles_of_the_stage_are_told(house: Guard) -> None:
    assert "a.asked" not in house.instructions()
    called = house.instructions(stage="tool_call")
    assert called.startswith("# Principles\n\nEvery call of a tool that you make")
    assert "a.called" in called
    assert "a.low" not in called
    assert "Not here." not in called


def test_only_personal_data_that_is_taken_out_is_told(house: Guard) -> None:
    told = house.instructions()
    assert "## Personal data\n- Does not disclose payment card numbers." in told
    assert "e-mail" not in told


@pytest.mark.parametrize(
    ("language", "reply"),
    [(None, "Not here."), ("de", "Nicht hier."), ("de_AT", "Nicht hier."), ("fr", "Not here.")],
)
def test_it_declines_in_the_language(language: str | None, reply: str, house: Guard) -> None:
    assert f"say only: {reply}" in house.instructions(language=language)


def test_an_example_that_hides_something_is_not_told(tmp_path: Path) -> None:
    hidden = "Nine to five." + "".join(f"\\U{0xE0000 + ord(c):08x}" for c in "OBEY")
    rules = RULES.replace("Take 6 mg.", f'"{hidden}"')
    told = guard_in(tmp_path, written(rules), offline=True).instructions()
    assert "Nine to five" not in told
    assert "Take 7 mg." in told


def test_examples_give_way_where_it_would_get_long(house: Guard) -> None:
    grave = house.constitution.principle("a.grave")
    many = tuple(
        replace(grave, id=f"a.n{n}", breach_examples=(Example(reply="x" * 500),) * 9)
        for n in range(100)
    )
    told = instruct(replace(house.constitution, principles=many), position="both")
    assert len(told) < MOST_CHARS + 2_000
    assert all(f"## a.n{n}\n" in told for n in range(100))
    assert "xxx" not in told
    assert told.split("# Above all")[1].count("\n- ") == MOST_REPEATED


@pytest.mark.parametrize("name", ["base", "medical", "customer-service", "creative-writing"])
def test_the_constitutions_that_ship_can_be_told(name: str) -> None:
    guard = Guard.load(name, offline=True)
    told = guard.instructions()
    assert isinstance(told, Instructions)
    assert len(told) < MOST_CHARS
    for principle in guard.constitution.at(Stage.OUTPUT):
        assert principle.entity or f"## {principle.id}\n" in told


@pytest.mark.parametrize("wrong", [{"position": "middle"}, {"stage": "answer"}])
def test_what_there_is_not_is_refused(wrong: dict[str, str], house: Guard) -> None:
    with pytest.raises(SettingsError, match="expected one of"):
        house.instructions(**wrong)


def test_the_templates_words_are_held_to_its_version() -> None:
    """Whoever changes them raises the version and puts the new digest here."""
    assert (VERSION, DIGEST[:16]) == ("1.0.0", "f96c5adf198d4043")
