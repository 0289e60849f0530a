"""The normalised view, its map back, and what composes on top of it."""

from __future__ import annotations

import time
import tracemalloc
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.text.normalise import (
    EXCHANGED,
    FOLDED,
    HIDDEN,
    JOINING_STARTERS,
    NEGATION,
    SURROGATE,
    View,
    normalise,
)

# Characters that vanish, join, split, compose or stay, mixed closely.
TRICKY = (
    "ab e\u0301\u0327\u0316\u0345 ﬁ Å㎏ｶﾞＡ\u1100\u1161\u11a8\u3131\u314f\u09c7\u09be\ufdfa\u2026"
    "\u200b\u200d\u00ad\ufe0f\ufeff\u2066\u202e\U000e0041\u180b\u3164\ud83d\ude00\ud800\udfff"
    "漢字😀👩Ж\x00\n½\u0958\u2126\u1e9b\u0323\uac00\uff9e\u115f"
    "\x07\x7f\x85\u0338\u0336\u20dd=\u0663\u06dd\ufdd0\u2800\U0001f170"
)
tricky = st.text(alphabet=st.sampled_from(TRICKY), max_size=40)
texts = (
    tricky
    | st.text(max_size=40)
    | st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=20)
)


def expected(text: str) -> str:
    """The definition, over the whole text at once."""
    visible = SURROGATE.sub("\ufffd", HIDDEN.sub("", text)).translate(FOLDED)
    normal = unicodedata.normalize("NFKC", visible)
    return unicodedata.normalize("NFC", normal.replace(NEGATION, ""))


@given(texts)
def test_text_is_nfkc_of_the_whole(text: str) -> None:
    view = normalise(text)
    assert view.text == expected(text)
    assert view.original is text


@given(texts)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text).text
    assert normalise(once).text is once


@given(texts.map(lambda text: text * 30))
def test_long_runs_are_the_same_as_short_ones(text: str) -> None:
    assert normalise(text).text == expected(text)


def spans_of(text: str) -> st.SearchStrategy[tuple[int, int]]:
    place = st.integers(0, len(text))
    return st.tuples(place, place).map(lambda pair: (min(pair), max(pair)))


def ways(view: View) -> list[tuple[str, str, object, object]]:
    """Both directions: near text, far text, there, and back."""
    return [
        (view.text, view.original, view.to_original, view.to_view),
        (view.original, view.text, view.to_view, view.to_original),
    ]


@given(st.data())
def test_spans_map_monotonely_and_cover(data: st.DataObject) -> None:
    view = normalise(data.draw(texts))
    check_map(view, data)


def check_map(view: View, data: st.DataObject, *, one_sided: bool = False) -> None:
    """What was inserted or deleted has nothing on the other side that could lead back to it."""
    for near, far, there, back in ways(view):
        first, second = sorted((data.draw(spans_of(near)), data.draw(spans_of(near))))
        a, b = there(first), there(second)  # type: ignore[operator]
        for start, end in (a, b):
            assert 0 <= start <= end <= len(far)
        if first[0] <= second[0] and first[1] <= second[1] and first[0] < first[1]:
            assert a[0] <= b[0]
            assert second[0] == second[1] or a[1] <= b[1]
        if not one_sided and first[0] < first[1] and a[0] < a[1]:
            again = back(a)  # type: ignore[operator]
            assert again[0] <= first[0] < first[1] <= again[1], "there and back covers"
            assert there(again) == a, "and going again adds nothing"  # type: ignore[operator]


@given(texts)
def test_what_a_span_maps_to_normalises_to_what_it_shows(text: str) -> None:
    """The whole is its pieces: the original under any span reads as the view under it."""
    view = normalise(text)
    for at in range(len(view.text)):
        start, end = view.to_original((at, at + 1))
        low, high = view.to_view((start, end))
        assert expected(text[start:end]) == view.text[low:high]


@given(texts)
def test_the_whole_maps_to_the_whole(text: str) -> None:
    view = normalise(text)
    assert view.to_view((0, len(text))) == (0, len(view.text))
    if view.text:
        assert view.to_original((0, len(view.text))) == (0, len(text))
        assert view.to_original((0, 1))[0] == 0
        assert view.to_original((len(view.text) - 1, len(view.text)))[1] == len(text)


