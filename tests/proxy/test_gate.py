"""What is served, to whom, and within which limits; each refusal in a shape that SDKs read."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from proxy_house import KEY, House, config_of, provider, serving, until, written
from proxy_wire import (
    CHAT,
    MESSAGES,
    RESPONSES,
    ask,
    chat,
    connected,
    exchange,
    got,
    messages,
    request,
    responses,
)

from guardrails.testing import FakeProvider


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeProvider]:
    with provider() as made:
        yield made


LIMITS = {"body_bytes": 20_000, "body_s": 0.5, "header_s": 0.5, "headers": 30}


@pytest.fixture(scope="module")
def house(upstream: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    file = written(tmp_path_factory.mktemp("gate"))
    with serving(config_of(upstream.url, file, limits=LIMITS)) as made:
        yield made


@pytest.fixture
def nothing_passes(upstream: FakeProvider) -> Iterator[None]:
    before = upstream.requests.total
    yield
    assert upstream.requests.total == before, "it went to the provider"


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "an unknown path": ({"target": "/v1/unheard-of"}, 404),
    "no path at all": ({"target": "/"}, 404),
    "the path of nobody": ({"target": "/v2/messages"}, 404),
    "batches of Anthropic's": ({"target": "/v1/messages/batches"}, 403),
    "batches of OpenAI's": ({"target": "/v1/batches"}, 403),
    "files": ({"target": "/v1/files"}, 403),
    "a file": ({"target": "/v1/files/file-1", "method": "GET"}, 403),
    "a stored response": ({"target": "/v1/responses/resp_1", "method": "GET"}, 403),
    "embeddings": ({"target": "/v1/embeddings"}, 403),
    "a slash at the end": ({"target": "/v1/messages/"}, 404),
    "two slashes": ({"target": "//v1/messages"}, 404),
    "dots": ({"target": "/v1/models/../messages"}, 400),
    "encoded dots": ({"target": "/v1/models/%2e%2e/messages"}, 400),
    "an encoded slash": ({"target": "/v1%2fmessages"}, 400),
    "an encoded backslash": ({"target": "/v1/messages%5c"}, 400),
    "a backslash": ({"target": "/v1\\messages"}, 400),
    "NUL": ({"target": "/v1/messages%00"}, 400),
    "the absolute form": ({"target": "http://127.0.0.1:1/v1/messages"}, 400),
    "the authority form": ({"target": "127.0.0.1:1", "method": "CONNECT"}, 400),
    "an encoded letter": ({"target": "/v1/%6dessages"}, 400),
    "another method": ({"method": "PUT"}, 405),
    "GET": ({"method": "GET"}, 405),
    "a parameter": ({"target": "/v1/messages?text=secret"}, 400),
    "another value": ({"target": "/v1/messages?beta=of-a-secret"}, 400),
    "text in a page of models": ({"target": "/v1/models?limit=a%20b", "method": "GET"}, 400),
    "no key": ({"headers": {"authorization": None}}, 401),
    "a scheme of no key": ({"headers": {"authorization": "Basic abc"}}, 401),
    "an empty key": ({"headers": {"authorization": "Bearer "}}, 401),
    "two keys": ({"headers": {"x-api-key": "another-one"}}, 400),
    "an unlisted beta": ({"headers": {"anthropic-beta": "files-api-2025-04-14"}}, 403),
    "one of two betas": (
        {"headers": {"anthropic-beta": "prompt-caching-2024-07-31, mcp-client-2025-04-04"}}, 403),
    "a beta of OpenAI's": ({"headers": {"openai-beta": "assistants=v2"}}, 403),
    "a coding": ({"headers": {"content-encoding": "gzip"}}, 415),
    "a form": ({"headers": {"content-type": "application/x-www-form-urlencoded"}}, 415),
    "another charset": ({"headers": {"content-type": "application/json; charset=utf-16"}}, 415),
    "two types": ({"more": [("content-type", "application/json")]}, 415),
    "a letter for the provider": ({"headers": {"user-agent": "caf\xe9"}}, 400),
    "a key that is not ASCII": ({"headers": {"authorization": "Bearer caf\xe9-0123456789"}}, 400),
    "another host": ({"headers": {"host": "rebound.example"}}, 421),
    "two hosts": ({"more": [("host", "localhost")]}, 421),
    "a page's request": ({"headers": {"origin": "https://page.example"}}, 403),
    "many headers": ({"more": [(f"x-{n}", "y") for n in range(40)]}, 431),
}  # fmt: skip


@pytest.mark.usefixtures("nothing_passes")
@pytest.mark.parametrize(("asked", "status"), REFUSED.values(), ids=REFUSED)
def test_refused(house: House, asked: dict[str, Any], status: int) -> None:
    asked = dict(asked)
    answer = ask(house.port, asked.pop("target", MESSAGES), messages(), **asked)
    assert answer.status == status
    if asked.get("method") != "CONNECT":
        error = answer.json["error"]
        assert error["type"]
        assert "secret" not in error["message"]
        assert answer.headers["guardrails-request-id"] == answer.headers["request-id"]


SEARCH = {"type": "web_search_20250305", "name": "web_search"}
TOOLS = {
    "Anthropic's search": (MESSAGES, messages(tools=[SEARCH])),
    "Anthropic's fetch": (MESSAGES, messages(tools=[{"type": "web_fetch_20250910", "name": "w"}])),
    "Anthropic's code": (
        MESSAGES, messages(tools=[{"type": "code_execution_20250825", "name": "c"}])),
    "Anthropic's computer": (MESSAGES, messages(tools=[{"type": "computer_20250124"}])),
    "a toolset": (MESSAGES, messages(tools=[{"type": "mcp_toolset", "mcp_server_name": "m"}])),
    "servers": (MESSAGES, messages(mcp_servers=[{"type": "url", "url": "https://x.example"}])),
    "a container": (MESSAGES, messages(container={"skills": [{"skill_id": "pdf"}]})),
    "a thread": (MESSAGES, messages(thread={"type": "create"})),
    "a tool of no known type": (CHAT, chat(tools=[{"type": ["function"]}])),
    "a search by option": (CHAT, chat(web_search_options={"user_location": {}})),
    "OpenAI's search": (RESPONSES, responses(tools=[{"type": "web_search"}])),
    "OpenAI's files": (RESPONSES, responses(tools=[{"type": "file_search"}])),
    "OpenAI's code": (RESPONSES, responses(tools=[{"type": "code_interpreter"}])),
    "OpenAI's computer": (RESPONSES, responses(tools=[{"type": "computer_use_preview"}])),
    "OpenAI's mcp": (RESPONSES, responses(tools=[{"type": "mcp", "server_url": "https://x"}])),
    "one after a good one": (
        RESPONSES, responses(tools=[{"type": "function", "name": "f"}, {"type": "web_search"}])),
    "a reply that is fetched later": (RESPONSES, responses(background=True)),
    "turns before": (RESPONSES, responses(previous_response_id="resp_1")),
    "a conversation": (RESPONSES, responses(conversation="conv_1")),
    "an item by its id": (RESPONSES, responses([{"type": "item_reference", "id": "msg_1"}])),
    "an item by its id alone": (RESPONSES, responses([{"id": "msg_1"}])),
    "a template": (RESPONSES, responses(prompt={"id": "pmpt_1"})),
    "a name that is escaped": (MESSAGES, b'{"messages": [], "\\u0074ools": [{"type": "x_y"}]}'),
    "another case": (RESPONSES, responses(Previous_Response_Id="resp_1")),
    "a letter that folds": (RESPONSES, {**responses(), "bac\u212aground": True}),
    "tools in another case": (RESPONSES, responses(Tools=[{"type": "web_search"}])),
    "a type in another case": (RESPONSES, responses(tools=[{"Type": "web_search"}])),
    "an item by its id, in another case": (
        RESPONSES, responses([{"Type": "item_reference", "id": "msg_1"}])),
    "an item by its id and no content": (RESPONSES, responses([{"id": "msg_1", "content": None}])),
    "what was said aloud": (
        CHAT, chat(messages=[{"role": "assistant", "audio": {"id": "audio_1"}}])),
    "in a count": ("/v1/messages/count_tokens", messages(tools=[SEARCH])),
}  # fmt: skip


@pytest.mark.usefixtures("nothing_passes")
@pytest.mark.parametrize(("target", "body"), TOOLS.values(), ids=TOOLS)
def test_what_the_provider_runs_or_keeps_is_refused(
    house: House, target: str, body: object
) -> None:
    answer = ask(house.port, target, body)
    assert answer.status == 403
    assert "[serve.allow]" in answer.message


SEARCH_IN_UTF_16 = json.dumps(messages(tools=[SEARCH])).encode("utf-16")
UNREADABLE = {
    "no body": (MESSAGES, b""),
    "no JSON": (MESSAGES, b"{"),
    "no object": (MESSAGES, [messages()]),
    "not in UTF-8": (MESSAGES, SEARCH_IN_UTF_16),
    "too deep": (MESSAGES, b'{"messages": ' + b"[" * 9_000),
    "tools that are no list": (RESPONSES, responses(tools={"type": "web_search"})),
    "a tool that is no object": (MESSAGES, messages(tools=["web_search"])),
    "an input that is an item": (RESPONSES, responses({"type": "item_reference", "id": "msg_1"})),
    "an item in a list": (RESPONSES, responses([[{"type": "item_reference", "id": "msg_1"}]])),
    "a key twice": (MESSAGES, b'{"tools": [{"type": "web_search"}], "tools": []}'),
    "a key in two cases": (MESSAGES, messages(tools=[], Tools=[SEARCH])),
    "a key of a tool in two cases": (MESSAGES, messages(tools=[{**SEARCH, "Type": "custom"}])),
}  # fmt: skip


@pytest.mark.usefixtures("nothing_passes")
@pytest.mark.parametrize(("target", "body"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_nobody_can_read_is_refused(house: House, target: str, body: object) -> None:
    """Whether or not it would be judged: what a request asks for must be known."""
    answer = ask(house.port, target, body)
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")


def test_who_asks_for_a_thread_is_told_in_the_providers_words_to_do_without(house: House) -> None:
    answer = ask(house.port, MESSAGES, messages(thread={"type": "create"}))
    assert answer.json["error"]["details"] == {"error_code": "thread_unsupported_request"}
    other = ask(house.port, CHAT, chat(thread={"type": "create"}))
    assert "details" not in other.json["error"]


def test_listed_features_pass(upstream: FakeProvider, tmp_path: Any) -> None:
    allow = {
        "betas": ["files-api-2025-04-14"],
        "tools": ["web_search"],
        "fields": ["previous_response_id"],
        "origins": ["https://page.example"],
    }
    config = config_of(upstream.url, written(tmp_path), allow=allow)
    with serving(config) as house:
        searching = messages(tools=[{"type": "web_search_20250305", "name": "web_search"}])
        headers = {"anthropic-beta": "files-api-2025-04-14", "origin": "https://page.example"}
        assert ask(house.port, MESSAGES, searching, headers=headers).status == 200
        assert upstream.requests[-1].headers["anthropic-beta"] == "files-api-2025-04-14"
        assert "origin" not in upstream.requests[-1].headers
        again = responses(previous_response_id="resp_1")
        assert ask(house.port, RESPONSES, again).status == 200
        wider = messages(tools=[{"type": "web_searching", "name": "w"}])
        assert ask(house.port, MESSAGES, wider).status == 403


def test_listed_paths_are_judged_unless_they_say_otherwise(
    upstream: FakeProvider, tmp_path: Any
) -> None:
    routes = {"/v1/embeddings": {"format": "json"}, "/v1/files/*": {"guard": False}}
    config = config_of(upstream.url, written(tmp_path), routes=routes)
    with serving(config) as house:
        before = upstream.requests.total
        blocked = ask(house.port, "/v1/embeddings", {"input": "a forbidden thing"})
        assert (blocked.status, upstream.requests.total) == (403, before)
        assert ask(house.port, "/v1/embeddings", {"input": "a fine thing"}).status == 404
        assert upstream.requests[-1].path == "/v1/embeddings"
        ask(house.port, "/v1/files/of/mine", {"input": "a forbidden thing"})
        assert upstream.requests[-1].path == "/v1/files/of/mine"
        assert house.records.how()[0][:2] == ("input", "block")


def test_models_take_no_text_with_them(house: House, upstream: FakeProvider) -> None:
    before = upstream.requests.total
    with connected(house.port) as connection:
        head = request("/v1/models", method="GET", headers={"content-length": "6"})
        connection.sendall(head + b"secret")
        assert got(connection).status == 400
    assert upstream.requests.total == before


def test_a_conversation_in_items_passes(house: House) -> None:
    said = [
        {"role": "user", "content": "Hi."},
        {"type": "message", "role": "assistant", "content": "Hello."},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "4"},
    ]
    assert ask(house.port, RESPONSES, responses(said)).status == 200


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
def test_no_other_protocol_is_spoken(house: House, upstream: FakeProvider, upgrade: str) -> None:
    """A WebSocket's handshake and HTTP/2 in clear are requests like any other, or none."""
    before = upstream.requests.total
    headers = {"connection": "Upgrade, HTTP2-Settings", "upgrade": upgrade, "http2-settings": "AA"}
    with connected(house.port) as connection:
        connection.sendall(request("/v1/realtime", method="GET", headers=headers) + SMUGGLED)
        answer = got(connection)
        assert answer.status == 403
        assert "upgrade" not in answer.headers
    assert upstream.requests.total == before


