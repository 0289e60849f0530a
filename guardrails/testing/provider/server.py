"""The provider on a loopback port."""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from email.utils import formatdate
from typing import Any, Self

from aiohttp import web

from guardrails.testing.provider.answers import (
    WholeReply,
    as_reply,
    limited,
    output_tokens,
)
from guardrails.testing.provider.anthropic import Messages
from guardrails.testing.provider.chat import Chat
from guardrails.testing.provider.delivery import Delivery
from guardrails.testing.provider.dialect import Dialect, Json, Limits, Making, Problem, dump
from guardrails.testing.provider.faults import Fault
from guardrails.testing.provider.latency import Latency
from guardrails.testing.provider.prompt_cache import ExplicitCache, ImplicitCache
from guardrails.testing.provider.request import Endpoint, ProviderRequest, Requests
from guardrails.testing.provider.responses import Responses
from guardrails.testing.provider.script import Script

__all__ = ["ANTHROPIC_MODELS", "OPENAI_MODELS", "FakeProvider"]

ANTHROPIC_MODELS = (
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-haiku-4-5",
    "claude-sonnet-4-6",
    "claude-opus-4-8",
)
OPENAI_MODELS = ("gpt-5", "gpt-5-mini")

_PATHS: Mapping[str, Endpoint] = {
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "count_tokens",
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
}
_MAX_BYTES = 32 * 1024 * 1024
"""Source: Anthropic, "Request size limits", 32 MB for Messages."""
_TO_END_S = 0.25
"""What a handler may take to end, once it has been told to."""


