"""Event streams as they come: bytes cut anywhere become frames, and a frame is read by the
WHATWG's rules. Source: HTML standard, section 9.2.6.

A frame is an event with the line ends that end it: it is what can be sent or left out. A client
that is not strict may read an event that the end of the stream cuts off, so it is read here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from guardrails.wire.sse import KEPT_ALIVE, LINE_END
from guardrails.wire.strict_json import AmbiguousError

__all__ = ["LONGEST", "Frame", "Frames", "read_frame", "write_frame"]

LONGEST = 1 << 20
"""Bytes that one event may have."""

_EMPTY = re.compile(rb"(?:\r\n?+|\n)+")
_END = re.compile(rb"(?:\r\n?+|\n)(?:\r\n?+|\n)")
_CR = 13
_LONGEST_END = 4
_BOM = b"\xef\xbb\xbf"
_PLAIN = re.compile(rb"(?:event: ([^\r\n]+)\n)?data: ([^\r\n]*)\n\n")
"""A frame as nearly all are."""


class Frames:
    """Cuts bytes into frames. Where a body is cut into pieces makes no difference, but to how many
    empty lines are one frame: a CR that ends a frame waits for the byte after it, which may be its
    LF."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._seen = 0
        """No frame ends before this place."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete. One longer than `LONGEST` is as long as it came,
        even if it is not complete."""
        held = self._held
        if not held:
            frames, rest = _cut(data, 0)
            held += rest
            self._seen = max(0, len(rest) - _LONGEST_END)
        else:
            held += data
            frames, rest = _cut(held, self._seen)
            if frames:
                del held[: len(held) - len(rest)]
            self._seen = max(0, len(held) - _LONGEST_END)
        if len(held) > LONGEST:
            frames.append(self.rest())
        return frames

    def rest(self) -> bytes:
        """What no frame's end completed."""
        rest = bytes(self._held)
        self._held.clear()
        self._seen = 0
        return rest


def _cut(data: bytes | bytearray, seen: int) -> tuple[list[bytes], bytes | bytearray]:
    """Whole frames, and what is left; no frame ends before `seen`. Empty lines where a frame would
    begin are a frame of their own, as many as there are."""
    frames: list[bytes] = []
    first, size = 0, len(data)
    while match := _EMPTY.match(data, first) or _END.search(data, max(first, seen)):
        end = match.end()
        if end == size and data[-1] == _CR:
            if end - first > LONGEST // 2:  # of many empty lines only the last one waits
                frames.append(bytes(data[first : end - 1]))
                first = end - 1
            break
        frames.append(bytes(data[first:end]))
        first = end
    return frames, data[first:]


class Frame(NamedTuple):
    """What a frame says. `data` is None if it has none: then it is no event. `asides` is what
    stands beside it: comments, ids, fields of no meaning."""

    name: str
    data: str | None
    asides: tuple[str, ...] = ()


def read_frame(raw: bytes, *, first: bool = False) -> Frame:
    """`first` is the stream's first one, before which a byte order mark may stand. Raises
    AmbiguousError if it is not UTF-8."""
    try:
        if plain := _PLAIN.fullmatch(raw):
            name, data = plain.groups()
            return Frame(name.decode() if name else "", data.decode())
        text = raw.removeprefix(_BOM).decode() if first else raw.decode()
    except UnicodeDecodeError as error:
        raise AmbiguousError(f"not UTF-8: byte {error.start} cannot be read") from None
    name, data, asides = "", list[str](), dict[str, None]()
    for line in LINE_END.split(text):
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "data":
            data.append(value)
            continue
        if key == "event":
            name, value = value, name  # the last one counts; the one before is said all the same
        said = value.strip() if key in ("", "event", "id", "retry") else line
        if not KEPT_ALIVE.fullmatch(said):
            asides[said] = None
    return Frame(name, "\n".join(data) if data else None, tuple(asides))


def write_frame(name: str, data: str) -> bytes:
    """A frame with nothing beside its data."""
    if "\n" in data or "\r" in data:
        data = "\ndata: ".join(LINE_END.split(data))
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data}\n\n".encode("utf-8", "replace")
