"""The way in: what is served, to whom, within which limits. Nothing here looks at a text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from guardrails.asgi.messages import Headers, Message, Receive, Scope, Send, replaying
from guardrails.asgi.routes import ambiguity
from guardrails.proxy.account import Account, accounting, in_ms, model_told
from guardrails.proxy.answers import RefusedError, named, send_error
from guardrails.proxy.check import CheckEndpoint
from guardrails.proxy.config import Provider, ServeConfig
from guardrails.proxy.features import Asked, check_betas, read_asked
from guardrails.proxy.heads import (
    check_coding,
    check_forwarded,
    check_json,
    says_longer,
    too_long,
)
from guardrails.proxy.hosting import Hosting
from guardrails.proxy.keys import Client, Credential, Keys, credential
from guardrails.proxy.limits import Traffic
from guardrails.proxy.metrics import Metrics
from guardrails.proxy.passage import (
    ABORT,
    LEFT,
    PASSAGE,
    Passage,
    ResponseCutError,
    UpstreamFaultError,
    request_id_of,
)
from guardrails.proxy.relay import Relay
from guardrails.proxy.routes import Endpoint, Endpoints, check_query, spoken
from guardrails.proxy.tokens import UsageReader
from guardrails.proxy.tracing import TracedCall, Tracing
from guardrails.telemetry import log

__all__ = ["Gate"]

FAULTS: Mapping[str, tuple[int, str]] = {
    "connect": (503, "the provider cannot be reached"),
    "connect_timeout": (503, "the provider cannot be reached in time"),
    "first_byte": (504, "the provider did not answer in time"),
    "idle": (504, "the provider stopped answering"),
    "dropped": (502, "the provider dropped the connection"),
    "cut_off": (502, "the provider's answer was cut off"),
    "broken": (502, "the provider's answer is not HTTP"),
    "redirect": (502, "the provider wants to send us elsewhere"),
}
"""What a client is told when the provider does not answer; the table of docs/proxy.md."""

LASTING = frozenset({"redirect"})
"""Those that another try would meet again."""

REQUEST_IDS = frozenset({b"request-id", b"x-request-id"})
CHECK = "check"
"""What `/v1/check` is called in logs and metrics."""
OUTAGE_RETRY_S = 1
INLINE_BYTES = 100_000
"""A longer body is read off the loop."""


class Gate:
    """The proxy as an ASGI application, on connections of `protocol`: these say when a client has
    left. Whoever made it opens and closes what it needs."""

    def __init__(
        self,
        config: ServeConfig,
        *,
        keys: Keys,
        served: Endpoints,
        relay: Relay,
        hosting: Hosting,
        metrics: Metrics,
        traffic: Traffic,
        tracing: Tracing | None = None,
        check: CheckEndpoint | None = None,
        access: structlog.typing.FilteringBoundLogger | None = None,
    ) -> None:
        self.config, self.keys, self.served, self.relay = config, keys, served, relay
        self.hosting, self.metrics, self.traffic = hosting, metrics, traffic
        self.tracing, self.check, self.access = tracing, check, access
        self.hosts = config.allowed_hosts
        self.draining = False

    @property
    def tells(self) -> bool:
        """Whether anybody is told of each request."""
        return self.tracing is not None or self.access is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await _Visit(self, scope, receive, send).run()
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            case _:
                await _lifespan(receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        kind = message["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


class _Visit:
    """One request at the gate."""

    __slots__ = (
        "account", "began", "client", "endpoint", "first_s", "gate", "headers", "left", "limit",
        "method", "passage", "provider", "reading", "reason", "receive", "request_id", "route",
        "scope", "send_on", "sent", "status", "task", "told", "traced", "verdict",
    )  # fmt: skip

    def __init__(self, gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
        self.gate, self.scope, self.receive, self.send_on = gate, scope, receive, send
        self.headers = Headers.of(scope["headers"])
        self.method = str(scope["method"])
        self.began = time.perf_counter()
        self.request_id = request_id_of(self.headers.get("x-request-id"))
        self.account, self.route = Account(), "none"
        self.first_s: float | None = None
        self.endpoint: Endpoint | None = None
        self.client: Client | None = None
        self.passage: Passage | None = None
        self.provider: Provider = spoken(gate.served.at(str(scope["path"])), self.headers)
        self.task: asyncio.Task[Any] | None = None
        self.limit = asyncio.timeout(gate.config.limits.body_s)
        self.reading = True
        self.status, self.sent = 0, 0
        self.left = self.told = False
        self.reason: str | None = None
        self.verdict: tuple[str, str, str] | None = None
        self.traced: TracedCall | None = None

    async def run(self) -> None:
        gate = self.gate
        gate.metrics.in_flight.inc()
        self.task = asyncio.current_task()
        self.scope[LEFT] = self._leave
        try:
            with accounting(self.account):
                async with self.limit:
                    await self._admit()
        except RefusedError as refused:
            await self._refuse(refused)
        except UpstreamFaultError as fault:
            await self._not_answered(fault)
        except TimeoutError:
            await self._refuse(self._too_slow())
        except asyncio.CancelledError:
            await self._cancelled()
        except Exception as error:
            if self.told:  # the middleware has ended the response, and takes no more of it
                return
            log.error("a request failed", error=type(error).__name__, request=self.request_id)
            await self._refuse(RefusedError(500, "fault", "the proxy failed", retries=False))
        finally:
            del self.scope[LEFT]
            gate.metrics.in_flight.dec()
            self._tell()

    def _leave(self) -> None:
        """Told by the server: the client has left."""
        if not self.told and self.task is not None:
            self.left = True
            self.task.cancel()

    def _too_slow(self) -> RefusedError:
        if not self.limit.expired():
            return RefusedError(504, "slow_client", "the response was not taken in time")
        if self.reading:
            return RefusedError(408, "slow_body", "the body did not come in time")
        return RefusedError(504, "total", "the request took too long", retries=False)

    # -- in --------------------------------------------------------------------------------------

    async def _admit(self) -> None:
        gate = self.gate
        with gate.traffic.entered():
            self._check_target()
            path = str(self.scope["path"])
            if gate.check is not None and path in gate.check.paths:
                self._read()
                self.route = CHECK
                await gate.check(
                    self.scope, self.headers, self.receive, self._send, self.request_id
                )
                return
            endpoint = gate.served.find(path, self.method)
            self.endpoint, self.route = endpoint, endpoint.name
            given = credential(self.headers)
            self.client = gate.keys.client(given)
            with gate.traffic.by(self.client):
                await self._serve(endpoint, self.client, given)

    def _check_target(self) -> None:
        gate, limits = self.gate, self.gate.config.limits
        items = self.headers.items
        size = sum(len(name) + len(value) for name, value in items)
        if len(items) > limits.headers or size > limits.header_bytes:
            raise RefusedError(
                431,
                "headers",
                f"more than {limits.headers} headers, or {limits.header_bytes:,} bytes of them",
            )
        unclear = ambiguity(self.scope)
        if unclear is not None:
            raise RefusedError(400, "path", f"{unclear}; write it plainly")
        if gate.hosts is not None:
            hosts = self.headers.all("host")
            if len(hosts) != 1 or _name_of(hosts[0]) not in gate.hosts:
                raise RefusedError(421, "host", "this proxy does not go by that name")
        origin = self.headers.get("origin")
        if origin is not None and origin not in gate.config.allow.origins:
            raise RefusedError(403, "origin", "this proxy does not serve web pages")

    async def _serve(self, endpoint: Endpoint, client: Client, given: Credential | None) -> None:
        gate = self.gate
        provider = self.provider
        if endpoint.kind != "listed" and b"%" in self.scope["raw_path"]:
            raise RefusedError(400, "path", "the path has an encoded letter; write it plainly")
        check_query(endpoint, bytes(self.scope.get("query_string") or b""))
        check_betas(self.headers, gate.config.allow)
        if endpoint.format is not None:
            check_coding(self.headers)
            if endpoint.kind != "listed":
                check_json(self.headers)
        check_forwarded(self.headers, gate.relay.forwards)
        upstream = self._upstream(endpoint, provider)
        header, owns = _key_header(client, given, provider)
        hosted = gate.hosting[self._constitution(endpoint, client)]
        with hosted.used():
            body = await self._body(hosted.max_body_bytes)
            asked = await self._asked(endpoint, body)
            self.passage = Passage(
                request_id=self.request_id,
                endpoint=endpoint,
                provider=provider,
                upstream=upstream,
                context=client.context,
                key_header=header,
                owns_key=owns,
                asked=asked,
                usage=UsageReader() if endpoint.operation and gate.tells else None,
            )
            self.scope[PASSAGE] = self.passage
            application = gate.relay if endpoint.format is None else hosted.application(endpoint)
            await self._run(application, body)

    async def _asked(self, endpoint: Endpoint, body: bytes) -> Asked:
        allowed = self.gate.config.allow
        if endpoint.kind == "models" and body:
            raise RefusedError(400, "body", "this path takes no body")
        if endpoint.kind not in ("generate", "count"):
            return Asked()
        if len(body) > INLINE_BYTES:
            return await asyncio.to_thread(read_asked, body, allowed)
        return read_asked(body, allowed)

    def _constitution(self, endpoint: Endpoint, client: Client) -> str:
        config = self.gate.config
        if client.config is not None:
            named = client.config.routes.get(endpoint.path) or client.config.constitution
            if named:
                return named
        route = config.routes.get(endpoint.path)
        return (route.constitution if route else None) or config.constitution

    def _upstream(self, endpoint: Endpoint, provider: Provider) -> str:
        config = self.gate.config
        route = config.routes.get(endpoint.path)
        found = (route.upstream if route else None) or config.upstream_for(provider)
        if found is None:
            raise RefusedError(404, "no_upstream", "no provider is named here for this path")
        return found

    async def _body(self, most: int) -> bytes:
        """The whole body. Raises RefusedError, and CancelledError once the client has left."""
        if says_longer(self.headers, most):
            raise too_long(most)
        pieces: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                self.left = True
                raise asyncio.CancelledError
            piece = message.get("body") or b""
            size += len(piece)
            if size > most:
                raise too_long(most)
            pieces.append(piece)
            more = bool(message.get("more_body"))
        self._read()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read(self) -> None:
        """From here on the time of the whole request is what counts."""
        self.reading = False
        loop, passed_s = asyncio.get_running_loop(), time.perf_counter() - self.began
        self.limit.reschedule(loop.time() + self.gate.config.limits.total_s - passed_s)

    async def _run(self, application: Callable[..., Awaitable[None]], body: bytes) -> None:
        receive = replaying(body, _for_ever)
        tracing, passage = self.gate.tracing, self.passage
        if tracing is not None and passage is not None:
            model = model_told(passage.asked.model, self.gate.hosting.known_models)
            self.traced = tracing.begin(passage, self.headers, model)
        await application(self.scope, receive, self._send)

    # -- out -------------------------------------------------------------------------------------

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            self.first_s = time.perf_counter() - self.began
            headers = message.get("headers") or []
            self.verdict = _decided(headers)
            own = [(b"guardrails-request-id", self.request_id.encode("ascii"))]
            if not any(name in REQUEST_IDS for name, _ in headers):
                own += named(self.request_id)  # an answer in the provider's place has its id, too
            message = {**message, "headers": [*headers, *own, *self._closing()]}
            await self.send_on(message)
            return
        began = self.sent > 0
        self.sent += len(message.get("body") or b"")
        self.told = not message.get("more_body")
        if not began:  # nothing of it can be waiting to be taken
            await self.send_on(message)
            return
        async with asyncio.timeout(self.gate.config.limits.write_s):
            await self.send_on(message)

    def _closing(self) -> list[tuple[bytes, bytes]]:
        return [(b"connection", b"close")] if self.gate.draining else []

    async def _refuse(self, refused: RefusedError) -> None:
        self.reason = refused.reason
        self.gate.metrics.refused.labels(refused.reason).inc()
        if self.status:
            if refused.reason == "slow_client" and (abort := self.scope.get(ABORT)) is not None:
                abort()  # closing it would wait for ever until the client has taken the rest
            raise ResponseCutError(refused.reason)
        if self.left:
            return
        try:
            await send_error(self._closes(refused), refused, self.provider, self.request_id)
        except TimeoutError:
            raise ResponseCutError("slow_client") from None

    async def _not_answered(self, fault: UpstreamFaultError) -> None:
        if self.told:
            return
        self.gate.metrics.upstream_faults.labels(fault.phase).inc()
        status, message = FAULTS[fault.phase]
        retry_after_s = OUTAGE_RETRY_S if status == 503 else None
        reason = f"upstream_{fault.phase}"
        retries = fault.phase not in LASTING
        await self._refuse(
            RefusedError(status, reason, message, retry_after_s=retry_after_s, retries=retries)
        )

    def _closes(self, refused: RefusedError) -> Send:
        """A connection whose request was not read to its end is of no further use."""
        if refused.status not in (408, 413, 431):
            return self._send

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"connection", b"close")]
                message = {**message, "headers": headers}
            await self._send(message)

        return send

    async def _cancelled(self) -> None:
        """By the client's leaving, or because the process ends."""
        if self.task is not None:
            self.task.uncancel()
        if self.left:
            self.reason = "left"
            self.gate.metrics.left.inc()
            return
        await self._refuse(
            RefusedError(503, "ended", "the proxy is shutting down", retry_after_s=OUTAGE_RETRY_S)
        )

    # -- afterwards ------------------------------------------------------------------------------

    def _tell(self) -> None:
        """At its end, whichever that is."""
        gate, passage, route = self.gate, self.passage, self.route
        took_s = time.perf_counter() - self.began
        status = self.status or (499 if self.left else 0)
        gate.metrics.answered(route, status, took_s)
        if self.verdict is not None:
            gate.metrics.judged(route, self.verdict[0])
        if passage is not None and passage.first_byte_s is not None:
            gate.metrics.begun(route, passage.first_byte_s)
        if gate.access is None and self.traced is None:
            return
        told = self.account.told(
            status,
            passage,
            models=gate.hosting.known_models,
            verdict=self.verdict,
            reason=self.reason,
        )
        if self.traced is not None:
            self.traced.end(told, status)
        if gate.access is None:
            return
        fields: dict[str, Any] = {
            "request": self.request_id,
            "route": route,
            "status": status,
            "ms": in_ms(took_s),
            "first_ms": in_ms(self.first_s),
            "sent": self.sent,
            "client": None if self.client is None else self.client.name,
            "trace": None if self.traced is None else self.traced.trace_id,
            **told,
        }
        said = {name: value for name, value in fields.items() if value is not None}
        gate.access.info("request", **said)


