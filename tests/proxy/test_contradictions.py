"""What is right by itself in `[serve]` and wrong beside the rest is told at start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardrails.cli import main
from guardrails.errors import SettingsError
from guardrails.proxy.config import NOT_FOR_THE_PROVIDER
from guardrails.proxy.config_file import load_config

CLIENT = '[serve.clients.shop]\nkey_env = "SHOP_KEY"\n'


def loaded(folder: Path, more: str, **said: Any) -> Any:
    values = {"upstream": '"https://a.example"', "constitution": '"base"', "offline": "true"}
    lines = [f"{name} = {value}\n" for name, value in {**values, **said}.items()]
    file = folder / "serve.toml"
    file.write_text("".join(["[serve]\n", *lines, more]))
    return load_config(file, environ={})


def test_what_belongs_together_is_taken(tmp_path: Path) -> None:
    loaded(tmp_path, f"{CLIENT}per_minute = 5\nburst = 5\n", port="9091")
    loaded(tmp_path, f"{CLIENT}burst = 5\n[serve.limits]\nper_minute_per_client = 60\n")
    loaded(tmp_path, f"{CLIENT}per_minute = 60\n[serve.limits]\nburst_per_client = 60\n")
    loaded(tmp_path, "", port="0", operations="{ port = 0 }")
    loaded(tmp_path, "", port="9090", operations="{ enabled = false }")
    loaded(tmp_path, "", host='"10.0.0.5"', port="9090")
    loaded(tmp_path, "", upstream='"http://127.0.0.1:9999/gateway/v1/"')
    loaded(tmp_path, "", host='"10.0.0.5"', upstream='"http://127.0.0.1:8080"')
    only_own = '[serve.routes."/a"]\nformat = "json"\nupstream = "https://a.example"\n'
    loaded(tmp_path, only_own, upstream="{}")


@pytest.mark.parametrize(
    ("more", "said", "told"),
    [
        ("", {"upstream": "{}"}, "serve.upstream: expected an address for 'anthropic' or for"),
        ("", {"port": 9090}, "serve.operations.port: 9090 is the port that clients ask, too"),
        ("", {"host": '"0.0.0.0"', "port": 9090}, "serve.operations.port: 9090 is the port"),
        ("", {"upstream": '"http://localhost:8080"'}, "leads back to the proxy itself"),
        ("", {"upstream": '{openai = "http://127.0.0.1:8080/v1"}'}, "serve.upstream.openai: leads"),
        ("", {"host": '"::"', "upstream": '"http://[::1]:8080"'}, "leads back to the proxy itself"),
        (
            '[serve.routes."/a"]\nformat = "json"\nupstream = "http://127.0.0.1:8080"\n',
            {},
            "serve.routes./a.upstream: leads back to the proxy itself",
        ),
        (f"{CLIENT}burst = 5\n", {}, "serve.clients.shop.burst: says nothing without per_minute"),
        (
            "[serve.limits]\nburst_per_client = 5\n",
            {},
            "serve.limits.burst_per_client: says nothing without per_minute_per_client",
        ),
        ("", {"hosts": "[]"}, "serve.hosts: expected at least 1"),
        ("", {"upstream": '"https://a.example/v1/messages"'}, "without the path of an endpoint"),
        ("", {"upstream": '"https://a.example\\nb"'}, "serve.upstream: expected an address"),
        ("", {"upstream": '"https://a .example"'}, "serve.upstream: expected an address"),
        ("", {"upstream": '"https://exämple.com"'}, "serve.upstream: expected an address"),
    ],
)
def test_what_cannot_be_meant_is_told(
    tmp_path: Path, more: str, said: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError, match=r"serve\.toml:") as caught:
        loaded(tmp_path, more, **said)
    assert told in str(caught.value)


@pytest.mark.parametrize("name", [*sorted(NOT_FOR_THE_PROVIDER), "guardrails-verdict"])
def test_what_is_between_client_and_proxy_cannot_be_listed(tmp_path: Path, name: str) -> None:
    """A key of ours would reach the provider; another length would hide a request in a body."""
    with pytest.raises(SettingsError, match=r"serve.allow.headers.1: '.*' is between the client"):
        loaded(tmp_path, f'[serve.allow]\nheaders = ["{name}"]\n')


def test_a_key_of_a_client_is_no_token_for_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", "memory")
    monkeypatch.setenv("SHOP_KEY", "k" * 32)
    (tmp_path / "guardrails.toml").write_text(
        '[serve]\nupstream = "https://a.example"\nconstitution = "base"\noffline = true\n'
        f'{CLIENT}[serve.check]\ntoken_env = "SHOP_KEY"\n'
    )
    assert main(["serve", "--check-config"]) == 2
    told = capsys.readouterr().err
    assert "serve.check: its token is the key of serve.clients.shop" in told
    assert "kkk" not in told


def test_a_path_that_is_not_judged_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", "memory")
    (tmp_path / "guardrails.toml").write_text(
        '[serve]\nupstream = "https://a.example"\nconstitution = "base"\noffline = true\n'
        '[serve.routes."/v1/messages"]\nguard = false\n'
    )
    assert main(["serve", "--check-config"]) == 0
    told = capsys.readouterr().err
    assert "/v1/messages: guard = false, so nothing of it is judged" in told
    assert "the record is in memory" in told


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("port", "true", "expected a whole number"),
        ("port", '"8080"', "expected a whole number"),
        ("workers", "true", "expected a whole number"),
        ("workers", "2.0", "expected a whole number"),
        ("drain_s", "true", "expected a number"),
        ("drain_s", '"30"', "expected a number"),
        ("offline", '"no"', "expected true or false"),
        ("otel", "1", "expected true or false"),
    ],
)
def test_what_is_of_another_type_is_told(tmp_path: Path, name: str, value: str, told: str) -> None:
    with pytest.raises(SettingsError, match=f"serve.{name}: {told}"):
        loaded(tmp_path, "", **{name: value})
    assert loaded(tmp_path, "", drain_s="30").drain_s == 30
