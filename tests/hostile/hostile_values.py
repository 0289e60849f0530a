"""Values that were made to break what walks through them: id → a maker that hides a text in one.

`READ` hold the text where a careful reader finds it. `UNREADABLE` hold it, or could, where nobody
can. `WITHOUT_TEXT` hold none.
"""

from __future__ import annotations

import array
import asyncio
import collections
import datetime
import decimal
import enum
import fractions
import io
import math
import pathlib
import re
import threading
import types
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, make_dataclass
from typing import Any, NamedTuple

from pydantic import (
    AnyUrl,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    RootModel,
    SecretStr,
    computed_field,
)

__all__ = ["MESSAGES", "READ", "UNREADABLE", "WITHOUT_TEXT", "TwoFaced"]

Make = Callable[[str], Any]
CHARACTER: Any = "w" if "w" in array.typecodes else "u"
"""What an array of characters is made with: "w" since Python 3.13, which takes leave of "u"."""
DEEP = 10_000
MANY = 1_000_000


# -- strings that lie ------------------------------------------------------------------------------


class PlainSubclass(str):
    """Nothing but a name of its own."""


class LiesAboutItself(str):
    """Says something harmless of itself wherever it is asked."""

    def __str__(self) -> str:
        return "harmless"

    def __repr__(self) -> str:
        return "harmless"

    def __format__(self, spec: str) -> str:
        return "harmless"

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[str]:
        return iter("harmless")

    def __contains__(self, item: object) -> bool:
        return False

    def __getitem__(self, key: object) -> str:
        return "harmless"[key]  # type: ignore[index]

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"harmless"

    def isascii(self) -> bool:
        return True


class RaisesInStr(str):
    def __str__(self) -> str:
        raise RuntimeError("no string today")

    def __repr__(self) -> str:
        raise RuntimeError("no string today")


class RaisesEverywhere(str):
    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("not today")

    __eq__ = __ne__ = __len__ = __iter__ = __contains__ = __getitem__ = _refuse  # type: ignore[assignment]
    __hash__ = str.__hash__
    encode = isascii = strip = lstrip = startswith = _refuse  # type: ignore[assignment]


def word(text: str) -> Any:
    return enum.Enum("Word", {"ONE": text})["ONE"]


def str_word(text: str) -> Any:
    return enum.Enum("StrWord", {"ONE": text}, type=str)["ONE"]


def renamed_word(text: str) -> Any:
    """A member whose `value` says something else than it holds."""

    class Renamed(enum.StrEnum):
        ONE = text

        @property
        def value(self) -> str:  # type: ignore[override]
            return "harmless"

    return Renamed.ONE


# -- dicts and lists that lie ----------------------------------------------------------------------


class LyingDict(dict[str, Any]):
    """Hides its items from all but those who ask as JSON does."""

    def items(self) -> Any:
        return {}.items()

    def keys(self) -> Any:
        return {}.keys()

    def values(self) -> Any:
        return {}.values()

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return False


class RaisingDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items today")

    __iter__ = keys = values = items  # type: ignore[assignment]


