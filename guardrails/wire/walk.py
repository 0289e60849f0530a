"""One way through a value: the same steps read its texts and put changed ones back.

A `Walk` shows every text to a visitor, in a fixed order, and builds the value again from what the
visitor answers. What did not change stays the very same object; nothing is changed in place.
"""

from __future__ import annotations

import dataclasses
import datetime
import io
import re
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from enum import Enum
from pathlib import PurePath
from types import EllipsisType, NoneType
from typing import Any, Protocol

from pydantic import AnyUrl, BaseModel
from pydantic_core import MultiHostUrl, TzInfo, Url

from guardrails.errors import WireFormatError
from guardrails.exchange import ATTACHED, Kind, Part
from guardrails.wire import embedded, numerals, rebuild
from guardrails.wire.logprobs import Logprobs, unsaid
from guardrails.wire.place import Place
from guardrails.wire.quiet import IDENTIFIER, Encoded, Quiet
from guardrails.wire.shapes import FREE, As, Choice, Json, Reads, Shape, sdk_reads

__all__ = [
    "MAX_DEPTH",
    "MAX_NODES",
    "TooManyValuesError",
    "Visitor",
    "Walk",
    "is_name",
]

MAX_DEPTH = 100
MAX_NODES = 100_000

AT_A_GLANCE = 1_000_000
"""Characters of an attachment that are looked through in a millisecond or two; who cannot wait for
more says so by reading fewer values than may be read."""

PLAIN_NUMBERS = frozenset({int, float, bool, NoneType})
WITHOUT_TEXT = (
    NoneType,
    bool,
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
    datetime.timezone,
    zoneinfo.ZoneInfo,
    TzInfo,
    uuid.UUID,
    range,
    EllipsisType,
)
"""Types whose values hold no text. A class made of one of them may hold anything."""

TEXTLESS = frozenset(WITHOUT_TEXT)
ZONES = (NoneType, datetime.timezone, zoneinfo.ZoneInfo, TzInfo)
ZONE_NAME = re.compile(r"[A-Za-z0-9_+:/-]{0,40}")

SPELLED = (PurePath, Url, MultiHostUrl, AnyUrl)
"""Their text is `str(value)`, and they can be made from a text."""

RAW = (bytes, bytearray, io.IOBase)
"""What the SDKs encode themselves."""


class TooManyValuesError(WireFormatError):
    """The value holds more values, or longer JSON in a string, than may be read."""


class _Dropped:
    """Stands for what is left out."""


_DROPPED = _Dropped()


class Visitor(Protocol):
    """Sees every part, in order."""

    def see(self, part: Part, *, fixed: bool = False) -> str:
        """What shall stand where the part's text stands. A `fixed` text changes only with others,
        by itself."""

    def called(self, name: str | None, arguments: object, mark: int) -> None:
        """A tool call that is to be judged; its parts are those seen since the mark."""

    def mark(self) -> int:
        """How many parts are kept so far."""

    def forget(self, mark: int) -> None:
        """Keep none of the parts seen since: what holds them is left out."""


