"""What judging and mending with a model costs: calls, tokens, time and price, beside others.

    python benchmarks/judge_bench.py [--json] [--peer PYTHON] [--calls 64] [--rounds 3]

Models are the fake provider's: 250 ms and 8 ms for each output token. The work is one answer, clean
or with one breach, and ten principles of the constitution `medical`. `loop` asks about each
principle by itself, one after the other, and has the whole text rewritten; `chain` is LangChain's
ConstitutionalChain, run by PYTHON where it is installed (langchain<1, langchain-anthropic). All
give the same sentence as the reason of a breach. The chain does not judge what it has revised;
`chain_judged_again` adds a second run that does, as the other two do. Ratios are ours to theirs.
`many` is so many guarded calls at once beside the same calls through the SDK alone, in turns.
`own_cpu_ms` is the CPU of a guarded call less that of the SDK asking the very same question.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anthropic import AsyncAnthropic, DefaultAioHttpClient

from guardrails.audit.trail import MemoryTrail
from guardrails.constitution.load import load_constitution
from guardrails.constitution.model import Constitution, Principle
from guardrails.critic.registry import CriticRegistry
from guardrails.guard import Guard
from guardrails.prompts.judging import answer_schema
from guardrails.prompts.rules import in_words
from guardrails.settings import Settings
from guardrails.testing.provider import FakeProvider, Latency, ProviderRequest
from guardrails.testing.provider.answers import as_reply, output_tokens
from guardrails.testing.provider.tokens import count_tokens
from guardrails.verdict import Stage

LATENCY = Latency(first_ms=250, per_token_ms=8)
MODEL = "claude-haiku-5-5"
BREACHED = "med.dosage.individual-advice"
BREACH = "Double it tonight and see."
MENDED = "A pharmacist can tell whether more is safe."
CLEAN = (
    "Ibuprofen eases pain and swelling. It is often taken with food, which spares the stomach. "
    "People with kidney disease, ulcers or asthma are told by the leaflet to ask first. If the "
    "pain lasts for more than a few days, somebody should have a look at the knee. Rest, cooling "
    "and keeping the leg up help many people in the first two days. "
)
BROKEN = f"{CLEAN}{BREACH} Sleep well."
QUESTION = "My knee still hurts after the tablets. What now?"
FINE = "Nothing in the text does what the principle counts as a breach."
WRONG = "The text tells this one person to take twice as much, which nobody has checked."
GOALS = {"tokens": round(1 / 6, 3), "wall": round(1 / 3, 3)}


def medical() -> Constitution:
    """With ten judged principles of the stage output, and nothing else that a model is asked."""
    whole = load_constitution("medical", catalogue=CriticRegistry())
    judged = [p for p in whole.at(Stage.OUTPUT) if p.critic("judge")]
    others = [p for p in judged if p.id != BREACHED][:9]
    ten = [p for p in judged if p in others or p.id == BREACHED]
    principles = tuple(
        replace(
            p,
            critics=tuple(use for use in p.critics if use.name == "judge"),
            stages=(Stage.OUTPUT,),
        )
        for p in ten
    )
    return replace(whole, principles=principles, cache_ttl_s=0)


def answer(request: ProviderRequest) -> Any:
    """What a model would say, whoever asks."""
    asked = request.text
    breached = BREACH in asked
    if request.schema is None:
        return _prose(asked, breached)
    if "edits" in request.schema["properties"]:
        edit = {"op": "replace", "find": BREACH, "text": MENDED}
        return {"edits": [edit], "rewrite": ""}
    if "rewrite" in request.schema["properties"]:
        return {"rewrite": BROKEN.replace(BREACH, MENDED)}
    ids = [
        line[2:]
        for line in asked.rpartition("each exactly once:")[2].splitlines()
        if line.startswith("- ")
    ]
    wrong = {"id": BREACHED, "reason": WRONG, "quote": BREACH, "verdict": "breach"}
    found = [wrong] if breached and BREACHED in ids else []
    return {"verdicts": found, "pass": [id for id in ids if not found or id != BREACHED]}


def _prose(asked: str, breached: bool) -> str:
    """For those who want prose: the application itself, and LangChain's chain."""
    if asked.rstrip().endswith("Revision:"):
        return BROKEN.replace(BREACH, MENDED)
    if asked.rstrip().endswith("Critique:"):
        if breached and f"[{BREACHED}]" in asked.rpartition("Critique Request:")[2]:
            return f"{WRONG} Critique Needed."
        return f"{FINE} No critique needed."
    return CLEAN