class LyingList(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0


class RaisingList(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("no items today")


class EndlessList(list[Any]):
    """Never comes to its end."""

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield "more"


class LyingTuple(tuple[Any, ...]):
    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class TwoFaced(Mapping[str, Any]):
    """Harmless the first time it is looked at."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.looked = 0

    def __getitem__(self, key: str) -> str:
        self.looked += 1
        return "harmless" if self.looked == 1 else self.text

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


class RaisingMapping(Mapping[str, Any]):
    def __init__(self, text: str) -> None:
        self.text = text

    def __getitem__(self, key: str) -> str:
        raise LookupError("gone")

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


class OwnAttributes(dict[str, Any]):
    """Keeps its text beside its items."""


def dict_with_attribute(text: str) -> Any:
    made = OwnAttributes(a="b")
    made.text = text  # type: ignore[attr-defined]
    return made


class MissingDict(dict[str, Any]):
    """Makes up what it has not."""

    def __missing__(self, key: str) -> str:
        return "made up"


# -- objects ---------------------------------------------------------------------------------------


class Bare:
    def __init__(self, text: str) -> None:
        self.text = text


class Hostile:
    """Raises at every touch."""

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "text", text)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("do not touch")

    __str__ = __repr__ = __eq__ = __bool__ = __len__ = __iter__ = __getattr__ = _refuse  # type: ignore[assignment]
    __hash__ = __format__ = __getitem__ = __contains__ = _refuse  # type: ignore[assignment]


class ClassLiar:
    """Claims to be a string."""

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return str

    def __str__(self) -> str:
        return self.text


class ClassRaises:
    def __init__(self, text: str) -> None:
        object.__setattr__(self, "text", text)

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no class today")


class DictLiar:
    """Claims to be a dict."""

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return dict


class ModelLiar:
    """Claims to be a pydantic model."""

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return BaseModel


class Slots:
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Exits(BaseException):
    """As SystemExit, which would end the tests themselves."""


class ExitsInRepr:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        raise Exits


@dataclass
class Note:
    text: str
    more: Any = None


@dataclass(frozen=True, slots=True)
class FrozenNote:
    text: str


@dataclass
class RaisingProperty:
    text: str

    @property
    def other(self) -> str:
        raise RuntimeError("no property today")


class _Raising:
    """A field's value that raises when it is read."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise RuntimeError("no field today")

    def __set__(self, instance: object, value: object) -> None:
        instance.__dict__["hidden"] = value


def raising_field(text: str) -> Any:
    made = make_dataclass("RaisingField", ["text"])
    made.text = _Raising()  # type: ignore[attr-defined]
    return made(text)


@dataclass
class InnerField:
    """Its text is in a field that nobody passes."""

    shown: str = "harmless"
    inner: str = field(default="", init=False, repr=False)


def not_in_init(text: str) -> Any:
    made = InnerField()
    made.inner = text
    return made


class Pair(NamedTuple):
    one: str
    two: Any


class Model(BaseModel):
    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)
    text: str = ""
    more: Any = None


class Aliased(BaseModel):
    text: str = Field(alias="Text")


class Computed(BaseModel):
    inner: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def text(self) -> str:
        raise RuntimeError("no computed field today")


class Counted(BaseModel):
    """Its text is nowhere but in what it computes."""

    inner: Any = Field(exclude=True)

    def __init__(self, **fields: Any) -> None:
        super().__init__(inner=None)
        self._text = fields["inner"]

    _text: str = PrivateAttr(default="")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def text(self) -> list[str]:
        return [self._text]


class OwnInt(int):
    text = ""


class OwnDate(datetime.date):
    text = ""


def int_with_attribute(text: str) -> Any:
    made = OwnInt(1)
    made.text = text
    return made


def date_with_attribute(text: str) -> Any:
    made = OwnDate(1, 1, 1)
    made.text = text
    return made


class OwnZone(datetime.tzinfo):
    def __init__(self, text: str) -> None:
        self.text = text

    def tzname(self, moment: object) -> str:
        return self.text

    def utcoffset(self, moment: object) -> datetime.timedelta:
        return datetime.timedelta(0)

    dst = utcoffset


@dataclass
class DictNote(dict[str, Any]):
    text: str


@dataclass
class ListNote(list[Any]):
    text: str


class _NoArguments(tuple[Any, ...]):
    def __new__(cls, *_: Any) -> Any:
        return super().__new__(cls)


@dataclass
class TupleNote(_NoArguments):
    text: str


class _Harmless(str):
    def __new__(cls, *_: Any) -> Any:
        return super().__new__(cls, "harmless")


@dataclass
class StrNote(_Harmless):
    text: str

    __str__ = str.__str__
    __repr__ = str.__repr__
    __hash__ = str.__hash__


def dataclass_with_attribute(text: str) -> Any:
    made = Note("harmless")
    made.__dict__["beside"] = text
    return made


def model_with_attribute(text: str) -> Any:
    made = Secretless(text="harmless")
    made.__dict__["beside"] = text
    return made


class Secretless(BaseModel):
    text: str


class ReprRaises(BaseModel):
    text: str

    def __repr__(self) -> str:
        raise RuntimeError("no repr today")

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparing today")

    __hash__ = None  # type: ignore[assignment]


class Secretive(BaseModel):
    text: SecretStr


class Texts(RootModel[list[str]]):
    pass


class Selfish(BaseModel):
    text: str = ""
    me: Any = None


def model_in_itself(text: str) -> Any:
    made = Selfish(text=text)
    made.me = made
    return made


def models_in_a_circle(text: str) -> Any:
    first, second = Selfish(text=text), Selfish()
    first.me, second.me = [second], {"a": first}
    return first


def note_in_itself(text: str) -> Any:
    made = Note(text)
    made.more = [made]
    return made


def list_in_itself(text: str) -> Any:
    made: list[Any] = [text]
    made.append(made)
    return made


def dict_in_itself(text: str) -> Any:
    made: dict[str, Any] = {"text": text}
    made["me"] = made
    return made


def circle_of_a_hundred(text: str) -> Any:
    first: list[Any] = [text]
    last = first
    for _ in range(100):
        last.append([])
        last = last[-1]
    last.append(first)
    return first


def deep_list(text: str) -> Any:
    made: Any = text
    for _ in range(DEEP):
        made = [made]
    return made


def deep_dict(text: str) -> Any:
    made: Any = text
    for _ in range(DEEP):
        made = {"a": made}
    return made


def deep_models(text: str) -> Any:
    made: Any = text
    for _ in range(1_000):
        made = Selfish.model_construct(me=made)
    return made


def deep_json(text: str) -> Any:
    return '{"a":' * DEEP + '"' + text + '"' + "}" * DEEP


def doubling(text: str) -> Any:
    """Small in memory, 2^60 values to walk through."""
    made: Any = [text]
    for _ in range(60):
        made = [made, made]
    return made


def many_keys(text: str) -> Any:
    return {**dict.fromkeys(range(MANY), 0), "last": text}


def at_depth(levels: int) -> Make:
    def make(text: str) -> Any:
        made: Any = text
        for level in range(levels):
            made = [made] if level % 2 else {"a": made}
        return made

    return make


def among(count: int) -> Make:
    return lambda text: ["fine"] * count + [text] + ["fine"] * count


def message(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


READ: dict[str, Make] = {
    "text": str,
    "str-subclass": PlainSubclass,
    "str-that-raises-everywhere": RaisesEverywhere,
    "list": lambda text: ["fine", text],
    "tuple": lambda text: ("fine", text),
    "named-tuple": lambda text: Pair("fine", text),
    "set": lambda text: {"fine", text},
    "frozenset": lambda text: frozenset({"fine", text}),
    "deque": lambda text: collections.deque(["fine", text], maxlen=2),
    "dict-value": lambda text: {"a": text},
    "dict-key": lambda text: {text: 1},
    "dict-key-in-a-tuple": lambda text: {("a", text): 1},
    "dict-key-frozenset": lambda text: {frozenset({text}): 1},
    "dict-keys-of-many-types": lambda text: {1: "a", None: "b", 1.5: text, b"x"[0]: "c"},
    "ordered-dict": lambda text: collections.OrderedDict(a=text),
    "default-dict": lambda text: collections.defaultdict(list, a=[text]),
    "counter": lambda text: collections.Counter([text]),
    "missing-dict": lambda text: MissingDict(a=text),
    "mapping-proxy": lambda text: types.MappingProxyType({"a": text}),
    "chain-map": lambda text: collections.ChainMap({"a": 1}, {"b": text}),
    "user-dict": lambda text: collections.UserDict(a=text),
    "dataclass": Note,
    "dataclass-frozen-slots": FrozenNote,
    "dataclass-nested": lambda text: Note("fine", [Note("fine", {"a": Note(text)})]),
    "dataclass-whose-property-raises": RaisingProperty,
    "dataclass-field-not-in-init": not_in_init,
    "model": lambda text: Model(text=text),
    "model-extra": lambda text: Model(extra_field=text),
    "model-extra-key": lambda text: Model(**{text: 1}),
    "model-nested": lambda text: Model(more={"a": [Model(text=text)]}),
    "model-aliased": lambda text: Aliased(Text=text),
    "model-whose-repr-raises": lambda text: ReprRaises(text=text),
    "model-constructed": lambda text: Model.model_construct(text=[text]),
    "model-root": lambda text: Texts(["fine", text]),
    "enum": word,
    "enum-of-str": str_word,
    "enum-in-a-list": lambda text: [word(text)],
    "enum-as-a-key": lambda text: {word(text): 1},
    "enum-whose-value-lies": renamed_word,
    "enum-of-lists": lambda text: enum.Enum("Words", {"ONE": ["fine", text]})["ONE"],
    "enum-of-tuples": lambda text: [enum.Enum("Words", {"ONE": ("a", {"b": text})})["ONE"]],
    "enum-of-dataclasses": lambda text: enum.Enum("Notes", {"ONE": FrozenNote(text)})["ONE"],
    "model-computed": lambda text: Counted(inner=text),
    "path": lambda text: pathlib.PurePosixPath("/tmp") / text,
    "url": lambda text: AnyUrl("http://a.example/" + text),
    "depth-50": at_depth(50),
    "depth-95": at_depth(95),
    "among-1000": among(1_000),
    "among-20000": among(20_000),
    "empty-strings-around": lambda text: [""] * 100 + [text] + [""] * 100,
    "message": lambda text: [message(text)],
    "message-blocks": lambda text: [message([{"type": "text", "text": text}])],
    "message-unknown-field": lambda text: [message("hi", note=text)],
    "message-name": lambda text: [message("hi", name=text)],
    "message-tool-arguments": lambda text: [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a": "' + text + '"}'},
                }
            ],
        }
    ],
    "request": lambda text: {"model": "m", "messages": [message("hi"), message(text)]},
    "request-unknown-field": lambda text: {"model": "m", "messages": [message("hi")], "x": text},
    "request-input": lambda text: {"model": "m", "input": text},
    "json-escapes": lambda text: {"a": "".join(f"{c}" for c in text)},
    "nulls-around": lambda text: [None, None, [None, {"a": None, "b": text}]],
}

