"""Every text in a value is found, and a changed one goes back where it stood."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import math
import pathlib
import uuid
from collections import OrderedDict, defaultdict, deque, namedtuple
from functools import cached_property
from types import MappingProxyType, SimpleNamespace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, PrivateAttr, RootModel, computed_field

from guardrails.errors import WireFormatError
from guardrails.wire.values import read_value


class Source(BaseModel):
    model_config = ConfigDict(extra="allow")
    title: str


class Answer(BaseModel):
    text: str
    sources: list[Source] = []
    score: float = 0.5
    mood: Literal["calm", "glad"] = "calm"
    _trace: str = PrivateAttr(default="private")


class Short(BaseModel):
    text: str = Field(max_length=5)
    code: str = Field(alias="Code", default="c")


class Words(RootModel[list[str]]):
    pass


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    text: str


class Remembering(BaseModel):
    text: str

    @cached_property
    def loud(self) -> str:
        return self.text.upper()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def quiet(self) -> str:
        return self.text.lower()


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    text: str
    page: int = 1


@dataclasses.dataclass
class Checked:
    text: str
    length: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        if "!" in self.text:
            raise ValueError(f"no {self.text}")
        self.length = len(self.text)


@dataclasses.dataclass
class Stubborn:
    text: str

    def __post_init__(self) -> None:
        self.text = self.text.lower()


class Colour(enum.Enum):
    RED = "red"


class Level(enum.StrEnum):
    HIGH = "high"


class Tagged(str):
    __slots__ = ()


class Baggage(dict[str, str]):
    pass


Pair = namedtuple("Pair", "left right")


def texts(value: object) -> list[str]:
    return [part.text for part in read_value(value, role="assistant").parts]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("hello", ["hello"]),
        ("", [""]),
        ({"a": "b", "c": ["d", {"e": "f"}]}, ["a", "b", "c", "d", "e", "f"]),
        ({1: "one", None: "none", ("x", 2): "pair"}, ["one", "none", "x", "pair"]),
        (("a", ["b"], frozenset({"c"})), ["a", "b", "c"]),
        (deque(["a", "b"]), ["a", "b"]),
        (Pair("a", "b"), ["a", "b"]),
        (OrderedDict(a="b"), ["a", "b"]),
        (MappingProxyType({"a": "b"}), ["a", "b"]),
        (Answer(text="t", sources=[Source(title="s")]), ["t", "s", "calm"]),
        (Source.model_validate({"title": "s", "page": "p"}), ["s", "page", "p"]),
        (Words(["a", "b"]), ["a", "b"]),
        (Note("n"), ["n"]),
        ([Colour.RED, Level.HIGH], ["red", "high"]),
        (Tagged("t"), ["t"]),
        (pathlib.PurePosixPath("/a/b"), ["/a/b"]),
        (HttpUrl("https://example.com/a"), ["https://example.com/a"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_string_is_a_text(value: object, found: list[str]) -> None:
    assert texts(value) == found


@pytest.mark.parametrize(
    "value",
    [
        None, True, 7, 1.5, math.nan, math.inf, 1j, decimal.Decimal("NaN"), fractions.Fraction(1),
        datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC), datetime.date(2026, 11, 24),
        datetime.timedelta(1), uuid.UUID(int=1), range(3), ..., [], {}, (), set(), [[], {}],
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_text_has_no_parts(value: object) -> None:
    assert read_value(value, role="assistant").parts == ()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b"bytes", "bytes"),
        (bytearray(b"bytes"), "bytearray"),
        (memoryview(b"bytes"), "memoryview"),
        (SimpleNamespace(text="hidden"), "SimpleNamespace"),
        (object(), "object"),
        (len, "builtin_function_or_method"),
        (Note, "type"),
        ((letter for letter in "abc"), "generator"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_promise_2_what_nobody_can_read_is_a_part_named_by_its_type(
    value: object, name: str
) -> None:
    (part,) = read_value({1: value}, role="assistant").parts
    assert (part.kind, part.name, part.text, part.readable) == ("opaque", name, "", False)


def test_promise_2_a_dict_with_attributes_beside_its_items_is_not_read_in_part() -> None:
    baggage = Baggage(text="seen")
    baggage.hidden = "unseen"  # type: ignore[attr-defined]
    (part,) = read_value(baggage, role="assistant").parts
    assert (part.kind, part.name) == ("opaque", "Baggage")


def test_parts_say_whose_they_are_and_where() -> None:
    parts = read_value({"a": [Note("n")]}, role="tool", kind="tool_result").parts
    assert [(p.role, p.kind, p.path) for p in parts] == [
        ("tool", "tool_result", ("a",)),
        ("tool", "tool_result", ("a", 0, "text")),
    ]


def nested(levels: int) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = [value]
    return value


def cyclic() -> Any:
    value: list[Any] = []
    value.append({"again": value})
    return value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (nested(101), "100 levels"),
        (nested(5_000), "levels"),
        (cyclic(), "contains itself"),
        ([0] * 100_001, "100,000 values"),
    ],
    ids=["deep", "deeper", "cyclic", "many"],
)
def test_promise_10_a_value_has_limits(value: object, problem: str) -> None:
    with pytest.raises(WireFormatError, match=problem):
        read_value(value, role="assistant")


def test_a_value_at_the_limits_is_read() -> None:
    assert texts(nested(100)) == ["deep"]
    assert texts([0] * 99_999) == []
    assert texts([same := ["twice"], same]) == ["twice", "twice"]


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        ("old", "new"),
        (Tagged("old"), Tagged("new")),
        ({"a": "old", "b": 1}, {"a": "new", "b": 1}),
        ({"old": "a"}, {"new": "a"}),
        (defaultdict(list, a="old"), defaultdict(list, a="new")),
        (OrderedDict(a="old", b="x"), OrderedDict(a="new", b="x")),
        (["a", ("old", 2)], ["a", ("new", 2)]),
        (deque(["old"], maxlen=3), deque(["new"], maxlen=3)),
        (Pair("old", 2), Pair("new", 2)),
        (Answer(text="old", score=0.1), Answer(text="new", score=0.1)),
        (Frozen(text="old"), Frozen(text="new")),
        (Words(["old"]), Words(["new"])),
        (
            Source.model_validate({"title": "t", "page": "old"}),
            Source.model_validate({"title": "t", "page": "new"}),
        ),
        (Short(text="old", Code="k"), Short(text="new", Code="k")),
        (Note("old", page=3), Note("new", page=3)),
        (Checked("old"), Checked("new")),
        (pathlib.PurePosixPath("old"), pathlib.PurePosixPath("new")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_changed_text_stands_where_it_stood_in_the_same_type(
    value: object, changed: object
) -> None:
    reading = read_value(value, role="assistant")
    before = repr(value)
    index = next(i for i, part in enumerate(reading.parts) if part.text == "old")
    written = reading.write({index: "new"})
    assert written == changed
    assert type(written) is type(value)
    assert repr(value) == before


def test_only_what_changed_is_made_anew() -> None:
    kept, touched = Note("kept"), Note("old")
    value = {"kept": kept, "touched": touched}
    written = read_value(value, role="assistant").write({3: "new"})
    assert written == {"kept": kept, "touched": Note("new")}
    assert isinstance(written, dict)
    assert written["kept"] is kept


def test_private_attributes_stay() -> None:
    answer = Answer(text="old")
    answer._trace = "mine"
    written = read_value(answer, role="assistant").write({0: "new"})
    assert isinstance(written, Answer)
    assert written._trace == "mine"


def test_promise_1_what_a_model_computed_from_the_old_text_is_forgotten() -> None:
    value = Remembering(text="old")
    assert value.loud == "OLD"
    written = read_value(value, role="assistant").write({0: "new"})
    assert isinstance(written, Remembering)
    assert (written.loud, written.quiet) == ("NEW", "new")


@pytest.mark.parametrize(
    ("value", "index", "text"),
    [
        (Short(text="old"), 0, "longer than five"),
        (Answer(text="t"), 1, "furious"),
        (Checked("old"), 0, "bad!"),
        (Stubborn("old"), 0, "New"),
        ({"a": 1, "taken": 2}, 0, "taken"),
        ({"old"}, 0, "new"),
        (Colour.RED, 0, "blue"),
        ([b"bytes"], 0, ""),
        (HttpUrl("https://example.com"), 0, "no address"),
    ],
    ids=["length", "literal", "post-init", "class", "keys", "set", "enum", "opaque", "url"],
)
def test_a_text_that_the_type_cannot_hold_is_refused_without_being_quoted(
    value: object, index: int, text: str
) -> None:
    with pytest.raises(WireFormatError) as caught:
        read_value(value, role="assistant").write({index: text})
    assert not text or text not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__cause__ is None


def test_a_value_that_changed_meanwhile_is_refused() -> None:
    value = {"a": "old", "b": "x"}
    reading = read_value(value, role="assistant")
    value["b"] = "never judged"
    with pytest.raises(WireFormatError, match="changed while"):
        reading.write({1: "new"})


scalars = (
    st.text(max_size=8) | st.integers() | st.floats() | st.none() | st.booleans()
    | st.builds(Note, st.text(max_size=8)) | st.builds(Frozen, text=st.text(max_size=8))
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_promise_3_a_value_that_is_not_changed_is_the_same_object(value: object) -> None:
    reading = read_value(value, role="assistant")
    assert reading.write({}) is value
    same = {index: part.text for index, part in enumerate(reading.parts)}
    assert reading.write(same) is value


@given(values, st.data())
def test_promise_1_a_written_value_holds_the_given_texts_and_no_other(
    value: object, data: st.DataObject
) -> None:
    reading = read_value(value, role="assistant")
    if not reading.parts:
        return
    indexes = st.integers(0, len(reading.parts) - 1)
    changes = data.draw(st.dictionaries(indexes, st.text(max_size=8), max_size=3))
    expected = [changes.get(i, part.text) for i, part in enumerate(reading.parts)]
    try:
        written = reading.write(changes)
    except WireFormatError as error:
        problem = str(error)  # two keys of a dict were made equal, or it is a number
        assert "same" in problem or "cannot hold" in problem
        return
    assert texts(written) == expected
    assert type(written) is type(value)


def test_promise_9_no_text_shows_in_a_repr() -> None:
    reading = read_value({"canary-key": Note("canary-text")}, role="assistant")
    assert "canary" not in repr(reading)
    assert "canary" not in repr(reading.parts)
