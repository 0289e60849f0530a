"""Where a walk through a value is, and how what stands there is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guardrails.exchange import Kind, Path, Role
from guardrails.wire.logprobs import MOST_ALTERNATIVES
from guardrails.wire.shapes import FREE, As, Reads, Shape

__all__ = ["NAME", "Place"]

NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
"""What may stand as a tool's name; anything else could be a sentence, which names keep out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the walk is, and how to read what stands there."""

    path: Path = ()
    role: Role
    kind: Kind = "text"
    target: bool = True
    name: str | None = None
    reads: Reads = FREE
    fixed: bool = False
    """Computed by the value's own class: it cannot be changed by itself."""
    call: str | None = None
    """What identifies the tool call that stands here."""
    alternatives: int = MOST_ALTERNATIVES
    """How many other tokens may stand beside each of a text."""

    @property
    def numbers(self) -> bool:
        """Whether every number is a text: what a model wrote as the amount is to be judged like
        any other word."""
        return self.kind == "tool_call"

    def below(self, key: object, position: int, reads: Reads) -> Place:
        step = key if isinstance(key, str | int) else position
        return Place(  # `replace` costs several times as much, and this is done for every value
            path=(*self.path, step),
            role=self.role,
            kind=self.kind,
            target=self.target,
            name=self.name,
            reads=reads,
            fixed=self.fixed,
            call=self.call,
            alternatives=self.alternatives,
        )

    def as_said(self, words: As) -> Place:
        return Place(
            path=self.path,
            role=words.role,
            kind=words.kind,
            target=words.target,
            name=self.name,
            reads=words.reads,
            fixed=self.fixed,
            call=self.call,
            alternatives=self.alternatives,
        )

    def within(self, shape: Shape, fields: Mapping[Any, object]) -> Place:
        """The same place, with what the shape says about all that is in it."""
        named = fields.get(shape.names) if shape.names else None
        named = shape.called or named
        id = fields.get(shape.id) if shape.id else None
        return Place(
            path=self.path,
            role=shape.role or self.role,
            kind=shape.kind or self.kind,
            target=self.target if shape.target is None else shape.target,
            name=named if isinstance(named, str) and NAME.fullmatch(named) else self.name,
            reads=shape,
            fixed=self.fixed,
            call=id if isinstance(id, str) else self.call,
            alternatives=self.alternatives,
        )