@pytest.mark.parametrize(
    "said",
    [
        None,
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
    ],
)
def test_json_by_any_of_its_names(house: House, said: str | None) -> None:
    headers = {"content-type": said, "x-of-mine": "caf\xe9"}
    assert ask(house.port, MESSAGES, messages(), headers=headers).status == 200


def test_both_styles_of_keys_reach_the_provider_as_they_came(
    house: House, upstream: FakeProvider
) -> None:
    ask(house.port, MESSAGES, messages())
    assert upstream.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    headers = {"authorization": None, "x-api-key": KEY, "anthropic-version": "2023-06-01"}
    ask(house.port, MESSAGES, messages(), headers=headers)
    assert upstream.requests[-1].headers["x-api-key"] == KEY
    assert upstream.requests[-1].headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in upstream.requests[-1].headers
    both = {"x-api-key": KEY}
    assert ask(house.port, MESSAGES, messages(), headers=both).status == 200
    ask(house.port, CHAT, chat(), headers={"authorization": None, "x-api-key": KEY})
    assert upstream.requests[-1].headers["authorization"] == f"Bearer {KEY}"


def test_the_error_has_the_shape_of_who_is_asked(house: House) -> None:
    anthropic = ask(house.port, MESSAGES, messages(), headers={"authorization": None}).json
    assert anthropic["type"] == "error"
    assert anthropic["error"]["type"] == "authentication_error"
    assert anthropic["request_id"]
    openai = ask(house.port, CHAT, chat(), headers={"authorization": None}).json
    assert set(openai) == {"error"}
    assert openai["error"]["code"] == "invalid_api_key"


