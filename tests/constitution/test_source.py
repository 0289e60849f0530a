"""YAML is read as data: 1.2's core scalars, bounded, each value and each error with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.constitution.source import (
    MAX_BYTES,
    MAX_ITEMS,
    MAX_KEYS,
    MAX_LEVELS,
    MAX_NODES,
    read_source,
)
from guardrails.errors import ConstitutionError


def read(text: str | bytes) -> Any:
    source = read_source(text, "f")
    assert source.problems == ()
    return source.data


def refused(text: str | bytes) -> list[str]:
    """The problems, without the file's name."""
    try:
        found = read_source(text, "f").problems
    except ConstitutionError as error:
        found = error.problems
    return [str(problem).removeprefix("f:") for problem in found]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("true", True), ("True", True), ("TRUE", True), ("false", False), ("tRUE", "tRUE"),
        ("012", 12), ("0o17", 15), ("0x1F", 31), ("0b1", "0b1"), ("1_000", "1_000"),
        ("-5", -5), ("+5", 5), ("0", 0), ("-0", 0), ("190:20:30", "190:20:30"),
        ("1.5", 1.5), (".5", 0.5), ("5.", 5), ("16.0", 16), ("1e2", 100), ("1.5e-3", 0.0015),
        ("-.5", -0.5), ("e5", "e5"), ("1e", "1e"), (".", "."),
        ("null", None), ("Null", None), ("~", None), ("", None), ("nULL", "nULL"),
        ("2026-11-24", "2026-11-24"), ("1.0.0", "1.0.0"), ("=", "="), ("'12'", "12"),
        ('"true"', "true"), ('"\\u00e9\\n"', "é\n"), ("٣", "٣"), ("12 mg", "12 mg"),
        ("9007199254740993", 9007199254740993), ("1e400x", "1e400x"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(written: str, value: Any) -> None:
    found = read(f"a: {written}")["a"]
    assert (found, type(found)) == (value, type(value))


def test_block_scalars_keep_their_lines() -> None:
    assert read("a: |\n  x\n  y\nb: >-\n  x\n  y\n") == {"a": "x\ny\n", "b": "x y"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: *x", "1:4: an alias (*); write the value out"),
        ("a: &x 1", "1:4: a: an anchor (&); 'extends' and 'defaults'"),
        ("a:\n  - &x [1]", "2:5: a[0]: an anchor (&)"),
        ("a: !!str 1", "1:4: a: a tag (!)"),
        ("a: !secret b", "1:4: a: a tag (!)"),
        ("a: !!python/object/apply:os.system [ls]", "1:4: a: a tag (!)"),
        ("a:\n  <<: {b: 1}", "2:3: a: a merge key (<<)"),
        ("a: 1\nb: 2\na: 3", "3:1: a: the key stands here twice, first at 1:1; keep one"),
        ("a: {b: 1, b: 2}", "1:11: a.b: the key stands here twice, first at 1:5"),
        ("1: a", "1:1: a key must be a text; quote it"),
        ("true: a", "1:1: a key must be a text; quote it"),
        ("? [a]\n: 1", "1:3: a key must be a text"),
        ("a: {en: Sorry, not here}", "1:16: a['not here']: a key without a value inside {}"),
        ("a: .inf", "1:4: a: not a finite number; quote it"),
        ("a: .NaN", "1:4: a: not a finite number"),
        ("a: 1e999", "1:4: a: not a finite number"),
        ("a: " + "9" * 41, "1:4: a: a number of more than 40 digits; quote it"),
        ('a: "\\ud800"', "1:7: not YAML: found invalid Unicode character escape code"),
        ("a: \ud800", "1:4: the character U+D800; take it out; half of a surrogate pair"),
        ("a: b\x00c", "1:5: the character U+0000; take it out; where it is meant"),
        (
            "a: b\u202ec",
            '1:5: the character U+202E; take it out; where it is meant, write "\\u202e"',
        ),
        ("# a\u2066b\na: b", "1:4: the character U+2066; take it out"),
        (
            "a: b\U000e0041",
            '1:5: the character U+E0041; take it out; where it is meant, write "\\U',
        ),
        ("x: 1\na: b\x1bc", "2:5: the character U+001B"),
        ("a: b\x85c", "1:5: the character U+0085"),
        ("a: b\u2028c", "1:5: the character U+2028"),
        ("a: b\ufffec", "1:5: the character U+FFFE"),
        ("%YAML 1.1\n---\na: 1", "1:1: directives (%) are not part of this format"),
        ("# x\n%TAG ! tag:x,2000:\n---\na: 1", "2:1: directives (%)"),
        ("a: 1\n---\nb: 2", "2:1: a second document; a file holds one"),
        ("", "1:1: the file is empty; expected at least id, version, principles"),
        ("# only this\n", "2:1: the file is empty"),
        ("- a", "1:1: expected a mapping with id, version and principles, found a list"),
        ("a", "1:1: expected a mapping with id, version and principles, found a text"),
        ("a:\n\t- b", "2:1: not YAML: found character that cannot start any token"),
        ("a: b: c", "1:5: not YAML: mapping values are not allowed in this context; quote a text"),
        ("a: 'b", "1:6: not YAML: found unexpected end of stream while scanning a quoted"),
        ("a: [b", "2:1: not YAML: did not find expected ',' or ']'"),
        ("a: @b", "1:4: not YAML: found character that cannot start any token"),
        (b"a: \xff", "1:4: not UTF-8: the byte 0xff; save the file as UTF-8"),
        ("a: 1".encode("utf-16"), "1:1: not UTF-8: the byte 0xff"),
        ("é: 1\na: ".encode() + b"\xc3(", "2:4: not UTF-8: the byte 0xc3"),
    ],
)
def test_what_is_no_plain_data_is_refused_at_its_place(text: str | bytes, said: str) -> None:
    assert refused(text)[0].startswith(said)


