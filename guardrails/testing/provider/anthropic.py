"""Anthropic's Messages API, version 2026-10-21. Source: its documentation and its SDK, 2.13."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guardrails.testing.provider.answers import (
    Block,
    Refusal,
    Reply,
    Stop,
    Thinking,
    ToolCall,
    output_tokens,
    thinking_tokens,
    written,
)
from guardrails.testing.provider.dialect import (
    Frame,
    Json,
    Limits,
    Making,
    Problem,
    dump,
    event,
)
from guardrails.testing.provider.prompt_cache import Segment, Use, segment_of
from guardrails.testing.provider.schemas import anthropic_schema_problem
from guardrails.testing.provider.tokens import pieces

__all__ = ["Messages"]

_VERSIONS = ("2023-01-01", "2023-06-01", "2026-10-21")
_STRICT = ("claude-opus-5-5", "claude-sonnet-5-5")
"""Models that refuse a forced tool and a prefilled turn."""
_IMAGE_TOKENS = 1_600
"""What an image counts, whatever its size: the documented ceiling of a resized one."""
_BREAKPOINTS = 4

_STOPS: Mapping[Stop, str] = {
    "finished": "end_turn",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_calls": "tool_use",
    "refusal": "refusal",
    "content_filter": "refusal",
}
_ERRORS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Messages:
    """`POST /v1/messages`, and the counting of its tokens."""

    key = "content"
    end = b""

    def __init__(self, *, counting: bool = False) -> None:
        self._counting = counting

    def problem(self, body: Json, headers: Mapping[str, str]) -> Problem | None:
        message = (
            _version_problem(headers)
            or _shape_problem(body, counting=self._counting)
            or _model_problem(body, headers["anthropic-version"])
            or _tool_problem(body)
            or _cache_problem(body)
        )
        config = body.get("output_config")
        if message is None and isinstance(config, dict) and config.get("format") is not None:
            message = anthropic_schema_problem(config["format"])
        return None if message is None else Problem(message=message)

    def limits(self, body: Json) -> Limits:
        return Limits(max_tokens=body.get("max_tokens"), sequences=body.get("stop_sequences") or ())

    def prompt(self, body: Json) -> list[Segment]:
        found = [_segment(tool) for tool in _objects(body.get("tools"))]
        found += _content(body.get("system"))
        for message in _objects(body.get("messages")):
            found += _content(message.get("content"), role=str(message.get("role")))
        if found and (control := body.get("cache_control")):
            last = found[-1]
            found[-1] = Segment(text=last.text, tokens=last.tokens, ttl=control.get("ttl", "5m"))
        return found

    def whole(self, making: Making) -> Json:
        reply = making.reply
        reason = _STOPS[reply.reason]
        message: Json = {
            "id": f"msg_fake_{making.serial:06}",
            "type": "message",
            "role": "assistant",
            "model": making.body.get("model"),
            "content": [
                _block(part, making.serial, at)
                for at, part in enumerate(reply.parts)
                if not isinstance(part, Refusal)  # told in `stop_details`
            ],
            "stop_reason": reason,
            "stop_sequence": making.sequence,
        }
        if reason == "refusal":
            said = next((part for part in reply.parts if isinstance(part, Refusal)), Refusal())
            message["stop_details"] = {
                "type": "refusal",
                "category": said.category,
                "explanation": said.explanation,
            }
        spoken = Reply(*(part for part in reply.parts if not isinstance(part, Refusal)))
        usage = _usage(making.use)
        usage["output_tokens"] = output_tokens(spoken)
        usage["output_tokens_details"] = {"thinking_tokens": thinking_tokens(reply)}
        return {**message, "usage": usage | {"service_tier": "standard"}}

    def frames(self, whole: Json, body: Json, tokens: int) -> Iterator[Frame]:
        usage = whole.get("usage") or {}
        begun = {**usage, "output_tokens": min(1, usage.get("output_tokens", 0))}
        begun.pop("output_tokens_details", None)
        start = {k: v for k, v in whole.items() if k != "stop_details"} | {
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": begun,
        }
        yield event({"type": "message_start", "message": start})
        content = whole.get("content") or []
        for index, block in enumerate(content):
            yield from _block_frames(index, block, tokens)
        if not content:
            yield event({"type": "ping"})
        delta = {name: whole.get(name) for name in ("stop_reason", "stop_sequence")}
        if whole.get("stop_details") is not None:
            delta["stop_details"] = whole["stop_details"]
        counted = {k: v for k, v in usage.items() if k in _COUNTED}
        yield event({"type": "message_delta", "delta": delta, "usage": counted})
        yield event({"type": "message_stop"})

    def error(self, problem: Problem, request_id: str) -> Json:
        kind = problem.code or _ERRORS.get(problem.status, "api_error")
        return {
            "type": "error",
            "error": {"type": kind, "message": problem.message},
            "request_id": request_id,
        }

    def error_frame(self, problem: Problem, request_id: str, after: int) -> Frame:
        return event(self.error(problem, request_id))

    def headers(self, request_id: str) -> dict[str, str]:
        return {"request-id": request_id}


_COUNTED = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
)


def _usage(use: Use) -> Json:
    return {
        "input_tokens": use.uncached,
        "cache_creation_input_tokens": use.written,
        "cache_read_input_tokens": use.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": use.written_5m,
            "ephemeral_1h_input_tokens": use.written_1h,
        },
    }


def _block(part: str | Thinking | ToolCall | Block, serial: int, at: int) -> Json:
    match part:
        case str():
            return {"type": "text", "text": part}
        case Thinking(text=text, signature=signature):
            return {"type": "thinking", "thinking": text, "signature": signature}
        case ToolCall(name=name, arguments=arguments, id=id):
            given = id or f"toolu_fake_{serial:06}_{at}"
            return {"type": "tool_use", "id": given, "name": name, "input": dict(arguments)}
        case Block(body=body):
            return dict(body)


def _block_frames(index: int, block: Json, tokens: int) -> Iterator[Frame]:
    start, name, text = dict(block), "", ""
    match block.get("type"):
        case "text":
            start, name, text = {**block, "text": ""}, "text", block.get("text") or ""
        case "thinking":
            start |= {"thinking": "", "signature": ""}
            name, text = "thinking", block.get("thinking") or ""
        case "tool_use" | "server_tool_use":
            start, name, text = {**block, "input": {}}, "input_json", written(block.get("input"))
    yield event({"type": "content_block_start", "index": index, "content_block": start})
    if index == 0:
        yield event({"type": "ping"})
    field = "partial_json" if name == "input_json" else name
    if name == "input_json":
        yield _delta(index, {"type": "input_json_delta", "partial_json": ""}, 0)
    for piece in pieces(text, tokens) if name else ():
        yield _delta(index, {"type": f"{name}_delta", field: piece.text}, piece.tokens)
    if signature := block.get("signature") if name == "thinking" else None:
        yield _delta(index, {"type": "signature_delta", "signature": signature}, 0)
    yield event({"type": "content_block_stop", "index": index})


def _delta(index: int, delta: Json, tokens: int) -> Frame:
    data = {"type": "content_block_delta", "index": index, "delta": delta}
    return event(data, tokens=tokens)


def _objects(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _content(content: object, role: str = "") -> list[Segment]:
    if isinstance(content, str):
        return [_labelled(segment_of(content), role)]
    return [_labelled(_segment(block), role) for block in _objects(content)]


def _labelled(segment: Segment, role: str) -> Segment:
    """A prefix is the same only if the same role says it; the role itself counts nothing."""
    return Segment(text=f"{role}\0{segment.text}", tokens=segment.tokens, ttl=segment.ttl)


def _segment(block: Json) -> Segment:
    control = block.get("cache_control")
    ttl = control.get("ttl", "5m") if isinstance(control, dict) else None
    text = block.get("text")
    if block.get("type") == "text" and isinstance(text, str):
        return segment_of(text, ttl)
    rest = dump({k: v for k, v in block.items() if k != "cache_control"}).decode()
    if block.get("type") == "image":
        return Segment(text=rest, tokens=_IMAGE_TOKENS, ttl=ttl)
    return segment_of(rest, ttl)


def _version_problem(headers: Mapping[str, str]) -> str | None:
    version = headers.get("anthropic-version")
    if version is None:
        return "anthropic-version: header is required"
    return (
        None if version in _VERSIONS else f'anthropic-version: "{version}" is not a valid version'
    )


def _shape_problem(body: Json, *, counting: bool) -> str | None:
    if not isinstance(body.get("model"), str) or not body["model"]:
        return "model: Field required"
    most = body.get("max_tokens")
    if not counting and most is None:
        return "max_tokens: Field required"
    if most is not None and (not isinstance(most, int) or isinstance(most, bool)):
        return "max_tokens: Input should be a valid integer"
    if most is not None and most < 1:
        return "max_tokens: Input should be greater than or equal to 1"
    if not isinstance(body.get("stream", False), bool):
        return "stream: Input should be a valid boolean"
    if not isinstance(body.get("system", ""), str | list):
        return "system: Input should be a valid list"
    messages = body.get("messages")
    if not isinstance(messages, list):
        return "messages: Field required"
    if not messages:
        return "messages: at least one message is required"
    for at, message in enumerate(messages):
        if problem := _message_problem(message, f"messages.{at}"):
            return problem
    return None


def _message_problem(message: object, where: str) -> str | None:
    if not isinstance(message, dict):
        return f"{where}: Input should be an object"
    if message.get("role") not in ("user", "assistant", "system"):
        return f"{where}.role: Input should be 'user' or 'assistant'"
    content = message.get("content")
    if isinstance(content, str):
        return None if content else f"{where}: user messages must have non-empty content"
    if not isinstance(content, list):
        return f"{where}.content: Field required"
    for at, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            return f"{where}.content.{at}.type: Field required"
        if block["type"] == "text" and not isinstance(block.get("text"), str):
            return f"{where}.content.{at}.text: Field required"
        if block["type"] == "text" and not block["text"]:
            return "messages: text content blocks must be non-empty"
    return None


def _model_problem(body: Json, version: str) -> str | None:
    if version >= "2026-10-21":
        for name in ("temperature", "top_p", "top_k"):
            if name in body:
                return f"{name}: Extra inputs are not permitted"
    if not body["model"].startswith(_STRICT):
        return None
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("any", "tool"):
        return "tool_choice: forcing the use of a tool is not supported by this model"
    if body["messages"][-1]["role"] == "assistant":
        return (
            "This model does not support assistant message prefill. The conversation must end "
            "with a user message."
        )
    return None


def _tool_problem(body: Json) -> str | None:
    tools, choice = body.get("tools"), body.get("tool_choice")
    names = [tool.get("name") for tool in _objects(tools)]
    for at, tool in enumerate(_objects(tools)):
        custom = tool.get("type", "custom") == "custom"
        if custom and not isinstance(tool.get("name"), str):
            return f"tools.{at}.custom.name: Field required"
        if custom and not isinstance(tool.get("input_schema"), dict):
            return f"tools.{at}.custom.input_schema: Field required"
    if len(set(names)) < len(names):
        return "tools: Tool names must be unique."
    if isinstance(choice, dict) and choice.get("type") != "none" and not names:
        return "tool_choice: may only be specified while providing tools"
    if (
        isinstance(choice, dict)
        and choice.get("type") == "tool"
        and choice.get("name") not in names
    ):
        return f"Tool '{choice.get('name')}' not found in provided tools"
    return _pairing_problem(body["messages"])


def _pairing_problem(messages: list[Json]) -> str | None:
    """Every call is answered in the next message, and nothing else is."""
    called: set[Any] = set()
    for at, message in enumerate(messages):
        blocks = _objects(message.get("content"))
        given = [b.get("tool_use_id") for b in blocks if b.get("type") == "tool_result"]
        if missing := called - set(given):
            return (
                f"messages.{at - 1}: `tool_use` ids were found without `tool_result` blocks "
                f"immediately after: {', '.join(sorted(map(str, missing)))}"
            )
        if strange := set(given) - called:
            return (
                f"messages.{at}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{', '.join(sorted(map(str, strange)))}"
            )
        called = {b.get("id") for b in blocks if b.get("type") == "tool_use"}
    if called:
        return (
            f"messages.{len(messages) - 1}: `tool_use` ids were found without `tool_result` blocks"
        )
    return None


def _cache_problem(body: Json) -> str | None:
    blocks = [*_objects(body.get("tools")), *_objects(body.get("system"))]
    for message in body["messages"]:
        blocks += _objects(message.get("content"))
    controls = [block["cache_control"] for block in (*blocks, body) if block.get("cache_control")]
    short = False
    for control in controls:
        if not isinstance(control, dict) or control.get("type") != "ephemeral":
            return "cache_control.type: Input should be 'ephemeral'"
        ttl = control.get("ttl", "5m")
        if ttl not in ("5m", "1h"):
            return "cache_control.ttl: Input should be '5m' or '1h'"
        if short and ttl == "1h":
            return "a ttl='1h' cache_control block must not come after a ttl='5m' one"
        short = short or ttl == "5m"
    if len(controls) > _BREAKPOINTS:
        return (
            f"A maximum of {_BREAKPOINTS} blocks with cache_control may be provided. "
            f"Found {len(controls)}."
        )
    return None
