"""Event streams cut anywhere are read by the WHATWG's rules, and each byte is in one frame."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sse_samples import CASES
from stream_samples import CUTS, split

from guardrails.wire.sse import parse_asides, parse_events
from guardrails.wire.streams.frames import LONGEST, Frames, read_frame, write_frame
from guardrails.wire.strict_json import AmbiguousError


def frames(pieces: list[bytes]) -> list[bytes]:
    cutter = Frames()
    made = [frame for piece in pieces for frame in cutter.feed(piece)]
    rest = cutter.rest()
    return [*made, rest] if rest else made


def joined(found: list[bytes]) -> list[bytes]:
    """Frames of empty lines are as many as came together."""
    runs = groupby(found, key=lambda raw: not raw.strip(b"\r\n"))
    return [raw for empty, run in runs for raw in ([b"".join(run)] if empty else run)]


def events(found: list[bytes]) -> list[tuple[str, str]]:
    read = [read_frame(raw, first=at == 0) for at, raw in enumerate(found)]
    return [(frame.name, frame.data) for frame in read if frame.data is not None]


@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=CASES)
def test_a_stream_in_bytes_is_read_as_the_standard_says(
    body: bytes, expected: list[tuple[str, str]]
) -> None:
    for size in (1, 2, 3, len(body) + 1):
        found = frames([body[at : at + size] for at in range(0, len(body), size)])
        assert b"".join(found) == body
        assert events(found) == expected


SNIPPETS = st.sampled_from(
    ["\n", "\r", "\r\n", "\r\r\n", "data", "event", "id", "retry", ":", ": ", " ", "a", "é", "🎉",
     "\u2028", "ping", "data: x\n", "event: add\n", "\ufeff", "data: y\n\n"]
)  # fmt: skip


@given(st.lists(SNIPPETS, max_size=30), CUTS)
def test_whatever_comes_is_cut_the_same_however_it_comes(snippets: list[str], cuts: object) -> None:
    body = "".join(snippets).encode()
    at_once = frames([body])
    assert joined(frames(split(body, cuts))) == joined(at_once)  # type: ignore[arg-type]
    assert b"".join(at_once) == body
    assert events(at_once) == [(event.name, event.data) for event in parse_events(body)]


@given(st.lists(SNIPPETS, max_size=30))
def test_what_stands_beside_the_events_is_found(snippets: list[str]) -> None:
    body = "".join(snippets).encode()
    found = [read_frame(raw, first=at == 0) for at, raw in enumerate(frames([body]))]
    names = {frame.name for frame in found}
    asides = {said for frame in found for said in frame.asides}
    assert asides | names >= set(parse_asides(body))


def test_a_line_feed_after_a_carriage_return_is_waited_for() -> None:
    cutter = Frames()
    assert cutter.feed(b"data: a\r\n\r") == []
    assert cutter.feed(b"\n") == [b"data: a\r\n\r\n"]
    assert cutter.feed(b"data: b\r\r") == []
    assert cutter.feed(b"data: c") == [b"data: b\r\r"]
    assert cutter.rest() == b"data: c"


def test_an_event_that_never_ends_is_not_held_for_ever() -> None:
    cutter, most = Frames(), 0
    for _ in range(3 * LONGEST // 4096):
        for frame in cutter.feed(b"data: " + b"x" * 4090):
            assert len(frame) > LONGEST
        most = max(most, len(cutter._held))
    assert most <= LONGEST + 4096


@pytest.mark.parametrize("raw", [b"data: \xff\n\n", b"data: \xc3\n\n", b": \xed\xa0\x80\n\n"])
def test_what_is_not_utf_8_is_refused_without_its_text(raw: bytes) -> None:
    with pytest.raises(AmbiguousError, match=r"^not UTF-8: byte [0-9]+ cannot be read$"):
        read_frame(raw)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30))
def test_what_is_written_is_read_again(data: str) -> None:
    frame = read_frame(write_frame("add", data))
    assert (frame.name, frame.data, frame.asides) == ("add", data, ())
