"""JSON pointers as RFC 6901 has them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.errors import WireFormatError
from guardrails.wire.pointer import Pointer, placed, put

RFC: dict[str, Any] = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1),
        ("/c%d", 2), ("/e^f", 3), ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
    ],
)  # fmt: skip
def test_the_standards_own_examples(pointer: str, value: object) -> None:
    assert Pointer(pointer).find(RFC) == value


def test_an_escaped_tilde_before_a_one_is_no_slash() -> None:
    assert Pointer("/~01").find({"~1": "here", "/": "not here"}) == "here"


@pytest.mark.parametrize(
    "pointer",
    ["/bar", "/foo/2", "/foo/-", "/foo/-1", "/foo/00", "/foo/01", "/foo/ 1", "/foo/1e0", "/foo/٠",
     "/foo/0/b", "/foo/9999999999999", "//x", "/a/b"],
)  # fmt: skip
def test_a_pointer_that_leads_nowhere_is_an_error(pointer: str) -> None:
    with pytest.raises(WireFormatError) as caught:
        Pointer(pointer).find(RFC)
    assert str(caught.value) == f"there is nothing at {pointer!r}"


@pytest.mark.parametrize("text", ["a", "a/b", "#/a", " /a"])
def test_what_does_not_start_with_a_slash_is_no_pointer(text: str) -> None:
    with pytest.raises(ValueError, match="is no JSON pointer"):
        Pointer(text)


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a/~01", max_size=3), inner,
                                                                 max_size=3),
    max_leaves=10,
)  # fmt: skip


def pointers(value: object, at: str = "") -> list[str]:
    found = [at]
    if isinstance(value, dict):
        for key, item in value.items():
            found += pointers(item, f"{at}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += pointers(item, f"{at}/{index}")
    return found


@settings(derandomize=True, deadline=None)
@given(VALUES, st.data())
def test_what_is_put_is_found_and_all_else_stays(value: object, data: st.DataObject) -> None:
    said = data.draw(st.sampled_from(pointers(value)))
    before = copy.deepcopy(value)
    changed = put(value, Pointer(said), "new")
    assert value == before
    assert Pointer(said).find(changed) == "new"
    for other in pointers(value):
        apart = not other.startswith(f"{said}/") and not f"{said}/".startswith(f"{other}/")
        if apart and other != said:
            assert Pointer(other).find(changed) == Pointer(other).find(value)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/answer", {"answer": "x"}),
        ("/a/b", {"a": {"b": "x"}}),
        ("/choices/0/text", {"choices": [{"text": "x"}]}),
        ("/a~1b/~0", {"a/b": {"~": "x"}}),
        ("", "x"),
    ],
)
def test_a_reply_alone_stands_at_its_pointer(pointer: str, value: object) -> None:
    assert placed(Pointer(pointer), "x") == value
    assert Pointer(pointer).find(value) == "x"
