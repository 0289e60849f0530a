"""Texts and lines of JSON as they come."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_samples import CUTS, Told, comparable, judged, split, told, written

from guardrails.errors import SettingsError
from guardrails.wire.body import OpaqueBody
from guardrails.wire.formats import format_of
from guardrails.wire.payload import EVENTS, Payload
from guardrails.wire.sse import Event, write_events
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.streams.frames import LONGEST
from guardrails.wire.streams.model import StreamReader

NOBODY = OpaqueBody(b"", "user", "")
LINES = "application/x-ndjson"


def reader(format: str, media_type: str, charset: str | None = None) -> StreamReader:
    payload = Payload(data=b"", media_type=media_type, charset=charset)
    made = stream_reader(format_of(format), payload, None)
    assert made is not None
    return made


def whole(format: str, body: bytes, media_type: str, charset: str | None = None) -> Any:
    payload = Payload(data=body, media_type=media_type, charset=charset)
    return format_of(format).response(payload, NOBODY)


def upper(text: str) -> str:
    return text.replace("a", "AA").replace("é", "")


# -- plain text ----------------------------------------------------------------------------------

CHARSETS = [
    "utf-8",
    "iso-8859-1",
    "windows-1252",
    "shift_jis",
    "euc-jp",
    "gb18030",
    "big5",
    "euc-kr",
]


@pytest.mark.parametrize("charset", CHARSETS)
@given(st.text("aeé你好い安🎉\n ", max_size=20), CUTS)
def test_a_text_is_read_in_whichever_pieces_its_bytes_come(
    charset: str, text: str, cuts: Any
) -> None:
    body = text.encode(charset, "ignore")
    read = told(reader("text", "text/plain", charset), split(body, cuts))
    assert read.raw == body
    assert "".join(text for _, text in read.parts) == body.decode(charset)
    assert written(read.events) == body
    assert written(read.events, upper) == upper(body.decode(charset)).encode(charset)


@pytest.mark.parametrize("charset", ["utf-8", "shift_jis", "gb18030", "euc-kr"])
@given(st.binary(max_size=20), CUTS)
def test_bytes_that_are_no_text_are_a_part_nobody_can_read(
    charset: str, body: bytes, cuts: Any
) -> None:
    read = told(reader("text", "text/plain", charset), split(body, cuts))
    assert read.raw == body
    opaque = any(head.kind == "opaque" for head in read.heads)
    try:
        expected = body.decode(charset)
    except UnicodeDecodeError as error:
        assert opaque
        expected = body[: error.start].decode(charset)
    else:
        assert not opaque
    assert "".join(read.texts_of()) == expected


def test_a_text_that_is_cut_goes_on_with_the_reply() -> None:
    read = reader("text", "text/plain", "iso-8859-1")
    assert read.cut("Désolé.", released=False) == "Désolé.".encode("latin-1")
    assert read.cut("Désolé.", released=True) == "\n\nDésolé.".encode("latin-1")
    assert read.fail(503, "down") == b""


def test_a_text_in_a_charset_that_browsers_read_otherwise_is_held_whole() -> None:
    payload = Payload(data=b"", media_type="text/plain", charset="utf-7")
    assert stream_reader(format_of("text"), payload, None) is None


# -- text in events ------------------------------------------------------------------------------

PIECES = st.lists(st.text("abé \n🎉", max_size=6), max_size=6)


@given(PIECES, st.sampled_from(["", "token"]), st.booleans(), CUTS)
def test_a_text_in_events_is_joined(pieces: list[str], name: str, done: bool, cuts: Any) -> None:
    events = [Event(name, piece) for piece in pieces] + [Event("", "[DONE]")] * done
    body = write_events(events)
    read = told(reader("text", EVENTS), split(body, cuts))
    assert read.raw == body
    assert read.events == told(reader("text", EVENTS), [body]).events
    parts = whole("text", body, EVENTS).parts
    assert comparable(judged(read.parts)) == comparable(parts)
    assert read.ended == done
    changed = written(read.events, upper)
    assert "".join(told(reader("text", EVENTS), [changed]).texts_of()).replace(
        "token", ""
    ) == upper("".join(pieces))


def test_the_name_of_the_events_goes_everywhere_if_it_may_not_be_said() -> None:
    body = write_events([Event("bad name", "a"), Event("bad name", "b")])
    read = told(reader("text", EVENTS), [body])
    assert read.texts_of() == ["bad name", "ab"]
    changed = written(read.events, lambda text: text.replace("bad name", ""))
    assert changed == b"data: a\n\ndata: b\n\n"


@pytest.mark.parametrize(
    "body",
    [b"event: a\ndata: x\n\nevent: b\ndata: y\n\n", b"data: [DONE]\n\ndata: more\n\n"],
    ids=["two names", "after the end"],
)
def test_text_events_that_nobody_can_join(body: bytes) -> None:
    assert "opaque" in {head.kind for head in told(reader("text", EVENTS), [body]).heads}


@pytest.mark.parametrize("before", [b"", b"data: Hello.\n\n", b"event: a\ndata: Hello.\n\n"])
def test_the_name_of_the_last_event_is_judged(before: bytes) -> None:
    body = before + b"event: bad name\ndata: [DONE]\n\n"
    read = told(reader("text", EVENTS), [body])
    assert "bad name" in read.texts_of()
    assert "bad name" in {part.text for part in whole("text", body, EVENTS).parts}
    assert b"bad name" not in written(read.events, lambda text: text.replace("bad name", ""))


@pytest.mark.parametrize("format", ["text", "openai-chat", "sse: /token"])
def test_a_comment_that_is_said_again_is_one_part_and_goes_everywhere(format: str) -> None:
    piece = b'data: {"token": "a", "choices": []}\n\n' if format != "text" else b"data: a\n\n"
    body = b": bad one\n" + piece + b": bad one\n\n: bad one\n" + piece
    read = told(reader(format, EVENTS), [body])
    assert read.texts_of().count("bad one") == 1
    assert written(read.events, lambda text: text.replace("bad one", "")).count(b"bad one") == 0
    assert written(read.events) == body


@pytest.mark.parametrize("format", ["text", "openai-chat", "sse: /token"])
@pytest.mark.parametrize("before", [b"\xef\xbb\xbf" * 2, b": hi\n\n\xef\xbb\xbf"])
def test_a_mark_that_some_clients_take_away_cannot_be_read(format: str, before: bytes) -> None:
    body = before + b'data: {"token": "for", "choices": []}\n\n'
    read = told(reader(format, EVENTS), [body])
    assert any("byte order mark" in (head.name or "") for head in read.heads)
    assert [part.kind for part in whole(format, body, EVENTS).parts][-1] == "opaque"


def test_text_events_that_are_cut_keep_their_name() -> None:
    read = reader("text", EVENTS)
    for event in read.feed(b"event: token\ndata: Hello\n\n"):
        read.sent(event, {})
    assert read.cut("No.", released=True) == (b"event: token\ndata: \ndata: \ndata: No.\n\n")


# -- JSON, line by line --------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 10**12) | st.text("abé🎉 ", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcé", max_size=3), inner),
    max_leaves=6,
)


def lines(values: list[Any], end: bytes = b"\n") -> bytes:
    return end.join(json.dumps(value, ensure_ascii=False).encode() for value in values)


@given(st.lists(VALUES, max_size=5), st.sampled_from([b"\n", b"\r\n", b"\n\n"]), CUTS)
def test_every_string_of_every_line_is_told(values: list[Any], end: bytes, cuts: Any) -> None:
    body = lines(values, end)
    read = told(reader("ndjson", LINES), split(body, cuts))
    assert read.raw == body
    assert read.events == told(reader("ndjson", LINES), [body]).events
    parts = [part for part in whole("ndjson", body, LINES).parts if part.text]
    assert [(text, head.kind) for head, text in read.parts if text] == [
        (part.text, part.kind) for part in parts
    ]
    assert written(read.events) == body


def test_a_line_is_written_anew_and_its_neighbours_stay() -> None:
    body = b'{"a": "x", "citations": ["y"]}\r\n{ "b" : "a z" }\n'
    read = told(reader("ndjson", LINES), [body])
    assert written(read.events, lambda text: text.replace("a z", "?")) == (
        b'{"a": "x", "citations": ["y"]}\r\n{"b":"?"}\n'
    )


PIECE_LINES = st.lists(
    st.one_of(
        st.text("abé🎉 ", max_size=6).map(lambda text: {"delta": [text], "id": "i"}),
        st.just({"done": True}),
        st.just({"delta": [None]}),
    ),
    min_size=1,
    max_size=6,
)


@given(PIECE_LINES, CUTS)
def test_with_a_pointer_the_lines_are_pieces_of_one_text(values: list[Any], cuts: Any) -> None:
    body = lines(values)
    said = [value["delta"][0] for value in values if "delta" in value]
    for name in ("ndjson: /delta/0", "ndjson: /message -> /delta/0"):
        read = told(reader(name, LINES), split(body, cuts))
        assert read.raw == body
        if all(piece is None for piece in said):
            assert [head.kind for head in read.heads] == ["opaque"]
            assert isinstance(whole(name, body, LINES), OpaqueBody)
            return
        text = "".join(piece or "" for piece in said)
        assert [text for _, text in read.parts] == [text]
        assert [part.text for part in whole(name, body, LINES).parts] == [text]
        changed = written(read.events, upper)
        assert [t for _, t in told(reader(name, LINES), [changed]).parts] == [upper(text)]
        whole_changed = whole(name, body, LINES).rewrite({0: upper(text)})
        assert [part.text for part in whole(name, whole_changed.data, LINES).parts] == [upper(text)]


def test_lines_that_are_cut_end_with_one_more_where_a_place_is_known() -> None:
    read = reader("ndjson: /delta/text", LINES)
    assert json.loads(read.cut("No.", released=True)) == {"delta": {"text": "\n\nNo."}}
    assert reader("ndjson", LINES).cut("No.", released=True) == b""


@pytest.mark.parametrize(
    "line", [b'{"a": 1, "a": 2}\n', b"{nonsense}\n", b'"\xff"\n', b'{"delta": {"a": "x"}}\n']
)
def test_a_line_that_cannot_be_read_is_told_as_such(line: bytes) -> None:
    read = told(reader("ndjson: /delta", LINES), [b'{"delta": "fine"}\n', line])
    assert "opaque" in {head.kind for head in read.heads}
    assert "fine" in read.texts_of()


@pytest.mark.parametrize("said", ["ndjson:", "ndjson: a", "ndjson: /a, /b", "ndjson: -> /a", "nd"])
def test_a_format_that_nobody_knows_is_refused(said: str) -> None:
    with pytest.raises(SettingsError, match="format"):
        format_of(said)


# -- bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["text", "ndjson", "auto", "anthropic", "openai-chat"])
def test_what_never_ends_is_not_held_for_ever(format: str) -> None:
    media_type = LINES if format == "ndjson" else EVENTS
    read, out, made = reader(format, media_type), 0, Told()
    piece = b"data: " + b"x" * 65_530
    for _ in range(2 * LONGEST // len(piece) + 2):
        made.events += read.feed(piece)
    out = sum(len(event.raw) for event in made.events)
    assert out >= LONGEST
    heads = [head for event in made.events for head in event.opens]
    assert {head.kind for head in heads} == {"opaque"}


@pytest.mark.parametrize(
    ("format", "media_type", "first", "again"),
    [
        (
            "anthropic",
            EVENTS,
            b'data: {"type":"message_start","message":{"content":[]}}\n\n'
            b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text"}}\n\n',
            b'data: {"type":"content_block_delta","index":0,'
            b'"delta":{"type":"text_delta","text":"hello"}}\n\n',
        ),
        (
            "openai-chat",
            EVENTS,
            b"",
            b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n',
        ),
        (
            "openai-responses",
            EVENTS,
            b'data: {"type":"response.output_item.added","output_index":0,'
            b'"item":{"type":"message","content":[]}}\n\n',
            b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,'
            b'"delta":"hello"}\n\n',
        ),
        ("text", "text/plain", b"", b"hello"),
        ("text", EVENTS, b"", b"data: hello\n\n"),
        ("ndjson: /delta", LINES, b"", b'{"delta":"hello"}\n'),
        ("ndjson", LINES, b"", b'{"delta":"hello"}\n'),
    ],
)
def test_a_reader_keeps_nothing_of_what_it_handed_over(
    format: str, media_type: str, first: bytes, again: bytes
) -> None:
    read, released = reader(format, media_type), dict[int, str]()

    def gone_through(times: int) -> None:
        for at in range(0, len(again) * times, 7):
            piece = bytes(again[(at + step) % len(again)] for step in range(7))
            for event in read.feed(piece):
                read.sent(event, released)

    for event in read.feed(first) if first else ():
        read.sent(event, released)
    gone_through(200)
    tracemalloc.start()
    try:
        gone_through(2_000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 30_000
