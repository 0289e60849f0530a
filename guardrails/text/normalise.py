"""The text that critics see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Span = tuple[int, int]

__all__ = ["View", "normalise"]


@dataclass(frozen=True, slots=True)
class View:
    text: str
    original: str

    def to_original(self, span: Span) -> Span:
        return span

    def to_view(self, span: Span) -> Span:
        return span

    def replace(self, edits: Sequence[tuple[Span, str]]) -> View:
        text = self.text
        for (start, end), new in reversed(edits):
            text = text[:start] + new + text[end:]
        return View(text, self.original)


def normalise(text: str) -> View:
    return View(text, text)
