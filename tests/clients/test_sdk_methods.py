"""Every method of the installed SDKs is guarded, known to give out no text of a model, or refused;
one that a new version brings is refused until somebody has looked at it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
from wrapped_samples import FACES, REPLY, Records, done

from guardrails import wrap
from guardrails.clients.operations import _ADMINISTRATION, _PASSED, Vendor, operation_of
from guardrails.guard import Guard
from guardrails.testing import FakeProvider

_CALL = re.compile(
    r'self\._(get|post|put|patch|delete|get_api_list)\(\s*(?:path_template\(\s*)?f?"([^"]+)"'
)
_LISTED = re.compile(r'method="(\w+)"')

GUARDED = {
    "anthropic": {"POST messages"},
    "openai": {"POST chat/completions", "POST responses"},
}
READ = {
    "anthropic": set[str](),
    "openai": {
        *("GET chat/completions/*", "POST chat/completions/*"),
        *("GET responses/*", "POST responses/*/cancel"),
    },
}
KEPT = {"anthropic": set[str](), "openai": {"DELETE chat/completions/*", "DELETE responses/*"}}

THROUGH_OTHERS = {
    "anthropic": {
        *("Messages.stream", "Messages.thread", "Messages.tool_runner"),  # POST messages
        "Batches.results",  # an address that the provider gives
        *("Work.poller", "Work.worker", "Events.tool_runner"),  # of sessions and environments
    },
    "openai": {
        *("Completions.parse", "Completions.stream", "Responses.parse", "Responses.stream"),
        *("Runs.create_and_poll", "Runs.create_and_stream", "Runs.poll", "Runs.stream"),
        *("Runs.submit_tool_outputs_and_poll", "Runs.submit_tool_outputs_stream"),
        *("Threads.create_and_run_poll", "Threads.create_and_run_stream"),
        *("Videos.create_and_poll", "Videos.poll", "Artifacts.for_result", "Sessions.stream"),
        *("Files.create_and_poll", "Files.poll", "Files.upload", "Files.upload_and_poll"),
        *("Files.prepare", "Files.prepare_directory", "Files.wait_for_processing"),
        *("FileBatches.create_and_poll", "FileBatches.poll", "FileBatches.upload_and_poll"),
        "Uploads.upload_file_chunked",
    },
}
"""They ask by way of the methods that have a path, so that the same is done about them."""

WEBSOCKETS = {
    "anthropic": set[str](),
    "openai": {
        *("Realtime.connect", "Responses.connect", "Live.connect", "Forks.connect"),
        *("Sideband.connect", "Translations.connect"),
    },
}
"""All of these take their address from `websocket_base_url`, which is refused."""

NOTHING_SENT = {
    "anthropic": {"Webhooks.parse_unverified", "Webhooks.unwrap"},
    "openai": {"Webhooks.unwrap", "Webhooks.verify_signature"},
}


def methods(vendor: Vendor) -> Iterator[tuple[str, str]]:
    """Name and source of each method of each resource, with a loop and without."""
    resource = importlib.import_module(f"{vendor}._resource")
    bases = (resource.SyncAPIResource, resource.AsyncAPIResource)
    root = importlib.import_module(f"{vendor}.resources")
    for found in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
        module = importlib.import_module(found.name)
        for cls in vars(module).values():
            if inspect.isclass(cls) and issubclass(cls, bases) and cls.__module__ == found.name:
                for name, method in vars(cls).items():
                    if inspect.isfunction(method) and not name.startswith("_"):
                        said = f"{cls.__name__.removeprefix('Async')}.{name}"
                        yield said, inspect.getsource(method)


def requests_of(source: str) -> Iterator[str]:
    """What a method sends, as `POST files/*`."""
    for found in _CALL.finditer(source):
        method, path = found.groups()
        if method == "get_api_list":
            said = _LISTED.search(source)
            method = said[1] if said else "get"
        path = re.sub(r"\{[^}]*\}", "*", path.partition("?")[0])
        yield f"{method.upper()} {path.strip('/').removeprefix('v1/')}"


@pytest.mark.parametrize("vendor", ["anthropic", "openai"])
def test_each_request_that_an_sdk_makes_is_known_or_refused(vendor: Vendor) -> None:
    treated: dict[str, set[str]] = {"guarded": set(), "read": set(), "passed": set()}
    refused = 0
    for _, source in methods(vendor):
        for request in requests_of(source):
            method, path = request.split(" ")
            sent = f"/v1/{path.replace('*', 'id_1')}"
            treatment = operation_of(vendor, method, sent, "/v1/", frozenset()).treatment
            refused += treatment == "refused"
            treated.get(treatment, set()).add(request)
    assert treated["guarded"] == GUARDED[vendor]
    assert treated["read"] == READ[vendor]
    administration = {
        request
        for request in treated["passed"]
        if request.split(" ")[1].partition("/")[0] in _ADMINISTRATION[vendor]
    }
    known = {f"{one} {path}" for path, all in _PASSED[vendor].items() for one in all.split()}
    assert treated["passed"] - administration == known | KEPT[vendor]
    assert refused > 50


@pytest.mark.parametrize("vendor", ["anthropic", "openai"])
def test_what_has_no_path_of_its_own_is_known(vendor: Vendor) -> None:
    names = {name for name, source in methods(vendor) if not any(requests_of(source))}
    assert names == THROUGH_OTHERS[vendor] | WEBSOCKETS[vendor] | NOTHING_SENT[vendor]


@pytest.mark.parametrize(
    ("vendor", "method", "path"),
    [
        ("anthropic", "POST", "/v1/messages/dream"),
        ("anthropic", "POST", "/v1/models/claude/answer"),
        ("anthropic", "POST", "/v1/models/claude"),
        ("anthropic", "POST", "/v1/files/f_1/summary"),
        ("anthropic", "GET", "/v1/organizations/me"),
        ("openai", "POST", "/v1/vector_stores/vs_1/answer"),
        ("openai", "POST", "/v1/models/gpt/generate"),
        ("openai", "POST", "/v1/embeddings/explain"),
        ("openai", "POST", "/v1/uploads/generate"),
    ],
)
def test_what_is_below_a_known_path_is_not_known(vendor: Vendor, method: str, path: str) -> None:
    assert operation_of(vendor, method, path, "/v1/", frozenset()).treatment == "refused"


@pytest.mark.parametrize(
    ("vendor", "path"), [("openai", "/v1/models/davinci"), ("anthropic", "/v1/files/file_abcdef")]
)
def test_an_id_of_letters_is_an_id(vendor: Vendor, path: str) -> None:
    assert operation_of(vendor, "GET", path, "/v1/", frozenset()).treatment == "passed"


# -- threads, which have no path of their own ----------------------------------------------------

ASKED = {"model": "m", "max_tokens": 100}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


@pytest.mark.parametrize("name", ["sync-messages", "async-messages"])
async def test_each_turn_of_a_thread_is_judged(name: str, guard: Guard, records: Records) -> None:
    """One that is stopped is not known to the provider, so that the next begins a new thread."""
    with FakeProvider(["Fine.", "That is forbidden.", "The secret."]) as fake:
        client: Any = wrap(FACES[name].client(fake), guard)
        thread = client.beta.messages.thread(**ASKED)
        said = [(await done(thread.send(user(text)))).content[0].text for text in ("a", "b", "c")]
        assert said == ["Fine.", REPLY, "The ."]
        blocked = await done(thread.send(user("That is forbidden.")))
        assert (blocked.content[0].text, blocked.stop_reason) == (REPLY, "refusal")
        sent = [request.body["thread"] for request in fake.requests]
        assert [one["type"] for one in sent] == ["create", "continue", "create"]
        await done(client.close())
    assert [verdict for _, verdict, _ in records.how()] == [
        *("allow", "allow", "allow", "block", "allow", "redact", "block"),
    ]


@pytest.mark.parametrize("name", ["sync-messages", "async-messages"])
async def test_a_streamed_turn_of_a_thread_is_judged(
    name: str, guard: Guard, records: Records
) -> None:
    with FakeProvider(["Fine. That is forbidden."]) as fake:
        client: Any = wrap(FACES[name].client(fake), guard)
        thread = client.beta.messages.thread(**ASKED)
        if name == "sync-messages":
            with thread.stream(user("a")) as stream:
                message = stream.get_final_message()
        else:
            async with thread.stream(user("a")) as stream:
                message = await stream.get_final_message()
        assert "".join(block.text for block in message.content) == f"Fine. {REPLY}"
        assert message.stop_reason == "refusal"
        await done(client.close())
    assert [verdict for _, verdict, _ in records.how()] == ["allow", "block"]
