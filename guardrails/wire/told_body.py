"""Whole bodies of streams, read by the very reader that reads them as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from guardrails.exchange import Part
from guardrails.wire.body import Body
from guardrails.wire.streams.model import StreamEvent, StreamReader

__all__ = ["ToldBody"]


@dataclass(frozen=True, slots=True)
class ToldBody(Body):
    """A stream that is there whole: its parts are what its events tell."""

    data: bytes = field(repr=False)
    events: tuple[StreamEvent, ...] = field(repr=False)
    _parts: tuple[Part, ...] = field(repr=False)

    @classmethod
    def of(cls, data: bytes, make: Callable[[], StreamReader]) -> ToldBody:
        reader = make()
        events = (*reader.feed(data), *reader.close())
        heads = [head for event in events for head in event.opens]
        texts: list[list[str]] = [[] for _ in heads]
        for event in events:
            for said in event.says:
                if not said.repeats:
                    texts[said.part].append(said.text)
        parts = tuple(
            Part(text="".join(text), role=head.role, kind=head.kind, name=head.name, path=head.path)
            for head, text in zip(heads, texts, strict=True)
        )
        return cls(data, events, parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        return self._parts

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        """The first piece of a text becomes all of it."""
        if not texts:
            return self
        left = dict(texts)
        written = []
        for event in self.events:
            now = [
                said.text
                if said.part not in texts
                else texts[said.part]
                if said.repeats
                else left.pop(said.part, "")
                for said in event.says
            ]
            written.append(event.write(now))
        parts = tuple(
            replace(part, text=texts.get(at, part.text)) for at, part in enumerate(self._parts)
        )
        return replace(self, data=b"".join(written), _parts=parts)
