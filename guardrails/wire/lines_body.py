"""Whole bodies of newline-delimited JSON: each line is a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Role
from guardrails.wire.body import Body
from guardrails.wire.pointer import Pointer, put
from guardrails.wire.reading import Reading
from guardrails.wire.strict_json import dump_json, parse_json
from guardrails.wire.values import read_value

__all__ = ["LinesBody", "PointedLines"]


def _lines(data: bytes) -> list[tuple[bytes, Any]]:
    """Each line with its end, and its value; None for an empty one. Raises AmbiguousError."""
    lines = data.split(b"\n")
    ended = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    return [(line, parse_json(line) if line.strip() else None) for line in ended]


def _written(lines: list[tuple[bytes, Any]], values: list[Any]) -> bytes:
    """The lines with other values; one whose value is the very same stays as it was."""
    made = []
    for (line, old), new in zip(lines, values, strict=True):
        end = b"\n" if line.endswith(b"\n") else b""
        made.append(line if new is old else dump_json(new) + end)
    return b"".join(made)


@dataclass(frozen=True, slots=True)
class LinesBody(Body):
    """Every string of every line is a text."""

    data: bytes = field(repr=False)
    reading: Reading = field(repr=False)

    @classmethod
    def of(cls, data: bytes, role: Role) -> LinesBody:
        return cls(data, read_value([value for _, value in _lines(data)], role=role))

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.reading.parts

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        if not texts:
            return self
        written = self.reading.rewrite(texts)
        old = cast("list[Any]", self.reading.value)
        lines = [(line, value) for (line, _), value in zip(_lines(self.data), old, strict=True)]
        data = _written(lines, cast("list[Any]", written.value))
        return replace(self, data=data, reading=written)


@dataclass(frozen=True, slots=True)
class PointedLines(Body):
    """What stands at a pointer in each line is a piece of one text."""

    data: bytes = field(repr=False)
    role: Role
    pointer: Pointer
    text: str = field(repr=False)

    @classmethod
    def of(cls, data: bytes, role: Role, pointer: Pointer) -> PointedLines:
        """Raises WireFormatError if no line has a text there, or one has something else."""
        pieces = [_piece(value, pointer) for _, value in _lines(data)]
        if all(piece is None for piece in pieces):
            raise WireFormatError(f"there is no text at {pointer.text!r}")
        return cls(data, role, pointer, "".join(piece or "" for piece in pieces))

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(text=self.text, role=self.role),)

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        """The first piece becomes the whole text."""
        if 0 not in texts:
            return self
        lines, left = _lines(self.data), [texts[0]]
        values = []
        for _, value in lines:
            if _piece(value, self.pointer) is None:
                values.append(value)
            else:
                values.append(put(value, self.pointer, left.pop() if left else ""))
        return replace(self, data=_written(lines, values), text=texts[0])


def _piece(value: Any, pointer: Pointer) -> str | None:
    try:
        said = pointer.find(value)
    except WireFormatError:
        return None
    if said is not None and not isinstance(said, str):
        raise WireFormatError(f"there is no text at {pointer.text!r}")
    return said
