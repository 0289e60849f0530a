"""The format that is found by what is there: the path, the headers, the body's own keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrails.wire.body import Body, JsonBody, OpaqueBody, PairsBody, TextBody
from guardrails.wire.event_body import EventBody
from guardrails.wire.messages import conversation_form
from guardrails.wire.own_formats import TEXT, LinesFormat, text_body
from guardrails.wire.payload import EVENTS, FORM, JSON, LINES, Answer, Payload, document_of
from guardrails.wire.place import Place
from guardrails.wire.provider_formats import (
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    ProviderFormat,
)
from guardrails.wire.reading import read
from guardrails.wire.shapes import FREE, REQUEST
from guardrails.wire.sse import UNKNOWN_EVENTS
from guardrails.wire.strict_json import AmbiguousError, holds_json

__all__ = ["AUTO", "is_plain", "own_place", "provider_of_bodies"]


class AutoFormat:
    name = "auto"

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        if not payload.data:
            return TextBody(b"", "utf-8", "user")
        if _is_json(payload):
            document = document_of(payload)
            reads = REQUEST if _provider_of(payload, document) is not None else FREE
            return JsonBody.of(
                payload.data, role="user", reads=reads, document=document,
                all_targets=not trust_system,
            )  # fmt: skip
        if payload.media_type == FORM:
            return PairsBody.of(payload.data, "user")
        if is_plain(payload):
            return text_body(payload, "user")
        return OpaqueBody(payload.data, "user", f"content of the type {_named(payload)}")

    def response(self, payload: Payload, request: Body) -> Body:
        if not payload.data:
            return TextBody(b"", "utf-8", "assistant")
        if payload.media_type == EVENTS:
            return self._events(payload, request)
        if payload.media_type in LINES:
            return LinesFormat().response(payload, request)
        if _is_json(payload):
            document = document_of(payload)
            return JsonBody(payload.data, read(document, own_place(document, request)))
        if is_plain(payload):
            return text_body(payload, "assistant")
        return OpaqueBody(payload.data, "assistant", f"content of the type {_named(payload)}")

    def _events(self, payload: Payload, request: Body) -> Body:
        for provider in (ANTHROPIC_MESSAGES, OPENAI_RESPONSES, OPENAI_CHAT):
            try:
                body = provider.response(payload, request)
            except AmbiguousError:  # of this format, or of none
                break
            if isinstance(body, EventBody):
                return body
        return OpaqueBody(payload.data, "assistant", UNKNOWN_EVENTS)

    def refusal(self, text: str, request: Body | None, response: Body | None) -> Answer | None:
        provider = provider_of_bodies(request, response)
        if provider is not None:
            return provider.refusal(text, request, response)
        plain = request is None or isinstance(request, TextBody)
        if isinstance(response, TextBody) or (response is None and plain):
            return TEXT.refusal(text, request, response)
        return None

    def trouble(self, status: int, message: str, request: Body | None) -> Answer | None:
        provider = provider_of_bodies(request, None)
        return None if provider is None else provider.trouble(status, message, request)


def _is_json(payload: Payload) -> bool:
    """By its type, or as something else that many an application reads as JSON all the same."""
    if payload.media_type == JSON or payload.media_type.endswith("+json"):
        return True
    return (is_plain(payload) or payload.media_type == FORM) and holds_json(payload.data)


def is_plain(payload: Payload) -> bool:
    return payload.media_type.startswith("text/") and payload.media_type != EVENTS


_MAIN_TYPES = frozenset(
    {"application", "audio", "font", "image", "message", "model", "multipart", "text", "video"}
)


def _named(payload: Payload) -> str:
    """What may be told of a type, which a client can make up: its main type, unless it is one of
    those that are met."""
    if payload.media_type in _MET_TYPES:
        return repr(payload.media_type)
    main, _, _ = payload.media_type.partition("/")
    return f"'{main}/…'" if main in _MAIN_TYPES else "unknown"


_MET_TYPES = frozenset(
    {
        *("multipart/form-data", "application/octet-stream", "application/xml", "application/pdf"),
        *("application/msgpack", "application/zip", EVENTS, *LINES),
    }
)


_PATHS = {
    "/v1/messages": ANTHROPIC_MESSAGES,
    "/chat/completions": OPENAI_CHAT,
    "/v1/responses": OPENAI_RESPONSES,
}


def _provider_of(payload: Payload, document: object) -> ProviderFormat | None:
    if not isinstance(document, dict) or conversation_form(document) != "request":
        return None
    for path, provider in _PATHS.items():
        if payload.path.endswith(path) and provider.asks in document:
            return provider
    return _provider_of_request(document, anthropic=payload.anthropic)


def _provider_of_request(document: Mapping[str, Any], *, anthropic: bool) -> ProviderFormat | None:
    """By the keys: `max_tokens` must be there in Anthropic's, and is out of use in OpenAI's."""
    if "input" in document and "messages" not in document:
        return OPENAI_RESPONSES
    if anthropic or "system" in document or "anthropic_version" in document:
        return ANTHROPIC_MESSAGES
    return OPENAI_CHAT if "model" in document else None


def own_place(document: object, request: Body | None) -> Place:
    """How to read the JSON of a response to a request."""
    provider = _provider_of_reply(document)
    if provider is None or not isinstance(document, dict):
        return Place(role="assistant", reads=FREE)
    return provider.place(document, request)


def _provider_of_reply(document: object) -> ProviderFormat | None:
    if not isinstance(document, dict):
        return None
    if document.get("type") == "message" and isinstance(document.get("content"), list):
        return ANTHROPIC_MESSAGES
    kinds = {"chat.completion": OPENAI_CHAT, "response": OPENAI_RESPONSES}
    kind = document.get("object")
    return kinds.get(kind) if isinstance(kind, str) else None


def provider_of_bodies(request: Body | None, response: Body | None) -> ProviderFormat | None:
    if isinstance(response, EventBody):
        return next(
            p for p in (ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES)
            if p.codec is response.codec
        )  # fmt: skip
    if isinstance(response, JsonBody):
        return _provider_of_reply(response.document)
    if response is None and isinstance(request, JsonBody):
        asked = request.document
        if isinstance(asked, dict) and request.reading.place.reads is REQUEST:
            return _provider_of_request(asked, anthropic="max_tokens" in asked)
    return None


AUTO = AutoFormat()
