"""Nothing from outside reaches a terminal as anything but a sign to be read."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.display.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("plain text, 1 line", "plain text, 1 line", id="plain"),
        pytest.param("two\nlines\r\nthree", "two\nlines\nthree", id="line breaks"),
        pytest.param("a\tb", "a    b", id="tab"),
        pytest.param("\x1b[31mred\x1b[0m", "␛[31mred␛[0m", id="colour sequence"),
        pytest.param("\x1b]8;;http://x\x07", "␛]8;;http://x␇", id="hyperlink"),
        pytest.param("over\rwritten", "over␍written", id="carriage return"),
        pytest.param("\x9b2J\x7f", "‹U+009B›2J␡", id="C1 and delete"),
        pytest.param("\u202eexe.txt", "‹U+202E›exe.txt", id="direction override"),
        pytest.param("a\u200bb\u200dc", "a‹U+200B›b‹U+200D›c", id="zero width"),
        pytest.param("hi\U000e0041", "hi‹U+E0041›", id="tag character"),
        pytest.param("x\ufe0fy\U000e0100", "x‹U+FE0F›y‹U+E0100›", id="variation selectors"),
        pytest.param("\ud800", "‹U+D800›", id="lone surrogate"),
        pytest.param("می\u200cروم", "می\u200cروم", id="Persian joiner stays"),
        pytest.param("👩\u200d💻", "👩\u200d💻", id="emoji joiner stays"),
        pytest.param("caf\u0065\u0301 日本 مرحبا", "caf\u0065\u0301 日本 مرحبا", id="scripts stay"),
    ],
)
def test_signs_stand_for_what_a_terminal_would_obey_or_hide(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(codec=None)))
def test_no_control_or_direction_character_is_left(text: str) -> None:
    left = {unicodedata.category(character) for character in visible(text) if character != "\n"}
    assert not left & {"Cc", "Cs", "Zl", "Zp"}
    assert not {"\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067"} & set(visible(text))


@given(st.text(st.characters(codec=None)))
def test_the_result_can_be_encoded(text: str) -> None:
    visible(text).encode()
