"""OpenAI's Responses. Source: its API reference and its SDK, 3.57."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guardrails.testing.provider.answers import (
    Block,
    Part,
    Refusal,
    Reply,
    Thinking,
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

__all__ = ["Responses"]

_INCOMPLETE = {"max_tokens": "max_output_tokens", "content_filter": "content_filter"}
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What a reply repeats of its request, and what it says where the request is silent."""


class Responses:
    """`POST /v1/responses`."""

    key = "output"
    end = b""

    def problem(self, body: Json, headers: Mapping[str, str]) -> Problem | None:
        text = body.get("text")
        return (
            model_problem(body)
            or _input_problem(body)
            or flag_problem(body, "stream")
            or number_problem(body, "max_output_tokens")
            or format_problem(
                text.get("format") if isinstance(text, dict) else None,
                where="text.format",
                nested=None,
            )
            or tool_problem(body, nested=False)
        )

    def limits(self, body: Json) -> Limits:
        return Limits(max_tokens=body.get("max_output_tokens"))

    def prompt(self, body: Json) -> list[Segment]:
        return segments(body.get("tools"), body.get("instructions"), body.get("input"))

    def whole(self, making: Making) -> Json:
        reply, body = making.reply, making.body
        cut = _INCOMPLETE.get(reply.reason)
        names = ("input", "output")
        usage = token_details(making.use, output_tokens(reply), thinking_tokens(reply), names)
        echoed = {name: _given(body.get(name), value) for name, value in _ECHOED.items()}
        return {
            "id": f"resp_fake_{making.serial:06}",
            "object": "response",
            "created_at": making.created,
            "status": "incomplete" if cut else "completed",
            "background": False,
            "error": None,
            "incomplete_details": {"reason": cut} if cut else None,
            "model": body.get("model"),
            "output": _items(reply, making.serial, "incomplete" if cut else "completed"),
            "service_tier": "default",
            "store": False,
            **echoed,
            "usage": usage,
        }

    def frames(self, whole: Json, body: Json, tokens: int) -> Iterator[Frame]:
        events = self._events(whole, tokens)
        for number, (data, written_tokens) in enumerate(events):
            kind = data.pop("type")
            yield event({"type": kind, "sequence_number": number, **data}, tokens=written_tokens)

    def _events(self, whole: Json, tokens: int) -> Iterator[tuple[Json, int]]:
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        begun["incomplete_details"] = None
        yield {"type": "response.created", "response": begun}, 0
        yield {"type": "response.in_progress", "response": begun}, 0
        for index, item in enumerate(whole.get("output") or []):
            yield from _item_events(index, item, tokens)
        status = whole.get("status")
        end = status if status in ("incomplete", "failed") else "completed"
        yield {"type": f"response.{end}", "response": whole}, 0

    def error(self, problem: Problem, request_id: str) -> Json:
        return error_body(problem)

    def error_frame(self, problem: Problem, request_id: str, after: int) -> Frame:
        told = error_body(problem)["error"]
        data = {"code": told["code"] or told["type"], "message": told["message"], "param": None}
        return event({"type": "error", "sequence_number": after, **data})

    def headers(self, request_id: str) -> dict[str, str]:
        return error_headers(request_id)


def _given(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


def _items(reply: Reply, serial: int, status: str) -> list[Json]:
    """Texts and refusals that follow each other share a message."""
    items = list[Json]()
    for at, part in enumerate(reply.parts):
        name = f"fake_{serial:06}_{at}"
        match part:
            case str() | Refusal():
                if not items or items[-1]["type"] != "message":
                    items.append(
                        {
                            "id": f"msg_{name}",
                            "type": "message",
                            "status": status,
                            "role": "assistant",
                            "content": [],
                        }
                    )
                items[-1]["content"].append(_content(part))
            case Thinking(text=text):
                summary = [{"type": "summary_text", "text": text}]
                items.append({"id": f"rs_{name}", "type": "reasoning", "summary": summary})
            case ToolCall():
                items.append(
                    {
                        "id": f"fc_{name}",
                        "type": "function_call",
                        "status": "completed",
                        "call_id": part.id or f"call_{name}",
                        "name": part.name,
                        "arguments": written(part.arguments),
                    }
                )
            case Block(body=body):
                items.append(dict(body))
    return items


def _content(part: Part) -> Json:
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.explanation}
    return {"type": "output_text", "text": part, "annotations": [], "logprobs": []}


def _item_events(index: int, item: Json, tokens: int) -> Iterator[tuple[Json, int]]:
    place = {"item_id": item.get("id"), "output_index": index}
    begun = {**item, "status": "in_progress"} if "status" in item else dict(item)
    middle: Iterator[tuple[Json, int]] = iter(())
    match item.get("type"):
        case "message":
            begun["content"] = []
            middle = _message_events(place, item, tokens)
        case "function_call":
            begun["arguments"] = ""
            middle = _told(
                "response.function_call_arguments", place, "arguments", item["arguments"], tokens
            )
        case "reasoning":
            begun["summary"] = []
            middle = _summary_events(place, item, tokens)
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}, 0
    yield from middle
    yield {"type": "response.output_item.done", "output_index": index, "item": item}, 0


def _message_events(place: Json, item: Json, tokens: int) -> Iterator[tuple[Json, int]]:
    for at, part in enumerate(item.get("content") or []):
        here = {**place, "content_index": at}
        refused = part.get("type") == "refusal"
        name, kind = ("refusal", "refusal") if refused else ("text", "output_text")
        extra = {} if refused else {"logprobs": list[Json]()}
        yield {"type": "response.content_part.added", **here, "part": {**part, name: ""}}, 0
        yield from _told(f"response.{kind}", here | extra, name, part.get(name) or "", tokens)
        yield {"type": "response.content_part.done", **here, "part": part}, 0


def _summary_events(place: Json, item: Json, tokens: int) -> Iterator[tuple[Json, int]]:
    for at, part in enumerate(item.get("summary") or []):
        here, kind = {**place, "summary_index": at}, "response.reasoning_summary_part"
        yield {"type": f"{kind}.added", **here, "part": {**part, "text": ""}}, 0
        yield from _told("response.reasoning_summary_text", here, "text", part["text"], tokens)
        yield {"type": f"{kind}.done", **here, "part": part}, 0


def _told(kind: str, place: Json, name: str, text: str, tokens: int) -> Iterator[tuple[Json, int]]:
    for piece in pieces(text, tokens):
        yield {"type": f"{kind}.delta", **place, "delta": piece.text}, piece.tokens
    yield {"type": f"{kind}.done", **place, name: text}, 0


def _input_problem(body: Json) -> Problem | None:
    given = body.get("input")
    if given is None:
        return missing("input")
    if not isinstance(given, str | list):
        return Problem(
            message="Invalid type for 'input': expected a string or an array.",
            param="input",
            code="invalid_type",
        )
    items = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    called = {item.get("call_id") for item in items if item.get("type") == "function_call"}
    for item in items:
        if item.get("type") != "function_call_output" or body.get("previous_response_id"):
            continue
        if item.get("call_id") not in called:
            return Problem(
                message=f"No tool call found for function call output with call_id "
                f"{item.get('call_id')}.",
                param="input",
            )
    return None
