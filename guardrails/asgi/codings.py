"""Content codings of HTTP, undone within bounds: a kilobyte may hold a gigabyte.

Source: RFC 9110, section 8.4. `br` and `zstd` are there if their libraries are installed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["MOST_CODINGS", "CodingError", "TooLongError", "decoded"]

MOST_CODINGS = 2
"""One in the other; more of them is nothing that a real client does."""

ZSTD_WINDOW = 8 * 1024 * 1024
"""What RFC 9659 lets a decoder of HTTP contents refuse to go beyond."""

ZLIB_STEP = 4096
"""Bytes given to the decoder at a time; what is behind a member's end is copied for each."""

ZSTD_STEP = 64
"""Bytes given to the decoder at a time, which can make no more than some 2 MB of them: a block of
128 kB may be written in 4."""


class CodingError(ValueError):
    """The content is not what its coding says, or nobody here knows the coding."""


class TooLongError(ValueError):
    """The content holds more than may be read."""


def decoded(data: bytes, codings: str, *, limit: int) -> bytes:
    """The content without its codings, as the header `content-encoding` names them.

    Raises CodingError, or TooLongError for more than `limit` bytes.
    """
    if not codings:
        return data
    names = [name.strip().lower() for name in codings.split(",") if name.strip()]
    names = [name for name in names if name != "identity"]
    if len(names) > MOST_CODINGS:
        raise CodingError("too many content codings")
    for name in reversed(names):
        if name not in _DECODERS:
            raise CodingError("an unknown content coding")
        data = _DECODERS[name](data, limit)
        if len(data) > limit:
            raise TooLongError
    return data


def _gzip(data: bytes, limit: int) -> bytes:
    return _members(data, limit, zlib.MAX_WBITS | 16)


def _deflate(data: bytes, limit: int) -> bytes:
    """The zlib format, as the standard says; or raw, as some servers send."""
    try:
        return _members(data, limit, zlib.MAX_WBITS)
    except CodingError:
        return _members(data, limit, -zlib.MAX_WBITS)


def _members(data: bytes, limit: int, window: int) -> bytes:
    """One or more compressed members, each one whole."""
    pieces: list[bytes] = []
    size = at = 0
    try:
        while at < len(data):
            member = zlib.decompressobj(window)
            while not member.eof:
                if at >= len(data):
                    raise CodingError("content that is cut off")
                step = data[at : at + ZLIB_STEP]
                at += len(step)
                pieces.append(member.decompress(step, limit + 1 - size))
                size += len(pieces[-1])
                if size > limit:
                    raise TooLongError
            at -= len(member.unused_data)
    except zlib.error:
        raise CodingError("content that is not in its coding") from None
    return b"".join(pieces)


def _brotli(data: bytes, limit: int) -> bytes:
    library = _library("br", "brotli", "brotlicffi")
    reader = library.Decompressor()
    try:
        out = reader.process(data, output_buffer_limit=limit + 1)
        while len(out) <= limit and not reader.is_finished():
            more = reader.process(b"", output_buffer_limit=limit + 1 - len(out))
            if not more:
                raise CodingError("content that is cut off")
            out += more
    except library.error:
        raise CodingError("content that is not in its coding") from None
    except TypeError:
        raise CodingError("a brotli library that cannot bound what it makes") from None
    return bytes(out)


def _zstd(data: bytes, limit: int) -> bytes:
    """One or more frames, each one whole."""
    library = _library("zstd", "zstandard")
    reader = library.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    pieces: list[bytes] = []
    size = at = 0
    try:
        while at < len(data):
            frame = reader.decompressobj()
            while not frame.eof:
                if at >= len(data):
                    raise CodingError("content that is cut off")
                step = data[at : at + ZSTD_STEP]
                at += len(step)
                pieces.append(frame.decompress(step))
                size += len(pieces[-1])
                if size > limit:
                    raise TooLongError
            at -= len(frame.unused_data)
    except library.ZstdError:
        raise CodingError("content that is not in its coding") from None
    return b"".join(pieces)


def _library(coding: str, *names: str) -> Any:
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise CodingError(f"the coding {coding!r} needs the package {names[0]!r}")


_DECODERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
