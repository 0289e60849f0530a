"""What the page about critics says is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from critics.invisible_text import KINDS, WIDEST, InvisibleTextCritic
from guardrails.constitution.load import parse_constitution
from guardrails.critic.protocol import Width
from guardrails.critic.registry import CriticRegistry
from guardrails.guard import Guard
from guardrails.text.normalise import INVISIBLE
from guardrails.verdict import Stage

PAGE = Path(__file__).parents[2] / "docs" / "critics.md"
TEXT = PAGE.read_text(encoding="utf-8")
REGISTRY = CriticRegistry()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE))
SHIPPED = [
    name
    for name in REGISTRY
    if name not in ("judge", "screen") and REGISTRY[name].critic.__module__.startswith("critics.")
]


def test_every_critic_without_a_model_has_a_section_and_a_line() -> None:
    assert [name for name in SHIPPED if name not in SECTIONS] == []
    assert [name for name in SHIPPED if f"\n| `{name}` |" not in TEXT] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_key_is_told(name: str) -> None:
    keys = REGISTRY[name].config.model_json_schema().get("properties", {})
    table = "\n".join(re.findall(r"^\| (`[^|]*) \|", SECTIONS[name], re.MULTILINE))
    assert [key for key in keys if f"`{key}`" not in table] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_its_example_loads_and_can_be_enforced(name: str) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", SECTIONS[name], re.DOTALL)
    found = parse_constitution(example, file=f"{name}.yaml", catalogue=REGISTRY)
    assert [use.name for use in found.principles[0].critics] == [name]
    assert Guard.load(found, offline=True).constitution is found


def test_kinds_and_limits_are_those_of_the_code() -> None:
    assert [kind for kind in KINDS if f"| `{kind}` |" not in SECTIONS["invisible_text"]] == []
    need = InvisibleTextCritic(()).need(Stage.OUTPUT)
    assert isinstance(need, Width)
    assert need.characters > WIDEST
    assert f"{need.characters:,} characters" in TEXT


def test_the_page_hides_nothing() -> None:
    assert INVISIBLE.search(TEXT) is None


def test_what_it_points_at_is_there() -> None:
    for target in re.findall(r"\]\((\.\./[^)]*)\)", TEXT):
        assert (PAGE.parent / target).exists()
