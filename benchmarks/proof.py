"""Run the benchmarks one after the other and put what they say into one file.

    python -m benchmarks.proof [--output benchmarks/results.json] [NAME ...]

A benchmark is a program in this folder that prints one JSON object. To add one, add a line to
`BENCHMARKS`. One that fails is told in the file and by the exit status; the others still run.
With names, only those run, and what the file says of the others stays.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
OUTPUT = FOLDER / "results.json"
LIMIT_S = 3600
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "import_cost": ("import_cost.py", "--json"),
    "cold_check": ("cold_check.py", "--json"),
    "overhead": ("overhead.py", "--json"),
    "asgi": ("asgi_bench.py", "--json"),
    "proxy": ("proxy_bench.py", "--json"),
    "audit": ("audit_bench.py",),
    "judge": ("judge_bench.py", "--json"),
    "stream_readers": ("stream_readers.py",),
    "streams": ("stream_bench.py", "--json"),
    "routing": ("routing_bench.py", "--json"),
}
"""What each is called, its file and its arguments."""

BY_HAND = frozenset({"benign.py", "pii_parity.py"})
"""Those that want files of texts, which are named when they are run."""

PINNED = (
    *("aiohttp", "anthropic", "google-re2", "presidio-analyzer", "pydantic", "pyyaml"),
    *("structlog", "uvicorn", "uvloop"),
)


def machine() -> dict[str, object]:
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor() -> str:
    """What the system calls the processor; empty if it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "constitutional-guardrails": version("constitutional-guardrails"),
        "commit": commit(),
        **{name: version(name) for name in PINNED},
    }


def commit() -> str:
    """The commit that was measured, marked if files were changed since; empty outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def run(command: Sequence[str]) -> dict[str, Any]:
    """What one benchmark says, with the time it took; `error` if it fails or says no JSON."""
    start = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, str(FOLDER / command[0]), *command[1:]],
            cwd=FOLDER.parent,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {LIMIT_S} s"}
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return {"error": f"exit status {done.returncode}"}
    try:
        said = json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"error": "printed something else than one JSON object"}
    return {"took_s": round(time.perf_counter() - start, 1), "result": said}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark is called {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    results: dict[str, Any] = {}
    if options.names and options.output.is_file():
        results = json.loads(options.output.read_text(encoding="utf-8"))["results"]
    failed = False
    for name in options.names or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        results[name] = {"date": datetime.now(UTC).date().isoformat(), **run(BENCHMARKS[name])}
        failed = failed or "error" in results[name]
    document = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "results": {name: results[name] for name in BENCHMARKS if name in results},
    }
    options.output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"written: {options.output}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
