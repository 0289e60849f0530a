"""What is wrong in settings is told in plain words, at its place, without its value."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guardrails.mistakes import of_form, places, wrongs

TEXT = r'''
# a comment = 1
plain = "a # b = c"
many = [
  1,  # one
  2,
  {deep = [3]},
]
"quoted key" = @@@
fake = 1
@@@
dotted.name = {inner = 1, "other" = "}"}
[table]
at = 2026-11-25T10:00:00Z
[table."sub.table"]
  value = """ \"""
also = 1 """
last = true
[[rows]]
a = 1
'''.replace("@@@", "'" * 3)
FOUND: dict[tuple[str, ...], tuple[int, int]] = {
    (): (1, 1),
    ("plain",): (3, 1),
    ("many",): (4, 1),
    ("many", "2"): (6, 3),
    ("many", "3", "deep", "1"): (7, 12),
    ("quoted key",): (9, 1),
    ("fake",): (1, 1),
    ("dotted",): (12, 1),
    ("dotted", "name", "inner"): (12, 16),
    ("dotted", "name", "other"): (12, 27),
    ("table",): (13, 1),
    ("table", "at"): (14, 1),
    ("table", "missing"): (13, 1),
    ("table", "sub.table", "value"): (16, 3),
    ("table", "sub.table", "also"): (15, 1),
    ("table", "sub.table", "last"): (18, 1),
    ("rows", "a"): (20, 1),
    ("unheard-of", "key"): (1, 1),
}


@pytest.mark.parametrize(("steps", "place"), FOUND.items(), ids=[".".join(s) for s in FOUND])
def test_a_key_is_found(steps: tuple[str, ...], place: tuple[int, int]) -> None:
    assert tomllib.loads(TEXT)
    assert places(TEXT)(steps) == place


@given(st.text(alphabet=st.sampled_from("ab=.[]{}\"'\\\n#, 1"), max_size=60))
@example("b[[}]")
@example('"" b[ }b')
def test_whatever_is_written_a_place_is_found(text: str) -> None:
    line, column = places(text)(("a", "b"))
    assert 1 <= line <= text.count("\n") + 1
    assert column >= 1


NAMES = st.text(alphabet="abcdefgh", min_size=1, max_size=3)
VALUES = st.integers() | st.booleans() | st.sampled_from(['"x = 1"', "[1, 2]", "{k = 1}"])


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=4), max_size=4))
def test_every_key_of_a_document_is_found_where_it_stands(tables: Mapping[str, Any]) -> None:
    lines: list[str] = []
    for name, table in tables.items():
        lines += ["# a comment", f"[{name}]"]
        lines += [f"  {key} = {str(value).lower()}" for key, value in table.items()]
    text = "\n".join(lines)
    assert tomllib.loads(text).keys() == tables.keys()
    place = places(text)
    for name, table in tables.items():
        line, column = place((name,))
        assert (lines[line - 1], column) == (f"[{name}]", 1)
        for key in table:
            line, column = place((name, key))
            assert lines[line - 1].startswith(f"  {key} = ")
            assert column == 3


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: Annotated[int, Field(ge=1, le=5)] = 1
    ratio: Annotated[float, Field(gt=0)] = 1
    kind: Literal["one", "two"] = "one"
    names: frozenset[str] = frozenset()
    either: str | tuple[str, ...] = ""
    path: Annotated[str, of_form("[a-z]+", "letters in lower case")] = "a"
    few: Annotated[list[int], Field(max_length=2)] = []
    name: Annotated[str, Field(min_length=1)] = "a"
    yes: bool = True
    by_kind: Mapping[Literal["x", "y"], int] = {}


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    inner: Inner = Inner()
    needed: str


TOLD: dict[str, tuple[Any, str]] = {
    "too small": ({"count": 0}, "inner.count: expected 1 or more"),
    "too much": ({"count": 6}, "inner.count: expected at most 5"),
    "no number": ({"count": "marker"}, "inner.count: expected a whole number"),
    "half a number": ({"count": 1.5}, "inner.count: expected a whole number"),
    "zero": ({"ratio": 0}, "inner.ratio: expected more than 0"),
    "another word": ({"kind": "marker"}, "inner.kind: expected 'one' or 'two'"),
    "a text for a list": ({"names": "marker"}, "inner.names: expected a list"),
    "a number in a list": ({"names": ["a", 7]}, "inner.names.2: expected a text"),
    "neither": ({"either": 7}, "inner.either: expected a text or a list"),
    "another form": ({"path": "MARKER"}, "inner.path: expected letters in lower case"),
    "too many": ({"few": [1, 2, 3]}, "inner.few: expected at most 2 entries"),
    "empty": ({"name": ""}, "inner.name: expected a text that is not empty"),
    "no truth": ({"yes": "marker"}, "inner.yes: expected true or false"),
    "no table": ("marker", "inner: expected a table"),
    "a misspelt key": ({"nmaes": []}, "inner.nmaes: unknown key; did you mean 'names'?"),
    "another kind": ({"by_kind": {"z": 1}}, "inner.by_kind.z: unknown key; expected 'x' or 'y'"),
}


@pytest.mark.parametrize(("inner", "told"), TOLD.values(), ids=TOLD)
def test_it_is_told_in_plain_words(inner: Any, told: str) -> None:
    values = {"inner": inner}
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(values)
    found = wrongs(
        caught.value,
        values,
        tell=lambda steps, what: f"{'.'.join(steps)}: {what}",
        known=lambda steps: (Inner if steps else Outer).model_fields,
        hints={("needed",): "give one"},
    )
    assert found == [told, "needed: missing; give one"]
    assert "marker" not in "".join(found).lower()
