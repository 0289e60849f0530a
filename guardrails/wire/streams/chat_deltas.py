"""What one delta of a choice of OpenAI's chat completions tells.

A field that no list names may be a text in pieces (`reasoning_content` is one of several that
vendors have made up), so every string of such a field is added to the one before. It ends where the
answer begins, for nothing of the answer could be released before; one that goes on is not read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from guardrails.errors import WireFormatError
from guardrails.exchange import Part, Path
from guardrails.wire.event_fields import CHAT_ONCE
from guardrails.wire.place import Place
from guardrails.wire.quiet import IDENTIFIER
from guardrails.wire.shapes import (
    ANNOTATION,
    CHAT_MESSAGE,
    FREE,
    FUNCTION,
    Choice,
    Reads,
    Shape,
)
from guardrails.wire.streams.telling import MOST_PLACES, Json, Telling, index
from guardrails.wire.walk import MAX_DEPTH

__all__ = ["ChatChoice", "Delta", "says_nothing"]

_CALLS = cast("Choice", CHAT_MESSAGE.reads["tool_calls"]).shapes
_CUSTOM = cast("Shape", _CALLS["custom"].reads["custom"])
_AUDIO = cast("Shape", CHAT_MESSAGE.reads["audio"])
_ARGUMENTS = {"function": ("arguments", FUNCTION), "custom": ("input", _CUSTOM)}
"""Type of a call → the field of its body that comes in pieces, and the body's shape."""

_CHANNELS = ("analysis", "commentary", "final")
"""Where OpenAI's open models say something; some vendors tell it with each delta."""

_UNLIKE = object()
"""Equal to nothing that could be said again."""

Find = Callable[[Telling, object, Place, Path], None]


@dataclass(slots=True)
class ChatChoice:
    """One of the replies that are told side by side. Paths lead from its message on."""

    open: dict[Path, int] = field(default_factory=dict)
    """Texts that come in pieces → their parts."""
    loose: set[Path] = field(default_factory=set)
    """Those of them that no list names."""
    ended: set[Path] = field(default_factory=set)
    once: dict[Path, object] = field(default_factory=dict)
    """What is said whole, and was."""
    told: dict[Path, int] = field(default_factory=dict)
    """The parts that some of it is: it may be said again."""
    calls: dict[int, str] = field(default_factory=dict)
    """Types of the tool calls, by their place."""
    has_unplaced_calls: bool = False
    """Whether calls came that do not say which they are: then no piece of another can be told."""
    text: int | None = None
    """The part that is its text, of a completion that is no chat's."""
    is_told_twice: bool = False
    """Whether such a text is the message's content, said again."""
    annotations: int = 0
    is_over: bool = False
    is_changed: bool = False

    def close(self) -> list[int]:
        """Close all parts."""
        parts = list(self.open.values())
        self.ended.update(self.open)
        self.open.clear()
        self.loose.clear()
        return parts


