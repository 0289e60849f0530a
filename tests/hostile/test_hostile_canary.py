"""Promise 9: no text of a user, no name and no key is in a log, an error, a record, a trace, a
response or a `repr`, whatever a provider does and whichever way a call comes in."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from canary_surfaces import SURFACES, Surface

from guardrails.audit.trail import MemoryTrail
from guardrails.constitution.load import parse_constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.exchange import Context
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import FakeProvider
from guardrails.testing.provider import ProviderRequest, faults

CANARIES = ("canary-text", "canary-subject", "canary-session", "canary-key", "canary-said")
KEY = "sk-canary-key-77b2"
WHO = Context(tenant="acme", subject="canary-subject-1", session="canary-session-1")
HOUSE = """
schema: 1
id: house
version: 1.0.0
budget: {deadline_s: 3}
judge: {cascade: [small], timeout_s: 0.35}
replies: {blocked: "No, not here.", unavailable: "Not now."}
principles:
  - {id: house.kind, text: Is kind., stages: [output], action: revise, on_undecided: block,
     on_outage: block, critics: [judge], remedy: {rewrite: Say it kindly.}}
"""
FAULTS = [replace(fault, pause_s=0.5) for fault in faults()]
"""A retry would not fit into the time, so that all but those that stall end at once."""
STALLING = ("never-answers", "stall-mid-body", "slow-drip")
QUICK = [fault.name for fault in FAULTS if fault.name not in STALLING]
WAYS = [*((surface, "anthropic") for surface in SURFACES), ("guard", "openai")]
CLEAN = "canary-text wants nothing."


def wanted(request: ProviderRequest) -> str:
    """The text that is judged says what is to go wrong with judging it."""
    (name,) = set(re.findall(r"canary-text wants ([a-z0-9-]+)\.", request.text))
    return name


def fault_of(request: ProviderRequest) -> Any:
    name = wanted(request)
    if name == "nothing":
        return {"verdicts": [], "pass": ["house.kind"]}
    (found,) = (fault for fault in FAULTS if fault.name == name)
    return found


def text_for(name: str) -> str:
    return f"canary-text wants {name}. Call me on canary-text at once."


@pytest.fixture
def everything_logged(
    caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> Iterator[pytest.LogCaptureFixture]:
    """All loggers at their most talkative; but for the SDK's where the application itself uses it,
    since what it asks by that is its own affair."""
    surface = request.node.callspec.params["surface"]
    quiet = ["anthropic", "httpx2"] if surface == "wrapped client" else []
    before = {name: logging.getLogger(name).level for name in ("anthropic", "httpx2", "aiohttp")}
    for name in before:
        logging.getLogger(name).setLevel(logging.INFO if name in quiet else logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        yield caplog
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What a tracer of the application would export; nothing where none is installed."""
    try:
        from opentelemetry import trace as api
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    except ImportError:
        return list
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(api, "_TRACER_PROVIDER", provider)
    return lambda: [span.to_json() for span in exporter.get_finished_spans()]


@asynccontextmanager
async def guarding(judge: FakeProvider, kind: str) -> AsyncIterator[tuple[Guard, MemoryTrail]]:
    url = judge.url if kind == "anthropic" else judge.openai_url
    settings = Settings.model_validate(
        {
            "audit": "memory",
            "models": {"small": "fake/small"},
            "providers": {"fake": {"kind": kind, "base_url": url, "api_key_env": "CANARY_KEY"}},
        }
    )
    made = parse_constitution(HOUSE, file="house.yaml", catalogue=CriticRegistry())
    trail = MemoryTrail()
    async with Guard.load(made, settings=settings, trail=trail) as guard:
        yield guard, trail


async def shown(surface: Surface, kind: str) -> dict[str, str]:
    """What every fault comes to by one way in, and what is on record of it."""
    async with AsyncExitStack() as stack:
        judge = await stack.enter_async_context(FakeProvider(fault_of, strict=False))
        own = await stack.enter_async_context(
            FakeProvider(lambda request: text_for(wanted(request)), strict=False)
        )
        guard, trail = await stack.enter_async_context(guarding(judge, kind))
        found: dict[str, str] = {}
        while not any(wanted(request) == "refusal" for request in judge.requests):
            await surface(guard, own, text_for("refusal"), WHO)  # connections take their time
        for number, name in enumerate(QUICK):
            if number % 2 == 0:  # or the circuit would open
                await guard.check_output(f"{CLEAN} {number}", context=WHO)
            found[name] = await surface(guard, own, text_for(name), WHO)
        stalled = (surface(guard, own, text_for(name), WHO) for name in STALLING)
        found |= zip(STALLING, await asyncio.gather(*stalled), strict=True)
        kept = [each.model_dump_json() for each in (*trail.opened, *trail.closed)]
        found["record"] = "\n".join([*kept, repr(trail.opened), repr(guard._enforcement)])
        assert {wanted(request) for request in judge.requests} >= {f.name for f in FAULTS}
        assert {request.key for request in judge.requests} == {KEY}
    return found


def leaks(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("surface", "kind"), WAYS)
async def test_promise_9_no_fault_by_no_way_tells_of_anybody(
    surface: str,
    kind: str,
    everything_logged: pytest.LogCaptureFixture,
    spans: Callable[[], list[str]],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CANARY_KEY", KEY)
    for place, seen in (await shown(SURFACES[surface], kind)).items():
        assert not leaks(seen), f"{place}: {leaks(seen)}"
    for record in everything_logged.records:
        line = f"{record.getMessage()} {record.args!r} {record.exc_text or ''} {vars(record)!r}"
        assert not leaks(line), f"{record.name}: {leaks(line)}"
    for span in spans():
        assert not leaks(span), leaks(span)
    out, err = capfd.readouterr()
    assert not leaks(out + err)
    assert any(record.name == "guardrails" for record in everything_logged.records)
