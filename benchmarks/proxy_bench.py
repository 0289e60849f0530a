"""What the proxy costs: beside no proxy and a bare reverse proxy of aiohttp, in the same run.

    python benchmarks/proxy_bench.py [--json] [--rounds 5] [--seconds 2] [--only NAME ...]
        [--litellm PYTHON]

Each is a process of its own; they take turns, and each figure is the median of several rounds.
`direct` is the provider, a few lines that answer 2 kB with 2 kB at once. `bare` is aiohttp's server
and client, passing bytes on. `relay` is this proxy on a path that it does not judge, `empty` with a
constitution that has nothing to look for, `checked` with ten patterns, secrets and invisible text;
records in memory, and with `_file` in SQLite (each answer waits for the disk twice or more).
`litellm` is LiteLLM's proxy, run by an interpreter of an environment of its own in which
`litellm[proxy]` is installed, and measured only if that is named: one worker on `/v1/messages` with
one model, no keys, no database, no callbacks, nothing asked of the network. It judges nothing; it
routes, reads and writes both bodies, and counts what they cost.
`requests_s` is what 16 connections get through; `p50_ms` and `p99_ms` are what one connection waits
for; `cpu_ms` is the CPU that the process takes for a request, and `cpu_of_bare` the ratio by that,
which others on the machine disturb less. The proxy has one core and all else the others, if there
are two. Goals: empty ≥ 0.8 × bare, checked ≥ 0.6 × bare, and at most 2.4 ms
added at the median.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CONNECTIONS = 16
SIZE = 2_000
GOALS = {"empty": 0.8, "checked": 0.6}
GOAL_MS = 2.4
SENTENCE = "The garden is watered in the morning, and the gate is closed at night. "
TEXT = (SENTENCE * (SIZE // len(SENTENCE) + 1))[:SIZE]
ROLES = ("direct", "bare", "relay", "empty", "checked", "empty_file", "checked_file", "litellm")
START_S = 120.0
WORDS = (
    "as an AI language model", "I guarantee", "off the record", "insider tip", "risk-free",
    "double your money", "secret formula", "cure for cancer", "no side effects", "trust me blindly",
)  # fmt: skip

EMPTY = """
schema: 1
id: empty
version: 1.0.0
principles:
  - {id: empty.tool, text: Says nothing to a tool., stages: [tool_call], action: block,
     critics: [pattern: {breach: [nothing]}]}
"""
CHECKED = """
schema: 1
id: checked
version: 1.0.0
principles:
  - {id: checked.secrets, text: Gives out no credentials., stages: [input, output], action: redact,
     critics: [secrets]}
  - {id: checked.hidden, text: Hides nothing., stages: [input, output], action: redact,
     critics: [invisible_text: {kinds: [bidi, tags, variation_selectors, zero_width]}]}
""" + "\n".join(
    f"  - {{id: checked.word{number}, text: Does not say it., stages: [input, output], "
    f"action: block, critics: [pattern: {{breach: ['\\b{word}\\b']}}]}}"
    for number, word in enumerate(WORDS)
)

LITELLM = """
model_list:
  - model_name: claude-haiku-5-5
    litellm_params: {model: anthropic/claude-haiku-5-5, api_base: "UPSTREAM", api_key: for-nobody}
