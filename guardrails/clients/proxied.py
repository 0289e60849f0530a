"""A client that stands in for another: of its class, with its connections, and guarded.

It takes the place of three methods of the SDKs' clients: `request`, through which every call goes,
`_prepare_request`, a hook that gets each request as it will be sent, and `_process_response`, which
makes of a response what the caller gets. A reply that did not come this way is not given out.
Source: anthropic 2.12, openai 3.54, `_base_client.py`.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import Any, NoReturn

from guardrails.clients.drive import drive, drive_async
from guardrails.clients.exchange import Exchange
from guardrails.clients.guarding import Given, Guarding, Replaced, Sent
from guardrails.clients.operations import Operation, Vendor, operation_of
from guardrails.clients.streaming import streaming_response
from guardrails.clients.transfer import (
    made_response,
    payload_of,
    put_content,
    sent_in,
    with_content,
)
from guardrails.errors import GuardrailsError, SettingsError
from guardrails.guard import Guard, GuardedCall
from guardrails.wire.shapes import sdk_kind

__all__ = ["guarded_client", "require_client"]

HOOKS = ("request", "_prepare_request", "_process_response")
_VENDORS: Mapping[tuple[str, str], tuple[Vendor, bool]] = {
    ("anthropic", "SyncAPIClient"): ("anthropic", False),
    ("anthropic", "AsyncAPIClient"): ("anthropic", True),
    ("openai", "SyncAPIClient"): ("openai", False),
    ("openai", "AsyncAPIClient"): ("openai", True),
}

_under_way: ContextVar[Mapping[Guarding, Exchange]] = ContextVar(
    "guardrails_client_exchanges", default=MappingProxyType({})
)
"""By how the client is guarded, for a wrapped client may be wrapped again."""


class _Stopped(BaseException):
    """The caller gets something else. No error, lest the SDK or an application's middleware take it
    for one of theirs."""

    def __init__(self, request: Any, given: Replaced | Given) -> None:
        super().__init__()
        self.request, self.given = request, given


class _Again(BaseException):
    """What was sent may not be, but other words may."""


def require_client(client: object) -> bool:
    """Whether it is an async one. Raises SettingsError for what is no client of a known SDK."""
    kind = _kind(type(client))
    if kind is None:
        raise SettingsError(
            f"wrap() takes a client of Anthropic's or OpenAI's SDK, such as AsyncAnthropic(), not "
            f"a {type(client).__name__}; for any other call there is @guarded"
        )
    cls, is_async = type(client), kind[1]
    missing = [
        name
        for name in HOOKS
        if inspect.iscoroutinefunction(getattr(cls, name, None)) is not is_async
        or not callable(getattr(cls, name, None))
    ]
    if missing:
        raise SettingsError(
            f"this version of the SDK of {cls.__name__} has no {missing[0]!r} that could be "
            f"guarded; install anthropic>=2.12 or openai>=3.54"
        )
    return is_async


def _kind(cls: type) -> tuple[Vendor, bool] | None:
    """By what its parents are called, so that no SDK is imported."""
    for parent in cls.__mro__:
        found = _VENDORS.get((parent.__module__.partition(".")[0], parent.__name__))
        if found is not None:
            return found
    return None


def guarded_client(client: Any, guarding: Guarding, *, is_async: bool) -> Any:
    cls = type(client)
    vendor = (_kind(cls) or ("anthropic", is_async))[0]

    def copy(self: Any, *args: Any, **kwargs: Any) -> Any:
        """As the SDK's own; guarded, too."""
        return _as(cls.copy(_as(self, cls), *args, **kwargs), made)

    hooks: dict[str, Any] = (_async_hooks if is_async else _hooks)(cls, vendor, guarding) | {
        "copy": functools.wraps(cls.copy)(copy),
        "with_options": functools.wraps(cls.copy)(copy),
        "__guarded__": True,
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
    }
    if "websocket_base_url" in vars(client) and not guarding.websockets:
        hooks["websocket_base_url"] = property(_no_websocket, _ignore)
    made = type(cls.__name__, (cls,), hooks)
    return _as(client, made)


def _as(client: Any, cls: type[Any]) -> Any:
    """The same client as an object of another class of its kind. What it made of itself stays
    behind: its resources go through the client that made them."""
    made: Any = object.__new__(cls)
    made.__dict__.update(
        (name, value)
        for name, value in vars(client).items()
        if not isinstance(getattr(type(client), name, None), functools.cached_property)
        and getattr(value, "_client", None) is not client
    )
    if vars(made).get("_middleware_chain") is not None:
        made._middleware_chain = made._build_middleware_chain()
    return made