@pytest.mark.parametrize(
    ("text", "seen", "found", "original"),
    [
        pytest.param("plain", "plain", "ai", "ai", id="ASCII"),
        pytest.param("déjà 漢字 😀", "déjà 漢字 😀", "漢", "漢", id="normal already"),
        pytest.param("k\u200bi\u200dll", "kill", "kill", "k\u200bi\u200dll", id="zero-width"),
        pytest.param("x k\u200bill", "x kill", "ill", "ill", id="after what vanished"),
        pytest.param("x\U000e0041\U000e0042y", "xy", "y", "y", id="tag characters"),
        pytest.param("a\u202eb\u202cc", "abc", "b", "b\u202c", id="bidi overrides"),
        pytest.param("co\u00adop", "coop", "coop", "co\u00adop", id="soft hyphen"),
        pytest.param("❤️!", "❤!", "❤", "❤️", id="variation selector"),
        pytest.param("Ｔａｋｅ ８", "Take 8", "ake", "ａｋｅ", id="full width"),
        pytest.param("ﬁnd", "find", "i", "ﬁ", id="a ligature is not split"),
        pytest.param("cafe\u0301s", "cafés", "é", "e\u0301", id="an accent joins its letter"),
        pytest.param("e\u200b\u0301", "é", "é", "e\u200b\u0301", id="through what is between"),
        pytest.param("ｶﾞx", "ガx", "ガ", "ｶﾞ", id="half width with its mark"),
        pytest.param("ㄱㅏ", "가", "가", "ㄱㅏ", id="Hangul letters"),
        pytest.param("a…b", "a...b", ".", "…", id="an ellipsis is three dots"),
        pytest.param("a\ud800b", "a\ufffdb", "\ufffd", "\ud800", id="a lone surrogate"),
        pytest.param("\u2066שלום\u2069", "שלום", "שלום", "\u2066שלום\u2069", id="isolates"),
        pytest.param("\ufeffhi", "hi", "h", "\ufeffh", id="a byte order mark"),
        pytest.param("می‌خواهم", "میخواهم", "یخ", "ی‌خ", id="a joiner inside a Persian word"),
        pytest.param("gu\x00arantee", "guarantee", "u", "u\x00", id="NUL"),
        pytest.param("\x08\x7fab", "ab", "a", "\x08\x7fa", id="controls at the begin"),
        pytest.param("a\x9fb", "ab", "b", "b", id="a control beyond ASCII"),
        pytest.param("e\x00\u0301", "é", "é", "e\x00\u0301", id="an accent through a control"),
        pytest.param("a\ufffeb\U0010ffff", "ab", "b", "b\U0010ffff", id="noncharacters"),
        pytest.param("g\u0336u\u0338n\u20dd", "gun", "u", "u\u0338", id="crossed and enclosed"),
        pytest.param("a\u20dd\u0301", "á", "á", "a\u20dd\u0301", id="an accent through a circle"),
        pytest.param("a =\u0338 b", "a ≠ b", "≠", "=\u0338", id="a negation is another sign"),
        pytest.param("\u0338a", "a", "a", "\u0338a", id="a stroke through nothing"),
        pytest.param("4\ufe0f\u20e31\ufe0f\u20e3", "41", "1", "1\ufe0f\u20e3", id="keycaps"),
        pytest.param("a\u06ddb\u070fc\U000110bdd", "abcd", "b", "b\u070f", id="format"),
        pytest.param("٤١١١ ۴۵", "4111 45", "11 4", "١١ ۴", id="Arabic digits"),
        pytest.param("४\U0001e950", "40", "0", "\U0001e950", id="digits of other scripts"),
        pytest.param("🅶🆄🅽 🅖", "GUN G", "U", "🆄", id="white on black"),
        pytest.param("a\u2800b", "a b", " ", "\u2800", id="a blank in braille is a space"),
        pytest.param("\U0001d5ff\U0001d5f2\U0001d5f1", "red", "e", "\U0001d5f2", id="mathematical"),
    ],
)
def test_map_back(text: str, seen: str, found: str, original: str) -> None:
    view = normalise(text)
    assert view.text == seen
    at = view.text.index(found)
    start, end = view.to_original((at, at + len(found)))
    assert text[start:end] == original


@pytest.mark.parametrize(
    "text",
    [
        "", "plain\r\n", "déjà", "漢字かな交じり文", "a\tb\x0bc\x0cd", "é\x85\u2028\u2029",
        "क्षत्रिय हिन्दी", "السَّلامُ عليكم", "שָׁלוֹם", "ภาษาไทย", "İstanbul ș ą", "🇩🇪", "\ue000",
    ],
)  # fmt: skip
def test_a_normal_text_is_the_same_object(text: str) -> None:
    view = normalise(text)
    assert view.text is text
    assert view.to_original((0, 3)) == (0, 3)


def test_only_what_is_invisible_maps_to_nothing() -> None:
    view = normalise("\u200b\u200b")
    assert view.text == ""
    assert view.to_view((0, 2)) == (0, 0)


# -- replacing -----------------------------------------------------------------------------------

replacements = st.text(alphabet="XY\u200bﬁ", max_size=4)


@st.composite
def edits_of(draw: st.DrawFn, text: str) -> list[tuple[tuple[int, int], str]]:
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pairs = list(zip(places[::2], places[1::2], strict=False))
    return [(pair, draw(replacements)) for pair in pairs]


@given(st.data())
def test_replacing_composes(data: st.DataObject) -> None:
    """A view of a view of a view still maps to the original."""
    view = normalise(data.draw(texts))
    one_sided = False
    for _ in range(3):
        edits = data.draw(edits_of(view.text))
        seen, at = "", 0
        for (start, end), new in edits:
            seen += view.text[at:start] + new
            at = end
        seen += view.text[at:]
        before, view = view, view.replace(edits)
        assert view.text == seen
        assert view.original is before.original
        check_edges(before, edits, view)
        one_sided |= any(start == end or not new for (start, end), new in edits)
        check_map(view, data, one_sided=one_sided)


