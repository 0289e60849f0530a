"""The providers' event streams and the whole replies that they add up to, both ways.

`assemble` reads a stream to its end: an event of an unknown type, or one that says something else
than the others, makes the stream unreadable. `emit` tells a whole reply as a short stream.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from guardrails.errors import WireFormatError
from guardrails.wire.sse import Event
from guardrails.wire.strict_json import parse_json

__all__ = ["ANTHROPIC", "CHAT", "RESPONSES", "EventCodec"]

Json = dict[str, Any]


class EventCodec(Protocol):
    """One provider's streams."""

    def assemble(self, events: Iterable[Event]) -> Json:
        """Raises WireFormatError for a stream that cannot be read whole."""

    def emit(self, reply: Json) -> Iterator[Event]:
        """The stream of a reply, as the provider would send it."""


def _data(event: Event) -> Json:
    value = parse_json(event.data.encode("utf-8", "surrogatepass"))
    if not isinstance(value, dict):
        raise WireFormatError("an event whose data is no JSON object")
    return value


def _unknown(kind: object) -> WireFormatError:
    named = kind if isinstance(kind, str) and len(kind) < 60 and kind.isascii() else "?"
    return WireFormatError(f"an event of the unknown type {named!r}")


def _event(data: Mapping[str, Any], *, named: bool = True) -> Event:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Event(str(data["type"]) if named else "", text)


class _Anthropic:
    """Source: Anthropic's Messages API, streaming, version 2026-10-21."""

    _DELTAS: Mapping[str, tuple[str, str]] = {
        "text_delta": ("text", "text"),
        "thinking_delta": ("thinking", "thinking"),
        "signature_delta": ("signature", "signature"),
        "input_json_delta": ("partial_json", "\0json"),
    }
    """Type of a delta → its field, and that of the block that it adds to."""

    def assemble(self, events: Iterable[Event]) -> Json:
        message: Json | None = None
        blocks: dict[int, Json] = {}
        for event in events:
            data = _data(event)
            kind = data.get("type")
            if event.name and event.name != kind:
                raise WireFormatError("an event whose name and type differ")
            if kind == "ping":
                continue
            if kind == "error":
                message = {**(message or {}), "error": data.get("error")}
            elif kind == "message_start" and message is None:
                message = dict(data["message"]) if isinstance(data.get("message"), dict) else {}
                if message.get("content"):
                    raise WireFormatError("a stream that starts with content")
            elif message is None:
                raise _unknown(kind)
            elif kind == "content_block_start":
                self._start(blocks, data)
            elif kind == "content_block_delta":
                self._add(blocks, data)
            elif kind == "message_delta":
                self._end(message, data)
            elif kind not in ("content_block_stop", "message_stop"):
                raise _unknown(kind)
        if message is None:
            raise WireFormatError("a stream without a message")
        return {**message, "content": [self._whole(blocks[i]) for i in sorted(blocks)]}

    def _start(self, blocks: dict[int, Json], data: Json) -> None:
        block = data.get("content_block")
        index = data.get("index")
        if not isinstance(block, dict) or not isinstance(index, int) or index in blocks:
            raise WireFormatError("a content block that cannot be placed")
        blocks[index] = dict(block)

    def _add(self, blocks: dict[int, Json], data: Json) -> None:
        block, delta = blocks.get(data.get("index")), data.get("delta")  # type: ignore[arg-type]  # any value may be looked up
        if block is None or not isinstance(delta, dict):
            raise WireFormatError("a delta that cannot be placed")
        kind = str(delta.get("type"))
        if kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta.get("citation")]
            return
        if kind not in self._DELTAS:
            raise _unknown(kind)
        name, target = self._DELTAS[kind]
        said = delta.get(name)
        if not isinstance(said, str) or set(delta) - {"type", name}:
            raise WireFormatError("a delta with more than its text")
        block[target] = f"{block.get(target) or ''}{said}"

    def _end(self, message: Json, data: Json) -> None:
        delta, usage = data.get("delta"), data.get("usage")
        if isinstance(delta, dict):
            message |= delta
        if isinstance(usage, dict):
            before = message.get("usage")
            message["usage"] = {**(before if isinstance(before, dict) else {}), **usage}

    def _whole(self, block: Json) -> Json:
        written = block.pop("\0json", None)
        if written:
            block["input"] = parse_json(written.encode("utf-8", "surrogatepass"))
        return block

    def emit(self, reply: Json) -> Iterator[Event]:
        start = {**reply, "content": [], "stop_reason": None, "stop_sequence": None}
        yield _event({"type": "message_start", "message": start})
        for index, block in enumerate(reply.get("content") or []):
            yield from self._block(index, block)
        end = {key: reply.get(key) for key in ("stop_reason", "stop_sequence")}
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
    """Source: OpenAI's chat completions, streaming, SDK 3.54."""

    def assemble(self, events: Iterable[Event]) -> Json:
        head: Json = {}
        choices: dict[int, Json] = {}
        for event in events:
            if event.data.strip() == "[DONE]":
                continue
            data = _data(event)
            head |= {key: value for key, value in data.items() if key != "choices" and value}
            for choice in data.get("choices") or []:
                self._choice(choices, choice)
        if not head:
            raise WireFormatError("a stream without a chunk")
        made = [choices[index] for index in sorted(choices)]
        return {**head, "object": "chat.completion", "choices": made}

    def _choice(self, choices: dict[int, Json], said: Any) -> None:
        if not isinstance(said, dict) or not isinstance(said.get("index"), int):
            raise WireFormatError("a choice that cannot be placed")
        choice = choices.setdefault(said["index"], {"index": said["index"], "message": {}})
        for key, value in said.items():
            if key == "delta" and isinstance(value, dict):
                _merge(choice["message"], value)
            elif key == "logprobs":
                continue  # repeats the text, piece by piece
            elif key != "index" and value is not None:
                choice[key] = value

    def emit(self, reply: Json) -> Iterator[Event]:
        head = {k: v for k, v in reply.items() if k not in ("choices", "usage", "object")}
        head |= {"object": "chat.completion.chunk"}
        for choice in reply.get("choices") or []:
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
        yield Event("", "[DONE]")