def _no_websocket(_: object) -> NoReturn:
    raise SettingsError(
        "nobody judges what goes over a WebSocket: use the client that is not wrapped for it, or "
        "say wrap(…, allow=['realtime'])"
    )


def _ignore(self: Any, value: object) -> None:
    """Keep it for who gets the client back as it was."""
    vars(self)["websocket_base_url"] = value


# -- the hooks -------------------------------------------------------------------------------------


def _async_hooks(cls: Any, vendor: Vendor, guarding: Guarding) -> dict[str, Any]:
    async def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        context, headers = guarding.who(), options.headers
        async with guarding.guard.call(context=context) as call:
            exchange = Exchange(guarding, call, context)
            token = _under_way.set({**_under_way.get(), guarding: exchange})
            try:
                send = functools.partial(cls.request, self, cast_to, options, *args, **kwargs)
                reply = await (_beside(exchange, send) if guarding.concurrent_input else send())
                if not _is_settled(exchange, self, vendor, options, reply):
                    steps = exchange.answer_object(reply)
                    reply = _value(await drive_async(steps), self, options)
                return reply
            except _Stopped as stopped:
                if isinstance(stopped.given, Given):
                    return stopped.given.value
                options.headers = headers
                made = _made(self, stopped.request, stopped.given, cast_to, options, kwargs)
                return await cls._process_response(self, **made)
            finally:
                _under_way.reset(token)

    async def _prepare_request(self: Any, request: Any) -> None:
        exchange = _entered(self, vendor, request, guarding)
        if _is_guarded(exchange):
            sent = sent_in(request, await request.aread())
            _send(request, sent, await drive_async(exchange.ask(sent)))
            if exchange.gate is not None:
                exchange.gate.watch()
        await cls._prepare_request(self, request)

    async def _process_response(self: Any, **kwargs: Any) -> Any:
        exchange, response = _exchange(guarding), kwargs["response"]
        if _is_judged(exchange, response):
            is_stream = bool(kwargs.get("stream"))
            data = b"" if is_stream else await response.aread()
            passed = await drive_async(exchange.pass_gate())
            if passed == "again":
                raise _Again
            if isinstance(passed, Replaced | Given):
                raise _Stopped(response.request, passed)
            if is_stream:
                answer = await exchange.streamed(payload_of(response, b""))
                if answer is not None:
                    kwargs["response"] = streaming_response(
                        response, answer, guarding.guard, is_async=True
                    )
                    return await cls._process_response(self, **kwargs)
                data = await response.aread()
            given = await drive_async(exchange.answer(payload_of(response, data)))
            if isinstance(given, Given):
                return given.value
            if given is not None:
                kwargs["response"] = with_content(response, given)
        return await cls._process_response(self, **kwargs)

    async def close(self: Any) -> None:
        try:
            await cls.close(self)
        finally:
            if guarding.owns_guard:
                await guarding.guard.aclose()

    return {
        "request": functools.wraps(cls.request)(request),
        "_prepare_request": _prepare_request,
        "_process_response": _process_response,
        "close": functools.wraps(cls.close)(close),
    }


