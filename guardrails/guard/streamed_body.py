"""A streamed body between whoever writes it and whoever reads it: bytes in, what may leave out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from guardrails.errors import WireFormatError
from guardrails.exchange import Part
from guardrails.guard.outbox import Leaving, Outbox
from guardrails.guard.reply import StreamedReply
from guardrails.pipeline.so_far import Head
from guardrails.telemetry import log
from guardrails.wire.streams.model import PartHead, StreamEvent, StreamReader

__all__ = ["StreamedBody"]

AT_ONCE = 16_384
"""Bytes that are read before others get their turn."""


class StreamedBody:
    """`feed` what comes and `close` at its end; both give what may be sent on.

    The reply's decision is there before its last event is given. It `is_over` once nothing more
    will be sent; where the reply was stopped, `ending` is how the stream ends then. `most_held`
    bounds the bytes that wait, `most` all that come.
    """

    def __init__(
        self,
        reply: StreamedReply,
        reader: StreamReader,
        *,
        most_held: int,
        most: int | None = None,
    ) -> None:
        self.reply = reply
        self._reader = reader
        self._box = Outbox[StreamEvent]()
        self._left = _Left(self._box)
        self._most_held, self._most = most_held, most
        self._came = 0
        self._held = 0
        self._has_closed = self._has_ended = False
        self.is_changed = False
        """Whether what leaves is anything but what came."""

    @property
    def unread(self) -> str:
        """Why some of it could not be read, in words that hold no text of it; else empty."""
        return self._reader.unread

    @property
    def is_over(self) -> bool:
        return self.reply.stopped or (self._has_closed and self.reply.decision is not None)

    async def feed(self, data: bytes) -> bytes:
        """Raises AuditError: then nothing more may be sent."""
        if self.is_over:
            return b""
        self._came += len(data)
        if self._most is not None and self._came > self._most:
            self.reply.refuse("format.readable")
            return await self._leaving()
        sent = await self._taken(self._reader.feed(data[:AT_ONCE]))
        for at in range(AT_ONCE, len(data), AT_ONCE):
            await asyncio.sleep(0)  # others get their turn: there may be thousands of events in it
            if not self.is_over:
                sent += await self._taken(self._reader.feed(data[at : at + AT_ONCE]))
        return sent

    async def close(self) -> bytes:
        """As `feed`, at the end of what comes."""
        if self.is_over:
            return b""
        events = self._reader.close()
        for event in events:
            self._take(event)
        self._has_closed = True
        self._end()
        return await self._leaving()

    def failure(self, status: int, message: str) -> bytes:
        """An error in the format's own shape within a stream; empty if it has none."""
        return self._reader.fail(status, message)

    def ending(self, *, status: int | None) -> bytes:
        """How a stream that was stopped ends: with the decision's reply, or as the trouble that a
        status tells of, where the format has a shape for that."""
        decision = self.reply.decision
        text = "" if decision is None else decision.text
        if status is not None and (failure := self._reader.fail(status, text)):
            return failure
        return self._reader.cut(text, released=self.reply.has_left)

    # -- what comes ---------------------------------------------------------------------------

    async def _taken(self, events: list[StreamEvent]) -> bytes:
        for event in events:
            self._take(event)
            if event.ends:
                self._end()
        return await self._leaving()

    def _end(self) -> None:
        """The reply is complete; what comes still may say nothing."""
        self._has_ended = True
        self.reply.end()
        self._box.end()

    def _take(self, event: StreamEvent) -> None:
        if self._has_ended and (event.opens or event.says):
            log.warning("a stream went on after its end; what it said then is left out")
            return
        closes = () if self._has_ended else event.closes  # of what was left out, there is none
        for head in event.opens:
            number = self.reply.open(_head(head))
            if number != head.key:
                raise WireFormatError("parts that are not counted one by one")
            self._box.open(number, is_repeated=self._reader.repeats, within=head.within)
        for said in event.says:
            if not said.repeats:
                self.reply.say(said.part, said.text)
        for key in closes:
            self.reply.shut(key)
        self._box.put(
            event,
            [(said.part, said.text, said.repeats) for said in event.says],
            whole=[head.key for head in event.opens if head.whole or head.fixed],
            shuts=closes,
        )
        self._held += len(event.raw)
        if self._held > self._most_held:
            self.reply.refuse("format.readable")

    # -- what leaves --------------------------------------------------------------------------

    async def _leaving(self) -> bytes:
        sent: list[bytes] = []
        more = True
        while more:
            releases = await self.reply.step()
            more = releases is not None
            for release in releases or ():
                if release.is_dropped and not self._reader.drop(release.number):
                    self.reply.refuse("format.readable")
            self._box.let_go(releases or ())
            sent += [self._sent(leaving) for leaving in self._box.take()]
        if self.reply.stopped and (rest := self._box.remains()) is not None:
            sent.append(self._sent(rest))
        await self.reply.stop()
        return b"".join(sent)

    def _sent(self, leaving: Leaving[StreamEvent]) -> bytes:
        event = leaving.item
        self._held -= len(event.raw)
        for number, text in leaving.new.items():
            self.reply.left(number, text)
        made = event.write(leaving.texts)
        self.is_changed |= made is not event.raw
        if made or not event.raw:
            self._reader.sent(event, self._left)
        return made


class _Left(Mapping[int, str]):
    """What has left of each text that the stream says again."""

    def __init__(self, box: Outbox[StreamEvent]) -> None:
        self._box = box

    def __getitem__(self, number: int) -> str:
        return self._box.left(number)

    def __iter__(self) -> Iterator[int]:
        return iter(self._box.numbers)

    def __len__(self) -> int:
        return len(self._box.numbers)


def _head(head: PartHead) -> Head:
    part = Part(text="", role=head.role, kind=head.kind, name=head.name, path=head.path)
    return Head(part=part, is_whole=head.whole, is_json=head.json, is_fixed=head.fixed)
