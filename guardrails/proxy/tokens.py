"""How many tokens a reply says it took, read in passing; only for telemetry."""

from __future__ import annotations

import re

__all__ = ["UsageReader"]

_COUNTS = re.compile(
    rb'"(?P<name>(?:in|out)put_tokens|(?:prompt|completion)_tokens)"'
    rb"[ \t\r\n]*:[ \t\r\n]*(?P<count>[0-9]{1,9})(?=[^0-9])"
)
"""It begins with a letter that stands for itself, for which `re` looks ten times as fast."""

_BACKSLASH = 92
KEPT = 64
"""Bytes of the piece before, for what is cut in two."""


class UsageReader:
    """Reads bytes of JSON, or of events that hold some. The last count of each kind stands."""

    __slots__ = ("_rest", "input_tokens", "output_tokens")

    def __init__(self) -> None:
        self._rest = b""
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None

    def feed(self, piece: bytes) -> None:
        data = self._rest + piece
        for found in _COUNTS.finditer(data):
            if found.start() and data[found.start() - 1] == _BACKSLASH:
                continue  # a quote within a text, which only looks like this
            count = int(found["count"])
            if found["name"] in (b"input_tokens", b"prompt_tokens"):
                self.input_tokens = count
            else:
                self.output_tokens = count
        self._rest = data[-KEPT:]
