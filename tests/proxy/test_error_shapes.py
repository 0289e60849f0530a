"""Every error of the gate, the relay and the middleware, as both official SDKs read it: in the
shape of the provider whose path is asked, with an id, and tried again only where that may help."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from proxy_house import CONSTITUTION, KEY, House, Records, config_of, provider, serving, until
from proxy_house import written as put
from proxy_wire import MESSAGES, connected, messages, request

from guardrails.audit.record import Opened
from guardrails.errors import AuditError
from guardrails.proxy.gate import FAULTS
from guardrails.testing import FakeProvider, fault

MODEL, GPT = "claude-haiku-5-5", "gpt-5"
Sdk = anthropic.Anthropic | openai.OpenAI
Call = Callable[..., Any]


def _said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def ask_messages(sdk: Any, text: str, **more: Any) -> Any:
    more = {"model": MODEL, "max_tokens": 20_000, "messages": _said(text), **more}
    return sdk.messages.create(**more)


def ask_count(sdk: Any, text: str, **more: Any) -> Any:
    return sdk.messages.count_tokens(**{"model": MODEL, "messages": _said(text), **more})


def ask_chat(sdk: Any, text: str, **more: Any) -> Any:
    return sdk.chat.completions.create(**{"model": GPT, "messages": _said(text), **more})


def ask_responses(sdk: Any, text: str, **more: Any) -> Any:
    more = {f"{'input' if name == 'messages' else name}": said for name, said in more.items()}
    return sdk.responses.create(**{"model": GPT, "input": text, **more})


CALLS: dict[str, Call] = {
    "messages": ask_messages,
    "count_tokens": ask_count,
    "chat": ask_chat,
    "responses": ask_responses,
}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way to meet an error. `helps`: whether an SDK tries again by itself."""

    status: int
    helps: bool
    text: str = "What is two and two?"
    house: str = "plain"
    more: dict[str, Any] = field(default_factory=dict)
    path: str | None = None
    retry_after: bool = False


def headers(**said: str) -> dict[str, Any]:
    return {"extra_headers": {name.replace("_", "-"): value for name, value in said.items()}}


TOOLS = [{"type": "web_search_20250305", "name": "web_search"}]
KINDS: dict[str, Kind] = {
    # the gate
    "an unknown path": Kind(status=404, helps=False, path="/v1/unheard-of"),
    "a path that is not listed": Kind(status=403, helps=False, path="/v1/files"),
    "an encoded slash": Kind(status=400, helps=False, path="/v1/models/%2fa"),
    "another key": Kind(status=401, helps=False, more=headers(authorization="Bearer another-key")),
    "two keys": Kind(status=400, helps=False, more=headers(x_api_key="another-key-0123456789")),
    "a beta": Kind(status=403, helps=False, more=headers(anthropic_beta="files-api-2025-04-14")),
    "a web page": Kind(status=403, helps=False, more=headers(origin="https://page.example")),
    "another host": Kind(status=421, helps=False, more=headers(host="rebound.example")),
    "a coding": Kind(status=415, helps=False, more=headers(content_encoding="gzip")),
    "many headers": Kind(
        status=431, helps=False, more={"extra_headers": {f"x-{n}": "y" for n in range(40)}}),
    "a parameter": Kind(status=400, helps=False, more={"extra_query": {"text": "a"}}),
    "a provider's tool": Kind(status=403, helps=False, more={"tools": TOOLS}),
    "a provider's field": Kind(status=403, helps=False, more={"extra_body": {"container": "c"}}),
    "a long body": Kind(status=413, helps=False, text="a" * 40_000),
    "a rate": Kind(status=429, helps=True, house="rate", retry_after=True),
    "too much under way": Kind(status=503, helps=True, house="busy", retry_after=True),
    "too much of a client's": Kind(status=429, helps=True, house="client", retry_after=True),
    "too long a request": Kind(status=504, helps=False, house="total"),
    # the relay
    "no provider": Kind(status=503, helps=True, house="connect", retry_after=True),
    "a silent provider": Kind(status=504, helps=True, house="first_byte"),
    "a connection that is dropped": Kind(status=502, helps=True, house="dropped"),
    "no HTTP": Kind(status=502, helps=True, house="broken"),
    "a redirect": Kind(status=502, helps=False, house="redirect"),
    # the middleware
    "turns that are none": Kind(status=400, helps=False, more={"messages": [7]}),
    "no turns": Kind(status=400, helps=False, more={"messages": {}}),
    "text over the budget": Kind(status=413, helps=False, text="a" * 1_100, house="small"),
    "a reply that is too long": Kind(status=413, helps=False, house="long"),
    "a record that fails": Kind(status=503, helps=True, house="unrecorded", retry_after=True),
    "a refusal as a problem": Kind(
        status=403, helps=False, text="forbidden", house="problem"),
}  # fmt: skip


class Failing(Records):
    async def open(self, record: Opened) -> None:
        raise AuditError("the disk is full")


def _client(**said: Any) -> dict[str, Any]:
    return {"one": {"key_sha256": hashlib.sha256(KEY.encode()).hexdigest(), **said}}


@contextmanager
def _raw(data: bytes) -> Iterator[str]:
    """A provider that says this to everybody."""
    ready: list[str] = []
    end, loop = asyncio.Event(), asyncio.new_event_loop()
    started = threading.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        ready.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        started.set()
        async with server:
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert started.wait(10)
    yield ready[0]
    loop.call_soon_threadsafe(end.set)
    thread.join(10)
    loop.close()


REDIRECT = b"HTTP/1.1 307 Away\r\nlocation: http://a.example/\r\ncontent-length: 0\r\n\r\n"
LONG = "Four. " * 20_000


