"""Whole event streams as bodies: held, judged by what they add up to, told anew if that changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Role
from guardrails.wire.body import Body
from guardrails.wire.event_replies import EventCodec
from guardrails.wire.reading import Reading, read
from guardrails.wire.shapes import Shape
from guardrails.wire.sse import Event, parse_events, write_events
from guardrails.wire.walk import Place

__all__ = ["EventBody", "TextEvents"]


@dataclass(frozen=True, slots=True)
class EventBody(Body):
    """A provider's stream."""

    data: bytes = field(repr=False)
    codec: EventCodec = field(repr=False)
    reading: Reading = field(repr=False)

    @classmethod
    def of(cls, data: bytes, codec: EventCodec, shape: Shape) -> EventBody:
        """Raises WireFormatError for a stream that cannot be read whole."""
        reply = codec.assemble(parse_events(data))
        return cls(data, codec, read(reply, Place(role="assistant", reads=shape)))

    @property
    def document(self) -> Any:
        return self.reading.value

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.reading.parts

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        if not texts:
            return self
        written = self.reading.rewrite(texts)
        if not isinstance(written.value, dict):
            raise WireFormatError("a reply that is no object")
        data = write_events(self.codec.emit(written.value))
        return replace(self, data=data, reading=written)


@dataclass(frozen=True, slots=True)
class TextEvents(Body):
    """A stream whose events hold pieces of one plain text: the route's author has said so."""

    data: bytes = field(repr=False)
    role: Role
    text: str = field(repr=False)
    name: str

    @classmethod
    def of(cls, data: bytes, role: Role) -> TextEvents:
        """Raises WireFormatError if the events have different names, for then one name cannot
        stand for all; a last `[DONE]` is no text."""
        events = [event for event in parse_events(data) if event.data != "[DONE]"]
        names = {event.name for event in events}
        if len(names) > 1:
            raise WireFormatError("a stream with events of several names")
        return cls(data, role, "".join(event.data for event in events), next(iter(names), ""))

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(text=self.text, role=self.role),)

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        if 0 not in texts:
            return self
        return replace(self, data=self.refused(texts[0]), text=texts[0])

    def refused(self, text: str) -> bytes:
        """The stream that says this text."""
        return write_events([Event(self.name, text), *self._end()])

    def _end(self) -> list[Event]:
        return [Event("", "[DONE]")] if b"[DONE]" in self.data else []