UNREADABLE: dict[str, Make] = {
    "str-that-lies": LiesAboutItself,
    "str-that-lies-in-a-list": lambda text: [LiesAboutItself(text)],
    "str-that-lies-as-a-key": lambda text: {LiesAboutItself(text): 1},
    "str-that-raises": RaisesInStr,
    "str-that-raises-in-a-dict": lambda text: {"a": RaisesInStr(text)},
    "bytes": str.encode,
    "bytearray": lambda text: bytearray(text.encode()),
    "memoryview": lambda text: memoryview(text.encode()),
    "array": lambda text: array.array(CHARACTER, text),
    "bytes-in-a-dict": lambda text: {"a": text.encode()},
    "bytes-as-a-key": lambda text: {text.encode(): 1},
    "generator": lambda text: (piece for piece in [text]),
    "iterator": lambda text: iter([text]),
    "map": lambda text: map(str, [text]),
    "dict-view": lambda text: {"a": text}.values(),
    "object": Bare,
    "object-in-a-list": lambda text: ["fine", Bare(text)],
    "object-hostile": Hostile,
    "object-hostile-in-a-dict": lambda text: {"a": Hostile(text)},
    "object-slots": Slots,
    "object-that-exits": ExitsInRepr,
    "object-that-claims-to-be-a-dict": DictLiar,
    "object-that-claims-to-be-a-str": ClassLiar,
    "object-that-claims-to-be-a-model": ModelLiar,
    "object-whose-class-raises": ClassRaises,
    "class": lambda text: type("Named", (), {"__doc__": text}),
    "model-class": lambda text: Model,
    "function": lambda text: lambda: text,
    "module": lambda text: types.ModuleType("named", text),
    "exception": ValueError,
    "simple-namespace": lambda text: types.SimpleNamespace(text=text),
    "string-io": io.StringIO,
    "user-string": collections.UserString,
    "user-list": lambda text: collections.UserList([text]),
    "pattern": lambda text: re.compile(re.escape(text)),
    "lock": lambda text: threading.Lock(),
    "weak-reference": lambda text: weakref.ref(Bare),
    "event": lambda text: asyncio.Event(),
    "model-computed-raises": lambda text: Computed(inner="harmless"),
    "huge-int": lambda text: 10**100_000,
    "negative-huge-int": lambda text: -(7**50_000),
    "huge-ints-in-a-set": lambda text: {10**50_000, 10**50_001},
    "int-subclass": int_with_attribute,
    "date-subclass": date_with_attribute,
    "time-in-a-zone-of-its-own": lambda text: datetime.time(1, tzinfo=OwnZone(text)),
    "moment-in-a-zone-of-its-own": lambda text: datetime.datetime(1, 1, 1, tzinfo=OwnZone(text)),
    "zone-named-by-its-maker": lambda text: datetime.timezone(datetime.timedelta(0), text),
    "enum-of-objects": lambda text: enum.Enum("Odd", {"ONE": Bare(text)})["ONE"],
    "enum-of-bytes": lambda text: enum.Enum("Odd", {"ONE": text.encode()})["ONE"],
    "dataclass-that-is-a-dict": lambda text: DictNote(text),
    "dataclass-that-is-a-list": lambda text: ListNote(text),
    "dataclass-that-is-a-tuple": lambda text: TupleNote(text),
    "dataclass-that-is-a-str": lambda text: StrNote(text),
    "dataclass-with-an-attribute": dataclass_with_attribute,
    "model-with-an-attribute": model_with_attribute,
    "secret-str": lambda text: Secretive(text=SecretStr(text)),
    "dict-with-an-attribute": dict_with_attribute,
    "dict-that-lies": lambda text: LyingDict(a=text),
    "dict-that-raises": lambda text: RaisingDict(a=text),
    "list-that-lies": lambda text: LyingList([text]),
    "list-that-raises": lambda text: RaisingList([text]),
    "list-without-end": lambda text: EndlessList([text]),
    "tuple-that-lies": lambda text: LyingTuple((text,)),
    "mapping-that-raises": RaisingMapping,
    "dataclass-whose-field-raises": raising_field,
    "list-in-itself": list_in_itself,
    "dict-in-itself": dict_in_itself,
    "circle-of-a-hundred": circle_of_a_hundred,
    "model-in-itself": model_in_itself,
    "models-in-a-circle": models_in_a_circle,
    "dataclass-in-itself": note_in_itself,
    "deep-list": deep_list,
    "deep-dict": deep_dict,
    "deep-models": deep_models,
    "depth-101": at_depth(101),
    "doubling": doubling,
    "many-keys": many_keys,
    "many-items": lambda text: [text] * 200_000,
}

