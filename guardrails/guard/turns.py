"""What of a conversation was judged before, or is our own word: it helps to judge what is new, and
is not judged again.

Applications send the whole conversation with each turn. A part of it is known if, after the very
same parts before it, it went in under the same rules and was allowed or flagged by policy, or if it
went out as a reply. What was stopped, changed or in doubt is not, nor is the newest turn, whatever
is known of it. Only names are kept (`cache`), never a text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from guardrails.audit.keys import make_keys
from guardrails.cache.names import Name
from guardrails.cache.value import Kept
from guardrails.cache.verdicts import VerdictCache, open_cache
from guardrails.exchange import Context, Kind, Part, Role
from guardrails.pipeline.matter import applies
from guardrails.pipeline.plan import Plan
from guardrails.settings import Settings
from guardrails.verdict import Decision, Stage, Verdict

__all__ = ["Conversation", "Turn", "Turns", "open_turns", "turn_of", "turns_of"]

KNOWN, STOPPED = Kept(value="pass"), Kept(value="breach")
"""A part that was stopped is kept, too: were it allowed at the same time somewhere else, by a judge
that wavers, the later word stands."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What conversations are told apart by: a part, or all that belongs to one tool's call. `sum`
    is the SHA-256 of its text."""

    role: Role
    kind: Kind
    name: str | None
    sum: str

    @property
    def leads_on(self) -> bool:
        """Whether what follows is told apart by it. Applications leave out what a model thought
        when they send its reply back."""
        return self.kind != "thinking"


def turn_of(part: Part) -> Turn:
    return Turn(part.role, part.kind, part.name, _sum(part.text))


def turns_of(parts: Iterable[tuple[int, Part]]) -> Iterator[tuple[Turn, list[int]]]:
    """The turns that parts make up, with the numbers of theirs. The words of a tool's call are told
    apart by the keys that lead to them, and not by their order: SDKs send a call back with its
    fields in another one."""
    for (role, kind, name), together in groupby(parts, lambda each: _kind_of(each[1])):
        if kind != "tool_call":
            yield from ((turn_of(part), [number]) for number, part in together)
            continue
        call = list(together)
        words = sorted(_sum(f"{part.path[-2:]!r}{part.text}") for _, part in call)
        yield Turn(role, kind, name, _sum("".join(words))), [number for number, _ in call]


def _kind_of(part: Part) -> tuple[Role, Kind, str | None]:
    return part.role, part.kind, part.name


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Conversation:
    """The parts of one exchange: `names` are of each with all that led up to it, `known` those that
    need not be judged. `last` is what a reply to it follows on."""

    names: tuple[Name, ...]
    last: Name
    known: frozenset[int]


class Turns:
    """The memory for conversations of one guard."""

    def __init__(self, plan: Plan, settings: Settings, cache: VerdictCache) -> None:
        self._cache, self._ttl_s = cache, plan.constitution.cache_ttl_s
        self._matters = plan.stages[Stage.INPUT].matters
        judging = plan.constitution.judging
        critics = plan.stages[Stage.INPUT].critics
        roles = () if plan.offline else judging.cascade
        self._rules = (
            "conversation",
            plan.constitution.digest,
            "\n".join(f"{bound.name} {bound.critic.version}" for bound in critics),
            "offline" if plan.offline else "\n".join(str(settings.models.get(r)) for r in roles),
        )

    async def look(self, parts: Sequence[Part], context: Context) -> Conversation:
        """What is known of these. Where there is no reply among them, nothing is, and nothing is
        looked up."""
        names, last = self._names(parts, context)
        replied = max((n for n, part in enumerate(parts) if part.role == "assistant"), default=0)
        old = [n for n, part in enumerate(parts) if part.target and part.readable and n <= replied]
        if not any(part.role == "assistant" for part in parts):
            return Conversation(names, last, frozenset())
        found = await self._cache.get([names[n] for n in old], ttl_s=self._ttl_s)
        return Conversation(names, last, frozenset(n for n in old if found.get(names[n]) == KNOWN))

    def judged(
        self, conversation: Conversation, parts: Sequence[Part], decision: Decision, ahead: int
    ) -> dict[Name, Kept]:
        """What to keep of those that were judged, by what was decided: what goes on is known, but
        for parts that were changed or in doubt. `ahead` parts stood before them."""
        doubtful = {f.part for f in decision.findings if f.action != "flag" or f.cause != "policy"}
        nobody = decision.verdict > Verdict.REDACT or None in doubtful
        kept: dict[Name, Kept] = {}
        for n, part in enumerate(parts):
            if part.target and part.readable and n not in conversation.known:
                name = conversation.names[n]
                stops = nobody or n + ahead in doubtful or kept.get(name) == STOPPED
                kept[name] = STOPPED if stops else KNOWN
        return kept

    def delivered(
        self, before: Sequence[Part], reply: Iterable[Turn], context: Context
    ) -> dict[Name, Kept]:
        """What to keep of a reply that went out."""
        _, last = self._names(before, context)
        kept: dict[Name, Kept] = {}
        for turn in reply:
            name = self._next(last, turn, context)
            kept[name] = KNOWN
            if turn.leads_on:
                last = name
        return kept

    async def keep(self, kept: dict[Name, Kept]) -> None:
        await self._cache.put(kept, ttl_s=self._ttl_s)

    async def aclose(self) -> None:
        await self._cache.aclose()

    def _names(self, parts: Sequence[Part], context: Context) -> tuple[tuple[Name, ...], Name]:
        """The application's own words come first, wherever they stand: formats put them before or
        behind the conversation."""
        applying = (m.principle.id for m in self._matters if applies(m.principle, context))
        fields = (*self._rules, context.language or "", *applying)
        last = self._cache.names.of(context.tenant, fields)
        names: dict[int, Name] = {}
        for turn, numbers in turns_of(sorted(enumerate(parts), key=_own_first)):
            name = self._next(last, turn, context)
            names |= dict.fromkeys(numbers, name)
            if turn.leads_on:
                last = name
        return tuple(names[n] for n in range(len(parts))), last

    def _next(self, last: Name, turn: Turn, context: Context) -> Name:
        fields = ("turn", last, turn.role, turn.kind, turn.name or "", turn.sum)
        return self._cache.names.of(context.tenant, fields)


def _own_first(numbered: tuple[int, Part]) -> bool:
    return numbered[1].role != "system"


def open_turns(plan: Plan, settings: Settings, key_file: Path | None) -> Turns | None:
    """None where it would not pay, for judging costs little, or where nothing is to be kept.
    Raises SettingsError."""
    if not plan.stages[Stage.INPUT].is_costly or plan.constitution.cache_ttl_s <= 0:
        return None
    key = None if key_file is None else make_keys(key_file).derive("cache")
    cache = open_cache(settings, key)
    return None if cache is None else Turns(plan, settings, cache)
