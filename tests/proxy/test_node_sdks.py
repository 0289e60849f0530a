"""The official SDKs for Node get through the proxy what they get directly; a breach is a refusal.

`node/sdks.mjs` makes the calls. What `node/package-lock.json` pins is installed once, into the
user's cache folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from proxy_house import KEY, REPLY, config_of, provider, serving, written

from guardrails.testing import Fault, Reply, Thinking, ToolCall, api_error, fault
from guardrails.testing.provider import ProviderRequest

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

NODE = Path(__file__).parent / "node"
PROGRAM = NODE / "sdks.mjs"
PINS = (NODE / "package.json", NODE / "package-lock.json")
LIMIT_S = 120

CALL = ToolCall("weather", {"city": "Ulm"})
LONG = "Four, and no less. It was always four."
CLEAN: dict[str, list[Any]] = {
    "messages.create": ["Four."],
    "messages.create/thinking": [Reply(Thinking("Two and two."), "Four.")],
    "messages.create/tool": [CALL],
    "messages.create/stream": [LONG],
    "messages.create/withResponse": ["Four."],
    "messages.create/asResponse": ["Four."],
    "messages.create/stream/asResponse": [LONG],
    "messages.stream": [LONG],
    "messages.stream/for-await": [LONG],
    "messages.stream/finalText": [LONG],
    "messages.stream/tool": [Reply("Let me look.", CALL)],
    "messages.stream/withResponse": [LONG],
    "messages.stream/toReadableStream": [LONG],
    "messages.stream/parse": [{"answer": 4}],
    "messages.parse": [{"answer": 4}],
    "messages.parse/schema": [{"answer": 4}],
    "messages.countTokens": [],
    "beta.messages.create": ["Four."],
    "beta.messages.stream": [LONG],
    "beta.messages.stream/toReadableStream": [LONG],
    "beta.messages.parse": [{"answer": 4}],
    "beta.messages.countTokens": [],
    "beta.messages.toolRunner": [CALL, "It rains."],
    "beta.messages.toolRunner/turns": [Reply("Let me look.", CALL), "It rains."],
    "beta.messages.toolRunner/stream": [Reply("Let me look.", CALL), "It rains."],
    "models.list": [],
    "models.retrieve": [],
    "chat.create": ["Four."],
    "chat.create/tool": [CALL],
    "chat.create/stream": [LONG],
    "chat.create/withResponse": ["Four."],
    "chat.create/asResponse": ["Four."],
    "chat.create/stream/asResponse": [LONG],
    "chat.stream": [LONG],
    "chat.stream/for-await": [LONG],
    "chat.stream/tool": [Reply("Let me look.", CALL)],
    "chat.stream/parse": [{"answer": 4}],
    "chat.stream/toReadableStream": [LONG],
    "chat.parse": [{"answer": 4}],
    "chat.parse/tool": [CALL],
    "chat.runTools": [CALL, "It rains."],
    "chat.runTools/stream": [CALL, "It rains."],
    "responses.create": ["Four."],
    "responses.create/tool": [CALL],
    "responses.create/stream": [LONG],
    "responses.create/withResponse": ["Four."],
    "responses.create/asResponse": ["Four."],
    "responses.stream": [LONG],
    "responses.stream/tool": [Reply("Let me look.", CALL)],
    "responses.stream/parse": [{"answer": 4}],
    "responses.parse": [{"answer": 4}],
    "responses.parse/tool": [CALL],
    "responses.toolRunner": [CALL, "It rains."],
    "responses.toolRunner/stream": [CALL, "It rains."],
    "openai.models.list": [],
    "openai.models.retrieve": [],
}
CREATES = ("messages.create", "chat.create", "responses.create")
STREAMS = ("messages.stream", "chat.stream", "responses.stream")
ERRORS: dict[str, list[Any]] = {
    f"error/{status}/{name}": [
        api_error(status, retry_after_s=7 if status == 429 else None, message=f"It was {status}.")
    ]
    for status in (400, 401, 404, 429, 500, 529)
    for name in (*CREATES, *STREAMS)
} | {f"error/event/{name}": [fault("error-event")] for name in (*CREATES, *STREAMS)}
RETRIED: dict[str, list[Any]] = {
    f"retry/{status}/{name}": [
        api_error(status, retry_after_s=0.01, retry_after_as="ms"),
        api_error(status, retry_after_s=0.01),
        "Four.",
    ]
    for status in (429, 500, 529)
    for name in (*CREATES, "messages.stream")
}
RUNNERS = ("beta.messages.toolRunner", "chat.runTools", "responses.toolRunner")
PARSES = (
    *("messages.parse", "chat.parse", "responses.parse"),
    *("messages.stream/parse", "chat.stream/parse", "responses.stream/parse"),
)
ASKS = (*CREATES, *STREAMS, *PARSES, *RUNNERS)
BEFORE = "There is a lot to say of two and two. " * 4
MIDWAY = Fault(name="drip", treatment="slow_drip", answer=f"{BEFORE}It is forbidden. And so on.")
BREACHES: dict[str, list[Any]] = {
    **{f"breach/prompt/{name}": [] for name in ASKS},
    **{f"breach/reply/{name}": ["This is forbidden, you know."] for name in ASKS},
    **{f"breach/midway/{name}": [MIDWAY] for name in STREAMS},
    **{
        f"breach/tool/{name}": [ToolCall("weather", {"city": "forbidden"}), "It rains."]
        for name in RUNNERS
    },
}
STOPS = {"messages": "refusal", "chat": "content_filter", "responses": "content_filter"}
DECLINES = {"messages": "refusal", "chat": "stop", "responses": "completed"}
"""Where JSON is expected, the reply stands where a model says that it declines."""
RAISES = {
    "chat.runTools": "ContentFilterFinishReasonError",
    "responses.toolRunner": "ResponsesToolRunnerError",
}
"""What these make of a reply that a provider's own filter stopped as well."""
THREADS: dict[str, list[Any]] = {"thread/toolRunner": [CALL, "It rains."], "thread/send": []}
FILTERED: dict[str, list[Any]] = {
    f"filtered/{name}": [Reply("No.", stop="content_filter")] for name in RUNNERS
}
ANSWERS = {**CLEAN, **ERRORS, **RETRIED, **BREACHES, **FILTERED, **THREADS}


