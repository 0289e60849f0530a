"""What the environment says of proxies is obeyed; what it holds of passwords is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from llm_samples import BODIES, KEY, KINDS, Kind, asked, asking, question, serving

from guardrails.testing import FakeProvider


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_is_asked_where_the_environment_names_one(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.headers["host"], request.path))
        return web.json_response(BODIES[kind])

    async with serving(handler) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("http_proxy", proxy)
        made = asked(kind, "http://models.invalid/v1")
        assert (await made.model.ask(question(), timeout_s=20)).stop == "finished"
        await made.model.aclose()
    ((method, host, path),) = seen
    assert (method, host) == ("POST", "models.invalid")
    assert path.startswith("/v1/")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_address_that_needs_no_proxy_is_asked_itself(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    async with FakeProvider({"answer": "a"}) as provider, asking(kind, provider) as made:
        assert (await made.model.ask(question(), timeout_s=20)).stop == "finished"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", [KEY, None])
async def test_9_passwords_for_other_programs_are_not_sent(
    kind: Kind, key: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\ndefault login a password b")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        FakeProvider({"answer": "a"}) as provider,
        asking(kind, provider, api_key=key) as made,
    ):
        await made.model.ask(question(), timeout_s=20)
    expected = {(KEY, "anthropic"): KEY, (None, "anthropic"): "none", (KEY, "openai"): KEY}
    assert provider.requests[0].key == expected.get((key, kind))
    assert "Basic" not in provider.requests[0].headers.get("authorization", "")