_ONCE = frozenset({"role", "id", "type", "index", "name"})
"""Fields of a delta that are said whole; every other text is added to what came before."""


def _merge(message: Json, delta: Json) -> None:
    for key, value in delta.items():
        old = message.get(key)
        if isinstance(value, str) and isinstance(old, str):
            if key not in _ONCE:
                message[key] = old + value
            elif value and value != old:
                raise WireFormatError("a stream that names one thing twice")
        elif isinstance(value, dict) and isinstance(old, dict):
            _merge(old, value)
        elif isinstance(value, list) and all(isinstance(i, dict) and "index" in i for i in value):
            message[key] = _merged_calls(old if isinstance(old, list) else [], value)
        elif value is not None:
            message[key] = json.loads(json.dumps(value)) if old is None else value


def _merged_calls(old: list[Json], new: list[Json]) -> list[Json]:
    calls = {call["index"]: call for call in old}
    for call in new:
        if not isinstance(call["index"], int):
            raise WireFormatError("a tool call that cannot be placed")
        _merge(calls.setdefault(call["index"], {"index": call["index"]}), call)
    return [calls[index] for index in sorted(calls)]


class _Responses:
    """Source: OpenAI's responses, streaming, SDK 3.54.

    The last event has the whole reply. What the others said is held against it: text that is not
    in it is judged as well, and is not told again when the reply is changed.
    """

    _ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
    _ECHOES = frozenset({"response.created", "response.in_progress", "response.queued"})
    _TEXTS: Mapping[str, str] = {
        "response.output_text.done": "text",
        "response.refusal.done": "refusal",
        "response.function_call_arguments.done": "arguments",
        "response.mcp_call_arguments.done": "arguments",
        "response.custom_tool_call_input.done": "input",
        "response.code_interpreter_call_code.done": "code",
        "response.reasoning_text.done": "text",
        "response.reasoning_summary_text.done": "text",
    }
    _DELTAS = frozenset(name.removesuffix("done") + "delta" for name in _TEXTS)
    _OBJECTS: Mapping[str, str] = {
        "response.output_item.added": "item",
        "response.output_item.done": "item",
        "response.content_part.added": "part",
        "response.content_part.done": "part",
        "response.reasoning_summary_part.added": "part",
        "response.reasoning_summary_part.done": "part",
        "response.output_text.annotation.added": "annotation",
    }
    _SILENT = ("_call.in_progress", "_call.searching", "_call.completed", "_call.interpreting")

    def assemble(self, events: Iterable[Event]) -> Json:
        reply: Json | None = None
        deltas: dict[tuple[object, ...], str] = {}
        said: list[Any] = []
        for event in events:
            data = _data(event)
            kind = str(data.get("type"))
            if event.name and event.name != kind:
                raise WireFormatError("an event whose name and type differ")
            if kind in self._ENDS or kind in self._ECHOES:
                reply = data.get("response") if isinstance(data.get("response"), dict) else None
            elif kind in self._DELTAS and isinstance(data.get("delta"), str):
                key = (kind, data.get("item_id"), data.get("output_index"), *_within_item(data))
                deltas[key] = deltas.get(key, "") + data["delta"]
            elif kind in self._TEXTS:
                said.append(data.get(self._TEXTS[kind]))
            elif kind in self._OBJECTS:
                said.append(data.get(self._OBJECTS[kind]))
            elif kind == "error":
                said.append({key: data.get(key) for key in ("code", "message", "param")})
            elif not kind.endswith(self._SILENT):
                raise _unknown(kind)
        if reply is None:
            raise WireFormatError("a stream without a response")
        known = set(_strings(reply))
        others = [text for text in (*deltas.values(), *_strings(said)) if text not in known]
        return {**reply, "\0said": list(dict.fromkeys(others))} if others else reply

    def emit(self, reply: Json) -> Iterator[Event]:
        reply = {key: value for key, value in reply.items() if key != "\0said"}
        number = iter(range(1_000_000))

        def event(kind: str, **fields: Any) -> Event:
            return _event({"type": kind, "sequence_number": next(number), **fields})

        yield event("response.created", response={**reply, "status": "in_progress", "output": []})
        for index, item in enumerate(reply.get("output") or []):
            place = {"item_id": item.get("id"), "output_index": index}
            parts = item.get("content") if item.get("type") == "message" else None
            start = {**item, "content": []} if parts else item
            yield event("response.output_item.added", output_index=index, item=start)
            for number_of_part, part in enumerate(parts or []):
                at = {**place, "content_index": number_of_part}
                name = "refusal" if part.get("type") == "refusal" else "text"
                kind = "refusal" if name == "refusal" else "output_text"
                text = part.get(name) or ""
                yield event("response.content_part.added", **at, part={**part, name: ""})
                yield event(f"response.{kind}.delta", **at, delta=text)
                yield event(f"response.{kind}.done", **at, **{name: text})
                yield event("response.content_part.done", **at, part=part)
            yield event("response.output_item.done", output_index=index, item=item)
        status = reply.get("status")
        end = status if status in ("incomplete", "failed") else "completed"
        yield event(f"response.{end}", response=reply)


def _within_item(data: Json) -> tuple[object, ...]:
    return tuple(data.get(key) for key in ("content_index", "summary_index"))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


ANTHROPIC: EventCodec = _Anthropic()
CHAT: EventCodec = _Chat()
RESPONSES: EventCodec = _Responses()
