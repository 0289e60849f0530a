"""Bodies of the application's own: plain text, JSON, and JSON line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardrails.exchange import Role
from guardrails.wire.body import Body, JsonBody, OpaqueBody, PointedBody, TextBody
from guardrails.wire.event_body import TextEvents
from guardrails.wire.lines_body import LinesBody, PointedLines
from guardrails.wire.messages import conversation_form, read_messages
from guardrails.wire.payload import (
    ENCODINGS,
    EVENTS,
    JSON,
    LINES,
    PLAIN,
    Answer,
    Payload,
    document_of,
    encoding_of,
    guarded,
)
from guardrails.wire.pointer import Pointer, placed, put
from guardrails.wire.reading import Reading
from guardrails.wire.shapes import FREE
from guardrails.wire.sse import JSON_AS_TEXT, JSON_IN_EVENTS
from guardrails.wire.strict_json import AmbiguousError, dump_json
from guardrails.wire.values import read_value

__all__ = ["TEXT", "JsonFormat", "LinesFormat", "json_body", "text_body"]


class TextFormat:
    name = "text"

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        return text_body(payload, "user")

    def response(self, payload: Payload, request: Body) -> Body:
        if payload.media_type == EVENTS:
            return guarded(payload, "assistant", TextEvents.of)
        return text_body(payload, "assistant")

    def refusal(self, text: str, request: Body | None, response: Body | None) -> Answer | None:
        if isinstance(response, TextEvents):
            return Answer(media_type=EVENTS, data=response.refused(text))
        if isinstance(response, OpaqueBody) and response.why == JSON_AS_TEXT:
            return None  # nobody there reads a plain text
        return Answer(media_type=PLAIN, data=text.encode("utf-8", "replace"))

    def trouble(self, status: int, message: str, request: Body | None) -> Answer | None:
        return None


def text_body(payload: Payload, role: Role) -> Body:
    encoding = encoding_of(payload)
    if encoding not in ENCODINGS:
        return OpaqueBody(payload.data, role, "text in a charset that is not read here")
    try:
        payload.data.decode(encoding)
    except UnicodeDecodeError as error:
        raise AmbiguousError(f"not {encoding}: byte {error.start} cannot be read") from None
    return TextBody(payload.data, encoding, role)


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """`asks` and `answers` are pointers to the texts of request and reply; none: all is text."""

    asks: tuple[Pointer, ...] = ()
    answers: tuple[Pointer, ...] = ()
    name: str = "json"

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        return json_body(payload, "user", self.asks)

    def response(self, payload: Payload, request: Body) -> Body:
        return json_body(payload, "assistant", self.answers)

    def refusal(self, text: str, request: Body | None, response: Body | None) -> Answer | None:
        if not self.answers:
            return None
        document = response.document if isinstance(response, PointedBody) else None
        if document is None:
            made = placed(self.answers[0], text)
        else:
            made = put(document, self.answers[0], text)
            for pointer in self.answers[1:]:
                made = put(made, pointer, "")
        return Answer(media_type=JSON, data=dump_json(made))

    def trouble(self, status: int, message: str, request: Body | None) -> Answer | None:
        return None


def json_body(payload: Payload, role: Role, pointers: Sequence[Pointer]) -> Body:
    if not payload.data.strip():
        return TextBody(payload.data, "utf-8", role)
    if payload.media_type == EVENTS:
        return OpaqueBody(
            payload.data, role, f"an event stream where JSON was expected; {JSON_IN_EVENTS}"
        )
    document = document_of(payload)
    if not pointers:
        return JsonBody.of(payload.data, role=role, reads=FREE, document=document)

    def read_at(value: object) -> Reading:
        if role == "user" and conversation_form(value) is not None:
            return read_messages(value)
        return read_value(value, role=role)

    return guarded(
        payload, role, lambda data, _: PointedBody.of(data, document, pointers, read_at=read_at)
    )


# -- JSON, line by line --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinesFormat:
    """`answer` points to the piece of the reply in each line; without one all is text. A response
    that says it is JSON is read as one value."""

    asks: tuple[Pointer, ...] = ()
    answer: Pointer | None = None
    name: str = "ndjson"

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        return json_body(payload, "user", self.asks)

    def response(self, payload: Payload, request: Body) -> Body:
        if payload.media_type == JSON:
            return json_body(payload, "assistant", (self.answer,) if self.answer else ())
        if payload.media_type == EVENTS:
            return OpaqueBody(
                payload.data,
                "assistant",
                f"an event stream where lines of JSON were; {JSON_IN_EVENTS}",
            )
        return guarded(payload, "assistant", self._lines)

    def _lines(self, data: bytes, role: Role) -> Body:
        if self.answer is None:
            return LinesBody.of(data, role)
        return PointedLines.of(data, role, self.answer)

    def refusal(self, text: str, request: Body | None, response: Body | None) -> Answer | None:
        if self.answer is None:
            return None
        return Answer(media_type=LINES[0], data=dump_json(placed(self.answer, text)) + b"\n")

    def trouble(self, status: int, message: str, request: Body | None) -> Answer | None:
        return None


TEXT = TextFormat()