async def _for_ever() -> Message:
    """What an application gets that waits for the client to leave: it is cancelled then."""
    await asyncio.Event().wait()
    return {"type": "http.disconnect"}


def _key_header(
    client: Client, given: Credential | None, provider: Provider
) -> tuple[tuple[bytes, bytes] | None, bool]:
    """What tells the provider who pays, and whether that is a key of the proxy's own."""
    own = client.upstream_keys.get(provider)
    key = own.encode("ascii") if own is not None else (given.key if given else None)
    if key is None:
        return None, False
    if own is None and given is not None and provider == "anthropic":
        return (given.header, given.value), False
    if provider == "anthropic":
        return (b"x-api-key", key), True
    return (b"authorization", b"Bearer " + key), own is not None


def _name_of(host: str) -> str:
    """Without the port."""
    name, colon, port = host.rpartition(":")
    bare = name if colon and port.isdecimal() else host
    return bare.strip("[]").lower()


def _decided(headers: list[tuple[bytes, bytes]]) -> tuple[str, str, str] | None:
    found = {name: value for name, value in headers if name.startswith(b"guardrails-")}
    if b"guardrails-verdict" not in found:
        return None
    names = (b"guardrails-verdict", b"guardrails-record", b"guardrails-constitution")
    verdict, record, constitution = (found.get(name, b"").decode("latin-1") for name in names)
    return verdict, record, constitution