class FakeProvider:
    """Speaks Anthropic Messages, OpenAI Chat Completions and OpenAI Responses from a script.

    `answers` is a list, used in order, or one answer for every request. An answer is a text, JSON,
    a `Reply`, `Thinking`, `ToolCall`, `Refusal`, a `WholeReply`, a `Fault`, or a callable of the
    `ProviderRequest`, plain or async, that returns one of these; `When` chooses by the request.

    Use it with `async with`, on the loop that is running, or with `with`, in a thread of its own:
    clients that block need the latter. A script that ran out, and a callable that raised, are
    answered with a 500 that is not to be retried, and raised at the end of the block, unless
    `strict` is false. `api_key`: the one key that is taken; otherwise any is. `models`: those
    there are; otherwise any is. `clock` is in seconds, as `time.time`; `sleep` waits.
    """

    def __init__(
        self,
        answers: Any = (),
        *,
        api_key: str | None = None,
        models: Sequence[str] | None = None,
        latency: Latency | None = None,
        strict: bool = True,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        keep: int = 1_000,
        keep_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self.requests = Requests(keep=keep, keep_bytes=keep_bytes)
        self.errors = list[BaseException]()
        """What went wrong in the script, not on purpose."""
        self._script = Script(answers)
        self._api_key, self._models = api_key, models
        self._latency = latency or Latency()
        self._strict, self._clock, self._sleep = strict, clock, sleep
        self._explicit, self._implicit = ExplicitCache(clock), ImplicitCache(clock)
        self._dialects: dict[Endpoint, Dialect] = {
            "messages": Messages(),
            "count_tokens": Messages(counting=True),
            "chat": Chat(),
            "responses": Responses(),
        }
        self._serial = 0
        self._port: int | None = None
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()
        self._handling = set[asyncio.Task[Any]]()
        self._thread: _Thread | None = None

    @property
    def url(self) -> str:
        """Anthropic's base URL. Raises RuntimeError outside of the block."""
        if self._port is None:
            raise RuntimeError("the fake provider runs inside `with` or `async with` only")
        return f"http://127.0.0.1:{self._port}"

    @property
    def openai_url(self) -> str:
        """OpenAI's base URL."""
        return f"{self.url}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point programs which use the official SDKs at this provider."""
        key = self._api_key or "fake-key"
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": key,
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_API_KEY": key,
        }

    @property
    def left(self) -> int:
        """How many answers of the list nobody has asked for yet."""
        return self._script.left

    def extend(self, *answers: Any) -> None:
        """Put further answers at the end of the script."""
        self._script.extend(answers)

    async def __aenter__(self) -> Self:
        if self._port is not None:
            raise RuntimeError("this fake provider is running already")
        self._closing = asyncio.Event()
        application = web.Application(client_max_size=_MAX_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_TO_END_S,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, _: object) -> None:
        await self._close()
        self._tell(error)

    def __enter__(self) -> Self:
        if self._port is not None:
            raise RuntimeError("this fake provider is running already")
        self._thread = _Thread(self)
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
        self._tell(error)

    def __repr__(self) -> str:
        where = f"port {self._port}" if self._port is not None else "not running"
        return f"<FakeProvider {where}, {self.requests.total} requests>"

    async def _close(self) -> None:
        self._closing.set()
        self._port = None
        for task in tuple(self._handling):
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _tell(self, error: BaseException | None) -> None:
        if error is None and self._strict and self.errors:
            raise self.errors[0]

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is not None:
            self._handling.add(task)
        try:
            return await self._answer(http)
        finally:
            if task is not None:
                self._handling.discard(task)

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        self._serial += 1
        serial = self._serial
        headers = {name.lower(): value for name, value in http.headers.items()}
        endpoint = _endpoint(http)
        spoken = self._dialects.get(endpoint) or self._dialects[_speaks(http.path, headers)]
        body, problem = await self._read(http)
        request = ProviderRequest(
            id=f"req_fake_{serial:06}",
            endpoint=endpoint,
            method=http.method,
            path=http.path,
            headers=headers,
            body=body,
            size=http.content_length or 0,
        )
        problem = self._key_problem(request) or problem or self._problem(request, spoken)
        request = replace(request, status=problem.status if problem else None)
        self.requests.append(request)
        delivery = self._delivery(spoken, request)
        if problem is not None:
            return await delivery.error(http, problem, {})
        if endpoint == "models":
            return self._list_models(http, spoken, request)
        if endpoint == "count_tokens":
            count = sum(segment.tokens for segment in spoken.prompt(body))
            return _json({"input_tokens": count}, spoken.headers(request.id))
        try:
            answer = await self._script.answer(request)
            return await self._give(http, delivery, answer, serial)
        except ConnectionError:
            raise
        except Exception as error:  # the script's own: told to the client now, and at the end
            self.errors.append(error)
            told = Problem(status=500, message=f"{type(error).__name__}: {error}")
            return await delivery.error(http, told, {"x-should-retry": "false"})

    def _delivery(
        self, spoken: Dialect, request: ProviderRequest, pause_s: float = 0.0
    ) -> Delivery:
        return Delivery(
            dialect=spoken,
            request=request,
            latency=self._latency,
            sleep=self._sleep,
            closing=self._closing,
            pause_s=pause_s,
        )

    async def _give(
        self, http: web.Request, delivery: Delivery, answer: Any, serial: int
    ) -> web.StreamResponse:
        trouble = answer if isinstance(answer, Fault) else Fault(name="none", answer=answer)
        if trouble.treatment == "html":
            return await delivery.page(http, trouble.status)
        if trouble.status != 200:
            problem = Problem(status=trouble.status, message=trouble.message, code=trouble.code)
            return await delivery.error(http, problem, self._retry_headers(trouble))
        said = trouble.answer
        if callable(said):  # a fault's own
            said = await Script(said).answer(delivery.request)
        latency = delivery.latency
        if trouble.chunk_tokens is not None:
            latency = replace(latency, chunk_tokens=trouble.chunk_tokens)
        delivery = replace(delivery, pause_s=trouble.pause_s, latency=latency)
        if isinstance(said, WholeReply):
            return await delivery.reply(http, dict(said.body), 0, trouble.treatment)
        making = self._making(delivery, said, serial, cut=trouble is not answer)
        whole = delivery.dialect.whole(making)
        tokens = output_tokens(making.reply)
        return await delivery.reply(http, whole, tokens, trouble.treatment)

    def _making(self, delivery: Delivery, said: Any, serial: int, *, cut: bool) -> Making:
        """`cut`: within the request's limits, which faults do not keep."""
        body, spoken = dict(delivery.request.body), delivery.dialect
        limits = spoken.limits(body) if cut else Limits()
        kept = limited(as_reply(said), max_tokens=limits.max_tokens, sequences=limits.sequences)
        cache = self._explicit if isinstance(spoken, Messages) else self._implicit
        return Making(
            reply=kept.reply,
            sequence=kept.sequence,
            body=body,
            use=cache.use(str(body.get("model")), spoken.prompt(body)),
            serial=serial,
            created=int(self._clock()),
        )

    async def _read(self, http: web.Request) -> tuple[Json, Problem | None]:
        try:
            data = await http.read()
        except web.HTTPRequestEntityTooLarge:
            message = "Request exceeds the maximum size"
            return {}, Problem(status=413, message=message)
        if not data:
            return {}, None
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            return {}, Problem(message="The request body is not valid JSON")
        if not isinstance(body, dict):
            return {}, Problem(message="The request body should be a JSON object")
        return body, None

    def _key_problem(self, request: ProviderRequest) -> Problem | None:
        if self._api_key is None:
            return None
        given = (request.key or "").encode()
        if hmac.compare_digest(given, self._api_key.encode()):
            return None
        return Problem(
            status=401, message="Incorrect API key provided: invalid x-api-key or bearer"
        )

    def _problem(self, request: ProviderRequest, spoken: Dialect) -> Problem | None:
        missing = f"Invalid URL ({request.method} {request.path})"
        if request.endpoint == "other":
            return Problem(status=404, message=missing, code=_no_code(spoken))
        if request.endpoint == "models":
            return self._model_problem(request.path.removeprefix("/v1/models").strip("/"), spoken)
        if request.method != "POST":
            return Problem(status=405, message=missing, code=_no_code(spoken))
        problem = spoken.problem(dict(request.body), request.headers)
        return problem or self._model_problem(request.model, spoken)

    def _model_problem(self, model: str, spoken: Dialect) -> Problem | None:
        if not model or self._models is None or model in self._models:
            return None
        return Problem(status=404, message=f"model: {model}", param="model")

    def _list_models(
        self, http: web.Request, spoken: Dialect, request: ProviderRequest
    ) -> web.Response:
        anthropic = isinstance(spoken, Messages)
        described = _anthropic_model if anthropic else _openai_model
        headers = spoken.headers(request.id)
        if named := request.path.removeprefix("/v1/models").strip("/"):
            return _json(described(named), headers)
        names = self._models or (ANTHROPIC_MODELS if anthropic else OPENAI_MODELS)
        listed = [described(name) for name in names]
        if not anthropic:
            return _json({"object": "list", "data": listed}, headers)
        ends = {"first_id": names[0], "last_id": names[-1]} if names else {}
        return _json({"data": listed, "has_more": False, **ends}, headers)

    def _retry_headers(self, trouble: Fault) -> dict[str, str]:
        headers = dict[str, str]()
        if trouble.should_retry is not None:
            headers["x-should-retry"] = str(trouble.should_retry).lower()
        seconds = trouble.retry_after_s
        if seconds is None:
            return headers
        match trouble.retry_after_as:
            case "seconds":
                headers["retry-after"] = f"{seconds:g}"
            case "ms":
                headers["retry-after-ms"] = f"{seconds * 1000:g}"
            case "date":
                headers["retry-after"] = formatdate(self._clock() + seconds, usegmt=True)
        return headers


class _Thread:
    """A loop of its own, for clients that block."""

    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="fake-provider", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        if self._loop is not None and self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failed = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        await self._provider.__aenter__()
        self._ready.set()
        await self._ended.wait()
        await self._provider._close()


def _endpoint(http: web.Request) -> Endpoint:
    path = http.path.rstrip("/")
    if path == "/v1/models" or path.startswith("/v1/models/"):
        return "models" if http.method == "GET" else "other"
    return _PATHS.get(path, "other")


def _speaks(path: str, headers: Mapping[str, str]) -> Endpoint:
    """Whose language is spoken where the path does not say it."""
    if "anthropic-version" in headers or path.startswith("/v1/messages"):
        return "messages"
    return "responses" if path.startswith("/v1/responses") else "chat"


def _no_code(spoken: Dialect) -> str | None:
    return None if isinstance(spoken, Messages) else "unknown_url"


def _json(value: Json, headers: Mapping[str, str]) -> web.Response:
    return web.Response(body=dump(value), content_type="application/json", headers=headers)


def _anthropic_model(name: str) -> Json:
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }


def _openai_model(name: str) -> Json:
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "system"}
