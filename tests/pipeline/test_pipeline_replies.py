"""What a person sees instead."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_samples import plan_of, rule

from guardrails.constitution.model import Constitution, Principle
from guardrails.pipeline.replies import Reply, in_language, reply_to
from guardrails.verdict import Cause, Finding, FindingCause

BLOCKED = {"en": "No.", "de": "Nein.", "zh-hant": "不行。", "pt-br": "Não."}
UNAVAILABLE = {"en": "Later.", "de": "Später."}


def of(*principles: Principle) -> Constitution:
    return plan_of(
        *principles, reply_blocked=BLOCKED, reply_unavailable=UNAVAILABLE, offline=True
    ).constitution


def seen(principle: str, action: Any = "block", cause: FindingCause = "policy") -> Finding:
    return Finding(principle=principle, critic="c", value="breach", cause=cause, action=action)


OWN = of(
    rule("a.rule", reply={"en": "Not a.", "de": "Nicht a."}),
    rule("b.rule", reply={"en": "Not b."}),
    rule("c.rule"),
)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (None, "No."),
        ("de", "Nein."),
        ("DE", "Nein."),
        ("de-AT", "Nein."),
        ("de_CH", "Nein."),
        ("zh-Hant-TW", "不行。"),
        ("pt-BR", "Não."),
        ("pt", "No."),
        ("fr", "No."),
        ("", "No."),
        ("-", "No."),
    ],
)
def test_a_reply_is_in_the_callers_language_or_the_first(language: str | None, text: str) -> None:
    assert in_language(BLOCKED, language) == text


def test_the_first_language_is_the_constitutions_own() -> None:
    assert in_language({"de": "Nein.", "en": "No."}, "fr") == "Nein."


@pytest.mark.parametrize(
    ("findings", "cause", "language", "reply"),
    [
        ([seen("c.rule")], "policy", None, Reply("blocked", "No.")),
        ([seen("c.rule")], "policy", "de", Reply("blocked", "Nein.")),
        ([seen("a.rule")], "policy", "de", Reply("a.rule", "Nicht a.")),
        ([seen("b.rule")], "policy", "de", Reply("b.rule", "Not b.")),
        ([seen("b.rule"), seen("a.rule")], "policy", None, Reply("a.rule", "Not a.")),
        ([seen("a.rule"), seen("b.rule", "escalate")], "policy", None, Reply("b.rule", "Not b.")),
        ([seen("a.rule", "flag"), seen("c.rule")], "policy", None, Reply("blocked", "No.")),
        ([seen("a.rule", "revise")], "policy", None, Reply("a.rule", "Not a.")),
        ([seen("a.rule", cause="raised")], "undecided", None, Reply("a.rule", "Not a.")),
        ([seen("a.rule", cause="outage")], "outage", None, Reply("unavailable", "Later.")),
        ([seen("a.rule", cause="outage")], "outage", "de-DE", Reply("unavailable", "Später.")),
        ([seen("budget.max_chars", cause="limit")], "limit", None, Reply("unavailable", "Later.")),
        (
            [seen("a.rule", cause="outage"), seen("b.rule")],
            "policy",
            None,
            Reply("b.rule", "Not b."),
        ),
        (
            [seen("a.rule", cause="outage"), seen("c.rule")],
            "policy",
            None,
            Reply("blocked", "No."),
        ),
        ([seen("somebody.elses")], "policy", None, Reply("blocked", "No.")),
        ([], "policy", None, Reply("blocked", "No.")),
    ],
    ids=[
        "of the constitution",
        "in a language",
        "of the principle",
        "of the principle in its language",
        "of the first of equals",
        "of the gravest",
        "not of a milder one",
        "of what could not be revised",
        "of what was not known",
        "an outage",
        "an outage in a language",
        "a limit",
        "of the breach beside an outage",
        "no outage told as a breach",
        "of a principle that is not there",
        "of nothing",
    ],
)
def test_whose_reply_is_given(
    findings: list[Finding], cause: Cause, language: str | None, reply: Reply
) -> None:
    assert reply_to(OWN, findings, cause, language) == reply
    assert reply_to(OWN, findings[::-1], cause, language) == reply


def test_promise_9_a_reply_is_kept_out_of_its_repr() -> None:
    assert "Not a." not in repr(reply_to(OWN, [seen("a.rule")], "policy", None))
