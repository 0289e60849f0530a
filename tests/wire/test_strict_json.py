"""JSON that two readers could read in two ways is refused, and never with a word of its text."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.wire.strict_json import AmbiguousError, dump_json, parse_json

REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not JSON: Expecting value"),
    "white space": (b"  \n", "not JSON: Expecting value"),
    "cut off": (b'{"a": "secret', "not JSON: Unterminated string"),
    "more after the end": (b'{"a": 1} {"a": 2}', "not JSON: Extra data"),
    "a second line": (b'{"a": 1}\n{"a": 2}', "not JSON: Extra data"),
    "a comment": (b'{"a": 1} // secret', "not JSON: Extra data"),
    "a comma too many": (b'{"a": 1,}', "not JSON"),
    "single quotes": (b"{'a': 'secret'}", "not JSON"),
    "a control character": (b'{"a": "x\x01y"}', "not JSON: Invalid control character"),
    "a newline in a string": (b'{"a": "x\ny"}', "not JSON: Invalid control character"),
    "an unknown escape": (b'{"a": "\\x41"}', "not JSON: Invalid"),
    "a NUL": (b'{"a": 1}\x00', "not JSON: Extra data"),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
    "UTF-16": ('{"a": "secret"}'.encode("utf-16"), "not UTF-8: byte 0"),
    "UTF-16 without its mark": ('{"a": "secret"}'.encode("utf-16-le"), "not JSON"),
    "UTF-32": ('{"a": "secret"}'.encode("utf-32"), "not UTF-8: byte 0"),
    "Latin-1": ('{"a": "é"}'.encode("latin-1"), "not UTF-8: byte 7"),
    "an overlong form": (b'{"a": "\xc1\xa1"}', "not UTF-8: byte 7"),
    "half a pair as UTF-8": (b'{"a": "\xed\xa0\x80"}', "not UTF-8: byte 7"),
    "NaN": (b'{"a": NaN}', "NaN is no JSON value"),
    "Infinity": (b"[Infinity]", "Infinity is no JSON value"),
    "-Infinity": (b"[-Infinity]", "-Infinity is no JSON value"),
    "1e400": (b"[1e400]", "a number out of range"),
    "-1e400": (b"[-1e400]", "a number out of range"),
    "a huge number": (b"[" + b"9" * 5000 + b"]", "a number with too many digits"),
    "a high surrogate alone": (b'{"a": "\\ud83d"}', "half of a surrogate pair"),
    "a low surrogate alone": (b'["x\\uDE00y"]', "half of a surrogate pair"),
    "two highs": (b'["\\ud83d\\ud83d\\ude00"]', "half of a surrogate pair"),
    "half a pair in a name": (b'{"\\ud83d": 1}', "half of a surrogate pair"),
    "half a pair, deep": (b'{"a": [{"b": ["\\udfff"]}]}', "half of a surrogate pair"),
    "the same name twice": (b'{"a": 1, "a": 2}', "the same key twice"),
    "the same name, escaped": (b'{"a": 1, "\\u0061": 2}', "the same key twice"),
    "the same name, deep": (b'[[{"b": {"a": 1, "a": 1}}]]', "the same key twice"),
    "10,000 levels": (b"[" * 10_000 + b"]" * 10_000, "nested too deeply"),
    "10,000 objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested too deeply"),
    "10,000 levels, never closed": (b"[" * 10_000, "nested too deeply"),
}


@pytest.mark.parametrize(("body", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_ambiguous_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(AmbiguousError) as caught:
        parse_json(body)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b' \t\r\n{"a": [1, 2.5, true, "x"]}\n', {"a": [1, 2.5, True, "x"]}),
        (b'"\\ud83c\\udf89"', "🎉"),
        (b'"\\\\ud83d"', "\\ud83d"),
        (b'"\\u00e9\\u0000\\/"', "é\0/"),
        (b'{"a": {"a": 1}, "b": {"a": 1}}', {"a": {"a": 1}, "b": {"a": 1}}),
        (b'{"": 1}', {"": 1}),
        (b"-0", 0),
        (b"1e308", 1e308),
        (b"1e-400", 0.0),
        (b"12345678901234567890", 12345678901234567890),
    ],
    ids=repr,
)
def test_what_is_plain_is_read(body: bytes, value: object) -> None:
    assert parse_json(body) == value


def test_a_million_keys_are_read_in_a_moment() -> None:
    body = b"{" + b",".join(b'"%d":0' % n for n in range(1_000_000)) + b"}"
    start = time.process_time()
    assert len(parse_json(body)) == 1_000_000
    assert time.process_time() - start < 10


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False,
                                                                      allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(derandomize=True, deadline=None)
@given(VALUES)
def test_every_value_comes_back(value: object) -> None:
    assert parse_json(dump_json(value)) == value
    assert parse_json(json.dumps(value).encode()) == value


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=40) | VALUES.map(dump_json).map(lambda data: data[:-1]))
def test_any_bytes_are_read_as_json_does_or_refused(body: bytes) -> None:
    try:
        value = parse_json(body)
    except AmbiguousError:
        return
    assert value == json.loads(body)
