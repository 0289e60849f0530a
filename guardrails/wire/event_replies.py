"""The providers' event streams and the whole replies that they add up to, both ways.

`assemble` reads a stream to its end: an event of an unknown type, or one that says something else
than the others, makes the stream unreadable. `emit` tells a whole reply as a short stream.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from guardrails.errors import WireFormatError
from guardrails.wire.event_fields import (
    ANTHROPIC_DELTAS,
    ANTHROPIC_EVENTS,
    CHAT_ONCE,
    RESPONSE_DELTAS,
    RESPONSE_ECHOES,
    RESPONSE_ENDS,
    RESPONSE_IMAGE,
    RESPONSE_IMAGE_FIELDS,
    RESPONSE_OBJECTS,
    RESPONSE_PLACES,
    RESPONSE_SILENT,
    RESPONSE_TEXTS,
)
from guardrails.wire.sse import DONE, Event
from guardrails.wire.strict_json import parse_json

__all__ = [
    "ANTHROPIC",
    "CHAT",
    "RESPONSES",
    "EventCodec",
    "item_events",
    "part_ends",
    "with_asides",
]

Json = dict[str, Any]


class EventCodec(Protocol):
    """One provider's streams."""

    def assemble(self, events: Iterable[Event]) -> Json:
        """Raises WireFormatError for a stream that cannot be read whole."""

    def emit(self, reply: Json) -> Iterator[Event]:
        """The stream of a reply, as the provider would send it."""


PLAIN = "text_completion"
"""What a completion is that is no chat's: its choices have a text and no message."""

SAID = "\0said"
"""Where an assembled reply keeps what its events say beside it: judged, and not told again."""


def with_asides(reply: Json, texts: Iterable[str]) -> Json:
    """The reply with texts of its stream that are not in it."""
    old = _strings(reply[SAID]) if SAID in reply else ()
    said = list(dict.fromkeys((*old, *texts)))
    return {**reply, SAID: said} if said else reply


def _without(value: Json, name: str) -> Json:
    return {key: held for key, held in value.items() if key != name}


def _data(event: Event) -> Json:
    value = parse_json(event.data.encode("utf-8", "surrogatepass"))
    if not isinstance(value, dict):
        raise WireFormatError("an event whose data is no JSON object")
    return value


def _event(data: Mapping[str, Any], *, named: bool = True) -> Event:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Event(str(data["type"]) if named else "", text)


def _strings(value: object) -> Iterator[str]:
    """All texts in a value, the names of fields among them; but for log-probabilities, which are
    held against their text where the events are read one by one (`event_asides`)."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key != "logprobs":
                yield key
                yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _beside(data: Json, known: Iterable[str]) -> Iterator[str]:
    """The texts of an event's fields that are not among the known ones."""
    names = {"type", *known}
    return _strings({key: value for key, value in data.items() if key not in names})


def _set(target: Json, key: str, value: object, said: list[str]) -> None:
    """What is said later holds; what was said before is not lost to who judges."""
    old = target.get(key)
    if old is not None and old != value:
        said += _strings(old)
    target[key] = value


def _fields(data: Json, name: str) -> Json:
    value = data.get(name)
    if not isinstance(value, dict):
        raise WireFormatError(f"an event without its {name}")
    return value


def _index(data: Json) -> int:
    index = data.get("index")
    if not isinstance(index, int):
        raise WireFormatError("an event that cannot be placed")
    return index


