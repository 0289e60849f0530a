"""What `import guardrails` costs, against the libraries that it cannot do without.

    python benchmarks/import_cost.py [--json]

CPU seconds (user and system) of fresh interpreters, less those of an empty one: the best of several
rounds, in which the programs take turns. The goal is at most twice `import pydantic, yaml,
structlog`, also for a program that goes on to use what the root hands out late.
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
    "guardrails, Guard and guarded": "from guardrails import Guard, guarded",
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
    ratios = {name: cost[name] / cost[PEER] for name in cost if name != PEER}
    return {
        "cpu_ms": {name: round(1000 * seconds, 1) for name, seconds in cost.items()},
        "interpreter_ms": round(1000 * best["nothing"], 1),
        "rounds": rounds,
        "ratios": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "goal": GOAL,
        "within_goal": all(ratio <= GOAL for ratio in ratios.values()),
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
    costs, ratios = result["cpu_ms"], result["ratios"]
    assert isinstance(costs, dict)
    assert isinstance(ratios, dict)
    for name, cost in costs.items():
        ratio = f"{ratios[name]:5.2f} times" if name in ratios else ""
        print(f"{name:30} {cost:7.1f} ms CPU {ratio}")
    print(f"goal: at most {GOAL} times {PEER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
