"""OpenAI's responses as they come. Source: the SDK, 3.54.

Each text is said again when its part ends, when its item ends, and in the last event. What is said
there is held against what came in pieces, by a digest of it; anything else is a part of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Path
from guardrails.wire.asked import alternatives_asked, reply_place
from guardrails.wire.event_fields import (
    RESPONSE_DELTAS,
    RESPONSE_ECHOES,
    RESPONSE_ENDS,
    RESPONSE_IMAGE,
    RESPONSE_IMAGE_FIELDS,
    RESPONSE_OBJECTS,
    RESPONSE_PLACES,
    RESPONSE_SILENT,
    RESPONSE_TEXTS,
)
from guardrails.wire.logprobs import unsaid
from guardrails.wire.place import Place
from guardrails.wire.quiet import BASE64, IDENTIFIER, MOST_USED
from guardrails.wire.refusals import known_of
from guardrails.wire.shapes import ANNOTATION, BLOCKS, FREE, ITEMS, RESPONSE, Reads
from guardrails.wire.streams.finding import Found, find
from guardrails.wire.streams.json_events import JsonEventReader, Wording
from guardrails.wire.streams.model import StreamEvent
from guardrails.wire.streams.response_endings import ResponseClient
from guardrails.wire.streams.telling import MOST_PLACES, Json, Telling, fields, index

__all__ = ["ResponsesReader"]


@dataclass(frozen=True, slots=True)
class _Streamed:
    """A text that comes in pieces: in which items, and where."""

    items: frozenset[str]
    field: str
    within: str = ""
    """The list of the item in which the object with the field stands."""
    by: str = ""
    """The event's field that says where in the list."""


_MESSAGE, _REASONING = frozenset({"message"}), frozenset({"reasoning"})
_STREAMED: Mapping[str, _Streamed] = {
    "response.output_text": _Streamed(_MESSAGE, "text", "content", "content_index"),
    "response.refusal": _Streamed(_MESSAGE, "refusal", "content", "content_index"),
    "response.reasoning_text": _Streamed(_REASONING, "text", "content", "content_index"),
    "response.reasoning_summary_text": _Streamed(_REASONING, "text", "summary", "summary_index"),
    "response.function_call_arguments": _Streamed(frozenset({"function_call"}), "arguments"),
    "response.mcp_call_arguments": _Streamed(frozenset({"mcp_call"}), "arguments"),
    "response.custom_tool_call_input": _Streamed(frozenset({"custom_tool_call"}), "input"),
    "response.code_interpreter_call_code": _Streamed(frozenset({"code_interpreter_call"}), "code"),
}
_BY_DELTA = {f"{name}.delta": streamed for name, streamed in _STREAMED.items()}
_BY_DONE = {f"{name}.done": streamed for name, streamed in _STREAMED.items()}
_WITHIN = {"content": frozenset({"text", "refusal"}), "summary": frozenset({"text"})}
_OF_CALLS = {
    field: frozenset[str]().union(
        *(s.items for s in _STREAMED.values() if s.field == field and not s.within)
    )
    for field in ("arguments", "input", "code")
}
_KEY = "\0key"


@dataclass(slots=True)
class _Text:
    """A part by its place, and what was said of it."""

    key: int
    path: Path
    is_open: bool
    size: int = 0
    digest: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def add(self, text: str) -> None:
        self.size += len(text)
        self.digest.update(text.encode())

    def says(self, text: str) -> bool:
        if len(text) != self.size:
            return False
        same = hashlib.blake2b(text.encode(), digest_size=16)
        return same.digest() == self.digest.digest()


