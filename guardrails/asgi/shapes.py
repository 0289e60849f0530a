"""Requests in a provider's format that no provider takes: an error of who sends them, no doubt of
who judges them. What a provider may have invented since is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["misshapen"]

ELSEWHERE = frozenset({"prompt", "prompt_template", "conversation", "previous_response_id"})
"""With one of these a response may be asked for without an input."""


def misshapen(document: object, asks: str) -> str | None:
    """What is wrong with a request whose turns stand under this key; None if nothing is. Names
    places, and nothing that stands there."""
    return next(_faults(document, asks), None)


def _faults(document: object, asks: str) -> Iterator[str]:
    if not isinstance(document, dict):
        yield "the body is no JSON object"
        return
    if asks not in document:
        if asks != "input" or not ELSEWHERE & document.keys():
            yield f"{asks!r} is missing"
        return
    turns = document[asks]
    if isinstance(turns, str) and asks == "input":
        return
    if not isinstance(turns, list):
        expected = "a list" if asks == "messages" else "a text or a list"
        yield f"{asks!r} is not {expected}"
        return
    for number, turn in enumerate(turns):
        yield from _of_turn(turn, f"{asks}[{number}]", is_item=asks == "input")


def _of_turn(turn: Any, place: str, *, is_item: bool) -> Iterator[str]:
    """`is_item`: it may be something else than a message, by its type."""
    if not isinstance(turn, dict):
        yield f"{place} is no object"
        return
    if is_item and turn.get("type", "message" if "content" in turn else None) != "message":
        return
    role, content = turn.get("role"), turn.get("content")
    if not isinstance(role, str):
        yield f"{place}.role is {'missing' if 'role' not in turn else 'no text'}"
    if isinstance(content, list):
        yield from _of_blocks(content, f"{place}.content")
    elif content is not None and not isinstance(content, str):
        yield f"{place}.content is neither a text nor a list"


def _of_blocks(content: list[Any], place: str) -> Iterator[str]:
    for number, block in enumerate(content):
        if isinstance(block, str):
            continue  # some that speak OpenAI's format take it for a text
        if not isinstance(block, dict):
            yield f"{place}[{number}] is no object"
        elif not isinstance(block.get("type"), str):
            why = "missing" if "type" not in block else "no text"
            yield f"{place}[{number}].type is {why}"
