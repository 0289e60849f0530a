"""The questions of one request: reckoned with before they are put, asked within the time that is
left, and counted by what they used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from critics.judge.bench import Bench
from critics.judge.minutes import Minutes
from critics.judge.panel import ROOM_TO_THINK, Said, answer_tokens, ask, tokens_in, unpaid
from critics.judge.remembered import Query, Reply
from critics.judge.windows import Window
from critics.judge.words import settled
from guardrails.cache.value import Kept
from guardrails.constitution.model import Principle
from guardrails.critic.limits import Estimate, Reserved
from guardrails.critic.protocol import CritiqueRequest
from guardrails.errors import BudgetExceeded, CriticOutage
from guardrails.llm.protocol import Tokens
from guardrails.llm.roles import Player
from guardrails.prompts.judging import Asked, Seen, request_text
from guardrails.verdict import NOTHING_USED, PrincipleUse, Usage

__all__ = ["Questions", "Seated"]

MOMENT_S = 0.02
"""An answer that did not come and less time than this left: the deadline has passed."""


class Questions:
    """`shown` is what helps to judge. `usage` and `models` tell what was used of whom so far."""

    def __init__(self, bench: Bench, request: CritiqueRequest, shown: Sequence[Seen]) -> None:
        self._bench, self._request, self._shown = bench, request, shown
        self.minutes = Minutes(bench.players, bench.price)
        self.usage = NOTHING_USED
        self.models: dict[str, None] = {}

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
        cost = self._bench.price(said.model or player.name, used)
        await held.settle(tokens=used.total_input + used.output, cost_usd=cost)
        return said

    def patience_s(self, *, only_checks: bool) -> float:
        """How long an answer may take; one that could be done without, half of the time that is
        left. Raises BudgetExceeded if there is none."""
        left_s = self.left_s()
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
        material = [*self._shown, *judged]
        return request_text(Asked(stage=self._request.stage, open=open, material=material))

    def left_s(self) -> float:
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
            cost_usd=self._bench.dearest(player, tokens),
            most_tokens=most.total_input + most.output,
            most_cost_usd=self._bench.dearest(player, most),
        )

    def count(self, place: int, query: Query, reply: Reply) -> None:
        """What a question to a role came to. A call that failed is one, too; what was remembered,
        or asked by others, is none."""
        player = self._bench.players[place]
        self.models |= dict.fromkeys(reply.models)
        self.usage += Usage(cached=reply.cached)
        answer = reply.said
        if answer is None:
            return
        if answer.model is not None:
            self.models[answer.model] = None
        if not reply.own or not answer.asked:
            return
        model = answer.model or player.name
        self.minutes.called(place, model, answer.used)
        self._share(model, query, reply, answer.used)

    def _share(self, model: str, query: Query, reply: Reply, used: Tokens) -> None:
        """For whose sake a question was put: that of all principles that it asked about."""
        ids = (principle.id for principle in query.asked if principle.id not in reply.kept)
        spent = Usage(
            input_tokens=used.total_input,
            output_tokens=used.output,
            cost_usd=self._bench.price(model, used),
        )
        self.usage += Usage(
            cache_read_tokens=used.cache_read,
            cache_write_tokens=used.cache_write,
            principles=PrincipleUse.shares(ids, spent),
        )


@dataclass(frozen=True, slots=True)
class Seated:
    """A role of the cascade, at the expense of one request."""

    questions: Questions
    player: Player
    only_checks: bool

    async def put(self, queries: Sequence[Query]) -> Sequence[Callable[[], Awaitable[Said]]]:
        return await self.questions.put(self.player, queries, only_checks=self.only_checks)

    def patience_s(self) -> float:
        return self.questions.patience_s(only_checks=self.only_checks)

    def settled(self, principle: Principle, said: Said, window: Window) -> Kept | None:
        return settled(principle, said, window)
