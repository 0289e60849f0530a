"""`--watch`: do it again whenever a constitution, or one that it extends, has changed."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from guardrails.cli.outcome import Status
from guardrails.cli.screen import Screen, note
from guardrails.constitution.find import constitution_names, find_constitution
from guardrails.errors import ConstitutionError, GuardrailsError
from guardrails.settings import load_settings

__all__ = ["watch", "watched"]

POLL_S = 0.5
SETTLE_S = 0.1
"""Editors write in steps: a change counts when nothing has changed for so long."""

MOST_READ = 1024 * 1024

_EXTENDS = re.compile(
    r"^extends:(?P<same>[^\n]*)\n(?P<below>(?:[ \t]*(?:[-#][^\n]*)?\n|[ \t]+[^\n]*\n)*)",
    re.MULTILINE,
)
_PARENT = re.compile(r"[a-z0-9][a-z0-9.-]*")

Stamp = tuple[int, int, int] | None
"""Of a file that is there: time, size and number."""


def watch(names: Sequence[str], run: Callable[[], int]) -> int:
    """Run, and run again after each change, until Ctrl-C; then the status is 0."""
    console = Screen()
    again = False
    try:
        while True:
            files = watched(names)
            before = _stamps(files)
            if console.is_terminal:
                console.clear()
            elif again:
                sys.stdout.write("\n")
            _tell(console, _once(run), files)
            again = True
            _wait(files, before)
    except KeyboardInterrupt:
        return Status.FINE


def _once(run: Callable[[], int]) -> int:
    try:
        return run()
    except (GuardrailsError, OSError) as error:  # a file may vanish between two reads
        note(f"error: {error}", style="red")
        return Status.WRONG


def _tell(console: Screen, status: int, files: Sequence[Path]) -> None:
    sys.stdout.flush()
    count = f"{len(files)} file{'s'[: len(files) != 1]}"
    line = f"{time.strftime('%H:%M:%S')}  status {int(status)}, watching {count}; Ctrl-C ends"
    console.print(line, style="dim", soft_wrap=True)
    sys.stdout.flush()


def _wait(files: Sequence[Path], before: dict[Path, Stamp]) -> None:
    while _stamps(files) == before:
        time.sleep(POLL_S)
    last = _stamps(files)
    while True:
        time.sleep(SETTLE_S)
        now = _stamps(files)
        if now == last:
            return
        last = now


def _stamps(files: Sequence[Path]) -> dict[Path, Stamp]:
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def watched(names: Sequence[str]) -> list[Path]:
    """The files that these names stand for and all that they extend, whether or not they load;
    without names all there are, and the folder in which more may come."""
    folder = load_settings().constitutions
    pending = [_file(name, folder, None) for name in names or constitution_names(folder)]
    found: dict[Path, None] = {}
    while pending:
        file = pending.pop()
        if file not in found:
            found[file] = None
            pending += [_file(name, folder, file.parent) for name in _parents(file)]
    if not names and folder is not None:
        found[folder] = None
    return sorted(found)


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
