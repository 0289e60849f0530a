"""What else a client can do: what passes, what is refused, and what is kept by the provider."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wrapped_samples import FACES, REPLY, Records, done

from guardrails import wrap
from guardrails.clients.operations import Vendor, operation_of
from guardrails.errors import SettingsError
from guardrails.guard import Guard
from guardrails.testing import FakeProvider

PROJECT = Path(__file__).parents[2]


def made(name: str, fake: FakeProvider, guard: Guard, **options: Any) -> Any:
    return wrap(FACES[name].client(fake), guard, **options)


REFUSED: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "batches": (
        "sync-messages",
        "messages.batches",
        lambda c: c.messages.batches.create(requests=[]),
    ),
    "beta batches": (
        "sync-messages",
        "messages.batches",
        lambda c: c.beta.messages.batches.list(),
    ),
    "legacy completions": (
        "sync-chat",
        "completions",
        lambda c: c.completions.create(model="m", prompt="p"),
    ),
    "openai's batches": ("sync-chat", "batches", lambda c: c.batches.list()),
    "images": ("sync-chat", "images.generations", lambda c: c.images.generate(prompt="p")),
    "a file's content": ("sync-chat", "files.content", lambda c: c.files.content("file-1")),
    "transcripts": (
        "sync-chat",
        "audio.transcriptions",
        lambda c: c.audio.transcriptions.create(file=b"x", model="m"),
    ),
    "conversations": (
        "sync-chat",
        "conversations.items",
        lambda c: c.conversations.items.list("conv_1"),
    ),
    "a post of one's own": (
        "sync-chat",
        "whatever",
        lambda c: c.post("/whatever", cast_to=object, body={}),
    ),
}


@pytest.mark.parametrize(("name", "said", "use"), REFUSED.values(), ids=REFUSED)
def test_what_may_give_out_unjudged_text_is_refused_by_name(
    name: str, said: str, use: Callable[[Any], Any], guard: Guard
) -> None:
    with FakeProvider() as fake:
        with made(name, fake, guard) as client, pytest.raises(SettingsError) as error:
            use(client)
        assert f"allow=['{said}']" in str(error.value)
        assert len(fake.requests) == 0


@pytest.mark.parametrize(("name", "said", "use"), REFUSED.values(), ids=REFUSED)
def test_what_is_allowed_by_name_is_the_sdks_own_affair(
    name: str, said: str, use: Callable[[Any], Any], guard: Guard
) -> None:
    with FakeProvider() as fake, made(name, fake, guard, allow=[said]) as client:
        with pytest.raises(Exception, match=r"Error code: 40[04]"):
            use(client)
        assert len(fake.requests) == 1


def test_what_generates_no_text_passes(guard: Guard, records: Records) -> None:
    with FakeProvider() as fake:
        with made("sync-messages", fake, guard) as client:
            asked = {"model": "m", "messages": [{"role": "user", "content": "forbidden"}]}
            assert client.messages.count_tokens(**asked).input_tokens > 0
            assert client.models.list().data
        with made("sync-chat", fake, guard) as client:
            assert client.models.list().data
            with pytest.raises(Exception, match="404"):
                client.embeddings.create(model="m", input="x")
    assert records.how() == []


def test_anthropics_beta_messages_are_guarded(guard: Guard, records: Records) -> None:
    fake = FakeProvider(["That is forbidden.", "Fine."])
    with fake, made("sync-messages", fake, guard) as client:
        request = FACES["sync-messages"].request("What?")
        assert client.beta.messages.create(**request).content[0].text == REPLY
        assert client.beta.messages.create(**request).content[0].text == "Fine."
    assert len(records.how()) == 4


@pytest.mark.parametrize("name", ["sync-chat", "async-chat"])
async def test_nothing_goes_over_a_websocket(name: str, guard: Guard) -> None:
    with FakeProvider() as fake:
        client = made(name, fake, guard)
        for connection in (
            client.realtime.connect(model="m"),
            client.responses.connect(),
            client.beta.realtime.connect(model="m"),
        ):
            with pytest.raises(SettingsError, match="WebSocket"):
                await done(connection.enter())
        assert client.with_options(timeout=1).timeout == 1
        await done(client.close())


STORED = [
    ("openai", "GET", "/v1/responses/resp_1", "read"),
    ("openai", "POST", "/v1/responses/resp_1/cancel", "read"),
    ("openai", "DELETE", "/v1/responses/resp_1", "passed"),
    ("openai", "GET", "/v1/responses/resp_1/input_items", "refused"),
    ("openai", "GET", "/v1/chat/completions/chatcmpl-1", "read"),
    ("openai", "GET", "/v1/chat/completions", "refused"),
    ("openai", "POST", "/v1/chat/completions", "guarded"),
    ("openai", "POST", "/openai/deployments/gpt/chat/completions", "guarded"),
    ("openai", "POST", "/v1/responses/compact", "refused"),
    ("openai", "POST", "/v1/responses/input_tokens", "passed"),
    ("openai", "POST", "/v1/files", "passed"),
    ("openai", "GET", "/v1/containers/c1/files/f1/content", "refused"),
    ("openai", "POST", "/v1/fine_tuning/alpha/graders/run", "refused"),
    ("anthropic", "POST", "/v1/messages", "guarded"),
    ("anthropic", "POST", "//v1//messages/", "guarded"),
    ("anthropic", "GET", "/v1/messages", "refused"),
    ("anthropic", "POST", "/v1/complete", "refused"),
    ("anthropic", "GET", "/v1/files/f1/content", "refused"),
    ("anthropic", "POST", "/model/claude/invoke", "refused"),
]


@pytest.mark.parametrize(("vendor", "method", "path", "treatment"), STORED)
def test_every_path_is_treated_as_what_it_gives(
    vendor: Vendor, method: str, path: str, treatment: str
) -> None:
    base = "/openai" if path.startswith("/openai") else "/v1/" if vendor == "openai" else "/"
    assert operation_of(vendor, method, path, base, frozenset()).treatment == treatment


def test_a_stored_reply_is_judged_as_it_is_given_out(guard: Guard, records: Records) -> None:
    """The provider keeps it as the model said it."""
    import httpx2
    from openai import OpenAI

    fake = FakeProvider(["That is forbidden."])
    with fake, FACES["sync-responses"].client(fake) as plain:
        kept = plain.responses.create(model="m", input="x").model_dump_json()
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(
            200, content=kept, headers={"content-type": "application/json"}
        )
    )
    with OpenAI(api_key="k", http_client=httpx2.Client(transport=transport)) as client:
        assert wrap(client, guard).responses.retrieve("resp_1").output_text == REPLY
    assert records.how() == [("output", "block", "reply")]


def test_a_middlewares_own_reply_is_judged_too(guard: Guard, records: Records) -> None:
    from anthropic import Anthropic

    with FakeProvider(["That is forbidden.", "Fine."]) as fake:
        with FACES["sync-messages"].client(fake) as plain:
            request = FACES["sync-messages"].request("What?")
            kept = [plain.messages.create(**request) for _ in range(2)]
        answers: list[Any] = [*kept, "a text", None]

        def middleware(sent: Any, call_next: Any) -> Any:
            answer = answers.pop(0)
            return call_next(sent) if answer is None else answer

        fake.extend("The secret.")
        with Anthropic(
            api_key="k", base_url=fake.url, middleware=[middleware], max_retries=0
        ) as client:
            guarded = wrap(client, guard)
            assert guarded.messages.create(**request).content[0].text == REPLY
            assert guarded.messages.create(**request) is kept[1]
            with pytest.raises(SettingsError, match="middleware"):
                guarded.messages.create(**request)
            assert guarded.messages.create(**request).content[0].text == "The ."
    assert [stage for stage, *_ in records.how()] == ["output", "output", "input", "output"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on_block": "ignore"}, "on_block"),
        ({"allow": "messages.batches"}, "list of names"),
        ({"allow": ["messages"]}, "what is guarded"),
        ({"allow": 7}, "allow=: expected a list of names, not a value of the type int"),
        ({"allow": [7]}, "allow=: expected a list of names, each a text"),
        ({"context": "desk"}, "context=: expected a Context, or a callable"),
        ({"on_decision": "print"}, "on_decision=: expected a callable"),
        ({"trust_system": "no"}, "trust_system=: expected True or False"),
        ({"concurrent_input": 0}, "concurrent_input=: expected True or False"),
        ({"offline": True}, "already"),
    ],
)
def test_what_could_not_work_is_refused_when_wrapping(
    options: Any, said: str, guard: Guard
) -> None:
    fake = FakeProvider()
    with (
        fake,
        FACES["sync-messages"].client(fake) as client,
        pytest.raises(SettingsError, match=said),
    ):
        wrap(client, guard, **options)


def test_only_clients_are_wrapped(guard: Guard) -> None:
    with pytest.raises(SettingsError, match="@guarded"):
        wrap(object(), guard)


def test_wrapping_loads_no_sdk() -> None:
    program = "import sys; from guardrails import wrap; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, cwd=PROJECT
    )
    assert done.returncode == 0, done.stderr
    assert {"anthropic", "openai", "httpx2", "aiohttp"} & set(done.stdout.split()) == set()


def test_middleware_that_is_added_later_runs_inside(guard: Guard, records: Records) -> None:
    """It sees what is sent, and what was judged of the answer."""
    seen: list[str] = []

    def middleware(sent: Any, call_next: Any) -> Any:
        answer = call_next(sent)
        seen.append(str(answer.http_response.json()["content"]))
        return answer

    with FakeProvider(["The secret.", "Fine."]) as fake:
        with made("sync-messages", fake, guard) as client:
            request = FACES["sync-messages"].request("Is the secret safe?")
            inside = client.with_middleware(middleware)
            assert inside.messages.create(**request).content[0].text == "The ."
            assert client.messages.create(**request).content[0].text == "Fine."
        assert fake.requests[0].body["messages"][0]["content"] == "Is the  safe?"
    assert len(seen) == 1
    assert "The ." in seen[0]
    assert len(records.how()) == 4
