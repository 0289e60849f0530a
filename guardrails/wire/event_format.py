"""Event streams of the application's own: JSON in the data of server-sent events."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from guardrails.exchange import Role
from guardrails.wire.body import Body, OpaqueBody
from guardrails.wire.event_shape import EventShape
from guardrails.wire.own_formats import json_body
from guardrails.wire.payload import EVENTS, JSON, Answer, Payload, guarded
from guardrails.wire.streams.own_events import OwnEventReader
from guardrails.wire.told_body import ToldBody

__all__ = ["EventsFormat"]

NO_EVENTS = "neither an event stream nor JSON, by its content-type, where events were expected"


@dataclass(frozen=True, slots=True)
class EventsFormat:
    """`shape` says what the events look like. A response that is no event stream is JSON, of which
    every string is a text."""

    shape: EventShape
    name: str = "sse"

    def reader(self) -> OwnEventReader:
        return OwnEventReader(self.shape)

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        return json_body(payload, "user", self.shape.asks)

    def response(self, payload: Payload, request: Body) -> Body:
        if payload.media_type == EVENTS:
            return guarded(payload, "assistant", self._events)
        is_json = payload.media_type == JSON or payload.media_type.endswith("+json")
        if is_json or not payload.data.strip():
            return json_body(payload, "assistant", ())
        return OpaqueBody(payload.data, "assistant", NO_EVENTS)

    def _events(self, data: bytes, role: Role) -> Body:
        return ToldBody.of(data, partial(OwnEventReader, self.shape, role=role))

    def refusal(self, text: str, request: Body | None, response: Body | None) -> Answer | None:
        if response is not None and not isinstance(response, ToldBody | OpaqueBody):
            return None
        return Answer(media_type=EVENTS, data=self.reader().cut(text, released=False))

    def trouble(self, status: int, message: str, request: Body | None) -> Answer | None:
        return None
