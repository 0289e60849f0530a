"""What a judge said before of the same principle, text and circumstances is not asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from critics.judge.panel import Said
from critics.judge.windows import Window
from guardrails.cache.flights import Flights, Seat
from guardrails.cache.names import Name
from guardrails.cache.value import Kept, Place
from guardrails.cache.verdicts import VerdictCache
from guardrails.constitution.digest import principle_digest
from guardrails.constitution.model import Principle
from guardrails.critic.protocol import CriticFinding, CritiqueRequest, Rule
from guardrails.prompts.judging import DIGEST, VERSION, Seen
from guardrails.prompts.rules import in_words

__all__ = [
    "Case",
    "Memory",
    "Panel",
    "Query",
    "Reply",
    "Role",
    "consult",
    "finding_of",
    "kept_of",
]

REASON = "judged so before; the reason is not kept"
"""A judge's own reason may quote the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Principles of a group to be asked about one window, in the order in which they are asked."""

    group: tuple[str, ...]
    prefix: str = field(repr=False)
    asked: tuple[Principle, ...]
    window: Window = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is known now. `said` is None where nobody had to be asked; it is `own` if this caller's
    question brought it about, and else another's with the same question."""

    kept: Mapping[str, Kept] = field(default_factory=dict)
    said: Said | None = None
    own: bool = True
    models: tuple[str, ...] = ()
    """Who said what is kept."""

    @property
    def cached(self) -> int:
        """How many verdicts cost this caller nothing."""
        shared = 0 if self.own or self.said is None else len(self.said.rulings)
        return len(self.kept) + shared


