"""The guide knows every option, and what it says of the lists is so."""

from __future__ import annotations

import inspect
from pathlib import Path

from guardrails import wrap
from guardrails.guard import Guard
from guardrails.prompts.instructing import MOST_CHARS, POSITIONS

GUIDE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text("utf-8")


def test_the_guide_knows_every_option() -> None:
    ours = set(inspect.signature(wrap).parameters) - {"client", "guard"}
    loading = set(inspect.signature(Guard.load).parameters) - {"offline"}
    assert {name for name in ours - loading if f"`{name}" not in GUIDE} == set()
    assert loading - ours == {"constitution"}


def test_the_guide_knows_the_instructions() -> None:
    options = set(inspect.signature(Guard.instructions).parameters) - {"self"}
    assert {name for name in options if f"`{name}" not in GUIDE} == set()
    assert all(f'`"{position}"`' in GUIDE for position in POSITIONS)
    assert f"{MOST_CHARS:,} characters" in GUIDE
