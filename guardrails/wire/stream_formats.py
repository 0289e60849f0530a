"""Which reader reads a body as it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from guardrails.wire.auto_format import AUTO, is_plain, own_place, provider_of_bodies
from guardrails.wire.body import Body, JsonBody
from guardrails.wire.event_format import EventsFormat
from guardrails.wire.own_formats import TEXT, LinesFormat
from guardrails.wire.payload import ENCODINGS, EVENTS, JSON, LINES, BodyFormat, Payload, encoding_of
from guardrails.wire.provider_formats import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES
from guardrails.wire.refusals import expects_json
from guardrails.wire.streams.anthropic import AnthropicReader
from guardrails.wire.streams.auto import AutoReader, EventSniffer, TextSniffer
from guardrails.wire.streams.chat import ChatReader
from guardrails.wire.streams.json_events import JsonEventReader
from guardrails.wire.streams.lines import LineReader
from guardrails.wire.streams.model import StreamReader
from guardrails.wire.streams.plain import PlainSniffer
from guardrails.wire.streams.responses import ResponsesReader
from guardrails.wire.streams.telling import Json
from guardrails.wire.streams.text import TextReader

__all__ = ["stream_reader"]

_PROVIDERS: Mapping[str, Callable[..., JsonEventReader]] = {
    ANTHROPIC_MESSAGES.name: AnthropicReader,
    OPENAI_CHAT.name: ChatReader,
    OPENAI_RESPONSES.name: ResponsesReader,
}


def stream_reader(
    format: BodyFormat, payload: Payload, request: Body | None, *, declines: bool | None = None
) -> StreamReader | None:
    """The reader of a response; None if it must be held whole. Of the payload only what its headers
    say counts, for there are no bytes yet.

    `declines` says that a text of ours would be read as something else, such as JSON, so that it
    goes where a model says that it declines; by itself that is found from the request.
    """
    document = request.document if isinstance(request, JsonBody) else None
    asked: Json = document if isinstance(document, dict) else {}
    if declines is None:
        declines = expects_json(asked)
    readers = {name: partial(make, asked, declines=declines) for name, make in _PROVIDERS.items()}
    encoding = encoding_of(payload)
    is_lines = isinstance(format, LinesFormat) or (format is AUTO and payload.media_type in LINES)
    if payload.media_type == EVENTS or is_lines:
        if encoding not in ("utf-8", "us-ascii"):
            return None
        if payload.media_type == EVENTS:
            return _of_events(format, request, readers)
        if payload.media_type == JSON:
            return None
        return LineReader(format.answer if isinstance(format, LinesFormat) else None)
    if encoding not in ENCODINGS:
        return None
    if format is TEXT:
        return TextReader(encoding)
    if format is AUTO and is_plain(payload):
        return AutoReader(
            PlainSniffer(encoding, partial(own_place, request=request)), TextReader(encoding)
        )
    return None


def _of_events(
    format: BodyFormat, request: Body | None, readers: Mapping[str, Callable[[], StreamReader]]
) -> StreamReader | None:
    if format is TEXT:
        return AutoReader(TextSniffer(), None, is_events=True)
    if isinstance(format, EventsFormat):
        return format.reader()
    if format is AUTO:
        asked = provider_of_bodies(request, None)
        instead = readers[asked.name]() if asked else None
        return AutoReader(EventSniffer(readers), instead, is_events=True)
    make = readers.get(format.name)
    return make() if make else None
