"""Where a constitution's patterns and examples stand: in its own file, or in a parent's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from guardrails.constitution.find import find_constitution
from guardrails.constitution.model import Constitution, Example
from guardrails.constitution.source import Loc, Source, read_source
from guardrails.errors import ConstitutionError

__all__ = ["Places"]


@dataclass(frozen=True)
class Places:
    """Looks things up by what stands there, as `file:line`; "" for what no file holds.

    `folder` is where parents are looked for first, as at loading.
    """

    constitution: Constitution
    folder: Path | None = None

    def pattern(self, principle: str, list: str, pattern: str) -> str:
        """A pattern in one of the lists of the critic `pattern`."""
        for source, loc, said in self._entries(principle):
            for index, mention in enumerate(said.get("critics", [])):
                config = mention.get("pattern", {}) if isinstance(mention, dict) else {}
                if pattern in config.get(list, []):
                    number = config[list].index(pattern)
                    return source.place((*loc, "critics", index, "pattern", list, number))
            if list == "unless" and pattern in said.get("unless", []):  # under `relax`
                return source.place((*loc, "unless", said["unless"].index(pattern)))
        return ""

    def example(self, principle: str, side: str, example: Example) -> str:
        for source, loc, said in self._entries(principle):
            for index, written in enumerate(said.get("examples", {}).get(side, [])):
                read = Example(**written) if isinstance(written, dict) else Example(reply=written)
                if read == example:
                    return source.place((*loc, "examples", side, index))
        return ""

    def _entries(self, principle: str) -> Iterator[tuple[Source, Loc, Mapping[str, Any]]]:
        """What the files say about a principle, the nearest file first."""
        for source in self._sources:
            for index, said in enumerate(source.data.get("principles", [])):
                if said.get("id") == principle:
                    yield source, ("principles", index), said
            for index, said in enumerate(source.data.get("relax", [])):
                if said.get("id") == principle:
                    yield source, ("relax", index, "set"), said.get("set", {})

    @cached_property
    def _sources(self) -> list[Source]:
        """The file and its ancestors', as far as they are there to be read."""
        own = Path(self.constitution.file)
        files = [own]
        for parent in reversed(self.constitution.parents):
            try:
                files.append(
                    find_constitution(parent.partition("@")[0], self.folder, beside=own.parent)
                )
            except ConstitutionError:
                continue
        return list(_read(files))


def _read(files: list[Path]) -> Iterator[Source]:
    for file in files:
        try:
            yield read_source(file.read_bytes(), str(file))
        except (OSError, ValueError, ConstitutionError):
            continue
