"""`constitution serve`, as it is run: processes, signals, files, logs."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from proxy_house import CONSTITUTION, REPLY, provider, written
from proxy_wire import MESSAGES, Got, ask, connected, got, messages, request
from redis_samples import serving as redis

from guardrails.audit.verify import verify
from guardrails.cli import main
from guardrails.proxy import logs, workers
from guardrails.proxy.signals import hear_reloads
from guardrails.testing import FakeProvider, fault

COMMAND = (sys.executable, "-c", "import sys; from guardrails.cli import main; sys.exit(main())")
LIMIT_S = 30


@dataclass
class Running:
    """The command under way, and its lines as they come."""

    process: subprocess.Popen[str]
    port: int = 0
    operations_port: int = 0
    lines: list[str] = field(default_factory=list)
    _queue: queue.Queue[str] = field(default_factory=queue.Queue)

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            self._queue.put(line)

    def until(self, wanted: str) -> str:
        end = time.monotonic() + LIMIT_S
        while True:
            line = self._queue.get(timeout=max(0.01, end - time.monotonic()))
            if wanted in line:
                return line

    def tell(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        if self.process.poll() is None:
            self.tell(signal.SIGTERM)
        return self.process.wait(LIMIT_S)

    def operations(self, path: str) -> Got:
        return ask(self.operations_port, path, method="GET")


@contextmanager
def running(
    *arguments: str,
    folder: Path,
    environ: dict[str, str] | None = None,
    command: Sequence[str] = COMMAND,
) -> Iterator[Running]:
    free = [_free_port(), _free_port()]
    process = subprocess.Popen(
        [*command, "serve", "--port", str(free[0]), "--operations-port", str(free[1]), *arguments],
        cwd=folder,
        env={**os.environ, "GUARDRAILS_AUDIT": "memory", **(environ or {})},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    made = Running(process, *free)
    reading = threading.Thread(target=made.read, daemon=True)
    reading.start()
    try:
        _until(lambda: _is_ready(made) or process.poll() is not None)
        assert process.poll() is None, "".join(made.lines)
        yield made
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reading.join(LIMIT_S)
        assert process.stderr is not None
        process.stderr.close()


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _is_ready(made: Running) -> bool:
    try:
        return made.operations("/readyz").status == 200
    except OSError:
        return False


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.05)


@pytest.fixture
def upstream() -> Iterator[FakeProvider]:
    with provider("Four.") as made:
        yield made


def options(upstream: FakeProvider, folder: Path) -> tuple[str, ...]:
    return ("--upstream", upstream.url, "-c", str(written(folder)), "--offline")


def test_it_serves_drains_and_tells_nothing_of_what_was_said(
    upstream: FakeProvider, tmp_path: Path
) -> None:
    """One run, for starting takes its time."""
    release = threading.Event()

    async def slow(request: Any) -> str:
        await asyncio.to_thread(release.wait, LIMIT_S)
        return "Slowly: forty-two."

    with (
        provider([slow]) as made,
        running(*options(made, tmp_path), "--drain-s", "20", folder=tmp_path) as run,
    ):
        assert run.operations("/healthz").body == b"alive\n"
        blocked = ask(run.port, MESSAGES, messages("My dog Rex is forbidden."))
        assert blocked.json["content"][0]["text"] == REPLY
        with connected(run.port) as connection:
            connection.sendall(request(MESSAGES, messages("Tell me of Rex.")))
            _until(lambda: made.requests.total == 1)
            run.tell(signal.SIGTERM)
            run.until("draining")
            _until(lambda: run.operations("/readyz").status == 503)
            assert run.operations("/healthz").status == 200
            release.set()
            answer = got(connection)
        assert answer.json["content"][0]["text"] == "Slowly: forty-two."
        assert answer.headers["connection"] == "close"
        assert run.process.wait(LIMIT_S) == 0
    told = [json.loads(line) for line in run.lines]
    asked = [line for line in told if line["event"] == "request"]
    assert [(line["route"], line["status"], line["verdict"]) for line in asked] == [
        ("messages", 200, "block"),
        ("messages", 200, "allow"),
    ]
    assert asked[1]["request"] == answer.headers["guardrails-request-id"]
    assert asked[1]["record"] == answer.headers["guardrails-record"]
    everything = "".join(run.lines)
    for word in ("Rex", "forty", "key-of-a-client", REPLY):
        assert word not in everything


def test_a_constitution_is_loaded_again_when_its_file_changes_or_it_is_told(
    upstream: FakeProvider, tmp_path: Path
) -> None:
    file = written(tmp_path)
    (tmp_path / "serve.toml").write_text(
        f'[serve]\nupstream = "{upstream.url}"\nconstitution = "{file}"\noffline = true\n'
        f"reload_s = 0.1\n"
    )

    def said(text: str) -> str:
        return str(ask(run.port, MESSAGES, messages(text)).json["content"][0]["text"])

    with running("--config", "serve.toml", folder=tmp_path) as run:
        assert said("A forbidden thing.") == REPLY
        file.write_text(CONSTITUTION.replace("[forbidden]", "[prohibited]"))
        run.until("a constitution is reloaded")
        assert said("A forbidden thing.") == "Four."
        assert said("A prohibited thing.") == REPLY
        file.write_text(CONSTITUTION.replace("action: block", "acton: block"))
        line = run.until("is not reloaded; the old one stays")
        assert re.search(r"house\.yaml:\d+:\d+: .*acton", line)
        assert said("A prohibited thing.") == REPLY
        assert run.operations("/readyz").status == 200
        metrics = run.operations("/metrics").body.decode()
        assert 'guardrails_proxy_reloads_total{result="done"} 1.0' in metrics
        assert 'guardrails_proxy_reloads_total{result="refused"} 1.0' in metrics
        run.tell(signal.SIGHUP)
        run.until("is not reloaded; the old one stays")
        file.write_text(CONSTITUTION)
        run.until("a constitution is reloaded")
        assert said("A forbidden thing.") == REPLY


@pytest.mark.timeout(120)
def test_several_processes_share_the_port_the_record_and_the_numbers(
    upstream: FakeProvider, tmp_path: Path
) -> None:
    record = tmp_path / "audit.db"
    environ = {"GUARDRAILS_AUDIT": str(record)}
    arguments = (*options(upstream, tmp_path), "--workers", "2")
    with running(*arguments, folder=tmp_path, environ=environ) as run:
        _until(lambda: "guardrails_proxy_ready 2.0" in run.operations("/metrics").body.decode())
        workers = _children(run.process.pid)
        assert len(workers) == 2
        _ask_at_once(run.port, 60)
        told = b'guardrails_proxy_requests_total{route="messages",status="200"} 60.0'
        _until(lambda: told in run.operations("/metrics").body)
        run.tell(signal.SIGHUP)
        for _ in workers:
            run.until("a constitution is reloaded")
        os.kill(workers[0], signal.SIGKILL)
        run.until("a worker ended")
        _until(lambda: len(set(_children(run.process.pid)) - set(workers)) == 1)
        _ask_at_once(run.port, 10)
        assert run.end() == 0
    verified = verify(record, key=tmp_path / "key")
    assert verified.ok, verified
    assert verified.writers >= 2


@pytest.mark.timeout(120)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_reload_while_it_starts_waits(
    upstream: FakeProvider, tmp_path: Path, workers: str
) -> None:
    """As the system's service manager sends it to what was started a moment ago."""
    (tmp_path / "begin.py").write_text(
        "import os, signal, sys\n"
        "from guardrails.cli import main\n"
        "from guardrails.proxy import server\n"
        "made = server.make_proxy\n"
        "def make_proxy(*args, **more):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    return made(*args, **more)\n"
        "server.make_proxy = make_proxy\n"  # workers that are spawned read this file, too
        "if __name__ == '__main__':\n"
        "    sys.exit(main())\n"
    )
    arguments = (*options(upstream, tmp_path), "--workers", workers)
    command = (sys.executable, "begin.py")
    with running(*arguments, folder=tmp_path, command=command) as run:
        for _ in range(int(workers)):
            run.until("a constitution is reloaded")
        ready = f"guardrails_proxy_ready {workers}.0"
        _until(lambda: ready in run.operations("/metrics").body.decode())
        assert not any("a worker ended" in line for line in run.lines)
        assert run.end() == 0


