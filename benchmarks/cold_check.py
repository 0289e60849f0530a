"""What `constitution check` costs from cold: CPU of a fresh process, with and without Presidio.

    python benchmarks/cold_check.py [--json] [--rounds 5]

The best of several rounds, user and system time, with all modules compiled beforehand as they are
where packages are installed. The goal is at most one second where the text
holds nothing that Presidio has to look at; where it does, its import is most of what is told.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

COMMAND = "import sys; from guardrails.cli import main; sys.exit(main())"
CHECK = ("check", "-c", "creative-writing", "--offline")
PROGRAMS: dict[str, tuple[str, ...]] = {
    "nothing": ("",),
    "help": (COMMAND, "--help"),
    "hello": (COMMAND, *CHECK, "hello"),
    "personal data": (COMMAND, *CHECK, "my card is 4111 1111 1111 1111"),
}
NOT_COMPILED = "PYTHONDONTWRITEBYTECODE"
GOAL_S = 1.0
ROUNDS = 5


def cpu_s(program: Sequence[str], folder: str) -> float:
    """CPU time of one fresh interpreter, from the system's accounts for it alone."""
    variables = {name: value for name, value in os.environ.items() if name != NOT_COMPILED}
    variables["GUARDRAILS_AUDIT"] = os.path.join(folder, "audit.db")
    variables["PYTHONPYCACHEPREFIX"] = os.path.join(folder, "compiled")
    child = subprocess.Popen(
        [sys.executable, "-c", *program], stdout=subprocess.DEVNULL, env=variables
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        raise SystemExit(f"{program[1:]} ended with status {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def measure(rounds: int) -> dict[str, object]:
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        for program in PROGRAMS.values():  # compiles, and warms the disk's cache
            cpu_s(program, folder)
        for _ in range(rounds):
            for name, program in PROGRAMS.items():
                taken[name].append(cpu_s(program, folder))
    best = {name: round(min(times), 3) for name, times in taken.items()}
    return {
        "cpu_s": best,
        "rounds": rounds,
        "goal_s": GOAL_S,
        "within_goal": best["hello"] <= GOAL_S,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    result = measure(options.rounds)
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    costs = result["cpu_s"]
    assert isinstance(costs, dict)
    for name, seconds in costs.items():
        print(f"{name:16}{seconds:8.3f} s CPU")
    print(f"within the goal of {GOAL_S} s: {'yes' if result['within_goal'] else 'no'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
