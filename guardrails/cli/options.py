"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AsJson", "Name", "Names", "Trail", "Watch"]

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A constitution's name or its file.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME…", help="Names or files; without any, all that are found."),
]
Watch = Annotated[
    bool, typer.Option("--watch", help="Again whenever a file changes; Ctrl-C ends it.")
]
Trail = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="The audit trail; without it, the one settings name."),
]
