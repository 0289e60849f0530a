"""What OpenAI's two endpoints share: keys, errors and the shapes of requests. Source: SDK 3.57."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrails.testing.provider.dialect import Json, Problem, dump
from guardrails.testing.provider.prompt_cache import Segment, Use, segment_of
from guardrails.testing.provider.request import tool_name
from guardrails.testing.provider.schemas import openai_schema_problem

__all__ = [
    "error_body",
    "error_headers",
    "flag_problem",
    "format_problem",
    "missing",
    "model_problem",
    "number_problem",
    "segments",
    "token_details",
    "tool_problem",
]

_ERRORS: Mapping[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    408: ("server_error", "timeout"),
    413: ("invalid_request_error", "request_too_large"),
    422: ("invalid_request_error", "unprocessable_entity"),
    429: ("requests", "rate_limit_exceeded"),
    503: ("service_unavailable_error", None),
}


def error_body(problem: Problem) -> Json:
    kind, code = _ERRORS.get(problem.status, ("server_error", None))
    return {
        "error": {
            "message": problem.message,
            "type": kind,
            "param": problem.param,
            "code": problem.code or code,
        }
    }


def error_headers(request_id: str) -> dict[str, str]:
    return {"x-request-id": request_id, "openai-version": "2020-10-01"}


def missing(name: str) -> Problem:
    return Problem(
        message=f"Missing required parameter: '{name}'.",
        param=name,
        code="missing_required_parameter",
    )


def model_problem(body: Json) -> Problem | None:
    if not isinstance(body.get("model"), str) or not body["model"]:
        return Problem(message="you must provide a model parameter")
    return None


def flag_problem(body: Json, *names: str) -> Problem | None:
    for name in names:
        if not isinstance(body.get(name) or False, bool):
            return _invalid_type(name, "a boolean")
    return None


def number_problem(body: Json, *names: str) -> Problem | None:
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            return _invalid_type(name, "an integer")
        if value < 1:
            return Problem(
                message=f"Invalid '{name}': integer below minimum value. Expected a value >= 1.",
                param=name,
                code="integer_below_min_value",
            )
    return None


def _invalid_type(name: str, expected: str) -> Problem:
    return Problem(
        message=f"Invalid type for '{name}': expected {expected}.",
        param=name,
        code="invalid_type",
    )


def format_problem(format: object, *, where: str, nested: str | None) -> Problem | None:
    """`nested` names the field that holds the schema's description, None if it is the format."""
    if format is None:
        return None
    if not isinstance(format, dict):
        return _invalid_type(where, "an object")
    match format.get("type"):
        case "text" | "json_object":
            return None
        case "json_schema":
            described = format.get(nested) if nested else format
            place = f"{where}.{nested}" if nested else where
            if not isinstance(described, dict):
                return missing(place)
            told = openai_schema_problem(described, where=place)
            return told and Problem(message=told, param=where)  # type: ignore[return-value]
        case other:
            return Problem(
                message=f"Invalid value: {other!r}. Supported values are: 'json_object', "
                "'json_schema', and 'text'.",
                param=f"{where}.type",
                code="invalid_value",
            )


def tool_problem(body: Json, *, nested: bool) -> Problem | None:
    """Tools have names, and a forced one is there."""
    tools = [tool for tool in body.get("tools") or [] if isinstance(tool, dict)]
    for at, tool in enumerate(tools):
        where = f"tools[{at}].function" if nested else f"tools[{at}]"
        if tool.get("type") == "function" and not tool_name(tool):
            return missing(f"{where}.name")
    choice = body.get("tool_choice")
    if choice is None or choice == "none":
        return None
    if not tools:
        return Problem(
            message="Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' "
            "are specified.",
            param="tool_choice",
        )
    named = isinstance(choice, dict) and choice.get("type") == "function"
    if named and tool_name(choice) not in {tool_name(tool) for tool in tools}:
        return Problem(
            message=f"Tool choice {tool_name(choice)!r} not found in 'tools' parameter.",
            param="tool_choice",
        )
    return None


def segments(*values: Any) -> list[Segment]:
    """The pieces of a prompt: texts count as they are, all else as its JSON."""
    found = list[Segment]()
    for value in values:
        if isinstance(value, str):
            found.append(segment_of(value))
        elif isinstance(value, list):
            found += segments(*value)
        elif isinstance(value, dict) and isinstance(value.get("text"), str):
            found.append(segment_of(value["text"]))
        elif isinstance(value, dict) and "role" in value and "content" in value:
            found.append(Segment(text=str(value["role"]), tokens=0))
            found += segments(value["content"], value.get("tool_calls"))
        elif value is not None:
            found.append(segment_of(dump(value).decode()))
    return found


def token_details(use: Use, output: int, thinking: int, names: tuple[str, str]) -> Json:
    """A usage under OpenAI's names: `prompt` and `completion`, or `input` and `output`."""
    prompt, completion = names
    return {
        f"{prompt}_tokens": use.total,
        f"{prompt}_tokens_details": {"cached_tokens": use.read, "cache_write_tokens": 0},
        f"{completion}_tokens": output,
        f"{completion}_tokens_details": {"reasoning_tokens": thinking},
        "total_tokens": use.total + output,
    }
