"""Reading what a caller hands over, by its stage, into texts that can be judged and put back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from guardrails.errors import WireFormatError
from guardrails.exchange import Call, Kind, Part, Role
from guardrails.pipeline.calls import calls_in
from guardrails.pipeline.engine import Content
from guardrails.verdict import Stage
from guardrails.wire import rebuild
from guardrails.wire.body import Body
from guardrails.wire.messages import conversation_form, is_content, read_messages
from guardrails.wire.place import NAME, Place
from guardrails.wire.reading import Reading, read
from guardrails.wire.shapes import BLOCKS, FREE, JSON_TEXT
from guardrails.wire.walk import MAX_NODES, TooManyValuesError

__all__ = ["Parts", "ToolCall", "plain_text", "read_content", "read_prompt", "texts_of"]

INLINE_VALUES = 2_000
"""More values than these take some milliseconds to read, which would hold up the loop."""

INLINE_JSON = 50_000
"""So does JSON in a string of more characters."""

MAX_CHARS = 1_000_000

_PLACES: Mapping[Stage, tuple[Role, Kind]] = {
    Stage.INPUT: ("user", "text"),
    Stage.OUTPUT: ("assistant", "text"),
    Stage.TOOL_CALL: ("assistant", "tool_call"),
    Stage.TOOL_RESULT: ("tool", "tool_result"),
    Stage.RETRIEVAL: ("tool", "document"),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts that the caller has made: they come back as they came, as parts. What they are called
    is judged after them, if it is more than a name, and cannot be changed."""

    value: Sequence[Part] = field(repr=False)

    @property
    def parts(self) -> tuple[Part, ...]:
        named = (part for part in self.value if part.name and not NAME.fullmatch(part.name))
        names = (replace(part, text=part.name or "", name=None) for part in named)
        return (*self.value, *names)

    @property
    def calls(self) -> tuple[Call, ...]:
        return calls_in(self.value)

    def rewrite(self, texts: Mapping[int, str]) -> Parts:
        if any(index >= len(self.value) for index in texts):
            raise WireFormatError("a part's name cannot be changed")
        changed = [
            replace(part, text=texts[index]) if index in texts else part
            for index, part in enumerate(self.value)
        ]
        return Parts(tuple(changed) if isinstance(self.value, tuple) else changed)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool's name with its arguments: a mapping, or the JSON that a model wrote. `free`: they are
    one text of no form, which rules know as the argument `input`."""

    name: str
    arguments: object = field(repr=False)
    free: bool = False


async def read_content(value: object, stage: Stage, max_chars: int = MAX_CHARS) -> Content:
    """The texts of a value at a stage, those of a large one off the loop. JSON in a string of more
    than `max_chars` is not parsed, for it could not be judged. Raises WireFormatError for what is
    too deep, too large or contains itself."""
    try:
        return _read(value, stage, INLINE_VALUES, min(INLINE_JSON, max_chars))
    except TooManyValuesError:
        return await asyncio.to_thread(_read, value, stage, MAX_NODES, max_chars)


def _read(value: object, stage: Stage, most: int, longest: int) -> Content:
    try:
        return _content(value, stage, most, longest)
    except WireFormatError:
        raise
    except Exception as error:  # a class of the application's own may raise anything
        raise WireFormatError(
            f"a {type(value).__name__} cannot be read: {type(error).__name__}"
        ) from None


def _content(value: object, stage: Stage, most: int, longest: int) -> Content:
    if isinstance(value, Body):
        return value
    role, kind = _PLACES[stage]
    if _are_parts(value):
        return _parts(value)  # type: ignore[arg-type]  # as just found
    if stage is Stage.TOOL_CALL:
        return _read_call(value, most, longest)
    if stage is Stage.INPUT and conversation_form(value) is not None:
        return read_messages(value, most=most, longest=longest)
    reads = BLOCKS if is_content(value) else FREE
    return read(value, Place(role=role, kind=kind, reads=reads), most=most, longest=longest)


def _parts(value: Sequence[Part]) -> Parts:
    """Raises WireFormatError for what no critic could read as it is."""
    for part in value:
        for text in (part.text, "" if part.name is None else part.name):
            if not isinstance(text, str) or rebuild.text_of(text) is None:
                raise WireFormatError(f"a part of {type(text).__name__} instead of text")
    return Parts(value)


@dataclass(frozen=True, slots=True)
class _CallContent:
    """A tool call: its name, which cannot be changed, and all that its arguments say."""

    name: str | None
    arguments: object = field(repr=False)
    reading: Reading = field(repr=False)
    free: bool = False

    @property
    def calls(self) -> tuple[Call, ...]:
        given = {"input": self.arguments} if self.free else self.arguments
        return (Call(name=self.name, arguments=given, part=0 if self.parts else None),)

    @property
    def value(self) -> object:
        return self.arguments

    @property
    def parts(self) -> tuple[Part, ...]:
        if self.name is None:
            return self.reading.parts
        called = Part(text=self.name, role="assistant", kind="tool_call", name=self.name)
        return (called, *self.reading.parts)

    def rewrite(self, texts: Mapping[int, str]) -> _CallContent:
        if not texts:
            return self
        ahead = 0 if self.name is None else 1
        if ahead and 0 in texts:
            raise WireFormatError("a tool's name cannot be changed")
        written = self.reading.rewrite({index - ahead: text for index, text in texts.items()})
        return _CallContent(self.name, written.value, written, self.free)


def _read_call(value: object, most: int, longest: int) -> _CallContent:
    call = value if isinstance(value, ToolCall) else None
    arguments = call.arguments if call else value
    name = call.name if call else None
    place = Place(role="assistant", kind="tool_call", name=name, reads=JSON_TEXT)
    reading = read(arguments, place, most=most, longest=longest)
    return _CallContent(name, arguments, reading, call is not None and call.free)


async def read_prompt(value: object, max_chars: int = MAX_CHARS) -> tuple[Part, ...]:
    """What came before, only to help judging: nothing if nobody says, and an empty part if somebody
    says that it was nothing. Raises WireFormatError as `read_content` does."""
    if value is None:
        return ()
    content = await read_content(value, Stage.INPUT, max_chars)
    return tuple(part.as_context() for part in content.parts) or (Part(text="", target=False),)


def plain_text(content: Content | None) -> str:
    """The judged texts, one after the other."""
    if content is None:
        return ""
    parts = content.value if isinstance(content, Parts) else content.parts
    return "\n".join(part.text for part in parts if part.target)


def texts_of(content: Content | None) -> list[str]:
    """All texts that go out with a content, for its digest. A tool's name is judged and stays."""
    if isinstance(content, _CallContent):
        content = content.reading
    return [] if content is None else [part.text for part in content.parts]


def _are_parts(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and isinstance(next(iter(value), None), Part)
        and all(isinstance(item, Part) for item in value)
    )
