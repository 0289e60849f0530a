"""What the reference of the format says is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from constitution_samples import REGISTRY

from guardrails.constitution import source
from guardrails.constitution.load import parse_constitution
from guardrails.constitution.schema import json_schema
from guardrails.errors import ConstitutionError

PAGE = Path(__file__).parents[2] / "docs" / "constitution-format.md"
TEXT = PAGE.read_text()
EXAMPLE = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0]
NAME = "library-desk.yaml"


def test_its_example_loads() -> None:
    found = parse_constitution(EXAMPLE, file=NAME, catalogue=REGISTRY)
    assert found.principle("desk.loans").place == f"{NAME}:7"


def test_its_problems_are_told_so() -> None:
    lines = EXAMPLE.splitlines()
    wrong = [line.replace("action: revise", "acton: revise") for line in lines]
    wrong.insert(16, "    reply: {en: Sorry, not here}")
    with pytest.raises(ConstitutionError) as raised:
        parse_constitution("\n".join(wrong), file=NAME, catalogue=REGISTRY)
    for problem in raised.value.problems[:2]:
        assert f"\n{problem}\n" in TEXT


def properties(value: Any) -> set[str]:
    """The names of all keys that a schema knows."""
    if isinstance(value, list):
        return set().union(*map(properties, value))
    if not isinstance(value, dict):
        return set()
    return set(value.get("properties", ())).union(*map(properties, value.values()))


def test_every_key_is_told() -> None:
    words = set(re.findall(r"[a-z_]+", TEXT))
    units = ("characters", "words", "sentences")
    words |= {f"{limit}_{unit}" for limit in ("min", "max") for unit in units}
    assert properties(json_schema(REGISTRY)) - words == set()


def test_every_critic_is_told() -> None:
    assert [name for name in REGISTRY if f"| `{name}` |" not in TEXT] == []


def test_its_limits_are_those_of_the_reader() -> None:
    for limit in (source.MAX_LEVELS, source.MAX_NODES, source.MAX_ITEMS, source.MAX_KEYS):
        assert f"{limit:,}" in TEXT
    assert source.MAX_BYTES == 1024 * 1024


@pytest.mark.parametrize("page", ["constitution-format.md", "judge.md"])
def test_its_routing_loads(page: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.with_name(page).read_text(), re.DOTALL)
    (routing,) = (block for block in blocks if "routing:" in block)
    text = f"id: a\nversion: 1.0.0\nprinciples: [{{id: a.b, text: Is kind.}}]\n{routing}"
    found = parse_constitution(text, file=NAME, catalogue=REGISTRY).judging.routing
    assert len(found.start) == 3
    assert found.looks_again
    assert found.reversals is not None
