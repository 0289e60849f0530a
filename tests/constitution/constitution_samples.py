"""Small constitutions, and ways to load them and to hear what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guardrails.constitution.load import load_constitution, parse_constitution
from guardrails.constitution.model import Catalogue, Constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.errors import ConstitutionError

REGISTRY = CriticRegistry()
FILE = "c.yaml"

HEAD = "id: c\nversion: 1.0.0\n"
ONE = f"{HEAD}principles:\n  - id: a.b\n    text: Says no b.\n"
"""One principle; what follows is line 6."""


def loaded(
    text: str | bytes, *, folder: Path | None = None, catalogue: Catalogue = REGISTRY
) -> Constitution:
    return parse_constitution(text, file=FILE, catalogue=catalogue, folder=folder)


def problems(
    text: str | bytes, *, folder: Path | None = None, catalogue: Catalogue = REGISTRY
) -> list[str]:
    """All that is wrong, as it is printed, without the file's name; empty if nothing is."""
    try:
        loaded(text, folder=folder, catalogue=catalogue)
    except ConstitutionError as error:
        return [str(problem).removeprefix(f"{FILE}:") for problem in error.problems]
    return []


def written(value: Mapping[str, Any]) -> str:
    """As JSON, which is YAML."""
    return json.dumps(value, ensure_ascii=False, indent=1)


class Family:
    """Constitutions beside each other in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, text: str, *, extends: str = "", version: str = "1.0.0") -> None:
        """Write NAME.yaml; `text` is what comes after its head."""
        head = f"id: {name}\nversion: {version}\nextends: [{extends}]\n"
        body = text if "principles:" in text else f"principles: []\n{text}"
        (self.folder / f"{name}.yaml").write_text(head + body)

    def load(self, name: str) -> Constitution:
        return load_constitution(name, catalogue=REGISTRY, folder=self.folder)

    def problems(self, name: str) -> list[str]:
        """What is wrong, without the folder's name."""
        try:
            self.load(name)
        except ConstitutionError as error:
            return [str(p).removeprefix(f"{self.folder}/") for p in error.problems]
        return []

    def child_problems(self, parent: str, child: str) -> list[str]:
        """What is wrong with a child of a parent, without file and line."""
        self.add("parent", parent)
        self.add("child", child, extends="parent@^1")
        return [problem.split(": ", 1)[1] for problem in self.problems("child")]

    def child(self, parent: str, child: str) -> Constitution:
        self.add("parent", parent)
        self.add("child", child, extends="parent@^1")
        return self.load("child")
