"""What is kept of a verdict: the word, where a breach is, and when it was said. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from guardrails.verdict import Span

__all__ = ["Kept", "Place", "decode", "encode"]

FORM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A span of one of the pieces that were judged. The words there are found in the text again."""

    piece: int
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A verdict. `place` is None for a pass, and for a breach by what is missing."""

    value: Literal["pass", "breach"]
    place: Place | None = None


def encode(kept: Kept, *, at: float) -> bytes:
    """`at` is the moment it was said, in seconds since 1970."""
    place = kept.place and [kept.place.piece, *kept.place.span]
    return json.dumps([FORM, kept.value, place, int(at)], separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Dated:
    """A verdict and the moment it was said, in seconds since 1970."""

    kept: Kept
    at: int


def decode(value: bytes) -> Dated | None:
    """None for what this version does not read."""
    try:
        said = json.loads(value)
    except (ValueError, RecursionError):
        return None
    match said:
        case [int(form), "pass", None, int(at)] if form == FORM:
            return Dated(Kept(value="pass"), at)
        case [int(form), "breach", place, int(at)] if form == FORM:
            return _breach(place, at)
    return None


def _breach(place: Any, at: int) -> Dated | None:
    match place:
        case None:
            return Dated(Kept(value="breach"), at)
        case [int(piece), int(start), int(end)] if piece >= 0 and 0 <= start < end:
            return Dated(Kept(value="breach", place=Place(piece=piece, span=(start, end))), at)
    return None
