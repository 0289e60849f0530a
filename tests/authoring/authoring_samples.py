"""Constitutions for the tests of authoring, written as JSON, which is YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from guardrails.authoring.codes import LintFinding
from guardrails.authoring.lint import lint
from guardrails.constitution.load import parse_constitution
from guardrails.constitution.model import Constitution
from guardrails.critic.registry import CriticRegistry

REGISTRY = CriticRegistry()
FILE = "sample.yaml"
FOLDER = Path(__file__).parent


def principle(**changes: Any) -> dict[str, Any]:
    """A principle without fault; a change to None takes a key away."""
    whole = {
        "id": "tone.insults",
        "text": "Does not insult the person who asks.",
        "source": {"title": "House rule"},
        "examples": {
            "breach": ["What a stupid thing to ask."],
            "fine": ["That question is answered on page two."],
        },
    }
    return {key: value for key, value in {**whole, **changes}.items() if value is not None}


def reaching(id: str) -> dict[str, Any]:
    """A test that reaches a principle."""
    return {
        "name": f"of {id}",
        "reply": "What a bother you are.",
        "judge": {id: {"breach": "bother"}},
        "expect": "block",
    }


def written(*principles: dict[str, Any], **head: Any) -> str:
    """A constitution file with these principles, each reached by a test."""
    rules = principles or (principle(),)
    tests = [reaching(rule["id"]) for rule in rules if "critics" not in rule]
    return json.dumps(
        {"id": "sample", "version": "1.0.0", "principles": rules, "tests": tests, **head},
        indent=1,
        ensure_ascii=False,
    )


def loaded(text: str) -> Constitution:
    return parse_constitution(text, file=FILE, catalogue=REGISTRY, folder=FOLDER)


def findings(text: str) -> list[LintFinding]:
    return lint(loaded(text), text, REGISTRY)


def codes(text: str) -> list[str]:
    return [finding.code for finding in findings(text)]
