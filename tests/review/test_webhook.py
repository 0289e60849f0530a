"""A new case is told to another system: signed, retried, and without the user's text."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from guardrails.audit.trail import MemoryTrail
from guardrails.errors import SettingsError
from guardrails.guard import Guard
from guardrails.review.webhook import SIGNATURE, Webhook, signature_of, verify_signature
from guardrails.settings import Settings

KEY = b"k" * 32
CONSTITUTION = """
schema: 1
id: house
version: 1.0.0
principles:
  - {id: house.case, text: Is for a person., action: escalate,
     critics: [pattern: {breach: [help me]}]}
"""


@dataclass
class Receiver:
    """A real server that answers with these statuses, then with 200."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    got: list[tuple[str, bytes]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((request.headers[SIGNATURE], await request.read()))
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        return web.Response(status=status, headers=headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/cases", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/cases"
    yield receiver
    await runner.cleanup()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "house.yaml").write_text(CONSTITUTION)
    (tmp_path / "webhook.key").write_bytes(KEY + b"\n")
    return tmp_path


def guard_for(files: Path, url: str, **more: Any) -> Guard:
    settings = Settings(
        audit="memory",
        review_webhook=url,
        review_webhook_key_file=files / "webhook.key",
        **more,
    )
    return Guard.load(files / "house.yaml", settings=settings, trail=MemoryTrail())


async def test_a_case_is_told_signed_and_without_its_text(files: Path, receiver: Receiver) -> None:
    async with guard_for(files, receiver.url) as guard:
        decision = await guard.check_output("Please help me, I am at the station.")
        await guard.check_output("All is well.")
    ((signature, body),) = receiver.got
    assert verify_signature(signature, body, KEY)
    assert b"station" not in body
    told = json.loads(body)
    assert told["event"] == "case.escalated"
    assert told["case"]["record_id"] == decision.record_id
    assert told["case"]["principles"] == ["house.case"]


async def test_the_redacted_text_is_told_if_settings_say_so(
    files: Path, receiver: Receiver
) -> None:
    async with guard_for(files, receiver.url, review_webhook_text=True) as guard:
        await guard.check_output("Please help me.")
    assert json.loads(receiver.got[0][1])["case"]["redacted_text"] == "Please help me."


async def test_it_is_told_again_until_it_is_taken(files: Path, receiver: Receiver) -> None:
    receiver.answers = [(503, {}), (302, {"location": "/elsewhere"}), (429, {"retry-after": "0"})]
    guard = guard_for(files, receiver.url)
    webhook = guard._enforcement.webhook
    assert webhook is not None
    webhook.first_wait_s = 0.01
    await guard.check_output("Please help me.")
    await webhook.aclose(patience_s=20)
    assert len(receiver.got) == 4
    assert len({body for _, body in receiver.got}) == 1


async def test_nobody_waits_for_a_receiver_that_is_away(
    files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard = guard_for(files, "http://127.0.0.1:9/cases")
    webhook = guard._enforcement.webhook
    assert webhook is not None
    webhook.first_wait_s = 0.01
    with caplog.at_level(logging.INFO, "guardrails"):
        decision = await asyncio.wait_for(guard.check_output("Please help me."), 5)
        await webhook.aclose(patience_s=20)
    assert decision.record_id in caplog.text
    assert "help me" not in caplog.text


def test_a_signature_holds_for_its_body_key_and_time_only() -> None:
    body = b'{"a": 1}'
    signature = signature_of(KEY, body, at=1_000)

    def holds(header: str, body: bytes = body, key: bytes = KEY, now: float = 1_000) -> bool:
        return verify_signature(header, body, key, clock=lambda: now)

    assert holds(signature)
    assert holds(signature, now=1_299)
    assert not holds(signature, now=1_301)
    assert not holds(signature, now=600)
    assert not holds(signature, body=b'{"a": 2}')
    assert not holds(signature, key=b"x" * 32)
    for forged in ("", "t=1000", "t=x,v1=y", "v1=", signature.replace("t=1000", "t=1001"), "t=²"):
        assert not holds(forged)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, "needs review_webhook_key_file"),
        ("nowhere", "cannot be read"),
        ("short", "at least 32"),
    ],
)
def test_a_key_that_cannot_be_used_is_an_error_at_load(
    files: Path, key: str | None, message: str
) -> None:
    (files / "short").write_text("k")
    settings = Settings(
        audit="memory",
        review_webhook="https://cases.example/",
        review_webhook_key_file=None if key is None else files / key,
    )
    with pytest.raises(SettingsError, match=message):
        Guard.load(files / "house.yaml", settings=settings)


def test_the_key_is_in_no_repr() -> None:
    assert "kkk" not in repr(Webhook(url="https://cases.example/", key=KEY))
