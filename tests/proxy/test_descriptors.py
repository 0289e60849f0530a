"""The limit of open files is raised to what the proxy may need, or it is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from warm_python import run_python

PROGRAM = """
import resource, sys
from guardrails.proxy.descriptors import make_room
from guardrails.proxy.logs import set_up

soft, hard, connections = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
set_up()
make_room(connections)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "made", "is_told"),
    [
        (256, 1_024, 100, 400, False),
        (256, 1_024, 10_000, 1_024, True),
        (512, 1_024, 100, 512, False),
        (1_024, 1_024, 10_000, 1_024, True),
    ],
)
def test_it_is_raised_as_far_as_is_needed(
    soft: int, hard: int, connections: int, made: int, is_told: bool, tmp_path: Path
) -> None:
    given = map(str, (soft, hard, connections))
    done = run_python(PROGRAM, *given, folder=tmp_path, environment=os.environ)
    assert (done.returncode, done.stdout) == (0, b"%d\n" % made), done.stderr
    assert (b"limits.connections" in done.stderr) is is_told