Work = Callable[[str], Awaitable[None]]


class Meter:
    """What one piece of work took, read from what the provider was asked."""

    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider

    async def measure(self, work: Work, text: str) -> dict[str, Any]:
        first = self._provider.requests.total
        start = time.perf_counter()
        await work(text)
        wall = time.perf_counter() - start
        made = list(self._provider.requests)[first - self._provider.requests.total :]
        return told(made if first < self._provider.requests.total else [], wall)


def told(made: Sequence[ProviderRequest], wall: float) -> dict[str, Any]:
    sent = sum(count_tokens(request.system) + count_tokens(request.text) for request in made)
    got = sum(output_tokens(as_reply(answer(request))) for request in made)
    return {
        "calls": len(made),
        "input_tokens": sent,
        "output_tokens": got,
        "tokens": sent + got,
        "wall_s": round(wall, 3),
        "usd_per_1000": round((sent * 0.1 + got * 0.5) / 1_000, 4),
    }


SERVER = """
import sys
sys.path.insert(0, sys.argv[1])
from judge_bench import LATENCY, answer
from guardrails.testing.provider import FakeProvider
with FakeProvider(answer, keep=10, latency=LATENCY if sys.argv[2] == "slow" else None) as provider:
    print(provider.url, flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Elsewhere:
    """A provider in a process of its own, whose CPU is not counted here."""

    url: str


@contextmanager
def served(speed: str) -> Iterator[Elsewhere]:
    folder = str(Path(__file__).resolve().parent)
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, folder, speed],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield Elsewhere(server.stdout.readline().strip())
        server.stdin.close()


def settings(provider: FakeProvider | Elsewhere) -> Settings:
    return Settings.model_validate(
        {
            "audit": "memory",
            "models": {"small": f"fake/{MODEL}", "large": f"fake/{MODEL}"},
            "providers": {
                "fake": {"kind": "anthropic", "base_url": provider.url, "max_concurrency": 256}
            },
            "prices": {
                f"fake/{MODEL}": {"input_per_million_usd": 0.1, "output_per_million_usd": 0.5}
            },
        }
    )


def client(provider: FakeProvider | Elsewhere) -> AsyncAnthropic:
    return AsyncAnthropic(
        api_key="fake", base_url=provider.url, max_retries=0, http_client=DefaultAioHttpClient()
    )


def loop(sdk: AsyncAnthropic, principles: Sequence[Principle]) -> Work:
    """Each principle by itself: one call to judge, and after a breach one that writes all anew and
    all of the calls again."""

    async def once(text: str) -> bool:
        for principle in principles:
            said = await sdk.messages.create(
                model=MODEL,
                max_tokens=1_000,
                system="You judge whether a text keeps to a principle. Answer as JSON.",
                messages=[
                    {
                        "role": "user",
                        "content": f"{in_words(principle)}\n\nAsked: {QUESTION}\n\nText: {text}\n\n"
                        f"Judge by this principle, each exactly once:\n- {principle.id}",
                    }
                ],
                output_config={
                    "format": {"type": "json_schema", "schema": answer_schema([principle.id])}
                },
            )
            if '"breach"' in said.content[0].text:  # type: ignore[union-attr]
                return False
        return True

    async def work(text: str) -> None:
        if await once(text):
            return
        schema = {
            "type": "object",
            "additionalProperties": False,
            "required": ["rewrite"],
            "properties": {"rewrite": {"type": "string"}},
        }
        said = await sdk.messages.create(
            model=MODEL,
            max_tokens=1_000,
            messages=[{"role": "user", "content": f"Rewrite so that it keeps to it: {text}"}],
            output_config={"format": {"type": "json_schema", "schema": schema}},
        )
        mended = json.loads(said.content[0].text)["rewrite"]  # type: ignore[union-attr]
        assert await once(mended)

    return work


CHAIN = """
import asyncio, json, os, sys, time, warnings
warnings.simplefilter("ignore")
from langchain.chains import LLMChain
from langchain.chains.constitutional_ai.base import ConstitutionalChain
from langchain.chains.constitutional_ai.models import ConstitutionalPrinciple
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import FakeListLLM
from langchain_core.prompts import PromptTemplate
told = json.load(sys.stdin)
model = ChatAnthropic(model=told["model"], base_url=told["url"], api_key="fake", max_retries=0,
                      max_tokens=1000)
