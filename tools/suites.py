"""Say which suites `make test` leaves out, or whether one of them has tests.

python3 tools/suites.py            one line, the last of `make test`
python3 tools/suites.py browser    exit status 0 if that suite has tests, 1 if not
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SUITES = {
    "proof": "make proof",
    "browser": "needs Chromium; .venv/bin/pytest -m browser",
    "node": "needs Node.js; .venv/bin/pytest -m node",
}


def users(suite: str, tests: Path) -> int:
    """How many test files carry the suite's mark."""
    mark = re.compile(rf"pytest\.mark\.{suite}\b")
    return sum(
        mark.search(file.read_text(encoding="utf-8")) is not None for file in tests.rglob("*.py")
    )


def left_out(tests: Path) -> str:
    """What a run without the suites has not run, in one line."""
    counts = {suite: users(suite, tests) for suite in SUITES}
    there = [
        f"{suite} ({count} file{'s' if count > 1 else ''}; {SUITES[suite]})"
        for suite, count in counts.items()
        if count
    ]
    empty = [suite for suite, count in counts.items() if not count]
    line = "Not run: " + (", ".join(there) or "nothing")
    return f"{line}. No tests yet: {', '.join(empty)}." if empty else f"{line}."


def main(arguments: list[str]) -> int:
    if arguments:
        return 0 if users(arguments[0], PROJECT / "tests") else 1
    print(left_out(PROJECT / "tests"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