@pytest.mark.timeout(120)
def test_processes_end_with_the_one_that_began_them(upstream: FakeProvider, tmp_path: Path) -> None:
    arguments = (*options(upstream, tmp_path), "--workers", "2")
    with running(*arguments, folder=tmp_path) as run:
        _until(lambda: len(_children(run.process.pid)) == 2)
        workers = _children(run.process.pid)
        run.process.kill()
        run.process.wait()
        _until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


JUDGED = """
schema: 1
id: judged
version: 1.0.0
principles:
  - {id: judged.kind, text: Is kind., stages: [input], action: block, critics: [judge]}
"""


def _passing(request: Any) -> Any:
    """What a judge says who finds nothing."""
    _, _, end = request.text.rpartition("each exactly once:\n")
    ids = re.findall(r"^- (\S+)$", end, re.MULTILINE)
    return {
        "verdicts": [{"id": id, "reason": "Fine.", "quote": "", "verdict": "pass"} for id in ids]
    }


@pytest.mark.proof  # for each process loads an SDK
@pytest.mark.timeout(120)
def test_several_processes_share_what_a_judge_has_said(
    upstream: FakeProvider, tmp_path: Path
) -> None:
    with redis(tmp_path) as store, provider(_passing) as judge:
        (tmp_path / "guardrails.toml").write_text(
            f'cache = "{store.url}"\nkey_file = "{tmp_path / "key"}"\n'
            f'[models]\nsmall = "judge/small"\n'
            f'[providers.judge]\nkind = "anthropic"\nbase_url = "{judge.url}"\n'
        )
        (tmp_path / "key").write_text(64 * "a")
        (tmp_path / "key").chmod(0o600)
        file = str(written(tmp_path, JUDGED, "judged"))
        arguments = ("--upstream", upstream.url, "-c", file, "--workers", "2")
        with running(*arguments, folder=tmp_path) as run:
            _until(lambda: "guardrails_proxy_ready 2.0" in run.operations("/metrics").body.decode())
            assert ask(run.port, MESSAGES, messages()).status == 200
            _ask_at_once(run.port, 40)
            assert run.end() == 0
        assert judge.requests.total == 1


