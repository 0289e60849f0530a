"""Patterns of a constitution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import re2

Span = tuple[int, int]

__all__ = ["Pattern", "PatternError", "compile_pattern"]


class PatternError(ValueError):
    """A pattern cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    source: str
    case: bool
    width: int
    _program: Any = field(repr=False, compare=False)

    def findall(self, text: str) -> list[Span]:
        return [m.span() for m in self._program.finditer(text)]


def compile_pattern(source: str, *, case: bool = False) -> Pattern:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = case
    try:
        program = re2.compile(source, options)
    except re2.error as error:
        raise PatternError(str(error)) from None
    return Pattern(source=source, case=case, width=200, _program=program)
