"""`--watch`: do it again whenever a constitution, or one that it extends, has changed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from guardrails.cli.outcome import Status
from guardrails.cli.screen import Screen, note
from guardrails.constitution.family import Stamp, family, stamps
from guardrails.constitution.find import constitution_names
from guardrails.errors import GuardrailsError
from guardrails.settings import load_settings

__all__ = ["watch", "watched"]

POLL_S = 0.5
SETTLE_S = 0.1
"""Editors write in steps: a change counts when nothing has changed for so long."""


def watch(names: Sequence[str], run: Callable[[], int]) -> int:
    """Run, and run again after each change, until Ctrl-C; then the status is 0."""
    console = Screen()
    again = False
    try:
        while True:
            files = watched(names)
            before = stamps(files)
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
    while stamps(files) == before:
        time.sleep(POLL_S)
    last = stamps(files)
    while True:
        time.sleep(SETTLE_S)
        now = stamps(files)
        if now == last:
            return
        last = now


def watched(names: Sequence[str]) -> list[Path]:
    """The files that these names stand for and all that they extend, whether or not they load;
    without names all there are, and the folder in which more may come."""
    folder = load_settings().constitutions
    files = family(names or constitution_names(folder), folder)
    return sorted([*files, folder]) if not names and folder is not None else files