def test_what_does_not_end_in_time_is_ended(tmp_path: Path) -> None:
    with (
        provider(fault("never-answers")) as made,
        running(*options(made, tmp_path), "--drain-s", "1", folder=tmp_path) as run,
        connected(run.port) as connection,
    ):
        connection.sendall(request(MESSAGES, messages()))
        _until(lambda: made.requests.total == 1)
        run.tell(signal.SIGTERM)
        answer = got(connection)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert run.process.wait(LIMIT_S) == 0


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with (
        provider(fault("never-answers")) as made,
        running(*options(made, tmp_path), "--drain-s", "600", folder=tmp_path) as run,
        connected(run.port) as connection,
    ):
        connection.sendall(request(MESSAGES, messages()))
        _until(lambda: made.requests.total == 1)
        run.tell(signal.SIGTERM)
        run.until("draining")
        run.tell(signal.SIGTERM)  # as good as the same one
        threading.Event().wait(0.8)
        assert run.process.poll() is None
        run.tell(signal.SIGINT)
        assert run.process.wait(LIMIT_S) == 0


CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUG0g/Lo3sMDbWGPgJCdFBkLFjaTUwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNTAzMTQ0NFoYDzIxMjYxMTAx
MDMxNDQ0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT7/YTwFDoMW9EgvxHTK61eTRAp2C1pnQ07d9GhDpG0fFg0Y+Xg0McK
s1eTBEmEzXbYeTA2e62Ce+KInhEf6n/to28wbTAdBgNVHQ4EFgQUxqO6Wx3m9juV
TEkkV+twEvBtSxgwHwYDVR0jBBgwFoAUxqO6Wx3m9juVTEkkV+twEvBtSxgwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgeaV6F4D0mgdEQl149co9s8gdjfh4oObw3eLrOZ/ImCMCICfe
8WaS86pcEYcdSOekVc+B0DwuJYq/01e0GTSUf7FD
-----END CERTIFICATE-----
"""
TLS_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHmyTgAEaqAKfWMs/
RLtXxqaHMJ5QvYd+EZ79YSh0mHuhRANCAAT7/YTwFDoMW9EgvxHTK61eTRAp2C1p
nQ07d9GhDpG0fFg0Y+Xg0McKs1eTBEmEzXbYeTA2e62Ce+KInhEf6n/t
-----END PRIVATE KEY-----
"""
"""Made for these tests, valid for a hundred years: `openssl req -x509 -newkey ec …`."""


