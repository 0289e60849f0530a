"""Gathering what is wrong with a file while working through it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from guardrails.constitution.source import Loc, Source
from guardrails.errors import Problem

__all__ = ["Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """The problems found so far, told from the place `at` downwards."""

    source: Source
    problems: list[Problem]
    at: Loc = ()

    def under(self, *loc: str | int) -> Report:
        """The same report, told from further down."""
        return Report(self.source, self.problems, (*self.at, *loc))

    def add(self, loc: Loc, what: str, hint: str = "", *, at_key: bool = False) -> None:
        self.problems.append(self.source.problem((*self.at, *loc), what, hint, at_key=at_key))

    def add_error(self, loc: Loc, error: PydanticCustomError) -> None:
        self.add(loc, error.message())
