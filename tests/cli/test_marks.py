"""Marks and changes stand where the spans say, and long texts are cut around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.cli.marks import draw, shorten
from guardrails.display.pieces import Piece, changed, marked
from guardrails.verdict import Edit

TEXT = "Write to ann@x.example or to bob@x.example today."


def drawn(pieces: list[Piece]) -> str:
    return draw(pieces, colour=False).plain


@pytest.mark.parametrize(
    ("spans", "shown"),
    [
        pytest.param([], "abcdef", id="none"),
        pytest.param([(0, 2)], "⟦ab⟧cdef", id="at the beginning"),
        pytest.param([(4, 6)], "abcd⟦ef⟧", id="at the end"),
        pytest.param([(3, 5), (1, 4)], "a⟦bcde⟧f", id="overlapping"),
        pytest.param([(1, 2), (2, 3)], "a⟦bc⟧def", id="touching"),
        pytest.param([(0, 6), (2, 3)], "⟦abcdef⟧", id="inside another"),
    ],
)
def test_spans_are_marked(spans: list[tuple[int, int]], shown: str) -> None:
    assert drawn(marked("abcdef", spans)) == shown


def test_changes_show_what_goes_and_what_comes() -> None:
    edits = [
        Edit(part=0, span=(len(TEXT), len(TEXT)), replacement=" Bye.", kind="append"),
        Edit(part=0, span=(9, 22), replacement="[EMAIL_ADDRESS]", kind="redact"),
    ]
    assert drawn(changed(TEXT, edits)) == (
        "Write to [-ann@x.example-]{+[EMAIL_ADDRESS]+} or to bob@x.example today.{+ Bye.+}"
    )


def test_a_long_text_keeps_its_marks_and_what_stands_round_them() -> None:
    text = "first word " * 100 + "HERE" + " last word" * 100
    short = drawn(shorten(marked(text, [(1100, 1104)])))
    assert "⟦HERE⟧" in short
    assert short.startswith("…")
    assert short.endswith("…")
    assert len(short) < 200


def test_marks_far_apart_have_a_gap_between_them() -> None:
    text = "A" + " word" * 200 + " B"
    short = drawn(shorten(marked(text, [(0, 1), (len(text) - 1, len(text))])))
    assert short.startswith("⟦A⟧ word")
    assert " … " in short
    assert short.endswith("word ⟦B⟧")


def test_many_marks_are_counted() -> None:
    short = drawn(shorten(marked("x " * 1000, [(2 * n, 2 * n + 1) for n in range(1000)])))
    assert short.count("⟦") == 12
    assert short.endswith("… and 988 more")


def test_a_text_without_a_mark_keeps_its_beginning() -> None:
    assert drawn(shorten(marked("word " * 1000, []))).startswith("word word")
    assert len(drawn(shorten(marked("word " * 1000, [])))) < 300


def test_escape_sequences_in_marks_are_shown_not_sent() -> None:
    assert drawn(marked("a\x1b[2Jb", [(1, 2)])) == "a⟦␛⟧[2Jb"


def test_square_brackets_are_no_markup() -> None:
    assert draw(marked("[bold]x[/bold]", []), colour=True).plain == "[bold]x[/bold]"


SPANS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)).map(sorted).map(tuple))


@given(st.text(min_size=300, max_size=400), SPANS)
def test_marking_loses_nothing(text: str, spans: list[tuple[int, int]]) -> None:
    assert "".join(piece.text for piece in marked(text, spans)) == text
