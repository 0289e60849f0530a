"""Sentences tile a text and end where a reader of any script would expect."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.text.sentences import MAX_CHARACTERS, covering, sentence_at, sentences

texts = st.text(alphabet="ab .!?。\n\r\"')3।؟é\u2028", max_size=60) | st.text(max_size=60)


@given(texts | texts.map(lambda text: text * 200))
def test_sentences_tile_the_text(text: str) -> None:
    tiles = sentences(text)
    assert "".join(text[start:end] for start, end in tiles) == text
    assert all(0 < end - start <= MAX_CHARACTERS for start, end in tiles)


@given(text=texts, data=st.data())
def test_a_span_is_covered_by_whole_sentences(text: str, data: st.DataObject) -> None:
    place = st.integers(0, len(text))
    start, end = sorted((data.draw(place), data.draw(place)))
    tiles = sentences(text)
    low, high = sentence_at(text, (start, end))
    assert low <= start <= end <= high
    assert low in {0, *(tile[0] for tile in tiles)}
    assert high in {len(text), *(tile[1] for tile in tiles)}
    inner = [tile for tile in tiles if tile[0] < end and start < tile[1]]
    if inner:
        assert (low, high) == (inner[0][0], inner[-1][1])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("One. Two! Three?", ["One. ", "Two! ", "Three?"], id="plain"),
        pytest.param("Take 3.5 mg of a.b now.", ["Take 3.5 mg of a.b now."], id="dots inside"),
        pytest.param("See x.org/?q=1!important ok.", ["See x.org/?q=1!important ok."], id="URL"),
        pytest.param('He said "No." Then left.', ['He said "No." ', "Then left."], id="quotes"),
        pytest.param("(So?) Yes.", ["(So?) ", "Yes."], id="brackets"),
        pytest.param("**Stop.** Go", ["**Stop.** ", "Go"], id="markdown"),
        pytest.param("Really?! Wait... what", ["Really?! ", "Wait... ", "what"], id="runs"),
        pytest.param("薬を飲む。水も！", ["薬を飲む。", "水も！"], id="Japanese"),
        pytest.param("「飲む。」と言う。", ["「飲む。」", "と言う。"], id="Japanese quotes"),
        pytest.param("你好!我们?好", ["你好!", "我们?", "好"], id="Chinese, normalised marks"),
        pytest.param("मैं हूँ। तुम हो।", ["मैं हूँ। ", "तुम हो।"], id="Hindi"),
        pytest.param("ما هذا؟ نعم.", ["ما هذا؟ ", "نعم."], id="Arabic"),
        pytest.param("یہ کیا ہے۔ ہاں", ["یہ کیا ہے۔ ", "ہاں"], id="Urdu"),
        pytest.param("т.е. так", ["т.е. ", "так"], id="an abbreviation is cut after its last dot"),
        pytest.param("a\nb\r\n\r\nc", ["a\n", "b\r\n\r\n", "c"], id="line breaks"),
        pytest.param("- one\n- two", ["- one\n", "- two"], id="a list"),
        pytest.param("", [], id="nothing"),
        pytest.param("\n", ["\n"], id="a line break alone"),
        pytest.param("a" * 2_500, ["a" * 1_000, "a" * 1_000, "a" * 500], id="no end"),
        pytest.param("a." + " " * 1_500, ["a." + " " * 998, " " * 502], id="spaces without end"),
    ],
)
def test_where_sentences_end(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == parts


@pytest.mark.parametrize(
    ("span", "found"),
    [
        pytest.param((0, 1), "One. ", id="first"),
        pytest.param((5, 8), "Two! ", id="second"),
        pytest.param((3, 6), "One. Two! ", id="both"),
        pytest.param((5, 5), "Two! ", id="a place"),
        pytest.param((13, 13), "Six", id="the end"),
    ],
)
def test_sentence_at(span: tuple[int, int], found: str) -> None:
    text = "One. Two! Six"
    start, end = sentence_at(text, span)
    assert text[start:end] == found


def test_nothing_is_covered_by_nothing() -> None:
    assert covering([], (0, 0)) == (0, 0)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("." * 1_000_000 + "x", id="dots"),
        pytest.param("?" * 1_000_000 + "x", id="question marks"),
        pytest.param('."' * 500_000, id="quotes"),
        pytest.param(" " * 1_000_000, id="spaces"),
        pytest.param("a\n" * 500_000, id="lines"),
    ],
)
def test_promise_10_time_is_linear(text: str) -> None:
    before = time.process_time()
    sentences(text)
    assert time.process_time() - before < 3
