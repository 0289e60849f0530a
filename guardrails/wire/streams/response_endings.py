"""What a client of OpenAI's responses was told so far, and how the stream ends there instead.

The last event says the whole reply again: what was released of it, and the reply that is said in
the place of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from guardrails.exchange import Path
from guardrails.wire.asked import is_as_asked
from guardrails.wire.event_fields import RESPONSE_ECHOES
from guardrails.wire.event_replies import RESPONSES, item_events, part_ends
from guardrails.wire.quiet import Quiet
from guardrails.wire.refusals import is_quiet, openai_error, openai_response, response_declined
from guardrails.wire.shapes import RESPONSE
from guardrails.wire.sse import write_events
from guardrails.wire.streams.frames import write_frame
from guardrails.wire.streams.json_events import Wording
from guardrails.wire.streams.model import StreamEvent
from guardrails.wire.streams.telling import Json, put
from guardrails.wire.strict_json import dump_json

__all__ = ["ResponseClient"]

Released = Mapping[int, str]


@dataclass(slots=True)
class _Part:
    type: str
    is_open: bool = True


@dataclass(slots=True)
class _Item:
    """An item of the output, by the event that told it last."""

    event: StreamEvent
    wording: Wording
    is_open: bool = True
    parts: dict[int, _Part] = field(default_factory=dict)


class ResponseClient:
    """The state of one client."""

    def __init__(self, asked: Json) -> None:
        self._asked = asked
        self._base: Json | None = None
        """What the client knows of the response; None before it knows anything."""
        self._number = -1
        self._items: dict[int, _Item] = {}
        self._up: dict[int, int] = {}

    def has(self, event: StreamEvent, wording: Wording, up: int) -> None:
        """It was sent an event, whose item stands `up` places higher than in the event's data."""
        data = wording.data
        kind = data.get("type")
        number = data.get("sequence_number")
        self._number = number if isinstance(number, int) else self._number + 1
        if kind in RESPONSE_ECHOES:
            self._base = _base_of(data["response"], self._asked)
        at = data.get("output_index")
        if not isinstance(at, int):
            return
        if kind == "response.output_item.added":
            self._items[at] = _Item(event, wording)
            self._up[at] = up
        elif kind == "response.output_item.done":
            self._items[at] = _Item(event, wording, is_open=False)
            self._up[at] = up
        elif kind == "response.content_part.added" and at in self._items:
            self._items[at].parts[data["content_index"]] = _Part(str(data["part"].get("type")))
        elif kind == "response.content_part.done" and at in self._items:
            name = str(data["part"].get("type"))
            self._items[at].parts[data["content_index"]] = _Part(name, is_open=False)

    def failure(self, status: int, message: str) -> bytes:
        error = openai_error(status, message)["error"]
        told = {"code": error["code"], "message": message, "param": None}
        return self._event("error", **told)

    def ending(
        self,
        text: str,
        known: Mapping[str, Any],
        released: Released,
        released_at: Callable[[Path], str],
        *,
        declines: bool,
    ) -> Iterator[bytes]:
        """Events that say the text and end the stream."""
        reply = openai_response(text, known)
        if declines:
            response_declined(reply, text)
        if self._base is None:
            yield write_events(RESPONSES.emit(reply))
            return
        output: list[Json] = []
        for at, item in sorted(self._items.items()):
            place = at - self._up[at]
            if item.is_open:
                made = yield from self._closed(at, place, item, released, released_at)
            else:
                made = _item_as_sent(item, released)
            output.append(made)
        if text:
            [said] = reply["output"]
            for kind, told in item_events(len(output), said):
                yield self._event(kind, **told)
            output.append(said)
        ended = {**self._base, **reply, "output": output}
        kind = "response.completed" if declines else "response.incomplete"
        yield self._event(kind, response=ended)

    def _closed(
        self,
        at: int,
        place: int,
        item: _Item,
        released: Released,
        released_at: Callable[[Path], str],
    ) -> Generator[bytes, None, Json]:
        """Ends an item that is open, and returns it."""
        made = _item_as_sent(item, released)
        if "status" in made:
            made["status"] = "incomplete"
        if made.get("type") == "message":
            content = made["content"] = []
            for number, part in sorted(item.parts.items()):
                name = "refusal" if part.type == "refusal" else "text"
                said = released_at(("output", at, "content", number, name))
                more: Json = {} if name == "refusal" else {"annotations": []}
                content.append({"type": part.type, name: said, **more})
                where = {"item_id": made.get("id"), "output_index": place, "content_index": number}
                if part.is_open:
                    for kind, told in part_ends(content[-1], where):
                        yield self._event(kind, **told)
        yield self._event("response.output_item.done", output_index=place, item=made)
        return made

    def _event(self, kind: str, **told: Any) -> bytes:
        self._number += 1
        data = {"type": kind, "sequence_number": self._number, **told}
        return write_frame(kind, dump_json(data).decode())


def _base_of(response: Json, asked: Json) -> Json:
    """What holds no text, and the request's own words."""
    return {
        key: value
        for key, value in response.items()
        if (key in RESPONSE.silent and is_as_asked(key, response, asked))
        or (isinstance(reads := RESPONSE.reads.get(key), Quiet) and is_quiet(value, reads))
    }


def _item_as_sent(item: _Item, released: Released) -> Json:
    changes: dict[Path, str] = {}
    for said, spot in zip(item.event.says, item.wording.spots, strict=True):
        text = released.get(said.part, "")
        if spot and text != said.text:
            changes[spot] = text
    return dict(put(item.wording.data, changes)["item"])
