"""Every program in the guide runs, and what it says of options is so."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from guardrails.asgi import GuardrailMiddleware
from guardrails.wire.formats import NAMES

GUIDE = Path(__file__).parents[2] / "docs" / "asgi.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.M | re.S)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_a_program_of_the_guide_runs(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", program],
        cwd=tmp_path,
        env={"GUARDRAILS_AUDIT": "memory", "HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr


def test_the_guide_knows_every_option_and_format() -> None:
    text = GUIDE.read_text("utf-8")
    options = set(inspect.signature(GuardrailMiddleware).parameters) - {"app", "options"}
    assert {name for name in options if name not in text} == set()
    assert {name for name in NAMES if f"`{name}`" not in text} == set()
