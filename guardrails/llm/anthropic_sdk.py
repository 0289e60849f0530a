"""Anthropic's SDK as it is used here: imported late, held to limits, and silent about questions."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from guardrails.llm.attempts import Failed, refused
from guardrails.llm.body import LARGEST_BODY, about, object_in
from guardrails.llm.endpoint import CONNECT_S

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

__all__ = [
    "client_elsewhere",
    "close",
    "failure_of",
    "load_sdk",
    "sdk_elsewhere",
    "unlogged",
]

_asking: ContextVar[bool] = ContextVar("_asking", default=False)


class _WithoutQuestions(logging.Filter):
    """At level DEBUG the SDK logs whole requests. Those of the application stay as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _asking.get()


@contextlib.contextmanager
def unlogged() -> Iterator[None]:
    """What the SDK is asked in here it does not log."""
    before = _asking.set(True)
    try:
        yield
    finally:
        _asking.reset(before)


@cache
def load_sdk() -> Any:
    """The SDK, whose import takes seconds."""
    sdk = importlib.import_module("anthropic")
    logging.getLogger("anthropic._base_client").addFilter(_WithoutQuestions())
    return sdk


async def sdk_elsewhere() -> Any:
    """The SDK, without holding up the loop while it is imported."""
    return load_sdk() if load_sdk.cache_info().currsize else await asyncio.to_thread(load_sdk)


async def client_elsewhere(base_url: str, api_key: str | None) -> AsyncAnthropic:
    """A client, without holding up the loop while its certificates are read."""
    return await asyncio.to_thread(_client, base_url, api_key)


def _client(base_url: str, api_key: str | None) -> AsyncAnthropic:
    sdk = load_sdk()
    http = sdk.DefaultAioHttpClient(
        follow_redirects=False,  # what was asked goes to the address that was named, only
        event_hooks={"response": [_received]},
    )
    client: AsyncAnthropic = sdk.AsyncAnthropic(
        # Said even where none is needed: else the SDK would look for one of its own.
        api_key=api_key or "none",
        base_url=base_url,
        http_client=http,
        max_retries=0,
        timeout=CONNECT_S,  # never used: each request says its own
        open_telemetry=False,
        default_headers={"accept-encoding": "identity"},
    )
    return client


async def close(client: AsyncAnthropic) -> None:
    await client.close()


class _StoppedError(Exception):
    """A response that the SDK is not to see. It wraps this into an error of its own."""

    def __init__(self, failed: Failed) -> None:
        self.failed = failed
        super().__init__(failed.why)


TOO_LARGE = Failed(kind="foreign", why="a body too large to be an answer")
COMPRESSED = Failed(kind="foreign", why="a compressed body, where none was asked for")


async def _received(response: Any) -> None:
    """Hold a response to the size of an answer, which the SDK would not, and keep errors from it,
    which would carry what was asked along."""
    response.stream = _bounded_stream()(response.stream)
    if response.status_code != 200:
        failed = refused(response.status_code, response.headers)
        # Read to its end where it has one, so that the connection can be used again.
        with contextlib.suppress(Exception):
            await response.aread()
            failed = replace(failed, about=about(object_in(response.content)))
        raise _StoppedError(failed)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _StoppedError(COMPRESSED)


@cache
def _bounded_stream() -> type[Any]:
    """The class is made late, since its parent is of the SDK's HTTP library."""
    parent: Any = importlib.import_module("httpx2").AsyncByteStream

    class Bounded(parent):  # type: ignore[misc]
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            seen = 0
            async for chunk in self._inner:
                seen += len(chunk)
                if seen > LARGEST_BODY:
                    raise _StoppedError(TOO_LARGE)
                yield chunk

        async def aclose(self) -> None:
            await self._inner.aclose()

    return Bounded


def failure_of(sdk: Any, error: Exception) -> Failed:
    """What an exception comes to. The SDK tells a connection that is not made from an answer that
    does not come only by the cause."""
    cause = error.__cause__
    if isinstance(cause, _StoppedError):
        return cause.failed
    if isinstance(error, sdk.APIStatusError):
        return refused(error.status_code, error.response.headers)
    if not isinstance(error, sdk.APIConnectionError):
        # An SDK that will not send: the text may be the reason.
        return Failed(kind="unsendable", why=f"not sent ({type(error).__name__})")
    if not isinstance(error, sdk.APITimeoutError):
        return Failed(kind="unreachable", why=f"no connection ({type(cause).__name__})")
    if type(cause).__name__ in ("ConnectTimeout", "PoolTimeout"):
        return Failed(kind="unreachable", why="no connection in time")
    return Failed(kind="timed_out", why="no answer in time")