general_settings: {dangerously_permit_weak_or_unset_master_key: true}
"""
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION",
}  # fmt: skip
RUN_LITELLM = "from litellm import run_server; run_server()"

REQUEST = json.dumps(
    {
        "model": "claude-haiku-5-5",
        "max_tokens": 1_000,
        "messages": [{"role": "user", "content": TEXT}],
    }
).encode()
REPLY = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": [{"type": "text", "text": TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 400, "output_tokens": 400},
    }
).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_1\r\n"
    b"content-length: %d\r\n\r\n" % len(REPLY)
) + REPLY


# -- the servers ---------------------------------------------------------------------------------


class Provider(asyncio.Protocol):
    """Answers each request once its body is there."""

    def __init__(self) -> None:
        self.data = bytearray()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        while True:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.data[:end]).lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.data) < end + 4 + length:
                return
            del self.data[: end + 4 + length]
            self.transport.write(ANSWER)


def listening() -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    bound.listen(1_024)
    print(bound.getsockname()[1], flush=True)
    return bound


async def provide() -> None:
    server = await asyncio.get_running_loop().create_server(Provider, sock=listening())
    await server.serve_forever()


async def pass_on(upstream: str) -> None:
    """The least that a reverse proxy does, both ways as they come."""
    import aiohttp
    from aiohttp import web

    hop = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "host"}
    session = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in hop}
        body = await request.read()
        async with session.request(
            request.method, upstream + request.path_qs, headers=headers, data=body
        ) as got:
            kept = {k: v for k, v in got.headers.items() if k.lower() not in hop}
            response = web.StreamResponse(status=got.status, headers=kept)
            await response.prepare(request)
            async for piece in got.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response

    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.SockSite(runner, listening()).start()
    await asyncio.Event().wait()


def proxy(role: str, upstream: str, folder: Path) -> None:
    from guardrails.proxy.config import ServeConfig
    from guardrails.proxy.server import make_proxy, run
    from guardrails.settings import Settings

    name = role.removesuffix("_file")
    file = folder / f"{role}.yaml"
    file.write_text(CHECKED if name == "checked" else EMPTY)
    audit = str(folder / f"{role}.db") if role.endswith("_file") else "memory"
    said: dict[str, Any] = {
        "upstream": upstream, "constitution": str(file), "offline": True, "access_log": False,
        "reload_s": 0,
    }  # fmt: skip
    if name == "relay":
        said["routes"] = {"/v1/messages": {"guard": False}}
    made = make_proxy(ServeConfig.model_validate(said), settings=Settings(audit=audit))
    run(made, listening(), None)


def litellm(python: str, upstream: str, folder: Path) -> None:
    """Become LiteLLM's proxy, which binds its port itself, and later."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    print(port, flush=True)
    file = folder / "litellm.yaml"
    file.write_text(LITELLM.replace("UPSTREAM", upstream))
    with (folder / "litellm.log").open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    said = ["--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    os.execve(python, [python, "-c", RUN_LITELLM, *said, "--telemetry", "False"], {**own, **QUIET})


def litellm_version(python: str) -> str:
    asks = "from importlib.metadata import version; print(version('litellm'))"
    try:
        told = subprocess.run([python, "-c", asks], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit(
            f"--litellm {python!r} is no Python that has LiteLLM; name the interpreter of an "
            f"environment in which litellm[proxy] is installed"
        ) from None
    return told.stdout.strip()


def await_listening(process: subprocess.Popen[str], port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"a server that was started does not listen within {START_S:.0f} s")


def serve(
    role: str, upstream: str, folder: Path, cores: Sequence[int], *, python: str = ""
) -> None:
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(cores))
    if role == "direct":
        import uvloop

        uvloop.run(provide())
    elif role == "bare":
        import uvloop

        uvloop.run(pass_on(upstream))
    elif role == "litellm":
        litellm(python, upstream, folder)
    else:
        proxy(role, upstream, folder)


# -- asking --------------------------------------------------------------------------------------

HEAD = (
    b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: key-for-the-benchmark\r\n"
    b"anthropic-version: 2023-06-01\r\ncontent-type: application/json\r\n"
    b"user-agent: benchmark\r\naccept: application/json\r\ncontent-length: %d\r\n\r\n"
    % len(REQUEST)
)
ASK = HEAD + REQUEST


class Asker(asyncio.Protocol):
    """One connection that asks again as soon as it has its answer."""

    def __init__(self, until: float, taken: list[float], done: asyncio.Event) -> None:
        self.until, self.taken, self.done = until, taken, done
        self.data = bytearray()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(ASK)

    def connection_lost(self, exc: Exception | None) -> None:
        self.done.set()

    def data_received(self, data: bytes) -> None:
        self.data += data
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return
        if not self.data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"answered: {bytes(self.data[:400])!r}")
        head = bytes(self.data[:end]).lower()
        at = head.find(b"content-length:")
        if at >= 0:
            whole = end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self.data) < whole:
                return
        elif not self.data.endswith(b"0\r\n\r\n"):
            return
        now = time.perf_counter()
        self.taken.append(now - self.began)
        self.data.clear()
        if now < self.until:
            self.ask()
        else:
            self.transport.close()