class ResponsesReader(JsonEventReader):
    """Reads a stream of `POST /v1/responses`. A reasoning item can be dropped: the items behind it
    move up, since the SDK counts them."""

    repeats: ClassVar[bool] = True

    def __init__(self, request: Json | None = None, *, declines: bool = False) -> None:
        super().__init__(request, declines=declines)
        self._asked: Json = request or {}
        self._alternatives = alternatives_asked(self._asked)
        self._texts: dict[Path, _Text] = {}
        self._open: dict[int, dict[Path, _Text]] = {}
        """Texts that are open, by their item."""
        self._items: dict[int, Place] = {}
        """Items of the output, and how what is in them is told."""
        self._types: dict[int, str] = {}
        self._item_id: object = None
        self._sealed: dict[int, int] = {}
        """Part → the signed item that it stands in."""
        self._signed: dict[int, int] = {}
        """Signed item → a part without text, so that nothing of it leaves before all may."""
        self._dropped: set[int] = set()
        self._retold: set[tuple[object, object]] = set()
        """Parts of messages whose text is another now: what points into them goes."""
        self._client = ResponseClient(self._asked)

    # -- reading -----------------------------------------------------------------------------

    def _tell(self, telling: Telling, name: str, data: Json) -> None:
        kind = data.get("type")
        if name and name != kind:
            raise WireFormatError("an event whose name and type differ")
        if type(kind) is not str:
            raise WireFormatError("an event or delta of an unknown type")
        if kind in RESPONSE_DELTAS:
            self._delta(telling, data, _BY_DELTA[kind])
        elif kind in RESPONSE_TEXTS:
            self._said_whole(telling, data, _BY_DONE[kind])
        elif kind in RESPONSE_OBJECTS:
            self._object(telling, data, kind)
        elif kind in RESPONSE_ECHOES or kind in RESPONSE_ENDS:
            self._response(telling, data, kind)
        elif kind == RESPONSE_IMAGE:
            self._image(telling, data)
        elif kind == "error" or RESPONSE_SILENT.fullmatch(kind):
            self._around(telling, data, "")
        else:
            raise WireFormatError("an event or delta of an unknown type")

    def _delta(self, telling: Telling, data: Json, streamed: _Streamed) -> None:
        said = data.get("delta")
        if type(said) is not str:
            raise WireFormatError("a delta without its text")
        path = self._path(data, streamed)
        text = self._texts.get(path) or self._opened(telling, path, streamed)
        if said:
            if not text.is_open:
                raise WireFormatError("a text that goes on after its end")
            text.add(said)
            fixed = text.key in self._sealed
            telling.say(text.key, said, None if fixed else ("delta",))
        self._around(telling, data, "delta", of=path)

    def _path(self, data: Json, streamed: _Streamed) -> Path:
        at = index(data, "output_index")
        if self._types.get(at) not in streamed.items:
            raise WireFormatError("a delta that does not fit its item")
        if not streamed.within:
            return ("output", at, streamed.field)
        return ("output", at, streamed.within, index(data, streamed.by), streamed.field)

    def _opened(self, telling: Telling, path: Path, streamed: _Streamed) -> _Text:
        inside = self._items[int(path[1])]
        part = Part(text="", role=inside.role, kind=inside.kind, name=inside.name, path=path)
        sealed = streamed.items is _REASONING
        return self._registered(
            telling, Found(part, fixed=sealed, json=streamed.field == "arguments", sealed=sealed)
        )

    def _said_whole(self, telling: Telling, data: Json, streamed: _Streamed) -> None:
        path, said = self._path(data, streamed), data.get(streamed.field)
        if type(said) is not str:
            raise WireFormatError("an event without its text")
        text = self._texts.get(path) or self._opened(telling, path, streamed)
        found = None if streamed.within else self._whole(path, streamed, said)
        self._said_again(telling, text, said, (streamed.field,), found)
        self._close(telling, text)
        self._around(telling, data, streamed.field, of=path)

    def _whole(self, path: Path, streamed: _Streamed, said: str) -> Found:
        """What a call is said to be made with, should it be another than came in pieces."""
        inside = self._items[int(path[1])]
        part = Part(text=said, role=inside.role, kind=inside.kind, name=inside.name, path=path)
        return Found(part, json=streamed.field == "arguments")

    def _object(self, telling: Telling, data: Json, kind: str) -> None:
        name = RESPONSE_OBJECTS[kind]
        value, at = fields(data, name), index(data, "output_index")
        path: Path = ("output", at)
        if name == "item":
            self._known_item(at, value, is_new=kind.endswith("added"))
            reads: Reads = ITEMS
        else:
            path, reads = self._place_in(data, kind, path)
        sealed = self._types[at] == "reasoning"
        place = Place(
            path=path,
            role="assistant",
            kind="thinking" if sealed else "text",
            reads=reads,
            alternatives=self._alternatives,
        )
        is_over = not kind.endswith("part.added") and not kind.endswith("item.added")
        if sealed and name == "item" and not is_over:
            part = Part(text="", role="assistant", kind="thinking", path=path)
            self._signed[at] = telling.open(part, whole=True, fixed=True)
        self._each(telling, value, place, (name,), is_over=is_over, sealed=sealed)
        if name == "item" and not is_over:
            self._open_call(telling, at)
        if is_over and name == "item" and (signed := self._signed.pop(at, None)) is not None:
            telling.close(signed)
        if is_over and name != "annotation":
            for text_path, text in list(self._open.get(at, {}).items()):
                if text_path[: len(path)] == path:
                    self._close(telling, text)
        self._around(telling, data, name)

    def _open_call(self, telling: Telling, at: int) -> None:
        """What a call says belongs to the event that names the tool, so that none leaves alone."""
        for streamed in _STREAMED.values():
            path = ("output", at, streamed.field)
            is_call = self._types[at] in streamed.items and not streamed.within
            if is_call and path not in self._texts:
                self._opened(telling, path, streamed)

    def _place_in(self, data: Json, kind: str, path: Path) -> tuple[Path, Reads]:
        if path[1] not in self._items:
            raise WireFormatError("a part that cannot be placed")
        if "summary" in kind:
            return (*path, "summary", index(data, "summary_index")), BLOCKS
        path = (*path, "content", index(data, "content_index"))
        if kind.endswith("annotation.added"):
            return (*path, "annotations", index(data, "annotation_index")), ANNOTATION
        return path, BLOCKS

    def _image(self, telling: Telling, data: Json) -> None:
        """Its item is a part that nobody can read, and stands for what is shown of it before."""
        at, (image, *others) = index(data, "output_index"), RESPONSE_IMAGE_FIELDS
        said = data.get(image)
        if self._types.get(at) != "image_generation_call" or type(said) is not str:
            raise WireFormatError("an image that cannot be placed")
        if not BASE64.passes(said):
            raise WireFormatError("an image that is none")
        for key in others:
            self._quiet(telling, data, key)
        left = {key: value for key, value in data.items() if key not in others}
        self._around(telling, left, image)

    def _known_item(self, at: int, item: Json, *, is_new: bool) -> None:
        shape, kind = ITEMS.of(item), str(item.get("type"))
        if at in self._items and (is_new or self._types[at] != kind):
            raise WireFormatError("an item that cannot be placed")
        place = Place(path=("output", at), role="assistant", reads=ITEMS)
        inside = place.within(shape, item) if shape else place
        if at in self._items and self._items[at].name != inside.name:
            raise WireFormatError("a call of two tools")  # its arguments are judged for one
        self._items[at] = inside
        self._types[at] = kind

    def _response(self, telling: Telling, data: Json, kind: str) -> None:
        response = fields(data, "response")
        self._known |= known_of(response)
        is_over = kind in RESPONSE_ENDS
        output = response.get("output")
        for at, item in enumerate(output if isinstance(output, list) else ()):
            if isinstance(item, dict):
                self._known_item(at, item, is_new=at not in self._items)
        top = reply_place(RESPONSE, response, self._asked)
        self._each(telling, response, top, ("response",), is_over=True)
        self._around(telling, data, "response")
        if is_over:
            telling.closes += self._open_parts()
            telling.ends = True

    def _each(
        self,
        telling: Telling,
        value: object,
        place: Place,
        spot: Path,
        *,
        is_over: bool,
        sealed: bool = False,
    ) -> None:
        """Tell of all texts in a value: those that were said before are said again. `sealed` says
        that it stands in something signed."""
        skip = len(place.path)
        for found in find(value, place):
            if sealed:
                found = replace(found, fixed=True, sealed=True)
            path = found.part.path
            where = None if found.fixed else (*spot, *path[skip:])
            by = (*path, _KEY) if found.names else path
            text = self._texts.get(by)
            if text is not None:
                if found.part.readable:
                    self._said_again(telling, text, found.part.text, where, found)
                continue
            if not is_over and not found.names and self._is_streamed(path):
                text = self._registered(telling, found)
                if found.part.text:
                    text.add(found.part.text)
                    telling.say(text.key, found.part.text, where)
            elif found.part.text or found.json or not found.part.readable:
                self._aside(telling, found, where, by)

    def _aside(self, telling: Telling, found: Found, spot: Path | None, by: Path | None) -> None:
        item = _item_of(found.part.path)
        within = self._signed.get(item) if found.sealed and item is not None else None
        key = telling.aside(found.part, spot, json=found.json, fixed=found.fixed, within=within)
        if found.sealed and item is not None:
            self._sealed[key] = item
        if by is not None:
            text = self._texts[by] = _Text(key, by, is_open=False)
            text.add(found.part.text)
            self._keep_few()

    def _registered(self, telling: Telling, found: Found) -> _Text:
        part = found.part
        whole = found.fixed or part.kind == "tool_call"
        item = _item_of(part.path)
        within = self._signed.get(item) if found.sealed and item is not None else None
        key = telling.open(part, whole=whole, json=found.json, fixed=found.fixed, within=within)
        if found.sealed and item is not None:
            self._sealed[key] = item
        text = self._texts[part.path] = _Text(key, part.path, is_open=True)
        self._open.setdefault(int(part.path[1]), {})[part.path] = text
        self._keep_few()
        return text

    def _keep_few(self) -> None:
        if len(self._texts) > MOST_PLACES:
            raise WireFormatError("a reply of more texts than are told apart here")

    def _said_again(
        self,
        telling: Telling,
        text: _Text,
        said: str,
        spot: Path | None,
        found: Found | None = None,
    ) -> None:
        fixed = text.key in self._sealed
        if text.says(said):
            if said:
                telling.say(text.key, said, None if fixed else spot, repeats=True)
        elif text.is_open and not text.size:
            text.add(said)  # a server that says it but once
            telling.say(text.key, said, None if fixed else spot)
        else:
            part = found.part if found else Part(text=said, role="assistant")
            json = found is not None and found.json
            held = fixed or (found is not None and found.fixed)
            item = self._sealed.get(text.key)
            within = None if item is None else self._signed.get(item)
            key = telling.aside(part, None if held else spot, json=json, fixed=held, within=within)
            if item is not None:
                self._sealed[key] = item

    def _is_streamed(self, path: Path) -> bool:
        """Whether deltas may add to the text at a path."""
        if len(path) == 3:
            at, name = path[1], path[2]
            items = _OF_CALLS.get(str(name), frozenset())
            return isinstance(at, int) and self._types.get(at) in items
        return len(path) == 5 and path[4] in _WITHIN.get(str(path[2]), ())

    def _close(self, telling: Telling, text: _Text) -> None:
        if text.is_open:
            text.is_open = False
            del self._open[int(text.path[1])][text.path]
            telling.close(text.key)

    def _open_parts(self) -> Iterable[int]:
        left = [text for texts in self._open.values() for text in texts.values()]
        for text in left:
            text.is_open = False
        self._open.clear()
        signed = list(self._signed.values())
        self._signed.clear()
        return [*signed, *(text.key for text in left), *self._unnamed.open_parts()]

    def _around(self, telling: Telling, data: Json, known: str, *, of: Path = ()) -> None:
        """The fields of an event beside the one that it is about; `of` is the text that it tells,
        or a piece of it."""
        for key, value in data.items():
            if key in ("type", known) or (value is None and IDENTIFIER.passes(key)):
                continue
            if key == "item_id":
                if value != self._item_id:
                    before = len(telling.opens)
                    self._quiet(telling, data, key)
                    self._item_id = value if len(telling.opens) == before else None
            elif key == "obfuscation":
                self._quiet(telling, data, key)
            elif key == "logprobs":
                if value:
                    self._logprobs(telling, value, str(data.get(known)), of)
            elif key not in RESPONSE_PLACES or type(value) is not int or abs(value) >= MOST_USED:
                if data["type"] == "error":  # which says it once
                    self._found(telling, {key: value}, _ASIDE, ())
                else:
                    self._unnamed.tell(telling, (), key, value)

    def _logprobs(self, telling: Telling, value: object, said: str, of: Path) -> None:
        """They are of what the event says. Others are left out: before or behind the text that they
        are of, they could tell a part of what is found in it."""
        if not of:
            raise WireFormatError("log-probabilities of no text")
        found = unsaid(value, said, self._alternatives)
        if not found:
            return
        if not found.is_like:
            raise WireFormatError("log-probabilities of another form")
        if not found.agrees:
            telling.drops.append(("logprobs",))
            return
        part = Part(text=found.others, role="assistant", path=(*of[:-1], "logprobs", 2))
        telling.aside(part, ("logprobs", 2))

    # -- writing -----------------------------------------------------------------------------

    def drop(self, key: int) -> bool:
        at = self._sealed.get(key)
        if at is None:
            return False
        self._dropped.add(at)
        return True

    def _is_gone(self, part: int) -> bool:
        return self._sealed.get(part) in self._dropped

    def _moved(self, data: Json) -> Json | None:
        if not self._dropped and not self._retold:
            return data
        at = data.get("output_index")
        if isinstance(at, int):
            pointed = data["type"].endswith("annotation.added")
            if at in self._dropped or (pointed and _part_at(data) in self._retold):
                return None
            up = self._up(at)
            return {**data, "output_index": at - up} if up else data
        response = data.get("response")
        output = response.get("output") if isinstance(response, dict) else None
        if not self._dropped or not isinstance(output, list) or not output:
            return data
        left = [item for place, item in enumerate(output) if place not in self._dropped]
        return {**data, "response": {**response, "output": left}}  # type: ignore[dict-item]

    def _up(self, at: int) -> int:
        return sum(gone < at for gone in self._dropped)

    def _settled(self, data: Json, changed: Iterable[Path]) -> Json | None:
        data.pop("obfuscation", None)
        if "content_index" in data:
            self._retold.add(_part_at(data))
        if data["type"] in RESPONSE_DELTAS:
            return data if data["delta"] else None
        return None if data["type"].endswith("annotation.added") else data

    # -- what is at the client -----------------------------------------------------------------

    def _was_sent(self, event: StreamEvent, wording: Wording) -> None:
        at = wording.data.get("output_index")
        up = self._up(at) if isinstance(at, int) else 0
        self._client.has(event, wording, up)

    def cut(self, text: str, *, released: bool) -> bytes:
        if self._is_over:
            return b""
        ending = self._client.ending(
            text, self._known, self._released, self._released_at, declines=self._declines
        )
        return b"".join(ending)

    def _released_at(self, path: Path) -> str:
        text = self._texts.get(path)
        return self._released.get(text.key, "") if text else ""

    def fail(self, status: int, message: str) -> bytes:
        return self._client.failure(status, message)


_ASIDE = Place(role="assistant", reads=FREE)


def _part_at(data: Json) -> tuple[object, object]:
    return data.get("output_index"), data.get("content_index")


def _item_of(path: Path) -> int | None:
    """The item of the output that a path leads into."""
    is_within = len(path) > 1 and path[0] == "output" and isinstance(path[1], int)
    return int(path[1]) if is_within else None
