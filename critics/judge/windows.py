"""Long texts in windows that overlap, so that nothing is judged in halves only. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from guardrails.critic.protocol import Target

__all__ = ["OVERLAP", "WINDOW", "Piece", "Window", "windows"]

WINDOW = 40_000
"""Characters of judged text in one question: some 10,000 tokens, which every model of today reads
well. What is longer is asked about window by window."""

OVERLAP = 2_000
"""Characters that two windows share: as wide as any pattern may be that does not hold a reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A run of a target's text, from `start` on."""

    part: int
    start: int
    text: str = field(repr=False)


Window = tuple[Piece, ...]


def windows(
    targets: Sequence[Target], *, size: int = WINDOW, overlap: int = OVERLAP
) -> list[Window]:
    """Every character of every target, in windows of at most `size` characters, in order. There is
    always at least one: an empty text is judged, too."""
    found: list[Window] = []
    held: list[Piece] = []
    room = size
    for target in targets:
        at, end = 0, len(target.text)
        while True:
            piece = Piece(part=target.part, start=at, text=target.text[at : at + room])
            held.append(piece)
            room -= len(piece.text)
            stop = at + len(piece.text)
            if stop >= end:
                break
            found.append(tuple(held))
            held, room = [], size
            at = max(at + 1, stop - overlap) if len(piece.text) > overlap else stop
        if room <= 0:
            found.append(tuple(held))
            held, room = [], size
    return [*found, tuple(held)] if held or not found else found
