"""Whatever is sent, nothing goes to the provider but what is served, and nothing fails."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPException

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from proxy_house import House, config_of, provider, serving, written
from proxy_wire import CHAT, MESSAGES, RESPONSES, connected, got, head, messages, request

from guardrails.testing import FakeProvider

SERVED = (MESSAGES, f"{MESSAGES}/count_tokens", CHAT, RESPONSES, "/v1/models")

pieces = st.sampled_from(
    [
        *(
            "/",
            "//",
            "v1",
            "messages",
            "chat",
            "completions",
            "models",
            "batches",
            "files",
            "..",
            ".",
        ),
        *("%2e", "%2f", "%5c", "%00", "%6d", "\\", "?", "#", "beta=true", "a=b", ";", ":", "@"),
        *("http://127.0.0.1:1", "*", "é", " ", "\t", "gpt-5", "x" * 300),
    ]
)
targets = st.one_of(
    st.sampled_from(SERVED),
    st.builds("".join, st.lists(pieces, max_size=8)),
    st.builds(lambda served, more: served + "".join(more), st.sampled_from(SERVED),
              st.lists(pieces, max_size=4)),
)  # fmt: skip
methods = st.sampled_from(["POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PRI"])
names = st.sampled_from(
    [
        *(
            "host",
            "authorization",
            "x-api-key",
            "content-length",
            "transfer-encoding",
            "connection",
        ),
        *("content-encoding", "content-type", "anthropic-beta", "openai-beta", "origin", "upgrade"),
        *("expect", "guardrails-verdict", "x-request-id", "te", "range", "if-none-match"),
    ]
)
values = st.one_of(
    st.sampled_from(
        [
            *(
                "chunked",
                "gzip",
                "identity",
                "close",
                "Bearer key-0123456789abcdef",
                "0",
                "5",
                "-1",
            ),
            *("100-continue", "localhost", "h2c", "text/html", "bytes=0-1", "999999999999999999"),
        ]
    ),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=20),
)
headers = st.lists(st.tuples(names, values), max_size=6)
bodies = st.one_of(st.binary(max_size=50), st.just(b'{"messages": []}'), st.just(b"0\r\n\r\n"))


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeProvider]:
    with provider("Four.") as made:
        yield made


@pytest.fixture(scope="module")
def house(upstream: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    file = written(tmp_path_factory.mktemp("properties"))
    limits = {"body_s": 0.1, "header_s": 0.1}
    with serving(config_of(upstream.url, file, limits=limits)) as made:
        yield made


@given(methods, targets, headers, bodies)
@example(
    "POST", MESSAGES, [("content-length", "5"), ("transfer-encoding", "chunked")], b"0\r\n\r\n"
)
@example("POST", MESSAGES, [("expect", "100-continue"), ("content-length", "5")], b"")
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_what_is_served_goes_on(
    house: House,
    upstream: FakeProvider,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    before = upstream.requests.total
    data = head(target, method, headers) + body
    with connected(house.port) as connection:
        try:
            connection.sendall(data)
            answer = got(connection, method)
        except (HTTPException, OSError):
            answer = None  # dropped
    if answer is not None:
        assert answer.status not in (500, 502, 504), answer
    for seen in upstream.requests[len(upstream.requests) - (upstream.requests.total - before) :]:
        served = seen.path in SERVED or seen.path.startswith("/v1/models/")
        assert served, seen.path


def test_it_still_serves(house: House) -> None:
    with connected(house.port) as connection:
        connection.sendall(request(MESSAGES, messages()))
        assert got(connection).status == 200
