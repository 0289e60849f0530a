"""Whole event streams as bodies: held, judged by what they add up to, told anew if that changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Self

from guardrails.errors import WireFormatError
from guardrails.exchange import Call, Part, Role
from guardrails.wire.asked import reply_place
from guardrails.wire.body import Body
from guardrails.wire.event_asides import asides_in
from guardrails.wire.event_replies import EventCodec, with_asides
from guardrails.wire.reading import Reading, read
from guardrails.wire.shapes import Shape
from guardrails.wire.sse import (
    DONE,
    JSON_AS_TEXT,
    MARK,
    MARKED,
    Event,
    is_json_piece,
    parse_asides,
    parse_events,
    tells_json,
    write_events,
)

__all__ = ["EventBody", "TextEvents"]


@dataclass(frozen=True, slots=True)
class EventBody(Body):
    """A provider's stream."""

    data: bytes = field(repr=False)
    codec: EventCodec = field(repr=False)
    reading: Reading = field(repr=False)

    @classmethod
    def of(
        cls,
        data: bytes,
        codec: EventCodec,
        shape: Shape,
        asked: Mapping[str, Any] = MappingProxyType({}),
    ) -> EventBody:
        """`asked` is the request. Raises WireFormatError for a stream that cannot be read whole."""
        reply = codec.assemble(parse_events(data))
        reading = read(reply, reply_place(shape, reply, asked))
        if asides := asides_in(data, codec, asked, reading.parts):
            reading = read(with_asides(reply, asides), reading.place)
        return cls(data, codec, reading)

    @property
    def document(self) -> Any:
        return self.reading.value

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.reading.parts

    @property
    def calls(self) -> tuple[Call, ...]:
        return self.reading.calls

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        if not texts:
            return self
        written = self.reading.rewrite(texts)
        if not isinstance(written.value, dict):
            raise WireFormatError("a reply that is no object")
        try:
            data = write_events(self.codec.emit(written.value))
        except (AttributeError, TypeError):
            raise WireFormatError("a reply that cannot be told as a stream") from None
        return replace(self, data=data, reading=written)


@dataclass(frozen=True, slots=True)
class TextEvents(Body):
    """A stream whose events hold pieces of one plain text: the route's author has said so.

    `asides` is what it says beside them; it is judged, too, and goes when anything changes.
    """

    data: bytes = field(repr=False)
    role: Role
    text: str = field(repr=False)
    name: str = field(repr=False)
    asides: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, data: bytes, role: Role) -> TextEvents:
        """Raises WireFormatError if the events have different names, for then one name cannot
        stand for all, or if they hold JSON; a last `[DONE]` is no text."""
        events = [event for event in parse_events(data) if event.data != DONE]
        names = {event.name for event in events}
        if len(names) > 1:
            raise WireFormatError("a stream with events of several names")
        said = [event.data for event in events if event.data.strip()]
        if (said and tells_json(said)) or any(map(_are_json, pairwise(said))):
            raise WireFormatError(JSON_AS_TEXT)
        text = "".join(event.data for event in events)
        asides = tuple(said for said in parse_asides(data) if said != "message")
        if any(said.startswith(MARK) for said in asides):
            raise WireFormatError(MARKED)
        return cls(data, role, text, next(iter(names), ""), asides)

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(Part(text=text, role=self.role) for text in (self.text, *self.asides))

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        if not texts:
            return self
        is_named = self.name in self.asides and set(texts) == {0}
        kept = replace(self, name=self.name if is_named else "", text=texts.get(0, self.text))
        asides = (self.name,) if is_named else ()
        return replace(kept, data=kept.refused(kept.text), asides=asides)

    def refused(self, text: str) -> bytes:
        """The stream that says this text."""
        return write_events([Event(self.name, text), *self._end()])

    def _end(self) -> list[Event]:
        return [Event("", DONE)] if b"[DONE]" in self.data else []


def _are_json(pair: tuple[str, str]) -> bool:
    return all(map(is_json_piece, pair))
