"""Keys: who is asking, on whose behalf, under which constitution, and with whose key upstream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from proxy_house import REPLY, House, config_of, provider, serving, written
from proxy_wire import CHAT, MESSAGES, Got, ask, chat, messages

from guardrails.asgi.messages import Headers
from guardrails.errors import SettingsError
from guardrails.proxy.answers import RefusedError
from guardrails.proxy.config_file import load_config
from guardrails.proxy.keys import Keys, credential
from guardrails.proxy.routes import Endpoints
from guardrails.testing import FakeProvider

SHOP, CLINIC = "key-of-the-shop-0123456789", "key-of-the-clinic-0123456789"
STRICT = """
schema: 1
id: strict
version: 2.0.0
replies: {blocked: "The clinic does not say that."}
principles:
  - {id: strict.pills, text: Names no pills., stages: [input, output], action: block,
     critics: [pattern: {breach: [pills]}]}
"""


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeProvider]:
    with provider("Four.") as made:
        yield made


@pytest.fixture(scope="module")
def house(upstream: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("tenants")
    strict = str(written(folder, STRICT, "strict"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOP_KEY", SHOP)
        patch.setenv("OUR_ANTHROPIC_KEY", "upstream-key-of-anthropic")
        patch.setenv("CLINIC_OPENAI_KEY", "upstream-key-of-the-clinic")
        config = config_of(
            upstream.url,
            written(folder),
            upstream_key_env={"anthropic": "OUR_ANTHROPIC_KEY"},
            routes={CHAT: {"constitution": strict}},
            clients={
                "shop": {"key_env": "SHOP_KEY", "routes": {CHAT: str(folder / "house.yaml")}},
                "clinic": {
                    "key_sha256": sha256(CLINIC).upper(),
                    "tenant": "clinic-1",
                    "constitution": strict,
                    "upstream_key_env": {"openai": "CLINIC_OPENAI_KEY"},
                },
            },
        )
        with serving(config) as made:
            yield made


def said(answer: Got) -> str:
    reply = answer.json
    if "choices" in reply:
        return str(reply["choices"][0]["message"]["content"])
    return str(reply["content"][0]["text"])


def asking(house: House, key: str, text: str, *, path: str = MESSAGES, style: str = "") -> Got:
    body = chat(text) if path == CHAT else messages(text)
    headers: dict[str, str | None] = {"authorization": f"Bearer {key}"}
    if style == "x-api-key":
        headers = {"authorization": None, "x-api-key": key}
    return ask(house.port, path, body, headers=headers)


def test_each_key_has_its_constitution(house: House) -> None:
    assert said(asking(house, SHOP, "Take these pills.")) == "Four."
    assert said(asking(house, CLINIC, "Take these pills.")) == "The clinic does not say that."
    assert said(asking(house, SHOP, "A forbidden thing.")) == REPLY
    assert said(asking(house, CLINIC, "A forbidden thing.")) == "Four."
    told = asking(house, CLINIC, "Hello.").headers["guardrails-constitution"]
    assert told == "strict@2.0.0"


def test_the_clients_route_goes_before_all_else(house: House) -> None:
    assert said(asking(house, SHOP, "Take these pills.", path=CHAT)) == "Four."
    assert said(asking(house, SHOP, "A forbidden thing.", path=CHAT)) == REPLY
    blocked = "The clinic does not say that."
    assert said(asking(house, CLINIC, "Take these pills.", path=CHAT)) == blocked


def test_the_tenant_is_on_record(house: House) -> None:
    house.records.forget()
    asking(house, SHOP, "Hello.")
    asking(house, CLINIC, "Hello.", style="x-api-key")
    assert [record.tenant for record in house.records.opened] == 2 * ["shop"] + 2 * ["clinic-1"]


def test_the_providers_key_is_ours_or_theirs(house: House, upstream: FakeProvider) -> None:
    asking(house, SHOP, "Hello.")
    assert upstream.requests[-1].headers["x-api-key"] == "upstream-key-of-anthropic"
    assert "authorization" not in upstream.requests[-1].headers
    asking(house, CLINIC, "Hello.", style="x-api-key")
    assert upstream.requests[-1].headers["x-api-key"] == "upstream-key-of-anthropic"
    asking(house, CLINIC, "Hello.", path=CHAT)
    assert upstream.requests[-1].headers["authorization"] == "Bearer upstream-key-of-the-clinic"
    asking(house, SHOP, "Hello.", path=CHAT)  # none is named for it: its own goes on
    assert upstream.requests[-1].headers["authorization"] == f"Bearer {SHOP}"


def test_whose_account_it_is_says_only_who_brings_the_key(
    house: House, upstream: FakeProvider
) -> None:
    named = {"openai-organization": "org-1"}
    for key in (SHOP, CLINIC):
        headers = {"authorization": f"Bearer {key}", **named}
        ask(house.port, CHAT, chat(), headers=headers)
        seen = upstream.requests[-1].headers.get("openai-organization")
        assert seen == ("org-1" if key == SHOP else None)


@pytest.mark.parametrize("key", ["another-key-0123456789", SHOP[:-1], SHOP + "x", SHOP.upper()])
def test_a_key_that_nobody_has(house: House, upstream: FakeProvider, key: str) -> None:
    before = upstream.requests.total
    for style in ("", "x-api-key"):
        answer = asking(house, key, "Hello.", style=style)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert key not in answer.body.decode()
    assert upstream.requests.total == before


def test_no_key_is_in_a_repr(house: House) -> None:
    shown = repr((house.proxy, house.proxy.gate.keys.clients, house.proxy.config))
    for key in (SHOP, CLINIC, "upstream-key"):
        assert key not in shown
    given = credential(Headers.of([(b"authorization", b"Bearer " + SHOP.encode())]))
    assert SHOP not in repr(given)


def test_nothing_of_a_key_is_told_when_it_is_refused() -> None:
    headers = Headers.of([(b"authorization", b"Bearer one-secret"), (b"x-api-key", b"two-secret")])
    with pytest.raises(RefusedError) as raised:
        credential(headers)
    assert "secret" not in f"{raised.value!r}{raised.value.message}"


WRONG: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "a variable that is not set": (
        {"key_env": "MISSING"}, {}, "serve.clients.shop: the variable MISSING is not set"),
    "an empty one": (
        {"key_env": "EMPTY"}, {"EMPTY": " "}, "the variable EMPTY is not set"),
    "a key that can be guessed": (
        {"key_env": "SHORT"}, {"SHORT": "password"}, "less than 16 characters"),
    "a key upstream that is not set": (
        {"key_sha256": sha256("x"), "upstream_key_env": "MISSING"}, {}, "MISSING is not set"),
    "what no header can hold": (
        {"key_sha256": sha256("x"), "upstream_key_env": "ODD"}, {"ODD": "a\nb"}, "no header can"),
}  # fmt: skip


@pytest.mark.parametrize(("client", "environ", "told"), WRONG.values(), ids=WRONG)
def test_a_key_that_cannot_be_used_is_an_error_at_start(
    client: dict[str, Any], environ: Mapping[str, str], told: str
) -> None:
    config = config_of("https://api.example", "house", clients={"shop": client})
    with pytest.raises(SettingsError, match=told) as raised:
        Keys(config, environ)
    assert "password" not in str(raised.value)


MEANINGLESS: dict[str, tuple[dict[str, Any], str]] = {
    "a route that is misspelt": ({"routes": {"/v1/message": {"constitution": "base"}}},
                                 r"serve\.routes\./v1/message: not one of /v1/messages"),
    "another format for a known path": ({"routes": {MESSAGES: {"format": "json"}}},
                                        "has a format of its own"),
    "a client's route that is not served": (
        {"clients": {"shop": {"key_sha256": sha256("x"), "routes": {"/v1/message": "base"}}}},
        r"serve\.clients\.shop\.routes: '/v1/message' is not served"),
}  # fmt: skip


@pytest.mark.parametrize(("said", "told"), MEANINGLESS.values(), ids=MEANINGLESS)
def test_a_path_that_means_nothing_is_an_error_at_start(said: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        Endpoints(config_of("https://api.example", "house", **said))


def test_two_clients_with_one_key_are_an_error() -> None:
    twins = {"a": {"key_sha256": sha256(SHOP)}, "b": {"key_env": "SHOP_KEY"}}
    with pytest.raises(SettingsError, match="same key"):
        Keys(config_of("https://api.example", "house", clients=twins), {"SHOP_KEY": SHOP})


# -- the configuration's file --------------------------------------------------------------------

FILE = """
[models]
small = "anthropic/claude-haiku-5-5"

