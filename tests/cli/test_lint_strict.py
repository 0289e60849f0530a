"""`constitution lint --strict`: advice fails, unless a comment silences it."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrails.cli import main

ADVISED = """id: a
version: 1.0.0
principles: []
tests: [{name: a photo, prompt: Hm?, attachments: [image], expect: allow}]
attachments:
  input: {image: flag}
"""


@pytest.mark.parametrize(
    ("text", "plain", "strict"),
    [
        (ADVISED, 0, 1),
        (ADVISED.strip() + "  # lint: ignore L107 staff look at all of them\n", 0, 0),
        (ADVISED + "tools: {allow: [x], deny: [x]}\n", 1, 1),
        (ADVISED + "unknown: 1\n", 2, 2),
    ],
    ids=["advice", "silenced", "error", "does not load"],
)
def test_advice_fails_only_if_strict(
    text: str, plain: int, strict: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    assert main(["lint", str(file)]) == plain
    assert main(["lint", "--strict", str(file)]) == strict
