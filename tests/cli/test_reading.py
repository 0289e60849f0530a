"""Texts and rows are read bounded; whatever cannot be read is named by its place."""

from __future__ import annotations

import errno
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.cli.reading import BadLine, InputError, Row, read_argument, read_rows, read_text
from guardrails.verdict import Stage


def rows_of(*lines: bytes | str, stage: Stage | None = None) -> list[Row | BadLine]:
    encoded = [line.encode() if isinstance(line, str) else line for line in lines]
    return list(read_rows(io.BytesIO(b"\n".join(encoded)), stage=stage, max_chars=1000))


def only(line: bytes | str, *, stage: Stage | None = None) -> Row | BadLine:
    (row,) = rows_of(line, stage=stage)
    return row


def told(row: Row | BadLine) -> list[tuple[str, str, bool]]:
    assert isinstance(row, Row), row
    return [(part.role, part.text, part.target) for part in row.parts]


class TestTexts:
    def test_a_text_is_read_whole(self) -> None:
        assert read_text(io.BytesIO("héllo\n".encode()), "it", max_chars=100) == "héllo\n"

    def test_a_byte_order_mark_is_no_text(self) -> None:
        assert read_text(io.BytesIO(b"\xef\xbb\xbfhi"), "it", max_chars=100) == "hi"

    def test_what_is_not_utf8_is_named_by_its_byte(self) -> None:
        with pytest.raises(InputError, match="standard input is not UTF-8: byte 3"):
            read_text(io.BytesIO(b"abc\xff\xfe"), "standard input", max_chars=100)

    @given(st.text(st.characters(codec="utf-8"), max_size=60).map(lambda t: t.lstrip("\ufeff")))
    def test_a_long_text_is_seen_to_be_too_long(self, text: str) -> None:
        read = read_text(io.BytesIO(text.encode()), "it", max_chars=10)
        assert read == text[:11]

    def test_promise_10_no_more_than_the_limit_is_read(self) -> None:
        endless = io.BytesIO(b"a" * 10_000)
        assert len(read_text(endless, "it", max_chars=10)) == 11
        assert endless.tell() < 60

    def test_an_argument_that_is_not_utf8_is_refused(self) -> None:
        with pytest.raises(InputError, match="the text is not UTF-8"):
            read_argument("caf\udce9", "the text")