[serve]
constitution = "base"
{more}
"""

BAD_FILES: dict[str, tuple[str, str]] = {
    "an unknown key": ('upstream = "https://a.example"\nconstitutoin = "x"',
                       r"serve\.constitutoin: unknown key; did you mean 'constitution'\?"),
    "an unknown limit": ('upstream = "https://a.example"\n[serve.limits]\nbody_byte = 5000',
                         r"serve\.limits\.body_byte: unknown key; did you mean 'body_bytes'\?"),
    "no upstream": ("", r"serve\.upstream: missing; give --upstream URL"),
    "an upstream that is none": ('upstream = "ftp://a.example"', "expected an address"),
    "an upstream with a key in it": ('upstream = "https://user:secret@a.example"',
                                     "expected an address"),
    "a key in clear": (
        'upstream = "https://a.example"\n[serve.clients.shop]\nkey = "secret-of-the-shop"',
        r"serve\.clients\.shop\.key: unknown key"),
    "two keys": (
        'upstream = "https://a.example"\n[serve.clients.shop]\nkey_env = "A"\nkey_sha256 = "'
        + "0" * 64 + '"', "expected one of key_env and key_sha256"),
    "no key": ('upstream = "https://a.example"\n[serve.clients.shop]\ntenant = "x"',
               "expected one of key_env and key_sha256"),
    "a format that is none": (
        'upstream = "https://a.example"\n[serve.routes."/v1/x"]\nformat = "xml"',
        "unknown format 'xml'"),
    "a path that is none": (
        'upstream = "https://a.example"\n[serve.routes."v1/x"]\nformat = "json"',
                            "starts with '/'"),
    "our key for everybody": (
        'upstream = "https://a.example"\nhost = "0.0.0.0"\nupstream_key_env = "KEY"',
        "would offer the provider's key to whoever reaches it"),
    "no TOML": ("upstream =", "cannot be read as TOML"),
}  # fmt: skip


@pytest.mark.parametrize(("more", "told"), BAD_FILES.values(), ids=BAD_FILES)
def test_what_is_wrong_in_the_file_is_told_with_its_place(
    tmp_path: Path, more: str, told: str
) -> None:
    file = tmp_path / "serve.toml"
    file.write_text(FILE.replace("{more}", more))
    with pytest.raises(SettingsError, match=told) as raised:
        load_config(file, environ={})
    assert "serve.toml" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_the_settings_own_file_and_options_before_it(tmp_path: Path) -> None:
    file = tmp_path / "guardrails.toml"
    file.write_text(FILE.replace("{more}", 'upstream = "https://api.anthropic.com/v1/"'))
    environ = {"GUARDRAILS_SETTINGS": str(file)}
    config = load_config(environ=environ)
    assert set(config.upstream.values()) == {"https://api.anthropic.com"}
    assert config.constitution == "base"
    said = {"constitution": "medical", "operations": {"port": 0}}
    config = load_config(environ=environ, said=said)
    assert (config.constitution, config.operations.port) == ("medical", 0)
    assert config.operations.host == "127.0.0.1"


def test_a_provider_that_is_not_named_is_not_asked(upstream: FakeProvider, tmp_path: Path) -> None:
    config = config_of("https://a.example", written(tmp_path))
    only = config.model_copy(update={"upstream": {"anthropic": upstream.url}})
    with serving(only) as house:
        assert ask(house.port, MESSAGES, messages()).status == 200
        answer = ask(house.port, CHAT, chat())
        assert (answer.status, answer.message) == (404, "no provider is named here for this path")
