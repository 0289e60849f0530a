"""A text with its findings marked or its changes shown, as pieces for whoever draws them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from guardrails.verdict import Edit, Span

__all__ = ["Kind", "Piece", "changed", "marked"]

Kind = Literal["same", "mark", "old", "new", "gap"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text and what it is: as it was, marked, taken out, put in, or left out here."""

    kind: Kind
    text: str


def marked(text: str, spans: Iterable[Span]) -> list[Piece]:
    """The text with the spans marked; overlapping ones become one mark."""
    pieces: list[Piece] = []
    at = 0
    for start, end in _merged(spans):
        pieces += Piece("same", text[at:start]), Piece("mark", text[start:end])
        at = end
    return [piece for piece in (*pieces, Piece("same", text[at:])) if piece.text]


def changed(text: str, edits: Iterable[Edit]) -> list[Piece]:
    """The text with each edit shown as what goes and what comes."""
    pieces: list[Piece] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: edit.span):
        start, end = edit.span
        pieces += Piece("same", text[at:start]), Piece("old", text[start:end])
        pieces.append(Piece("new", edit.replacement))
        at = max(at, end)
    return [piece for piece in (*pieces, Piece("same", text[at:])) if piece.text]


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
