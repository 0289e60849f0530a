"""The reply so far as a content: texts that are judged, put back, and known by where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, Self

from guardrails.errors import WireFormatError
from guardrails.exchange import UNREADABLE, UNSAID, Call, Part, Path
from guardrails.wire.place import Place
from guardrails.wire.reading import Reading, read
from guardrails.wire.shapes import JSON_TEXT

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

    def call(self, part: int, after: tuple[Part, ...]) -> Call | None:
        """The tool call that it tells of, if it does; `part` is the first of its own parts.

        A call comes as several texts, each judged by itself: the name first, and the arguments when
        they are whole. Arguments that came otherwise than all others do are nobody's to read.
        """
        head = self.head.part
        if self.is_dropped or head.role != "assistant":
            return None
        name, given = head.name, _given(head.path)
        if self.head.is_json and head.kind == "tool_call":
            arguments: object = self.text
        elif given == "free" and head.kind == "tool_call":
            arguments = {"input": self.text}
        elif given is not None:
            arguments = UNREADABLE
        elif head.kind == "tool_call" and head.path[-1:] == ("name",):
            name, arguments = self.text, UNSAID
        else:
            return None
        return Call(name=name, arguments=arguments, part=part if self.parts else None, after=after)

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


def _given(path: Path) -> Literal["free", "inside"] | None:
    """Whether a path leads to a call's arguments or into them: a text of no form, or anything."""
    match path:
        case (*_, "custom", "input") | ("output", int(), "input"):
            return "free"
        case ("content", int(), "input", *_) | ("output", int(), "arguments" | "input", *_):
            return "inside"
    steps = list(pairwise(path))
    for pair in (("function", "arguments"), ("function_call", "arguments"), ("custom", "input")):
        if pair in steps:
            return "inside"
    return None


@dataclass(frozen=True, slots=True)
class SoFar:
    """Several texts of a reply. Its parts are theirs, one after the other. `gave` is what tools
    gave in it before."""

    entries: tuple[Entry, ...]
    gave: tuple[Part, ...] = field(default=(), repr=False)

    @property
    def value(self) -> Self:
        return self

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for entry in self.entries for part in entry.parts)

    @property
    def calls(self) -> tuple[Call, ...]:
        calls: list[Call] = []
        first = 0
        for entry in self.entries:
            if (call := entry.call(first, self.gave)) is not None:
                calls.append(call)
            first += len(entry.parts)
        return tuple(calls)

    def rewrite(self, texts: Mapping[int, str]) -> SoFar:
        if not texts:
            return self
        written, first = [], 0
        for entry in self.entries:
            count = len(entry.parts)
            mine = {n - first: text for n, text in texts.items() if first <= n < first + count}
            written.append(entry.rewrite(mine))
            first += count
        return SoFar(tuple(written), self.gave)

    def places(self) -> list[tuple[int, int]]:
        """Of each part: which entry it belongs to, and its number there."""
        return [
            (index, number)
            for index, entry in enumerate(self.entries)
            for number in range(len(entry.parts))
        ]