class Houses:
    """Each is opened when it is first asked for."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._made: dict[str, House] = {}
        self.fine: FakeProvider = stack.enter_context(provider())

    def __getitem__(self, name: str) -> House:
        if name not in self._made:
            self._made[name] = self._open(name)
        return self._made[name]

    def _serve(self, upstream: str, *, text: str = CONSTITUTION, **said: Any) -> House:
        records = said.pop("records", None)
        file = put(self._folder, text, f"house-{len(self._made)}")
        said = {"clients": _client(), **said}
        config = config_of(upstream, file, **said)
        return self._stack.enter_context(serving(config, records=records))

    def _behind(self, answer: Any, **said: Any) -> House:
        return self._serve(self._stack.enter_context(provider(answer)).url, **said)

    def _open(self, name: str) -> House:
        match name:
            case "rate":
                house = self._serve(self.fine.url, clients=_client(per_minute=10))
                self._ask(house)
                return house
            case "busy" | "client":
                limit = "in_flight" if name == "busy" else "in_flight_per_client"
                house = self._behind(fault("never-answers"), limits={limit: 1})
                self._occupy(house)
                return house
            case "total":
                return self._behind(fault("never-answers"), limits={"total_s": 0.2})
            case "connect":
                return self._serve("http://127.0.0.1:1")
            case "first_byte":
                return self._behind(fault("never-answers"), limits={"first_byte_s": 0.2})
            case "dropped":
                return self._behind(fault("reset-before-headers"))
            case "broken":
                return self._serve(self._stack.enter_context(_raw(b"no HTTP at all\r\n\r\n")))
            case "redirect":
                return self._serve(self._stack.enter_context(_raw(REDIRECT)))
            case "small":
                return self._serve(self.fine.url, text=CONSTITUTION.replace("1000000", "1000"))
            case "long":
                return self._behind(lambda _: LONG, limits={"body_bytes": 20_000})
            case "unrecorded":
                return self._serve(self.fine.url, records=Failing())
            case "problem":
                return self._serve(self.fine.url, refuse="problem")
            case _:
                limits = {"body_bytes": 20_000, "headers": 35}
                return self._serve(self.fine.url, limits=limits)

    def _ask(self, house: House) -> None:
        with connected(house.port) as connection:
            connection.sendall(request(MESSAGES, messages()))
            assert connection.recv(100)

    def _occupy(self, house: House) -> None:
        """For as long as it is open."""
        held = self._stack.enter_context(connected(house.port))
        held.sendall(request(MESSAGES, messages()))
        until(lambda: house.proxy.gate.traffic.in_flight == 1)


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Houses]:
    with ExitStack() as stack:
        yield Houses(tmp_path_factory.mktemp("errors"), stack)


def sdk_for(house: House, name: str) -> Any:
    if name in ("messages", "count_tokens"):
        return anthropic.Anthropic(base_url=house.url, auth_token=KEY, api_key=None, max_retries=0)
    return openai.OpenAI(base_url=house.openai_url, api_key=KEY, max_retries=0)


def raised(call: Callable[[], Any]) -> Any:
    with pytest.raises((anthropic.APIStatusError, openai.APIStatusError)) as caught:
        call()
    return caught.value


NOT_OF_COUNTS = {
    *("too long a request", "a silent provider", "a connection that is dropped"),
    "a reply that is too long",
}
"""The fake provider counts whatever its script says."""
CASES = [
    pytest.param(kind, name, id=f"{kind_id}-{name}")
    for kind_id, kind in KINDS.items()
    for name in CALLS
    if not (kind.path and name in ("count_tokens", "responses"))
    and not (kind_id in NOT_OF_COUNTS and name == "count_tokens")
]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_an_error_is_the_providers(houses: Houses, kind: Kind, name: str) -> None:
    house = houses[kind.house]
    with sdk_for(house, name) as sdk:
        if kind.path:
            path = kind.path if name == "messages" else kind.path.removeprefix("/v1")
            error = raised(lambda: sdk.post(path, body={}, cast_to=object))
        else:
            error = raised(lambda: CALLS[name](sdk, kind.text, **kind.more))
        told = error.response
        assert error.status_code == kind.status, told.text
        assert told.headers["content-type"] == "application/json"
        named = told.headers["guardrails-request-id"]
        assert (told.headers["request-id"], told.headers["x-request-id"]) == (named, named)
        assert error.request_id == named
        assert sdk._should_retry(told) is kind.helps
        assert ("retry-after" in told.headers) is kind.retry_after
    said = told.json()
    if isinstance(sdk, anthropic.Anthropic):
        assert (said["type"], said["request_id"]) == ("error", named)
        assert set(said["error"]) == {"type", "message"}
        assert error.type == said["error"]["type"] != "error"
    else:
        assert set(said) == {"error"}
        assert set(said["error"]) == {"type", "message", "param", "code"}
        assert error.code
        assert error.type


def test_every_fault_of_the_provider_has_a_message_and_a_status() -> None:
    assert {status for status, _ in FAULTS.values()} == {502, 503, 504}


@pytest.mark.parametrize("head", [b"GET / HTTP/9.9\r\n\r\n", b"no HTTP at all\r\n\r\n"])
def test_what_is_no_request_gets_an_error_that_both_read(houses: Houses, head: bytes) -> None:
    with connected(houses["plain"].port) as connection:
        connection.sendall(head)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    lines, _, body = answer.partition(b"\r\n\r\n")
    named = {line.partition(b": ")[0]: line.partition(b": ")[2] for line in lines.split(b"\r\n")}
    assert named[b"request-id"] == named[b"x-request-id"] == named[b"guardrails-request-id"]
    assert named[b"request-id"] in body
    assert b'"code"' in body
