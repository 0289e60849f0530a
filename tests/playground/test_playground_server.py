"""The playground's server answers its own page, and nobody else."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playground_samples import CONSTITUTION, served

from guardrails.cli import main


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("playground") / "house.yaml"
    file.write_text(CONSTITUTION)
    return file


@pytest.fixture(scope="module")
def address(file: Path) -> Iterator[str]:
    with served(file) as address:
        yield address


def ask(url: str, body: object = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=data, headers=named)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


def checked(address: str, **question: Any) -> list[dict[str, Any]]:
    status, _, body = ask(f"{address}/check", question)
    assert status == 200
    decisions: list[dict[str, Any]] = json.loads(body)["decisions"]
    return decisions


def state(address: str, since: int = 0) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ask(f"{address}/state?since={since}")[2])
    return told


def test_a_reply_is_critiqued_and_revised(address: str) -> None:
    (made,) = checked(address, reply="Rest. Then take 80 mg now. Bye.")
    assert (made["stage"], made["verdict"]) == ("output", "revise")
    assert ["mark", "take 80 mg"] in made["marked"]
    assert ["new", "Please ask a doctor."] in made["changed"]
    assert made["delivered"] == "Rest. Please ask a doctor. Bye."
    assert [found["principle"] for found in made["findings"]] == ["house.dose"]
    assert made["findings"][0]["place"] == "line 6"
    assert [one["id"] for one in made["open"]] == ["house.dose"]


def test_prompt_and_reply_are_judged_each_at_its_stage(address: str) -> None:
    first, second = checked(address, prompt="xyzzy", reply="Hello.")
    assert (first["stage"], first["verdict"], first["reply"]) == ("input", "block", "blocked")
    assert (second["stage"], second["verdict"]) == ("output", "allow")
    assert second["marked"] == [["same", "Hello."]]


def test_what_cannot_be_seen_is_shown(address: str) -> None:
    (made,) = checked(address, reply="take\u200b 80 mg\u202e")
    assert "‹U+202E›" in "".join(text for _, text in made["marked"])


def test_the_state_has_lint_and_tests(address: str) -> None:
    told = state(address)
    assert told["constitution"]["id"] == "house"
    assert told["problems"] == []
    assert [test["status"] for test in told["tests"]] == ["passed", "passed"]


def test_a_change_of_the_file_is_told_with_its_place_and_undone(address: str, file: Path) -> None:
    before = state(address)["revision"]
    file.write_text(CONSTITUTION.replace("action: revise", "acton: revise"))
    broken = state(address, since=before)
    assert [(p["line"], p["where"]) for p in broken["problems"]] == [(8, "principles[0].acton")]
    assert broken["problems"][0]["source"] == "    acton: revise"
    assert broken["stale"]
    assert checked(address, reply="take 80 mg")[0]["verdict"] == "revise", "the last version holds"
    file.write_text(CONSTITUTION)
    assert state(address, since=broken["revision"])["problems"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
    ids=str,
)
def test_other_sites_are_refused(address: str, headers: dict[str, str]) -> None:
    status, _, body = ask(f"{address}/check", {"reply": "hello"}, **headers)
    assert status == 403
    assert b"verdict" not in body


def test_the_page_may_load_nothing_from_elsewhere(address: str) -> None:
    status, headers, body = ask(f"{address}/")
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["x-content-type-options"] == "nosniff"
    for name in ("page.js", "page.css", "icon.svg"):
        status, _, content = ask(f"{address}/{name}")
        assert status == 200
        body += content
    links = {
        part for part in body.decode().split('"') if part.startswith(("http:", "https:", "//"))
    }
    assert {urlsplit(link).hostname for link in links} <= {"www.w3.org"}, "a namespace, no address"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"reply": 1}', 400),
        (b'{"reply": "a", "more": 1}', 400),
        (b"\xff\xfe", 400),
        (b'{"reply": "' + b"a" * 1_000_001 + b'"}', 413),
    ],
    ids=["empty", "list", "number", "unknown key", "binary", "huge"],
)
def test_bad_questions_are_refused(address: str, body: bytes, status: int) -> None:
    assert ask(f"{address}/check", body)[0] == status


def test_a_missing_file_is_an_error_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["playground", "./nowhere.yaml"]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_a_taken_port_is_told(address: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = str(urlsplit(address).port)
    assert main(["playground", str(file), "--port", port]) == 2
    assert "name another --port" in capsys.readouterr().err
