"""Tool calls among parts that stand for themselves, and their place in an exchange. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from guardrails.exchange import Call, Part

__all__ = ["calls_in", "moved"]


def calls_in(parts: Sequence[Part]) -> tuple[Call, ...]:
    """A part of a call that somebody hands over by itself is a whole one: its text the JSON of the
    arguments, its name the tool's."""
    return tuple(
        Call(name=part.name, arguments=part.text, part=index)
        for index, part in enumerate(parts)
        if part.kind == "tool_call" and part.target
    )


def moved(calls: Sequence[Call], by: int) -> tuple[Call, ...]:
    """The same calls where so many parts stand before theirs."""
    return tuple(c if c.part is None else replace(c, part=c.part + by) for c in calls)
