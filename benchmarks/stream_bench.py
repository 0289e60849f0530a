"""What it costs to guard a reply that leaves while it comes.

    python benchmarks/stream_bench.py [--json] [--rounds 3]

CPU of one process for replies of 20 kB and 200 kB in pieces of 20 characters: as plain text
through `guard.stream`, and as Anthropic's events through the ASGI middleware, which is called
itself, without a server. `empty` is a constitution that has nothing to look for, `patterns` one
with patterns, secrets and invisible text, `base` the base constitution without a model. `growth`
is how many times as much the longer one takes; linear would be 10, the goal is 11 at most.

`first` says how many characters had come when the first ones left, and `judge` how often a judge
is asked about 20 kB, and at which lengths; the goal is 7 at most. Records are kept in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from guardrails.asgi import GuardrailMiddleware
from guardrails.audit.trail import MemoryTrail
from guardrails.critic.protocol import Unit
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import passing, scripted_critic

GOAL_GROWTH, GOAL_CALLS = 11.0, 7
SIZES = {"20 kB": 20_000, "200 kB": 200_000}
PIECE = 20
SENTENCE = "The garden is watered in the morning, and the gate is closed at night. "
HEAD = "schema: 1\nid: streamed\nversion: 1.0.0\nprinciples:\n"
EMPTY = f"""{HEAD}
  - {{id: streamed.tool, text: Says nothing to a tool., stages: [tool_call], action: block,
     critics: [pattern: {{breach: [nothing]}}]}}
"""
PATTERNS = rf"""{HEAD}
  - {{id: streamed.order, text: Orders nobody., action: block,
     critics: [pattern: {{breach: ['red\W+button', 'press\s+it\s+now']}}]}}
  - {{id: streamed.code, text: Tells no code., action: redact,
     critics: [pattern: {{breach: ['code:\s*\d{{3,6}}']}}]}}
  - {{id: streamed.secret, text: Tells no secret., action: redact, critics: [secrets]}}
  - {{id: streamed.unseen, text: Hides nothing., action: redact, critics: [invisible_text]}}
"""
JUDGED = f"""{HEAD}
  - {{id: streamed.kind, text: Is kind., action: block, critics: [judge]}}