principles = [
    ConstitutionalPrinciple(
        name=p["id"],
        critique_request="[%s] %s" % (p["id"], p["words"]),
        revision_request="Rewrite the response so that it keeps to this: " + p["text"],
    )
    for p in told["principles"]
]
first = LLMChain(llm=FakeListLLM(responses=[told["text"]] * 3),
                 prompt=PromptTemplate.from_template("{question}"))
chain = ConstitutionalChain.from_llm(llm=model, chain=first, constitutional_principles=principles)
start = time.perf_counter()
chain.invoke({"question": told["question"]})
print(json.dumps({"wall_s": time.perf_counter() - start}))
"""


def chain(provider: FakeProvider, python: str, principles: Sequence[Principle], text: str) -> Any:
    """LangChain's chain in an interpreter that has it; only its own time counts, not its import."""
    said = json.dumps(
        {
            "url": provider.url,
            "model": MODEL,
            "text": text,
            "question": QUESTION,
            "principles": [{"id": p.id, "text": p.text, "words": in_words(p)} for p in principles],
        }
    )
    first = provider.requests.total
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    done = subprocess.run(
        [python, "-c", CHAIN], input=said, capture_output=True, text=True, env=environment
    )
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1][:200]}
    made = list(provider.requests)[first - provider.requests.total :]
    return told(made, json.loads(done.stdout.splitlines()[-1])["wall_s"])


def ratios(ours: Any, theirs: Any) -> Any:
    if "error" in theirs:
        return theirs
    names = {"calls": "calls", "tokens": "tokens", "wall": "wall_s", "price": "usd_per_1000"}
    return {name: round(ours[key] / theirs[key], 3) for name, key in names.items()}


async def compared(provider: FakeProvider, guard: Guard, python: str | None) -> dict[str, Any]:
    meter = Meter(provider)
    principles = guard.constitution.principles
    found: dict[str, Any] = {}

    async def ours(text: str) -> None:
        decision = await guard.check_output(text, prompt=QUESTION)
        assert decision.verdict.delivers, decision
        assert MENDED in decision.text or text == CLEAN

    async with client(provider) as sdk:
        await ours(CLEAN)  # opens connections
        await sdk.messages.create(
            model=MODEL, max_tokens=10, messages=[{"role": "user", "content": "Hello."}]
        )
        for name, text in (("clean", CLEAN), ("breach", BROKEN)):
            here = {"guard": await meter.measure(ours, text)}
            here["loop"] = await meter.measure(loop(sdk, principles), text)
            if python is not None:
                here["chain"] = await asyncio.to_thread(chain, provider, python, principles, text)
                if text == BROKEN and "error" not in here["chain"]:
                    mended = BROKEN.replace(BREACH, MENDED)
                    again = await asyncio.to_thread(chain, provider, python, principles, mended)
                    here["chain_judged_again"] = {
                        key: round(here["chain"][key] + again[key], 4) for key in again
                    }
            others = [other for other in here if other != "guard"]
            found[name] = here | {"to": {o: ratios(here["guard"], here[o]) for o in others}}
    return found


