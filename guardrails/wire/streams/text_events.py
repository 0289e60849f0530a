"""Event streams whose data are pieces of one plain text: the route's author has said so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Role
from guardrails.wire.sse import DONE, JSON_AS_TEXT, is_json_piece
from guardrails.wire.streams.event_reader import EventReader, LostError, frame_of, name_aside
from guardrails.wire.streams.frames import Frames, write_frame
from guardrails.wire.streams.model import StreamEvent
from guardrails.wire.streams.telling import Telling
from guardrails.wire.streams.text import PARAGRAPH

__all__ = ["TextEventReader"]


class TextEventReader(EventReader):
    """Joins the data of all events, with nothing between them. They have one name, which is told
    once, or none; a last `[DONE]` is no text."""

    def __init__(self, *, role: Role = "assistant") -> None:
        super().__init__(Frames())
        self._role: Role = role
        self._is_first = True
        self._name: str | None = None
        self._text: int | None = None
        """The part that is the text."""
        self._is_open = self._is_ended = False
        self._was_json = False
        """Whether the piece before was an object or a string of JSON."""
        self._is_unnamed = False
        """Whether the name was changed, and so is left out from there on."""

    def _told(self, telling: Telling, raw: bytes) -> None:
        frame = frame_of(telling, raw, first=self._is_first)
        telling.change = _Piece(self, frame.data)
        self._is_first = False
        if frame.data is None:
            return
        if frame.data == DONE:
            if frame.name != self._name:
                name_aside(telling, frame.name)
            telling.closes += self._open_parts()
            telling.ends = self._is_ended = True
            return
        if self._name is None:
            self._name = frame.name
            name_aside(telling, frame.name)
        if frame.name != self._name:
            raise WireFormatError("a stream with events of several names")
        if self._is_ended:
            raise WireFormatError("a text that goes on after its end")
        if frame.data.strip():  # a blank one is sent to keep the connection
            was_json, self._was_json = self._was_json, is_json_piece(frame.data)
            if was_json and self._was_json:
                raise LostError(JSON_AS_TEXT)
        if self._text is None:
            self._text = telling.open(Part(text="", role=self._role))
            self._is_open = True
        if frame.data:
            telling.say(self._text, frame.data, ())

    def _open_parts(self) -> Iterable[int]:
        was_open, self._is_open = self._is_open, False
        return (self._text,) if was_open and self._text is not None else ()

    def _written(self, event: StreamEvent, data: str | None, texts: Sequence[str] | None) -> bytes:
        """What stands beside a piece goes when anything changes."""
        is_other = self._is_unnamed and bool(self._name)
        for said, text in zip(event.says, texts or (), strict=texts is not None):
            if text == said.text:
                continue
            is_other = True
            if said.part == self._text:
                data = text
            elif said.text == self._name:
                self._is_unnamed = True
        if not is_other:
            return event.raw
        name = "" if self._is_unnamed else self._name or ""
        return write_frame(name, data) if data else b""

    def cut(self, text: str, *, released: bool) -> bytes:
        if self._is_over:
            return b""
        name = "" if self._is_unnamed else self._name or ""
        said = PARAGRAPH + text if released and text else text
        end = write_frame("", DONE) if self._is_ended else b""
        return (write_frame(name, said) if said else b"") + end

    def fail(self, status: int, message: str) -> bytes:
        """A text has no place for an error: who sends it breaks off."""
        return b""


class _Piece:
    """An event's own data, for writing it with another text."""

    __slots__ = ("_data", "_reader")

    def __init__(self, reader: TextEventReader, data: str | None) -> None:
        self._reader, self._data = reader, data

    def __call__(self, event: StreamEvent, texts: Sequence[str] | None) -> bytes:
        return self._reader._written(event, self._data, texts)  # its own other half
