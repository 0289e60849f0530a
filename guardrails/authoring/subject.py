"""A constitution with the file it was read from: what the file itself says, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from guardrails.authoring.codes import CODES, LintFinding
from guardrails.constitution.model import Constitution, Example, Principle
from guardrails.constitution.source import Loc, Source, read_source

__all__ = ["SIDES", "Entry", "Subject"]

SIDES = ("breach", "fine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A principle's entry in the file: `said` is what stands there, `principle` what it comes to.

    `own` is False for an entry that adds to an inherited principle.
    """

    loc: Loc
    said: Mapping[str, Any]
    principle: Principle
    own: bool

    def examples(self, side: str) -> tuple[Example, ...]:
        """All examples of one side, inherited ones included."""
        principle = self.principle
        return principle.breach_examples if side == "breach" else principle.fine_examples

    def written_examples(self, side: str) -> Iterator[tuple[Loc, Example]]:
        """The examples of one side that stand in the file, with their places."""
        for index, said in enumerate(self.said.get("examples", {}).get(side, [])):
            example = Example(**said) if isinstance(said, dict) else Example(reply=said)
            yield (*self.loc, "examples", side, index), example

    def mentions(self, critic: str) -> Iterator[tuple[Loc, Mapping[str, Any]]]:
        """What the file says under a critic's name, where it gives a configuration."""
        for index, mention in enumerate(self.said.get("critics", [])):
            if isinstance(mention, dict) and critic in mention:
                yield (*self.loc, "critics", index, critic), mention[critic]


class Subject:
    """The file under lint. `text` must be what the constitution was loaded from."""

    def __init__(self, constitution: Constitution, text: str | bytes) -> None:
        self.constitution = constitution
        self.source: Source = read_source(text, constitution.file)

    @property
    def said(self) -> Mapping[str, Any]:
        """The file's own values."""
        return self.source.data

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """What stands under `principles`, in order."""
        origin = f"{self.constitution.id}@{self.constitution.version}"
        return tuple(
            Entry(loc=("principles", index), said=said, principle=principle, own=own)
            for index, said in enumerate(self.said["principles"])
            for principle in [self.constitution.principle(said["id"])]
            for own in [principle.origin == origin]
        )

    @property
    def own(self) -> Iterator[Entry]:
        """The entries of principles that this file writes first."""
        return (entry for entry in self.entries if entry.own)

    def finding(self, code: str, loc: Loc, message: str, hint: str | None = None) -> LintFinding:
        """A finding at the deepest part of `loc` that the file has, at its key if it has one."""
        problem = self.source.problem(loc, message, at_key=True)
        return LintFinding(
            code=code,
            level=CODES[code].level,
            file=problem.file,
            line=problem.line,
            column=problem.column,
            where=problem.where,
            message=message,
            hint=CODES[code].mend if hint is None else hint,
        )
