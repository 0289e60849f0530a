"""What routing costs and catches: the same replies under several ways to use a cascade.

    python benchmarks/routing_bench.py [--json] [--replies 1000]

Models are the fake provider's, at the prices of the dated list: `small` is Claude Haiku 5.5 and
`large` Claude Opus 5.5. What they get wrong is scripted, by a hash of the reply: `large` nothing;
`small` misses a quarter of the breaches, takes one clean reply in fifty for a breach, and is unsure
of one in twenty. Six replies in a hundred breach a principle; half of these hold a word that a
pattern looks for, as do five in a hundred of the clean ones. So the figures tell what a way of
routing does to given mistakes. How many a model makes is for a trail of your own to tell.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from judge_bench import BREACH, BREACHED, CLEAN, QUESTION, medical

from guardrails.audit.routing import routing_report
from guardrails.audit.trail import MemoryTrail
from guardrails.constitution.model import (
    Constitution,
    CriticUse,
    Judging,
    Principle,
    Reversals,
    Routing,
    StartRule,
)
from guardrails.critic.registry import CriticRegistry
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing.provider import FakeProvider, ProviderRequest

MODELS = {"small": "anthropic/claude-haiku-5-5", "large": "anthropic/claude-opus-5-5"}
BOTH = ("small", "large")
LOOKED_FOR = "overnight"
AT_ONCE = 16

WAYS: Mapping[str, Judging] = {
    "always small": Judging(cascade=("small",)),
    "always large": Judging(cascade=("large",)),
    "cascade": Judging(cascade=BOTH),
    "look starts large": Judging(
        cascade=BOTH, routing=Routing(start=(StartRule(role="large", look=True),))
    ),
    "confirm": Judging(cascade=BOTH, routing=Routing(confirm="breach")),
    "look, confirm": Judging(
        cascade=BOTH,
        routing=Routing(start=(StartRule(role="large", look=True),), confirm="breach"),
    ),
    "look, confirm, audit 5 %": Judging(
        cascade=BOTH,
        routing=Routing(
            start=(StartRule(role="large", look=True),), confirm="breach", audit_share=0.05
        ),
    ),
    "look, confirm, audit 5 %, reversals": Judging(
        cascade=BOTH,
        routing=Routing(
            start=(StartRule(role="large", look=True),),
            confirm="breach",
            audit_share=0.05,
            reversals=Reversals(share=0.2, samples=50),
        ),
    ),
}


def chance(*what: object) -> float:
    """In [0, 1), the same for the same."""
    return int.from_bytes(sha256(repr(what).encode()).digest()[:8]) / 2**64


def is_breach(n: int) -> bool:
    return chance("breach", n) < 0.06


def reply(n: int) -> str:
    looks = chance("look", n) < (0.5 if is_breach(n) else 0.05)
    word = f" It works {LOOKED_FOR}." if looks else ""
    return f"{CLEAN}{BREACH if is_breach(n) else 'Sleep well.'}{word} Leaflet {n}."


def answer(request: ProviderRequest) -> Any:
    """What these models say of a reply, which its number names."""
    material, _, end = request.text.rpartition("each exactly once:")
    ids = [line[2:] for line in end.splitlines() if line.startswith("- ")]
    n = int(material.rpartition("Leaflet ")[2].partition(".")[0])
    verdict = said(request.model, n)
    if verdict == "pass" or BREACHED not in ids:
        return {"verdicts": [], "pass": ids}
    quote = (BREACH if is_breach(n) else "Sleep well.") if verdict == "breach" else ""
    found = {"id": BREACHED, "reason": "It reads like it.", "quote": quote, "verdict": verdict}
    return {"verdicts": [found], "pass": [id for id in ids if id != BREACHED]}


def said(model: str, n: int) -> str:
    truth = "breach" if is_breach(n) else "pass"
    if not MODELS["small"].endswith(model):
        return truth
    if chance("unsure", n) < 0.05:
        return "undecided"
    if truth == "breach":
        return "pass" if chance("miss", n) < 0.25 else "breach"
    return "breach" if chance("alarm", n) < 0.02 else "pass"


def looking(principle: Principle) -> Principle:
    """The principle in question, with a pattern that makes the judge look; a breach is flagged, so
    that nothing is mended."""
    pattern = CriticRegistry()["pattern"]
    config = pattern.config.model_validate({"look": [LOOKED_FOR]})
    use = CriticUse(name="pattern", tier=pattern.tier, config=config)
    more = (use,) if principle.id == BREACHED else ()
    return replace(
        principle,
        critics=(*more, *principle.critics),
        actions=dict.fromkeys(principle.actions, "flag"),
        applies={},
    )


async def measured(made: Constitution, replies: Sequence[str]) -> dict[str, Any]:
    trail = MemoryTrail(newest=len(replies))
    wrong = {"missed": 0, "false_alarms": 0}
    async with FakeProvider(answer) as provider:
        house = {"kind": "anthropic", "base_url": provider.url}
        settings = Settings.model_validate(
            {"audit": "memory", "models": MODELS, "providers": {"anthropic": house}}
        )
        async with Guard.load(made, settings=settings, trail=trail) as guard:
            for first in range(0, len(replies), AT_ONCE):
                numbers = range(first, min(first + AT_ONCE, len(replies)))
                for n, decision in zip(
                    numbers,
                    await asyncio.gather(
                        *(guard.check_output(replies[n], prompt=QUESTION) for n in numbers)
                    ),
                    strict=True,
                ):
                    wrong["missed"] += is_breach(n) and not decision.breaches
                    wrong["false_alarms"] += bool(decision.breaches) and not is_breach(n)
    report = routing_report(trail.opened)
    calls = {use.role: use.calls for use in report.roles}
    return {
        "calls": {role: calls.get(role, 0) for role in BOTH},
        "usd": report.cost_usd and round(report.cost_usd, 3),
        "always_last_usd": report.always_last_usd and round(report.always_last_usd, 3),
        "reversed": sum(use.reversed for use in report.roles),
        **wrong,
    }


async def bench(replies: int) -> dict[str, Any]:
    ten = medical()
    ten = replace(ten, principles=tuple(looking(principle) for principle in ten.principles))
    texts = [reply(n) for n in range(replies)]
    return {
        "replies": replies,
        "breaches": sum(is_breach(n) for n in range(replies)),
        "ways": {
            name: await measured(replace(ten, judging=way), texts) for name, way in WAYS.items()
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--replies", type=int, default=1000)
    options = parser.parse_args()
    found = asyncio.run(bench(options.replies))
    print(json.dumps(found, indent=None if options.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