class _Anthropic:
    def assemble(self, events: Iterable[Event]) -> Json:
        message: Json | None = None
        blocks: dict[int, Json] = {}
        written: dict[int, str] = {}
        said: list[str] = []
        for event in events:
            data = _data(event)
            kind = str(data.get("type"))
            if event.name and event.name != kind:
                raise WireFormatError("an event whose name and type differ")
            in_order = kind in ("ping", "error") or (message is None) == (kind == "message_start")
            if kind not in ANTHROPIC_EVENTS or not in_order:
                raise WireFormatError("an event or delta of an unknown type")
            said += _beside(data, ANTHROPIC_EVENTS[kind])
            if kind == "message_start":
                message = dict(_fields(data, "message"))
                if message.get("content"):
                    raise WireFormatError("a stream that starts with content")
            elif kind == "error":
                message = message or {}
                _set(message, "error", data.get("error"), said)
            elif kind == "content_block_start":
                self._start(blocks, data)
            elif kind == "content_block_delta":
                self._add(blocks, written, data)
            elif kind == "message_delta" and message is not None:
                self._end(message, data, said)
        if message is None:
            raise WireFormatError("a stream without a message")
        for index, text in written.items():
            arguments = parse_json(text.encode("utf-8", "surrogatepass")) if text else {}
            _set(blocks[index], "input", arguments, said)
        whole = {**message, "content": [blocks[index] for index in sorted(blocks)]}
        return with_asides(whole, said)

    def _start(self, blocks: dict[int, Json], data: Json) -> None:
        block, index = _fields(data, "content_block"), _index(data)
        if index in blocks:
            raise WireFormatError("a content block that cannot be placed")
        blocks[index] = dict(block)

    def _add(self, blocks: dict[int, Json], written: dict[int, str], data: Json) -> None:
        index, delta = _index(data), _fields(data, "delta")
        block = blocks.get(index)
        if block is None:
            raise WireFormatError("a delta that cannot be placed")
        kind = str(delta.get("type"))
        if kind not in ANTHROPIC_DELTAS:
            raise WireFormatError("an event or delta of an unknown type")
        name = ANTHROPIC_DELTAS[kind]
        said = delta.get(name)
        if set(delta) - {"type", name}:
            raise WireFormatError("a delta with more than its text")
        if name == "citation":
            block["citations"] = [*(block.get("citations") or []), said]
        elif not isinstance(said, str):
            raise WireFormatError("a delta without its text")
        elif name == "partial_json":
            written[index] = written.get(index, "") + said
        else:
            block[name] = f"{block.get(name) or ''}{said}"

    def _end(self, message: Json, data: Json, said: list[str]) -> None:
        usage = data.get("usage")
        for key, value in _fields(data, "delta").items():
            if key == "content":
                raise WireFormatError("content in the place of its end")
            _set(message, key, value, said)
        if isinstance(usage, dict):
            before = message.get("usage")
            message["usage"] = {**(before if isinstance(before, dict) else {}), **usage}
        else:
            said += _strings(usage)

    def emit(self, reply: Json) -> Iterator[Event]:
        reply = _without(reply, SAID)
        error = reply.pop("error", None)
        start = {**reply, "content": [], "stop_reason": None, "stop_sequence": None}
        start |= {"stop_details": None} if "stop_details" in reply else {}
        yield _event({"type": "message_start", "message": start})
        for index, block in enumerate(reply.get("content") or []):
            yield from self._block(index, block)
        if error is not None:
            yield _event({"type": "error", "error": error})
            return
        end = {key: reply.get(key) for key in ("stop_reason", "stop_sequence")}
        if reply.get("stop_details") is not None:
            end["stop_details"] = reply["stop_details"]
        usage = reply.get("usage") or {}
        tokens = {"output_tokens": usage.get("output_tokens", 0)}
        yield _event({"type": "message_delta", "delta": end, "usage": tokens})
        yield _event({"type": "message_stop"})

    def _block(self, index: int, block: Json) -> Iterator[Event]:
        start, deltas = dict(block), list[Json]()
        match block.get("type"):
            case "text":
                start["text"] = ""
                deltas = [{"type": "text_delta", "text": block.get("text") or ""}]
            case "thinking":
                start |= {"thinking": "", "signature": ""}
                deltas = [
                    {"type": "thinking_delta", "thinking": block.get("thinking") or ""},
                    {"type": "signature_delta", "signature": block.get("signature") or ""},
                ]
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                start["input"] = {}
                written = json.dumps(block.get("input") or {}, ensure_ascii=False)
                deltas = [{"type": "input_json_delta", "partial_json": written}]
        yield _event({"type": "content_block_start", "index": index, "content_block": start})
        for delta in deltas:
            yield _event({"type": "content_block_delta", "index": index, "delta": delta})
        yield _event({"type": "content_block_stop", "index": index})


