"""Constitutions that a judge holds, fake judges that read what they are sent, guards of both."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from guardrails.audit.trail import MemoryTrail
from guardrails.constitution.model import (
    Budget,
    Constitution,
    CriticUse,
    Judging,
    Principle,
    Remedy,
)
from guardrails.critic.registry import CriticRegistry, JudgeConfig
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import FakeProvider
from guardrails.testing.provider import ProviderRequest
from guardrails.text.normalise import INVISIBLE
from guardrails.verdict import Stage

CATALOGUE = dict(CriticRegistry())
JUDGE = CriticUse(name="judge", tier="model", config=JudgeConfig())
AFTER_LOOK = CriticUse(name="judge", tier="model", config=JudgeConfig(when="look"))
EVERYWHERE = tuple(Stage)
INSULT = "You are an idiot."
PRICES = {"input_per_million_usd": 1.0, "output_per_million_usd": 5.0}


def critic(name: str, **config: Any) -> CriticUse:
    """A principle's mention of a critic that is installed."""
    entry = CATALOGUE[name]
    return CriticUse(name=name, tier=entry.tier, config=entry.config.model_validate(config))


def principle(id: str = "house.kind", *critics: CriticUse, **more: Any) -> Principle:
    stages = more.pop("stages", EVERYWHERE)
    action = more.pop("action", "block")
    remedy = more.pop("remedy", None)
    return Principle(
        **{
            "id": id,
            "text": "Is kind.",
            "breach": "Insults somebody.",
            "stages": stages,
            "actions": dict.fromkeys(stages, action),
            "critics": critics or (JUDGE,),
            "remedy": None if remedy is None else Remedy(**remedy),
        }
        | more
    )


def constitution(*principles: Principle, **more: Any) -> Constitution:
    return Constitution(
        **{
            "id": "house",
            "version": "1.0.0",
            "digest": "sha256:0",
            "principles": principles or (principle(),),
            "reply_blocked": {"en": "Not here."},
            "reply_unavailable": {"en": "Later, please."},
            "judging": Judging(cascade=more.pop("cascade", ("small",)), timeout_s=5.0),
            "cache_ttl_s": 0,
            "budget": Budget(max_tokens=1_000_000, max_calls=100),
        }
        | more
    )


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What stands between two delimiters."""

    name: str
    text: str = field(repr=False)

    @property
    def judged(self) -> bool:
        return self.name.startswith(("JUDGED", "TEXT"))


_WALLED = re.compile(r"<<<BEGIN ([^\n]*) ([0-9a-f]{16})>>>\n(.*?)\n<<<END \1 \2>>>", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A request as a careful reader sees it: the pieces, and all that stands outside of them."""

    pieces: Sequence[Piece]
    outside: str
    ids: Sequence[str]
    told: Sequence[str]
    """The principles of the prefix, in their order."""
    model: str

    @property
    def judged(self) -> str:
        return "\n".join(piece.text for piece in self.pieces if piece.judged)

    @property
    def context(self) -> str:
        return "\n".join(piece.text for piece in self.pieces if not piece.judged)

    @property
    def revises(self) -> bool:
        return any(piece.name == "TEXT" for piece in self.pieces)


def sheet(request: ProviderRequest) -> Sheet:
    pieces = [Piece(name=name, text=text) for name, _, text in _WALLED.findall(request.text)]
    outside = _WALLED.sub("", request.text)
    _, _, end = outside.rpartition("each exactly once:\n")
    ids = [line[2:] for line in end.splitlines() if line.startswith("- ")]
    told = re.findall(r"^## (\S+)$", request.system, re.MULTILINE)
    return Sheet(pieces=pieces, outside=outside, ids=ids, told=told, model=request.model)


_MARK = re.compile(r"<{3}\s*(BEGIN|END)\b[^\n>]*>{3}")
_CONTROL = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|</?s>|<</?SYS>>|\[/?(?:INST|SYSTEM_PROMPT|TOOL_RESULTS|THINK)\]"
    r"|<(?:start|end)_of_turn>|</?(?:think|tool_call|tool_response)>|<(?:bos|eos)>"
)


