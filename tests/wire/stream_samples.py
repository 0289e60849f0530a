"""Streams in pieces, and what a reader tells of them, put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from guardrails.exchange import Part
from guardrails.testing.provider.anthropic import Messages
from guardrails.testing.provider.chat import Chat
from guardrails.testing.provider.responses import Responses
from guardrails.wire.event_replies import ANTHROPIC, CHAT, RESPONSES, EventCodec
from guardrails.wire.place import Place
from guardrails.wire.reading import read
from guardrails.wire.shapes import JSON_TEXT
from guardrails.wire.streams.model import PartHead, StreamEvent, StreamReader

Json = dict[str, Any]
DIALECTS = {"anthropic": Messages(), "openai-chat": Chat(), "openai-responses": Responses()}


_NAMES = {id(ANTHROPIC): "anthropic", id(CHAT): "openai-chat", id(RESPONSES): "openai-responses"}


def name_of(codec: EventCodec) -> str:
    """The name of the format whose streams a codec knows."""
    return _NAMES[id(codec)]


def stream_of(name: str, reply: Json, tokens: int = 1) -> bytes:
    """A whole reply as its provider streams it."""
    dialect = DIALECTS[name]
    body: Json = {"stream_options": {"include_usage": True}}
    return b"".join(frame.data for frame in dialect.frames(reply, body, tokens)) + dialect.end


def split(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = sorted({cut % (len(body) + 1) for cut in cuts})
    return [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]


CUTS = st.one_of(
    st.lists(st.integers(0, 1 << 20), max_size=12),
    st.just(range(1 << 14)),  # byte by byte
)


@dataclass
class Told:
    """All that a reader told."""

    events: list[StreamEvent] = field(default_factory=list)
    heads: list[PartHead] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    ended: bool = False

    @property
    def raw(self) -> bytes:
        return b"".join(event.raw for event in self.events)

    @property
    def parts(self) -> list[tuple[PartHead, str]]:
        return [(head, self.texts[head.key]) for head in self.heads]

    def texts_of(self, kind: str = "text") -> list[str]:
        return [text for head, text in self.parts if head.kind == kind and text]


def told(reader: StreamReader, pieces: Iterable[bytes]) -> Told:
    """Read a stream to its end, and hold the reader to what the model says of it."""
    made = Told()
    for piece in pieces:
        made.events += reader.feed(piece)
    made.events += reader.close()
    closed: set[int] = set()
    for event in made.events:
        for head in event.opens:
            assert head.key not in made.texts
            assert head.key == len(made.texts)
            made.texts[head.key] = ""
            made.heads.append(head)
        for said in event.says:
            assert said.part in made.texts
            if said.repeats:
                assert said.text == made.texts[said.part]
            else:
                assert said.part not in closed
                made.texts[said.part] += said.text
        for key in event.closes:
            assert key in made.texts
            assert key not in closed
            closed.add(key)
        made.ended |= event.ends
    assert closed == set(made.texts)
    return made


def judged(parts: Iterable[tuple[PartHead, str]]) -> list[Part]:
    """The parts as a whole body has them, in which JSON is parsed."""
    found: list[Part] = []
    for head, text in parts:
        if not head.json:
            found.append(
                Part(text=text, role=head.role, kind=head.kind, name=head.name, path=head.path)
            )
        elif text:
            place = Place(
                path=head.path, role=head.role, kind=head.kind, name=head.name, reads=JSON_TEXT
            )
            found += read(text, place).parts
    return found


def comparable(parts: Sequence[Part]) -> list[tuple[str, ...]]:
    """Without their order, and where what stands beside a reply is kept."""
    return sorted(
        (part.role, part.kind, part.name or "", part.text, repr(part.path))
        for part in parts
        if part.text not in ("", "\0said") and "\0said" not in part.path
    )


def written(events: Iterable[StreamEvent], change: Callable[[str], str] = str) -> bytes:
    """The stream with each text changed."""
    return b"".join(
        event.write([change(said.text) for said in event.says]) if event.says else event.write()
        for event in events
    )
