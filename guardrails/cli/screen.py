"""Where the command writes: one console for results, one for what goes wrong, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

from rich.console import Console, RenderableType

from guardrails.display.visible import visible
from guardrails.errors import ConstitutionError

__all__ = ["Screen", "colourful", "fail", "leave_pipe", "note", "show", "write_json"]

NARROWEST = 20


class Screen(Console):
    """A console for text from outside: no markup, no highlighting, no emoji codes."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False)
        self.width = max(self.width, NARROWEST)

    def on_broken_pipe(self) -> NoReturn:
        """Rich would end the process with status 1, which says something else here."""
        raise BrokenPipeError


def colourful(console: Console) -> bool:
    """Whether marks can be told by colour; else signs stand round them."""
    return console.is_terminal and not console.no_color and console.color_system is not None


def show(*blocks: RenderableType, lines: bool = False) -> None:
    """Print results. Into a file or pipe without the blanks that fill up lines. With `lines`, each
    block is one line of output whatever its length, so that it can be searched for."""
    console = Screen()
    if console.is_terminal:
        console.print(*blocks, sep="\n", soft_wrap=lines)
        return
    with console.capture() as captured:
        console.print(*blocks, sep="\n", soft_wrap=lines)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def note(text: str, *, style: str = "") -> None:
    """Say something beside the results, on standard error."""
    Screen(stderr=True).print(visible(text), style=style, soft_wrap=True)


def write_json(document: Any, *, line: bool = False) -> None:
    """One document on standard output; ASCII only, so that no terminal obeys a text in it."""
    indent = None if line else 2
    sys.stdout.write(json.dumps(document, ensure_ascii=True, allow_nan=False, indent=indent) + "\n")


def fail(kind: str, error: Exception | str, *, status: int, as_json: bool) -> int:
    """Tell of an error, as a document if one was asked for, and return the exit status."""
    if not as_json:
        note(f"error: {error}", style="red")
        return status
    told: dict[str, Any] = {"kind": kind, "message": str(error)}
    if isinstance(error, ConstitutionError):
        told["problems"] = [
            {name: getattr(problem, name) for name in problem.__slots__}
            for problem in error.problems
        ]
    write_json({"error": told, "status": status})
    return status


def leave_pipe() -> None:
    """Nobody reads any more: keep the interpreter's own flush at its end from complaining."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
