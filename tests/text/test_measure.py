"""What is measured in a text that came is surely there once it is normalised."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardrails.text.measure import MOST_JOINED, fewest, reach_back, reach_on, shortened
from guardrails.text.normalise import HIDDEN, joins, normalise

PIECES = st.sampled_from(
    [
        *("a", "e", " ", ". ", "\n", "\x00", "ﷺ", "ﬁ", "㎏", "한", "ᄒ", "ᅡ", "ᆫ", "α", "=", "🎉"),
        *("\u0301", "\u0302", "\u0338", "\u0345", "\u0313", "\u200b", "\u00ad", "\ud800", "\u09be"),
        *("\u200b" * 50, "\u0301" * 50, "word " * 30, "中文。" * 30, "\U000e0041" * 9),
    ]
)
TEXTS = st.lists(PIECES, max_size=40).map("".join)


@given(text=TEXTS, start=st.integers(0, 200), end=st.integers(0, 200))
def test_no_more_is_counted_than_is_left_once_it_is_normalised(
    text: str, start: int, end: int
) -> None:
    assert fewest(text) <= len(normalise(text).text)
    piece = text[start:end]
    assert fewest(piece) <= len(normalise(piece).text)
    assert fewest(text) == fewest(text[:start]) + fewest(text[start:])


@given(text=TEXTS, at=st.integers(0, 300), count=st.integers(0, 300))
def test_so_many_characters_reach_so_far(text: str, at: int, count: int) -> None:
    at = min(at, len(text))
    end, missing = reach_on(text, at, count)
    assert fewest(text[at:end]) == count - missing
    assert end == len(text) or not missing
    start = reach_back(text, at, count)
    assert fewest(text[start:at]) == count or (not start and fewest(text[:at]) < count)


@given(text=TEXTS)
def test_what_is_shortened_says_the_same(text: str) -> None:
    short = shortened(text)
    assert fewest(short) == fewest(text)
    assert len(short) <= (MOST_JOINED + 1) * (fewest(text) + 1)
    unmarked = "".join(c for c in text if not joins(c) or HIDDEN.match(c))
    assert normalise(shortened(unmarked)).text == normalise(unmarked).text