def test_a_request_id_is_the_clients_if_it_is_well_formed(house: House) -> None:
    def told(said: str | None) -> str:
        answer = ask(house.port, "/v1/files", {}, headers={"x-request-id": said})
        return answer.headers["guardrails-request-id"]

    assert told("mine-0123.45_6") == "mine-0123.45_6"
    for made_up in (None, "short", "a b c d e f g h", "x" * 65, "<script>alert(1)</script>"):
        assert told(made_up).startswith("req_")
    assert told(None) != told(None)


def test_the_providers_own_request_id_is_kept(house: House, upstream: FakeProvider) -> None:
    answer = ask(house.port, MESSAGES, messages())
    assert answer.headers["request-id"] == upstream.requests[-1].id
    assert answer.headers["guardrails-request-id"].startswith("req_")


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_passes")
def test_a_body_that_is_too_long(house: House) -> None:
    answer = ask(house.port, MESSAGES, messages("a" * 30_000))
    assert (answer.status, answer.json["error"]["type"]) == (413, "request_too_large")
    assert answer.headers["connection"] == "close"


@pytest.mark.usefixtures("nothing_passes")
def test_a_body_that_is_too_long_and_does_not_say_so(house: House) -> None:
    piece = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
    sent = request(MESSAGES, headers={"transfer-encoding": "chunked"}) + 2 * piece
    with connected(house.port) as connection:
        connection.sendall(sent)
        assert got(connection).status == 413


