"""What is written down of one sitting: who was asked how much, what went on to whom, and what the
dearest role would have cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from critics.judge.routing import Begin
from guardrails.llm.protocol import Tokens
from guardrails.llm.roles import Player
from guardrails.verdict import NOTHING_USED, Handover, HandoverOutcome, RoleUse, Start, Usage

__all__ = ["Minutes", "Price"]

Price = Callable[[str, Tokens], float | None]
"""What a call of a model cost; None if nobody knows."""


class Minutes:
    """Roles are told by their place in the cascade. `models` are by principle those that answered
    this sitting's own questions: what was remembered, or asked by others, is nobody's work here."""

    def __init__(self, players: Sequence[Player], price: Price) -> None:
        self._players, self._price = players, price
        self._begin = Begin()
        self._usage = NOTHING_USED

    @property
    def usage(self) -> Usage:
        return self._usage

    def began(self, begin: Begin) -> None:
        """Where the exchange starts; known before anybody is called."""
        self._begin = begin
        self._usage += Usage(starts=(self._start(0.0),))

    def called(self, place: int, model: str, tokens: Tokens) -> None:
        """A question, answered or not, that was put to whoever plays the role."""
        cost = self._price(model, tokens)
        use = RoleUse(
            role=self._role(place),
            model=model,
            calls=1,
            input_tokens=tokens.total_input,
            output_tokens=tokens.output,
            cost_usd=cost,
        )
        self._usage += Usage(
            calls=1,
            input_tokens=tokens.total_input,
            output_tokens=tokens.output,
            cost_usd=cost,
            roles=(use,),
        )
        if place == self._begin.place:
            always = self._price(self._players[-1].name, tokens)
            self._usage += Usage(starts=(self._start(always, times=0),))

    def heard(self, place: int, models: Mapping[str, str], settled: Iterable[str]) -> None:
        """Principles that a role was asked about, and those that it settled."""
        asked = Counter(models.values())
        known = Counter(models[id] for id in settled if id in models)
        uses = (
            RoleUse(role=self._role(place), model=model, asked=count, settled=known[model])
            for model, count in asked.items()
        )
        self._usage += Usage(roles=tuple(uses))

    def deferred(self, place: int, models: Mapping[str, str], ids: Iterable[str]) -> None:
        """Doubts that go on to the next role."""
        for id in ids:
            if id in models:
                use = RoleUse(role=self._role(place), model=models[id], deferred=1)
                self._hand_over(id, place, "deferred", use)

    def checked(self, id: str, place: int, outcome: HandoverOutcome, *, model: str | None) -> None:
        """A word of a role and its model that the next role was asked about, too."""
        use = RoleUse(
            role=self._role(place),
            model=model or self._players[place].name,
            checked=int(outcome != "unanswered"),
            reversed=int(outcome == "reversed"),
        )
        self._hand_over(id, place, outcome, use)

    def _hand_over(self, id: str, place: int, outcome: HandoverOutcome, use: RoleUse) -> None:
        to = self._role(place + 1)
        handover = Handover(principle=id, role=use.role, to=to, outcome=outcome)
        self._usage += Usage(roles=(use,), handovers=(handover,))

    def _start(self, always_last_usd: float | None, *, times: int = 1) -> Start:
        begin = self._begin
        return Start(
            role=self._role(begin.place),
            why=begin.why,
            rule=begin.rule,
            principle=begin.principle,
            last_role=self._role(-1),
            last_model=self._players[-1].name,
            times=times,
            always_last_usd=always_last_usd,
        )

    def _role(self, place: int) -> str:
        return self._players[place].role
