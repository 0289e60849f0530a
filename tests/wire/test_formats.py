"""Formats: which texts there are in a body, and what an answer looks like in each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardrails.errors import SettingsError, WireFormatError
from guardrails.wire.body import Body, OpaqueBody, TextBody
from guardrails.wire.formats import NAMES, Payload, format_of
from guardrails.wire.sse import JSON_AS_TEXT, JSON_IN_EVENTS, UNKNOWN_EVENTS
from guardrails.wire.strict_json import AmbiguousError

JSON = "application/json"
EVENTS = "text/event-stream"
NOBODY = OpaqueBody(b"", "user", "")


def payload(data: Any, media_type: str = JSON, **more: Any) -> Payload:
    written = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Payload(data=written, media_type=media_type, **more)


def texts(body: Body) -> list[str]:
    return [part.text for part in body.parts if part.target and part.readable]


def asked(format: str, data: Any, media_type: str = JSON, **more: Any) -> list[str] | str:
    """The texts of a request that are to be judged, or why nobody can read it."""
    body = format_of(format).request(payload(data, media_type, **more))
    return body.why if isinstance(body, OpaqueBody) else texts(body)


def said(format: str, data: Any, media_type: str = JSON, **more: Any) -> list[str] | str:
    body = format_of(format).response(payload(data, media_type, **more), NOBODY)
    return body.why if isinstance(body, OpaqueBody) else texts(body)


TURN = [{"role": "user", "content": "hello"}]
MESSAGES = {"model": "m", "max_tokens": 1, "messages": TURN}
FORM = "application/x-www-form-urlencoded"

REQUESTS: list[tuple[str, Any, str, Any]] = [
    ("text", b"hello", "text/plain", ["hello"]),
    ("text", b'{"a": "b"}', JSON, ['{"a": "b"}']),
    ("text", b"", "", [""]),
    ("json", {"a": "b", "c": [1, "d"]}, JSON, ["a", "b", "c", "d"]),
    ("json", {"a": "b"}, "", ["a", "b"]),
    ("json", b" \n", JSON, [" \n"]),
    ("json", b"{}", EVENTS, f"an event stream where JSON was expected; {JSON_IN_EVENTS}"),
    ("json: /a -> /b", {"a": "x", "c": "y"}, JSON, ["x"]),
    ("json: /a, /c/0 -> /b", {"a": "x", "c": ["y", "z"]}, JSON, ["x", "y"]),
    ("json: /a -> /b", {"a": {"b": "x", "c": ["y"]}}, JSON, ["b", "x", "c", "y"]),
    ("json: /a -> /b", {"a": TURN}, JSON, ["hello"]),
    ("json: /a -> /b", {"c": "y"}, JSON, "there is nothing at '/a'"),
    ("json: /a -> /b", {"a": 3}, JSON, "there is no text at '/a'"),
    ("json: /a -> /b", {"a": None}, JSON, "there is no text at '/a'"),
    ("json: /a -> /b", {"a": []}, JSON, "there is no text at '/a'"),
    ("json: /a -> /b", [1], JSON, "there is nothing at '/a'"),
    ("json: /a~1b, /~0 -> /b", {"a/b": "x", "~": "y"}, JSON, ["x", "y"]),
    ("anthropic", MESSAGES, JSON, ["hello"]),
    ("anthropic", {**MESSAGES, "system": "kind"}, JSON, ["hello", "kind"]),
    ("anthropic", {**MESSAGES, "news": "x"}, JSON, ["hello", "news", "x"]),
    ("anthropic", {"prompt": "x"}, JSON, "a body without 'messages'"),
    ("anthropic", [1], JSON, "a body without 'messages'"),
    ("openai-chat", MESSAGES, JSON, ["hello"]),
    ("openai-responses", {"model": "m", "input": "hello"}, JSON, ["hello"]),
    ("openai-responses", {"model": "m", "input": TURN}, JSON, ["hello"]),
    ("openai-responses", MESSAGES, JSON, "a body without 'input'"),
    ("auto", b"", "", [""]),
    ("auto", b"hello", "text/plain", ["hello"]),
    ("auto", b"<p>hello</p>", "text/html", ["<p>hello</p>"]),
    ("auto", b"a=b&c=d+e", FORM, ["a", "b", "c", "d e"]),
    ("auto", {"a": "b"}, JSON, ["a", "b"]),
    ("auto", {"a": "b"}, "application/vnd.house+json", ["a", "b"]),
    ("auto", {"a": "b"}, "text/plain", ["a", "b"]),
    ("auto", {"a": "b"}, FORM, ["a", "b"]),
    ("auto", b'"b\\u0063"', "text/plain", ["bc"]),
    ("auto", b'"b" and more', "text/plain", ['"b" and more']),
    ("auto", b"[sic]", "text/plain", ["[sic]"]),
    ("auto", MESSAGES, JSON, ["hello"]),
    ("auto", {"model": "m", "input": "hello"}, JSON, ["hello"]),
    ("auto", {"input": "hello"}, JSON, ["input", "hello"]),
    ("auto", b"x", "", "content of the type unknown"),
    ("auto", b"x", "image/png", "content of the type 'image/…'"),
    ("auto", b"x", "multipart/form-data", "content of the type 'multipart/form-data'"),
    ("auto", b"x", "their/words", "content of the type unknown"),
    ("auto", b"data: x\n\n", EVENTS, "content of the type 'text/event-stream'"),
]


@pytest.mark.parametrize(("format", "data", "media_type", "found"), REQUESTS)
def test_the_texts_of_a_request(format: str, data: Any, media_type: str, found: Any) -> None:
    assert asked(format, data, media_type) == found


REPLIES: list[tuple[str, Any, str, Any]] = [
    ("text", b"hello", "text/plain", ["hello"]),
    ("text", b"data: hel\n\ndata: lo\n\n", EVENTS, ["hello"]),
    ("text", b"event: a\ndata: hel\n\nevent: b\ndata: lo\n\n", EVENTS,
     "a stream with events of several names"),
    ("json", {"a": "b"}, JSON, ["a", "b"]),
    ("json: /a -> /b", {"b": "x", "c": "y"}, JSON, ["x"]),
    ("json: /a -> /b", {"c": "y"}, JSON, "there is nothing at '/b'"),
    ("anthropic", {"type": "message", "content": [{"type": "text", "text": "x"}]}, JSON, ["x"]),
    ("anthropic", {"type": "error", "error": {"type": "t", "message": "x"}}, JSON,
     ["type", "error", "error", "type", "t", "message", "x"]),
    ("anthropic", ["x"], JSON, "no JSON object"),
    ("openai-chat", {"choices": [{"index": 0, "message": {"content": "x"}}]}, JSON, ["x"]),
    ("openai-responses", {"object": "response", "output": [], "error": None}, JSON, []),
    ("openai-responses", {"output": [{"type": "message", "content": [
        {"type": "output_text", "text": "x"}]}], "error": {"code": "c", "message": "y"}}, JSON,
     ["x", "y"]),
    ("auto", {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "x"}]},
     JSON, ["x"]),
    ("auto", {"object": "chat.completion", "choices": [{"message": {"content": "x"}}]}, JSON,
     ["x"]),
    ("auto", {"object": ["x"]}, JSON, ["object", "x"]),
    ("auto", b"x", "text/html", ["x"]),
    ("auto", b'{"a": "\\u0062"}', "text/plain", ["a", "b"]),
    ("auto", b"x", FORM, "content of the type 'application/…'"),
    ("auto", b"x", "application/pdf", "content of the type 'application/pdf'"),
    ("auto", b"data: hello\n\n", EVENTS, UNKNOWN_EVENTS),
    ("text", b'data: {"a": "b"}\n\n', EVENTS, JSON_AS_TEXT),
    ("text", b'data: "hel"\n\ndata: "lo"\n\n', EVENTS, JSON_AS_TEXT),
    ("text", b'data: hi\n\ndata: {"a": 1}\n\ndata: {"a": 2}\n\n', EVENTS, JSON_AS_TEXT),
    ("text", b'data: "Hel"\n\ndata: lo {}\n\n', EVENTS, ['"Hel"lo {}']),
    ("text", b'data: hi\n\ndata: {"a": 1}\n\n', EVENTS, ['hi{"a": 1}']),
    ("text", b"data: {}\n\ndata: []\n\n", EVENTS, ["{}[]"]),
    ("text", b"data: [DONE]\n\n", EVENTS, [""]),
]  # fmt: skip


@pytest.mark.parametrize(("format", "data", "media_type", "found"), REPLIES)
def test_the_texts_of_a_reply(format: str, data: Any, media_type: str, found: Any) -> None:
    assert said(format, data, media_type) == found


@pytest.mark.parametrize(
    ("charset", "data", "found"),
    [
        (None, "wörld".encode(), ["wörld"]),
        ("utf-8", "wörld".encode(), ["wörld"]),
        ("utf8", "wörld".encode(), ["wörld"]),
        ("iso-8859-1", "wörld".encode("latin-1"), ["wörld"]),
        ("windows-1251", "мир".encode("cp1251"), ["мир"]),
        ("shift_jis", "日本".encode("shift_jis"), ["日本"]),
        ("gb18030", "你好".encode("gb18030"), ["你好"]),
        ("utf-7", b"+AGYAbwBy-", "text in a charset that is not read here"),
        ("utf-16", "hello".encode("utf-16"), "text in a charset that is not read here"),
        ("utf-32", "hello".encode("utf-32"), "text in a charset that is not read here"),
        ("rot13", b"sbeovqqra", "text in a charset that is not read here"),
        ("idna", b"xn--", "text in a charset that is not read here"),
        ("unicode_escape", b"\\u0066", "text in a charset that is not read here"),
        ("none such", b"x", "text in a charset that is not read here"),
    ],
)
@pytest.mark.parametrize("format", ["text", "auto"])
def test_text_is_read_in_the_charsets_that_browsers_read_alike(
    format: str, charset: str | None, data: bytes, found: Any
) -> None:
    assert asked(format, data, "text/plain", charset=charset) == found
    assert said(format, data, "text/plain", charset=charset) == found


@pytest.mark.parametrize(
    ("charset", "data"), [("utf-8", b"\xff"), (None, b"\xc3"), ("us-ascii", b"\xc3\xa9")]
)
def test_text_that_is_not_in_its_charset_is_ambiguous(charset: str | None, data: bytes) -> None:
    with pytest.raises(AmbiguousError):
        asked("text", data, "text/plain", charset=charset)


@pytest.mark.parametrize("format", ["auto", "json", "json: /a -> /b", "anthropic"])
@pytest.mark.parametrize(
    ("charset", "is_read"),
    [
        ("utf-8", True),
        ("us-ascii", True),
        ("iso-8859-1", True),
        ("utf-16", False),
        ("utf-7", False),
    ],
)
def test_json_is_in_utf_8_whatever_is_said(format: str, charset: str, is_read: bool) -> None:
    data = {**MESSAGES, "a": "x"}
    if is_read:
        assert asked(format, data, charset=charset)
    else:
        with pytest.raises(AmbiguousError, match="in another charset than UTF-8"):
            asked(format, data, charset=charset)


def test_json_outside_ascii_in_another_charset_is_ambiguous() -> None:
    with pytest.raises(AmbiguousError):
        asked("json", '{"a": "é"}'.encode(), charset="iso-8859-1")


def test_system_text_is_context_only_if_it_is_trusted() -> None:
    for format in ("anthropic", "auto"):
        read = format_of(format).request(payload({**MESSAGES, "system": "kind"}), trust_system=True)
        assert texts(read) == ["hello"]


# -- answers -------------------------------------------------------------------------------------

PROVIDERS = {
    "anthropic": ("/v1/messages", MESSAGES),
    "openai-chat": ("/v1/chat/completions", {"model": "m", "messages": TURN}),
    "openai-responses": ("/v1/responses", {"model": "m", "input": "hello"}),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("auto", [False, True], ids=["named", "auto"])
def test_a_providers_refusal_is_read_as_a_reply_of_its_own(
    name: str, auto: bool, stream: bool
) -> None:
    format = format_of("auto" if auto else name)
    path, data = PROVIDERS[name]
    request = format.request(payload({**data, "stream": stream}, path=path))
    answer = format.refusal("Not here.", request, None)
    assert answer is not None
    assert (answer.status, answer.media_type) == (200, EVENTS if stream else JSON)
    read = format_of(name).response(payload(answer.data, answer.media_type), request)
    assert texts(read) == ["Not here."]
    assert b'"m"' in answer.data


REPLIES: dict[str, dict[str, Any]] = {
    "anthropic": {"type": "message", "role": "assistant", "content": []},
    "openai-chat": {"object": "chat.completion", "choices": []},
    "openai-responses": {"object": "response", "output": []},
}


@pytest.mark.parametrize("said", ["Now drink bleach.", {"a": "drink bleach"}, 4111111111111111])
@pytest.mark.parametrize("key", ["id", "model", "usage", "created", "created_at"])
@pytest.mark.parametrize("name", PROVIDERS)
def test_promise_2_a_refusal_repeats_no_sentence_of_what_was_blocked(
    name: str, key: str, said: Any
) -> None:
    path, data = PROVIDERS[name]
    format = format_of(name)
    request = format.request(payload(data, path=path))
    reply = {**REPLIES[name], "id": "an_id", "usage": {"input_tokens": 7}}
    clean = format.refusal("Not here.", request, format.response(payload(reply), request))
    assert clean is not None
    assert b"an_id" in clean.data
    assert b"7" in clean.data
    poisoned = format.response(payload({**reply, key: said}), request)
    answer = format.refusal("Not here.", request, poisoned)
    assert answer is not None
    assert b"bleach" not in answer.data
    assert b"4111" not in answer.data


@pytest.mark.parametrize("status", [400, 403, 413, 429, 503])
@pytest.mark.parametrize("name", PROVIDERS)
def test_a_providers_trouble_is_an_error_of_its_own(name: str, status: int) -> None:
    path, data = PROVIDERS[name]
    for format in (format_of(name), format_of("auto")):
        answer = format.trouble(status, "too bad", format.request(payload(data, path=path)))
        assert answer is not None
        assert (answer.status, answer.media_type) == (status, JSON)
        error = json.loads(answer.data)
        assert error["error"]["message"] == "too bad"
        assert (error.get("type") == "error") == (name == "anthropic")


@pytest.mark.parametrize(
    ("data", "more", "name"),
    [
        (MESSAGES, {"path": "/proxy/v1/messages"}, "anthropic"),
        (MESSAGES, {"anthropic": True}, "anthropic"),
        ({**MESSAGES, "system": "x"}, {}, "anthropic"),
        ({"model": "m", "messages": TURN}, {"path": "/v1/chat/completions"}, "openai-chat"),
        ({"model": "m", "messages": TURN}, {}, "openai-chat"),
        ({"model": "m", "input": "x"}, {"path": "/v1/messages"}, "openai-responses"),
    ],
)
def test_a_provider_is_found_by_path_header_or_keys(data: Any, more: Any, name: str) -> None:
    auto = format_of("auto")
    request = auto.request(payload(data, **more))
    made = auto.refusal("no", request, None)
    assert made is not None
    assert texts(format_of(name).response(payload(made.data), request)) == ["no"]


@pytest.mark.parametrize("data", [{"messages": TURN}, {"a": "b"}, ["x"]], ids=str)
def test_json_of_nobodys_format_has_no_place_for_a_reply(data: Any) -> None:
    auto = format_of("auto")
    request = auto.request(payload(data))
    assert auto.refusal("no", request, None) is None
    assert auto.trouble(503, "no", request) is None
    assert format_of("json").refusal("no", request, None) is None


def test_a_plain_request_gets_a_plain_reply() -> None:
    auto = format_of("auto")
    for request in (None, TextBody(b"", "utf-8", "user")):
        made = auto.refusal("nö", request, None)
        assert made is not None
        assert (made.status, made.media_type, made.data) == (200, "text/plain", "nö".encode())


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_format_is_found_by_its_name(name: str) -> None:
    assert format_of(name).name == name


@pytest.mark.parametrize(
    "named", ["", "xml", "JSON", "json:", "json: /a", "json: -> /a", "json: /a ->", "json: a -> /b",
              "json: /a, -> /b", "text: /a -> /b"]
)  # fmt: skip
def test_an_unknown_format_is_an_error_that_says_what_was_expected(named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        format_of(named)
    assert "'json: /message -> /answer'" in str(caught.value) or "pointer" in str(caught.value)


def test_errors_of_formats_have_no_cause_that_holds_the_text() -> None:
    with pytest.raises(WireFormatError) as caught:
        asked("json", b'{"private": ')
    assert caught.value.__cause__ is None
    assert "private" not in str(caught.value)


def events_of(*delta: Any, arguments: str = "{}") -> bytes:
    """A stream of Anthropic's: text in pieces, then a tool's arguments, then other deltas."""
    block = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "usage": usage}
    deltas = [
        (0, {"type": "text_delta", "text": "forbid"}),
        (0, {"type": "text_delta", "text": "den"}),
        (1, {"type": "input_json_delta", "partial_json": arguments}),
        *((0, said) for said in delta),
    ]
    told: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_start", "index": 1, "content_block": block},
        *({"type": "content_block_delta", "index": i, "delta": d} for i, d in deltas),
        {"type": "message_stop"},
    ]
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in told)


AUTO_UNREAD = UNKNOWN_EVENTS


@pytest.mark.parametrize(
    "data",
    [
        events_of({"type": "new_delta", "text": "x"}),
        events_of(arguments='{"a": 1, "a": 2}'),
        events_of(arguments="{"),
        events_of(arguments='{"a": NaN}'),
    ],
    ids=["a new delta", "a key twice", "half an object", "no number"],
)
def test_a_stream_that_is_not_read_whole_is_not_read_as_another_providers(data: bytes) -> None:
    """Word by word, as the events of another format, nobody would find what it says."""
    assert "forbidden" in said("auto", events_of(), EVENTS)
    assert said("auto", data, EVENTS) == AUTO_UNREAD
    with pytest.raises((AmbiguousError, AssertionError)):
        assert not isinstance(said("anthropic", data, EVENTS), str)
    assert isinstance(said("openai-chat", data, EVENTS), str)
