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
    """The application's own system text and the last user turn whole; of what came before, the
    newest that there is room for. A part is shown whole or not at all."""
    candidates = [(n, part) for n, part in enumerate(parts) if not part.target and part.readable]
    users = [n for n, part in candidates if part.role == "user"]
    always = {n for n, part in candidates if part.role == "system"} | set(users[-1:])
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
