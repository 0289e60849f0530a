"""A tokeniser that anybody can do in their head: four bytes of UTF-8 are a token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Piece", "count_tokens", "first_tokens", "pieces"]

_BYTES = 4
"""Source: what providers give as a rule of thumb, some four characters of English a token."""


class Piece(NamedTuple):
    """A part of a text as one event of a stream carries it, and what it adds to the count."""

    text: str
    tokens: int


def count_tokens(text: str) -> int:
    """The tokens of a text: its bytes divided by four, rounded up."""
    return -(-len(_bytes(text)) // _BYTES)


def first_tokens(text: str, tokens: int) -> str:
    """As much of the beginning as fits in so many tokens; no character is cut."""
    data = _bytes(text)
    return _text(data[: _boundary(data, max(tokens, 0) * _BYTES)])


def pieces(text: str, tokens: int) -> Iterator[Piece]:
    """The text in pieces of up to so many tokens; no character is cut. Their counts add up."""
    data, at = _bytes(text), 0
    while at < len(data):
        end = _boundary(data, at + max(tokens, 1) * _BYTES)
        yield Piece(_text(data[at:end]), -(-end // _BYTES) - -(-at // _BYTES))
        at = end


def _boundary(data: bytes, at: int) -> int:
    """The last place up to `at` where no character is cut."""
    if at >= len(data):
        return len(data)
    while data[at] & 0xC0 == 0x80:
        at -= 1
    return at


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a body may hold half a pair, escaped


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
