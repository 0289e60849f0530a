"""What of a conversation was judged before, or is our own word: it helps to judge what is new, and
is not judged again.

Applications send the whole conversation with each turn. A part of it is known if, after the very
same parts before it, it went in under the same rules and was allowed or flagged by policy, or if it
went out as a reply. What was stopped, changed or in doubt is not, nor is the newest turn, whatever
is known of it. Only names are kept (`cache`), never a text.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from guardrails.audit.keys import make_keys
from guardrails.cache.names import Name
from guardrails.cache.value import Kept
from guardrails.cache.verdicts import VerdictCache, open_cache
from guardrails.exchange import Context, Kind, Part, Role
from guardrails.exchange import Path as Place
from guardrails.pipeline.matter import said_of
from guardrails.pipeline.plan import Plan
from guardrails.settings import Settings
from guardrails.verdict import Decision, Stage, Verdict

__all__ = ["MOST_PARTS", "Conversation", "Turn", "Turns", "open_turns", "turn_of", "turns_in"]

T = TypeVar("T")
Given = TypeVarTuple("Given")

KNOWN, STOPPED = Kept(value="pass"), Kept(value="breach")
"""A part that was stopped is kept, too: were it allowed at the same time somewhere else, by a judge
that wavers, the later word stands."""

MOST_PARTS = 5_000
"""Of a conversation of more nothing is kept: nobody's shall drive out all the others'."""

INLINE_PARTS = 200
INLINE_CHARACTERS = 200_000
"""More takes some milliseconds to name, which would hold up the loop."""


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
        return self.kind != "thinking" or self.role != "assistant"


def turn_of(part: Part) -> Turn:
    return Turn(part.role, part.kind, part.name, _sum(part.text))


def turns_of(parts: Iterable[tuple[int, Part]]) -> Iterator[tuple[Turn, list[int]]]:
    """The turns that parts make up, with the numbers of theirs. The words of a tool's call are told
    apart by the keys that lead to them from where it begins, and not by their order: SDKs send a
    call back with its fields in another one."""
    for (role, kind, name), together in groupby(parts, lambda each: _kind_of(each[1])):
        if kind != "tool_call":
            yield from ((turn_of(part), [number]) for number, part in together)
            continue
        for call in _calls(list(together)):
            yield Turn(role, kind, name, call.sum), call.numbers


def _kind_of(part: Part) -> tuple[Role, Kind, str | None]:
    return part.role, part.kind, part.name


class _Call:
    """One tool's call. `root` is where it begins."""

    def __init__(self, root: Place) -> None:
        self.root = root
        self.numbers: list[int] = []
        self._words: list[bytes] = []
        self._places: dict[Place, bytes] = {(): hashlib.sha256().digest()}

    def add(self, number: int, part: Part) -> None:
        self.numbers.append(number)
        place = self._place(part.path[len(self.root) :])
        self._words.append(hashlib.sha256(place + _bytes(part.text)).digest())

    @property
    def sum(self) -> str:
        return hashlib.sha256(b"".join(sorted(self._words))).hexdigest()

    def _place(self, path: Place) -> bytes:
        """32 bytes for a place. A key is read once, however much stands below it."""
        known = self._places.get(path)
        if known is None:
            key = path[-1]
            step = f"at {key:x}" if isinstance(key, int) else f"of {key}"
            known = hashlib.sha256(self._place(path[:-1]) + _bytes(step)).digest()
            self._places[path] = known
        return known


def _calls(parts: Sequence[tuple[int, Part]]) -> Iterator[_Call]:
    """Calls of one tool that follow each other. One begins where it is named; what stands where
    nothing is named is one by itself."""
    named = {part.path[:-1] for _, part in parts if part.path and part.path[-1] == "name"}
    lengths = sorted({len(root) for root in named})
    call: _Call | None = None
    for number, part in parts:
        roots = (part.path[:length] for length in lengths if length < len(part.path))
        root = next((root for root in roots if root in named), None)
        if call is None or root is None or call.root != root:
            if call is not None:
                yield call
            call = _Call(part.path[:-1] if root is None else root)
        call.add(number, part)
    if call is not None:
        yield call


def _sum(text: str) -> str:
    return hashlib.sha256(_bytes(text)).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Conversation:
    """The parts of one exchange: `names` are of each with all that led up to it, `known` those that
    need not be judged."""

    names: tuple[Name, ...]
    known: frozenset[int]

    def known_behind(self, before: Sequence[Part]) -> frozenset[int]:
        """Those among the parts that stand behind these, which are none of them."""
        return frozenset(n - len(before) for n in self.known)


