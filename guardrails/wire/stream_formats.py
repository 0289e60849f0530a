"""Which reader reads a body as it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from guardrails.wire.body import Body, JsonBody
from guardrails.wire.own_formats import TEXT
from guardrails.wire.payload import ENCODINGS, EVENTS, BodyFormat, Payload, encoding_of
from guardrails.wire.provider_formats import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES
from guardrails.wire.refusals import expects_json
from guardrails.wire.streams.anthropic import AnthropicReader
from guardrails.wire.streams.chat import ChatReader
from guardrails.wire.streams.json_events import JsonEventReader
from guardrails.wire.streams.model import StreamReader
from guardrails.wire.streams.responses import ResponsesReader
from guardrails.wire.streams.text import TextReader
from guardrails.wire.streams.text_events import TextEventReader

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
    asked: dict[str, Any] = document if isinstance(document, dict) else {}
    if declines is None:
        declines = expects_json(asked)
    if payload.media_type == EVENTS:
        if format is TEXT:
            return TextEventReader()
        make = _PROVIDERS.get(format.name)
        return make(asked, declines=declines) if make else None
    if format is TEXT and encoding_of(payload) in ENCODINGS:
        return TextReader(encoding_of(payload))
    return None
