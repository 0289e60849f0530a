"""Rules for tools, before every endpoint of every wrapped client, whole and streamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from wrapped_samples import REPLY, Face, Records, Wrapped

from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import FakeProvider, ToolCall

TOOLS = f"""schema: 1
id: house
version: 1.0.0
replies: {{blocked: "{REPLY}"}}
principles: []
tools:
  allow: [look, send_mail]
  rules:
    send_mail:
      arguments: {{to: {{match: '[a-z]+'}}, times: {{max: 3}}}}
      additional: false
"""


@pytest.fixture
def guard(tmp_path: Path, records: Records) -> Guard:
    file = tmp_path / "house.yaml"
    file.write_text(TOOLS)
    return Guard.load(file, offline=True, trail=records, settings=Settings(audit="memory"))


def provider(*answers: Any) -> FakeProvider:
    return FakeProvider(list(answers), clock=lambda: 1_800_000_000.0)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_a_call_that_keeps_to_the_rules_is_the_unguarded_one(
    streamed: bool, face: Face, wrapped: Wrapped, records: Records
) -> None:
    calls = ["Yes.", ToolCall("send_mail", {"to": "ann", "times": 3}), ToolCall("look")]
    with provider(calls) as fake:
        client = wrapped(fake)
        got = str(await face.events(client)) if streamed else str(await face.ask(client))
    assert "send_mail" in got
    assert REPLY not in got
    assert {verdict for _, verdict, _ in records.how()} == {"allow"}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "call",
    [
        ToolCall("rm_all", {"path": "/"}),
        ToolCall("Look", {}),
        ToolCall("send_mail", {"to": "ann", "times": 4}),
        ToolCall("send_mail", {"to": "ann@x.example"}),
        ToolCall("send_mail", {"to": "ann", "bcc": "bo"}),
    ],
    ids=["a tool", "its spelling", "a number", "an address", "another argument"],
)
async def test_one_that_does_not_never_reaches_the_application(
    call: ToolCall, streamed: bool, face: Face, wrapped: Wrapped, records: Records
) -> None:
    with provider(["Yes.", ToolCall("look"), call]) as fake:
        client = wrapped(fake)
        got = str(await face.events(client)) if streamed else str(await face.ask(client))
    assert REPLY in got
    assert call.name not in got
    assert "block" in {record.verdict for record in records.opened}