def check_edges(before: View, edits: list[tuple[tuple[int, int], str]], after: View) -> None:
    """What touches a replacement maps to all that was replaced."""
    shift = 0
    for (start, end), new in edits:
        if new and start < end:
            low, high = before.to_original((start, end))
            for at in range(start + shift, start + shift + len(new)):
                mapped = after.to_original((at, at + 1))
                assert mapped[0] <= low <= high <= mapped[1]
        shift += len(new) - (end - start)


def test_replacing_maps_back_to_the_whole_replaced() -> None:
    view = normalise("mail ｊo@x.io now").replace([((5, 12), "[EMAIL_ADDRESS_1]")])
    assert view.text == "mail [EMAIL_ADDRESS_1] now"
    at = view.text.index("ADDRESS")
    assert view.to_original((at, at + 7)) == (5, 12)
    at = view.text.index("now")
    assert view.to_original((at, at + 3)) == (13, 16)
    assert view.to_original((4, 6)) == (4, 12)


@pytest.mark.parametrize(
    "edits",
    [[((2, 1), "x")], [((0, 2), ""), ((1, 3), "")], [((3, 4), ""), ((0, 1), "")], [((0, 99), "")]],
    ids=["backwards", "overlapping", "out of order", "beyond the end"],
)
def test_edits_must_be_in_order_and_apart(edits: list[tuple[tuple[int, int], str]]) -> None:
    with pytest.raises(ValueError, match="in order"):
        normalise("abcdef").replace(edits)


def test_promise_9_a_view_hides_its_text() -> None:
    assert "secret" not in repr(normalise("secret\u200b").replace([((0, 1), "secret")]))


# -- Unicode -------------------------------------------------------------------------------------


def test_every_joining_starter_is_known() -> None:
    """Held against this Python's own tables: what composes backwards without being a mark."""
    seconds = set()
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and parts[0][0] != "<":
            pair = "".join(chr(int(part, 16)) for part in parts)
            if unicodedata.normalize("NFC", pair) == chr(code):
                seconds.add(pair[1])
    assert {second for second in seconds if not unicodedata.combining(second)} <= JOINING_STARTERS


def test_what_is_exchanged_one_for_one_is_nfkc_or_folded() -> None:
    assert len(EXCHANGED) > 1_700
    for code, new in EXCHANGED.items():
        assert new == FOLDED.get(code, unicodedata.normalize("NFKC", chr(code)))


def test_every_decimal_digit_is_read_as_one_of_ascii() -> None:
    for character in map(chr, range(0x110000)):
        if unicodedata.category(character) == "Nd":
            assert normalise(character).text == str(unicodedata.decimal(character))


def test_controls_format_and_noncharacters_are_hidden() -> None:
    """But for what separates lines and columns."""
    for code in range(0x110000):
        unseen = unicodedata.category(chr(code)) in ("Cc", "Cf") or code & 0xFFFE == 0xFFFE
        if unseen and chr(code) not in "\t\n\x0b\x0c\r\x85":
            assert normalise(f"a{chr(code)}b").text == "ab"


def test_nothing_visible_normalises_to_something_hidden() -> None:
    visible = (chr(code) for code in range(0x110000) if not HIDDEN.match(chr(code)))
    for character in visible:
        normal = unicodedata.normalize("NFKC", character)
        assert not HIDDEN.search(normal)
        assert len(normal) == 1 or not any(ord(c) in FOLDED for c in normal)


# -- size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("plain text. " * 85_000, id="ASCII"),
        pytest.param("нормальный текст. " * 56_000, id="normal"),
        pytest.param("curly … quotes’ text " * 48_000, id="changes here and there"),
        pytest.param("ﬁ" * 500_000, id="changes everywhere"),
        pytest.param("Ａ" * 500_000, id="full width"),
        pytest.param("\u200b" * 1_000_000, id="nothing to see"),
        pytest.param("a" + "\u0301\u0327" * 500_000, id="marks out of order"),
        pytest.param("\u0301" * 1_000_000, id="marks in order"),
        pytest.param("\ud800" * 500_000, id="surrogates"),
        pytest.param("a\x00" * 500_000, id="controls"),
        pytest.param("a" + "\u0301\u0338\u20dd" * 300_000, id="strokes and circles"),
        pytest.param("٣" * 1_000_000, id="digits"),
    ],
)
def test_promise_10_time_is_linear(text: str) -> None:
    before = time.process_time()
    view = normalise(text)
    view.to_original((0, len(view.text)))
    assert time.process_time() - before < 4


def test_promise_10_ten_megabytes_are_read_in_seconds() -> None:
    text = "A line of text with “quotes” and an ellipsis… here and there.\n" * 160_000
    before = time.process_time()
    view = normalise(text)
    assert time.process_time() - before < 15
    assert view.to_original((len(view.text) - 1, len(view.text))) == (len(text) - 1, len(text))


def test_promise_10_a_view_takes_little_more_than_its_text() -> None:
    text = "A line of text with “quotes” and an ellipsis… here and there.\n" * 10_000
    tracemalloc.start()
    normalise(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(text)
