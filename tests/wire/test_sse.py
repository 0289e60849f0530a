"""Event streams as the WHATWG standard reads them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sse_samples import CASES

from guardrails.wire.sse import Event, parse_asides, parse_events, write_events
from guardrails.wire.strict_json import AmbiguousError


@pytest.mark.parametrize(("body", "events"), CASES.values(), ids=CASES)
def test_a_stream_is_read_as_the_standard_says(body: bytes, events: list[tuple[str, str]]) -> None:
    assert [(event.name, event.data) for event in parse_events(body)] == events


@pytest.mark.parametrize("body", [b"data: \xff\n\n", b"data: \xc3", b"data: \xed\xa0\x80\n\n"])
def test_a_stream_that_is_not_utf_8_is_refused_without_its_text(body: bytes) -> None:
    for read in (lambda: list(parse_events(body)), lambda: parse_asides(body)):
        with pytest.raises(AmbiguousError, match=r"^not UTF-8: byte [0-9]+ cannot be read$"):
            read()


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8).map(
    lambda name: name.removeprefix(" ")
)
DATA = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.builds(Event, NAMES, DATA), max_size=6))
def test_what_is_written_is_read_again(events: list[Event]) -> None:
    assert list(parse_events(write_events(events))) == events


@pytest.mark.parametrize(
    ("body", "asides"),
    [
        (b"data: a\n\n", []),
        (b": ping\n:\n: keep-alive\nretry: 3000\nid: 17\nid\ndata: a\n\n", []),
        (b": ping - 2026-11-24T23:59:46.12+00:00\n\n", []),
        (b": ping - 2026-11-24 23:59:46.123456+00:00\nid: 1764066758123-0\n\n", []),
        (b": 4111 1111 1111 1111\n\n", ["4111 1111 1111 1111"]),
        (b": ping 4111-1111-1111-1111\n\n", ["ping 4111-1111-1111-1111"]),
        (b"id: 4111111111111111\ndata: a\n\n", ["4111111111111111"]),
        (b"retry: 15551234567\n\n", ["15551234567"]),
        (": \u0664\u0661\u0661\u0661".encode(), ["\u0664\u0661\u0661\u0661"]),
        (b": hello there\n\n", ["hello there"]),
        (b"id: hello\ndata: a\n\n", ["hello"]),
        (b"retry: hello\n\n", ["hello"]),
        (b"note: hello\n\n", ["note: hello"]),
        (b"hello\n\n", ["hello"]),
        (b"event: a\ndata: 1\n\nevent: b\n\nevent: a\ndata: 1\n\n", ["a", "b"]),
        (b": hello\n: hello\n: hello", ["hello"]),
    ],
    ids=repr,
)
def test_what_a_stream_says_beside_its_data_is_found(body: bytes, asides: list[str]) -> None:
    assert parse_asides(body) == asides
