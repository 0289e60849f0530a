"""The files that a constitution is made of, whether or not they can be loaded just now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from guardrails.constitution.find import find_constitution
from guardrails.errors import ConstitutionError

__all__ = ["Stamp", "family", "stamps"]

MOST_READ = 1024 * 1024

_EXTENDS = re.compile(
    r"^extends:(?P<same>[^\n]*)\n(?P<below>(?:[ \t]*(?:[-#][^\n]*)?\n|[ \t]+[^\n]*\n)*)",
    re.MULTILINE,
)
_PARENT = re.compile(r"[a-z0-9][a-z0-9.-]*")

Stamp = tuple[int, int, int] | None
"""Of a file that is there: time, size and number."""


def family(names: Sequence[str], folder: Path | None) -> list[Path]:
    """The files that these names stand for and all that they extend."""
    pending = [_file(name, folder, None) for name in names]
    found: dict[Path, None] = {}
    while pending:
        file = pending.pop()
        if file not in found:
            found[file] = None
            pending += [_file(name, folder, file.parent) for name in _parents(file)]
    return sorted(found)


def stamps(files: Sequence[Path]) -> dict[Path, Stamp]:
    """What changes when a file does."""
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _file(name: str, folder: Path | None, beside: Path | None) -> Path:
    """Where a constitution is, or would be looked for first."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return Path(name)
    try:
        return find_constitution(name, folder, beside=beside)
    except ConstitutionError:
        return (folder or beside or Path()) / f"{name}.yaml"


def _parents(file: Path) -> Iterator[str]:
    """The names under `extends`, read from the bare text: it may not be YAML just now."""
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            text = opened.read(MOST_READ)
    except OSError:
        return
    said = _EXTENDS.search(f"{text}\n")
    for line in f"{said['same']}\n{said['below']}".splitlines() if said else ():
        for entry in line.partition("#")[0].split(","):
            if parent := _PARENT.match(entry.strip(" \t-[]'\"")):
                yield parent.group()
