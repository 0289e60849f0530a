"""The reply so far as a content: texts that are judged, put back, and known by where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from guardrails.errors import WireFormatError
from guardrails.exchange import Part
from guardrails.wire.reading import Reading, read
from guardrails.wire.shapes import JSON_TEXT
from guardrails.wire.walk import Place

__all__ = ["Entry", "Head", "SoFar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is known of a text before any of it has come: all of the part but its words.

    `is_whole`: judged only once all of it is there. `is_json`: what is judged is what whoever
    parses it reads. `is_fixed`: it goes as it is or not at all.
    """

    part: Part
    is_whole: bool = False
    is_json: bool = False
    is_fixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One text, or as much of it as is judged: `number` is its place in the reply, the first
    `prefix` characters have left already."""

    number: int
    head: Head
    text: str = field(repr=False)
    prefix: int = 0
    is_dropped: bool = False
    _reading: Reading | None = field(repr=False, default=None)

    @classmethod
    def of(cls, number: int, head: Head, text: str, prefix: int = 0) -> Entry:
        """Raises WireFormatError for JSON that holds more than may be read."""
        reading = None
        if head.is_json:
            part = head.part
            place = Place(role=part.role, kind=part.kind, name=part.name, reads=JSON_TEXT)
            reading = read(text, replace(place, path=part.path))
        return cls(number=number, head=head, text=text, prefix=prefix, _reading=reading)

    @property
    def parts(self) -> tuple[Part, ...]:
        if self.is_dropped:
            return ()
        if self._reading is not None:
            return self._reading.parts
        return (replace(self.head.part, text=self.text),)

    def rewrite(self, texts: Mapping[int, str]) -> Entry:
        """Raises WireFormatError for what cannot be changed."""
        if not texts or self.is_dropped:
            return self
        if self.head.is_fixed:
            if self.head.part.kind != "thinking" or self.prefix:
                raise WireFormatError("a text that cannot be changed")
            return replace(self, text="", is_dropped=True)  # signed: left out whole
        if self._reading is None:
            return replace(self, text=texts[0])
        written: Any = self._reading.rewrite(texts)
        return replace(self, text=str(written.value), _reading=written)


@dataclass(frozen=True, slots=True)
class SoFar:
    """Several texts of a reply. Its parts are theirs, one after the other."""

    entries: tuple[Entry, ...]

    @property
    def value(self) -> Self:
        return self

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for entry in self.entries for part in entry.parts)

    def rewrite(self, texts: Mapping[int, str]) -> SoFar:
        if not texts:
            return self
        written, first = [], 0
        for entry in self.entries:
            count = len(entry.parts)
            mine = {n - first: text for n, text in texts.items() if first <= n < first + count}
            written.append(entry.rewrite(mine))
            first += count
        return SoFar(tuple(written))

    def places(self) -> list[tuple[int, int]]:
        """Of each part: which entry it belongs to, and its number there."""
        return [
            (index, number)
            for index, entry in enumerate(self.entries)
            for number in range(len(entry.parts))
        ]