class _Chat:
    def assemble(self, events: Iterable[Event]) -> Json:
        head: Json = {}
        choices: dict[int, Json] = {}
        said: list[str] = []
        is_chunk = False
        for event in events:
            said += [event.name] if event.name not in ("", "message") else []
            if event.data.strip() == DONE:
                continue
            data = _data(event)
            if "choices" not in data and not data.get("error"):
                raise WireFormatError("an event that is no chunk of a completion")
            is_chunk = is_chunk or isinstance(data.get("choices"), list) or "error" in data
            for key, value in data.items():
                if key not in ("choices", "obfuscation") and value:
                    _set(head, key, value, said)
            made = data.get("choices") or []
            if not isinstance(made, list):
                raise WireFormatError("choices that are no list")
            for choice in made:
                self._choice(choices, choice, said)
        if not (head and is_chunk):
            raise WireFormatError("a stream without a chunk")
        whole = [choices[index] for index in sorted(choices)]
        kind = PLAIN if head.get("object") == PLAIN else "chat.completion"
        return with_asides({**head, "object": kind, "choices": whole}, said)

    def _choice(self, choices: dict[int, Json], part: Any, said: list[str]) -> None:
        if not isinstance(part, dict):
            raise WireFormatError("a choice that cannot be placed")
        index = _index(part)
        choice = choices.setdefault(index, {"index": index, "message": {}})
        for key, value in part.items():
            if key == "delta" and isinstance(value, dict):
                if isinstance(value.get("content"), list):
                    raise WireFormatError("a text that comes in pieces of lists")
                _merge(choice["message"], value, said)
            elif key == "logprobs":
                continue  # repeats the text, piece by piece
            elif key == "text" and isinstance(value, str):
                choice[key] = choice.get(key, "") + value  # of a completion that is no chat's
            elif key == "message":
                raise WireFormatError("a whole message in a stream of pieces")
            elif key != "index" and value is not None:
                _set(choice, key, value, said)

    def emit(self, reply: Json) -> Iterator[Event]:
        others = ("choices", "usage", "object", "error", SAID)
        head = {key: value for key, value in reply.items() if key not in others}
        is_plain = reply.get("object") == PLAIN
        head |= {"object": PLAIN if is_plain else "chat.completion.chunk"}
        for choice in reply.get("choices") or []:
            if is_plain:
                yield _event({**head, "choices": [_without(choice, "message")]}, named=False)
                continue
            delta = dict(choice.get("message") or {})
            if calls := delta.get("tool_calls"):
                delta["tool_calls"] = [{"index": n, **call} for n, call in enumerate(calls)]
            index = choice.get("index", 0)
            first = {"index": index, "delta": delta, "finish_reason": None}
            last = {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason")}
            yield _event({**head, "choices": [first]}, named=False)
            yield _event({**head, "choices": [last]}, named=False)
        if reply.get("usage"):
            yield _event({**head, "choices": [], "usage": reply["usage"]}, named=False)
        if reply.get("error"):
            yield _event({"error": reply["error"]}, named=False)
        yield Event("", DONE)


def _merge(message: Json, delta: Json, said: list[str]) -> None:
    for key, value in delta.items():
        old = message.get(key)
        if isinstance(value, str) and isinstance(old, str):
            if key not in CHAT_ONCE:
                message[key] = old + value
            elif value and value != old:
                raise WireFormatError("a stream that names one thing twice")
        elif isinstance(value, dict) and isinstance(old, dict):
            _merge(old, value, said)
        elif isinstance(value, list) and all(isinstance(i, dict) and "index" in i for i in value):
            message[key] = _merged_calls(old, value, said)
        elif isinstance(value, list) and isinstance(old, list):
            message[key] = [*old, *value]
        elif value is not None:
            _set(message, key, copy.deepcopy(value), said)


def _merged_calls(old: object, new: list[Json], said: list[str]) -> list[Json]:
    if not all(isinstance(call, dict) for call in (old if isinstance(old, list) else [])):
        raise WireFormatError("tool calls that cannot be placed")
    calls = {_index(call): call for call in (old if isinstance(old, list) else [])}
    for call in new:
        index = _index(call)
        _merge(calls.setdefault(index, {"index": index}), call, said)
    return [calls[index] for index in sorted(calls)]


class _Responses:
    """The last event has the whole reply. What the others said is held against it: text that is not
    in it is judged as well, and is not told again when the reply is changed.
    """

    _STATES = ("queued", "in_progress")

    def assemble(self, events: Iterable[Event]) -> Json:
        told: list[Json] = []
        deltas: dict[tuple[str, ...], str] = {}
        said: list[str] = []
        for event in events:
            data = _data(event)
            kind = str(data.get("type"))
            if event.name and event.name != kind:
                raise WireFormatError("an event whose name and type differ")
            if kind in RESPONSE_ENDS or kind in RESPONSE_ECHOES:
                told.append(_fields(data, "response"))
                said += _beside(data, (*RESPONSE_PLACES, "response"))
            elif kind in RESPONSE_DELTAS and isinstance(data.get("delta"), str):
                key = (kind, *(str(data.get(name)) for name in RESPONSE_PLACES[1:5]))
                deltas[key] = deltas.get(key, "") + data["delta"]
                said += _beside(data, (*RESPONSE_PLACES, "delta"))
            elif kind == RESPONSE_IMAGE and isinstance(data.get("output_index"), int):
                said += _beside(data, (*RESPONSE_PLACES, *RESPONSE_IMAGE_FIELDS))
            elif kind in RESPONSE_DELTAS or not self._is_known(kind):
                raise WireFormatError("an event or delta of an unknown type")
            else:
                field = RESPONSE_TEXTS.get(kind) or RESPONSE_OBJECTS.get(kind) or ""
                said += _strings(data.get(field))
                said += _beside(data, (*RESPONSE_PLACES, field))
        if not told:
            raise WireFormatError("a stream without a response")
        reply = told[-1]
        for echo in told[:-1]:
            said += [key for key in echo if key not in reply]
            said += _strings([value for key, value in echo.items() if reply.get(key) != value])
        known = {*_strings(reply.get("output")), *_strings(reply.get("error")), *self._STATES}
        return with_asides(reply, [t for t in (*deltas.values(), *said) if t and t not in known])

    def _is_known(self, kind: str) -> bool:
        named = kind in RESPONSE_TEXTS or kind in RESPONSE_OBJECTS or kind == "error"
        return named or RESPONSE_SILENT.fullmatch(kind) is not None

    def emit(self, reply: Json) -> Iterator[Event]:
        reply = _without(reply, SAID)
        number = iter(range(1_000_000))

        def event(kind: str, **fields: Any) -> Event:
            return _event({"type": kind, "sequence_number": next(number), **fields})

        yield event("response.created", response={**reply, "status": "in_progress", "output": []})
        for index, item in enumerate(reply.get("output") or []):
            for kind, told in item_events(index, item):
                yield event(kind, **told)
        status = reply.get("status")
        end = status if status in ("incomplete", "failed") else "completed"
        yield event(f"response.{end}", response=reply)


def item_events(index: int, item: Json) -> Iterator[tuple[str, Json]]:
    """Types and fields of the events that tell one item of a response's output."""
    place = {"item_id": item.get("id"), "output_index": index}
    parts = item.get("content") if item.get("type") == "message" else None
    start = {**item, "content": []} if parts else item
    yield "response.output_item.added", {"output_index": index, "item": start}
    for number, part in enumerate(parts or []):
        at = {**place, "content_index": number}
        name, kind, more = _names_of(part)
        yield "response.content_part.added", {**at, "part": {**part, name: ""}}
        yield f"response.{kind}.delta", {**at, "delta": part.get(name) or "", **more}
        yield from part_ends(part, at)
    yield "response.output_item.done", {"output_index": index, "item": item}


def part_ends(part: Json, at: Json) -> Iterator[tuple[str, Json]]:
    """The events that end a part of a message, which is at a place."""
    name, kind, more = _names_of(part)
    yield f"response.{kind}.done", {**at, name: part.get(name) or "", **more}
    yield "response.content_part.done", {**at, "part": part}


def _names_of(part: Json) -> tuple[str, str, Json]:
    if part.get("type") == "refusal":
        return "refusal", "refusal", {}
    return "text", "output_text", {"logprobs": []}


ANTHROPIC: EventCodec = _Anthropic()
CHAT: EventCodec = _Chat()
RESPONSES: EventCodec = _Responses()
