"""Models behind Anthropic's Messages API, through its SDK, which is imported when first needed."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from guardrails.llm.attempts import Failed, refused
from guardrails.llm.body import LARGEST_BODY, object_in, sendable, whole_number
from guardrails.llm.endpoint import CONNECT_S, Endpoint, Retries
from guardrails.llm.protocol import Answer, Question, Stop, Tokens

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

__all__ = ["ANTHROPIC_URL", "AnthropicModel"]

ANTHROPIC_URL = "https://api.anthropic.com"

STOPS: Mapping[str, Stop] = {
    "end_turn": "finished",
    "stop_sequence": "finished",
    "refusal": "refused",
    "max_tokens": "cut_off",
    "model_context_window_exceeded": "cut_off",
}
"""Whatever else a model stops for (tool_use, pause_turn, a reason to come) leaves no answer."""

FOREIGN = Failed(kind="foreign", why="a body that is not the provider's")

_asking: ContextVar[bool] = ContextVar("_asking", default=False)


class AnthropicModel:
    """One model at one endpoint of kind `anthropic`."""

    def __init__(
        self,
        model: str,
        endpoint: Endpoint,
        *,
        retries: Retries = Retries(),  # noqa: B008
    ) -> None:
        self._model, self._endpoint, self._retries = model, endpoint, retries
        self._clients = endpoint.clients(
            partial(_client_elsewhere, endpoint.base_url, endpoint.api_key), _close
        )

    def __repr__(self) -> str:
        return f"AnthropicModel({self.name!r})"

    @property
    def name(self) -> str:
        return f"{self._endpoint.name}/{self._model}"

    def prepare(self) -> None:
        """Import the SDK, which takes seconds, before the first question has to wait for it."""
        _sdk()

    async def ask(self, question: Question, *, timeout_s: float) -> Answer:
        async def attempt(left_s: float) -> Answer | Failed:
            return await self._attempt(question, left_s)

        called = await self._endpoint.call(
            attempt, asking=self.name, timeout_s=timeout_s, retries=self._retries
        )
        return replace(called.value, attempts=called.attempts)

    async def aclose(self) -> None:
        await self._endpoint.aclose()

    async def _attempt(self, question: Question, left_s: float) -> Answer | Failed:
        sdk = await _sdk_elsewhere()
        request = _request(sdk, self._model, question)
        asking = _asking.set(True)
        try:
            client = await self._clients.get()
            response = await client.messages.with_raw_response.create(
                **request,
                timeout=sdk.Timeout(left_s, connect=min(left_s, CONNECT_S)),
            )
            return self._answer(response.http_response.content, response.headers)
        except sdk.APIStatusError as error:
            return refused(error.status_code, error.response.headers)
        except sdk.APIConnectionError as error:
            return _connection(error, timed_out=isinstance(error, sdk.APITimeoutError))
        except Exception as error:  # an SDK that will not send: the text may be the reason
            return Failed(kind="unsendable", why=f"not sent ({type(error).__name__})")
        finally:
            _asking.reset(asking)

    def _answer(self, body: bytes, headers: Mapping[str, str]) -> Answer | Failed:
        said = object_in(body) or {}
        text = _text(said.get("content"))
        tokens = _tokens(said.get("usage"))
        stop, model = said.get("stop_reason"), said.get("model")
        if said.get("type") != "message" or said.get("role") != "assistant":
            return FOREIGN
        if (
            text is None
            or tokens is None
            or not isinstance(stop, str)
            or not isinstance(model, str)
        ):
            return FOREIGN
        ended = STOPS.get(stop, "cut_off")
        if ended == "finished" and not text.strip():
            ended = "cut_off"
        return Answer(
            text="" if ended == "refused" else text,
            stop=ended,
            tokens=tokens,
            model=model,
            client=self.name,
            request_id=headers.get("request-id"),
        )


async def _client_elsewhere(base_url: str, api_key: str | None) -> AsyncAnthropic:
    """A client, whose certificates take a while to read, without holding up the loop."""
    return await asyncio.to_thread(_client, base_url, api_key)


def _client(base_url: str, api_key: str | None) -> AsyncAnthropic:
    sdk = _sdk()
    http = sdk.DefaultAioHttpClient(
        follow_redirects=False,  # what was asked goes to the address that was named, only
        event_hooks={"response": [_bounded]},
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


def _request(sdk: Any, model: str, question: Question) -> dict[str, Any]:
    output: dict[str, Any] = {
        "format": {"type": "json_schema", "schema": sdk.transform_schema(dict(question.schema))}
    }
    if question.effort is not None:
        output["effort"] = question.effort
    request: dict[str, Any] = {
        "model": model,
        "max_tokens": question.max_tokens,
        "messages": [{"role": "user", "content": sendable(question.text)}],
        "output_config": output,
    }
    if question.prefix:
        system: dict[str, Any] = {"type": "text", "text": sendable(question.prefix)}
        if question.cache_prefix:
            system["cache_control"] = {"type": "ephemeral", "ttl": question.cache_ttl}
        request["system"] = [system]
    return request


def _text(content: object) -> str | None:
    """The text blocks, joined; other kinds (thinking, kinds to come) are no part of an answer.
    None if this is no list of blocks."""
    if not isinstance(content, Sequence) or isinstance(content, str):
        return None
    texts = []
    for block in content:
        if not isinstance(block, Mapping) or not isinstance(block.get("type"), str):
            return None
        if block["type"] == "text":
            if not isinstance(block.get("text"), str):
                return None
            texts.append(block["text"])
    return "".join(texts)


def _tokens(usage: object) -> Tokens | None:
    if not isinstance(usage, Mapping) or {"input_tokens", "output_tokens"} - usage.keys():
        return None
    counts = [
        whole_number(usage, "input_tokens"),
        whole_number(usage, "cache_read_input_tokens"),
        whole_number(usage, "cache_creation_input_tokens"),
        whole_number(usage.get("cache_creation"), "ephemeral_1h_input_tokens"),
        whole_number(usage, "output_tokens"),
    ]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return None
    entered, read, written, for_an_hour, left = known
    return Tokens(
        input=entered,
        cache_read=read,
        cache_write=max(written, for_an_hour),
        cache_write_hour=for_an_hour,
        output=left,
    )


def _connection(error: BaseException, *, timed_out: bool) -> Failed:
    """What went wrong below HTTP. The SDK tells a connection that is not made from an answer that
    does not come only by the cause."""
    cause = error.__cause__
    if isinstance(cause, _ForeignBodyError):
        return Failed(kind="foreign", why=cause.why)
    if not timed_out:
        return Failed(kind="unreachable", why=f"no connection ({type(cause).__name__})")
    if type(cause).__name__ in ("ConnectTimeout", "PoolTimeout"):
        return Failed(kind="unreachable", why=f"no connection in {CONNECT_S:g} s")
    return Failed(kind="timed_out", why="no answer in time")


class _ForeignBodyError(Exception):
    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


async def _bounded(response: Any) -> None:
    """Hold a response to the size of an answer. The SDK reads bodies whole, of errors too."""
    if response.headers.get("content-encoding", "identity") != "identity":
        await response.aclose()
        raise _ForeignBodyError("a compressed body, where none was asked for")
    response.stream = _bounded_stream()(response.stream)


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
                    raise _ForeignBodyError("a body too large to be an answer")
                yield chunk

        async def aclose(self) -> None:
            await self._inner.aclose()

    return Bounded


class _WithoutQuestions(logging.Filter):
    """At level DEBUG the SDK logs whole requests. Those of the application stay as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _asking.get()


@cache
def _sdk() -> Any:
    sdk = importlib.import_module("anthropic")
    logging.getLogger("anthropic._base_client").addFilter(_WithoutQuestions())
    return sdk


async def _sdk_elsewhere() -> Any:
    """The SDK, without holding up the loop for the seconds that its import takes."""
    return _sdk() if _sdk.cache_info().currsize else await asyncio.to_thread(_sdk)


async def _close(client: AsyncAnthropic) -> None:
    await client.close()
