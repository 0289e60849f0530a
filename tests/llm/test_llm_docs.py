"""The guide's settings are settings, and its numbers are those of the code."""

from __future__ import annotations

import re
import tomllib
from inspect import signature
from pathlib import Path

import pytest

from guardrails.llm.attempts import refused
from guardrails.llm.body import LARGEST_BODY
from guardrails.llm.breaker import Breaker
from guardrails.llm.endpoint import CONNECT_S, Retries
from guardrails.llm.roles import BEFORE_A_FALLBACK, Roles
from guardrails.settings import Provider, Settings

GUIDE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
KEYS = {"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o", "GATEWAY_KEY": "g"}


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_settings_in_the_guide_can_be_used(block: str) -> None:
    settings = Settings.model_validate(tomllib.loads(block))
    assert set(Roles(settings, environ=KEYS).resolved()) >= set(settings.models)


def test_numbers_in_the_guide_are_those_of_the_code() -> None:
    assert (CONNECT_S, LARGEST_BODY) == (5, 4 * 1024 * 1024)
    assert (Retries().times, Retries().first_s, Retries().patience_s) == (2, 0.5, 60)
    assert (BEFORE_A_FALLBACK.times, BEFORE_A_FALLBACK.patience_s) == (1, 2)
    defaults = {name: each.default for name, each in signature(Breaker).parameters.items()}
    assert (defaults["threshold"], defaults["window_s"], defaults["pause_s"]) == (5, 60, 15)
    assert Provider(kind="openai").max_concurrency == 32


def test_statuses_in_the_guide_are_those_of_the_code() -> None:
    for line in GUIDE.splitlines():
        if line.startswith("| ") and re.match(r"\| \d", line):
            outage = "| outage |" in line
            for status in map(int, re.findall(r"\b[45]\d\d\b", line)):
                assert refused(status, {}).is_outage is outage, status
