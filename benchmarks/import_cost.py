"""What `import guardrails` costs, against the libraries that it cannot do without.

    python benchmarks/import_cost.py [--json]

CPU seconds (user and system) of fresh interpreters, less those of an empty one: the best of several
rounds, in which the programs take turns. The goal is at most twice `import pydantic, yaml,
structlog`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence

PROGRAMS = {
    "nothing": "",
    "pydantic, yaml, structlog": "import pydantic, yaml, structlog",
    "guardrails": "import guardrails",
    "guardrails.guard": "import guardrails.guard",
    "guardrails.decorator": "import guardrails.decorator",
}
PEER = "pydantic, yaml, structlog"
GOAL = 2.0
ROUNDS = 5


def cpu_s(program: str) -> float:
    """CPU time of one fresh interpreter, from the system's accounts for it alone."""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{program!r} ended with status {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def measure(rounds: int) -> dict[str, object]:
    for program in PROGRAMS.values():  # compiles what is not, and warms the disk's cache
        cpu_s(program)
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(rounds):
        for name, program in PROGRAMS.items():
            taken[name].append(cpu_s(program))
    best = {name: min(times) for name, times in taken.items()}
    cost = {name: best[name] - best["nothing"] for name in PROGRAMS if name != "nothing"}
    ratio = cost["guardrails"] / cost[PEER]
    return {
        "cpu_ms": {name: round(1000 * seconds, 1) for name, seconds in cost.items()},
        "interpreter_ms": round(1000 * best["nothing"], 1),
        "rounds": rounds,
        "ratio": round(ratio, 2),
        "goal": GOAL,
        "within_goal": ratio <= GOAL,
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
    costs = result["cpu_ms"]
    assert isinstance(costs, dict)
    for name, cost in costs.items():
        print(f"import {name:28} {cost:7.1f} ms CPU")
    print(f"guardrails costs {result['ratio']} times its libraries (goal: at most {GOAL})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
