"""What a request's or reply's body is written in, and what it looks like when it is refused.

A format reads bytes into a `Body` and makes answers of its own; it does no I/O. What it cannot read
is an `OpaqueBody`, which nobody can judge; what two readers may read in two ways is AmbiguousError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from guardrails.errors import SettingsError, WireFormatError
from guardrails.exchange import Role
from guardrails.wire.body import Body, JsonBody, OpaqueBody, PairsBody, PointedBody, TextBody
from guardrails.wire.event_body import EventBody, TextEvents
from guardrails.wire.event_replies import ANTHROPIC, CHAT, RESPONSES, EventCodec
from guardrails.wire.messages import conversation_form, read_messages
from guardrails.wire.pointer import Pointer, placed, put
from guardrails.wire.reading import Reading
from guardrails.wire.refusals import (
    anthropic_error,
    anthropic_message,
    chat_completion,
    known_of,
    openai_error,
    openai_response,
)
from guardrails.wire.shapes import (
    ANTHROPIC_MESSAGE,
    CHAT_COMPLETION,
    FREE,
    REQUEST,
    RESPONSE,
    Reads,
    Shape,
)
from guardrails.wire.sse import write_events
from guardrails.wire.strict_json import AmbiguousError, dump_json, parse_json
from guardrails.wire.values import read_value
from guardrails.wire.walk import TooManyValuesError

__all__ = ["AUTO", "NAMES", "Answer", "BodyFormat", "Payload", "format_of", "problem"]

JSON = "application/json"
PROBLEM = "application/problem+json"
EVENTS = "text/event-stream"
PLAIN = "text/plain"
FORM = "application/x-www-form-urlencoded"

ENCODINGS = frozenset(
    {
        *("utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1250", "windows-1251"),
        *("windows-1252", "koi8-r", "shift_jis", "euc-jp", "gb18030", "gbk", "gb2312", "big5"),
        "euc-kr",
    }
)
"""Charsets that browsers read as Python does; UTF-7 and UTF-16 are not among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The bytes of a body, decoded from any content encoding, with what their headers say.

    `media_type` is without parameters, in lower case; empty if none is said. `path` is where the
    request went.
    """

    data: bytes = field(repr=False)
    media_type: str = ""
    charset: str | None = None
    path: str = ""
    anthropic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply that we make."""

    status: int = 200
    media_type: str
    data: bytes = field(repr=False)


class BodyFormat(Protocol):
    """One way in which bodies are written."""

    @property
    def name(self) -> str: ...

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        """Raises AmbiguousError, or TooManyValuesError for what is too large to be read."""

    def response(self, payload: Payload, request: Body) -> Body:
        """Raises as `request` does."""

    def refusal(self, text: str, request: Body | None, response: Body | None) -> Answer | None:
        """The reply in the place of one; None if the format has no place for it."""

    def trouble(self, status: int, message: str, request: Body | None) -> Answer | None:
        """An error in the format's own shape; None if it has none."""


# -- plain text ----------------------------------------------------------------------------------


class _Text:
    name = "text"

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        return _text(payload, "user")

    def response(self, payload: Payload, request: Body) -> Body:
        if payload.media_type == EVENTS:
            return _guarded(payload, "assistant", TextEvents.of)
        return _text(payload, "assistant")

    def refusal(self, text: str, request: Body | None, response: Body | None) -> Answer | None:
        if isinstance(response, TextEvents):
            return Answer(media_type=EVENTS, data=response.refused(text))
        return Answer(media_type=PLAIN, data=text.encode("utf-8", "replace"))

    def trouble(self, status: int, message: str, request: Body | None) -> Answer | None:
        return None


def _text(payload: Payload, role: Role) -> Body:
    encoding = encoding_of(payload)
    if encoding not in ENCODINGS:
        return OpaqueBody(payload.data, role, "text in a charset that is not read here")
    try:
        payload.data.decode(encoding)
    except UnicodeDecodeError as error:
        raise AmbiguousError(f"not {encoding}: byte {error.start} cannot be read") from None
    return TextBody(payload.data, encoding, role)


# -- JSON of the application's own ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Json:
    """`asks` and `answers` are pointers to the texts of request and reply; none: all is text."""

    asks: tuple[Pointer, ...] = ()
    answers: tuple[Pointer, ...] = ()
    name: str = "json"

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        return _json(payload, "user", self.asks)

    def response(self, payload: Payload, request: Body) -> Body:
        return _json(payload, "assistant", self.answers)

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


def encoding_of(payload: Payload) -> str:
    said = payload.charset or "utf-8"
    return "utf-8" if said == "utf8" else said


def _document(payload: Payload) -> Any:
    """The JSON of a body, which is in UTF-8 whatever is said. Raises AmbiguousError."""
    encoding = encoding_of(payload)
    if encoding != "utf-8" and not (encoding in ENCODINGS and payload.data.isascii()):
        raise AmbiguousError("not usable JSON: in another charset than UTF-8")
    return parse_json(payload.data)


