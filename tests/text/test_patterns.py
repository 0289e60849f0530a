"""Patterns against a slow oracle: the standard library's `re`, asked place by place."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guardrails.text import expression
from guardrails.text.patterns import Pattern, PatternError, compile_pattern

Span = tuple[int, int]


def oracle(source: str, text: str, width: int) -> list[Span]:
    """The leftmost hits no wider than `width`, found by trying every place.

    The look-ahead keeps what is left of the text at least as long as a hit of that width leaves.
    """
    spans: list[Span] = []
    at = 0
    while at < len(text):
        rest = max(0, len(text) - at - width)
        program = re.compile(rf"(?:{source})(?=(?s:.){{{rest}}})", re.IGNORECASE)
        match = program.match(text, at)
        if match:
            spans.append(match.span())
        at = match.end() if match else at + 1
    return spans


def check(source: str, text: str) -> None:
    pattern = compile_pattern(source)
    assert pattern.findall(text) == oracle(source.replace(r"\z", r"\Z"), text, pattern.width)


# A few characters that are word, space, digit and neither, in one to four bytes of UTF-8.
LETTERS = "ab1_ skKé٣Ж漢-\n\U0001d7ce😀"
texts = st.text(alphabet=LETTERS, max_size=24)
characters = ["a", "b", "s", "1", "é", "ж", "漢", "-", "😀", ".", "(?s:.)"]
classes = [r"\w", r"\d", r"\s", r"\W", r"\S", "[a-b]", "[^a]"]
mixed = [r"[\w-]", r"[\W_]", r"[^\s]", r"[\D]"]
atoms = st.sampled_from([*characters, *classes, *mixed])
word_atoms = st.sampled_from(["a", "b", r"\w", r"\d", "[a-b]", "é", "(?:a|1)", "漢", r"[\w]"])
repeats = st.sampled_from(["", "", "", "?", "{2}", "{0,2}", "*", "+", "+?", "{1,}"])
pieces = st.builds("{}{}".format, atoms, repeats)
bodies = st.lists(pieces, min_size=1, max_size=3).map("".join)
cores = st.builds("{}{}{}".format, word_atoms, bodies, word_atoms) | word_atoms
edges = st.sampled_from(["", r"\b"])
edged = st.builds("{}{}{}".format, edges, cores, edges)
begins, ends = st.sampled_from(["", "^"]), st.sampled_from(["", r"\z"])
anchored = st.builds("{}{}{}".format, begins, cores, ends)
branches = st.one_of(edged, edged, bodies, anchored)
sources = st.lists(branches, min_size=1, max_size=3).map("|".join)


def compiles(source: str) -> bool:
    """All that these strategies make compiles, save what may match the empty text."""
    try:
        compile_pattern(source)
    except PatternError as error:
        if "empty" in str(error):
            return False
        raise
    return True


@given(source=sources.filter(compiles), text=texts)
@example(source=r"\ba", text="a a")
@example(source=r"\ba-|a", text="a-a-a")
@example(source=r"\ba\b", text="a a-a aa")
@example(source=r"ab|\ba", text=" ab ba")
@example(source=r"\b(?:a|aé)\b", text="aé a")
@example(source=r"a\sb", text="asb akb a b")
@example(source=r"a\Wb", text="asb akb a-b")
@example(source=r"a[\sx]b", text="asb aXb")
def test_hits_equal_the_oracle(source: str, text: str) -> None:
    check(source, text)


@given(source=sources.filter(compiles), text=texts, unbounded=st.integers(1, 6))
@example(source="a.*b", text="aaaaaaaaab-ab", unbounded=3)
@example(source=r"aaa|\w.*a\b", text="1a", unbounded=1)
def test_hits_are_never_wider_than_the_width(source: str, text: str, unbounded: int) -> None:
    """With a small count for unbounded repeats, so that short texts reach it."""
    whole = expression.UNBOUNDED_CHARACTERS
    try:
        expression.UNBOUNDED_CHARACTERS = unbounded
        compile_pattern.cache_clear()
        check(source, text * 3)
    finally:
        expression.UNBOUNDED_CHARACTERS = whole
        compile_pattern.cache_clear()


@given(text=st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=60))
@example(text="\ud83d\ude00 a")
def test_any_text_is_searched(text: str) -> None:
    """Lone surrogates and unassigned characters included; spans are in characters."""
    for start, end in compile_pattern(r"\w+|\s").findall(text):
        assert 0 <= start < end <= len(text)
    assert compile_pattern("(?s).").findall(text) == [(i, i + 1) for i in range(len(text))]


@pytest.mark.parametrize(
    ("source", "text", "hits"),
    [
        pytest.param(r"\bcaf\b", "café caf", ["caf"], id="an accent is part of the word"),
        pytest.param(r"\bcaf\b", "cafe\u0301", [], id="an e with a combining accent too"),
        pytest.param(r"\d+", "٣٤ x ५ y 𝟠", ["٣٤", "५", "𝟠"], id="digits of any script"),
        pytest.param(r"a\sb", "a\u00a0b a\u3000b a\u2028b a\u0085b", 4, id="spaces of any kind"),
        pytest.param(r"a\Sb", "a\u00a0b a\u200bb axb", ["a\u200bb", "axb"], id="not a space"),
        pytest.param(r"[\S]b", "\u00a0b xb", ["xb"], id="not a space, in a class"),
        pytest.param(r"\w+", "Ünïcode, हिन्दी", ["Ünïcode", "हिन्दी"], id="marks are in words"),
        pytest.param("привет", "ПРИВЕТ, Привет", 2, id="case is ignored in any script"),
        pytest.param("ΣΟΦΟΣ", "σοφος", 1, id="capital sigma"),
        pytest.param(r"\bיין\b", "שתה יין.", ["יין"], id="Hebrew, right to left"),
        pytest.param("薬を飲", "薬を飲む。薬を飲め", 2, id="no spaces between words"),
        pytest.param(r"\b薬\b", "薬を 薬 (薬)", ["薬", "薬"], id="no edge between letters"),
        pytest.param(r"\bfoo\b", "foo foo foo", 3, id="one space is both edges"),
        pytest.param(r"\bfoo\b", "foo\x00foo", 2, id="NUL is a character like others"),
        pytest.param(r"\b(?:a|b)\b|c+", "a ccc xb b", ["a", "ccc", "b"], id="edges of each"),
        pytest.param(r"(?:\bfoo|\bbar)", "foo xbar bar", ["foo", "bar"], id="one group"),
        pytest.param(r"(?P<dose>\d+)(?<unit>mg)", "5mg", ["5mg"], id="names do no harm"),
        pytest.param("^foo", "foo\nfoo", ["foo"], id="^ is the begin of the text"),
        pytest.param("(?m)^foo$", "foo\nfoo", 2, id="or of a line, if asked"),
        pytest.param("foo$", "foo\n", [], id="$ is the very end"),
        pytest.param("a.c", "a\nc abc", ["abc"], id="a dot is no line feed"),
        pytest.param("(?s)a.c", "a\nc", 1, id="unless asked"),
        pytest.param("a(?-i:B)c", "ABC abc", ["ABC"], id="case in a part"),
        pytest.param("(?i)a(?-i)b|c", "Ab AB C c", ["Ab", "c"], id="flags go on"),
        pytest.param("(?U)a+", "aaa", 3, id="U makes repeats lazy"),
        pytest.param(r"\Qa.b\E+", "a.bbb axb", ["a.bbb"], id="quoted"),
        pytest.param(r"[]a]+[^]]", "]a]x", ["]a]x"], id="a bracket first in a class"),
        pytest.param(r"[a\-z-]+", "-az-b", ["-az-"], id="hyphens in a class"),
        pytest.param(r"[[:digit:]]\x41\x{1F600}\07?", "1a😀", 1, id="POSIX, hexadecimal, octal"),
        pytest.param(r"\p{Greek}\pL\P{L}", "αβ1", 1, id="properties"),
        pytest.param(r"x{2}y{1,}z{0,1}", "xxyyz xy", ["xxyyz"], id="counts"),
        pytest.param("a{b", "a{b", 1, id="a brace that is no count"),
        pytest.param("a{,b}", "a{,b}", 1, id="nor is this"),
        pytest.param(r"\x{41}\.\_\-", "a._-", 1, id="escaped signs"),
    ],
)
def test_dialect(source: str, text: str, hits: int | list[str]) -> None:
    found = [text[start:end] for start, end in compile_pattern(source).findall(text)]
    assert (len(found) if isinstance(hits, int) else found) == hits


def test_case_counts_if_asked() -> None:
    assert compile_pattern("Abc", case=True).findall("abc Abc") == [(4, 7)]
    assert compile_pattern("(?i)Abc", case=True).findall("abc Abc") == [(0, 3), (4, 7)]


@pytest.mark.parametrize(
    ("source", "width"),
    [
        ("abc", 3),
        (r"\babc\b", 3),
        ("ab|c|defg", 4),
        ("a?b{2,5}", 6),
        (r"\w+", 100),
        (r"\w+\s*x", 201),
        (r"(?:\w+\s)+", 101),
        ("a{150,}", 150),
        ("(?:.{120})+", 120),
        ("^漢$", 1),
    ],
)
def test_width(source: str, width: int) -> None:
    assert compile_pattern(source).width == width


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("(?=a)", "look-ahead"),
        ("(?!a)b", "unless"),
        ("(?<=a)b", "look-behind"),
        ("(?<!a)b", "look-behind"),
        (r"(a)\1", "back-reference"),
        (r"(?P<x>a)(?P=x)", "back-reference"),
        (r"(?<x>a)\k<x>", "back-reference"),
        ("(?>a)", "atomic"),
        ("a++", "possessive"),
        ("a?+", "possessive"),
        ("(?(1)a|b)", "conditional"),
        ("(?#note)a", "comment"),
        ("(?R)a", "recursion"),
        ("(?x)a b", "flag"),
        ("(?", "ends in the middle"),
        (r"a\bb", "only at the ends"),
        (r"(?:\ba)b", "only at the ends"),
        (r"(?:a\b)+", "only at the ends"),
        (r"(\bfoo|\bfoot)\b", "only at the ends"),
        (r"^\ba", "only at the ends"),
        (r"\b-a", "surely a word character"),
        (r"\b\W", "surely a word character"),
        (r"\ba?-", "surely a word character"),
        (r"\b(?:a|-)\b", "surely a word character"),
        (r"\b.", "surely a word character"),
        (r"\b[^a]", "surely a word character"),
        (r"\b", "empty"),
        (r"a\B", r"`\B`"),
        (r"\b*a", "cannot be repeated"),
        ("^*a", "cannot be repeated"),
        ("a**", "repeat of a repeat"),
        ("*a", "nothing to repeat"),
        ("a|*", "nothing to repeat"),
        ("(?i)*", "nothing to repeat"),
        ("a{,3}", "write {0,3}"),
        ("a{3,2}", "upwards"),
        ("a{100000}", "upwards"),
        ("a{2,99999999999999999999}", "upwards"),
        ("a{1001}", "1,000"),
        ("(?:a{500}){3}", "repetition"),
        (r"[^\W_]", r"[\pL\pN]"),
        (r"[\b]", "in a class"),
        (r"[\w-z]", "a range"),
        ("[z-a]", "a range"),
        ("[a", "ends in the middle"),
        ("[[:nope:]]", "POSIX"),
        ("(a", "not closed"),
        ("a)", "closes no group"),
        ("a\\", "ends in the middle"),
        (r"\C", "bytes"),
        (r"\Z", r"\z"),
        (r"\u0041", r"\x{…}"),
        (r"\y", "not in RE2"),
        (r"\x4", "by number"),
        (r"\x{D800}", "no character"),
        (r"\x{110000}", "no character"),
        (r"\p{Nope}", "RE2 refuses"),
        (r"\p{", "class of characters"),
        ("a*", "empty"),
        ("", "empty"),
        ("a|", "empty"),
        ("^", "empty"),
        ("ﬁ", "NFKC"),
        ("[０-９]", "NFKC"),
        ("cafe\u0301", "NFKC"),
        ("a\u200bb", "NFKC"),
        ("\ud800", "NFKC"),
        (r"\x{FF21}", "NFKC"),
        (r"\x{200B}", "NFKC"),
        (r"\w{200}", "steps"),
        ("(?:" * 100 + "a" + ")" * 100, "deeper"),
        ("(" * 5_000, "deeper"),
        ("a" * 20_000, "at most 10,000"),
        ("(?P<1>a)", "name"),
    ],
)
def test_what_is_refused_says_why(source: str, says: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(source)
    assert says in str(caught.value)


@given(st.text(alphabet=r"ab\wbdsWDSB()[]{}?*+|^$.-:,=!<>PiU01é", max_size=20))
def test_any_source_compiles_or_says_why(source: str) -> None:
    try:
        pattern = compile_pattern(source)
    except PatternError:
        return
    assert pattern.width >= 1
    pattern.findall("ab -1é")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        pytest.param("(a|aa)+$", "a" * 50_000 + "!", id="catastrophic elsewhere"),
        pytest.param("a.*b", ("a" * 300 + "b") * 150, id="mostly too wide"),
        pytest.param("a.*b", "ab" * 25_000, id="reaches on to the end"),
        pytest.param("а.*б", ("а" * 300 + "б") * 150, id="mostly too wide, two bytes each"),
        pytest.param(r"\b\w+\b", "é " * 25_000, id="hits everywhere"),
        pytest.param(r"(?:\w+\s?){50}x", "word " * 10_000, id="nested"),
    ],
)
def test_promise_10_search_is_linear_on_hostile_text(source: str, text: str) -> None:
    pattern = compile_pattern(source)
    pattern.findall(text[:100])
    before = time.process_time()
    pattern.findall(text)
    assert time.process_time() - before < 2


def test_all_word_steps_that_are_allowed_compile() -> None:
    """The exact form is compiled late, so the estimate must keep what RE2 would refuse out."""
    for source in (r"\w{155}", r"(?:\pL\pN){77}", r"[^\w\d]{120}", r"(?:\PL{70})\pL\b"):
        pattern = compile_pattern(source)
        for branch in pattern._branches:
            assert branch.exact.programsize < pattern.weight, source


def test_patterns_are_values() -> None:
    assert compile_pattern("a") == compile_pattern("a") != compile_pattern("a", case=True)
    assert len({compile_pattern("a"), compile_pattern("a", case=True)}) == 2
    assert compile_pattern("a") != "a"
    assert repr(compile_pattern("a")) == "Pattern('a', case=False, width=1)"
    assert isinstance(compile_pattern("a"), Pattern)
