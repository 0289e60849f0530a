"""Bodies are read within a limit, and in one way only."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from guardrails.llm.body import object_in, read_within, sendable, whole_number

UNREADABLE = {
    "nothing": b"",
    "a list": b"[]",
    "a text": b'"a"',
    "cut off": b'{"a": [1,',
    "a key twice": b'{"a": 1, "a": 2}',
    "a key twice, deep": b'{"b": [{"a": 1, "a": 1}]}',
    "not a number": b'{"a": NaN}',
    "not UTF-8": b'{"a": "\xff"}',
    "deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a number too long": b'{"a": ' + b"9" * 5_000 + b"}",
    "something behind": b'{"a": 1} {"a": 2}',
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_is_no_object_or_has_two_readings_is_none(what: str) -> None:
    assert object_in(UNREADABLE[what]) is None


def test_an_object_is_read() -> None:
    assert object_in('{"a": [1, {"b": "ü"}]}'.encode()) == {"a": [1, {"b": "ü"}]}


async def test_10_a_body_is_read_up_to_its_limit() -> None:
    taken = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b"1234567890"

    assert await read_within(chunks(), 1_000) == b"1234567890" * 100
    taken = 0
    assert await read_within(chunks(), 25) is None
    assert taken == 3


def test_pairs_stay_and_halves_become_the_character_for_none() -> None:
    assert sendable("a\ud83d\ude00b") == "a\U0001f600b"
    assert sendable("\ud83d \ude00") == "\ufffd \ufffd"
    assert sendable("plain ü \U0001f600") == "plain ü \U0001f600"


@pytest.mark.parametrize(
    ("value", "count"),
    [(3, 3), (None, 0), (-1, None), (True, None), (1.0, None), ("3", None)],
)
def test_a_count_is_a_whole_number(value: object, count: int | None) -> None:
    assert whole_number({"n": value}, "n") == count
