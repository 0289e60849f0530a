"""The application that stands for the provider: it brings a request there and its response back.

To one fixed place: neither the request's target nor its headers choose it, and redirects are not
followed. Bytes go on as they come; whoever cancels the relay cancels the request upstream.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp
from aiohttp import ClientResponse, ClientSession
from yarl import URL

from guardrails.asgi.messages import Receive, Scope, Send, read_body
from guardrails.errors import SettingsError
from guardrails.proxy.config import Limits
from guardrails.proxy.passage import PASSAGE, Passage, UpstreamFaultError
from guardrails.proxy.pool import OneAnswerConnector
from guardrails.telemetry import log

__all__ = ["Relay"]

FORWARDED = frozenset(
    {
        *(b"accept", b"accept-language", b"content-type", b"content-encoding", b"user-agent"),
        *(b"idempotency-key", b"x-client-request-id", b"x-app", b"x-session-affinity"),
    }
)
FORWARDED_STARTS = (b"anthropic-", b"openai-", b"x-stainless-")
"""Header fields that go to the provider; all others may hold what is none of its business."""

ABOUT_THE_ACCOUNT = frozenset({b"openai-organization", b"openai-project"})
"""Chosen by whoever owns the key that goes upstream."""

KEPT_BACK = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-connection", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"alt-svc", b"date", b"server", b"set-cookie", b"strict-transport-security", b"via"),
    }
)
"""Of a response: hop by hop (RFC 9110, section 7.6.1), or about the provider's own connection."""

TRIED: Mapping[str, str] = {"release": aiohttp.__version__, "tried": "3.14"}

ANY_LENGTH = 1 << 40
"""The gate has bounded it, and the middleware what it makes of it."""
PIECE = 65_536
INLINE = 262_144
"""A longer body is handed over in pieces, so that other requests get their turn."""
AT_ONCE = 16
"""So many pieces of an answer that are there already go on before others get theirs."""


class Relay:
    """`begin` and `aclose` it on the loop that it works on."""

    def __init__(self, limits: Limits, *, more_headers: Sequence[str] = ()) -> None:
        self._limits = limits
        self._forwarded = FORWARDED | {name.encode("ascii") for name in more_headers}
        self._session: ClientSession | None = None
        self._connector: OneAnswerConnector | None = None

    async def begin(self) -> None:
        self._connector = OneAnswerConnector(
            limit=0, keepalive_timeout=15, ttl_dns_cache=30, force_close=False
        )
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("accept-encoding", "accept", "content-type", "user-agent"),
            max_line_size=16_384,
            max_field_size=self._limits.header_bytes,
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = self._connector = None

    def forwards(self, name: bytes) -> bool:
        """Whether a header field of this name goes to the provider."""
        return name in self._forwarded or name.startswith(FORWARDED_STARTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises UpstreamFaultError for what the provider does not answer as HTTP has it."""
        passage: Passage = scope[PASSAGE]
        body = await read_body(receive, limit=ANY_LENGTH)
        try:
            async with asyncio.timeout(self._limits.first_byte_s) as limit:
                async with await self._asked(passage, scope, body) as response:
                    if not 200 <= response.status < 600:
                        raise UpstreamFaultError("broken")
                    if 300 <= response.status < 400 and response.status != 304:
                        raise UpstreamFaultError("redirect")
                    await send(_start(response))
                    await self._bring_back(response, passage, send, limit)
        except TimeoutError:
            if not limit.expired():
                raise
            phase = "first_byte" if passage.upstream_status is None else "idle"
            raise UpstreamFaultError(phase) from None

    async def _asked(self, passage: Passage, scope: Scope, body: bytes) -> ClientResponse:
        """The response, once it has begun."""
        if self._session is None or self._connector is None:
            raise SettingsError("the relay is not begun")
        target = bytes(scope.get("raw_path") or str(scope["path"]).encode("ascii"))
        if query := bytes(scope.get("query_string") or b""):
            target += b"?" + query
        began = time.perf_counter()
        try:
            response = await self._session.request(
                str(scope["method"]),
                URL(passage.upstream + target.decode("ascii"), encoded=True),
                headers=self._request_headers(passage, scope, body),
                data=body if len(body) <= INLINE else _pieces(body),
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _fault(error) from None
        if not self._connector.hears:
            response.close()
            log.error("answers cannot be told apart with this release of aiohttp", **TRIED)
            raise UpstreamFaultError("broken")
        passage.upstream_status = response.status
        passage.first_byte_s = time.perf_counter() - began
        return response

    async def _bring_back(
        self, response: ClientResponse, passage: Passage, send: Send, limit: asyncio.Timeout
    ) -> None:
        loop, content = asyncio.get_running_loop(), response.content
        limit.reschedule(None)  # how long the client takes is the gate's to bound
        for number in itertools.count(1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                piece = content.read_nowait()  # what is there already needs no clock
                if not piece and not content.at_eof():
                    limit.reschedule(loop.time() + self._limits.idle_s)
                    piece = await content.readany()
                    limit.reschedule(None)
            except (aiohttp.ClientError, OSError) as error:
                raise _fault(error) from None
            ended = content.at_eof()
            passage.passed(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": not ended})
            if ended:
                return

    def _request_headers(
        self, passage: Passage, scope: Scope, body: bytes
    ) -> list[tuple[str, str]]:
        headers: list[tuple[str, str]] = [("accept-encoding", "identity")]
        for name, value in scope["headers"]:
            if not self.forwards(name):
                continue
            if passage.owns_key and name in ABOUT_THE_ACCOUNT:
                continue
            headers.append((name.decode("latin-1"), value.decode("latin-1")))
        own = passage.more_headers
        if passage.key_header is not None:
            own = (passage.key_header, *own)
        headers += [(name.decode("latin-1"), value.decode("latin-1")) for name, value in own]
        if body or scope["method"] != "GET":
            headers.append(("content-length", str(len(body))))
        return headers


def _fault(error: Exception) -> UpstreamFaultError:
    match error:
        case aiohttp.ServerTimeoutError():
            return UpstreamFaultError("connect_timeout")
        case aiohttp.ClientConnectorError():
            return UpstreamFaultError("connect")
        case aiohttp.ClientPayloadError():
            return UpstreamFaultError("cut_off")
        case aiohttp.ServerDisconnectedError() | OSError():
            return UpstreamFaultError("dropped")
        case _:
            return UpstreamFaultError("broken")


def _start(response: ClientResponse) -> dict[str, object]:
    """Without what only concerns the connection, nor what it says to be so."""
    named = {
        token.strip().lower()
        for value in response.headers.getall("connection", ())
        for token in value.encode("latin-1").split(b",")
    }
    headers = [
        (name.lower(), value)
        for name, value in response.raw_headers
        if (lowered := name.lower()) not in KEPT_BACK
        and lowered not in named
        and not lowered.startswith(b"guardrails-")
    ]
    return {"type": "http.response.start", "status": response.status, "headers": headers}


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), PIECE):
        yield body[at : at + PIECE]
