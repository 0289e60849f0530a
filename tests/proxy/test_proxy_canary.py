"""Promise 9 at the proxy: what is said stands in no log, metric or error, whatever goes wrong."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from proxy_house import config_of, provider, serving, written
from proxy_wire import CHAT, MESSAGES, ask, chat, messages

from guardrails.testing import api_error, faults

CANARY = "canary-7f3a9c"
LIMITS = {"first_byte_s": 0.2, "idle_s": 0.2}

ASKED: dict[str, dict[str, Any]] = {
    "in a path": {"target": f"/v1/{CANARY}"},
    "in a path that is unclear": {"target": f"/v1/%2f{CANARY}"},
    "in a query": {"target": f"{MESSAGES}?q={CANARY}"},
    "in a model's id": {"target": f"/v1/models/{CANARY}%20x", "method": "GET"},
    "in a key": {"headers": {"authorization": f"Basic {CANARY}"}},
    "in two keys": {"headers": {"x-api-key": CANARY}},
    "in a beta": {"headers": {"anthropic-beta": CANARY}},
    "in a host": {"headers": {"host": CANARY}},
    "in an origin": {"headers": {"origin": f"https://{CANARY}"}},
    "in a request id": {"headers": {"x-request-id": f"{CANARY} {CANARY}"}},
    "in any header": {"headers": {f"x-{CANARY}": CANARY}},
    "in a type of content": {"headers": {"content-type": CANARY}},
    "in a tool's type": {"body": messages(tools=[{"type": CANARY, "name": "t"}])},
    "in a tool": {"body": messages(tools=[{"name": CANARY, "input_schema": {"type": CANARY}}])},
    "in a model": {"body": messages(model=CANARY)},
    "in a field": {"body": messages(**{CANARY: CANARY})},
    "in no JSON": {"body": f"{{{CANARY}".encode()},
    "in a key twice": {"body": f'{{"{CANARY}": 1, "{CANARY}": 2}}'.encode()},
    "in what is blocked": {"body": messages(f"{CANARY} is forbidden")},
    "in what is redacted": {"body": messages(f"{CANARY} is secret")},
    "in a chat": {"target": CHAT, "body": chat(f"{CANARY} is forbidden")},
}


def test_promise_9_nothing_that_is_said_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = [each.saying(f"{CANARY} is forbidden") for each in faults() if each.status == 200]
    said += [api_error(status, message=CANARY) for status in (400, 429, 500)]
    with (
        provider(f"{CANARY} is forbidden") as upstream,
        serving(config_of(upstream.url, written(tmp_path), access_log=True)) as house,
    ):
        for options in ASKED.values():
            answer = ask(house.port, **{"target": MESSAGES, "body": messages(CANARY), **options})
            if answer.status >= 400 and answer.headers.get("guardrails-verdict") is None:
                assert CANARY not in answer.body.decode(), options
        metrics = house.proxy.metrics.text().decode()
    with (
        provider(said) as upstream,
        serving(
            config_of(upstream.url, written(tmp_path), access_log=True, limits=LIMITS)
        ) as house,
    ):
        for _ in said:
            ask(house.port, MESSAGES, messages(CANARY))
        metrics += house.proxy.metrics.text().decode()
    told = capfd.readouterr()
    ours = [
        record for record in caplog.records if not record.name.startswith(("aiohttp", "asyncio"))
    ]
    assert '"event": "request"' in told.err
    assert CANARY not in metrics
    assert CANARY not in "\n".join(
        f"{record.getMessage()} {record.exc_text or ''}" for record in ours
    )
    lines = [line for line in told.err.splitlines() if '"event": "request"' in line]
    assert len(lines) >= len(ASKED) + len(said)
    assert CANARY not in "\n".join(lines)
