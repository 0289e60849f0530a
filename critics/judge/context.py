"""What helps a judge to understand the judged text, and how much of it there is room for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardrails.exchange import Part
from guardrails.prompts.judging import Seen

__all__ = ["ROOM", "Helping", "helping"]

ROOM = 8_000
"""Characters of earlier turns: 2,000 tokens."""


@dataclass(frozen=True, slots=True)
class Helping:
    """What is shown, in its order, and how many parts are left out."""

    shown: tuple[Seen, ...]
    left_out: int


def helping(parts: Sequence[Part]) -> Helping:
    """The application's own system text and the last user turn whole (if it is not itself what is
    judged); of what came before, the newest that there is room for. A part is shown whole or not
    at all."""
    candidates = [(n, part) for n, part in enumerate(parts) if not part.target and part.readable]
    always = {n for n, part in candidates if part.role == "system"} | _last_turn(parts)
    chosen, room = set(always), ROOM
    for n, part in reversed(candidates):
        if n in always:
            continue
        if len(part.text) > room:
            break
        room -= len(part.text)
        chosen.add(n)
    shown = tuple(
        Seen(role=part.role, kind=part.kind, text=part.text, judged=False)
        for n, part in candidates
        if n in chosen
    )
    return Helping(shown, len(candidates) - len(shown))


def _last_turn(parts: Sequence[Part]) -> set[int]:
    """The last parts of the user's with nobody else's in between, unless some of them are judged:
    then what the turn says is there anyway, and what came before it are earlier turns."""
    users = [n for n, part in enumerate(parts) if part.role == "user" and part.readable]
    if not users or parts[users[-1]].target:
        return set()
    first = users[-1]
    while first > 0 and parts[first - 1].role == "user" and not parts[first - 1].target:
        first -= 1
    return {n for n in users if n >= first}
