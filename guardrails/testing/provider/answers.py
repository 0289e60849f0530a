"""What a script lets the provider say: texts, JSON, thoughts, tool calls, refusals, whole replies.

These are of no provider; `anthropic`, `chat` and `responses` spell them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from guardrails.testing.provider.tokens import count_tokens, first_tokens

__all__ = [
    "Block",
    "Part",
    "Refusal",
    "Reply",
    "Stop",
    "Thinking",
    "ToolCall",
    "WholeReply",
    "as_reply",
    "limited",
    "output_tokens",
    "part_tokens",
    "thinking_tokens",
    "written",
]

Stop = Literal["finished", "max_tokens", "stop_sequence", "tool_calls", "refusal", "content_filter"]
"""Why the model stopped. `content_filter`: a filter broke in; `refusal`: the model declined."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """What the model thought. Chat completions count it and do not show it."""

    text: str
    signature: str = field(default="c2lnbmF0dXJl", kw_only=True)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants to be called. Without `id` it gets one."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model declines. Anthropic gives the explanation beside an empty reply, OpenAI as one."""

    explanation: str = "I cannot help with that."
    category: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of content in the provider's own words, sent as it is: what is not known yet.

    For Anthropic a content block, for Responses an output item, for chat fields of the message.
    """

    body: Mapping[str, Any]


Part = str | Thinking | ToolCall | Refusal | Block


@dataclass(frozen=True, slots=True, init=False)
class Reply:
    """Several parts in order, and why the model stopped, which follows from the parts if unsaid."""

    parts: tuple[Part, ...]
    stop: Stop | None

    def __init__(self, *parts: Part, stop: Stop | None = None) -> None:
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "stop", stop)

    @property
    def reason(self) -> Stop:
        if self.stop is not None:
            return self.stop
        if any(isinstance(part, Refusal) for part in self.parts):
            return "refusal"
        called = any(isinstance(part, ToolCall) for part in self.parts)
        return "tool_calls" if called else "finished"


@dataclass(frozen=True, slots=True)
class WholeReply:
    """A reply's body as the provider would send it, sent as it is. Streamed, it is cut up."""

    body: Mapping[str, Any]


def as_reply(answer: object) -> Reply:
    """The reply that an answer stands for. Raises TypeError for what no script may hold."""
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, str | Thinking | ToolCall | Refusal | Block):
        return Reply(answer)
    if isinstance(answer, list | tuple) and any(
        isinstance(part, Thinking | ToolCall | Refusal | Block) for part in answer
    ):
        return Reply(*answer)
    try:
        return Reply(json.dumps(answer, ensure_ascii=False))
    except TypeError:
        raise TypeError(
            f"a scripted answer of type {type(answer).__name__!r}; expected a text, JSON, a Reply, "
            "Thinking, ToolCall, Refusal, Block, WholeReply, a Fault or a callable"
        ) from None


def part_tokens(part: Part) -> int:
    match part:
        case str():
            return count_tokens(part)
        case Thinking(text=text) | Refusal(explanation=text):
            return count_tokens(text)
        case ToolCall(name=name, arguments=arguments):
            return count_tokens(name) + count_tokens(written(arguments))
        case Block(body=body):
            return count_tokens(written(body))


def output_tokens(reply: Reply) -> int:
    """All that the model wrote, thoughts among it."""
    return sum(part_tokens(part) for part in reply.parts)


def thinking_tokens(reply: Reply) -> int:
    return sum(part_tokens(part) for part in reply.parts if isinstance(part, Thinking))


def written(value: object) -> str:
    """JSON as a model writes it."""
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A reply within its limits, and the stop sequence that ended it."""

    reply: Reply
    sequence: str | None = None


def limited(reply: Reply, *, max_tokens: int | None, sequences: Sequence[str]) -> Limited:
    """Cut a reply where the request's stop sequences or its `max_tokens` would have ended it.

    A refusal is never cut: not everywhere is it something that the model wrote.
    """
    stopped = _stopped(reply, sequences)
    reply = stopped.reply
    refused = any(isinstance(part, Refusal) for part in reply.parts)
    if max_tokens is None or refused or output_tokens(reply) <= max_tokens:
        return stopped
    kept, left = list[Part](), max_tokens
    for part in reply.parts:
        size = part_tokens(part)
        if size <= left:
            kept.append(part)
            left -= size
            continue
        if isinstance(part, str) and left:
            kept.append(first_tokens(part, left))
        elif isinstance(part, Thinking) and left:
            kept.append(replace(part, text=first_tokens(part.text, left)))
        break
    return Limited(reply=Reply(*kept, stop="max_tokens"))


def _stopped(reply: Reply, sequences: Sequence[str]) -> Limited:
    for index, part in enumerate(reply.parts):
        if not isinstance(part, str):
            continue
        found = [(part.find(s), s) for s in sequences if s and s in part]
        if found:
            at, sequence = min(found)
            kept = Reply(*reply.parts[:index], part[:at], stop="stop_sequence")
            return Limited(reply=kept, sequence=sequence)
    return Limited(reply=reply)
