"""The judge: one question for all open principles, deferred to a dearer role where in doubt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import ClassVar, Literal

from critics.judge.context import helping
from critics.judge.minutes import Minutes
from critics.judge.panel import ROOM_TO_THINK, Said, answer_tokens, ask, tokens_in, unpaid
from critics.judge.remembered import (
    Case,
    Memory,
    Query,
    Reply,
    Role,
    consult,
    finding_of,
    kept_of,
)
from critics.judge.routing import Begin, Exchange, Router, Tally, is_audited, start_role
from critics.judge.windows import Window, windows
from guardrails.cache.value import Kept
from guardrails.constitution.model import CriticConfig, Principle, Routing
from guardrails.critic.limits import Estimate, Reserved
from guardrails.critic.protocol import (
    CriticFinding,
    Critique,
    CritiqueRequest,
    Declared,
    Need,
    Resources,
    Rule,
    Tier,
    Unit,
    Whole,
)
from guardrails.critic.registry import JudgeConfig
from guardrails.errors import BudgetExceeded, CriticOutage, SettingsError
from guardrails.llm.prices import cost_usd
from guardrails.llm.protocol import Tokens
from guardrails.llm.roles import Player
from guardrails.prompts.judging import (
    VERSION,
    Asked,
    Ruling,
    Seen,
    prefix,
    request_text,
)
from guardrails.prompts.quotes import find_quote
from guardrails.settings import Price
from guardrails.telemetry import log
from guardrails.verdict import (
    NOTHING_USED,
    FindingCause,
    HandoverOutcome,
    PrincipleUse,
    Stage,
    Usage,
)

__all__ = ["Judge"]

MOST_IN_A_GROUP = 10
"""More principles than these in one question are judged worse; design, section 3."""

MOMENT_S = 0.02
"""An answer that did not come and less time than this left: the deadline has passed."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Principles that are asked about together: a prefix, and the same in reverse order."""

    principles: tuple[Principle, ...]
    forth: str = field(repr=False)
    back: str = field(repr=False)

    @classmethod
    def of(cls, principles: Sequence[Principle]) -> _Group:
        return cls(tuple(principles), prefix(principles), prefix(principles[::-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """Who is asked, cheapest first, how long, and at what price where settings say it; where an
    exchange starts, and how often who was reversed; and what they said before, if that is kept."""

    players: tuple[Player, ...]
    timeout_s: float
    prices: Mapping[str, Price]
    routing: Routing
    router: Router = start_role
    tally: Tally = field(default_factory=Tally)
    memory: Memory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What one role said, by principle; and of what it said because it was asked here, whose model
    did: nothing of what was remembered, or asked by others."""

    words: Mapping[str, _Word] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)

    @property
    def settled(self) -> Iterable[str]:
        return (id for id, word in self.words.items() if word.value != "undecided")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """What is known about one principle: settled by `pass` or `breach`, else in doubt."""

    value: Literal["pass", "breach", "undecided"]
    cause: FindingCause = "policy"
    finding: CriticFinding | None = None
    reason: str = field(default="", repr=False)


class Judge:
    """A model reads the judged text beside what it answers, and says of each open principle pass,
    breach or undecided, with a quote for a breach.

    All open principles of a stage go into one question (more than ten into fixed groups). What is
    undecided is deferred to the next role of the cascade, which sees the principles in reverse
    order; the constitution's routing may begin at a dearer role and have words checked by the next.
    A quote that the text does not hold makes its verdict undecided: a model may err, and may be
    talked into things. A model that is away is stood in for by its role's fallback.

    Costs a call per group and window: some 0.3 to 3 s. Known misses: whatever the model misses.
    """

    name: ClassVar[str] = "judge"
    version: ClassVar[str] = f"1.0.0 template-{VERSION}"
    tier: ClassVar[Tier] = "model"
    Config: ClassVar[type[CriticConfig]] = JudgeConfig
    asks_models: ClassVar[bool] = True
    """It must have models, and keeps the time of each answer itself."""

    def __init__(
        self, rules: Sequence[Rule], players: Sequence[Player], resources: Resources
    ) -> None:
        self._bench = _Bench(
            players=tuple(players),
            timeout_s=resources.constitution.judging.timeout_s,
            routing=resources.constitution.judging.routing,
            prices=resources.settings.prices,
            memory=_memory(rules, players, resources),
        )
        self._principles = {rule.principle.id: rule.principle for rule in rules}
        self._groups = {
            stage: tuple(_groups([r.principle for r in rules if stage in r.principle.stages]))
            for stage in Stage
        }

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> Judge:
        """Raises SettingsError if a role of the cascade has no model that can be asked."""
        if resources.roles is None:
            raise SettingsError("the judge needs models, and none was given")
        cascade = resources.constitution.judging.cascade
        return cls(rules, [resources.roles.player(role) for role in cascade], resources)

    def need(self, stage: Stage) -> Need:
        at = [p for group in self._groups[stage] for p in group.principles]
        whole = any(p.scope == "reply" or p.requires for p in at)
        return Whole() if whole else Unit("sentence")

    def declared(self) -> Sequence[Declared]:
        return ()

    async def critique(self, request: CritiqueRequest) -> Critique:
        sitting = _Sitting(self._bench, request, self._groups[request.stage])
        await sitting.hold([self._principles[id] for id in request.asked])
        return sitting.critique()


def _memory(
    rules: Sequence[Rule], players: Sequence[Player], resources: Resources
) -> Memory | None:
    if resources.verdicts is None:
        return None
    return Memory(
        resources.verdicts,
        critic=f"{Judge.name} {Judge.version}",
        rules=rules,
        roles=[
            Role(name=player.role, model=player.name, backwards=_is_backwards(place))
            for place, player in enumerate(players)
        ],
        ttl_s=resources.constitution.cache_ttl_s,
    )


def _is_backwards(place: int) -> bool:
    """Every other role of a cascade sees the principles in reverse order."""
    return place % 2 == 1


def _groups(principles: Sequence[Principle]) -> Iterable[_Group]:
    for first in range(0, len(principles), MOST_IN_A_GROUP):
        yield _Group.of(principles[first : first + MOST_IN_A_GROUP])


class _Sitting:
    """One request under way."""

    def __init__(self, bench: _Bench, request: CritiqueRequest, groups: Sequence[_Group]) -> None:
        self._bench, self._request, self._groups = bench, request, groups
        self._windows = windows(request.targets)
        self._helping = helping(request.parts)
        self._words: dict[str, _Word] = {}
        self._usage = NOTHING_USED
        self._models: dict[str, None] = {}
        self._minutes = Minutes(bench.players, self._price)

    async def hold(self, open: Sequence[Principle]) -> None:
        """Ask role after role, from where the exchange starts, about what is still in doubt; and in
        the same question about the words of the role before that are to be checked."""
        begin, minutes = self._started(open), self._minutes
        minutes.began(begin)
        before, checked = _Heard(), list[Principle]()
        for place in range(begin.place, len(self._bench.players)):
            heard = await self._put_to(place, open, checked)
            minutes.heard(place, heard.models, heard.settled)
            for principle in checked:
                self._check(principle, place, before, heard)
            self._words |= {p.id: heard.words[p.id] for p in open}
            if place + 1 == len(self._bench.players):
                return
            checked = [p for p in open if self._is_checked(heard.words[p.id])]
            open = [p for p in open if _is_deferred(heard.words[p.id])]
            minutes.deferred(place, heard.models, [principle.id for principle in open])
            before = heard
            if not open and not checked:
                return

    def _started(self, open: Sequence[Principle]) -> Begin:
        """Where to begin. A router that fails is none: it begins at the first role."""
        targets, players = self._request.targets, self._bench.players
        exchange = Exchange(
            open=open,
            looks=self._request.looks,
            chars=sum(len(target.text) for target in targets),
        )
        cascade = [player.role for player in players]
        try:
            begin = self._bench.router(
                self._bench.routing, cascade, exchange, self._bench.tally.past
            )
            players[begin.place]  # raises for a place beyond them
        except Exception as error:  # whatever it is, the cascade is there without it
            log.warning("judge_router_failed", error=type(error).__name__)
            return Begin(why="failed")
        return begin if begin.place >= 0 else Begin(why="failed")

    async def _put_to(
        self, place: int, open: Sequence[Principle], checked: Sequence[Principle]
    ) -> _Heard:
        """One question about both. Nothing is refused for the sake of a check: where the budget has
        no room for it, it is left out, and the word to be checked stands. Raises BudgetExceeded."""
        if checked:
            with suppress(BudgetExceeded):
                return await self._ask(place, [*open, *checked], only_checks=not open)
        return await self._ask(place, open) if open else _Heard()

    async def _ask(
        self, place: int, open: Sequence[Principle], *, only_checks: bool = False
    ) -> _Heard:
        """Every group that holds an open principle about every window, all at once. Raises
        BudgetExceeded for what does not fit into the call's money or time."""
        queries = list(self._queries(open, backwards=_is_backwards(place)))
        case = Case(request=self._request, shown=self._helping.shown, role=place)
        seated = _Seated(self, self._bench.players[place], only_checks)
        replies = await consult(self._bench.memory, seated, queries, case)
        heard: dict[str, list[_Word]] = {principle.id: [] for principle in open}
        models: dict[str, str] = {}
        for query, reply in zip(queries, replies, strict=True):
            self._count(place, query, reply)
            for principle in query.asked:
                heard[principle.id].append(_replied(principle, reply, query.window))
                said = reply.said
                if reply.own and said and said.asked and principle.id not in reply.kept:
                    models[principle.id] = said.model or self._bench.players[place].name
        if any(reply.said and reply.said.failure == "timeout" for reply in replies):
            self._left_s()
        return _Heard(words={p.id: _together(p, heard[p.id]) for p in open}, models=models)

    def _is_checked(self, word: _Word) -> bool:
        routing = self._bench.routing
        match word.value:
            case "breach":
                return routing.confirm == "breach"
            case "pass":
                return self._is_audited
            case "undecided":
                return False

    @cached_property
    def _is_audited(self) -> bool:
        texts = (target.text for target in self._request.targets)
        return is_audited(self._bench.routing.audit_share, [str(self._request.stage), *texts])

    def _check(self, principle: Principle, place: int, before: _Heard, heard: _Heard) -> None:
        """The dearer role's word holds; where it has none, the one before stands."""
        was, word = self._words[principle.id], heard.words.get(principle.id)
        outcome: HandoverOutcome = "unanswered"
        if word is not None and word.value != "undecided":
            outcome = "upheld" if word.value == was.value else "reversed"
            self._words[principle.id] = word
        if word is not None and principle.id not in heard.models:
            return  # it was remembered, and counted then
        id, role = principle.id, self._bench.players[place - 1].role
        self._minutes.checked(id, place - 1, outcome, model=before.models.get(id))
        if outcome != "unanswered":
            self._bench.tally.note(id, role, is_reversed=outcome == "reversed")

    def _queries(self, open: Sequence[Principle], *, backwards: bool) -> Iterable[Query]:
        for group in self._groups:
            mine = tuple(principle for principle in group.principles if principle in open)
            for window in self._windows if mine else ():
                yield Query(
                    group=tuple(principle.id for principle in group.principles),
                    prefix=group.back if backwards else group.forth,
                    asked=mine[::-1] if backwards else mine,
                    window=window,
                )

    async def put(
        self, player: Player, queries: Sequence[Query], *, only_checks: bool
    ) -> Sequence[Callable[[], Awaitable[Said]]]:
        """Each question, reckoned with and ready to be asked. Raises BudgetExceeded."""
        texts = [(q.asked, q.prefix, self._text(q.asked, q.window)) for q in queries]
        estimates = [self._estimate(player, *each) for each in texts]
        self.patience_s(only_checks=only_checks)
        try:
            reserved = await self._request.budget.reserve(estimates)
        except CriticOutage:
            return [unpaid for _ in texts]
        try:
            timeout_s = self.patience_s(only_checks=only_checks)
        except BudgetExceeded:
            for held in reserved:  # nothing is asked after all
                await held.settle(tokens=0, cost_usd=0.0)
            raise
        return [
            partial(
                self._settled,
                player,
                held,
                partial(ask, player, shown, text, [p.id for p in asked], timeout_s=timeout_s),
            )
            for held, (asked, shown, text) in zip(reserved, texts, strict=True)
        ]

    async def _settled(
        self, player: Player, held: Reserved, asking: Callable[[], Awaitable[Said]]
    ) -> Said:
        """Ask, and say what it used. A call that nobody waits for any more stays reckoned with."""
        said = await asking()
        used = said.used
        cost = self._price(said.model or player.name, used)
        await held.settle(tokens=used.total_input + used.output, cost_usd=cost)
        return said

    def patience_s(self, *, only_checks: bool) -> float:
        """How long an answer may take; one that could be done without, half of the time that is
        left. Raises BudgetExceeded if there is none."""
        left_s = self._left_s()
        return min(self._bench.timeout_s, left_s / 2 if only_checks else left_s)

    def _text(self, open: Sequence[Principle], window: Window) -> str:
        parts = self._request.parts
        judged = [
            Seen(
                role=parts[piece.part].role,
                kind=parts[piece.part].kind,
                text=piece.text,
                judged=True,
            )
            for piece in window
        ]
        material = [*self._helping.shown, *judged]
        return request_text(Asked(stage=self._request.stage, open=open, material=material))

    def _left_s(self) -> float:
        """Raises BudgetExceeded if the call's time is used up: a limit, and no doubt about a text
        that nobody had the time to read."""
        left = self._request.deadline.remaining()
        if left < MOMENT_S:
            allowed = self._request.budget.limits["deadline_s"]
            raise BudgetExceeded("deadline_s", allowed, allowed - left)
        return left

    def _estimate(
        self, player: Player, asked: Sequence[Principle], shown: str, text: str
    ) -> Estimate:
        """What a call is likely to use; at most, its prefix is written to the provider's cache and
        all the room to think is used."""
        output = answer_tokens([principle.id for principle in asked])
        tokens = Tokens(input=tokens_in(shown, text), output=output)
        kept = min(tokens_in(shown, ""), tokens.input)
        most = Tokens(input=tokens.input - kept, cache_write=kept, output=output + ROOM_TO_THINK)
        return Estimate(
            tokens=tokens.total_input + tokens.output,
            cost_usd=self._dearest(player, tokens),
            most_tokens=most.total_input + most.output,
            most_cost_usd=self._dearest(player, most),
        )

    def _dearest(self, player: Player, tokens: Tokens) -> float:
        """What a call may cost, whoever of the two answers."""
        models = [player.first] if player.fallback is None else [player.first, player.fallback]
        return max(self._price(model.name, tokens) or 0.0 for model in models)

    def _price(self, model: str, tokens: Tokens) -> float | None:
        """What a call cost; nothing if nobody answered, None if nobody knows."""
        return 0.0 if tokens == Tokens() else cost_usd(model, tokens, own=self._bench.prices)

    def _count(self, place: int, query: Query, reply: Reply) -> None:
        """A call that failed is one, too; what was remembered, or asked by others, is none."""
        player = self._bench.players[place]
        self._models |= dict.fromkeys(reply.models)
        self._usage += Usage(cached=reply.cached)
        answer = reply.said
        if answer is None:
            return
        if answer.model is not None:
            self._models[answer.model] = None
        if not reply.own or not answer.asked:
            return
        model = answer.model or player.name
        self._minutes.called(place, model, answer.used)
        self._share(model, query, reply, answer.used)

    def _share(self, model: str, query: Query, reply: Reply, used: Tokens) -> None:
        """For whose sake a question was put: that of all principles that it asked about."""
        ids = (principle.id for principle in query.asked if principle.id not in reply.kept)
        spent = Usage(
            input_tokens=used.total_input,
            output_tokens=used.output,
            cost_usd=self._price(model, used),
        )
        self._usage += Usage(
            cache_read_tokens=used.cache_read,
            cache_write_tokens=used.cache_write,
            principles=PrincipleUse.shares(ids, spent),
        )

    def critique(self) -> Critique:
        return Critique(
            looked=frozenset(self._words),
            verdicts={id: word.value for id, word in self._words.items()},
            findings=tuple(
                finding for id, word in self._words.items() if (finding := _finding(id, word))
            ),
            usage=self._usage + self._minutes.usage,
            model=", ".join(self._models) or None,
            windows=len(self._windows),
            left_out=self._helping.left_out,
        )


@dataclass(frozen=True, slots=True)
class _Seated:
    """A role of the cascade, at the expense of one sitting."""

    sitting: _Sitting
    player: Player
    only_checks: bool

    async def put(self, queries: Sequence[Query]) -> Sequence[Callable[[], Awaitable[Said]]]:
        return await self.sitting.put(self.player, queries, only_checks=self.only_checks)

    def patience_s(self) -> float:
        return self.sitting.patience_s(only_checks=self.only_checks)

    def settled(self, principle: Principle, said: Said, window: Window) -> Kept | None:
        word = _word(principle, said, window)
        return None if word.value == "undecided" else kept_of(word.finding, window)


def _finding(id: str, word: _Word) -> CriticFinding | None:
    if word.value == "undecided":
        cause: FindingCause = "unsure" if word.cause == "policy" else word.cause
        return CriticFinding(principle=id, value="undecided", cause=cause, reason=word.reason)
    return word.finding


def _is_deferred(word: _Word) -> bool:
    """A doubt goes on to the next role; an outage does not, for it says nothing of the text."""
    return word.value == "undecided" and word.cause != "outage"


def _replied(principle: Principle, reply: Reply, window: Window) -> _Word:
    kept = reply.kept.get(principle.id)
    if kept is not None:
        return _Word(value=kept.value, finding=finding_of(principle.id, kept, window))
    return _word(principle, reply.said or Said(), window)


def _word(principle: Principle, answer: Said, window: Window) -> _Word:
    """What an answer says of a principle, once its quote is found."""
    if answer.failure is not None:
        return _Word(value="undecided", cause=answer.failure)
    ruling = answer.rulings.get(principle.id)
    if ruling is None:
        return _Word(value="undecided", cause="malformed", reason="it was not answered")
    if ruling.value != "breach":
        return _Word(value=ruling.value, reason=ruling.reason)
    if principle.requires and not ruling.quote.strip():
        finding = CriticFinding(principle=principle.id, value="breach", reason=ruling.reason)
        return _Word(value="breach", finding=finding)
    return _quoted(principle, ruling, window)


def _quoted(principle: Principle, ruling: Ruling, window: Window) -> _Word:
    for piece in window:
        span = find_quote(piece.text, ruling.quote)
        if span is not None:
            finding = CriticFinding(
                principle=principle.id,
                value="breach",
                part=piece.part,
                span=(piece.start + span[0], piece.start + span[1]),
                reason=ruling.reason,
            )
            return _Word(value="breach", finding=finding)
    return _Word(value="undecided", cause="malformed", reason="its quote is not in the text")


def _together(principle: Principle, words: Sequence[_Word]) -> _Word:
    """One word from those about each window. A breach anywhere is one; but what must be there may
    be anywhere, so it is missing only if it is missing in each."""
    order: Mapping[str, int] = {"breach": 0, "undecided": 1, "pass": 2}
    gravest = min(words, key=lambda word: (order[word.value], word.cause != "outage"))
    if principle.requires and len(words) > 1:
        if any(word.value == "pass" for word in words):
            return _Word(value="pass")
        doubts = [word for word in words if word.value == "undecided"]
        return doubts[0] if doubts else gravest
    return gravest