async def load(port: int, connections: int, seconds: float) -> list[float]:
    loop = asyncio.get_running_loop()
    taken: list[float] = []
    until = time.perf_counter() + seconds
    ends = [asyncio.Event() for _ in range(connections)]
    for done in ends:
        await loop.create_connection(lambda d=done: Asker(until, taken, d), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(done.wait() for done in ends))
    return taken


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    names: Sequence[str], rounds: int, seconds: float, *, python: str = ""
) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    own, others = (cores[:1], cores[1:]) if len(cores) > 1 else ([], [])
    if others:
        os.sched_setaffinity(0, set(others))
    found: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    with tempfile.TemporaryDirectory() as folder:
        running: dict[str, tuple[subprocess.Popen[str], int]] = {}
        try:
            upstream = ""
            for name in dict.fromkeys(("direct", *names)):
                where = others if name == "direct" else own
                command = [sys.executable, __file__, "--serve", name, "--upstream", upstream,
                           "--folder", folder, "--cores", ",".join(map(str, where)),
                           "--litellm", python]  # fmt: skip
                process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                assert process.stdout is not None
                running[name] = process, int(process.stdout.readline())
                await_listening(*running[name])
                upstream = upstream or f"http://127.0.0.1:{running[name][1]}"
            for name in names:
                asyncio.run(load(running[name][1], CONNECTIONS, 0.5))
            for _ in range(rounds):
                for name in names:
                    process, port = running[name]
                    before = cpu_s(process.pid)
                    start = time.perf_counter()
                    many = asyncio.run(load(port, CONNECTIONS, seconds))
                    took = time.perf_counter() - start
                    spent = cpu_s(process.pid) - before
                    one = sorted(asyncio.run(load(port, 1, seconds / 2)))
                    for key, value in {
                        "requests_s": len(many) / took,
                        "cpu_ms": 1e3 * spent / len(many),
                        "p50_ms": 1e3 * statistics.median(one),
                        "p99_ms": 1e3 * one[len(one) * 99 // 100],
                    }.items():
                        found[name].setdefault(key, []).append(value)
        finally:
            for process, _ in running.values():
                process.terminate()
            for process, _ in running.values():
                process.wait(30)
    lines = {
        name: {key: round(statistics.median(values), 3) for key, values in told.items()}
        for name, told in found.items()
    }
    return {**compared(lines, found), "body_bytes": [len(REQUEST), len(REPLY)], "rounds": rounds}


def compared(
    lines: Mapping[str, Mapping[str, float]], found: Mapping[str, Mapping[str, list[float]]]
) -> dict[str, Any]:
    """Beside the bare proxy, round by round, and what is added to no proxy at all."""
    told: dict[str, Any] = {}
    for name, line in lines.items():
        told[name] = dict(line)
        if "bare" in found:
            pairs = zip(found[name]["requests_s"], found["bare"]["requests_s"], strict=True)
            told[name]["of_bare"] = round(statistics.median(a / b for a, b in pairs), 3)
            cpu = zip(found["bare"]["cpu_ms"], found[name]["cpu_ms"], strict=True)
            told[name]["cpu_of_bare"] = round(statistics.median(a / b for a, b in cpu), 3)
        if "direct" in lines:
            told[name]["added_p50_ms"] = round(line["p50_ms"] - lines["direct"]["p50_ms"], 3)
            told[name]["added_p99_ms"] = round(line["p99_ms"] - lines["direct"]["p99_ms"], 3)
    goals = {
        name: told[name]["of_bare"] >= goal and told[name]["added_p50_ms"] <= GOAL_MS
        for name, goal in GOALS.items()
        if "of_bare" in told.get(name, {}) and "added_p50_ms" in told[name]
    }
    return {"proxies": told, "goals": {**GOALS, "added_p50_ms": GOAL_MS}, "within_goal": goals}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--only", nargs="*", choices=ROLES, default=ROLES)
    parser.add_argument("--litellm", default="", metavar="PYTHON", help="also LiteLLM, run by this")
    for hidden in ("--serve", "--upstream", "--cores"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        cores = [int(core) for core in options.cores.split(",") if core]
        serve(options.serve, options.upstream, options.folder, cores, python=options.litellm)
        return 0
    names = [name for name in options.only if name != "litellm" or options.litellm]
    version = litellm_version(options.litellm) if "litellm" in names else None
    result = measure(names, options.rounds, options.seconds, python=options.litellm)
    if version is not None:
        result["litellm"] = version
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    keys = ("requests_s", "of_bare", "cpu_ms", "cpu_of_bare", "p50_ms", "p99_ms", "added_p50_ms")
    print(f"{'':14}" + "".join(f"{key:>14}" for key in keys))
    for name, line in result["proxies"].items():
        print(f"{name:14}" + "".join(f"{line.get(key, 0):14.3f}" for key in keys))
    if version is not None:
        print(f"litellm is {version}")
    for name, kept in result["within_goal"].items():
        print(f"goal {name} ≥ {GOALS[name]} × bare, ≤ {GOAL_MS} ms: {'kept' if kept else 'MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
