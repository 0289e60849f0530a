"""What readers tell of a stream, whatever its format: parts that open, say and close.

A part is one text, as `exchange.Part` has it, that comes in pieces. An event is the smallest piece
of a stream that can be sent; the events' bytes, joined, are the body.

Who holds back does four things. It holds an event until what the event says may be sent; one that
opens a part which is `whole`, until that part is closed and judged. It sends `event.write(texts)`,
also where the event's own texts did not change, for what stood before it may have; while nothing
was changed or dropped, that is `event.raw`. It tells the reader what it has sent. And it leaves a
part out with `drop` or not at all if the part is `fixed`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from guardrails.exchange import Kind, Path, Role

__all__ = ["Change", "PartHead", "Said", "StreamEvent", "StreamReader"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartHead:
    """What is known of a part when it opens.

    `key` numbers the parts from 0 in the order in which they appear. `path` is where the text
    stands in the reply that the stream adds up to; empty for what stands beside it.
    """

    key: int
    role: Role
    kind: Kind = "text"
    name: str | None = None
    path: Path = field(default=(), repr=False)  # keys may be text of the user's
    whole: bool = False
    """Judged once it is closed: a tool's arguments, what is signed, and asides. A refusal is said
    like a text, piece by piece."""
    json: bool = False
    """The text is JSON, to be judged as whoever parses it reads it."""
    fixed: bool = False
    """It cannot be rewritten: only delivered, or left out by `StreamReader.drop`."""
    within: int | None = None
    """The key of the part that it is left out with: what opened that one is held for both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A piece of a part. With `repeats` it is the whole text of the part, said again: what shall
    stand there is what was released of the part."""

    part: int
    text: str = field(repr=False)
    repeats: bool = False


Change = Callable[["StreamEvent", Sequence[str] | None], bytes]
"""Writes an event with other texts; None for its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """A piece of the body: `raw` is its very bytes. `ends` is the provider's own end of a whole
    reply."""

    raw: bytes = field(repr=False)
    opens: tuple[PartHead, ...] = ()
    says: tuple[Said, ...] = ()
    closes: tuple[int, ...] = ()
    ends: bool = False
    change: Change | None = field(default=None, repr=False, compare=False)

    def write(self, texts: Sequence[str] | None = None) -> bytes:
        """The event with these texts in the place of `says`, one each. Empty if nothing of it is
        left to say, or if it belongs to a part that was dropped. What depends on a text
        (log-probabilities, citations, annotations) goes when the text changes.

        Raises WireFormatError if a text cannot stand there.
        """
        return self.raw if self.change is None else self.change(self, texts)


class StreamReader(Protocol):
    """Reads one body."""

    @property
    def repeats(self) -> bool:
        """Whether what was released of each text must be kept, for the stream says it again. Else
        it may be empty if the text changed: a name that each piece of a call has."""

    @property
    def unread(self) -> str:
        """Why some of what came cannot be read, in words that hold no text of it; else empty."""

    @property
    def can_refuse(self) -> bool:
        """Whether `cut` has a form of this stream's own."""

    def feed(self, data: bytes) -> list[StreamEvent]:
        """What these bytes complete."""

    def close(self) -> list[StreamEvent]:
        """What the end of the body completes. Parts that are open are closed."""

    def sent(self, event: StreamEvent, text_of: Mapping[int, str]) -> None:
        """Say that an event went out as `write` made it. `text_of` is what was released so far of
        each part; it is read when the stream is cut, not kept up here."""

    def drop(self, key: int) -> bool:
        """Leave out, whole, what a fixed part stands in: from now on `write` gives nothing for its
        events, and what comes after moves up. False if that cannot be done."""

    def cut(self, text: str, *, released: bool) -> bytes:
        """How the stream ends here instead: the text, then the provider's own way to end a reply
        that was stopped, so that its SDK reads a normal refusal. If nothing was sent, that is a
        whole refusal. `released` says whether any text went out before it; then it begins a
        paragraph of its own."""

    def fail(self, status: int, message: str) -> bytes:
        """An error in the format's own shape inside a stream; empty if it has none."""
