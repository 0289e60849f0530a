"""The shared scan finds what each pattern finds alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.text import scan as module
from guardrails.text.patterns import Pattern, compile_pattern
from guardrails.text.scan import Scan

SOURCES = [
    r"\ba+b\b",
    r"\d{2,}",
    r"é\w*",
    r"^a",
    r"b$",
    r"\wx",
    r"\bж|漢",
    r"a.*b",
    r"\S-\S",
    r"A{2}",
    r"(?m)^b",
    r"\x00",
]
patterns = st.lists(
    st.builds(lambda s, c: compile_pattern(s, case=c), st.sampled_from(SOURCES), st.booleans()),
    max_size=8,
)
texts = st.text(alphabet="aAbx é٣2Ж漢-\n\x00\ud800", max_size=30)


def alone(patterns: list[Pattern], text: str) -> dict[int, list[tuple[int, int]]]:
    found = {index: pattern.findall(text) for index, pattern in enumerate(patterns)}
    return {index: spans for index, spans in found.items() if spans}


@given(patterns=patterns, text=texts)
def test_one_scan_equals_each_alone(patterns: list[Pattern], text: str) -> None:
    assert Scan(patterns).run(text) == alone(patterns, text)


@given(patterns=patterns, text=texts, at_once=st.integers(1, 4))
def test_groups_make_no_difference(patterns: list[Pattern], text: str, at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PATTERNS_AT_ONCE", at_once)
        assert Scan(patterns).run(text) == alone(patterns, text)


def test_a_union_too_large_for_re2_is_searched_in_parts() -> None:
    many = [compile_pattern(rf"\p{{L}}{{{count}}}x") for count in range(100, 110)]
    scan = Scan(many)
    assert scan._unions[0]._program is None
    text = "é" * 104 + "x"
    assert scan.run(text) == alone(many, text)
    assert len(scan.run(text)) == 5
    assert scan.run("nothing") == {}


def test_promise_2_a_scan_does_not_fail_open_when_re2_runs_out_of_memory() -> None:
    """Counters over overlapping classes have more states than RE2 keeps; it must go on without."""
    hungry = [compile_pattern(rf"[a-q][^\x00]{{{width}}}[x-z]") for width in range(20, 60)]
    text = "".join("abxyqz"[(i * i * 7 + i // 3) % 6] for i in range(3_000))
    assert Scan(hungry).run(text) == alone(hungry, text) != {}


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "שלום", "a" * 100_000], ids=ascii)
def test_no_patterns_no_hits(text: str) -> None:
    assert Scan([]).run(text) == {}
