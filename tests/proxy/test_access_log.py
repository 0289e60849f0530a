"""One line for each exchange, at its end: what became of it and why, and nothing that was said."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from proxy_house import CONSTITUTION, KEY, House, Records, config_of, provider, serving, until
from proxy_house import written as put
from proxy_wire import CHAT, MESSAGES, RESPONSES, ask, chat, connected, messages, request, responses

from guardrails.audit.record import Opened
from guardrails.errors import AuditError
from guardrails.proxy.logs import access_log
from guardrails.testing import FakeProvider, api_error, fault

SAID = "My dog Rex is called"


@dataclass
class Logged:
    house: House
    upstream: FakeProvider
    stream: io.StringIO = field(default_factory=io.StringIO)

    def line(self) -> dict[str, Any]:
        """Of the one exchange that was."""
        until(lambda: self.stream.getvalue().endswith("\n"))
        text = self.stream.getvalue()
        assert "Rex" not in text
        assert KEY not in text
        (line,) = text.splitlines()
        self.stream.seek(0)
        self.stream.truncate()
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def logging(folder: Path, answers: Any, *, records: Any = None, **said: Any) -> Iterator[Logged]:
    text = said.pop("text", CONSTITUTION)
    said = {"models": ["gpt-5"], **said}
    with (
        provider(answers) as upstream,
        serving(config_of(upstream.url, put(folder, text), **said), records=records) as house,
    ):
        made = Logged(house, upstream)
        house.proxy.gate.access = access_log(made.stream)
        yield made


ASKS = {MESSAGES: messages, CHAT: chat, RESPONSES: responses}


@pytest.mark.parametrize("path", ASKS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_clean_exchange(tmp_path: Path, path: str, stream: bool) -> None:
    with logging(tmp_path, "Rex is fine.") as log:
        more = {"stream": True} if stream else {}
        if stream and path == CHAT:
            more["stream_options"] = {"include_usage": True}
        asked = ASKS[path](SAID, **more)
        answer = ask(log.house.port, path, asked)
        line = log.line()
    assert line["request"] == answer.headers["guardrails-request-id"]
    assert (line["status"], line["verdict"], line["model"]) == (200, "allow", asked["model"])
    assert line["record"] == answer.headers["guardrails-record"]
    assert line["constitution"] == "house@1.0.0"
    assert line["tokens_in"] > 0
    assert line["tokens_out"] > 0
    assert line["upstream_ms"] <= line["first_ms"] <= line["ms"]
    assert line.get("stream", False) is stream
    assert {"reason", "cause", "principles"} & line.keys() == set()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("asked", "answered", "verdict", "principles"),
    [
        (f"{SAID} forbidden.", "Rex.", "block", ["house.forbidden"]),
        (SAID, "Rex is forbidden.", "block", ["house.forbidden"]),
        (SAID, "Rex keeps the secret.", "redact", ["house.secret"]),
        (f"{SAID} secret.", "Rex. I promise it.", "revise", ["house.secret", "house.promise"]),
    ],
    ids=["asked", "answered", "redacted", "both"],
)
def test_what_was_found_is_told_by_its_principles(
    tmp_path: Path, stream: bool, asked: str, answered: str, verdict: str, principles: list[str]
) -> None:
    with logging(tmp_path, answered) as log:
        ask(log.house.port, MESSAGES, messages(asked, **({"stream": True} if stream else {})))
        line = log.line()
    assert (line["status"], line["verdict"]) == (200, verdict)
    assert line["principles"] == principles
    assert "reason" not in line


class Failing(Records):
    async def open(self, record: Opened) -> None:
        if record.stage == "output":
            raise AuditError("the disk is full")
        await super().open(record)


SMALL = CONSTITUTION.replace("1000000", "1000")
WHY: dict[str, tuple[dict[str, Any], Any, Any, int, str]] = {
    "the provider's error": ({}, api_error(429), messages(SAID), 429, "upstream_status"),
    "a provider that drops it": (
        {}, fault("reset-before-headers"), messages(SAID), 502, "upstream_dropped"),
    "a silent one": (
        {"limits": {"first_byte_s": 0.2}}, fault("never-answers"), messages(SAID), 504,
        "upstream_first_byte"),
    "no record": ({"records": Failing()}, "Rex.", messages(SAID), 503, "record"),
    "a limit": ({"text": SMALL}, "Rex.", messages(SAID * 60), 413, "limit"),
    "a reply that is too long": (
        {"limits": {"body_bytes": 2_000}}, lambda _: "Rex. " * 1_000,
        messages(SAID, max_tokens=5_000), 413, "too_long"),
    "no request": ({}, "Rex.", messages(SAID, messages=[SAID]), 400, "unreadable"),
    "no JSON": ({}, "Rex.", b'{"Rex', 400, "body"),
    "a tool": (
        {}, "Rex.", messages(SAID, tools=[{"type": "web_fetch", "name": "Rex"}]), 403, "tool"),
}  # fmt: skip


@pytest.mark.parametrize(("said", "answers", "asked", "status", "reason"), WHY.values(), ids=WHY)
def test_why_it_failed(
    tmp_path: Path, said: dict[str, Any], answers: Any, asked: Any, status: int, reason: str
) -> None:
    with logging(tmp_path, answers, **said) as log:
        assert ask(log.house.port, MESSAGES, asked).status == status
        line = log.line()
    assert (line["route"], line["status"], line["reason"]) == ("messages", status, reason)


def test_a_stream_that_cannot_be_recorded(tmp_path: Path) -> None:
    """Whether any of it has left by then is a matter of moments."""
    with logging(tmp_path, "Rex.", records=Failing()) as log:
        ask(log.house.port, MESSAGES, messages(SAID, stream=True))
        line = log.line()
    assert line["status"] in (200, 503)
    assert line["reason"] == "record"


def test_who_leaves_and_who_checks(tmp_path: Path) -> None:
    check = {"token_sha256": "0" * 64}
    with logging(tmp_path, fault("never-answers"), check=check) as log:
        with connected(log.house.port) as connection:
            connection.sendall(request(MESSAGES, messages(SAID)))
            until(lambda: log.upstream.requests.total == 1)
        line = log.line()
        assert (line["status"], line["reason"], line["verdict"]) == (499, "left", "allow")
        assert ask(log.house.port, "/v1/check", {"text": SAID}).status == 401
        line = log.line()
        assert (line["route"], line["reason"]) == ("check", "check_token")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("claude-haiku-5-5", "claude-haiku-5-5"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
        ("gpt-5", "gpt-5"),
        ("my-dog-Rex", "other"),
        ("claude-my-dog-Rex", "other"),
        (SAID, None),
    ],
)
def test_only_models_that_are_known_are_told(tmp_path: Path, model: str, told: str | None) -> None:
    with logging(tmp_path, "Fine.") as log:
        ask(log.house.port, MESSAGES, messages(SAID, model=model))
        assert log.line().get("model") == told
