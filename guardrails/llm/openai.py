"""Models behind any endpoint that speaks OpenAI's Chat Completions: OpenAI, vLLM, Ollama, gateways.

No SDK: aiohttp, imported when first needed. What endpoints differ in is found out by asking.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from guardrails.llm.attempts import Failed, refused
from guardrails.llm.body import (
    LARGEST_BODY,
    about,
    estimated,
    object_in,
    read_within,
    sendable,
    shortened,
    whole_number,
)
from guardrails.llm.endpoint import Endpoint, Retries
from guardrails.llm.protocol import Answer, Question, Stop, Tokens

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

__all__ = ["OPENAI_URL", "OpenAIModel"]

OPENAI_URL = "https://api.openai.com/v1"

STOPS: Mapping[str, Stop] = {
    "stop": "finished",
    "length": "cut_off",
    "content_filter": "refused",
}
"""Whatever else a model stops for (tool_calls, a reason to come) leaves no answer."""

LARGEST_ERROR = 64 * 1024

LIMITS: Mapping[str, str] = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
"""The names that one limit goes by, each with the other one."""

IN_WORDS = "Answer with one JSON object, and nothing else, that fits this JSON Schema:\n"
"""What an endpoint is told that takes no schema. (JSON mode wants the word JSON in the prompt.)"""


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What one endpoint takes for one model."""

    schema: bool = True
    limit: str = "max_tokens"