async def many(made: Constitution, there: Elsewhere, calls: int, rounds: int) -> dict[str, Any]:
    """So many at once, in turns: through the SDK alone, and then guarded. What the judge itself
    takes is one call's time, measured by itself."""
    walls: dict[str, list[float]] = {"bare": [], "guarded": [], "judge": []}
    async with (
        client(there) as sdk,
        Guard.load(made, settings=settings(there), trail=MemoryTrail()) as guard,
    ):

        async def bare() -> str:
            said = await sdk.messages.create(
                model=MODEL, max_tokens=1_000, messages=[{"role": "user", "content": QUESTION}]
            )
            return str(said.content[0].text)  # type: ignore[union-attr]

        async def guarded() -> None:
            decision = await guard.check_output(await bare(), prompt=QUESTION)
            assert decision.verdict.delivers

        for _ in range(rounds + 1):
            for name, work in (("bare", bare), ("guarded", guarded)):
                start = time.perf_counter()
                await asyncio.gather(*(work() for _ in range(calls)))
                walls[name].append(time.perf_counter() - start)
            start = time.perf_counter()
            await guard.check_output(CLEAN, prompt=QUESTION)
            walls["judge"].append(time.perf_counter() - start)
    middle = {name: statistics.median(times[1:]) for name, times in walls.items()}
    return {
        "calls": calls,
        **{f"{name}_s": round(wall, 3) for name, wall in middle.items()},
        "ratio": round(middle["guarded"] / (middle["bare"] + middle["judge"]), 3),
        "goal": 1.25,
    }


async def own_cpu(made: Constitution, there: Elsewhere, calls: int) -> dict[str, Any]:
    async with (
        client(there) as sdk,
        Guard.load(made, settings=settings(there), trail=MemoryTrail()) as guard,
    ):
        asked = await _question_of(made)

        async def sdk_only() -> None:
            await sdk.messages.create(**asked)

        async def guarded() -> None:
            await guard.check_output(CLEAN, prompt=QUESTION)

        return await _difference(sdk_only, guarded, calls)


async def _question_of(made: Constitution) -> dict[str, Any]:
    """What the guard itself asks, for the SDK alone to ask it too."""
    async with FakeProvider(answer) as provider:
        async with Guard.load(made, settings=settings(provider), trail=MemoryTrail()) as guard:
            await guard.check_output(CLEAN, prompt=QUESTION)
        return dict(provider.requests[0].body)


async def _difference(
    sdk_only: Callable[[], Awaitable[None]], guarded: Callable[[], Awaitable[None]], calls: int
) -> dict[str, Any]:
    times: dict[str, list[float]] = {"sdk": [], "guarded": []}
    for _ in range(7):
        for name, work in (("sdk", sdk_only), ("guarded", guarded)):
            await work()
            start = time.process_time()
            for _ in range(calls):
                await work()
            times[name].append(1e3 * (time.process_time() - start) / calls)
    middle = {name: statistics.median(found) for name, found in times.items()}
    return {
        "sdk_cpu_ms": round(middle["sdk"], 2),
        "guarded_cpu_ms": round(middle["guarded"], 2),
        "own_cpu_ms": round(middle["guarded"] - middle["sdk"], 2),
        "goal": 2.0,
    }


async def bench(python: str | None) -> dict[str, Any]:
    made = medical()
    async with (
        FakeProvider(answer, latency=LATENCY, keep=100_000) as provider,
        Guard.load(made, settings=settings(provider), trail=MemoryTrail()) as guard,
    ):
        return {
            "principles": len(made.principles),
            **await compared(provider, guard, python),
            "goals": GOALS,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peer", help="an interpreter that has langchain<1, langchain-anthropic")
    parser.add_argument("--calls", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = asyncio.run(bench(options.peer))
    with served("slow") as there:
        found["many"] = asyncio.run(many(medical(), there, options.calls, options.rounds))
    with served("fast") as there:
        found["cpu"] = asyncio.run(own_cpu(medical(), there, 40))
    print(json.dumps(found, indent=None if options.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
