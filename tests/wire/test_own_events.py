"""Event streams of an application's own shape: JSON in the data of events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_samples import CUTS, split, told, written

from guardrails.errors import SettingsError
from guardrails.wire.body import JsonBody, OpaqueBody
from guardrails.wire.event_format import EventsFormat
from guardrails.wire.formats import Named, format_of
from guardrails.wire.payload import EVENTS, JSON, Payload
from guardrails.wire.sse import Event, parse_events, write_events
from guardrails.wire.stream_formats import stream_reader
from guardrails.wire.streams.frames import LONGEST
from guardrails.wire.streams.model import StreamReader
from guardrails.wire.streams.telling import MOST_KNOWN
from guardrails.wire.strict_json import AmbiguousError
from guardrails.wire.told_body import ToldBody

NOBODY = OpaqueBody(b"", "user", "")
TOKENS = "sse: /token"


def sse(**said: Any) -> Named:
    return {"sse": {"delta": "/token", **said}}


def events(*data: Any, names: Sequence[str] = ()) -> bytes:
    named = [*names, *[""] * len(data)]
    return write_events(
        Event(name, one if isinstance(one, str) else json.dumps(one))
        for name, one in zip(named, data, strict=False)
    )


def tokens(*texts: str) -> list[dict[str, str]]:
    return [{"token": text} for text in texts]


def reader(named: Named) -> StreamReader:
    made = stream_reader(format_of(named), Payload(data=b"", media_type=EVENTS), None)
    assert made is not None
    return made


def whole(named: Named, body: bytes) -> Any:
    return format_of(named).response(Payload(data=body, media_type=EVENTS), NOBODY)


def texts(named: Named, body: bytes) -> list[str]:
    return [text for head, text in told(reader(named), [body]).parts if head.kind != "opaque"]


def why(named: Named, body: bytes) -> list[str]:
    """Why something of it cannot be read."""
    heads = told(reader(named), [body]).heads
    return [head.name or "" for head in heads if head.kind == "opaque"]


def upper(text: str) -> str:
    return text.replace("a", "AA").replace("é", "E")


# -- what is read --------------------------------------------------------------------------------

PIECES = st.lists(
    st.one_of(
        st.text('abé"\\ \n🎉', max_size=6).map(lambda text: {"token": text, "id": "i"}),
        st.just({"token": None, "usage": {"tokens": 3}}),
        st.just({"usage": {"note": "a"}}),
    ),
    max_size=6,
)


@given(PIECES, st.booleans(), st.sampled_from([TOKENS, "sse: /message -> /token", sse()]), CUTS)
def test_the_pieces_are_one_text_wherever_the_bytes_are_cut(
    values: list[Any], done: bool, named: Named, cuts: Any
) -> None:
    body = events({"token": "é"}, *values, *["[DONE]"] * done)
    text = "é" + "".join(value.get("token") or "" for value in values)
    read = told(reader(named), split(body, cuts))
    assert read.raw == body
    assert written(read.events) == body
    assert read.texts_of()[0] == text
    assert read.ended == done
    body_read = whole(named, body)
    assert [part.text for part in body_read.parts] == [t for _, t in read.parts]
    changed = b"".join(
        event.write([said.text if said.part else upper(said.text) for said in event.says])
        for event in read.events
    )
    for made in (changed, body_read.rewrite({0: upper(text)}).data):
        assert "".join(told(reader(named), [made]).texts_of()[:1]) == upper(text)


def test_fields_that_nobody_named_are_judged_and_what_is_said_again_counts_once() -> None:
    body = events(*[{"token": "a", "id": "b", "c": ["d"], "created": 1732528800}] * 50)
    assert sorted(set(texts(TOKENS, body))) == sorted(
        {"a" * 50, "id", "b", "c", "d", "created", "1732528800"}
    )
    assert len(texts(TOKENS, body)) == 7
    read = told(reader(TOKENS), [body])
    now = {head.key: "x" for head, text in read.parts if text == "d"}
    made = b"".join(
        e.write([now.get(said.part, said.text) for said in e.says]) for e in read.events
    )
    assert [json.loads(event.data)["c"] for event in parse_events(made)] == [["x"]] * 50


def test_what_holds_no_text_is_not_judged() -> None:
    body = events({"token": "a", "meta": {"id": "b"}, "usage": {"note": "c"}})
    assert texts(sse(no_text=["/meta/id", "/usage"]), body) == ["meta", "a"]


def test_events_that_are_known_to_have_no_pieces_may_hold_plain_text() -> None:
    named = sse(delta={"token": "/text", "ping": []}, done={"event": "end", "data": "bye"})
    body = events(
        "wait", {"text": "ab"}, "still there", "bye", names=["ping", "token", "ping", "end"]
    )
    read = told(reader(named), split(body, range(1 << 12)))
    assert [text for _, text in read.parts] == ["wait", "ab", "still there", "bye"]
    assert read.ended
    assert [part.text for part in whole(named, body).parts] == [text for _, text in read.parts]
    made = written(read.events, lambda text: text.replace("still there", ""))
    assert made == events("wait", {"text": "ab"}, "bye", names=["ping", "token", "end"])
    assert reader(named).cut("No.", released=False).endswith(b"event: end\ndata: bye\n\n")
    assert why(named, events({"text": "ab"}, "bye", names=["token", "other"]))


@pytest.mark.parametrize("name", ["sources", "end"])
def test_plain_text_that_lenient_readers_take_for_json_cannot_be_read(name: str) -> None:
    named = sse(delta={"token": "/text", "sources": []}, done={"event": "end"})
    body = events({"text": "a"}, '{"a": "f\\u006frbidden",}', names=["token", name])
    assert why(named, body) == ["JSON that cannot be parsed"]


def test_several_pointers_are_several_texts() -> None:
    body = events({"token": "a", "thought": "b"}, {"thought": "c"}, {"token": "d"})
    for named in ("sse: /token, /thought", sse(delta=["/token", "/thought"])):
        assert texts(named, body) == ["ad", "bc"]


KINDS = {"token": "/text", "thought": ["/text"], "status": []}


def test_data_may_be_a_text_itself() -> None:
    body = events('"for"', '"bidden"', "[DONE]")
    assert texts(sse(delta=""), body) == ["forbidden"]
    assert whole(sse(delta=""), body).rewrite({0: "x"}).data == events('"x"', '""', "[DONE]")
    made = write_events([Event("", '"No."'), Event("", "[DONE]")])
    assert reader(sse(delta="", stop={"text": ""})).cut("No.", released=True) == made
    assert reader(sse(delta={"token": ""})).cut("No.", released=False) == b"event: token\n" + made


def test_where_data_is_a_text_itself_the_end_need_not_be_one() -> None:
    named = sse(delta="", done={"event": "end", "data": {}})
    body = events('"a"', '"b"', {"why": "stop"}, names=["", "", "end"])
    assert not why(named, body)
    assert sorted(texts(named, body)) == ["ab", "stop", "why"]
    assert why(named, events('"a"', '"b"', '"c"', names=["", "", "end"]))


def test_kinds_of_events_are_told_apart_by_their_names() -> None:
    names = ["status", "thought", "token", "thought", "token", "other"]
    data = [{"say": "wait"}, *[{"text": text} for text in "abcde"]]
    body = events(*data, names=names)
    assert texts(sse(delta=KINDS), body) == ["say", "wait", "ac", "bd", "other", "text", "e"]


def test_kinds_of_events_are_told_apart_by_a_field() -> None:
    kinds = ["status", "thought", "token", "thought", "token", "other", 3]
    data = [{"type": kind, "text": text} for kind, text in zip(kinds, "wabcdef", strict=True)]
    found = texts(sse(delta=KINDS, by="/type"), events(*data))
    assert found == ["text", "w", "ac", "bd", "type", "other", "e", "f"]


def test_an_event_without_a_name_is_a_message() -> None:
    body = events(*tokens("a", "b"), names=["", "message"])
    assert texts(sse(delta={"message": "/token"}), body) == ["ab"]
    assert texts(TOKENS, body) == ["ab"]


def test_pieces_in_events_of_several_names_are_no_one_text() -> None:
    body = events(*tokens("a", "b"), names=["token", "thought"])
    assert why(TOKENS, body) == ["pieces in events of several names: say 'delta' for each"]


def test_the_whole_text_said_again_is_the_same_text() -> None:
    body = events(*tokens("ab", "c"), {"text": "abc", "usage": 3}, "[DONE]")
    named = sse(whole="/text")
    read = told(reader(named), [body])
    assert [text for _, text in read.parts] == ["abc", "usage"]
    now = written(read.events, lambda text: text.replace("abc", "x"))
    assert b'{"text":"x","usage":3}' in now
    assert b'{"text":"x"' in whole(named, body).rewrite({0: "x"}).data


def test_a_whole_text_that_is_another_one_is_judged_by_itself() -> None:
    named = sse(whole={"final": "/text"}, delta={"token": "/text"})
    body = events({"text": " ab"}, {"text": "ab"}, names=["token", "final"])
    assert texts(named, body) == [" ab", "ab"]
    assert texts(named, events({"text": "ab"}, names=["final"])) == ["ab"]


def test_a_text_goes_not_on_after_all_of_it_was_said() -> None:
    """Else what is cut over the two would be judged in halves."""
    body = events(*tokens("for"), {"text": "for"}, *tokens("bidden"))
    assert why(sse(whole="/text"), body) == ["a text that goes on after all of it was said again"]


@pytest.mark.parametrize(
    ("done", "data", "name", "ends"),
    [
        (None, "[DONE]", "", True),
        (None, " [DONE] ", "", True),
        ("END", "END", "bit", True),
        ("END", "[DONE]", "", True),
        (["END", {"event": "end"}], "{}", "end", True),
        (["END", {"event": "end"}], '{"end": 1}', "", False),
        ([], "[DONE]", "", True),
    ],
)
def test_a_reply_ends_with_what_the_author_says(
    done: Any, data: str, name: str, ends: bool
) -> None:
    named = TOKENS if done is None else sse(done=done)
    body = events(*tokens("a"), data, names=["", name])
    read = told(reader(named), [body])
    assert read.ended == ends
    assert read.parts[0][1] == "a"
    assert not why(named, body)


def test_an_event_of_the_end_may_say_the_whole_text() -> None:
    named = sse(done={"event": "end"}, whole={"end": "/text"}, delta={"token": "/text"})
    body = events({"text": "ab"}, {"text": "ab"}, names=["token", "end"])
    read = told(reader(named), [body])
    assert read.ended
    assert [text for _, text in read.parts] == ["ab"]


@pytest.mark.parametrize(
    "data",
    [
        "hello",
        '{"token": "a", "token": "b"}',
        '{"token": 1}',
        '{"token": ["a"]}',
        '"\\ud800"',
        "NaN",
    ],
)
def test_an_event_that_cannot_be_read_is_told_as_such(data: str) -> None:
    for body in (events(data), events(*tokens("fine"), data)):
        assert why(TOKENS, body)
        assert isinstance(whole(TOKENS, body), ToldBody)
        assert "opaque" in {part.kind for part in whole(TOKENS, body).parts}


@pytest.mark.parametrize(
    ("named", "made"),
    [
        (TOKENS, {"token": "a", "Token": "b"}),
        (TOKENS, {"TOKEN": "b"}),
        (TOKENS, {"to\u212aen": "b"}),
        ("sse: /a/0/b", {"a": [{"B": "b"}]}),
        ("sse: /a/0/b", {"A": [{"b": "b"}]}),
        (sse(whole="/whole"), {"Whole": "b"}),
        (sse(delta={"x": "/token"}, by="/type"), {"type": "y", "Type": "x", "token": "b"}),
    ],
)
def test_a_field_that_a_client_may_take_for_the_text_cannot_be_read(
    named: Named, made: Any
) -> None:
    (said,) = why(named, events(made))
    assert said.startswith("a field like one of '/")


def test_comments_and_names_of_events_are_judged() -> None:
    body = b": psst\nid: who is it\nevent: a name\n" + events(*tokens("a")) + b"event: alone\n\n"
    assert sorted(texts(TOKENS, body)) == sorted(["psst", "who is it", "a name", "a", "alone"])
    read = told(reader(TOKENS), [body])
    made = written(read.events, lambda text: text.replace("a name", ""))
    assert made == b'data: {"token": "a"}\n\nevent: alone\n\n'


@pytest.mark.parametrize("done", ["[DONE]", ["END", {"event": "end"}]])
def test_the_name_of_an_event_that_ends_a_reply_is_judged(done: Any) -> None:
    named = sse(done=done)
    body = events(*tokens("a"), "[DONE]", names=["", "bad name"])
    assert texts(named, body) == ["a", "bad name"]
    assert "bad name" in {part.text for part in whole(named, body).parts}
    made = written(told(reader(named), [body]).events, lambda text: text.replace("bad name", ""))
    assert made == events(*tokens("a"), "[DONE]")
    assert texts(named, events(*tokens("a"), "{}", names=["", "end"]))[1:] == (
        ["end"] if done == "[DONE]" else []
    )


# -- before the first piece ----------------------------------------------------------------------


def test_nothing_is_told_before_the_first_piece() -> None:
    read = reader(TOKENS)
    assert read.feed(b": wait\n\n")
    assert not read.feed(events({"status": "fine"}, {"status": "more"}))
    assert [e.says[-1].text for e in read.feed(events(*tokens("a")))] == ["fine", "more", "a"]


def test_nothing_is_told_before_a_piece_that_says_something() -> None:
    read = reader(TOKENS)
    assert not read.feed(events({"token": "", "role": "x"}, {"token": None, "role": "x"}))
    assert [e.says[-1].text for e in read.feed(events(*tokens("a")))] == ["x", "x", "a"]


@pytest.mark.parametrize("empty", ["", None])
@pytest.mark.parametrize("end", [(), ("[DONE]",)])
def test_a_text_that_came_in_the_place_of_the_pieces_is_not_read_one_by_one(
    empty: Any, end: Any
) -> None:
    """As reasoning does, while the content is null."""
    made = [{"token": empty, "thought": piece} for piece in ("for", "bid", "den")]
    body = events(*made, *end)
    assert why(TOKENS, body) == ["there is no piece of a reply at '/token'"]
    assert "opaque" in {part.kind for part in whole(TOKENS, body).parts}
    assert set(texts(sse(delta=["/token", "/thought"]), body)) == {"forbidden"}


@pytest.mark.parametrize("first", [{"token": ""}, {"token": None}, {}])
def test_what_is_too_deep_before_the_first_piece_cannot_be_read(first: Any) -> None:
    deep = '{"token": "", "x": ' + "[" * 200 + "]" * 200 + "}"
    body = events(first, deep, *tokens("a"))
    assert why(TOKENS, body) == ["the value is nested more than 100 levels deep"]


def test_a_reply_without_a_character_is_read() -> None:
    made = [{"token": "", "role": "x"}, {"token": "", "id": 1}, {"token": "", "why": "stop"}]
    assert not why(TOKENS, events(*made, "[DONE]"))


def test_events_that_are_known_to_have_no_pieces_may_come_before() -> None:
    read = reader(sse(delta=KINDS))
    assert read.feed(events({"say": "searching"}, names=["status"]))
    assert read.feed(events({"say": "reading"}, names=["status"]))


@pytest.mark.parametrize("end", [(), ("[DONE]",)])
def test_a_pointer_that_leads_nowhere_is_told_and_nothing_leaves(end: Any) -> None:
    body = events(*tokens("for", "bidden"), *end)
    for pieces in ([body], split(body, range(1 << 14))):
        read = told(reader("sse: /tokn"), pieces)
        assert read.raw == body
        (event,) = (event for event in read.events if event.raw)
        assert [head.name for head in event.opens] == ["there is no piece of a reply at '/tokn'"]
    assert "opaque" in {part.kind for part in whole("sse: /tokn", body).parts}


def test_a_stream_that_says_one_thing_only_is_read() -> None:
    body = events({"error": "busy"}, "[DONE]")
    assert texts(TOKENS, body) == ["error", "busy"]
    assert not why(TOKENS, body)
    assert told(reader(TOKENS), [b""]).parts == []


def test_what_waits_for_the_first_piece_is_bounded() -> None:
    read = reader(TOKENS)
    piece = events({"status": "x" * 1_000})
    made = [event for _ in range(LONGEST // len(piece) + 2) for event in read.feed(piece)]
    assert made[0].opens[0].kind == "opaque"
    assert len(made[0].raw) > LONGEST


def test_what_is_remembered_beside_the_reply_is_bounded() -> None:
    read = reader(TOKENS)
    for at in range(MOST_KNOWN + 50):
        read.feed(events({"token": "a", "id": f"x{at}"}))
    assert len(read._known) == MOST_KNOWN  # type: ignore[attr-defined]


# -- how it ends ---------------------------------------------------------------------------------


def ended(named: Named, body: bytes = b"", *, released: bool = False) -> list[tuple[str, Any]]:
    read = reader(named)
    for event in read.feed(body):
        read.sent(event, {})
    made = parse_events(read.cut("No.", released=released))
    return [(e.name, e.data if e.data[0] in "[E" else json.loads(e.data)) for e in made]


DONE = ("", "[DONE]")


@pytest.mark.parametrize(
    ("named", "made"),
    [
        (TOKENS, [("", {"token": "No."}), DONE]),
        ("sse: /a/0/b", [("", {"a": [{"b": "No."}]}), DONE]),
        (sse(done=[]), [("", {"token": "No."})]),
        (sse(done=["END", "[DONE]"]), [("", {"token": "No."}), ("", "END")]),
        (
            sse(done={"event": "end", "data": {"n": 1}}),
            [("", {"token": "No."}), ("end", {"n": 1})],
        ),
        (sse(delta={"token": "/text"}), [("token", {"text": "No."}), DONE]),
        (sse(delta={"message": "/text"}), [("", {"text": "No."}), DONE]),
        (
            sse(delta={"token": "/x/text"}, by="/x/type"),
            [("", {"x": {"text": "No.", "type": "token"}}), DONE],
        ),
        (
            sse(stop={"event": "error", "text": "/error/say", "data": {"error": {"code": 1}}}),
            [("error", {"error": {"code": 1, "say": "No."}}), DONE],
        ),
    ],
)
def test_a_stream_that_is_stopped_says_the_reply_in_its_own_shape(
    named: Named, made: list[Any]
) -> None:
    assert ended(named) == made
    answer = format_of(named).refusal("No.", None, None)
    assert answer is not None
    assert answer.media_type == EVENTS
    assert answer.data == reader(named).cut("No.", released=False)


def test_a_reply_in_the_middle_is_a_paragraph_of_its_own_in_the_same_events() -> None:
    body = events(*tokens("a"), names=["bit"])
    assert ended(TOKENS, body, released=True) == [("bit", {"token": "\n\nNo."}), DONE]
    stop = sse(stop={"text": "/say"})
    assert ended(stop, body, released=True) == [("", {"say": "No."}), DONE]
    assert ended(TOKENS, events(*tokens("a"), "[DONE]")) == []
    assert reader(TOKENS).fail(503, "down") == b""


# -- the format ----------------------------------------------------------------------------------


def test_the_request_is_json_by_pointers_or_all_of_it() -> None:
    asked = Payload(data=b'{"message": "hi", "id": "x"}', media_type=JSON)
    for named in ("sse: /message -> /token", sse(request="/message")):
        assert [part.text for part in format_of(named).request(asked).parts] == ["hi"]
    assert len(format_of(TOKENS).request(asked).parts) == 4


def test_a_response_of_json_is_read_as_such() -> None:
    body = format_of(TOKENS).response(Payload(data=b'{"token": "a"}', media_type=JSON), NOBODY)
    assert isinstance(body, JsonBody)
    assert format_of(TOKENS).refusal("No.", None, body) is None
    for data in (b"", b" "):
        assert format_of(TOKENS).response(Payload(data=data), NOBODY).parts
    page = format_of(TOKENS).response(Payload(data=b"data: x", media_type="text/plain"), NOBODY)
    assert isinstance(page, OpaqueBody)
    assert "by its content-type" in page.why


def test_events_in_another_charset_are_not_read() -> None:
    payload = Payload(data='data: "é"\n\n'.encode(), media_type=EVENTS, charset="utf-7")
    assert stream_reader(format_of(TOKENS), payload, None) is None
    with pytest.raises(AmbiguousError):
        format_of(TOKENS).response(payload, NOBODY)


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("sse:", "a pointer is missing, such as '/token'"),
        ("sse: token", "'token' is no JSON pointer"),
        ("sse", "unknown format 'sse'; expected one of"),
        ({"sse": "/token"}, "one table, such as { sse = { delta = '/token' } }"),
        ({"json": {}}, "one table"),
        ({"sse": {}, "json": {}}, "one table"),
        ("sse: /a -> /b -> /c", "'->' once, between request and response"),
        ("sse: /message ->", "a pointer is missing on one side of '->'"),
        ("sse: /a~2b", "'~' is written as '~0'"),
        ({"sse": {}}, "sse: delta: is missing"),
        (sse(delta=5), "sse: delta: expected a pointer such as '/token', or a list of several"),
        (sse(delta=["/a", 5]), "sse: delta: expected a pointer such as"),
        (sse(delta={"a": {"b": "/c"}}), "sse: delta.a: expected a pointer such as"),
        (sse(delta={"a b": "c"}), "sse: delta.a b: 'c' is no JSON pointer"),
        (sse(whole={"a\nb": "/c"}), "sse: whole.'a\\nb': expected text of one line"),
        (sse(stop="/a"), "sse: stop: expected a table with 'text'"),
        (sse(stop={"event": "x"}), "sse: stop.text: is missing"),
        (sse(stop={"text": "/a", "event": 5}), "sse: stop.event: expected the name of an event"),
        (sse(no_text=5), "sse: no_text: expected a pointer such as"),
        ({"sse": {"delta": []}}, "expected at least one pointer"),
        ({"sse": {"dleta": "/a"}}, "dleta: unknown key; did you mean 'delta'?"),
        (sse(delta="token"), "delta: 'token' is no JSON pointer"),
        (sse(by="/type"), "by: tells kinds of events apart"),
        (sse(delta={"a": "/type"}, by="/type"), "by: expected a pointer to a field beside"),
        (sse(delta={"a": ""}, by="/type"), "by: expected a pointer to a field beside"),
        (sse(delta={"a": "/a/b"}, by="/a"), "by: expected a pointer to a field beside"),
        (sse(delta={"a": "/a"}, whole={"b": "/b/c"}, by="/b"), "by: expected a pointer"),
        (sse(stop={"txt": "/a"}), "stop.txt: unknown key; did you mean 'text'?"),
        (sse(stop={"text": "/a/b", "data": {"a": "x"}}), "something else stands on the way"),
        (sse(stop={"text": "/a", "data": float("nan")}), "expected what JSON can hold"),
        (sse(done={"event": "a\nb"}), "done: expected data of one line, or a table with"),
        (sse(done={"evnt": "a"}), "done: expected data of one line, or a table with 'event'"),
    ],
)
def test_a_shape_that_could_not_work_is_an_error_that_says_so(named: Named, problem: str) -> None:
    with pytest.raises(SettingsError) as error:
        format_of(named)
    assert problem in str(error.value)


def test_a_format_is_what_its_name_says() -> None:
    assert isinstance(format_of(TOKENS), EventsFormat)
    assert format_of(TOKENS).name == TOKENS
    assert format_of(sse()).name == "sse"