class Walk:
    """One way through one value. Raises WireFormatError for what is too deep, too large, or
    contains itself; and, when texts change, for what cannot hold the changed text.

    `most` is how many values it may hold, `longest` how many characters the JSON in a string."""

    def __init__(
        self, visitor: Visitor, *, most: int = MAX_NODES, longest: int | None = None
    ) -> None:
        self._visitor = visitor
        self._most = most
        self._longest = longest
        self._nodes = 0
        self._open: set[int] = set()
        self._callers: dict[str, str | None] = {}
        """What identifies a tool call → its tool; None where one id stands for two tools."""

    def value(self, value: object, at: Place) -> object:
        """The value with the visitor's texts in it."""
        seen = self._value(value, at)
        if seen is _DROPPED:
            raise WireFormatError("a signed block that stands alone cannot be changed")
        return seen

    def _value(self, value: object, at: Place) -> object:
        if isinstance(at.reads, As):
            at = at.as_said(at.reads)
        self._count()
        cls = type(value)
        if cls is str:  # what bodies are made of comes first
            return self._string(value, value, at)  # type: ignore[arg-type]  # as just found
        if cls is dict or cls is list:
            return self._container(value, at)
        if value is None or cls is bool:
            return value
        if cls in TEXTLESS:
            return self._textless(value, at)
        if numerals.is_number(value):
            return self._number(value, at)
        if isinstance(value, Enum):
            return self._member(value, at)
        if isinstance(value, str):
            text = rebuild.text_of(value)
            if text is None or dataclasses.is_dataclass(value):
                return self._opaque(value, at, type(value).__name__)
            return self._string(value, text, at)
        if isinstance(value, SPELLED):
            return self._changed(value, str(value), at)
        if isinstance(at.reads, Encoded) and isinstance(value, RAW):
            return value
        return self._container(value, at)

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > self._most:
            raise TooManyValuesError(f"the value holds more than {self._most:,} values")

    def _string(self, value: str, text: str, at: Place) -> object:
        if isinstance(at.reads, Quiet):
            if len(text) > AT_A_GLANCE and self._most < MAX_NODES:
                raise TooManyValuesError(f"a text in it has more than {AT_A_GLANCE:,} characters")
            if at.reads.passes(text):
                return value
        if isinstance(at.reads, Json):
            self._keep_short(text)
            data = embedded.parse(text)
            if data is not None:
                seen = self._container(data, replace(at, reads=FREE))
                return value if seen is data else embedded.write(seen)
            if embedded.hides_words(text):
                return self._opaque(value, at, "JSON that cannot be parsed")
        return self._changed(value, text, at)

    def _keep_short(self, text: str) -> None:
        """What is parsed takes many times its length."""
        if self._longest is not None and len(text) > self._longest and embedded.is_json(text):
            raise TooManyValuesError(f"JSON in it is longer than {self._longest:,} characters")

    def _changed(self, value: Any, text: str, at: Place) -> object:
        seen = self._visitor.see(self._part(text, at), fixed=at.fixed)
        return value if seen == text else rebuild.from_text(value, seen)

    def _textless(self, value: Any, at: Place) -> object:
        """Its type has no text; but a zone may have a name of its own, and a range has numbers."""
        if type(value) is range:
            for number in (value.start, value.stop, value.step):
                self._number(number, replace(at, fixed=True))
            return value
        zone = value if isinstance(value, datetime.tzinfo) else getattr(value, "tzinfo", None)
        if type(zone) in ZONES and ZONE_NAME.fullmatch("" if zone is None else str(zone)):
            return value
        return self._opaque(value, at, type(value).__name__)

    def _number(self, value: Any, at: Place) -> object:
        """A long number may be a card's. A tool's arguments may hold another one, or a text."""
        if isinstance(at.reads, Quiet) and abs(value) < at.reads.most:
            return value
        text = numerals.text_of(value)
        if text is None:
            return self._opaque(value, at, f"a {type(value).__name__} of too many digits")
        if not (at.numbers and numerals.has_digits(text)) and not numerals.is_long(value, text):
            return value
        seen = self._visitor.see(self._part(text, at), fixed=at.fixed)
        if seen == text:
            return value
        if not at.numbers:
            raise WireFormatError(f"a {type(value).__name__} cannot hold the changed text")
        return numerals.number_or_text(seen)

    def _member(self, value: Enum, at: Place) -> Enum:
        held = [value.value]
        if value._value_ is not held[0]:
            held.append(value._value_)
        if isinstance(value, str) and str.__str__(value) != held[0]:
            held.append(str.__str__(value))
        for old in held:
            if self._value(old, at) is not old:
                raise WireFormatError(f"a member of {type(value).__name__} cannot be changed")
        return value

    def _opaque(self, value: object, at: Place, name: str) -> object:
        """Something nobody can read. It can only go on as it is."""
        if name in ATTACHED:  # a class or a field of the application's own, called like one
            name = f"{name} of another kind"
        self._visitor.see(replace(self._part("", at), kind="opaque", name=name), fixed=at.fixed)
        return value

    def _attached(self, value: object, at: Place, name: str) -> object:
        kind: Kind = "image" if ATTACHED[name] == "image" else "opaque"
        self._visitor.see(replace(self._part("", at), kind=kind, name=name), fixed=at.fixed)
        return value

    def _part(self, text: str, at: Place) -> Part:
        return Part(
            text=text, role=at.role, kind=at.kind, target=at.target, name=at.name, path=at.path
        )

    def _container(self, value: object, at: Place) -> object:
        if id(value) in self._open:
            raise WireFormatError(f"a {type(value).__name__} contains itself")
        if len(self._open) >= MAX_DEPTH:
            raise WireFormatError(f"the value is nested more than {MAX_DEPTH} levels deep")
        self._open.add(id(value))
        try:
            return self._inside(value, at)
        finally:
            self._open.discard(id(value))

    def _inside(self, value: object, at: Place) -> object:
        if type(value) is dict:
            return self._object(value, value, at, value.keys(), rebuild.mapping)
        if type(value) is list:
            return self._items(value, at)
        if rebuild.has_attributes_of_its_own(value) or not rebuild.shows_what_it_holds(value):
            return self._opaque(value, at, type(value).__name__)
        if isinstance(value, BaseModel):
            extra = value.__pydantic_extra__ or {}
            if at.reads is FREE:
                at = replace(at, reads=sdk_reads(type(value)))
            fields = {**rebuild.fields_of(value), **extra}
            seen = self._object(value, fields, at, extra.keys(), rebuild.model)
            self._computed(value, at)
            return seen
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = rebuild.fields_of(value)
            return self._object(value, fields, at, frozenset(), rebuild.dataclass)
        if isinstance(value, Mapping):
            return self._object(value, value, at, value.keys(), rebuild.mapping)
        if isinstance(value, rebuild.SEQUENCES):
            return self._items(value, at)
        return self._opaque(value, at, type(value).__name__)

    def _computed(self, value: BaseModel, at: Place) -> None:
        """What a model computes goes out with its fields, and changes with them."""
        for name in type(value).model_computed_fields:
            below = replace(at.below(name, 0, FREE), fixed=True)
            try:
                made = getattr(value, name)
            except Exception:  # a class of the application's own may raise anything
                self._opaque(value, below, name)
            else:
                self.value(made, below)

    def _items(self, value: Any, at: Place) -> object:
        seen = [
            self._value(item, at.below(position, position, at.reads))
            for position, item in enumerate(value)
        ]
        if all(new is old for new, old in zip(seen, value, strict=True)):
            return value
        return rebuild.sequence(value, [item for item in seen if item is not _DROPPED])

    def _object(
        self,
        value: object,
        fields: Mapping[Any, object],
        at: Place,
        told: AbstractSet[Any],
        build: Callable[[Any, Mapping[Any, tuple[Any, object]]], object],
    ) -> object:
        """`told` are the keys that came with the value and so are text themselves; the others are
        its class's own words."""
        shape = at.reads.of(fields) if isinstance(at.reads, Choice) else at.reads
        if shape is None:
            return self._opaque(value, at, "content of an unknown type")
        if not isinstance(shape, Shape):
            changes = self._free(fields, at, told)
        elif shape.opaque:
            return self._opaque(value, at.within(shape, fields), str(fields["type"]))
        else:
            mark = self._visitor.mark()
            inside = self._answering(at.within(shape, fields), shape, fields)
            if shape.attached and not shape.unreadable:
                self._attached(value, inside, shape.attached)
            changes = self._shaped(fields, inside, shape, told)
            if shape.kind == "tool_call":
                self._called(inside, shape, fields, mark)
            if changes and shape.sealed:
                self._visitor.forget(mark)
                return _DROPPED
        return build(value, changes) if changes else value

    def _answering(self, at: Place, shape: Shape, fields: Mapping[Any, object]) -> Place:
        """A result names the call that it answers, and so the tool that gave it."""
        id = fields.get(shape.answers) if shape.answers else None
        if not isinstance(id, str) or shape.names:
            return at
        return replace(at, name=self._callers.get(id))

    def _called(self, at: Place, shape: Shape, fields: Mapping[Any, object], mark: int) -> None:
        """Remember whose result will answer this call, and show it whole if it is to be judged."""
        if at.call is not None:
            known = self._callers.setdefault(at.call, at.name)
            if known != at.name:
                self._callers[at.call] = None
        if not at.target:
            return
        name = shape.called or (fields.get(shape.names) if shape.names else None)
        arguments: object = {key: fields[key] for key in shape.inputs if key in fields}
        if shape.arguments is not None:
            arguments = fields.get(shape.arguments)
        self._visitor.called(name if isinstance(name, str) else None, arguments, mark)

    def _free(
        self, fields: Mapping[Any, object], at: Place, told: AbstractSet[Any]
    ) -> dict[Any, tuple[Any, object]]:
        """What becomes of each field that changes: its key and its value."""
        changes: dict[Any, tuple[Any, object]] = {}
        reads = at.reads if isinstance(at.reads, Quiet) else FREE
        for position, (key, old) in enumerate(fields.items()):
            is_known = key not in told or (reads is not FREE and is_name(key, reads))
            if is_known and reads is not FREE and key in told and _says_nothing(old, reads):
                self._count()
                continue
            below = at.below(key, position, reads)
            name = key
            if not is_known:
                name = self.value(key, below if reads is FREE else at.below(key, position, FREE))
            new = self.value(old, below)
            if name is not key or new is not old:
                changes[key] = (name, new)
        return changes

    def _shaped(
        self, fields: Mapping[Any, object], at: Place, shape: Shape, told: AbstractSet[Any]
    ) -> dict[Any, tuple[Any, object]]:
        changes: dict[Any, tuple[Any, object]] = {}
        derived = shape.derived
        first = (
            {key: old for key, old in fields.items() if key not in derived} if derived else fields
        )
        for position, (key, old) in enumerate(first.items()):
            if key in shape.silent:
                continue
            reads = shape.reads.get(key)
            if old is None and (
                reads is not None or key in shape.unreadable or is_name(key, IDENTIFIER)
            ):
                continue  # of any other the name is judged
            if reads is None and key not in shape.unreadable:
                changes |= self._free({key: old}, at, told)
                continue
            if reads is not None and _says_nothing(old, reads):  # most fields
                self._count()
                continue
            below = at.below(key, position, reads or FREE)
            if reads is not None:
                new = self.value(old, below)
            elif shape.attached:
                new = self._attached(old, below, shape.attached)
            else:
                new = self._opaque(old, below, key)
            if new is not old:
                changes[key] = (key, new)
        if derived:
            changes |= self._derived(fields, at, shape, changed=bool(changes))
        return changes

    def _derived(
        self, fields: Mapping[Any, object], at: Place, shape: Shape, *, changed: bool
    ) -> dict[Any, tuple[Any, object]]:
        """What repeats the text or points into it goes when the text has changed."""
        changes: dict[Any, tuple[Any, object]] = {}
        for position, (key, make) in enumerate(shape.derived.items()):
            old = fields.get(key)
            if not old:
                continue
            mark = self._visitor.mark()
            reads = shape.reads.get(key)
            if isinstance(reads, Logprobs):
                new = self._unsaid(old, at.below(key, position, FREE), reads, fields)
            else:
                new = old if reads is None else self.value(old, at.below(key, position, reads))
            if changed or new is not old:
                self._visitor.forget(mark)
                changes[key] = (key, make())
        return changes

    def _unsaid(
        self, value: object, at: Place, reads: Logprobs, beside: Mapping[Any, object]
    ) -> object:
        """What log-probabilities say that the text beside them does not. None where that has
        changed."""
        found = unsaid(value, reads.said(beside), at.alternatives)
        if not found:
            return value
        same = True
        for number, text in enumerate((found.tokens, found.raw, found.others)):
            if text:
                below = at.below(number, number, FREE)
                same &= self._visitor.see(self._part(text, below), fixed=at.fixed) == text
        if not found.is_like:
            same &= self.value(value, at) is value
        return value if same else None


def _says_nothing(value: object, reads: Reads) -> bool:
    """Whether a plain value stands where no text is expected, and holds none: to be seen at a
    glance, without going through it."""
    if not isinstance(reads, Quiet):
        return False
    if type(value) is str:
        return len(value) <= AT_A_GLANCE and reads.passes(value)
    if type(value) is int or type(value) is float:
        return -reads.most < value < reads.most
    return value is None or type(value) is bool


def is_name(key: object, reads: Reads) -> bool:
    """Whether the name of a field says nothing where no text is expected."""
    return isinstance(reads, Quiet) and isinstance(key, str) and reads.knows(str.__str__(key))