class OpenAIModel:
    """One model at one endpoint of kind `openai`."""

    def __init__(
        self,
        model: str,
        endpoint: Endpoint,
        *,
        retries: Retries = Retries(),  # noqa: B008
    ) -> None:
        self._model, self._endpoint, self._retries = model, endpoint, retries
        self._sessions = endpoint.clients(_session, _close)
        self._proxy = _proxy(endpoint.base_url)
        host = urlsplit(endpoint.base_url).hostname or ""
        newer = host == "openai.com" or host.endswith(".openai.com")
        self._dialect = _Dialect(limit="max_completion_tokens" if newer else "max_tokens")

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r})"

    @property
    def name(self) -> str:
        return f"{self._endpoint.name}/{self._model}"

    def prepare(self) -> None:
        """Import the HTTP client before the first question has to wait for it."""
        import aiohttp  # noqa: F401

    async def ask(self, question: Question, *, timeout_s: float) -> Answer:
        requests = 0

        async def attempt(left_s: float) -> Answer | Failed:
            nonlocal requests
            dialect, tried = self._dialect, {self._dialect}
            while True:
                requests += 1
                answered = await self._request(question, dialect, left_s)
                if not isinstance(answered, _Dialect):
                    if isinstance(answered, Answer):
                        self._dialect = dialect  # kept for the next question: it works
                    return answered
                if answered in tried:
                    return Failed(kind="status", why="answered 400", status=400)
                dialect = answered
                tried.add(dialect)

        called = await self._endpoint.call(
            attempt, asking=self.name, timeout_s=timeout_s, retries=self._retries
        )
        return replace(called.value, attempts=requests)

    async def aclose(self) -> None:
        await self._endpoint.aclose()

    async def _request(
        self, question: Question, dialect: _Dialect, left_s: float
    ) -> Answer | Failed | _Dialect:
        """An answer, a failure, or the dialect that the endpoint asks to be spoken to in."""
        import aiohttp

        session = await self._sessions.get()
        body = _body(self._model, question, dialect)
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if self._endpoint.api_key is not None:
            headers["authorization"] = f"Bearer {self._endpoint.api_key}"
        try:
            async with session.post(
                f"{self._endpoint.base_url}/chat/completions",
                data=body,
                headers=headers,
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(
                    total=left_s, sock_connect=min(left_s, self._endpoint.connect_s)
                ),
                allow_redirects=False,  # what was asked goes to the address that was named, only
            ) as response:
                if response.status != 200:
                    return await _refusal(response, dialect)
                return await self._answer(response, question)
        except aiohttp.ConnectionTimeoutError:
            return Failed(kind="unreachable", why="no connection in time")
        except TimeoutError:
            return Failed(kind="timed_out", why="no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            return Failed(kind="unreachable", why=f"no connection ({type(error).__name__})")
        except Exception as error:  # what will not be sent: the text may be the reason
            return Failed(kind="unsendable", why=f"not sent ({type(error).__name__})")

    async def _answer(self, response: ClientResponse, question: Question) -> Answer | Failed:
        if response.headers.get("content-encoding", "identity") != "identity":
            return Failed(kind="foreign", why="a compressed body, where none was asked for")
        body = await read_within(response.content.iter_any(), LARGEST_BODY)
        if body is None:
            return Failed(kind="foreign", why="a body too large to be an answer")
        said = object_in(body)
        answer = None if said is None else _read(said, question)
        if said is not None and answer is None and (status := _error_inside(said)):
            return refused(status, response.headers)
        if answer is None:
            return Failed(kind="foreign", why="a body that is not the provider's")
        request_id = shortened(response.headers.get("x-request-id", "")) or None
        return replace(
            answer, model=shortened(answer.model), client=self.name, request_id=request_id
        )


def _body(model: str, question: Question, dialect: _Dialect) -> bytes:
    system = sendable(question.prefix)
    schema = dict(question.schema)
    shape: dict[str, Any] = {"type": "json_object"}
    if dialect.schema:
        named = {"name": "answer", "strict": _is_strict(schema), "schema": schema}
        shape = {"type": "json_schema", "json_schema": named}
    else:
        words = IN_WORDS + json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
        system = f"{system}\n\n{words}" if system else words
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": sendable(question.text)})
    request = {
        "model": model,
        "messages": messages,
        "response_format": shape,
        dialect.limit: question.max_tokens,
        "stream": False,
    }
    return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()


def _is_strict(schema: object) -> bool:
    """Whether every object of a schema names all its keys and no others, as strict mode wants."""
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        if schema.get("type") == "object" or isinstance(properties, Mapping):
            required, known = schema.get("required"), properties or {}
            if not isinstance(required, Sequence) or set(required) != set(known):
                return False
            if schema.get("additionalProperties") is not False:
                return False
        return all(_is_strict(value) for value in schema.values())
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        return all(_is_strict(value) for value in schema)
    return True


async def _refusal(response: ClientResponse, dialect: _Dialect) -> Failed | _Dialect:
    failed = refused(response.status, response.headers)
    try:
        # Read to its end where it has one, so that the connection can be used again.
        body = await read_within(response.content.iter_any(), LARGEST_ERROR)
    except Exception:
        return failed
    if response.status != 400 or body is None:
        return failed
    wrong = about(object_in(body))
    if dialect.schema and ("response_format" in wrong or "json_schema" in wrong):
        return replace(dialect, schema=False)
    for limit in LIMITS:
        if dialect.limit == limit and limit in wrong:
            return replace(dialect, limit=LIMITS[limit])
    return failed


def _error_inside(said: Mapping[str, Any]) -> int | None:
    """The status of an error that a gateway wraps into a 200."""
    error = said.get("error")
    code = error.get("code") if isinstance(error, Mapping) else None
    is_status = isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600
    return code if is_status else None


def _read(said: Mapping[str, Any], question: Question) -> Answer | None:
    """The answer in a chat completion; None if this is none."""
    choices, model = said.get("choices"), said.get("model")
    if not isinstance(choices, list) or not isinstance(model, str):
        return None
    if not choices:  # a provider's filter may leave nothing
        return Answer(text="", stop="cut_off", tokens=_tokens(said, question, ""), model=model)
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(message, Mapping) or message.get("role", "assistant") != "assistant":
        return None
    text, reason = _text(message.get("content")), choice.get("finish_reason")
    if text is None or not (reason is None or isinstance(reason, str)):
        return None
    stop = STOPS.get(reason or "", "cut_off")
    if message.get("refusal"):
        stop = "refused"
    elif stop == "finished" and not text.strip():
        stop = "cut_off"
    return Answer(
        text="" if stop == "refused" else text,
        stop=stop,
        tokens=_tokens(said, question, text),
        model=model,
    )


def _text(content: object) -> str | None:
    """The text of a message, whole or in parts; None if there is something else in its place."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list) or not all(isinstance(part, Mapping) for part in content):
        return None
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    held = [text for text in texts if isinstance(text, str)]
    return "".join(held) if len(held) == len(texts) else None


def _tokens(said: Mapping[str, Any], question: Question, text: str) -> Tokens:
    usage = said.get("usage")
    if not isinstance(usage, Mapping) or {"prompt_tokens", "completion_tokens"} - usage.keys():
        return estimated(question, text)
    details = usage.get("prompt_tokens_details")
    prompt = whole_number(usage, "prompt_tokens")
    output = whole_number(usage, "completion_tokens")
    read = whole_number(details, "cached_tokens")
    written = whole_number(details, "cache_write_tokens")
    if prompt is None or output is None or read is None or written is None:
        return estimated(question, text)
    read = min(read, prompt)
    written = min(written, prompt - read)
    return Tokens(
        input=prompt - read - written, cache_read=read, cache_write=written, output=output
    )


def _proxy(base_url: str) -> str | None:
    """What HTTP_PROXY, HTTPS_PROXY and NO_PROXY say of this address."""
    parts = urlsplit(base_url)
    if proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


async def _session() -> ClientSession:
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),  # the endpoint's slots are the limit
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,  # of it only proxies are wanted; it would take passwords from .netrc, too
    )


async def _close(session: ClientSession) -> None:
    await session.close()
