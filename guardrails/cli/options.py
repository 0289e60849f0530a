"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Arguments",
    "AsJson",
    "Name",
    "Names",
    "Prompt",
    "Results",
    "Tool",
    "Trail",
    "Watch",
]

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A constitution's name or its file.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME…", help="Names or files; without any, all that are found."),
]
Watch = Annotated[
    bool, typer.Option("--watch", help="Again whenever a file changes; Ctrl-C ends it.")
]
Prompt = Annotated[
    str | None, typer.Option(help="What the text answers, or what was asked before a call.")
]
Tool = Annotated[str | None, typer.Option(metavar="NAME", help="Judge a call of this tool.")]
Arguments = Annotated[
    str | None,
    typer.Option(metavar="JSON", help="What it is called with; - is standard input."),
]
Results = Annotated[
    list[str] | None,
    typer.Option(
        "--result",
        metavar="TOOL=TEXT",
        help="What a tool gave back before the call; may be repeated.",
    ),
]
Trail = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="The audit trail; without it, the one settings name."),
]
