"""A Redis that is away keeps nobody from being served, and is told of: once, and where it is looked
for."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from proxy_house import config_of, provider, serving, until, written
from proxy_wire import MESSAGES, ask, messages
from redis_samples import Server
from redis_samples import serving as redis

from guardrails.audit.keys import make_keys
from guardrails.proxy import stores
from guardrails.settings import Settings

SETTINGS: dict[str, Any] = {
    "audit": "memory",
    "models": {"small": "house/m", "large": "house/m"},
    "daily": {"tenant": {"max_calls": 100}},
}
JUDGED = """
schema: 1
id: judged
version: 1.0.0
principles:
  - {id: judged.kind, text: Is kind., stages: [input, output], action: flag,
     on_outage: flag, critics: [judge]}
"""


def settings_of(server: Server, folder: Path, judge: str, **said: Any) -> Settings:
    key = folder / "key"
    make_keys(key)
    providers = {"house": {"kind": "anthropic", "base_url": judge}}
    told = {"cache": server.url, "key_file": key, "providers": providers}
    return Settings.model_validate({**SETTINGS, **told, **said})


def gone(folder: Path) -> Server:
    """A Redis that is not started yet."""
    return Server(folder)


def test_who_is_away_is_told_once_and_keeps_nobody_from_being_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stores, "LOOK_S", 0.05)
    caplog.set_level(logging.INFO, "guardrails")
    server = gone(tmp_path)
    files = [written(tmp_path, JUDGED.replace("judged", name), name) for name in ("one", "two")]
    clients = {
        name: {"key_sha256": f"{n:064x}", "constitution": str(file)}
        for n, (name, file) in enumerate(zip("ab", files, strict=True))
    }
    with provider("Four.") as upstream, provider({"verdicts": []}) as judge:
        config = config_of(upstream.url, files[0], offline=False, clients=clients)
        settings = settings_of(server, tmp_path, judge.url)
        with serving(config, settings=settings) as house:

            def ready() -> str:
                answer = ask(house.operations_port, "/readyz", method="GET")
                return answer.body.decode() if answer.status == 200 else ""

            until(lambda: bool(ready()))
            assert ready().count("AWAY") == 2, "from the first moment on"
            address = server.url
            assert f"verdict cache: AWAY, {address} cannot be used (ConnectionError)" in ready()
            assert f"daily budgets: AWAY, {address} cannot be used (ConnectionError)" in ready()
            name = "guardrails_proxy_store_reachable"
            text = house.proxy.metrics.text().decode()
            assert f'{name}{{store="verdict_cache"}} 0.0' in text
            assert f'{name}{{store="daily_budgets"}} 0.0' in text
            assert caplog.text.count("verdict_cache_away") == 1
            assert caplog.text.count("daily_budgets_away") == 1
            assert "no model is asked" in caplog.text
            try:
                server.start()
                until(lambda: f"verdict cache: {address} can be used" in ready())
                until(lambda: f"daily budgets: {address} can be used" in ready())
                until(lambda: house.metric(name, store="daily_budgets") == 1)
                assert house.metric(name, store="verdict_cache") == 1
                assert caplog.text.count("verdict_cache_back") == 1
            finally:
                server.kill()


def test_what_is_not_shared_is_not_looked_for(tmp_path: Path) -> None:
    with (
        provider("Four.") as upstream,
        serving(config_of(upstream.url, written(tmp_path))) as house,
    ):
        assert ask(house.port, MESSAGES, messages()).status == 200
        assert b"cache" not in ask(house.operations_port, "/readyz", method="GET").body
        assert b"guardrails_proxy_store_reachable{" not in house.proxy.metrics.text()


def test_a_redis_that_takes_nothing_is_as_good_as_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica answers to a ping, and to every question about what it holds."""
    monkeypatch.setattr(stores, "LOOK_S", 0.05)
    with redis(tmp_path) as server, provider({"verdicts": []}) as judge:
        with server.client() as here:
            here.replicaof("127.0.0.1", "1")
        config = config_of("http://127.0.0.1:1", written(tmp_path, JUDGED), offline=False)
        with serving(config, settings=settings_of(server, tmp_path, judge.url)) as house:

            def ready() -> bytes:
                return ask(house.operations_port, "/readyz", method="GET").body

            until(lambda: b"(ReadOnlyError)" in ready())
            until(lambda: ready().count(b"AWAY") == 2)