@pytest.mark.usefixtures("nothing_passes")
def test_a_length_that_is_too_long_is_refused_before_it_is_read(house: House) -> None:
    with connected(house.port) as connection:
        connection.sendall(request(MESSAGES, headers={"content-length": "9" * 15}))
        assert got(connection).status == 413


@pytest.mark.usefixtures("nothing_passes")
def test_a_body_that_does_not_come(house: House) -> None:
    with connected(house.port) as connection:
        connection.sendall(request(MESSAGES, headers={"content-length": "100"}) + b"{")
        answer = got(connection)
    assert (answer.status, answer.json["error"]["type"]) == (408, "timeout_error")


def test_a_head_that_does_not_end_in_time(house: House) -> None:
    with connected(house.port) as silent, connected(house.port) as slow:
        slow.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: loc")
        assert got(slow).status == 408
        assert silent.recv(100) == b""
    with connected(house.port) as connection:
        connection.sendall(request(MESSAGES, messages()))
        assert got(connection).status == 200
        connection.sendall(b"POST")  # the next one on the same connection
        assert got(connection).status == 408


def test_a_head_that_does_not_end_at_all(house: House) -> None:
    said = request(MESSAGES, messages(), headers={"x-long": "a" * 60_000})
    assert exchange(house.port, said).status == 431
    with connected(house.port) as endless:
        endless.sendall(b"POST /v1/messages HTTP/1.1\r\nx-long: ")
        with pytest.raises(OSError):  # noqa: PT011 - a reset or a broken pipe
            endless.sendall(b"a" * 20_000_000)