MESSAGES: dict[str, Make] = {
    "role-unknown": lambda text: [{"role": "oracle", "content": text}],
    "image": lambda text: [message([{"type": "image", "source": {"data": text}}])],
    "block-unknown": lambda text: [message([{"type": "hologram", "data": text}])],
    "block-without-type": lambda text: [message([{"data": text}])],
    "encrypted": lambda text: [message([{"type": "redacted_thinking", "data": text}])],
}
"""Conversations with something in them that nobody can read."""

WITHOUT_TEXT: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "zero": lambda: 0,
    "true": lambda: True,
    "nan": lambda: math.nan,
    "infinity": lambda: -math.inf,
    "complex": lambda: complex(math.nan, math.inf),
    "decimal": lambda: decimal.Decimal("1e999999"),
    "decimal-signalling-nan": lambda: decimal.Decimal("sNaN"),
    "fraction": lambda: fractions.Fraction(1, 3),
    "date": lambda: datetime.date(1, 1, 1),
    "time-delta": lambda: datetime.timedelta.max,
    "uuid": lambda: uuid.UUID(int=0),
    "ellipsis": lambda: ...,
    "range": lambda: range(10**18),
    "empty-list": list,
    "empty-dict": dict,
    "empty-set": set,
    "empty-tuple": tuple,
    "empty-string": str,
    "nested-nothing": lambda: [[], {}, [[], None, math.nan]],
    "dict-of-numbers": lambda: {1: 2.5, None: True},
    "empty-model": Model,
    "numbers-many": lambda: list(range(50_000)),
    "int-enum": lambda: enum.IntEnum("N", ["ONE"])["ONE"],
}