class TestRows:
    @pytest.mark.parametrize(
        ("row", "stage", "parts"),
        [
            pytest.param(
                {"prompt": "Q", "reply": "A"},
                Stage.OUTPUT,
                [("user", "Q", False), ("assistant", "A", True)],
                id="prompt and reply",
            ),
            pytest.param(
                {"response": "A"}, Stage.OUTPUT, [("assistant", "A", True)], id="response"
            ),
            pytest.param({"prompt": "Q"}, Stage.INPUT, [("user", "Q", True)], id="prompt"),
            pytest.param({"text": "T"}, Stage.INPUT, [("user", "T", True)], id="text"),
            pytest.param(
                {"text": "T", "stage": "output"},
                Stage.OUTPUT,
                [("assistant", "T", True)],
                id="text at a stage",
            ),
            pytest.param(
                {"prompt": "Q", "reply": "A", "stage": "input"},
                Stage.INPUT,
                [("user", "Q", True)],
                id="prompt of a reply",
            ),
            pytest.param(
                {"text": "T", "stage": "retrieval"},
                Stage.RETRIEVAL,
                [("tool", "T", True)],
                id="document",
            ),
            pytest.param(
                {"reply": "A", "prompt": None, "label": "x", "language": 7},
                Stage.OUTPUT,
                [("assistant", "A", True)],
                id="null is absent, other keys are ignored",
            ),
            pytest.param(
                {
                    "messages": [
                        {"role": "system", "content": "S"},
                        {"role": "user", "content": [{"type": "text", "text": "Q"}]},
                        {"role": "assistant", "content": "A"},
                    ]
                },
                Stage.OUTPUT,
                [("system", "S", False), ("user", "Q", False), ("assistant", "A", True)],
                id="messages that end in a reply",
            ),
            pytest.param(
                {
                    "messages": [
                        {"role": "user", "content": "Q"},
                        {"role": "assistant", "content": "A"},
                        {"role": "user", "content": "R"},
                    ]
                },
                Stage.INPUT,
                [("user", "Q", True), ("assistant", "A", False), ("user", "R", True)],
                id="messages that end in a prompt",
            ),
        ],
    )
    def test_a_row_says_what_is_judged(
        self, row: dict[str, object], stage: Stage, parts: list[tuple[str, str, bool]]
    ) -> None:
        read = only(json.dumps(row))
        assert told(read) == parts
        assert isinstance(read, Row)
        assert read.stage is stage

    def test_the_stage_asked_for_is_for_rows_that_name_none(self) -> None:
        rows = rows_of('{"text": "a"}', '{"text": "b", "stage": "input"}', stage=Stage.RETRIEVAL)
        assert [row.stage for row in rows if isinstance(row, Row)] == ["retrieval", "input"]

    def test_lines_keep_their_numbers_and_ids(self) -> None:
        rows = rows_of(b'\xef\xbb\xbf{"text": "a", "id": "x"}', "", "  ", '{"text": "b", "id": 7}')
        assert [(row.number, row.id) for row in rows if isinstance(row, Row)] == [(1, "x"), (4, 7)]

    def test_escaped_surrogates_are_judged_not_refused(self) -> None:
        assert told(only('{"text": "\\ud83d\\ude00 \\ud800"}'))[0][1] == "😀 \ud800"

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            pytest.param("{", "not JSON: Expecting property name", id="cut off"),
            pytest.param('{"text": "a"} x', "not JSON: Extra data at character 14", id="more"),
            pytest.param(b'{"text": "\xff"}', "not UTF-8: byte 10", id="not UTF-8"),
            pytest.param('{"text": "a", "text": "b"}', "same key twice", id="duplicate key"),
            pytest.param('{"text": "a", "x": {"y": 1, "y": 2}}', "same key twice", id="deep one"),
            pytest.param('{"text": "a", "x": NaN}', "NaN is no JSON value", id="NaN"),
            pytest.param('{"text": "a", "x": -Infinity}', "-Infinity is no", id="infinity"),
            pytest.param("[1]", "not an object", id="a list"),
            pytest.param('"text"', "not an object", id="a string"),
            pytest.param("{}", "nothing to judge", id="nothing to judge"),
            pytest.param('{"text": 1}', "'text' must be a string", id="a number"),
            pytest.param('{"reply": ["a"]}', "'reply' must be a string", id="a list of text"),
            pytest.param('{"reply": "a", "prompt": 1}', "'prompt' must be", id="prompt no string"),
            pytest.param('{"reply": "a", "response": "b"}', "both say what", id="two replies"),
            pytest.param('{"reply": "a", "text": "b"}', "both say what", id="reply and text"),
            pytest.param('{"text": "a", "stage": "out"}', "'stage' must be one of", id="stage"),
            pytest.param('{"text": "a", "stage": []}', "'stage' must be one of", id="stage list"),
            pytest.param('{"text": "a", "id": true}', "'id' must be", id="id"),
            pytest.param('{"messages": []}', "at least one message", id="no messages"),
            pytest.param('{"messages": ["a"]}', "messages[0] must be an object", id="no message"),
            pytest.param(
                '{"messages": [{"role": "bot", "content": "a"}]}', "messages[0].role", id="role"
            ),
            pytest.param(
                '{"messages": [{"role": "user", "content": [{"type": "image"}]}]}',
                "messages[0].content must be",
                id="an image",
            ),
            pytest.param(
                '{"messages": [{"role": "user", "content": "a"}], "stage": "output"}',
                "none of the 'messages' belongs to the stage 'output'",
                id="no message of the stage",
            ),
            pytest.param("[" * 100_000, "", id="deep"),
            pytest.param('{"text": "a", "x": ' + "1" * 5000 + "}", "too many digits", id="digits"),
            pytest.param('{"text": "' + "a" * 200_000 + '"}', "longer than", id="long line"),
        ],
    )
    def test_a_broken_line_is_named_and_the_rest_is_read(
        self, line: bytes | str, problem: str
    ) -> None:
        first, broken, last = rows_of('{"text": "before"}', line, '{"text": "after"}')
        assert isinstance(broken, BadLine)
        assert broken.number == 2
        assert problem in broken.problem
        assert told(first)[0][1] == "before"
        assert told(last)[0][1] == "after"

    @given(st.text(st.characters(codec="utf-8"), min_size=4))
    def test_promise_9_no_problem_quotes_the_text(self, text: str) -> None:
        secret = "s3cr3t" + text
        for row in ({"text": [secret]}, {secret: 1}, {"text": "a", "stage": secret}):
            read = only(json.dumps(row))
            assert isinstance(read, BadLine)
            assert "s3cr3t" not in read.problem

    @given(st.binary(max_size=200))
    def test_any_bytes_are_rows_or_named_lines(self, data: bytes) -> None:
        for row in read_rows(io.BytesIO(data), max_chars=10):
            assert isinstance(row, Row | BadLine)

    @pytest.mark.parametrize("key", ["args", "argument", "Arguments", "input"])
    def test_a_misspelt_key_of_a_call_is_no_call_without_arguments(self, key: str) -> None:
        read = only(json.dumps({"tool": {"name": "send_mail", key: {"to": "x"}}}))
        assert isinstance(read, BadLine)
        assert read.problem == "'tool' has another key; expected 'name' and 'arguments'"


class Failing(io.BytesIO):
    """A disk that fails after the file was opened."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    def readline(self, size: int | None = -1, /) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


def test_what_fails_while_it_is_read_is_told() -> None:
    with pytest.raises(InputError, match=r"^'a.txt' cannot be read: Input/output error$"):
        read_text(Failing(), "'a.txt'", max_chars=10)
    with pytest.raises(InputError, match=r"^the rows cannot be read: Input/output error$"):
        list(read_rows(Failing(), max_chars=10))