def _hooks(cls: Any, vendor: Vendor, guarding: Guarding) -> dict[str, Any]:
    guard = guarding.guard

    def request(self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        context, headers = guarding.who(), options.headers
        with _Call(guard, guard.call(context=context)) as call:
            exchange = Exchange(guarding, call, context)
            token = _under_way.set({**_under_way.get(), guarding: exchange})
            try:
                reply = cls.request(self, cast_to, options, *args, **kwargs)
                if not _is_settled(exchange, self, vendor, options, reply):
                    steps = exchange.answer_object(reply)
                    reply = _value(drive(steps, guard), self, options)
                return reply
            except _Stopped as stopped:
                if isinstance(stopped.given, Given):
                    return stopped.given.value
                options.headers = headers
                made = _made(self, stopped.request, stopped.given, cast_to, options, kwargs)
                return cls._process_response(self, **made)
            finally:
                _under_way.reset(token)

    def _prepare_request(self: Any, request: Any) -> None:
        exchange = _entered(self, vendor, request, guarding)
        if _is_guarded(exchange):
            sent = sent_in(request, request.read())
            _send(request, sent, drive(exchange.ask(sent), guard))
        cls._prepare_request(self, request)

    def _process_response(self: Any, **kwargs: Any) -> Any:
        exchange, response = _exchange(guarding), kwargs["response"]
        if _is_judged(exchange, response):
            if kwargs.get("stream"):
                answer = guard.sync.run(exchange.streamed(payload_of(response, b"")))
                if answer is not None:
                    kwargs["response"] = streaming_response(response, answer, guard, is_async=False)
                    return cls._process_response(self, **kwargs)
            payload = payload_of(response, response.read())
            given = drive(exchange.answer(payload), guard)
            if isinstance(given, Given):
                return given.value
            if given is not None:
                kwargs["response"] = with_content(response, given)
        return cls._process_response(self, **kwargs)

    def close(self: Any) -> None:
        try:
            cls.close(self)
        finally:
            if guarding.owns_guard:
                guard.sync.close()

    return {
        "request": functools.wraps(cls.request)(request),
        "_prepare_request": _prepare_request,
        "_process_response": _process_response,
        "close": functools.wraps(cls.close)(close),
    }


class _Call:
    """A guarded call in a thread that has no loop."""

    def __init__(self, guard: Guard, call: GuardedCall) -> None:
        self._guard, self._call = guard, call

    def __enter__(self) -> GuardedCall:
        return self._guard.sync.run(self._call.__aenter__())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._guard.sync.run(self._call.__aexit__(kind, error, traceback))


async def _beside(exchange: Exchange, send: Callable[[], Awaitable[Any]]) -> Any:
    """Send, and call it off as soon as the word on what was asked makes it vain."""
    sending = asyncio.ensure_future(send())
    exchange.when_vain = sending.cancel
    try:
        return await sending
    except _Again:
        return await send()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if exchange.gate is None or not exchange.gate.called_off or (task and task.cancelling()):
            raise
    except Exception:
        passed = await drive_async(exchange.pass_gate())  # what failed may be what was blocked
        if not isinstance(passed, Replaced | Given):
            raise
        raise _Stopped(exchange.request, passed) from None
    finally:
        if exchange.gate is not None:
            exchange.gate.judging.cancel()
    passed = await drive_async(exchange.pass_gate())
    if isinstance(passed, Replaced | Given):
        raise _Stopped(exchange.request, passed)
    return await send()


# -- requests --------------------------------------------------------------------------------------


def _exchange(guarding: Guarding) -> Exchange:
    exchange = _under_way.get().get(guarding)
    if exchange is None:
        raise GuardrailsError("a wrapped client was used in a way that nobody guards")
    return exchange


def _entered(client: Any, vendor: Vendor, request: Any, guarding: Guarding) -> Exchange:
    exchange = _exchange(guarding)
    exchange.enter(_operation(client, vendor, request.method, request.url, guarding))
    exchange.request = request
    return exchange


def _operation(client: Any, vendor: Vendor, method: str, url: Any, guarding: Guarding) -> Operation:
    return operation_of(vendor, method.upper(), url.path, client.base_url.path, guarding.allow)


def _is_guarded(exchange: Exchange) -> bool:
    return exchange.operation is not None and exchange.operation.treatment == "guarded"


def _is_judged(exchange: Exchange, response: Any) -> bool:
    if exchange.operation is None:
        raise GuardrailsError("a response to a request that nobody saw")
    return exchange.operation.treatment != "passed" and bool(response.is_success)


def _send(request: Any, sent: Sent, judged: bytes | Replaced | Given) -> None:
    """Let a request go on its way with what may be sent. Raises _Stopped."""
    if isinstance(judged, Replaced | Given):
        raise _Stopped(request, judged)
    if judged is sent.data:
        return
    put_content(request, judged)


# -- replies ---------------------------------------------------------------------------------------


def _is_settled(exchange: Exchange, client: Any, vendor: Vendor, options: Any, reply: Any) -> bool:
    """Whether a reply was judged or needs no judging. An application's middleware may give one that
    no request brought: raises SettingsError for one that cannot be judged, either."""
    if exchange.operation is None:
        url = client._prepare_url(options.url)
        exchange.enter(_operation(client, vendor, options.method, url, exchange.guarding))
    if exchange.settled:
        return True
    cls: Any = type(reply)
    if sdk_kind(cls) is None:
        raise SettingsError(
            f"a middleware gave a {cls.__name__} in a reply's place, which nobody can "
            f"judge; let it give one of the SDK's replies"
        )
    return False


def _value(given: Replaced | Given, client: Any, options: Any) -> object:
    if isinstance(given, Given):
        return given.value
    url = client._prepare_url(options.url)
    raise _Stopped(client._client.build_request(options.method.upper(), url), given)


def _made(
    client: Any,
    request: Any,
    given: Replaced,
    cast_to: Any,
    options: Any,
    kwargs: Mapping[str, Any],
) -> dict[str, Any]:
    """What `_process_response` makes a reply of, for one that no provider sent."""
    return {
        "cast_to": client._maybe_override_cast_to(cast_to, options),
        "options": options,
        "response": made_response(request, given),
        "stream": bool(kwargs.get("stream", False)),
        "stream_cls": kwargs.get("stream_cls"),
        "retries_taken": 0,
    }