class Delta:
    """Tells of one delta: `path` leads to the message of the choice, `spot` to the delta in the
    data of its event."""

    __slots__ = ("_choice", "_find", "_path", "_spot", "_telling")

    def __init__(
        self, telling: Telling, choice: ChatChoice, path: Path, spot: Path, find: Find
    ) -> None:
        self._telling, self._choice, self._find = telling, choice, find
        self._path, self._spot = path, spot

    def field(self, key: str, value: object) -> None:
        """Raises WireFormatError for what cannot be placed."""
        if type(value) is str and key in ("content", "refusal"):
            if value and self._choice.loose:
                self._end_loose()
            self._add((key,), (key,), value)
        elif key == "tool_calls" and _are_indexed(value):
            for at, call in enumerate(cast("list[Json]", value)):
                self._call(call, (key, index(call)), (key, at))
        elif key == "function_call" and isinstance(value, dict):
            self._body(value, (key,), (key,), "function")
        elif key == "audio" and isinstance(value, dict):
            self._audio(value)
        elif key == "annotations" and isinstance(value, list):
            for at, annotation in enumerate(value):
                path = (key, self._choice.annotations)
                self._choice.annotations += 1
                self._whole(annotation, path, (key, at), ANNOTATION)
        elif (key == "role" and value == "assistant") or (key == "channel" and value in _CHANNELS):
            return
        elif key == "content" and isinstance(value, list):
            self._chunks(value)
        elif key in ("content", "refusal"):
            raise WireFormatError("a text that comes in pieces of lists")
        elif key == "tool_calls" and self._choice.has_unplaced_calls:
            raise WireFormatError("calls in pieces that cannot be placed")
        elif key in CHAT_MESSAGE.reads:
            self._choice.has_unplaced_calls |= key == "tool_calls"
            self._whole({key: value}, (), (), CHAT_MESSAGE)
        else:
            self._loose(value, (key,), (key,))

    # -- texts in pieces -----------------------------------------------------------------------

    def _chunks(self, chunks: list[object]) -> None:
        """Pieces of the content, and thoughts before it, as Mistral's models that reason tell them.
        Raises WireFormatError for anything else that stands there."""
        for at, chunk in enumerate(chunks):
            match chunk:
                case {"type": "text", "text": str(text), **rest} if not rest:
                    if text and self._choice.loose:
                        self._end_loose()
                    self._add(("content",), ("content", at, "text"), text)
                case {"type": "thinking", "thinking": list(thoughts), **rest} if not rest or (
                    rest.keys() == {"closed"} and isinstance(rest["closed"], bool)
                ):
                    for place, thought in enumerate(thoughts):
                        self._thought(thought, ("content", at, "thinking", place, "text"))
                case _:
                    raise WireFormatError("a text that comes in pieces of lists")

    def _thought(self, thought: object, spot: Path) -> None:
        match thought:
            case {"type": "text", "text": str(text), **rest} if not rest:
                path: Path = ("content", "thinking")
                self._add(path, spot, text)
                if path in self._choice.open:
                    self._choice.loose.add(path)
            case _:
                raise WireFormatError("a thought that is no text")

    def _add(
        self,
        path: Path,
        spot: Path,
        text: str,
        inside: Place | None = None,
        *,
        json: bool = False,
    ) -> None:
        choice = self._choice
        part = choice.open.get(path)
        if part is None:
            if choice.is_over or path in choice.ended:
                if text:
                    raise WireFormatError("a text that goes on after its end")
                return
            if not text and inside is None:
                return  # nothing yet: what else there is need not wait for its end
            whole = (*self._path, *path)
            made = Part(text="", role="assistant", path=whole)
            if inside is not None:
                made = Part(
                    text="", role=inside.role, kind=inside.kind, name=inside.name, path=whole
                )
            part = self._telling.open(made, whole=made.kind == "tool_call", json=json)
            choice.open[path] = part
            _keep_few(choice.open)
        if text:
            self._telling.say(part, text, (*self._spot, *spot))

    def _end_loose(self) -> None:
        choice = self._choice
        for path in choice.loose:
            self._telling.close(choice.open.pop(path))
        choice.ended |= choice.loose
        choice.loose.clear()
        _keep_few(choice.ended)

    def _loose(self, value: object, path: Path, spot: Path) -> None:
        """A field that no list names, or something in it."""
        if len(path) > MAX_DEPTH:
            raise WireFormatError("a delta that is nested too deeply")
        if self._is_first(path, None) and isinstance(path[-1], str):
            part = Part(text=path[-1], role="assistant", path=(*self._path, *path))
            self._telling.aside(part, fixed=True)
        if isinstance(value, str) and path[-1] in CHAT_ONCE:
            self._once(value, path, spot, FREE)
        elif isinstance(value, str):
            self._add(path, spot, value)
            if path in self._choice.open:
                self._choice.loose.add(path)
        elif isinstance(value, dict):
            for key, item in value.items():
                if item is not None or not says_nothing(key, None):
                    self._loose(item, (*path, key), (*spot, key))
        elif _are_indexed(value):
            for at, item in enumerate(cast("list[Json]", value)):
                rest = {key: held for key, held in item.items() if key != "index"}
                self._loose(rest, (*path, index(item)), (*spot, at))
        elif isinstance(value, list):
            for at, item in enumerate(value):
                self._unplaced(item, (*path, 0), (*spot, at))
        else:
            self._whole(value, path, spot, FREE)

    def _unplaced(self, value: object, path: Path, spot: Path) -> None:
        """One of a list that does not say which it is: what it says goes on in the next."""
        if isinstance(value, str):
            self._add(path, spot, value)
            if path in self._choice.open:
                self._choice.loose.add(path)
            return
        for key, item in value.items() if isinstance(value, dict) else ():
            if item is None and says_nothing(key, None):
                continue
            if key in CHAT_ONCE:
                self._whole({key: item}, path, spot, FREE)
            else:
                self._loose(item, (*path, key), (*spot, key))
        if not isinstance(value, dict):
            self._whole(value, path, spot, FREE)

    # -- what is said whole --------------------------------------------------------------------

    def _whole(
        self, value: object, path: Path, spot: Path, reads: Reads, inside: Place | None = None
    ) -> None:
        place = inside or Place(role="assistant")
        place = Place(
            path=(*self._path, *path),
            role=place.role,
            kind=place.kind,
            name=place.name,
            reads=reads,
        )
        self._find(self._telling, value, place, (*self._spot, *spot))

    def _once(
        self, value: object, path: Path, spot: Path, reads: Reads, inside: Place | None = None
    ) -> None:
        if not value:
            return
        told, by = self._choice.told, (*path, "")
        if not self._is_first(by, value):
            if by in told:
                where = (*self._spot, *spot)
                self._telling.say(told[by], str(value), where, repeats=True)
            return
        before = len(self._telling.opens)
        self._whole(value, path, spot, reads, inside)
        opened = self._telling.opens[before:]
        if len(opened) == 1 and isinstance(value, str):
            told[by] = opened[0].key
        elif opened:
            self._choice.once[by] = _UNLIKE

    def _is_first(self, path: Path, value: object) -> bool:
        """Whether it was not said before. Raises WireFormatError if something else was."""
        once = self._choice.once
        if path not in once:
            once[path] = value
            _keep_few(once)
            return True
        if once[path] != value:
            raise WireFormatError("a stream that names one thing twice")
        return False

    # -- tool calls, audio ---------------------------------------------------------------------

    def _call(self, call: Json, path: Path, spot: Path) -> None:
        if self._choice.loose:
            self._end_loose()
        place = index(call)
        calls = self._choice.calls
        if place not in calls:
            said = call.get("type") or ("custom" if "custom" in call else "function")
            if not isinstance(said, str) or said not in _ARGUMENTS:
                raise WireFormatError("a call of an unknown type")
            calls[place] = said
            _keep_few(calls)
        kind = calls[place]
        for key, value in call.items():
            if key == "index" or (value is None and says_nothing(key, None)):
                continue
            below, where = (*path, key), (*spot, key)
            if key == kind and isinstance(value, dict):
                self._body(value, below, where, kind)
            elif key in ("id", "type"):
                self._once(value, below, where, IDENTIFIER)
            else:
                self._loose(value, below, where)

    def _body(self, body: Json, path: Path, spot: Path, kind: str) -> None:
        """What a call says: its name, and the arguments in pieces."""
        name, (streamed, shape) = body.get("name"), _ARGUMENTS[kind]
        known = self._choice.once.get((*path, "name", ""))
        inside = Place(role="assistant").within(shape, {"name": name or known})
        if name and name == known:  # SDKs would add it to the one before
            self._telling.drops.append((*self._spot, *spot, "name"))
        elif name is not None:
            self._once(name, (*path, "name"), (*spot, "name"), FREE, inside)
        said = body.get(streamed)
        text = said if isinstance(said, str) else ""
        below, where = (*path, streamed), (*spot, streamed)
        self._add(below, where, text, inside, json=kind == "function")
        for key, value in body.items():
            if key == "name" or (key == streamed and text is said):
                continue
            if value is None and says_nothing(key, None):
                continue
            self._loose(value, (*path, key), (*spot, key))

    def _audio(self, audio: Json) -> None:
        for key, value in audio.items():
            path = ("audio", key)
            if value is None and says_nothing(key, _AUDIO):
                continue
            if key == "transcript" and isinstance(value, str):
                self._add(path, path, value)
            elif key in _AUDIO.unreadable:
                if self._is_first(path, None):
                    self._whole({key: value}, ("audio",), ("audio",), _AUDIO)
            elif key in _AUDIO.reads:
                self._once(value, path, path, _AUDIO.reads[key])
            else:
                self._loose(value, path, path)


def says_nothing(name: str, shape: Shape | None) -> bool:
    """Whether the name of a field in which nothing stands is no text: the shape's, or one word."""
    is_known = shape is not None and (name in shape.reads or name in shape.unreadable)
    return is_known or IDENTIFIER.passes(name)


def _are_indexed(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and isinstance(item.get("index"), int) for item in value
    )


def _keep_few(kept: dict[Path, int] | dict[Path, object] | dict[int, str] | set[Path]) -> None:
    if len(kept) > MOST_PLACES:
        raise WireFormatError("a reply of more fields than are told apart here")
