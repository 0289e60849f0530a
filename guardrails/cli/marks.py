"""Pieces of a text for a terminal: shortened to what matters, and drawn. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from guardrails.display.pieces import Kind, Piece
from guardrails.display.visible import visible

__all__ = ["draw", "shorten"]

AROUND = 60  # characters kept on each side of a mark
LONGEST_MARK = 400  # a longer one shows its two ends
MOST_MARKS = 12  # further ones are counted, not shown

SIGNS: dict[Kind, tuple[str, str]] = {
    "same": ("", ""),
    "mark": ("⟦", "⟧"),
    "old": ("[-", "-]"),
    "new": ("{+", "+}"),
    "gap": ("", ""),
}
"""What stands round a piece where there is no colour; the last two as in wdiff."""

STYLES: dict[Kind, str] = {
    "same": "",
    "mark": "bold red reverse",
    "old": "red strike",
    "new": "green underline",
    "gap": "dim",
}


def shorten(pieces: Sequence[Piece]) -> list[Piece]:
    """Keep the marks and what stands round them. A text without a mark keeps its beginning."""
    shown, hidden = _first_marks(pieces)
    last = len(shown) - 1
    short: list[Piece] = []
    for index, piece in enumerate(shown):
        if piece.kind != "same":
            short += _ends(piece, LONGEST_MARK // 2, LONGEST_MARK // 2)
        else:
            head, tail = (0 if index == 0 else AROUND), (0 if index == last else AROUND)
            short += _ends(piece, head, tail) if last else _ends(piece, 4 * AROUND, 0)
    if hidden:
        short.append(Piece("gap", f" … and {hidden} more"))
    return short


def draw(pieces: Iterable[Piece], *, colour: bool, mark: str = STYLES["mark"]) -> Text:
    """The pieces as one text, safe for a terminal; without colour, signs stand round them."""
    drawn = Text()
    for piece in pieces:
        before, after = ("", "") if colour else SIGNS[piece.kind]
        style = mark if piece.kind == "mark" else STYLES[piece.kind]
        drawn.append(f"{before}{visible(piece.text)}{after}", style=style)
    return drawn


def _first_marks(pieces: Sequence[Piece]) -> tuple[Sequence[Piece], int]:
    """The pieces up to the last mark that is shown, and how many marks come after it."""
    marks = [index for index, piece in enumerate(pieces) if piece.kind != "same"]
    if len(marks) <= MOST_MARKS:
        return pieces, 0
    return pieces[: marks[MOST_MARKS]], len(marks) - MOST_MARKS


def _ends(piece: Piece, head: int, tail: int) -> list[Piece]:
    """The two ends of a long piece with a gap between; a short one whole."""
    text = piece.text
    if len(text) <= head + tail + 20:  # not worth a gap
        return [piece]
    first = text[:head].rsplit(" ", 1)[0] if head else ""
    rest = text[len(text) - tail :].split(" ", 1)[-1] if tail else ""
    gap = " … " if first and rest else "…"
    ends = (Piece(piece.kind, first), Piece("gap", gap), Piece(piece.kind, rest))
    return [end for end in ends if end.text]
