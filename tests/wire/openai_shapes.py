"""Classes called as those of OpenAI's SDK are, with the fields that matter here: replies are
recognised by such names, so that no SDK is imported."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


class Function(Loose):
    name: str
    arguments: str


class ToolCall(Loose):
    id: str
    type: Literal["function"]
    function: Function


class ChatCompletionMessage(Loose):
    role: Literal["assistant"]
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(Loose):
    index: int
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"]
    logprobs: dict[str, Any] | None = None
    message: ChatCompletionMessage


class ChatCompletion(Loose):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: dict[str, int] | None = None


class OutputText(Loose):
    type: Literal["output_text"]
    text: str
    annotations: list[dict[str, Any]]


class OutputMessage(Loose):
    type: Literal["message"]
    id: str
    role: Literal["assistant"]
    status: str
    content: list[OutputText]


class Reasoning(Loose):
    type: Literal["reasoning"]
    id: str
    summary: list[dict[str, str]]


class Response(Loose):
    id: str
    object: Literal["response"]
    created_at: float
    model: str
    status: str
    incomplete_details: dict[str, str] | None = None
    instructions: str | None = None
    output: list[OutputMessage | Reasoning]


for reply in (ChatCompletionMessage, ChatCompletion, Response):
    reply.__module__ = "openai.types"


def completion(**message: Any) -> ChatCompletion:
    tokens = [{"token": piece} for piece in message.get("content") or ""]
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
    return ChatCompletion.model_validate(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "a-model",
            "choices": [{**choice, "logprobs": {"content": tokens or None}}],
        }
    )


def response(*output: dict[str, Any]) -> Response:
    return Response.model_validate(
        {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": "a-model",
            "status": "completed",
            "instructions": "what the request said",
            "output": output,
        }
    )