SMUGGLED = b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-smuggled: yes\r\n\r\n"
AMBIGUOUS = {
    "a length and chunks": [("content-length", "5"), ("transfer-encoding", "chunked")],
    "two lengths": [("content-length", "5"), ("content-length", "50")],
    "a length with a sign": [("content-length", "+5")],
    "a length in hexadecimal": [("content-length", "0x5")],
    "chunks not last": [("transfer-encoding", "chunked, identity")],
    "chunks by another name": [("transfer-encoding", "xchunked")],
    "chunks with a tab": [("transfer-encoding", "\x0bchunked")],
    "a name with a blank": [("content-length ", "5")],
}


@pytest.mark.parametrize("headers", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_body_whose_end_two_readers_see_in_two_places_is_refused(
    house: House, upstream: FakeProvider, headers: list[tuple[str, str]]
) -> None:
    before = upstream.requests.total
    said = request(MESSAGES, headers={"content-length": None}, more=headers)
    with connected(house.port) as connection:
        connection.sendall(said + b"0\r\n\r\n" + SMUGGLED)
        answer = got(connection)
    assert answer.status in (400, 501)
    assert upstream.requests.total == before


def test_more_at_once_than_there_is_room_for(tmp_path: Any) -> None:
    with provider(_waiting) as slow:
        limits = {"in_flight": 3, "in_flight_per_client": 2}
        config = config_of(
            slow.url,
            written(tmp_path),
            limits=limits,
            clients={"one": {"key_sha256": _digest("one")}, "two": {"key_sha256": _digest("two")}},
        )
        with serving(config) as house:
            held = [connected(house.port) for _ in range(3)]
            names = ("one", "one", "two")
            for connection, name in zip(held, names, strict=True):
                connection.sendall(_as(name))
            until(lambda: slow.requests.total == 3)
            busy = exchange(house.port, _as("two"))
            assert (busy.status, busy.headers["retry-after"]) == (503, "1")
            held[2].close()
            until(lambda: house.proxy.gate.traffic.in_flight == 2)
            full = exchange(house.port, _as("one"))
            assert (full.status, full.headers["retry-after"]) == (429, "1")
            held[0].close()
            held[1].close()
            until(lambda: house.proxy.gate.traffic.in_flight == 0)
            assert house.metric("guardrails_proxy_clients_left_total") == 3


def test_more_often_than_a_client_may(upstream: FakeProvider, tmp_path: Any) -> None:
    clients = {"one": {"key_sha256": _digest("one"), "per_minute": 20}}
    with serving(config_of(upstream.url, written(tmp_path), clients=clients)) as house:
        statuses = [exchange(house.port, _as("one")).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        answer = exchange(house.port, _as("one"))
        assert 1 <= int(answer.headers["retry-after"]) <= 3
        assert "more than 20 requests a minute with this key, or 2 at once" in answer.message


def test_how_many_at_once_can_be_said(upstream: FakeProvider, tmp_path: Any) -> None:
    clients = {
        "one": {"key_sha256": _digest("one"), "per_minute": 6, "burst": 3},
        "two": {"key_sha256": _digest("two")},
    }
    limits = {"per_minute_per_client": 6, "burst_per_client": 2}
    config = config_of(upstream.url, written(tmp_path), clients=clients, limits=limits)
    with serving(config) as house:
        for name, most in (("one", 3), ("two", 2)):
            statuses = [exchange(house.port, _as(name)).status for _ in range(most + 1)]
            assert statuses == [*most * [200], 429]


async def _waiting(_: object) -> str:
    await asyncio.sleep(30)
    return "late"


def _digest(name: str) -> str:
    return hashlib.sha256(f"key-of-{name}-0123456789".encode()).hexdigest()


def _as(name: str) -> bytes:
    key = f"Bearer key-of-{name}-0123456789"
    return request(MESSAGES, messages(), headers={"authorization": key})
