"""Models behind Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from guardrails.llm.anthropic_sdk import (
    client_elsewhere,
    close,
    failure_of,
    load_sdk,
    sdk_elsewhere,
    unlogged,
)
from guardrails.llm.attempts import Failed
from guardrails.llm.body import object_in, sendable, shortened, whole_number
from guardrails.llm.endpoint import Endpoint, Retries
from guardrails.llm.protocol import Answer, Question, Stop, Tokens

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
            partial(client_elsewhere, endpoint.base_url, endpoint.api_key), close
        )
        self._takes_effort = True

    def __repr__(self) -> str:
        return f"AnthropicModel({self.name!r})"

    @property
    def name(self) -> str:
        return f"{self._endpoint.name}/{self._model}"

    def prepare(self) -> None:
        """Import the SDK, which takes seconds, before the first question has to wait for it."""
        load_sdk()

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
        sdk = await sdk_elsewhere()
        effort = question.effort if self._takes_effort else None
        ended = await self._send(sdk, _request(sdk, self._model, question, effort), left_s)
        if isinstance(ended, Failed) and effort is not None and "effort" in ended.about:
            ended = await self._send(sdk, _request(sdk, self._model, question, None), left_s)
            self._takes_effort = not isinstance(ended, Answer)  # kept only if it helped
        return ended

    async def _send(self, sdk: Any, request: dict[str, Any], left_s: float) -> Answer | Failed:
        try:
            with unlogged():
                client = await self._clients.get()
                response = await client.messages.with_raw_response.create(
                    **request,
                    timeout=sdk.Timeout(left_s, connect=min(left_s, self._endpoint.connect_s)),
                )
                return self._answer(response.http_response.content, response.headers)
        except Exception as error:
            return failure_of(sdk, error)

    def _answer(self, body: bytes, headers: Mapping[str, str]) -> Answer | Failed:
        said = object_in(body) or {}
        text = _text(said.get("content"))
        tokens = _tokens(said.get("usage"))
        stop, model = said.get("stop_reason"), said.get("model")
        if said.get("type") != "message" or said.get("role") != "assistant":
            return FOREIGN
        if text is None or tokens is None or not isinstance(stop, str):
            return FOREIGN
        if not isinstance(model, str):
            return FOREIGN
        ended = STOPS.get(stop, "cut_off")
        if ended == "finished" and not text.strip():
            ended = "cut_off"
        return Answer(
            text="" if ended == "refused" else text,
            stop=ended,
            tokens=tokens,
            model=shortened(model),
            client=self.name,
            request_id=shortened(headers.get("request-id", "")) or None,
        )


def _request(sdk: Any, model: str, question: Question, effort: str | None) -> dict[str, Any]:
    output: dict[str, Any] = {
        "format": {"type": "json_schema", "schema": sdk.transform_schema(dict(question.schema))}
    }
    if effort is not None:
        output["effort"] = effort
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
