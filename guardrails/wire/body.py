"""Whole bodies with the texts in them: judged as parts, put back as bytes.

A body that nobody changes keeps its very bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast
from urllib.parse import parse_qsl, urlencode

from guardrails.errors import WireFormatError
from guardrails.exchange import Call, Part, Role
from guardrails.wire.place import Place
from guardrails.wire.pointer import Pointer, put
from guardrails.wire.reading import Reading, read
from guardrails.wire.shapes import Reads
from guardrails.wire.strict_json import AmbiguousError, dump_json
from guardrails.wire.values import read_value

__all__ = [
    "Body",
    "JoinedBody",
    "JsonBody",
    "OpaqueBody",
    "PairsBody",
    "PointedBody",
    "TextBody",
]

MOST_FIELDS = 1_000


class Body(ABC):
    """What all bodies have; `value` is the body itself, so that it is what a decision delivers."""

    __slots__ = ()

    data: bytes

    @property
    @abstractmethod
    def parts(self) -> tuple[Part, ...]: ...

    @property
    def calls(self) -> tuple[Call, ...]:
        """The tool calls in it, whole."""
        return ()

    @property
    def value(self) -> Self:
        return self

    @abstractmethod
    def rewrite(self, texts: Mapping[int, str]) -> Self:
        """The body with these parts' texts replaced. Raises WireFormatError if it cannot be."""


@dataclass(frozen=True, slots=True)
class TextBody(Body):
    """Plain text in one encoding."""

    data: bytes = field(repr=False)
    encoding: str
    role: Role

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(text=self.data.decode(self.encoding), role=self.role),)

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        if 0 not in texts:
            return self
        try:
            return replace(self, data=texts[0].encode(self.encoding))
        except UnicodeEncodeError:
            return replace(self, data=texts[0].encode("utf-8", "replace"), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class JsonBody(Body):
    """JSON, read by a shape or freely. `targets`: None leaves it to the shape which parts are to be
    judged, True makes all of them so."""

    data: bytes = field(repr=False)
    reading: Reading = field(repr=False)
    all_targets: bool = False
    _parts: tuple[Part, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = self.reading.parts
        object.__setattr__(self, "_parts", _as_targets(parts) if self.all_targets else parts)

    @classmethod
    def of(
        cls, data: bytes, *, role: Role, reads: Reads, document: Any, all_targets: bool = False
    ) -> JsonBody:
        """`document` is what the bytes hold, parsed."""
        return cls(data, read(document, Place(role=role, reads=reads)), all_targets)

    @property
    def document(self) -> Any:
        return self.reading.value

    @property
    def parts(self) -> tuple[Part, ...]:
        return self._parts

    @property
    def calls(self) -> tuple[Call, ...]:
        return self.reading.calls

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        if not texts:
            return self
        written = self.reading.rewrite(texts)
        return replace(self, data=dump_json(written.value), reading=written)


@dataclass(frozen=True, slots=True)
class PointedBody(Body):
    """JSON of which only what stands at some pointers is text: its author has said so."""

    data: bytes = field(repr=False)
    document: Any = field(repr=False)
    pointers: tuple[Pointer, ...]
    readings: tuple[Reading, ...] = field(repr=False)
    _parts: tuple[Part, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = [part for reading in self.readings for part in reading.parts]
        object.__setattr__(self, "_parts", _as_targets(parts))

    @classmethod
    def of(
        cls,
        data: bytes,
        document: Any,
        pointers: Sequence[Pointer],
        *,
        read_at: Callable[[Any], Reading],
    ) -> PointedBody:
        """`document` is what the bytes hold, parsed. Raises WireFormatError for a pointer that
        leads nowhere or to no text."""
        readings = []
        for pointer in pointers:
            reading = read_at(pointer.find(document))
            if not reading.parts:
                raise WireFormatError(f"there is no text at {pointer.text!r}")
            readings.append(reading)
        return cls(data, document, tuple(pointers), tuple(readings))

    @property
    def parts(self) -> tuple[Part, ...]:
        return self._parts

    @property
    def calls(self) -> tuple[Call, ...]:
        return _counted_on(self.readings)

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        if not texts:
            return self
        document, readings, first = self.document, [], 0
        for pointer, reading in zip(self.pointers, self.readings, strict=True):
            mine = _within(texts, first, len(reading.parts))
            first += len(reading.parts)
            written = reading.rewrite(mine)
            readings.append(written)
            if mine:
                document = put(document, pointer, written.value)
        return replace(self, data=dump_json(document), document=document, readings=tuple(readings))


@dataclass(frozen=True, slots=True)
class PairsBody(Body):
    """Names and values as a query or a form has them; both are text."""

    data: bytes = field(repr=False)
    reading: Reading = field(repr=False)

    @classmethod
    def of(cls, data: bytes, role: Role) -> PairsBody:
        """Raises AmbiguousError for what is not UTF-8 or has too many fields."""
        try:
            pairs = parse_qsl(
                data.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MOST_FIELDS,
            )
        except ValueError:
            raise AmbiguousError("the fields are not UTF-8, or are too many") from None
        return cls(data, read_value([list(pair) for pair in pairs], role=role))

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.reading.parts

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        if not texts:
            return self
        written = self.reading.rewrite(texts)
        pairs = [(str(name), str(value)) for name, value in cast("list[list[str]]", written.value)]
        data = urlencode(pairs, errors="replace").encode("ascii")
        return replace(self, data=data, reading=written)


@dataclass(frozen=True, slots=True)
class OpaqueBody(Body):
    """A body that nobody can read; `why` says so in words that hold no text of it."""

    data: bytes = field(repr=False)
    role: Role
    why: str

    @property
    def parts(self) -> tuple[Part, ...]:
        return (Part(text="", role=self.role, kind="opaque", name=self.why),)

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        if texts:
            raise WireFormatError("what nobody can read cannot be changed")
        return self


@dataclass(frozen=True, slots=True)
class JoinedBody(Body):
    """Several that are judged together, such as a request's query and its body."""

    bodies: tuple[Body, ...]
    _parts: tuple[Part, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = tuple(part for body in self.bodies for part in body.parts)
        object.__setattr__(self, "_parts", parts)

    @property
    def data(self) -> bytes:  # type: ignore[override]  # made of the others'
        return b"".join(body.data for body in self.bodies)

    @property
    def parts(self) -> tuple[Part, ...]:
        return self._parts

    @property
    def calls(self) -> tuple[Call, ...]:
        return _counted_on(self.bodies)

    def rewrite(self, texts: Mapping[int, str]) -> Self:
        written, first = [], 0
        for body in self.bodies:
            count = len(body.parts)
            written.append(body.rewrite(_within(texts, first, count)))
            first += count
        return replace(self, bodies=tuple(written))


def _as_targets(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(part if part.target else replace(part, target=True) for part in parts)


def _counted_on(some: Iterable[Body | Reading]) -> tuple[Call, ...]:
    """The calls of several, each with its parts' place among the parts of all."""
    calls: list[Call] = []
    first = 0
    for one in some:
        calls += (c if c.part is None else replace(c, part=c.part + first) for c in one.calls)
        first += len(one.parts)
    return tuple(calls)


def _within(texts: Mapping[int, str], first: int, count: int) -> dict[int, str]:
    """The texts of one reading among several, by its own indexes."""
    return {i - first: text for i, text in texts.items() if first <= i < first + count}
