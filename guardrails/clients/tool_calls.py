"""The tool calls in a provider's reply: what each would run, and where its arguments stand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Called", "called_in", "with_arguments"]

Json = Mapping[str, Any]
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """`arguments` are as the provider has them: a mapping, or the text of JSON or anything else."""

    name: str
    arguments: Any = field(repr=False)
    place: Place = field(repr=False)
    free: bool = False
    """Whether they are one text of no form."""

    @property
    def key(self) -> str:
        return json.dumps([self.name, self.arguments], sort_keys=True, default=repr)


_BLOCKS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_ITEMS: Mapping[str, str] = {
    "function_call": "arguments",
    "mcp_call": "arguments",
    "custom_tool_call": "input",
}
"""Type of an item → where its arguments are."""


def called_in(reply: object) -> list[Called]:
    """All tool calls of a whole reply, Anthropic's or OpenAI's, in order."""
    return [] if not isinstance(reply, dict) else list(_called(reply))


def _called(reply: Json) -> Iterator[Called]:
    for at, block in _objects(reply.get("content")):
        if block.get("type") in _BLOCKS:
            yield _call(block, "input", ("content", at))
    for at, choice in _objects(reply.get("choices")):
        message = choice.get("message")
        if isinstance(message, dict):
            yield from _in_message(message, ("choices", at, "message"))
    for at, item in _objects(reply.get("output")):
        if (where := _ITEMS.get(str(item.get("type")))) is not None:
            yield _call(item, where, ("output", at), free=where == "input")


def _in_message(message: Json, place: Place) -> Iterator[Called]:
    for at, call in _objects(message.get("tool_calls")):
        for kind, where in (("function", "arguments"), ("custom", "input")):
            if isinstance(call.get(kind), dict):
                inside = (*place, "tool_calls", at, kind)
                yield _call(call[kind], where, inside, free=where == "input")
    if isinstance(message.get("function_call"), dict):
        yield _call(message["function_call"], "arguments", (*place, "function_call"))


def _call(holder: Json, where: str, place: Place, *, free: bool = False) -> Called:
    return Called(
        name=str(holder.get("name", "")),
        arguments=holder.get(where),
        place=(*place, where),
        free=free,
    )


def _objects(value: object) -> Iterator[tuple[int, Json]]:
    if isinstance(value, list):
        yield from ((at, item) for at, item in enumerate(value) if isinstance(item, dict))


def with_arguments(reply: Any, changes: Mapping[Place, object]) -> Any:
    """The reply with other arguments at these places."""
    for place, arguments in changes.items():
        reply = _put(reply, place, arguments)
    return reply


def _put(value: Any, place: Place, new: object) -> Any:
    if not place:
        return new
    step, rest = place[0], place[1:]
    if isinstance(value, list):
        return [_put(item, rest, new) if at == step else item for at, item in enumerate(value)]
    return {**value, step: _put(value[step], rest, new)}
