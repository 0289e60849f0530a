"""What the guide says of options is so; that its programs run is tried with all guides."""

from __future__ import annotations

import inspect
from pathlib import Path

from guardrails.asgi import GuardrailMiddleware
from guardrails.wire.formats import NAMES

GUIDE = Path(__file__).parents[2] / "docs" / "asgi.md"


def test_the_guide_knows_every_option_and_format() -> None:
    text = GUIDE.read_text("utf-8")
    options = set(inspect.signature(GuardrailMiddleware).parameters) - {"app", "options"}
    assert {name for name in options if name not in text} == set()
    assert {name for name in NAMES if f"`{name}`" not in text} == set()
