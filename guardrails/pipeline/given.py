"""What has left of a reply, text by text, and where in what came it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from guardrails.pipeline.so_far import Head
from guardrails.text.measure import reach_back, shortened
from guardrails.verdict import Span

__all__ = ["Given", "Release"]

PIECES = 64
"""More pieces of one text are joined, so that what is forgotten can be let go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A stretch of one text that may leave: from `start` to `end` of what came, as `text`.

    `is_dropped`: it is signed and would have had to be changed, so that its whole part is left out.
    """

    number: int
    start: int
    end: int
    text: str = field(repr=False)
    is_changed: bool = False
    is_dropped: bool = False


class Given:
    """One text of the reply. `keeps` is how much of what left is remembered, in characters of
    normalised text, without most of a run of those that show nothing; None: all."""

    __slots__ = ("_edits", "_keeps", "_pieces", "head", "length", "parts")

    def __init__(self, head: Head, keeps: int | None) -> None:
        self.head = head
        self.parts = 1
        """How many parts of an exchange it is: JSON holds a text for each of its strings."""
        self.length = 0
        self._keeps = keeps
        self._pieces: list[str] = []
        self._edits: list[tuple[int, int, int]] = []

    def add(self, release: Release, edits: Sequence[tuple[Span, int]] = ()) -> None:
        """`edits` are what was changed in it, in order: where in what came, and the length of what
        stands there now; without them all of it is taken for one change, if it was changed."""
        self._pieces.append(release.text if self._keeps is None else shortened(release.text))
        self.length += len(release.text)
        if release.is_changed:
            whole = [((release.start, release.end), len(release.text))]
            self._edits += [(start, end, length) for (start, end), length in edits or whole]
        if len(self._pieces) > PIECES:
            self._remembered()

    def last(self, length: int | None) -> str:
        """The end of what has left, or all of it."""
        text = self._remembered()
        return text if length is None else text[reach_back(text, len(text), length) :]

    def _remembered(self) -> str:
        if len(self._pieces) == 1:
            return self._pieces[0]
        text = "".join(self._pieces)
        if self._keeps is not None:
            text = shortened(text)
            text = text[reach_back(text, len(text), self._keeps) :]
        self._pieces = [text]
        return text

    def came(self, place: int) -> int:
        """Where in what came something stood, by where it stands in what left."""
        shift = 0
        for start, end, length in self._edits:
            if place < start - shift:
                break
            if place < start - shift + length:
                return start
            shift += end - start - length
        return place + shift
