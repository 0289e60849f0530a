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

BESIDES = 100
"""Characters that the delimiters round a piece take."""


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
    """Every character of every target, in windows of at most `size` characters, in order; whatever
    is no longer than `overlap` stands in one of them whole. There is always at least one: an empty
    text is judged, too. What is put round a piece counts towards the size of a window."""
    found: list[Window] = []
    held: list[Piece] = []
    room = size
    for target in targets:
        at, end = 0, len(target.text)
        while True:
            if held and end - at > room and room <= 2 * overlap:
                found.append(tuple(held))  # too little room for a piece that overlaps the next
                held, room = [], size
            piece = Piece(part=target.part, start=at, text=target.text[at : at + room])
            held.append(piece)
            stop = at + len(piece.text)
            room -= len(piece.text) + BESIDES
            if stop >= end:
                break
            found.append(tuple(held))
            held, room = [], size
            at = stop - overlap
        if room <= 0:
            found.append(tuple(held))
            held, room = [], size
    return [*found, tuple(held)] if held or not found else found