def test_it_can_end_tls_itself(upstream: FakeProvider, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text(CERTIFICATE)
    (tmp_path / "key.pem").write_text(TLS_KEY)
    (tmp_path / "serve.toml").write_text(
        f'[serve]\nupstream = "{upstream.url}"\nconstitution = "{written(tmp_path)}"\n'
        f"offline = true\n"
        f'[serve.tls]\ncert = "cert.pem"\nkey = "key.pem"\n'
    )
    trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    with (
        running("--config", "serve.toml", folder=tmp_path) as run,
        connected(run.port) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(request(MESSAGES, messages()))
        assert got(connection).json["content"][0]["text"] == "Four."


def test_tls_that_cannot_be_served_is_told_before_anything_is(tmp_path: Path) -> None:
    (tmp_path / "serve.toml").write_text(
        f'audit = "elsewhere.db"\n[serve]\nupstream = "http://127.0.0.1:9"\n'
        f'constitution = "{written(tmp_path)}"\noffline = true\n'
        f'[serve.tls]\ncert = "cert.pem"\nkey = "key.pem"\n'
    )
    done = subprocess.run(
        [*COMMAND, "serve", "--config", "serve.toml", "--check-config"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "serve.tls: cert 'cert.pem' and key 'key.pem' cannot be used" in done.stderr
    assert "only [serve] is read" in done.stderr
    assert "not_read=audit" in done.stderr.replace("'", "").replace('"', "")
    assert "Traceback" not in done.stderr


def _ask_at_once(port: int, times: int) -> None:
    """On as many connections, so that both processes take some."""
    statuses: list[int] = []

    def one() -> None:
        statuses.append(ask(port, MESSAGES, messages()).status)

    threads = [threading.Thread(target=one) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert statuses == times * [200]


def _children(parent: int) -> list[int]:
    """Processes that were spawned by it, the resource tracker's aside."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                status = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if int(status[1]) == parent and b"spawn_main" in command:
                found.append(int(folder.name))
    return sorted(found)


WRONG = {
    "nothing said": ((), "upstream: missing; give --upstream URL"),
    "no constitution": (("--upstream", "https://a.example"), "constitution: missing"),
    "an unknown constitution": (
        ("--upstream", "https://a.example", "-c", "unheard-of", "--offline"), "unheard-of"),
    "an upstream that is none": (("--upstream", "a.example", "-c", "base"), "expected an address"),
    "no such file": (("--config", "missing.toml"), "there is no such file"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_at_start(
    arguments: tuple[str, ...],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", "memory")
    assert main(["serve", *arguments, "--operations-port", "0", "--port", "0"]) == 2
    assert told in capsys.readouterr().err


def test_all_that_is_wrong_is_told_at_once_in_plain_words_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "guardrails.toml"
    file.write_text(
        "[serve]\n"
        'upstream = { antropic = "https://a.example" }\n'
        "constitution = 5\n"
        'hosts = "a.example"\n'
        "limits = { body_s = 'soon', in_flight = 0 }\n"
        "[serve.clients.shop]\n"
        'key_sha256 = "abc"\n'
        "  per_minut = 5\n"
        "[serve.check]\n"
    )
    assert main(["serve", "--check-config", "--host", ""]) == 2
    told = capsys.readouterr().err
    for line in (
        f"{file}:2:14: serve.upstream.antropic: unknown key; expected 'anthropic' or 'openai'",
        f"{file}:3:1: serve.constitution: expected a text",
        "--host: expected a text that is not empty",
        f"{file}:4:1: serve.hosts: expected a list",
        f"{file}:5:12: serve.limits.body_s: expected a number",
        f"{file}:5:29: serve.limits.in_flight: expected 1 or more",
        f"{file}:7:1: serve.clients.shop.key_sha256: expected a SHA-256 of 64 hexadecimal digits",
        f"{file}:8:3: serve.clients.shop.per_minut: unknown key; did you mean 'per_minute'?",
        f"{file}:9:1: serve.check: expected one of token_env and token_sha256",
    ):
        assert line in told
    assert "frozenset" not in told
    assert "pydantic" not in told


def test_what_is_wrong_beyond_the_file_is_told_at_once_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", str(tmp_path))
    monkeypatch.setenv("GUARDRAILS_KEY_FILE", str(tmp_path / "key"))
    wrong = written(tmp_path, CONSTITUTION.replace("action: block", "acton: block"))
    (tmp_path / "serve.toml").write_text(
        f'[serve]\nupstream = "https://a.example"\nconstitution = "{wrong}"\noffline = true\n'
        f'[serve.clients.shop]\nkey_env = "SHOP_KEY"\nupstream_key_env = "OUR_KEY"\n'
        f'[serve.clients.clinic]\nkey_env = "CLINIC_KEY"\nconstitution = "unheard-of"\n'
        f'[serve.check]\ntoken_env = "CHECK_TOKEN"\n'
        f'[serve.routes."/v1/message"]\nconstitution = "base"\n'
        f'[serve.tls]\ncert = "cert.pem"\nkey = "key.pem"\n'
    )
    assert main(["serve", "--config", "serve.toml", "--check-config"]) == 2
    told = capsys.readouterr().err
    for part in (
        "serve.tls: cert",
        "serve.routes./v1/message: not one of",
        "serve.clients.shop.upstream_key_env.anthropic: the variable OUR_KEY is not set",
        "serve.clients.clinic: the variable CLINIC_KEY is not set",
        "serve.check: the variable CHECK_TOKEN is not set",
        "Is a directory",
        "acton",
        "unheard-of",
    ):
        assert part in told, part


def test_processes_that_can_put_their_numbers_nowhere_are_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a container whose root cannot be written, without a /tmp."""

    def nowhere(**_: Any) -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", "memory")
    monkeypatch.setattr(workers.tempfile, "mkdtemp", nowhere)
    monkeypatch.setattr(logs, "set_up", lambda: None)
    arguments = ["--upstream", "https://a.example", "-c", str(written(tmp_path)), "--offline"]
    ports = ["--port", "0", "--operations-port", "0"]
    assert main(["serve", *arguments, *ports, "--workers", "2"]) == 2
    hear_reloads()
    told = capsys.readouterr().err
    assert "serve.workers: several processes need a folder" in told
    assert "TMPDIR" in told


def test_a_redis_that_is_away_is_told_and_can_be_served(tmp_path: Path) -> None:
    (tmp_path / "guardrails.toml").write_text(
        f'cache = "redis://:hunter2@127.0.0.1:1/0"\naudit = "audit.db"\n'
        f'[serve]\nupstream = "http://127.0.0.1:9"\n'
        f'constitution = "{written(tmp_path)}"\noffline = true\n'
    )
    done = subprocess.run(
        [*COMMAND, "serve", "--check-config"],
        cwd=tmp_path,
        env={**os.environ, "GUARDRAILS_AUDIT": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    away = "AWAY, redis://127.0.0.1:1/0 cannot be used (ConnectionError); nothing is kept"
    assert f"verdict cache: {away}" in done.stderr
    assert done.stderr.count("127.0.0.1:1/0") == 1, "told once"
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("more", [(), ("--check-config",)], ids=["serving", "checking"])
def test_a_record_that_cannot_be_written_is_told_at_start(
    more: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_KEY_FILE", str(tmp_path / "key"))
    arguments = ("--upstream", "https://a.example", "-c", "base", "--offline", *more)
    for audit, told in (
        (str(tmp_path / "file" / "audit.db"), "is no folder; see to it, or name another file in"),
        (str(tmp_path), "Is a directory"),
        ("postgresql://u:hunter2@db/audit", "not an address"),
    ):
        monkeypatch.setenv("GUARDRAILS_AUDIT", audit)
        assert main(["serve", *arguments, "--operations-port", "0", "--port", "0"]) == 2
        said = capsys.readouterr().err
        assert told in said
        assert "hunter2" not in said
        assert main(["doctor"]) == 1
        assert "✗" in capsys.readouterr().out


def test_a_port_that_is_taken_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        port = str(bound.getsockname()[1])
        arguments = ("--upstream", "https://a.example", "-c", "base", "--offline")
        assert main(["serve", *arguments, "--operations-port", "0", "--port", port]) == 2
    assert "name another --host or --port" in capsys.readouterr().err


def test_a_configuration_can_be_tried_without_serving(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", "memory")
    arguments = ("--upstream", "https://a.example", "-c", "base", "--offline", "--check-config")
    assert main(["serve", *arguments]) == 0
    told = capsys.readouterr().err
    assert "can be served" in told
    assert "/chat" not in told
    (tmp_path / "serve.toml").write_text('[serve.routes."/chat"]\nformat = "text"\n')
    assert main(["serve", "--config", "serve.toml", *arguments]) == 0
    assert "/chat: events of this path are read as pieces of a plain text" in (
        capsys.readouterr().err
    )
