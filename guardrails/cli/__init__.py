"""The command `constitution`. Top line of the design: may import everything, nothing imports it.

`app` says what can be typed; a module per group (`check`, `begin`, `author`, `differ`, `explainer`,
`resolved`, `trail`, `doctor`, `demo`) does it and is imported only then; `watch` does it again.
`reading` takes texts in, `render` and `marks` draw for people, `documents` writes for programs,
`screen` is where both come out.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; `argv` defaults to what was typed."""
    from guardrails.cli.app import run

    return run(argv)