class Turns:
    """The memory for conversations of one guard."""

    def __init__(self, plan: Plan, settings: Settings, cache: VerdictCache) -> None:
        self._cache, self._ttl_s = cache, plan.constitution.cache_ttl_s
        judging = plan.constitution.judging
        critics = plan.stages[Stage.INPUT].critics
        roles = () if plan.offline else judging.cascade
        models = [f"{settings.models.get(r)} {settings.fallbacks.get(r)}" for r in roles]
        self._rules = (
            "conversation",
            plan.constitution.digest,
            "\n".join(f"{bound.name} {bound.critic.version}" for bound in critics),
            "offline" if plan.offline else "\n".join(models),
        )

    async def look(self, parts: Sequence[Part], context: Context) -> Conversation | None:
        """What is known of these; None for more than are kept. Where there is no reply among them,
        nothing is, and nothing is looked up."""
        if len(parts) > MOST_PARTS:
            return None
        names, _ = await _aside(parts, self._names, parts, context)
        replied = max((n for n, part in enumerate(parts) if part.role == "assistant"), default=0)
        old = [n for n, part in enumerate(parts) if part.target and part.readable and n <= replied]
        if not any(part.role == "assistant" for part in parts):
            return Conversation(names, frozenset())
        found = await self._cache.get([names[n] for n in old], ttl_s=self._ttl_s)
        return Conversation(names, frozenset(n for n in old if found.get(names[n]) == KNOWN))

    def judged(
        self, conversation: Conversation, parts: Sequence[Part], decision: Decision
    ) -> dict[Name, Kept]:
        """What to keep of those that were judged, by what was decided: what goes on is known, but
        for parts that were changed or in doubt."""
        doubtful = {f.part for f in decision.findings if f.action != "flag" or f.cause != "policy"}
        nobody = decision.verdict > Verdict.REDACT or None in doubtful
        kept: dict[Name, Kept] = {}
        for n, part in enumerate(parts):
            if part.target and part.readable and n not in conversation.known:
                name = conversation.names[n]
                stops = nobody or n in doubtful or kept.get(name) == STOPPED
                kept[name] = STOPPED if stops else KNOWN
        return kept

    async def delivered(
        self, before: Sequence[Part], reply: Sequence[Turn], context: Context
    ) -> dict[Name, Kept]:
        """What to keep of a reply that went out."""
        if len(before) + len(reply) > MOST_PARTS:
            return {}
        return await _aside(before, self._delivered, before, reply, context)

    async def keep(self, kept: dict[Name, Kept]) -> None:
        await self._cache.put(kept, ttl_s=self._ttl_s)

    async def aclose(self) -> None:
        await self._cache.aclose()

    def _delivered(
        self, before: Sequence[Part], reply: Sequence[Turn], context: Context
    ) -> dict[Name, Kept]:
        _, last = self._names(before, context)
        kept: dict[Name, Kept] = {}
        for turn in reply:
            name = self._next(last, turn, context)
            kept[name] = KNOWN
            if turn.leads_on:
                last = name
        return kept

    def _names(self, parts: Sequence[Part], context: Context) -> tuple[tuple[Name, ...], Name]:
        """What a request says to the model beside the conversation comes first: formats put it
        before or behind that."""
        fields = (*self._rules, context.language or "", json.dumps(said_of(context)))
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


async def turns_in(reply: Sequence[Part]) -> Sequence[Turn]:
    """The turns of a reply; none of one of more parts than are kept."""
    if len(reply) > MOST_PARTS:
        return ()
    return await _aside(reply, lambda: [turn for turn, _ in turns_of(enumerate(reply))])


async def _aside(parts: Sequence[Part], work: Callable[[*Given], T], /, *given: *Given) -> T:
    """Pure work, off the loop where there are many parts or much in them."""
    if len(parts) > INLINE_PARTS or sum(len(part.text) for part in parts) > INLINE_CHARACTERS:
        return await asyncio.to_thread(work, *given)
    return work(*given)


def _own_first(numbered: tuple[int, Part]) -> bool:
    part = numbered[1]
    return part.role != "system" or _is_message(part.path)


def _is_message(path: Place) -> bool:
    """Whether it leads to one message among others, which stays where it is."""
    match path:
        case (int(), *_) | ("messages" | "input", int(), *_):
            return True
    return False


def open_turns(plan: Plan, settings: Settings, key_file: Path | None) -> Turns | None:
    """None where it would not pay, for judging costs little, or where nothing is to be kept.
    Raises SettingsError."""
    if not plan.stages[Stage.INPUT].is_costly or plan.constitution.cache_ttl_s <= 0:
        return None
    key = None if key_file is None else make_keys(key_file).derive("cache")
    cache = open_cache(settings, key)
    return None if cache is None else Turns(plan, settings, cache)
