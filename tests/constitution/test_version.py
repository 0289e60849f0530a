"""Versions are ordered as semver orders them, ranges hold what users of npm and cargo expect."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.constitution.version import Range, Version

IN_ORDER = [
    "0.0.1", "0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
    "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0", "2.0.0",
]  # fmt: skip
"""Those with a label are the example of semver.org, clause 11."""


def test_versions_are_ordered() -> None:
    for low, high in itertools.combinations(IN_ORDER, 2):
        assert Version(low) < Version(high)
        assert Version(high) > Version(low)


def test_build_metadata_counts_for_nothing() -> None:
    assert Version("1.0.0+a") == Version("1.0.0+b")
    assert hash(Version("1.0.0+a")) == hash(Version("1.0.0"))


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1", ["1.0.0", "1.99.3"], ["0.9.9", "2.0.0", "2.0.0-rc.1", "1.0.0-rc.1"]),
        ("^1.2", ["1.2.0", "1.9.0"], ["1.1.9", "2.0.0"]),
        ("^1.2.3", ["1.2.3", "1.3.0"], ["1.2.2", "2.0.0"]),
        ("^0.2", ["0.2.0", "0.2.9"], ["0.3.0", "0.1.9", "1.0.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4", "0.0.2"]),
        ("^0", ["0.0.1", "0.9.0"], ["1.0.0"]),
        ("~1.2", ["1.2.0", "1.2.9"], ["1.3.0", "1.1.9"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.2.2", "1.3.0"]),
        ("~1", ["1.0.0", "1.9.0"], ["2.0.0"]),
        ("1", ["1.0.0", "1.2.3"], ["2.0.0", "0.9.0"]),
        ("1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("1.2.3", ["1.2.3", "1.2.3+build"], ["1.2.4", "1.2.3-rc.1"]),
        ("=1.2.3", ["1.2.3"], ["1.2.4"]),
        (">=1.0 <2", ["1.0.0", "1.9.9"], ["0.9.0", "2.0.0", "2.0.0-rc.1"]),
        (">1.2", ["1.3.0"], ["1.2.9"]),
        (">1.2.3", ["1.2.4"], ["1.2.3"]),
        ("<=1.2", ["1.2.9", "0.1.0"], ["1.3.0"]),
        ("<=1.2.3", ["1.2.3"], ["1.2.4"]),
        ("<1.2.3", ["1.2.2"], ["1.2.3"]),
        (">= 1.0.0", ["1.0.0"], ["0.9.0"]),
        ("^1.0.0-rc.1", ["1.0.0-rc.1", "1.0.0-rc.2", "1.0.0"], ["1.0.0-beta", "2.0.0"]),
    ],
)
def test_a_range_holds(text: str, inside: list[str], outside: list[str]) -> None:
    assert [v for v in inside if Version(v) not in Range(text)] == []
    assert [v for v in outside if Version(v) in Range(text)] == []


@pytest.mark.parametrize("text", ["", " ", "x", "1.2.3.4", "^", "01", "1.x", ">=1.0<2", "^1||^2"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected such as"):
        Range(text)


NUMBERS = st.tuples(*[st.integers(0, 30)] * 3)


@given(NUMBERS, NUMBERS)
@settings(deadline=None)
def test_a_caret_never_crosses_the_first_number_that_is_not_0(
    low: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    named, tried = (".".join(map(str, numbers)) for numbers in (low, other))
    kept = next((n for n, number in enumerate(low, 1) if number), 3)
    assert (Version(tried) in Range(f"^{named}")) == (other[:kept] == low[:kept] and other >= low)
