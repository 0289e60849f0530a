"""What the guard adds to a call: a guarded function whose prompt and reply are both judged.

    python benchmarks/overhead.py [--json] [--constitution base] [--folder FOLDER]

Offline, so nothing waits for a model. Each line is one length of prompt and reply: the wall time
that a call takes longer (p50, p95), and the CPU time of all threads, with records in memory and in
a file. `growth` is the CPU time's growth from the line before, as a multiple of the text's: 1 is
linear, less is a fixed cost. The plain text has neither digits nor `@`, which keeps Presidio out of
it; Presidio's own part is what the same call costs more with personal data in the text.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from guardrails import guarded
from guardrails.audit.trail import MemoryTrail, Trail, open_trail
from guardrails.guard import Guard
from guardrails.settings import Settings

LENGTHS = (200, 2_000, 20_000, 200_000)
CALLS_S = 2.0
"""How long each length is measured, within `FEWEST` and `MOST` calls."""

FEWEST, MOST = 20, 1_000
PLAIN = (
    "The bakery on the corner opens early, and most people who stop there take bread and a coffee "
    "with them. In the afternoon it is quiet. Whoever wants cake had better order it in advance! "
    "Would you like to hear how the dough is made?\n"
)
PERSONAL = (
    "Please call Ms Okonjo at +1 212 555 0123 or write to okonjo@bakery.example before Friday, "
    "about the order of 12 cakes for 2026-11-24 that was paid with 4111 1111 1111 1111. "
)
EVERY = 2_000
"""One piece of personal data in so many characters."""

Answer = Callable[[str], Awaitable[str]]


def plain(length: int) -> str:
    return (PLAIN * (length // len(PLAIN) + 1))[:length]


def personal(length: int) -> str:
    """Personal data in it, as often in a long text as in a short one."""
    block = PERSONAL + plain(EVERY - len(PERSONAL))
    return (block * (length // EVERY + 1))[:length]


async def bare(question: str) -> str:
    return question


async def measure(answer: Answer, text: str) -> dict[str, float]:
    for _ in range(3):
        await answer(text)
    times: list[float] = []
    end = time.perf_counter() + CALLS_S
    cpu = time.process_time()
    while len(times) < FEWEST or (time.perf_counter() < end and len(times) < MOST):
        start = time.perf_counter()
        await answer(text)
        times.append(time.perf_counter() - start)
    cpu = time.process_time() - cpu
    times.sort()
    return {
        "calls": len(times),
        "p50_ms": round(1e3 * statistics.median(times), 3),
        "p95_ms": round(1e3 * times[len(times) * 95 // 100], 3),
        "cpu_ms": round(1e3 * cpu / len(times), 3),
    }


async def lines(answer: Answer, text_of: Callable[[int], str]) -> list[dict[str, float]]:
    told: list[dict[str, float]] = []
    for length in LENGTHS:
        line = {"characters": length, **await measure(answer, text_of(length))}
        if told:
            more = line["cpu_ms"] / told[-1]["cpu_ms"]
            line["growth"] = round(more / (length / told[-1]["characters"]), 2)
        told.append(line)
    return told


async def run(constitution: str, folder: Path) -> dict[str, object]:
    settings = Settings(audit=str(folder / "audit.db"))
    trails: dict[str, Trail] = {"memory": MemoryTrail(), "file": open_trail(settings)}
    answers: dict[str, Answer] = {}
    for name, trail in trails.items():
        guard = Guard.load(constitution, offline=True, settings=settings, trail=trail)
        answers[name] = guarded(guard)(bare)
    result: dict[str, object] = {"constitution": constitution, "prompt_and_reply": "each that long"}
    result["unguarded_call_ms"] = (await measure(bare, plain(LENGTHS[0])))["p50_ms"]
    for name, answer in answers.items():
        result[name] = await lines(answer, plain)
    with_data = await lines(answers["memory"], personal)
    without = result["memory"]
    assert isinstance(without, list)
    result["memory_with_personal_data"] = with_data
    result["presidio_cpu_ms"] = {
        str(length): round(more["cpu_ms"] - less["cpu_ms"], 3)
        for length, more, less in zip(LENGTHS, with_data, without, strict=True)
    }
    for trail in trails.values():
        await trail.aclose()
    return result


def table(title: str, measured: Sequence[dict[str, float]]) -> str:
    rows = [f"{title}\n{'characters':>12}{'p50 ms':>10}{'p95 ms':>10}{'CPU ms':>10}{'growth':>8}"]
    rows += [
        f"{line['characters']:12,}{line['p50_ms']:10.2f}{line['p95_ms']:10.2f}"
        f"{line['cpu_ms']:10.2f}{line.get('growth', ''):>8}"
        for line in measured
    ]
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--constitution", default="base")
    parser.add_argument("--folder", type=Path, help="where to write; the disk to be measured")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = asyncio.run(run(options.constitution, Path(folder)))
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    titles = {
        "memory": "records in memory",
        "file": "records in a file",
        "memory_with_personal_data": "records in memory, personal data in the text",
    }
    for key, title in titles.items():
        measured = result[key]
        assert isinstance(measured, list)
        print(table(f"{result['constitution']}: {title}", measured), end="\n\n")
    print(f"Presidio's part, CPU ms by length: {json.dumps(result['presidio_cpu_ms'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