"""


def pieces(size: int) -> list[str]:
    text = (SENTENCE * (size // len(SENTENCE) + 1))[:size]
    return [text[at : at + PIECE] for at in range(0, size, PIECE)]


def loaded(rules: str, **more: Any) -> Guard:
    settings = Settings(audit="memory")
    if rules == "base":
        return Guard.load(rules, offline=True, trail=MemoryTrail(newest=100), settings=settings)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "streamed.yaml")
        file.write_text(rules)
        return Guard.load(file, trail=MemoryTrail(newest=100), settings=settings, **more)


# -- plain text --------------------------------------------------------------------------------


async def through_guard(guard: Guard, said: Sequence[str]) -> int:
    """The characters that left."""
    return sum([len(piece) async for piece in guard.stream(said)])


async def came_at_first(guard: Guard, said: Sequence[str]) -> int:
    """How many characters had come when the first ones left."""
    came = 0

    def source() -> Iterator[str]:
        nonlocal came
        for character in "".join(said):
            came += 1
            yield character

    async with guard.stream(source()) as stream:
        async for piece in stream:
            if piece:
                return came
    return came


# -- events ------------------------------------------------------------------------------------


def event(data: dict[str, Any]) -> bytes:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()


def events(said: Sequence[str]) -> list[bytes]:
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 1},
    }  # fmt: skip
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    told: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0,
             "delta": {"type": "text_delta", "text": piece}}
            for piece in said
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]  # fmt: skip
    return [event(data) for data in told]


class Source:
    """An application that answers anything with the same events."""

    def __init__(self, told: Sequence[bytes]) -> None:
        self._told = told

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in self._told:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


ASKED = json.dumps(
    {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "?"}]}
).encode()
SCOPE = {
    "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
    "method": "POST", "scheme": "http", "path": "/v1/messages", "raw_path": b"/v1/messages",
    "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1), "server": None,
    "headers": [
        (b"host", b"localhost"), (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(ASKED)),
    ],
}  # fmt: skip


async def through_asgi(app: Any) -> int:
    """The bytes that left."""
    messages = iter([{"type": "http.request", "body": ASKED, "more_body": False}])
    left = 0

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        nonlocal left
        left += len(message.get("body", b""))

    await app(dict(SCOPE), receive, send)
    return left


# -- what it takes -----------------------------------------------------------------------------


async def text_ms(guard: Guard, said: Sequence[str]) -> float:
    gc.collect()
    start = time.process_time()
    left = await through_guard(guard, said)
    took = time.process_time() - start
    if left != sum(map(len, said)):
        raise SystemExit(f"{left} characters left")
    return 1000 * took


async def events_ms(guard: Guard, said: Sequence[str]) -> float:
    told = events(said)
    app = GuardrailMiddleware(Source(told), guard, routes={"/v1/messages": "anthropic"})
    gc.collect()
    start = time.process_time()
    left = await through_asgi(app)
    took = time.process_time() - start
    if left != sum(map(len, told)):
        raise SystemExit(f"{left} bytes left of {sum(map(len, told))}")
    return 1000 * took


async def measured(guard: Guard, rounds: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for way, cost in (("text", text_ms), ("events", events_ms)):
        await cost(guard, pieces(2_000))
        ms = {
            name: statistics.median([await cost(guard, pieces(size)) for _ in range(rounds)])
            for name, size in SIZES.items()
        }
        short, long = ms.values()
        found[way] = {
            "ms": {name: round(value, 1) for name, value in ms.items()},
            "us_per_piece": round(1000 * long / (SIZES["200 kB"] / PIECE), 1),
            "growth": round(long / short, 2),
        }
    found["first"] = await came_at_first(guard, pieces(5_000))
    return found


async def judged() -> dict[str, Any]:
    judge = scripted_critic(passing, need=Unit("sentence"))
    guard = loaded(JUDGED, critics=[judge])
    left = await through_guard(guard, pieces(SIZES["20 kB"]))
    lengths = [sum(len(target.text) for target in request.targets) for request in judge.asked]
    return {"left": left, "calls": len(lengths), "at": lengths, "goal": GOAL_CALLS}


async def measure(rounds: int) -> dict[str, Any]:
    rules = {"empty": EMPTY, "patterns": PATTERNS, "base": "base"}
    found = {name: await measured(loaded(text), rounds) for name, text in rules.items()}
    asked = await judged()
    grown = [found[name][way]["growth"] for name in found for way in ("text", "events")]
    return {
        "streams": found,
        "judge": asked,
        "rounds": rounds,
        "goal_growth": GOAL_GROWTH,
        "within_goal": max(grown) <= GOAL_GROWTH and asked["calls"] <= GOAL_CALLS,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    result = asyncio.run(measure(options.rounds))
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    print(f"{'ms CPU':18}{'20 kB':>9}{'200 kB':>9}{'growth':>8}{'µs/piece':>10}{'first':>7}")
    for name, one in result["streams"].items():
        for way in ("text", "events"):
            short, long = one[way]["ms"].values()
            growth, each = one[way]["growth"], one[way]["us_per_piece"]
            first = one["first"] if way == "text" else ""
            print(
                f"{name + ', ' + way:18}{short:9.1f}{long:9.1f}{growth:8.2f}{each:10.1f}{first:>7}"
            )
    asked = result["judge"]
    print(f"judge on 20 kB: {asked['calls']} calls, at {asked['at']}; goal at most {asked['goal']}")
    print(f"goal: growth ≤ {GOAL_GROWTH}: {'kept' if result['within_goal'] else 'MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
