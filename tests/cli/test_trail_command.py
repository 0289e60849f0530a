"""`constitution audit` tells what stands in a trail and proves it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from guardrails.audit.record import Begun, Closed, Opened
from guardrails.audit.trail import open_trail
from guardrails.cli import main
from guardrails.guard import Guard
from guardrails.settings import Settings

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
FINDING = {
    "principle": "pii.output.EMAIL_ADDRESS",
    "critic": "pii",
    "value": "breach",
    "cause": "policy",
    "action": "redact",
    "severity": "medium",
    "part": 0,
    "span": (3, 9),
}


@pytest.fixture
def trail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three records, the last one never closed; settings name the trail."""
    file = tmp_path / "audit.db"
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(file))
    monkeypatch.chdir(tmp_path)
    asyncio.run(_write(Settings(audit=str(file), audit_anchor=tmp_path / "anchor")))
    return file


async def _write(settings: Settings) -> None:
    trail = open_trail(settings)
    for name, verdict in (("first", "allow"), ("second", "redact"), ("third", "block")):
        judged = trail.digest([name])
        await trail.open(
            Opened.model_validate(
                {
                    "record_id": name,
                    "at": AT,
                    "stage": "output",
                    "verdict": verdict,
                    "cause": None if verdict == "allow" else "policy",
                    "constitution": {"id": "medical", "version": "1.0.0", "digest": "sha256:0"},
                    "tenant": "t\x1b[31m",
                    "findings": [] if verdict == "allow" else [FINDING],
                    "judged_digest": judged,
                }
            )
        )
        if name != "third":
            await trail.close(Closed(record_id=name, at=AT, how="judged", delivered_digest=judged))
    await trail.aclose()


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str]:
        status = main(["audit", *arguments])
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
        return status, out + err

    return run


def document(run: Run, *arguments: str) -> Any:
    return json.loads(run(*arguments, "--json")[1])


def test_tail_lists_the_newest_last(trail: Path, run: Run) -> None:
    status, told = run("tail", "-n", "2")
    assert status == 0
    second, third = told.splitlines()
    assert "redact" in second
    assert "pii.output.EMAIL_ADDRESS" in second
    assert third.endswith("third")
    assert [r["record_id"] for r in document(run, "tail")["records"]] == [
        "first",
        "second",
        "third",
    ]


def test_show_tells_one_record_whole(trail: Path, run: Run) -> None:
    status, told = run("show", "second")
    assert status == 0
    assert "delivered judged" in told
    assert "t␛[31m" in told
    assert document(run, "show", "second")["opened"]["findings"][0]["span"] == [3, 9]


def test_show_of_an_unknown_record_is_wrong_usage(trail: Path, run: Run) -> None:
    status, told = run("show", "nobody")
    assert (status, "no record 'nobody'" in told) == (2, True)


def test_verify_says_what_holds_and_what_cannot_be_known(trail: Path, run: Run) -> None:
    status, told = run("verify")
    assert status == 0
    assert "VERIFIED" in told
    assert "1 not closed, their process ended first or could not write: third" in told
    assert "tail not anchored" in told


def test_verify_with_an_anchor_knows_the_tail(trail: Path, run: Run) -> None:
    status, told = run("verify", str(trail), "--anchor", str(trail.with_name("anchor")))
    assert (status, "not anchored" in told) == (0, False)
    assert document(run, "verify")["tail_anchored"] is False


def test_verify_names_what_was_tampered_with(trail: Path, run: Run) -> None:
    with closing(sqlite3.connect(trail)) as connection, connection:
        connection.execute("DELETE FROM entry WHERE record_id = 'second'")
    status, told = run("verify")
    assert (status, "BROKEN" in told) == (1, True)
    assert document(run, "verify")["ok"] is False


@pytest.mark.parametrize("command", [["tail"], ["show", "x"], ["verify"]], ids=" ".join)
def test_a_trail_that_is_not_there_is_named(
    command: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(tmp_path / "none.db"))
    status, told = run(*command)
    assert (status, "none.db" in told) == (2, True)
    monkeypatch.setenv("GUARDRAILS_AUDIT", "memory")
    status, told = run(*command)
    assert (status, "in memory" in told) == (2, True)


def test_a_wrong_key_is_a_configuration_error(trail: Path, run: Run, tmp_path: Path) -> None:
    status, told = run("verify", "--key", str(tmp_path / "no-key"))
    assert (status, "cannot be read" in told) == (2, True)


def test_a_stream_tells_how_far_it_got(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "streams.db"
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(file))
    settings = Settings(audit=str(file))
    ids: list[str] = []

    async def read(stop_after: int) -> None:
        guard = Guard.load("base", offline=True, settings=settings)
        stream = guard.stream(["A sentence. ", "Another one. ", "It is 078-05-1120. ", "Bye."])
        for _ in range(stop_after):
            await anext(stream, None)
        await stream.aclose()
        ids.append(stream.decision.record_id)
        await guard.aclose()

    asyncio.run(read(1))
    asyncio.run(read(9))
    interrupted, whole = (run("show", record)[1] for record in ids)
    assert "delivered interrupted" in interrupted
    assert "delivered judged" in whole
    assert document(run, "show", ids[0])["begun"]["stage"] == "output"
    assert "verified" in run("verify")[1].lower()


def test_a_stream_whose_end_was_never_written_is_no_damage(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "streams.db"
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(file))

    async def begin() -> None:
        trail = open_trail(Settings(audit=str(file)))
        pin = {"id": "base", "version": "1.0.0", "digest": "sha256:0"}
        values = {"record_id": "open", "at": AT, "stage": "output", "tenant": "default"}
        await trail.begin(Begun.model_validate({**values, "constitution": pin}))
        await trail.aclose()

    asyncio.run(begin())
    status, told = run("show", "open")
    assert status == 0
    assert "has begun, its end is not on record" in " ".join(told.split())
    status, told = run("verify")
    assert status == 0
    assert "1 not closed" in told
