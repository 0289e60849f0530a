"""The providers' formats: requests, replies, event streams, refusals and errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from guardrails.wire.asked import reply_place
from guardrails.wire.body import Body, JsonBody, OpaqueBody
from guardrails.wire.event_body import EventBody
from guardrails.wire.event_replies import ANTHROPIC, CHAT, RESPONSES, EventCodec
from guardrails.wire.payload import EVENTS, JSON, Answer, Payload, document_of, guarded
from guardrails.wire.place import Place
from guardrails.wire.reading import read
from guardrails.wire.refusals import (
    anthropic_declined,
    anthropic_error,
    anthropic_message,
    chat_completion,
    chat_declined,
    expects_json,
    known_of,
    openai_error,
    openai_response,
    response_declined,
)
from guardrails.wire.shapes import (
    ANTHROPIC_MESSAGE,
    CHAT_COMPLETION,
    FREE,
    REQUEST,
    RESPONSE,
    Shape,
)
from guardrails.wire.sse import write_events
from guardrails.wire.strict_json import dump_json

__all__ = [
    "ANTHROPIC_MESSAGES",
    "OPENAI_CHAT",
    "OPENAI_RESPONSES",
    "ProviderFormat",
    "asked_in",
]


@dataclass(frozen=True, slots=True)
class ProviderFormat:
    name: str
    asks: str
    reply: Shape
    codec: EventCodec
    refuse: Callable[[str, Mapping[str, Any]], dict[str, Any]]
    decline: Callable[[dict[str, Any], str], None]
    """Puts the text where a model says that it declines: for who expects JSON as the text."""
    fail: Callable[[int, str], dict[str, Any]]

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        document = document_of(payload)
        if not isinstance(document, dict) or self.asks not in document:
            return OpaqueBody(payload.data, "user", f"a body without {self.asks!r}")
        return JsonBody.of(
            payload.data,
            role="user",
            reads=REQUEST,
            document=document,
            all_targets=not trust_system,
        )

    def response(self, payload: Payload, request: Body) -> Body:
        if payload.media_type == EVENTS:
            return guarded(
                payload,
                "assistant",
                lambda data, _: EventBody.of(data, self.codec, self.reply, asked_in(request)),
            )
        document = document_of(payload)
        if not isinstance(document, dict):
            return OpaqueBody(payload.data, "assistant", "no JSON object")
        if _is_error(document):
            return JsonBody.of(payload.data, role="assistant", reads=FREE, document=document)
        return JsonBody(payload.data, read(document, self.place(document, request)))

    def place(self, document: Mapping[str, Any], request: Body | None) -> Place:
        """How to read a whole reply to a request."""
        return reply_place(self.reply, document, asked_in(request))

    def refusal(self, text: str, request: Body | None, response: Body | None) -> Answer | None:
        known = _known(response) or {"model": _known(request).get("model")}
        reply = self.refuse(text, known)
        if expects_json(asked_in(request)):
            self.decline(reply, text)
        if _wants_events(request, response):
            return Answer(media_type=EVENTS, data=write_events(self.codec.emit(reply)))
        return Answer(media_type=JSON, data=dump_json(reply))

    def trouble(self, status: int, message: str, request: Body | None) -> Answer | None:
        return Answer(status=status, media_type=JSON, data=dump_json(self.fail(status, message)))


def _is_error(document: Mapping[str, Any]) -> bool:
    """Whether it is an error and nothing else: what has any of a reply's own fields is a reply."""
    return bool(document.get("error")) and not _ANSWERS.intersection(document)


_ANSWERS = frozenset({"choices", "content", "output"})


def _known(body: Body | None) -> dict[str, Any]:
    return known_of(body.document if isinstance(body, JsonBody | EventBody) else None)


def _wants_events(request: Body | None, response: Body | None) -> bool:
    if response is not None:
        return isinstance(response, EventBody)
    return asked_in(request).get("stream") is True


def asked_in(request: Body | None) -> dict[str, Any]:
    """What a request says, if it is JSON."""
    document = request.document if isinstance(request, JsonBody) else None
    return document if isinstance(document, dict) else {}


ANTHROPIC_MESSAGES = ProviderFormat(
    name="anthropic",
    asks="messages",
    reply=ANTHROPIC_MESSAGE,
    codec=ANTHROPIC,
    refuse=anthropic_message,
    decline=anthropic_declined,
    fail=anthropic_error,
)
OPENAI_CHAT = ProviderFormat(
    name="openai-chat",
    asks="messages",
    reply=CHAT_COMPLETION,
    codec=CHAT,
    refuse=chat_completion,
    decline=chat_declined,
    fail=openai_error,
)
OPENAI_RESPONSES = ProviderFormat(
    name="openai-responses",
    asks="input",
    reply=RESPONSE,
    codec=RESPONSES,
    refuse=openai_response,
    decline=response_declined,
    fail=openai_error,
)
