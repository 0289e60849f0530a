"""What authors begin with is without fault, whatever they asked for."""

from __future__ import annotations

import asyncio

import pytest
import yaml
from authoring_samples import REGISTRY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrails.authoring.cases import run_cases
from guardrails.authoring.lint import lint
from guardrails.authoring.scaffold import Plan, name_problem, scaffold, suggested_name
from guardrails.constitution.load import parse_constitution
from guardrails.constitution.model import Constitution
from guardrails.verdict import Stage

SOME_STAGES = [[stage] for stage in Stage] + [list(Stage)]


def made(plan: Plan) -> tuple[Constitution, str]:
    text = scaffold(plan, file="f.yaml")
    assert isinstance(yaml.safe_load(text), dict)  # readers differ in what they forgive
    return parse_constitution(text, file="f.yaml", catalogue=REGISTRY), text


@pytest.mark.parametrize("parents", [(), ("base@^1",)], ids=["alone", "a child of base"])
@pytest.mark.parametrize("stages", SOME_STAGES, ids=lambda stages: "+".join(stages))
def test_it_lints_clean_and_its_tests_pass(stages: list[Stage], parents: tuple[str, ...]) -> None:
    replies = frozenset({"en", "de"} if parents else ())
    plan = Plan(name="help-desk", title="T", parents=parents, replies=replies, stages=stages)
    constitution, text = made(plan)
    assert [str(found) for found in lint(constitution, text, REGISTRY)] == []
    results = asyncio.run(run_cases(constitution))
    assert [result.message for result in results if result.status != "passed"] == []
    assert any(case.judge for case in constitution.tests)
    assert any(case.judge is None for case in constitution.tests)
    reached = {id for case in constitution.tests for id in case.breaches or ()}
    assert reached == {p.id for p in constitution.principles if p.origin == "help-desk@0.1.0"}


@pytest.mark.parametrize("languages", [["de"], ["en", "de"], ["nl", "pt-br", "en"]])
@pytest.mark.parametrize("parents", [(), ("base@^1",)], ids=["alone", "a child of base"])
def test_every_language_has_its_replies(languages: list[str], parents: tuple[str, ...]) -> None:
    replies = frozenset({"en", "de"} if parents else ())
    constitution, text = made(
        Plan(name="a", title="T", languages=languages, parents=parents, replies=replies)
    )
    assert [str(found) for found in lint(constitution, text, REGISTRY)] == []
    assert constitution.reply_blocked.keys() >= set(languages)


texts = st.text(min_size=1, max_size=40).filter(lambda text: text.strip())
readable = texts.filter(lambda text: not any(0xD800 <= ord(sign) < 0xE000 for sign in text))


@given(readable, readable)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_titles_and_owners_stay_what_they_are(title: str, owner: str) -> None:
    constitution, _ = made(Plan(name="a", title=title, owner=owner))
    assert (constitution.title, constitution.owner) == (title, owner)


@given(texts)
@settings(max_examples=300, deadline=None)
def test_what_is_suggested_is_a_name(name: str) -> None:
    suggested = suggested_name(name)
    assert not suggested or not name_problem(suggested)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Help Desk", "help-desk"),
        ("help_desk.yaml", "help-desk"),
        ("rules/Help Desk.YML", "help-desk"),
        ("..\\..\\etc", "etc"),
        ("a..b", "a.b"),
        ("-x-", "x"),
        ("budget", ""),
        ("pii.output", ""),
        ("x.approvals", ""),
        ("???", ""),
        ("x" * 100, "x" * 80),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_what_was_meant(name: str, meant: str) -> None:
    assert name_problem(name)
    assert suggested_name(name) == meant


@pytest.mark.parametrize("name", ["help-desk", "a", "med.dosage", "x" * 80, "2nd-line"])
def test_a_name_that_can_be_is_taken(name: str) -> None:
    assert not name_problem(name)
    made(Plan(name=name, title="T"))