def _holds_json(data: bytes) -> bool:
    """Whether somebody who asks for no type would read it as JSON, in any of JSON's encodings."""
    if not _JSON_STARTS.match(data):
        return False
    try:
        json.loads(data)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


_JSON_STARTS = re.compile(rb"[ \t\r\n\0\xef\xbb\xbf\xfe\xff]*[{\[\"]")


def _json(payload: Payload, role: Role, pointers: Sequence[Pointer]) -> Body:
    if not payload.data.strip():
        return TextBody(payload.data, "utf-8", role)
    if payload.media_type == EVENTS:
        return OpaqueBody(payload.data, role, "an event stream where JSON was expected")
    document = _document(payload)
    if not pointers:
        return JsonBody.of(payload.data, role=role, reads=FREE, document=document)

    def read_at(value: object) -> Reading:
        if role == "user" and conversation_form(value) is not None:
            return read_messages(value)
        return read_value(value, role=role)

    return _guarded(
        payload, role, lambda data, _: PointedBody.of(data, document, pointers, read_at=read_at)
    )


# -- the providers' ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Provider:
    name: str
    asks: str
    reply: Shape
    codec: EventCodec
    refuse: Callable[[str, Mapping[str, Any]], dict[str, Any]]
    fail: Callable[[int, str], dict[str, Any]]

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        document = _document(payload)
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
            return _guarded(
                payload, "assistant", lambda data, _: EventBody.of(data, self.codec, self.reply)
            )
        document = _document(payload)
        if isinstance(document, dict) and "error" in document and "output" not in document:
            reads: Reads = FREE
        elif isinstance(document, dict):
            reads = self.reply
        else:
            return OpaqueBody(payload.data, "assistant", "no JSON object")
        return JsonBody.of(payload.data, role="assistant", reads=reads, document=document)

    def refusal(self, text: str, request: Body | None, response: Body | None) -> Answer | None:
        known = _known(response) or {"model": _known(request).get("model")}
        reply = self.refuse(text, known)
        if _wants_events(request, response):
            return Answer(media_type=EVENTS, data=write_events(self.codec.emit(reply)))
        return Answer(media_type=JSON, data=dump_json(reply))

    def trouble(self, status: int, message: str, request: Body | None) -> Answer | None:
        return Answer(status=status, media_type=JSON, data=dump_json(self.fail(status, message)))


def _known(body: Body | None) -> dict[str, Any]:
    return known_of(body.document if isinstance(body, JsonBody | EventBody) else None)


def _wants_events(request: Body | None, response: Body | None) -> bool:
    if response is not None:
        return isinstance(response, EventBody)
    asked = request.document if isinstance(request, JsonBody) else None
    return isinstance(asked, dict) and asked.get("stream") is True


def _guarded(payload: Payload, role: Role, make: Callable[[bytes, Role], Body]) -> Body:
    """A body, or an opaque one for what cannot be read; ambiguity stays an error."""
    try:
        return make(payload.data, role)
    except (AmbiguousError, TooManyValuesError):
        raise
    except WireFormatError as error:
        return OpaqueBody(payload.data, role, str(error))
    except RecursionError:
        raise AmbiguousError("nested too deeply") from None


ANTHROPIC_MESSAGES = _Provider(
    "anthropic", "messages", ANTHROPIC_MESSAGE, ANTHROPIC, anthropic_message, anthropic_error
)
OPENAI_CHAT = _Provider(
    "openai-chat", "messages", CHAT_COMPLETION, CHAT, chat_completion, openai_error
)
OPENAI_RESPONSES = _Provider(
    "openai-responses", "input", RESPONSE, RESPONSES, openai_response, openai_error
)


# -- found by itself -----------------------------------------------------------------------------


