"""Where a growing reply is cut depends on its text alone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guardrails.pipeline.holdback import FIRST_POINT, Cut, HoldBack, Rhythm
from guardrails.text.sentences import MAX_CHARACTERS, next_end, sentences

WORDS = st.sampled_from(
    [
        "a",
        "word",
        " ",
        ". ",
        "! ",
        "\n",
        "\r\n",
        "。",
        "…",
        '."',
        " " * 40,
        "x" * 300,
        "https://a.b/c",
    ]
)
TEXTS = st.lists(WORDS, max_size=60).map("".join)


def cuts_of(pieces: list[str], rhythm: Rhythm, width: int, *, keeps: bool = False) -> list[Cut]:
    """Every cut, each settled as soon as it is due."""
    held = HoldBack(rhythm, width=width, keeps=keeps)
    part = held.open()
    found: list[Cut] = []

    def settle() -> None:
        while (cut := held.due()) is not None:
            assert cut > held.frontier or cut.offset == 0
            found.append(cut)
            held.settle(cut)

    for piece in pieces:
        held.feed(part, piece)
        settle()
    held.end()
    settle()
    return found


def split(text: str, places: list[int]) -> list[str]:
    bounds = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


@given(
    text=TEXTS,
    places=st.lists(st.integers(0, 2_000), max_size=12),
    rhythm=st.sampled_from(["sentences", "points", "whole"]),
    width=st.integers(1, 200),
    keeps=st.booleans(),
)
def test_promise_4_the_pieces_have_no_part_in_where_a_reply_is_cut(
    text: str, places: list[int], rhythm: Rhythm, width: int, keeps: bool
) -> None:
    whole = cuts_of([text], rhythm, width)
    assert cuts_of(split(text, places), rhythm, width, keeps=keeps) == whole
    assert cuts_of(list(text), rhythm, width) == whole
    if text:
        assert whole[-1] == Cut(0, len(text))


@given(text=TEXTS, width=st.integers(1, 200))
def test_text_is_held_for_as_long_as_a_finding_may_reach_into_it(text: str, width: int) -> None:
    held = HoldBack("sentences", width=width, keeps=False)
    part = held.open()
    for count, character in enumerate(text, start=1):
        held.feed(part, character)
        while (cut := held.due()) is not None:
            assert cut.offset + width <= count
            held.settle(cut)


@given(text=TEXTS)
@example("x" * 1_200 + " a")
def test_cuts_are_where_sentences_end(text: str) -> None:
    ends = [cut.offset for cut in cuts_of([text], "sentences", 1)]
    known = {end for _, end in sentences(text)} | {len(text)}
    for start, end in pairwise([0, *ends]):  # at a blank, where no sentence ends for long
        assert end in known or (end - start > MAX_CHARACTERS and text[end - 1].isspace())
    place = 0
    while (end := next_end(text, place)) is not None:
        assert end in ends
        place = end


@pytest.mark.parametrize("length", [399, 401, 4_000, 20_000, 200_000])
def test_a_judge_is_asked_at_points_each_twice_as_far(length: int) -> None:
    text = ("A sentence of some forty characters, so. " * 6_000)[:length]
    found = [cut.offset for cut in cuts_of([text], "points", 50)]
    assert found[-1] == length
    for number, offset in enumerate(found[:-1]):
        assert FIRST_POINT * 2**number <= offset < FIRST_POINT * 2**number + 42
    if length == 20_000:
        assert len(found) == 7


def test_a_text_that_does_not_end_is_cut_at_a_blank() -> None:
    text = "word " * 1_000
    found = [0, *(cut.offset for cut in cuts_of([text], "sentences", 10))]
    assert all(end - start <= 1_010 for start, end in pairwise(found))
    assert all(end % 5 == 0 for end in found)


def test_an_address_without_a_blank_is_not_cut_in_two() -> None:
    address = "https://example.org/" + "a" * 3_000
    text = f"See {address} for more. Bye."
    assert not any(4 < cut.offset < 4 + len(address) for cut in cuts_of([text], "sentences", 10))


@pytest.mark.parametrize("rhythm", ["sentences", "points", "whole"])
def test_texts_follow_one_another_and_a_whole_one_is_not_cut(rhythm: Rhythm) -> None:
    held = HoldBack(rhythm, width=5, keeps=True)
    first, second = held.open(), held.open(whole=True)
    held.feed(first, "One. Two. ")
    held.feed(second, '{"a": "One. Two. Three."}')
    seen = held.due()
    assert seen == (Cut(0, 5) if rhythm == "sentences" else None)
    held.shut(second)
    held.end()
    found = []
    while (cut := held.due()) is not None:
        found.append(cut)
        held.settle(cut)
    assert found[-1] == Cut(1, 25)
    assert [cut for cut in found if cut.part == 1] == [Cut(1, 25)]


def test_what_has_left_is_forgotten_but_for_a_margin() -> None:
    held = HoldBack("sentences", width=10, keeps=False)
    part = held.open()
    for _ in range(1_000):
        held.feed(part, "A sentence. ")
        while (cut := held.due()) is not None:
            held.settle(cut)
    text = held._texts[part]
    assert text.length - text.first < 600


def test_a_cut_in_a_later_text_is_put_off_there() -> None:
    held = HoldBack("points", width=5, keeps=True)
    first, second = held.open(), held.open()
    held.feed(first, "Short. ")
    held.shut(first)
    held.feed(second, "A sentence of some length. " * 40)
    cut = held.due()
    assert cut is not None
    assert cut.part == second
    held.postpone(cut, cut.offset + 3)
    later = held.due()
    assert later is not None
    assert later.offset >= cut.offset + 3
