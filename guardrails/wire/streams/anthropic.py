"""Anthropic's Messages as they come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Path
from guardrails.wire.event_fields import ANTHROPIC_DELTAS, ANTHROPIC_EVENTS
from guardrails.wire.event_replies import ANTHROPIC
from guardrails.wire.place import Place
from guardrails.wire.quiet import USAGE, spells_number
from guardrails.wire.refusals import (
    anthropic_declined,
    anthropic_error,
    anthropic_message,
    known_of,
)
from guardrails.wire.shapes import ANTHROPIC_MESSAGE, BLOCKS, CITATION, FREE
from guardrails.wire.sse import write_events
from guardrails.wire.streams.finding import find
from guardrails.wire.streams.frames import write_frame
from guardrails.wire.streams.json_events import JsonEventReader, Wording
from guardrails.wire.streams.model import StreamEvent
from guardrails.wire.streams.telling import Json, Telling, fields, index
from guardrails.wire.strict_json import dump_json

__all__ = ["AnthropicReader"]

_STREAMED: Mapping[str, str] = {
    "text": "text",
    "thinking": "thinking",
    "tool_use": "input",
    "server_tool_use": "input",
    "mcp_tool_use": "input",
}
"""Type of a block → the field that its deltas add to."""

_ADDS: Mapping[str, str] = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "input",
}
"""Type of a delta → the field of a block that it adds to."""

_TOP = Place(role="assistant", reads=ANTHROPIC_MESSAGE)
_SIGNED = re.compile(r"[A-Za-z0-9+/_=-]*")
"""What a signature is made of; pieces of it say nothing either, unless they spell a number."""

LONGEST_NUMBER = 40
"""Characters of a signature that a number may reach back into."""


@dataclass(slots=True)
class _Block:
    """A content block that is not at its end."""

    field: str
    """What its deltas add to; empty for a block without deltas."""
    part: int | None = None
    sealed: bool = False
    citations: int = 0
    signature: int | None = None
    """The part of a signature that is none."""
    signed: str = ""
    """The end of a signature that is one so far."""


class AnthropicReader(JsonEventReader):
    """Reads a stream of `POST /v1/messages`.

    A block that is signed can be dropped: the blocks behind it move up, since the SDK counts them.
    """

    def __init__(self, request: Json | None = None, *, declines: bool = False) -> None:
        super().__init__(request, declines=declines)
        self._is_begun = False
        self._begun: set[int] = set()
        self._blocks: dict[int, _Block] = {}
        self._sealed: dict[int, int] = {}
        """Part → the signed block that it stands in."""
        self._dropped: set[int] = set()
        self._recited: set[int] = set()
        """Blocks whose text is another: what they cite goes."""
        # What is at the client:
        self._client_begun = False
        self._client_blocks = 0
        self._client_open: dict[int, None] = {}

    # -- reading -----------------------------------------------------------------------------

    def _tell(self, telling: Telling, name: str, data: Json) -> None:
        kind = data.get("type")
        if name and name != kind:
            raise WireFormatError("an event whose name and type differ")
        if kind == "content_block_delta":
            self._delta(telling, data)
            return
        if not isinstance(kind, str) or kind not in ANTHROPIC_EVENTS:
            raise WireFormatError("an event or delta of an unknown type")
        if kind not in ("ping", "error") and self._is_begun == (kind == "message_start"):
            raise WireFormatError("an event out of order")
        match kind:
            case "message_start":
                self._start(telling, data)
            case "content_block_start":
                self._block(telling, data)
            case "content_block_stop":
                self._stop(telling, data)
            case "message_delta":
                self._end(telling, data)
            case "message_stop":
                telling.closes += self._open_parts()
                telling.ends = True
            case "error":
                error = {"error": data.get("error")}
                self._found(telling, error, Place(role="assistant", reads=FREE), ())
                self._quiet(telling, data, "request_id")
        known = ANTHROPIC_EVENTS[kind]
        if len(data) > len(known) + 1 or not all(name in data for name in known):
            self._beside(telling, data, known)

    def _start(self, telling: Telling, data: Json) -> None:
        message = fields(data, "message")
        if message.get("content"):
            raise WireFormatError("a stream that starts with content")
        self._is_begun = True
        self._known |= known_of(message)
        self._found(telling, message, _TOP, ("message",))

    def _block(self, telling: Telling, data: Json) -> None:
        block, at = fields(data, "content_block"), index(data)
        if at in self._begun:
            raise WireFormatError("a content block that cannot be placed")
        self._begun.add(at)
        place = Place(path=("content", at), role="assistant", reads=BLOCKS)
        shape = BLOCKS.of(block)
        field = _STREAMED.get(str(block.get("type")), "") if shape else ""
        made = self._blocks[at] = _Block(field, sealed=bool(shape and shape.sealed))
        streamed = (*place.path, field)
        for found in find(block, place):
            spot = None if found.fixed else ("content_block", *found.part.path[2:])
            if found.part.path == streamed and made.part is None and field != "input":
                made.part = telling.open(found.part, whole=found.fixed, fixed=found.fixed)
                if found.part.text:
                    telling.say(made.part, found.part.text, spot)
                continue
            key = telling.aside(found.part, spot, json=found.json, fixed=found.fixed)
            if found.sealed:
                self._sealed[key] = at
        if field and shape and made.part is None:
            inside = place.within(shape, block)
            part = Part(
                text="", role=inside.role, kind=inside.kind, name=inside.name, path=streamed
            )
            is_input = field == "input"
            made.part = telling.open(
                part, whole=is_input or made.sealed, json=is_input, fixed=made.sealed
            )
        if made.sealed and made.part is not None:
            self._sealed[made.part] = at

    def _delta(self, telling: Telling, data: Json) -> None:
        delta, at = data.get("delta"), data.get("index")
        if type(delta) is not dict or type(at) is not int:
            raise WireFormatError("an event that cannot be placed")
        block = self._blocks.get(at)
        if block is None:
            raise WireFormatError("a delta that cannot be placed")
        kind = delta.get("type")
        name = ANTHROPIC_DELTAS.get(kind) if type(kind) is str else None
        if name is None:
            raise WireFormatError("an event or delta of an unknown type")
        if len(delta) > 2:
            raise WireFormatError("a delta with more than its text")
        said = delta.get(name)
        if name == "citation":
            self._citation(telling, block, at, said)
        elif type(said) is not str:
            raise WireFormatError("a delta without its text")
        elif name == "signature":
            self._signature(telling, block, at, said)
        elif _ADDS[str(kind)] != block.field or block.part is None:
            raise WireFormatError("a delta that does not fit its block")
        elif said:
            telling.say(block.part, said, None if block.sealed else ("delta", name))
        if len(data) > 3:
            self._beside(telling, data, ANTHROPIC_EVENTS["content_block_delta"])

    def _citation(self, telling: Telling, block: _Block, at: int, said: object) -> None:
        if block.field != "text":
            raise WireFormatError("a delta that does not fit its block")
        path = ("content", at, "citations", block.citations)
        block.citations += 1
        place = Place(path=path, role="assistant", reads=CITATION)
        self._found(telling, said, place, ("delta", "citation"))

    def _signature(self, telling: Telling, block: _Block, at: int, said: str) -> None:
        if not block.sealed:
            raise WireFormatError("a delta that does not fit its block")
        if block.signature is None:
            said = block.signed + said
            if _SIGNED.fullmatch(said) and not spells_number(said):
                block.signed = said[-LONGEST_NUMBER:]
                return
            path = ("content", at, "signature")
            part = Part(text="", role="assistant", kind="thinking", path=path)
            block.signature = telling.open(part, whole=True, fixed=True, within=block.part)
            self._sealed[block.signature] = at
        telling.say(block.signature, said, None)

    def _stop(self, telling: Telling, data: Json) -> None:
        block = self._blocks.pop(index(data), None)
        if block is None:
            raise WireFormatError("an event that cannot be placed")
        telling.closes += _parts_of(block)

    def _end(self, telling: Telling, data: Json) -> None:
        delta = fields(data, "delta")
        if "content" in delta:
            raise WireFormatError("content in the place of its end")
        self._found(telling, delta, _TOP, ("delta",))
        self._quiet(telling, data, "usage", USAGE, path=("usage",))
        if usage := known_of({"usage": data.get("usage")}).get("usage"):
            self._known["usage"] = {**(self._known.get("usage") or {}), **usage}

    def _open_parts(self) -> Iterable[int]:
        left = [part for block in self._blocks.values() for part in _parts_of(block)]
        self._blocks.clear()
        return left + self._unnamed.open_parts()

    # -- writing -----------------------------------------------------------------------------

    def drop(self, key: int) -> bool:
        at = self._sealed.get(key)
        if at is None:
            return False
        self._dropped.add(at)
        return True

    def _is_gone(self, part: int) -> bool:
        return self._sealed.get(part) in self._dropped

    def _moved(self, data: Json) -> Json | None:
        if not self._dropped and not self._recited:
            return data
        at = data.get("index")
        if not isinstance(at, int):
            return data
        if at in self._dropped:
            return None
        if at in self._recited and "citation" in (data.get("delta") or ()):
            return None
        up = sum(gone < at for gone in self._dropped)
        return {**data, "index": at - up} if up else data

    def _settled(self, data: Json, changed: Iterable[Path]) -> Json | None:
        at, delta = data.get("index"), data.get("delta")
        if isinstance(at, int):
            self._recited.add(at)
        if data["type"] != "content_block_delta" or not isinstance(delta, dict):
            return data
        name = ANTHROPIC_DELTAS[delta["type"]]
        return None if name == "citation" or not delta[name] else data

    # -- what is at the client -----------------------------------------------------------------

    def _was_sent(self, event: StreamEvent, wording: Wording) -> None:
        data = wording.data
        match data.get("type"):
            case "message_start":
                self._client_begun = True
            case "content_block_start":
                self._client_open[self._client_blocks] = None
                self._client_blocks += 1
            case "content_block_stop":
                at = data["index"]
                self._client_open.pop(at - sum(gone < at for gone in self._dropped), None)

    def cut(self, text: str, *, released: bool) -> bytes:
        if self._is_over:
            return b""
        if not self._client_begun:
            reply = anthropic_message(text, self._known)
            if self._declines:
                anthropic_declined(reply, text)
            return write_events(ANTHROPIC.emit(reply))
        return b"".join(_frame(data) for data in self._ending(text))

    def _ending(self, text: str) -> Iterator[Json]:
        for at in self._client_open:
            yield {"type": "content_block_stop", "index": at}
        if text and not self._declines:
            place = {"index": self._client_blocks}
            yield {"type": "content_block_start", **place, "content_block": _EMPTY_TEXT}
            said = {"type": "text_delta", "text": text}
            yield {"type": "content_block_delta", **place, "delta": said}
            yield {"type": "content_block_stop", **place}
        end: dict[str, Any] = {"stop_reason": "refusal", "stop_sequence": None}
        if self._declines:
            end["stop_details"] = {"type": "refusal", "category": None, "explanation": text}
        tokens = (self._known.get("usage") or {}).get("output_tokens") or 0
        yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": tokens}}
        yield {"type": "message_stop"}

    def fail(self, status: int, message: str) -> bytes:
        return _frame(anthropic_error(status, message))


_EMPTY_TEXT: Json = {"type": "text", "text": ""}


def _parts_of(block: _Block) -> list[int]:
    return [part for part in (block.part, block.signature) if part is not None]


def _frame(data: Json) -> bytes:
    return write_frame(str(data["type"]), dump_json(data).decode())
