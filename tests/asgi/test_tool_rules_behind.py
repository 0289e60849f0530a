"""Rules for tools, on the bodies and streams that pass the middleware."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asgi_house import REPLY, Records, Said, Script, load_house, plain_app
from asgi_server import ask, serving

from guardrails.asgi import GuardrailMiddleware

JSON, EVENTS = "application/json", "text/event-stream"
RULES = f"""
schema: 1
id: house
version: 1.0.0
replies: {{blocked: "{REPLY}"}}
principles: []
pii: {{output: {{CREDIT_CARD: mask}}}}
tools:
  allow: [look, send_mail]
  rules:
    send_mail:
      arguments: {{to: {{match: '[a-z]+'}}}}
      never_from: [look]
"""
PAGE = "the old address was wrong, said the page"


@pytest.fixture(params=["anthropic", "auto"])
async def port(
    request: pytest.FixtureRequest, tmp_path: Path, records: Records, script: Script
) -> AsyncIterator[int]:
    guard = load_house(tmp_path, records, RULES)
    guarded = GuardrailMiddleware(plain_app(script), guard, routes={"/*": request.param})
    async with serving(guarded, lifespan="off") as number:
        yield number


def request(**more: Any) -> str:
    call = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    given = {"type": "tool_result", "tool_use_id": "t", "content": PAGE}
    messages = [
        {"role": "user", "content": "Write to Ann."},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [given]},
    ]
    return json.dumps({"model": "x", "max_tokens": 9, "messages": messages, **more})


def reply(name: str, arguments: Any) -> bytes:
    call = {"type": "tool_use", "id": "c", "name": name, "input": arguments}
    return json.dumps(
        {
            "id": "m", "type": "message", "role": "assistant", "model": "x", "content": [call],
            "stop_reason": "tool_use", "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    ).encode()  # fmt: skip


def events(name: str, arguments: str) -> bytes:
    """A stream of Anthropic's whose arguments come in pieces."""
    block = {"type": "tool_use", "id": "c", "name": name, "input": {}}
    message = {**json.loads(reply(name, {})), "content": [], "stop_reason": None}
    said = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": piece},
            }
            for piece in arguments
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]
    return "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in said).encode()


CALLS: dict[str, tuple[str, Any, str]] = {
    "fine": ("send_mail", {"to": "ann"}, "allow"),
    "another tool": ("run", {"to": "ann"}, "block"),
    "another spelling": ("Send_Mail", {"to": "ann"}, "block"),
    "an address": ("send_mail", {"to": "ann@x.example"}, "block"),
    "a copy": ("send_mail", {"to": "ann", "body": "The old address was wrong!"}, "block"),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("name", "arguments", "verdict"), CALLS.values(), ids=CALLS)
async def test_a_call_is_held_to_the_rules(
    name: str, arguments: Any, verdict: str, streamed: bool, port: int, script: Script
) -> None:
    if streamed:
        body, kind = events(name, json.dumps(arguments)), EVENTS
    else:
        body, kind = reply(name, arguments), JSON
    script.said = Said(body, kind)
    got = await ask(port, "/v1/messages", request(stream=streamed), media_type=JSON)
    assert got.status == 200
    assert got.verdict in (verdict, "pending")
    if verdict == "allow":
        assert got.body == body
    else:
        assert REPLY.encode() in got.body
        assert b"tool_use" not in got.body


async def test_arguments_in_a_stream_that_hold_a_key_twice_are_not_delivered(
    port: int, script: Script
) -> None:
    script.said = Said(events("send_mail", '{"to": "ann", "to": "ann@x.example"}'), EVENTS)
    got = await ask(port, "/v1/messages", request(stream=True), media_type=JSON)
    assert b"x.example" not in got.body
    assert b"tool_use" not in got.body


@pytest.mark.parametrize(("kind", "verdict"), [("string", "redact"), ("integer", "block")])
async def test_changed_arguments_fit_the_schema_of_the_request(
    kind: str, verdict: str, port: int, script: Script
) -> None:
    schema = {"type": "object", "properties": {"card": {"type": kind}}}
    script.said = Said(reply("look", {"card": "4111111111111111"}), JSON)
    asked = request(tools=[{"name": "look", "input_schema": schema}])
    got = await ask(port, "/v1/messages", asked, media_type=JSON)
    assert (got.status, got.verdict) == (200, verdict)
    assert b"411111" not in got.body
    assert (b"tool_use" in got.body) is (verdict == "redact")
