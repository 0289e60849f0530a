"""OpenAI's Chat Completions. Source: its API reference and its SDK, 3.57."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from guardrails.testing.provider.answers import (
    Block,
    Refusal,
    Reply,
    Stop,
    ToolCall,
    output_tokens,
    thinking_tokens,
    written,
)
from guardrails.testing.provider.dialect import Frame, Json, Limits, Making, Problem, event
from guardrails.testing.provider.openai_requests import (
    error_body,
    error_headers,
    flag_problem,
    format_problem,
    missing,
    model_problem,
    number_problem,
    segments,
    token_details,
    tool_problem,
)
from guardrails.testing.provider.prompt_cache import Segment
from guardrails.testing.provider.tokens import pieces

__all__ = ["Chat"]

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_STOPS: Mapping[Stop, str] = {
    "finished": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop",
    "tool_calls": "tool_calls",
    "refusal": "stop",
    "content_filter": "content_filter",
}


class Chat:
    """`POST /v1/chat/completions`."""

    key = "choices"
    end = b"data: [DONE]\n\n"

    def problem(self, body: Json, headers: Mapping[str, str]) -> Problem | None:
        return (
            model_problem(body)
            or _messages_problem(body.get("messages"))
            or flag_problem(body, "stream")
            or number_problem(body, "max_tokens", "max_completion_tokens", "n")
            or _stream_problem(body)
            or format_problem(
                body.get("response_format"), where="response_format", nested="json_schema"
            )
            or tool_problem(body, nested=True)
        )

    def limits(self, body: Json) -> Limits:
        stop = body.get("stop") or ()
        return Limits(
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            sequences=(stop,) if isinstance(stop, str) else stop,
        )

    def prompt(self, body: Json) -> list[Segment]:
        return segments(body.get("tools"), body.get("messages"))

    def whole(self, making: Making) -> Json:
        reply, copies = making.reply, making.body.get("n") or 1
        choice = {
            "message": _message(reply, making.serial),
            "logprobs": None,
            "finish_reason": _STOPS[reply.reason],
        }
        written_tokens = output_tokens(reply) * copies
        names = ("prompt", "completion")
        return {
            "id": f"chatcmpl-fake-{making.serial:06}",
            "object": "chat.completion",
            "created": making.created,
            "model": making.body.get("model"),
            "choices": [{"index": index, **choice} for index in range(copies)],
            "usage": token_details(making.use, written_tokens, thinking_tokens(reply), names),
            "service_tier": "default",
            "system_fingerprint": "fp_fake",
        }

    def frames(self, whole: Json, body: Json, tokens: int) -> Iterator[Frame]:
        head = {k: v for k, v in whole.items() if k not in ("choices", "usage")}
        head["object"] = "chat.completion.chunk"
        counted = bool((body.get("stream_options") or {}).get("include_usage"))
        rest: Json = {"usage": None} if counted else {}

        def chunk(index: int, delta: Json, finish: object = None, tokens: int = 0) -> Frame:
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            return event({**head, "choices": [choice], **rest}, named=False, tokens=tokens)

        for choice in whole.get("choices") or []:
            index, message = choice.get("index", 0), choice.get("message") or {}
            begun = {k: v for k, v in message.items() if k not in ("refusal", "tool_calls")}
            yield chunk(index, {**begun, "content": "" if message.get("content") else None})
            for name in ("content", "refusal"):
                for piece in pieces(message.get(name) or "", tokens):
                    yield chunk(index, {name: piece.text}, tokens=piece.tokens)
            for at, call in enumerate(message.get("tool_calls") or []):
                function = call.get("function") or {}
                first = {**call, "index": at, "function": {**function, "arguments": ""}}
                yield chunk(index, {"tool_calls": [first]})
                for piece in pieces(function.get("arguments") or "", tokens):
                    part = {"index": at, "function": {"arguments": piece.text}}
                    yield chunk(index, {"tool_calls": [part]}, tokens=piece.tokens)
            yield chunk(index, {}, choice.get("finish_reason"))
        if counted:
            yield event({**head, "choices": [], "usage": whole.get("usage")}, named=False)

    def error(self, problem: Problem, request_id: str) -> Json:
        return error_body(problem)

    def error_frame(self, problem: Problem, request_id: str, after: int) -> Frame:
        return event(self.error(problem, request_id), named=False)

    def headers(self, request_id: str) -> dict[str, str]:
        return error_headers(request_id)


def _message(reply: Reply, serial: int) -> Json:
    texts = [part for part in reply.parts if isinstance(part, str)]
    refusals = [part.explanation for part in reply.parts if isinstance(part, Refusal)]
    message: Json = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "\n".join(refusals) if refusals else None,
    }
    calls = [
        {
            "id": part.id or f"call_fake_{serial:06}_{at}",
            "type": "function",
            "function": {"name": part.name, "arguments": written(part.arguments)},
        }
        for at, part in enumerate(reply.parts)
        if isinstance(part, ToolCall)
    ]
    if calls:
        message["tool_calls"] = calls
    for part in reply.parts:
        if isinstance(part, Block):
            message |= part.body
    return message


def _messages_problem(messages: object) -> Problem | None:
    if messages is None:
        return missing("messages")
    if not isinstance(messages, list) or not messages:
        return Problem(
            message="Invalid 'messages': empty array. Expected an array with minimum length 1.",
            param="messages",
            code="empty_array",
        )
    called: set[object] = set()
    for at, message in enumerate(messages):
        where = f"messages[{at}]"
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            return Problem(
                message=f"Invalid value: '{where}.role'. Supported values are: "
                f"{', '.join(map(repr, _ROLES))}.",
                param=f"{where}.role",
                code="invalid_value",
            )
        role, content = message["role"], message.get("content")
        if not isinstance(content, str | list) and (role != "assistant" or content is not None):
            return missing(f"{where}.content")
        if role == "tool" and message.get("tool_call_id") not in called:
            return Problem(
                message="Invalid parameter: messages with role 'tool' must be a response to a "
                "preceeding message with 'tool_calls'.",
                param=f"{where}.role",
            )
        if role == "assistant":
            called |= {call.get("id") for call in message.get("tool_calls") or []}
    return None


def _stream_problem(body: Json) -> Problem | None:
    if body.get("stream_options") is not None and not body.get("stream"):
        return Problem(
            message="The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    return None
