"""What a whole event stream says beside the reply that it adds up to: it is read as one that comes
in pieces, so that it is held to the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from guardrails.errors import WireFormatError
from guardrails.exchange import Part
from guardrails.wire.event_replies import ANTHROPIC, CHAT, RESPONSES, EventCodec
from guardrails.wire.place import Place
from guardrails.wire.reading import read
from guardrails.wire.shapes import JSON_TEXT
from guardrails.wire.streams.anthropic import AnthropicReader
from guardrails.wire.streams.chat import ChatReader
from guardrails.wire.streams.json_events import JsonEventReader
from guardrails.wire.streams.model import PartHead
from guardrails.wire.streams.responses import ResponsesReader

__all__ = ["asides_in"]

_READERS: Mapping[int, type[JsonEventReader]] = {
    id(ANTHROPIC): AnthropicReader,
    id(CHAT): ChatReader,
    id(RESPONSES): ResponsesReader,
}


def asides_in(
    data: bytes, codec: EventCodec, asked: Mapping[str, Any], parts: Iterable[Part]
) -> list[str]:
    """The texts of a stream that are not among the parts of its reply. Raises WireFormatError for a
    stream that could not be judged, or would have to be told otherwise, if it came in pieces."""
    reader = _READERS[id(codec)](dict(asked))
    heads: list[PartHead] = []
    texts: list[list[str]] = []
    for event in (*reader.feed(data), *reader.close()):
        for head in event.opens:
            if head.kind == "opaque" and not head.path:
                raise WireFormatError(head.name or "an event that cannot be read")
            heads.append(head)
            texts.append([])
        for said in event.says:
            if not said.repeats:
                texts[said.part].append(said.text)
        if event.write() != event.raw:
            raise WireFormatError("a stream with something that would be left out of it in pieces")
    known = {part.text for part in parts}
    numbers = set(map(_number, known))
    found = dict.fromkeys(
        text
        for head, pieces in zip(heads, texts, strict=True)
        if not _is_known(head, text := "".join(pieces), known, numbers)
    )
    return list(found)


def _is_known(
    head: PartHead, text: str, known: Collection[str], numbers: Collection[float | None]
) -> bool:
    if not text or text in known:
        return True
    if not head.json:
        return False
    place = Place(role=head.role, kind=head.kind, name=head.name, reads=JSON_TEXT)
    return all(
        part.text in known or ((number := _number(part.text)) is not None and number in numbers)
        for part in read(text, place).parts
    )


def _number(text: str) -> float | None:
    """The number that a text is, however it is written: a whole reply has it parsed."""
    try:
        return float(text)
    except ValueError:
        return None
