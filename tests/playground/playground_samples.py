"""A constitution for the playground's tests, and a server of its page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONSTITUTION = """\
schema: 1
id: house
version: 1.0.0
title: House rules
principles:
  - id: house.dose
    text: Leaves the dose to a doctor.
    action: revise
    critics: [{pattern: {breach: ['take \\d+ mg']}}, judge]
    remedy: {replace_sentence: Please ask a doctor.}
    examples: {breach: [Just take 80 mg.], fine: [The label has the dose.]}
    source: {title: House rule}
  - id: house.secret
    text: Keeps the word.  # lint: ignore L103 one word
    stages: [input, output]
    action: block
    critics: [{pattern: {breach: [xyzzy]}}]
    examples: {breach: [xyzzy], fine: [a word]}
    source: {title: House rule}
tests:
  - {name: a dose, reply: Please take 80 mg now., expect: revise, breaches: [house.dose]}
  - {name: the word, reply: Say xyzzy., expect: block, breaches: [house.secret]}
"""

PROGRAM = "import sys; from guardrails.cli import main; sys.exit(main())"


@contextmanager
def served(file: Path) -> Iterator[str]:
    """The address of a real playground in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "playground", str(file), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=file.parent,
        env={**os.environ, "NO_COLOR": "1"},
    ) as process:
        assert process.stderr is not None
        try:
            yield process.stderr.readline().split()[0]
        finally:
            process.terminate()
            assert process.wait(15) in (0, -15)
            assert process.stderr.read() == ""
