"""Where in the cascade an exchange starts, and which words the next role is asked about, too.

`start_role` and `is_audited` are pure. A `Tally` is what a process remembers of reversals.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from guardrails.constitution.model import Principle, Reversals, Routing, StartRule
from guardrails.constitution.routing import is_met
from guardrails.verdict import StartReason

__all__ = ["NEWEST", "Begin", "Exchange", "Past", "Router", "Tally", "is_audited", "start_role"]

NEWEST = 200
"""So many checks of a role's words about one principle are remembered."""
DAY_S = 86_400.0
"""And for so long. A role that is passed over is checked no more: without an end to what is
remembered it would never be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What is known before anybody is asked. `looks` are the ids of open principles at which a
    cheaper critic said look; `chars` is the length of all that is judged."""

    open: Sequence[Principle]
    looks: frozenset[str] = frozenset()
    chars: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """The place in the cascade, and why there. `rule` counts from 1."""

    place: int = 0
    why: StartReason = "first"
    rule: int | None = None
    principle: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """How many words of a role about a principle were checked, and how many reversed."""

    checked: int = 0
    reversed: int = 0

    def reaches(self, limit: Reversals) -> bool:
        """Whether there are enough of them, and enough were reversed."""
        return self.checked >= limit.samples and self.reversed / self.checked >= limit.share


PastOf = Callable[[str, str], Past]
"""By a principle's id and the name of a role."""

Router = Callable[[Routing, Sequence[str], Exchange, PastOf], Begin]


def start_role(routing: Routing, cascade: Sequence[str], exchange: Exchange, past: PastOf) -> Begin:
    """The first rule that holds names the role, else it is the first; from there on, roles that
    were reversed too often about an open principle are passed over. One role for all that is open:
    a question about all of it is cheaper than two.

    Raises ValueError if the role of a rule is not in the cascade.
    """
    begin = _by_rules(routing.start, cascade, exchange)
    limit = routing.reversals
    if limit is None:
        return begin
    for principle in exchange.open:
        place = begin.place
        while place < len(cascade) - 1 and past(principle.id, cascade[place]).reaches(limit):
            place += 1
        if place > begin.place:
            begin = Begin(place=place, why="reversals", principle=principle.id)
    return begin


def _by_rules(rules: Sequence[StartRule], cascade: Sequence[str], exchange: Exchange) -> Begin:
    for number, rule in enumerate(rules, start=1):
        if rule.min_chars is not None and exchange.chars < rule.min_chars:
            continue
        place = cascade.index(rule.role)
        if rule.severity is None and not rule.look:
            return Begin(place=place, why="rule", rule=number)
        for principle in exchange.open:
            if is_met(rule, principle, has_look=principle.id in exchange.looks):
                return Begin(place=place, why="rule", rule=number, principle=principle.id)
    return Begin()


def is_audited(share: float, texts: Iterable[str]) -> bool:
    """Whether an exchange belongs to the share that is checked: always the same for the same texts,
    in every process. Whoever writes the texts can find out; it is a sample and no lock."""
    if not 0 < share < 1:
        return share >= 1
    hashed = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8))
        hashed.update(data)
    return int.from_bytes(hashed.digest()[:8]) < share * 2**64


class Tally:
    """Which words were checked, and what of them was reversed, by principle and role; the newest
    ones only, and none from more than a day ago. Works from any thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._noted: dict[tuple[str, str], deque[tuple[float, bool]]] = {}

    def note(self, principle: str, role: str, *, is_reversed: bool) -> None:
        """`principle` and `role` are of one constitution: so their number is bounded."""
        with self._lock:
            noted = self._noted.setdefault((principle, role), deque(maxlen=NEWEST))
            noted.append((self._clock(), is_reversed))

    def past(self, principle: str, role: str) -> Past:
        """What is remembered of that role's words about that principle."""
        with self._lock:
            noted = self._noted.get((principle, role))
            if not noted:
                return Past()
            oldest = self._clock() - DAY_S
            while noted and noted[0][0] < oldest:
                noted.popleft()
            return Past(len(noted), sum(is_reversed for _, is_reversed in noted))