class Panel(Protocol):
    """Whoever can be asked, at this caller's expense."""

    async def put(self, queries: Sequence[Query]) -> Sequence[Callable[[], Awaitable[Said]]]:
        """Reckon what these cost, and how each is asked. Raises BudgetExceeded."""
        ...

    def patience_s(self) -> float:
        """How long an answer may take. Raises BudgetExceeded if no time is left."""
        ...

    def settled(self, principle: Principle, said: Said, window: Window) -> Kept | None:
        """What an answer settles; None where it leaves a doubt."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is judged, for whom and by which role of the cascade; `shown` is what helps to judge."""

    request: CritiqueRequest
    shown: Sequence[Seen] = field(repr=False)
    role: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role of the cascade and the model that plays it. `backwards`: the order of principles."""

    name: str
    model: str
    backwards: bool

    @property
    def fields(self) -> tuple[str, str, str]:
        return self.name, self.model, "back" if self.backwards else "forth"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Landing:
    """What a shared question came to, and how long it was given."""

    reply: Reply
    given_s: float


@dataclass(frozen=True, slots=True)
class _Named:
    """A query, and for each principle the names under which an answer may be kept: this role's
    first, then those of dearer roles, who were asked where this one was in doubt before."""

    query: Query
    names: Mapping[str, tuple[Name, ...]]
    flight: Name

    @property
    def all(self) -> Iterable[Name]:
        return (name for names in self.names.values() for name in names)


class Memory:
    """What judges of one constitution said, for `ttl_s` seconds."""

    def __init__(
        self,
        cache: VerdictCache,
        *,
        critic: str,
        rules: Sequence[Rule],
        roles: Sequence[Role],
        ttl_s: int,
    ) -> None:
        self.cache, self.roles, self.ttl_s = cache, tuple(roles), ttl_s
        self.flights = Flights[_Landing]()
        self._critic = critic
        self._rules = {
            rule.principle.id: (
                principle_digest(rule.principle),
                rule.config.model_dump_json(),
                in_words(rule.principle),
            )
            for rule in rules
        }

    def named(self, query: Query, case: Case) -> _Named:
        """Names hang on all that an answer hangs on, but for the words of other principles of the
        group: a change of those leaves what was said of this one."""
        tenant, of = case.request.context.tenant, self.cache.names.of
        material = of(tenant, _material(query.window, case))
        fixed = ("question", str(case.request.stage), self._critic, VERSION, DIGEST)
        about = [
            of(tenant, [material, *fixed, *role.fields, *query.group])
            for role in self.roles[case.role :]
        ]
        names = {
            principle.id: tuple(of(tenant, [each, *self._rules[principle.id]]) for each in about)
            for principle in query.asked
        }
        return _Named(query, names, of(tenant, ["flight", *(own for own, *_ in names.values())]))


def _material(window: Window, case: Case) -> Iterable[str]:
    yield from ("material", str(len(case.shown)))
    for seen in case.shown:
        yield from (seen.role, seen.kind, seen.text)
    for piece in window:
        part = case.request.parts[piece.part]
        yield from (part.role, part.kind, piece.text)


async def consult(
    memory: Memory | None, panel: Panel, queries: Sequence[Query], case: Case
) -> list[Reply]:
    """Ask what is not remembered, all at once. Raises BudgetExceeded before anything is asked."""
    if memory is None:
        said = await asyncio.gather(*(ask() for ask in await panel.put(queries)))
        return [Reply(said=one) for one in said]
    return await _Consultation(memory, panel, case).hold(queries)


class _Consultation:
    def __init__(self, memory: Memory, panel: Panel, case: Case) -> None:
        self._memory, self._panel, self._case = memory, panel, case

    async def hold(self, queries: Sequence[Query]) -> list[Reply]:
        """Whoever led a shared question and gave it up, or gave it less time than is left here,
        does not speak for others: they ask for themselves."""
        open = {n: self._memory.named(query, self._case) for n, query in enumerate(queries)}
        replies: dict[int, Reply] = {}
        while open:
            seats = {n: self._memory.flights.board(named.flight) for n, named in open.items()}
            try:
                await self._lead([(open[n], seat) for n, seat in seats.items() if seat.leads])
                landings = await asyncio.gather(*(seat.arrival() for seat in seats.values()))
            finally:
                for seat in seats.values():
                    seat.leave()
            for (n, seat), landing in zip(seats.items(), landings, strict=True):
                if landing is not None and (seat.leads or not self._has_longer(landing)):
                    replies[n] = replace(landing.reply, own=seat.leads)
                    del open[n]
        return [replies[n] for n in range(len(queries))]

    def _has_longer(self, landing: _Landing) -> bool:
        said = landing.reply.said
        if said is None or said.failure != "timeout":
            return False
        return self._panel.patience_s() > landing.given_s

    async def _lead(self, led: Sequence[tuple[_Named, Seat[_Landing]]]) -> None:
        """Look up all at once, then launch what is left. Raises BudgetExceeded."""
        if not led:
            return
        memory = self._memory
        names = [name for named, _ in led for name in named.all]
        found = await memory.cache.get(names, ttl_s=memory.ttl_s)
        asking: list[tuple[_Named, Seat[_Landing], Reply, Query]] = []
        for named, seat in led:
            known = self._known(named, found)
            rest = tuple(p for p in named.query.asked if p.id not in known.kept)
            if rest:
                asking.append((named, seat, known, replace(named.query, asked=rest)))
            else:
                seat.land(_Landing(reply=known, given_s=0.0))
        if not asking:
            return
        asks = await self._panel.put([query for *_, query in asking])
        given_s = self._panel.patience_s()
        for (named, seat, known, query), ask in zip(asking, asks, strict=True):
            seat.launch(self._asked(named, known, query, ask, given_s))

    def _known(self, named: _Named, found: Mapping[Name, Kept]) -> Reply:
        """The word of the dearest role that gave one."""
        kept: dict[str, Kept] = {}
        models: dict[str, None] = {}
        roles = self._memory.roles[self._case.role :]
        for id, names in named.names.items():
            for role, name in reversed(list(zip(roles, names, strict=True))):
                if name in found:
                    kept[id] = found[name]
                    models[role.model] = None
                    break
        return Reply(kept=kept, models=tuple(models))

    async def _asked(
        self,
        named: _Named,
        known: Reply,
        query: Query,
        ask: Callable[[], Awaitable[Said]],
        given_s: float,
    ) -> _Landing:
        """Ask, and keep what was settled: never a doubt, an outage, or the word of a model that
        stood in for the one that was to be asked."""
        said = await ask()
        memory = self._memory
        if said.failure is None and said.model == memory.roles[self._case.role].model:
            settled = {
                named.names[principle.id][0]: kept
                for principle in query.asked
                if (kept := self._panel.settled(principle, said, query.window)) is not None
            }
            await memory.cache.put(settled, ttl_s=memory.ttl_s)
        return _Landing(reply=replace(known, said=said), given_s=given_s)


def kept_of(finding: CriticFinding | None, window: Window) -> Kept:
    """What to keep of a pass (no finding) or a breach: where it is, and none of its words."""
    if finding is None:
        return Kept(value="pass")
    if finding.span is None:
        return Kept(value="breach")
    start, end = finding.span
    for n, piece in enumerate(window):
        if piece.part == finding.part and piece.start <= start < end <= _stop(window, n):
            span = start - piece.start, end - piece.start
            return Kept(value="breach", place=Place(piece=n, span=span))
    raise ValueError("a breach outside of what was judged")


def finding_of(id: str, kept: Kept, window: Window) -> CriticFinding | None:
    """A kept breach, at its place in this window; None for a pass."""
    if kept.value == "pass":
        return None
    if kept.place is None:
        return CriticFinding(principle=id, value="breach", reason=REASON)
    piece = window[kept.place.piece]
    start, end = kept.place.span
    return CriticFinding(
        principle=id,
        value="breach",
        part=piece.part,
        span=(piece.start + start, piece.start + end),
        reason=REASON,
    )


def _stop(window: Window, n: int) -> int:
    return window[n].start + len(window[n].text)