@dataclass(frozen=True)
class Ran:
    """What the program told, call by call, and how often the provider was asked for each."""

    told: dict[str, Any]
    asked: Counter[str]

    def of(self, name: str) -> Any:
        return self.told[name], self.asked[name]


def found(command: str) -> str:
    """Raises a failure that says what to install: nothing is passed over in silence."""
    if (path := shutil.which(command)) is None:
        pytest.fail(f"no {command} on PATH: the SDKs for Node need Node.js 20 or later, and npm")
    return path


def installed() -> Path:
    """The folder of the pinned SDKs; another pin is another folder."""
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in PINS)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "constitutional-guardrails" / f"node-sdks-{digest}"
    if folder.is_dir():
        return folder
    making = folder.with_name(f"{folder.name}.{os.getpid()}")
    making.mkdir(parents=True)
    try:
        for pin in PINS:
            shutil.copy(pin, making)
        command = [found("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=making, capture_output=True, text=True, timeout=LIMIT_S)
        if done.returncode:
            pytest.fail(f"npm ci ended with {done.returncode}:\n{done.stderr[-2000:]}")
        try:
            making.rename(folder)
        except OSError:  # another process was first
            assert folder.is_dir()
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program beside the SDKs, which is where Node.js looks for what a module imports."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "node_modules").symlink_to(installed() / "node_modules")
    return Path(shutil.copy(PROGRAM, folder))


def ran(program: Path, url: str) -> dict[str, Any]:
    """In an environment of its own: the SDKs read keys and addresses from variables."""
    command = [found("node"), str(program), url, f"{url}/v1", KEY]
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(re.sub(r"([_-]fake)[_-]\d+", r"\1", done.stdout))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def runs(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ran, Ran]]:
    """Directly, and through the proxy."""
    file = written(tmp_path_factory.mktemp("house"))
    direct, proxied = Scripted(), Scripted()
    with (
        provider(direct.answer) as first,
        provider(proxied.answer) as second,
        serving(config_of(second.url, file)) as house,
    ):
        yield (
            Ran(ran(program, first.url), direct.asked),
            Ran(ran(program, house.url), proxied.asked),
        )


class Scripted:
    """Answers each call, by its name that it has for a model, with its own answers in order."""

    def __init__(self) -> None:
        self.asked = Counter[str]()

    def answer(self, request: ProviderRequest) -> Any:
        answers = ANSWERS[request.model]
        self.asked[request.model] += 1
        if (at := self.asked[request.model]) > len(answers):
            return api_error(400, message=f"This is question {at} and there is no answer.")
        return answers[at - 1]


def test_every_call_has_its_answer(runs: tuple[Ran, Ran]) -> None:
    assert list(runs[1].told) == list(runs[0].told)
    assert set(runs[0].told) == set(ANSWERS)


@pytest.mark.parametrize("name", [*CLEAN, *RETRIED])
def test_a_clean_call_is_the_same(runs: tuple[Ran, Ran], name: str) -> None:
    direct, proxied = runs[0].of(name), runs[1].of(name)
    assert "failed" not in direct[0]["result"]
    assert proxied == direct


@pytest.mark.parametrize("name", RETRIED)
def test_a_call_is_retried(runs: tuple[Ran, Ran], name: str) -> None:
    assert runs[1].asked[name] == 3


@pytest.mark.parametrize("name", ERRORS)
def test_a_providers_error_is_the_same(runs: tuple[Ran, Ran], name: str) -> None:
    direct, proxied = runs[0].of(name), runs[1].of(name)
    assert "failed" in direct[0]["result"]
    assert proxied == direct


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_is_a_refusal(runs: tuple[Ran, Ran], name: str) -> None:
    _, where, call = name.split("/", 2)
    told, asked = runs[1].of(name)
    assert asked == (0 if where == "prompt" else 1)
    assert told["ran"] == []
    result = told["result"]
    assert "forbidden" not in json.dumps(result)
    if call in RAISES:
        assert result["failed"] == RAISES[call]
        return
    kind = call.removeprefix("beta.").partition(".")[0]
    if call in PARSES:
        assert (result["text"], result["stop"]) == ("", DECLINES[kind])
        assert (result["refusal"], result["parsed"]) == (REPLY, None)
        return
    assert result["text"].endswith(REPLY)
    assert result["stop"] == STOPS[kind]
    released = result["text"].removesuffix(REPLY).rstrip("\n")
    assert BEFORE.startswith(released)
    assert bool(released) == (where == "midway")
    if call in STREAMS:
        assert "".join(result["deltas"]) == result["text"]


@pytest.mark.parametrize("call", RUNNERS)
def test_what_raises_for_a_breach_raises_for_a_providers_own_filter(
    runs: tuple[Ran, Ran], call: str
) -> None:
    direct, proxied = (run.of(f"filtered/{call}") for run in runs)
    assert direct == proxied
    assert direct[0]["result"].get("failed") == RAISES.get(call)


def test_a_tool_runner_goes_on_without_a_thread_that_the_provider_keeps(
    runs: tuple[Ran, Ran],
) -> None:
    told, asked = runs[1].of("thread/toolRunner")
    assert told["result"]["content"][0]["text"] == "It rains."
    assert (told["ran"], asked) == (["Ulm"], 2)


def test_a_thread_is_refused(runs: tuple[Ran, Ran]) -> None:
    told, asked = runs[1].of("thread/send")
    assert (told["result"]["failed"], asked) == ("PermissionDeniedError", 0)
    assert "'thread'" in told["result"]["message"]
