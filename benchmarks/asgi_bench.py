"""What the ASGI middleware adds to a request, beside a bare Starlette application in the same run.

    python benchmarks/asgi_bench.py [--json] [--rounds 7]

CPU of one process that calls the application itself, without a server: the median of several
rounds, in which the applications take turns. `own` is the middleware with a constitution that has
nothing to look for; the goal is at most 0.3 ms a request of 2 kB that is answered with 2 kB.
`base` is the base constitution without a model, on texts that keep Presidio out of it; `personal`
the same on texts with personal data, one piece in 2,000 characters. `growth` is how much more
`base` takes than a size before, as a multiple of the text's. Records are kept in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from guardrails.asgi import GuardrailMiddleware
from guardrails.audit.trail import MemoryTrail
from guardrails.constitution.load import load_constitution
from guardrails.constitution.model import Constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.guard import Guard

GOAL_MS = 0.3
SIZES = {"2 kB": 2_000, "20 kB": 20_000, "200 kB": 200_000}
SENTENCE = "The garden is watered in the morning, and the gate is closed at night. "
SIMPLEST = """
schema: 1
id: simplest
version: 1.0.0
principles:
  - {id: simplest.tool, text: Says nothing to a tool., stages: [tool_call], action: block,
     critics: [pattern: {breach: [nothing]}]}
"""
PERSONAL = "Please write to ann.miller@example.com or call +1 212 555 0123 before Friday. "
EVERY = 2_000
"""One piece of personal data in so many characters."""

ROUTES = {"/chat": "json: /question -> /answer"}


async def answer(request: Request) -> JSONResponse:
    return JSONResponse({"answer": (await request.json())["question"]})


async def ask(app: Any, body: bytes) -> bytes:
    """One request, as a server hands it over."""
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
        "method": "POST", "scheme": "http", "path": "/chat", "raw_path": b"/chat",
        "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1), "server": None,
        "headers": [
            (b"host", b"localhost"), (b"accept", b"*/*"), (b"user-agent", b"benchmark"),
            (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)),
        ],
    }  # fmt: skip
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])
    got: list[bytes] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        got.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(got)


async def cpu_ms(app: Any, body: bytes, times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        await ask(app, body)
    return 1000 * (time.process_time() - start) / times


def plain(size: int) -> str:
    return (SENTENCE * (size // len(SENTENCE) + 1))[:size]


def personal(size: int) -> str:
    block = PERSONAL + plain(EVERY - len(PERSONAL))
    return (block * (size // EVERY + 1))[:size]


Run = tuple[Any, str]
"""An application and the text that it is asked."""


async def turns(runs: Mapping[str, Run], rounds: int, times: int) -> dict[str, float]:
    """The median CPU of each application, in ms a request."""
    bodies = {name: json.dumps({"question": text}).encode() for name, (_, text) in runs.items()}
    for name, (app, text) in runs.items():
        said = json.loads(await ask(app, bodies[name]))
        if set(said) != {"answer"} or ("@" not in text and said["answer"] != text):
            raise SystemExit(f"{name} answered something else at {len(text)} characters")
        await cpu_ms(app, bodies[name], 2)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (app, _) in runs.items():
            taken[name].append(await cpu_ms(app, bodies[name], times))
    return {name: statistics.median(found) for name, found in taken.items()}


def guarded(constitution: str | Constitution) -> GuardrailMiddleware:
    guard = Guard.load(constitution, offline=True, trail=MemoryTrail(newest=100))
    return GuardrailMiddleware(Starlette(routes=ROUTING), guard, routes=ROUTES, others="pass")


def simplest() -> Constitution:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "simplest.yaml")
        file.write_text(SIMPLEST)
        return load_constitution(file, catalogue=CriticRegistry(()))


ROUTING = [Route("/chat", answer, methods=["POST"])]


async def measure(rounds: int) -> dict[str, Any]:
    bare, own, base = Starlette(routes=ROUTING), guarded(simplest()), guarded("base")
    found: dict[str, dict[str, float]] = {}
    for name, size in SIZES.items():
        text = plain(size)
        quick: dict[str, Run] = {"bare": (bare, text), "own": (own, text)}
        slow: dict[str, Run] = {"base": (base, text), "personal": (base, personal(size))}
        found[name] = await turns(quick, rounds, max(3, 400_000 // size))
        found[name] |= await turns(slow, rounds, max(2, 40_000 // size))
    added = {
        name: {key: ms[key] - ms["bare"] for key in ("own", "base", "personal")}
        for name, ms in found.items()
    }
    sizes = list(SIZES)
    growth = {
        larger: added[larger]["base"] / added[smaller]["base"] / (SIZES[larger] / SIZES[smaller])
        for smaller, larger in pairwise(sizes)
    }
    return {
        "bare_ms": {name: round(ms["bare"], 3) for name, ms in found.items()},
        "added_ms": {
            name: {key: round(value, 3) for key, value in ms.items()} for name, ms in added.items()
        },
        "growth": {name: round(value, 2) for name, value in growth.items()},
        "rounds": rounds,
        "goal_ms": GOAL_MS,
        "within_goal": added[sizes[0]]["own"] <= GOAL_MS,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    result = asyncio.run(measure(options.rounds))
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    print(f"{'ms CPU':8}{'bare':>9}{'own':>9}{'base':>9}{'personal':>10}   (all but bare: added)")
    for name, added in result["added_ms"].items():
        own, base, personal_ms = added.values()
        bare_ms = result["bare_ms"][name]
        print(f"{name:8}{bare_ms:9.3f}{own:9.3f}{base:9.2f}{personal_ms:10.2f}")
    print("growth of base:", ", ".join(f"{k} {v}" for k, v in result["growth"].items()))
    print(f"goal: own at 2 kB ≤ {GOAL_MS} ms: {'kept' if result['within_goal'] else 'MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
