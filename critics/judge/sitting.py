"""One request to the judge: role after role of the cascade, until nothing is in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from critics.judge.bench import Bench, Group, is_backwards
from critics.judge.context import helping
from critics.judge.questions import Questions, Seated
from critics.judge.remembered import Case, Query, consult
from critics.judge.routing import Begin, Exchange, is_audited
from critics.judge.windows import windows
from critics.judge.words import Word, replied, together
from guardrails.constitution.model import Principle
from guardrails.critic.protocol import Critique, CritiqueRequest
from guardrails.errors import BudgetExceeded
from guardrails.telemetry import log
from guardrails.verdict import HandoverOutcome

__all__ = ["Sitting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What one role said, by principle; and of what it said because it was asked here, whose model
    did: nothing of what was remembered, or asked by others."""

    words: Mapping[str, Word] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)

    @property
    def settled(self) -> Iterable[str]:
        return (id for id, word in self.words.items() if word.value != "undecided")


class Sitting:
    """One request under way."""

    def __init__(self, bench: Bench, request: CritiqueRequest, groups: Sequence[Group]) -> None:
        self._bench, self._request, self._groups = bench, request, groups
        self._windows = windows(request.targets)
        self._helping = helping(request.parts)
        self._questions = Questions(bench, request, self._helping.shown)
        self._minutes = self._questions.minutes
        self._words: dict[str, Word] = {}

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
            open = [p for p in open if heard.words[p.id].is_deferred]
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
        queries = list(self._queries(open, backwards=is_backwards(place)))
        case = Case(request=self._request, shown=self._helping.shown, role=place)
        seated = Seated(self._questions, self._bench.players[place], only_checks)
        replies = await consult(self._bench.memory, seated, queries, case)
        heard: dict[str, list[Word]] = {principle.id: [] for principle in open}
        models: dict[str, str] = {}
        for query, reply in zip(queries, replies, strict=True):
            self._questions.count(place, query, reply)
            for principle in query.asked:
                heard[principle.id].append(replied(principle, reply, query.window))
                said = reply.said
                if reply.own and said and said.asked and principle.id not in reply.kept:
                    models[principle.id] = said.model or self._bench.players[place].name
        if any(reply.said and reply.said.failure == "timeout" for reply in replies):
            self._questions.left_s()
        return _Heard(words={p.id: together(p, heard[p.id]) for p in open}, models=models)

    def _is_checked(self, word: Word) -> bool:
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

    def critique(self) -> Critique:
        return Critique(
            looked=frozenset(self._words),
            verdicts={id: word.value for id, word in self._words.items()},
            findings=tuple(
                finding for id, word in self._words.items() if (finding := word.told_of(id))
            ),
            usage=self._questions.usage + self._minutes.usage,
            model=", ".join(self._questions.models) or None,
            windows=len(self._windows),
            left_out=self._helping.left_out,
        )
