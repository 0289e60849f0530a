"""A value with the texts that were found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from guardrails.errors import WireFormatError
from guardrails.exchange import Call, Part
from guardrails.wire.place import Place
from guardrails.wire.replies import reply_in_place_of
from guardrails.wire.walk import MAX_NODES, Walk

__all__ = ["Reading", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What there is to judge in a value. `parts` come in one order, whenever it is read. `calls`
    are the tool calls in it that are to be judged, where its format says what one is."""

    value: object = field(repr=False)
    parts: tuple[Part, ...] = field(repr=False)
    place: Place = field(repr=False)
    calls: tuple[Call, ...] = field(default=(), repr=False)

    def write(self, texts: Mapping[int, str]) -> object:
        """The value with these parts' texts replaced: of the same type, a new object where
        something changed, the very same one where nothing did. See `rewrite`."""
        return self.rewrite(texts).value

    def rewrite(self, texts: Mapping[int, str]) -> Reading:
        """As `write`, read again.

        A signed block whose text would change is left out whole; so is what pointed into a changed
        text, such as citations. What is left holds exactly the given texts and no other. Raises
        WireFormatError if the value's type cannot hold them or the value has changed meanwhile.
        """
        if not texts:
            return self
        writer = _Writer(self.parts, texts)
        written = read(_walked(self.value, self.place, writer), self.place)
        if not writer.wrote(written.parts):
            raise WireFormatError("the value's own class changes the text it is given")
        return written

    def reply(self, text: str, *, at: str | None = None) -> object:
        """The reply in the value's place, with none of its own text left. See `replies`."""
        return reply_in_place_of(self.value, text, at)


class _Reader:
    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.calls: list[Call] = []

    def see(self, part: Part, *, fixed: bool = False) -> str:
        self.parts.append(part)
        return part.text

    def called(self, name: str | None, arguments: object, mark: int) -> None:
        part = mark if len(self.parts) > mark else None
        self.calls.append(Call(name=name, arguments=arguments, part=part))

    def mark(self) -> int:
        return len(self.parts)

    def forget(self, mark: int) -> None:
        raise AssertionError("a reader changes nothing, so nothing is left out")


class _Writer:
    """Puts each text where it was read; `kept` are the texts that the value holds then, None where
    its own class computes one."""

    def __init__(self, parts: tuple[Part, ...], texts: Mapping[int, str]) -> None:
        self._parts, self._texts = parts, texts
        self._next = 0
        self.kept: list[str | None] = []

    def see(self, part: Part, *, fixed: bool = False) -> str:
        index, self._next = self._next, self._next + 1
        if index >= len(self._parts) or self._parts[index] != part:
            raise WireFormatError("the value changed while it was judged")
        text = self._texts.get(index, part.text)
        if index in self._texts and not part.readable:
            raise WireFormatError(f"{part.name} cannot be changed")
        if fixed and text != part.text:
            raise WireFormatError("what a class computes cannot be changed")
        self.kept.append(None if fixed else text)
        return text

    def called(self, name: str | None, arguments: object, mark: int) -> None:
        """Read anew when all is written."""

    def wrote(self, parts: tuple[Part, ...]) -> bool:
        """Whether these are the texts that should be there."""
        return len(parts) == len(self.kept) and all(
            kept is None or part.text == kept for part, kept in zip(parts, self.kept, strict=True)
        )

    def mark(self) -> int:
        return len(self.kept)

    def forget(self, mark: int) -> None:
        del self.kept[mark:]


def read(
    value: object, place: Place, *, most: int = MAX_NODES, longest: int | None = None
) -> Reading:
    """Read a value from a place on. Raises WireFormatError, which is TooManyValuesError if it
    holds more than `most` values, or JSON in a string of more than `longest` characters."""
    reader = _Reader()
    _walked(value, place, reader, most, longest)
    return Reading(value=value, parts=tuple(reader.parts), place=place, calls=tuple(reader.calls))


def _walked(
    value: object,
    place: Place,
    visitor: _Reader | _Writer,
    most: int = MAX_NODES,
    longest: int | None = None,
) -> object:
    try:
        return Walk(visitor, most=most, longest=longest).value(value, place)
    except RecursionError:
        raise WireFormatError("the value is nested too deeply to be read here") from None