def test_what_does_not_stop_the_reading_is_told_together() -> None:
    text = "a: &x 1\nb: !t 2\n<<: {c: 3}\nd: .inf\na: 1\n"
    assert [line.split(": ")[0] for line in refused(text)] == ["1:4", "2:4", "3:1", "4:4", "5:1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: " + "x" * MAX_BYTES, "1:1: the file has 1,048,579 bytes, 1,048,576 are allowed"),
        ("é" * MAX_BYTES, "1:1: the file has 2,097,152 bytes"),
        ("a: " + "[" * MAX_LEVELS, f"1:{MAX_LEVELS + 3}: more than 40 levels of nesting"),
        (
            "a:\n" + f" - [{'1,' * 999}1]\n" * 51,
            "51:1899: more than 50,000 values; split the file with 'extends'",
        ),
        (f"a: [{'1,' * MAX_ITEMS}1]", "1:10005: more than 5,000 entries in a list"),
        (
            "".join(f"k{n}: 1\n" for n in range(MAX_KEYS + 1)),
            "1001:1: more than 1,000 keys in a mapping",
        ),
    ],
    ids=["bytes", "bytes of UTF-8", "levels", "nodes", "a list", "a mapping"],
)
def test_a_file_has_limits(text: str, said: str) -> None:
    assert refused(text)[0].startswith(said)


def test_what_is_within_the_limits_is_read() -> None:
    assert len(read(f"a: [{'1,' * (MAX_ITEMS - 1)}1]")["a"]) == MAX_ITEMS
    deep = "[" * (MAX_LEVELS - 1) + "]" * (MAX_LEVELS - 1)
    assert read(f"a: {deep}")
    lists = (MAX_NODES - 3) // 1001
    assert len(read("a:\n" + f" - [{'1,' * 999}1]\n" * lists)["a"]) == lists


@pytest.mark.parametrize("extra", range(-3, 4))
def test_the_last_value_that_fits_fits(extra: int) -> None:
    """Root, key `a`, its list and 49 lists of 1,000 are 49,052 values; the rest fill up."""
    rest = MAX_NODES - (3 + 49 * 1001 + 1) + extra
    text = "a:\n" + f" - [{','.join('1' * 1000)}]\n" * 49 + f" - [{','.join('1' * rest)}]\n"
    assert bool(refused(text)) == (extra > 0)


def test_only_a_hundred_problems_are_told() -> None:
    assert len(refused("a: &x 1\n" * 1000)) == 100


def test_a_byte_order_mark_is_no_text() -> None:
    assert read(b"\xef\xbb\xbfa: 1") == read("\ufeffa: 1") == {"a": 1}


def test_a_value_knows_its_place() -> None:
    source = read_source("a:\n  - b: 1\n    c: [x, y]\n", "f")
    assert str(source.problem(("a", 0, "c", 1), "w")) == "f:3:12: a[0].c[1]: w"
    assert str(source.problem(("a", 0, "c"), "w", at_key=True)) == "f:3:5: a[0].c: w"
    assert str(source.problem(("a", 0, "nowhere"), "w")) == "f:2:5: a[0]: w"


def test_a_long_key_is_shortened_in_its_path() -> None:
    (said,) = refused(f"{'k' * 500}: &x 1")
    assert len(said) < 200


def test_the_parser_without_libyaml_reads_the_same() -> None:
    text = 'a: [1, no, "x"]\nb: {c: ~}\nd: |\n  e\n'
    assert read_source(text, "f", loader=yaml.SafeLoader) == read_source(text, "f")


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(st.dictionaries(st.text(), VALUES))
@settings(deadline=None)
def test_json_means_the_same_as_in_json(value: dict[str, Any]) -> None:
    """ASCII, as lone surrogates and control characters only stand in escapes there."""
    text = json.dumps(value)
    if "\\ud" in text.lower():
        return  # libyaml does not join the halves of a pair
    assert read(text) == json.loads(text)


@given(st.text())
@settings(deadline=None)
def test_no_text_makes_the_reader_fail(text: str) -> None:
    for line in refused(text):
        place, _, _ = line.partition(": ")
        assert all(int(number) >= 1 for number in place.split(":"))


@given(st.binary())
@settings(deadline=None)
def test_no_bytes_make_the_reader_fail(data: bytes) -> None:
    refused(data)
