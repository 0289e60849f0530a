"""Bodies: texts as parts, put back as bytes, and untouched where nothing changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.errors import WireFormatError
from guardrails.wire.body import Body, JoinedBody, JsonBody, OpaqueBody, PairsBody, TextBody
from guardrails.wire.event_body import TextEvents
from guardrails.wire.formats import Payload, format_of
from guardrails.wire.shapes import FREE
from guardrails.wire.strict_json import AmbiguousError, parse_json


def free(data: bytes) -> JsonBody:
    return JsonBody.of(data, role="user", reads=FREE, document=parse_json(data))


def pointed(data: bytes) -> Body:
    payload = Payload(data=data, media_type="application/json")
    return format_of("json: /a, /c/0 -> /a").request(payload)


BODIES: dict[str, Body] = {
    "text": TextBody("wörld".encode(), "utf-8", "user"),
    "JSON": free(b'{ "a": "b", "c": ["d", 1.50, null] }'),
    "pointed": pointed(b'{ "a": "b", "c": ["d", 1.50], "e": "f" }'),
    "pairs": PairsBody.of(b"a=b&c=%64+d&&e", "user"),
    "opaque": OpaqueBody(b"\xff\xfe", "user", "nobody knows"),
    "events": TextEvents.of(b"data: b\n\ndata: d\n\n", "assistant"),
    "joined": JoinedBody((TextBody(b"b", "utf-8", "user"), free(b'["d"]'))),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_nobody_changes_keeps_its_bytes(body: Body) -> None:
    assert body.rewrite({}).data == body.data
    assert body.value is body


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_body_shows_its_text_when_it_is_printed(body: Body) -> None:
    assert "wörld" not in repr(body)
    assert "'d'" not in repr(body)
    assert '"d"' not in repr(body)


CHANGED: list[tuple[str, dict[int, str], bytes]] = [
    ("text", {0: "new"}, b"new"),
    ("JSON", {0: "new"}, b'{"new":"b","c":["d",1.5,null]}'),
    ("JSON", {3: 'é"'}, '{"a":"b","c":["é\\"",1.5,null]}'.encode()),
    ("pointed", {1: "new"}, b'{"a":"b","c":["new",1.5],"e":"f"}'),
    ("pointed", {0: "x", 1: "y"}, b'{"a":"x","c":["y",1.5],"e":"f"}'),
    ("pairs", {1: "x y&z=1"}, b"a=x+y%26z%3D1&c=d+d&e="),
    ("pairs", {4: "n"}, b"a=b&c=d+d&n="),
    ("events", {0: "new\nline"}, b"data: new\ndata: line\n\n"),
]


@pytest.mark.parametrize(("name", "texts", "data"), CHANGED)
def test_a_changed_text_stands_where_it_was(name: str, texts: dict[int, str], data: bytes) -> None:
    body = BODIES[name]
    before = body.data
    written = body.rewrite(texts)
    assert written.data == data
    assert body.data == before
    for index, text in texts.items():
        assert written.parts[index].text == text


def test_joined_bodies_are_judged_together_and_changed_apart() -> None:
    body = BODIES["joined"]
    assert [part.text for part in body.parts] == ["b", "d"]
    written = body.rewrite({1: "new"})
    assert isinstance(written, JoinedBody)
    assert [inner.data for inner in written.bodies] == [b"b", b'["new"]']
    assert written.bodies[0] is body.bodies[0]  # type: ignore[attr-defined]


def test_what_nobody_can_read_cannot_be_changed() -> None:
    (part,) = BODIES["opaque"].parts
    assert (part.text, part.kind, part.name, part.readable) == ("", "opaque", "nobody knows", False)
    with pytest.raises(WireFormatError):
        BODIES["opaque"].rewrite({0: "x"})


def test_a_text_that_its_encoding_cannot_hold_moves_to_utf_8() -> None:
    body = TextBody("é".encode("latin-1"), "iso-8859-1", "user")
    kept, moved = body.rewrite({0: "è"}), body.rewrite({0: "你"})
    assert (kept.data, kept.encoding) == (b"\xe8", "iso-8859-1")
    assert (moved.data, moved.encoding) == ("你".encode(), "utf-8")
    assert moved.parts[0].text == "你"


def test_two_keys_that_would_become_one_cannot_be_changed() -> None:
    with pytest.raises(WireFormatError):
        free(b'{"a": 1, "b": 2}').rewrite({0: "b"})


@pytest.mark.parametrize(
    "data", [b"a=%ff", b"\xff=1", b"&".join([b"a=1"] * 1_001)], ids=["bytes", "raw", "too many"]
)
def test_fields_that_cannot_be_read_are_refused(data: bytes) -> None:
    with pytest.raises(AmbiguousError):
        PairsBody.of(data, "user")


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), TEXTS, st.data())
def test_whatever_stands_in_a_field_is_one_field(
    pairs: list[tuple[str, str]], new: str, data: st.DataObject
) -> None:
    body = PairsBody.of(b"a=1&" * len(pairs), "user")
    said = dict(enumerate(text for pair in pairs for text in pair))
    written = body.rewrite(said)
    assert parse_qsl(written.data.decode(), keep_blank_values=True) == pairs
    index = data.draw(st.integers(0, 2 * len(pairs) - 1))
    assert [p.text for p in written.rewrite({index: new}).parts] == [
        new if n == index else text for n, text in said.items()
    ]


@settings(derandomize=True, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.data())
@pytest.mark.parametrize(
    "write",
    [json.dumps, lambda value: json.dumps(value, ensure_ascii=False, indent=2)],
    ids=["escaped", "spaced"],
)
def test_json_holds_the_new_text_and_no_other(
    write: Callable[[object], str], texts: list[str], data: st.DataObject
) -> None:
    body = free(write(texts).encode())
    assert [part.text for part in body.parts] == texts
    index = data.draw(st.integers(0, len(texts) - 1))
    new = data.draw(TEXTS)
    written = body.rewrite({index: new})
    assert parse_json(written.data) == [new if n == index else t for n, t in enumerate(texts)]