def outside_for_the_gullible(text: str) -> str:
    """What stands outside for a reader who takes any mark for one, whatever its token, in wide
    brackets and with invisible characters in it too, and whose server obeys control tokens."""
    seen = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    outside, at, inside = [], 0, False
    for mark in re.finditer(f"{_MARK.pattern}|{_CONTROL.pattern}", seen):
        if not inside:
            outside.append(seen[at : mark.start()])
        inside, at = mark[1] == "BEGIN", mark.end()
    return "".join(outside) + ("" if inside else seen[at:])


def ruling(id: str, verdict: str = "pass", quote: str = "", reason: str = "So it is.") -> Any:
    return {"id": id, "reason": reason, "quote": quote, "verdict": verdict}


def rulings(ids: Sequence[str], **more: Any) -> Any:
    return {"verdicts": [ruling(id, **more) for id in ids]}


Answering = Callable[[ProviderRequest], Any]


def quoting(quotes: Mapping[str, str] | str = INSULT, edit: Any = None) -> Answering:
    """A judge that finds a breach where a judged text holds its quote, and sees no more than it is
    sent; as a reviser it takes the quotes out, or gives `edit`."""

    def answer(request: ProviderRequest) -> Any:
        seen = sheet(request)
        if seen.revises:
            if edit is not None:
                return edit
            finds = [piece.text for piece in seen.pieces if piece.name == "QUOTE"]
            edits = [{"op": "replace", "find": find, "text": ""} for find in finds]
            return {"edits": edits, "rewrite": ""}
        wanted = quotes if isinstance(quotes, Mapping) else dict.fromkeys(seen.ids, quotes)
        said = []
        for id in seen.ids:
            quote = wanted.get(id, "")
            found = bool(quote) and quote in seen.judged
            said.append(ruling(id, "breach", quote) if found else ruling(id))
        return {"verdicts": said}

    return answer


@dataclass(frozen=True, kw_only=True)
class House:
    """A guard, the provider that it asks, and what it wrote down."""

    guard: Guard
    provider: FakeProvider
    trail: MemoryTrail

    @property
    def sheets(self) -> list[Sheet]:
        return [sheet(request) for request in self.provider.requests]


def settings(provider: FakeProvider, **more: Any) -> Settings:
    """Small and large models at the provider, and one that stands in where a test says so."""
    return Settings(
        **{
            "audit": "memory",
            "models": {"small": "fake/small", "large": "fake/large"},
            "providers": {
                "fake": {"kind": "anthropic", "base_url": provider.url},
                "other": {"kind": "openai", "base_url": provider.openai_url},
            },
            "prices": {f"fake/{name}": PRICES for name in ("small", "large")}
            | {"other/third": PRICES},
        }
        | more
    )


@asynccontextmanager
async def house(
    answers: Any = None, made: Constitution | None = None, **more: Any
) -> AsyncIterator[House]:
    """A guard whose models are at a fake provider; closed at the end, when nothing may be left
    (unless others run at the same time: `alone=False`)."""
    before, alone = asyncio.all_tasks(), more.pop("alone", True)
    latency = more.pop("latency", None)
    answers = quoting() if answers is None else answers
    trail = MemoryTrail()
    async with FakeProvider(answers, latency=latency, strict=False) as provider:
        chosen = settings(provider, **more)
        async with Guard.load(made or constitution(), settings=chosen, trail=trail) as guard:
            yield House(guard=guard, provider=provider, trail=trail)
        assert not provider.errors, provider.errors
        left = asyncio.all_tasks() - before if alone else None
        if left:
            await asyncio.wait(left, timeout=1)
            names = [str(task) for task in left if not task.done()]
            assert not [name for name in names if "guardrails" in name or "critics" in name]