class _Auto:
    """Finds the format by what is there: the path, the headers, the body's own keys."""

    name = "auto"

    def request(self, payload: Payload, *, trust_system: bool = False) -> Body:
        if not payload.data:
            return TextBody(b"", "utf-8", "user")
        if _is_json(payload):
            document = _document(payload)
            reads = REQUEST if _provider_of(payload, document) is not None else FREE
            return JsonBody.of(
                payload.data, role="user", reads=reads, document=document,
                all_targets=not trust_system,
            )  # fmt: skip
        if payload.media_type == FORM:
            return PairsBody.of(payload.data, "user")
        if _is_plain(payload):
            return _text(payload, "user")
        return OpaqueBody(payload.data, "user", f"content of the type {_named(payload)}")

    def response(self, payload: Payload, request: Body) -> Body:
        if not payload.data:
            return TextBody(b"", "utf-8", "assistant")
        if payload.media_type == EVENTS:
            return self._events(payload)
        if _is_json(payload):
            document = _document(payload)
            provider = _provider_of_reply(document)
            reads = FREE if provider is None else provider.reply
            return JsonBody.of(payload.data, role="assistant", reads=reads, document=document)
        if _is_plain(payload):
            return _text(payload, "assistant")
        return OpaqueBody(payload.data, "assistant", f"content of the type {_named(payload)}")

    def _events(self, payload: Payload) -> Body:
        for provider in (ANTHROPIC_MESSAGES, OPENAI_RESPONSES, OPENAI_CHAT):
            with suppress(AmbiguousError):
                body = provider.response(payload, OpaqueBody(b"", "user", ""))
                if isinstance(body, EventBody):
                    return body
        why = "an event stream of no provider's format; for plain text in events say 'text'"
        return OpaqueBody(payload.data, "assistant", why)

    def refusal(self, text: str, request: Body | None, response: Body | None) -> Answer | None:
        provider = _provider_of_bodies(request, response)
        if provider is not None:
            return provider.refusal(text, request, response)
        plain = request is None or isinstance(request, TextBody)
        if isinstance(response, TextBody) or (response is None and plain):
            return TEXT.refusal(text, request, response)
        return None

    def trouble(self, status: int, message: str, request: Body | None) -> Answer | None:
        provider = _provider_of_bodies(request, None)
        return None if provider is None else provider.trouble(status, message, request)


def _is_json(payload: Payload) -> bool:
    """By its type, or as something else that many an application reads as JSON all the same."""
    if payload.media_type == JSON or payload.media_type.endswith("+json"):
        return True
    return (_is_plain(payload) or payload.media_type == FORM) and _holds_json(payload.data)


def _is_plain(payload: Payload) -> bool:
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
        *("application/x-ndjson", "application/jsonl", "application/msgpack", "application/zip"),
        EVENTS,
    }
)


_PATHS = {
    "/v1/messages": ANTHROPIC_MESSAGES,
    "/chat/completions": OPENAI_CHAT,
    "/v1/responses": OPENAI_RESPONSES,
}


def _provider_of(payload: Payload, document: object) -> _Provider | None:
    if not isinstance(document, dict) or conversation_form(document) != "request":
        return None
    for path, provider in _PATHS.items():
        if payload.path.endswith(path) and provider.asks in document:
            return provider
    return _provider_of_request(document, anthropic=payload.anthropic)


def _provider_of_request(document: Mapping[str, Any], *, anthropic: bool) -> _Provider | None:
    """By the keys: `max_tokens` must be there in Anthropic's, and is out of use in OpenAI's."""
    if "input" in document and "messages" not in document:
        return OPENAI_RESPONSES
    if anthropic or "system" in document or "anthropic_version" in document:
        return ANTHROPIC_MESSAGES
    return OPENAI_CHAT if "model" in document else None


def _provider_of_reply(document: object) -> _Provider | None:
    if not isinstance(document, dict):
        return None
    if document.get("type") == "message" and isinstance(document.get("content"), list):
        return ANTHROPIC_MESSAGES
    kinds = {"chat.completion": OPENAI_CHAT, "response": OPENAI_RESPONSES}
    kind = document.get("object")
    return kinds.get(kind) if isinstance(kind, str) else None


def _provider_of_bodies(request: Body | None, response: Body | None) -> _Provider | None:
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


# -- by name -------------------------------------------------------------------------------------

TEXT, AUTO = _Text(), _Auto()
NAMES: Mapping[str, BodyFormat] = {
    format.name: format
    for format in (AUTO, ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES, TEXT, _Json())
}


def format_of(named: str) -> BodyFormat:
    """A format by its name, or JSON by pointers: `json: /message, /history -> /answer`.

    Raises SettingsError that says what was expected.
    """
    if named in NAMES:
        return NAMES[named]
    name, colon, pointers = named.partition(":")
    asks, arrow, answers = pointers.partition("->")
    if name.strip() != "json" or not colon or not arrow:
        known = ", ".join(sorted(NAMES))
        raise SettingsError(
            f"unknown format {named!r}; expected one of {known}, or pointers into request and "
            f"response as 'json: /message -> /answer'"
        )
    return _Json(_pointers(asks, named), _pointers(answers, named), name=named)


def _pointers(said: str, named: str) -> tuple[Pointer, ...]:
    try:
        found = tuple(Pointer(one.strip()) for one in said.split(","))
    except ValueError as error:
        raise SettingsError(f"the format {named!r}: {error}") from None
    if any(not pointer.steps for pointer in found):
        raise SettingsError(f"the format {named!r}: a pointer is missing on one side of '->'")
    return found


def problem(status: int, title: str, detail: str, **more: object) -> Answer:
    """An error as RFC 9457 has it, for formats with no errors of their own."""
    said = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Answer(status=status, media_type=PROBLEM, data=json.dumps(said).encode())
