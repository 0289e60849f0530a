"""A constitution, the SDKs' clients before a fake provider, each endpoint behind one face, and
records held to promise 1."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from guardrails.audit.record import delivery_fault
from guardrails.audit.trail import MemoryTrail
from guardrails.testing import FakeProvider

Json = dict[str, Any]
Wrapped = Callable[..., Any]
"""Makes a wrapped client before a provider, with `client=` for the client's own settings."""

REPLY, UNAVAILABLE = "No, not here.", "The check is unavailable."
STAGES = "stages: [input, output, tool_call]"
RULES = f"""
  - {{id: house.forbidden, text: Says nothing forbidden., {STAGES},
     action: block, critics: [pattern: {{breach: [forbidden]}}]}}
  - {{id: house.secret, text: Keeps the secret., {STAGES},
     action: redact, critics: [pattern: {{breach: [secret]}}]}}
  - {{id: house.run, text: Runs nothing dangerous., stages: [tool_call],
     action: block, critics: [pattern: {{breach: [rm_all, dangerous]}}]}}
  - {{id: house.obeyed, text: Takes no orders from tools., stages: [tool_result],
     action: redact, critics: [pattern: {{breach: [obey me]}}]}}
  - {{id: house.odd, text: Says nothing odd., stages: [output],
     action: flag, critics: [pattern: {{breach: [oddly]}}]}}
  - id: house.promise
    text: Promises nothing.
    action: revise
    critics: [pattern: {{breach: ['I promise']}}]
    remedy: {{replace_sentence: "Please ask a person."}}
"""
JUDGED = f"""
  - {{id: house.kind, text: Is kind., {STAGES}, action: block, critics: [judge]}}
  - {{id: house.secret, text: Keeps the secret., {STAGES},
     action: redact, critics: [pattern: {{breach: [secret]}}]}}
"""


def constitution(rules: str = RULES) -> str:
    return f"""schema: 1
id: house
version: 1.2.0
budget: {{max_chars: 20000}}
replies: {{blocked: "{REPLY}", unavailable: "{UNAVAILABLE}"}}
principles:{rules}"""


class Records(MemoryTrail):
    """What was recorded, held to promise 1 whenever somebody looks."""

    def how(self) -> list[tuple[str, str, str]]:
        """(stage, verdict, how it was delivered) of every record, in the order opened."""
        closed = {record.record_id: record for record in self.closed}
        assert len(closed) == len(self.closed), "a record was closed twice"
        assert closed.keys() == {record.record_id for record in self.opened}
        for opened in self.opened:
            assert delivery_fault(opened, closed[opened.record_id]) is None
        return [(str(o.stage), str(o.verdict), closed[o.record_id].how) for o in self.opened]


class Answer(BaseModel):
    text: str


@dataclass(frozen=True, kw_only=True)
class Face:
    """One endpoint through one client. `request` makes a request's arguments of a text."""

    name: str
    make: Callable[..., Any]
    request: Callable[..., Json]
    resource: Callable[[Any], Any]
    form: str
    """The argument of `parse` that says what is expected."""
    text: Callable[[Any], str]
    refusal: Callable[[Any], Any]
    """Why it stopped."""
    is_async: bool = field(default=True)

    def client(self, provider: FakeProvider, **more: Any) -> Any:
        url = provider.url if "messages" in self.name else provider.openai_url
        settings = {
            "api_key": "test",
            "max_retries": 0,
            "timeout": 20,
            "_strict_response_validation": True,
        }
        return self.make(base_url=url, **settings | more)

    def tool(self, name: str) -> Json:
        """A tool that takes anything, as this endpoint is told of it."""
        schema = {"type": "object", "additionalProperties": True}
        match self.name.partition("-")[2]:
            case "messages":
                return {"name": name, "input_schema": schema}
            case "chat":
                return {"type": "function", "function": {"name": name, "parameters": schema}}
        return {"type": "function", "name": name, "parameters": schema, "strict": False}

    async def ask(self, client: Any, text: str = "What is it?", **more: Any) -> Any:
        return await done(self.resource(client).create(**self.request(text), **more))

    async def parse(self, client: Any, text: str = "What is it?", **more: Any) -> Any:
        form = {self.form: Answer}
        return await done(self.resource(client).parse(**self.request(text), **form, **more))

    async def events(self, client: Any, text: str = "What is it?", **more: Any) -> list[Any]:
        stream = await done(self.resource(client).create(**self.request(text), stream=True, **more))
        if self.is_async:
            return [event async for event in stream]
        return list(stream)


async def done(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


async def close(client: Any) -> None:
    await done(client.close())


def _messages(text: str) -> Json:
    said = [{"role": "user", "content": text}]
    return {"model": "claude-haiku-5-5", "max_tokens": 4_000, "messages": said}


def _chat(text: str) -> Json:
    return {"model": "gpt-5", "messages": [{"role": "user", "content": text}]}


def _responses(text: str) -> Json:
    return {"model": "gpt-5", "input": text}


def _message_text(message: Any) -> str:
    said = "".join(block.text for block in message.content if block.type == "text")
    return said or (message.stop_details.explanation if message.stop_details else "")


def _completion_text(completion: Any) -> str:
    message = completion.choices[0].message
    return message.content or message.refusal or ""


def _response_text(response: Any) -> str:
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    return "".join(getattr(part, "text", "") or getattr(part, "refusal", "") for part in parts)


def _faces() -> Sequence[Face]:
    found = []
    for is_async in (True, False):
        kind = "async" if is_async else "sync"
        found += [
            Face(
                name=f"{kind}-messages",
                make=AsyncAnthropic if is_async else Anthropic,
                request=_messages,
                resource=lambda client: client.messages,
                form="output_format",
                text=_message_text,
                refusal=lambda message: message.stop_reason,
                is_async=is_async,
            ),
            Face(
                name=f"{kind}-chat",
                make=AsyncOpenAI if is_async else OpenAI,
                request=_chat,
                resource=lambda client: client.chat.completions,
                form="response_format",
                text=_completion_text,
                refusal=lambda completion: completion.choices[0].finish_reason,
                is_async=is_async,
            ),
            Face(
                name=f"{kind}-responses",
                make=AsyncOpenAI if is_async else OpenAI,
                request=_responses,
                resource=lambda client: client.responses,
                form="text_format",
                text=_response_text,
                refusal=lambda response: (
                    response.incomplete_details and response.incomplete_details.reason
                ),
                is_async=is_async,
            ),
        ]
    return found


FACES = {face.name: face for face in _faces()}
REFUSALS = {"messages": "refusal", "chat": "content_filter", "responses": "content_filter"}


def refusal_of(face: Face) -> str:
    return REFUSALS[face.name.partition("-")[2]]


def spoken(provider: FakeProvider) -> list[str]:
    """The last user's words of every request that the provider got."""
    found = []
    for request in provider.requests:
        said = request.body.get("messages") or request.body.get("input")
        found.append(said if isinstance(said, str) else said[-1]["content"])
    return found
