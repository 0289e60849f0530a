"""What the proxy serves, to whom, and within which limits: the table `[serve]` of the settings.

Nothing here changes a verdict on a text, and no key stands here: a key is named by the variable
that holds it, or by its SHA-256.
"""

from __future__ import annotations

import os
import ssl
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
    model_validator,
)

from guardrails.errors import SettingsError
from guardrails.mistakes import Steps, of_form, places, wrongs
from guardrails.settings import settings_file
from guardrails.telemetry import log
from guardrails.wire.formats import Named, format_of

__all__ = [
    "PROVIDERS",
    "Allowed",
    "CheckConfig",
    "ClientConfig",
    "Limits",
    "Provider",
    "RouteConfig",
    "ServeConfig",
    "check_tls",
    "is_loopback",
    "load_config",
]

Provider = Literal["anthropic", "openai"]
PROVIDERS: tuple[Provider, ...] = ("anthropic", "openai")

Variable = Annotated[
    str, of_form("[A-Za-z_][A-Za-z0-9_]{0,127}", "the name of a variable, such as SHOP_KEY")
]
Digest = Annotated[str, of_form("[0-9a-fA-F]{64}", "a SHA-256 of 64 hexadecimal digits")]
Label = Annotated[
    str,
    of_form("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a name of letters, digits, dots, dashes"),
]
"""Of a client: it stands in logs."""

Seconds = Annotated[float, Field(strict=True, gt=0, le=86_400, allow_inf_nan=False)]
Port = Annotated[int, Field(strict=True, ge=0, le=65_535)]
Text = Annotated[str, StringConstraints(min_length=1)]


ENDPOINTS = ("/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1/models")


def _address(said: str) -> str:
    """An upstream's base, without what every path begins with already."""
    try:
        found = urlsplit(said)
        fine = found.scheme in ("http", "https") and bool(found.hostname) and found.port != 0
    except ValueError:
        fine, found = False, urlsplit("")
    plain = said.isascii() and said.isprintable() and " " not in said
    if not fine or not plain or found.query or found.fragment or "@" in found.netloc:
        raise ValueError("expected an address such as https://api.anthropic.com")
    base = said.rstrip("/")
    if base.endswith(ENDPOINTS):
        raise ValueError("expected an address without the path of an endpoint, which is put after")
    return base.removesuffix("/v1")


Address = Annotated[str, AfterValidator(_address)]


def _for_each(said: object) -> object:
    """One for all providers."""
    return dict.fromkeys(PROVIDERS, said) if isinstance(said, str) else said


Addresses = Annotated[Mapping[Provider, Address], BeforeValidator(_for_each)]
Variables = Annotated[Mapping[Provider, Variable], BeforeValidator(_for_each)]


def _pattern(said: str) -> str:
    if not said.startswith("/") or "*" in said.removesuffix("/*"):
        raise ValueError("expected a path that starts with '/', perhaps with '/*' at the end")
    return said


def _format(said: Named) -> Named:
    try:
        format_of(said)
    except SettingsError as error:
        raise ValueError(str(error)) from None
    return said


NOT_FOR_THE_PROVIDER = frozenset(
    {
        *("authorization", "x-api-key", "api-key", "cookie", "proxy-authorization"),
        *("host", "content-length", "transfer-encoding", "te", "trailer", "expect", "upgrade"),
        *("connection", "keep-alive", "proxy-connection", "http2-settings"),
        *("accept-encoding", "traceparent", "tracestate"),
    }
)
"""Who the client is here, how its connection works, and what the proxy says itself."""


def _header(said: str) -> str:
    if said in NOT_FOR_THE_PROVIDER or said.startswith("guardrails-"):
        raise ValueError(
            f"{said!r} is between the client and the proxy: it never goes to the provider"
        )
    return said


HeaderName = Annotated[
    str, of_form("[a-z0-9-]+", "a header's name in lower case"), AfterValidator(_header)
]
PathPattern = Annotated[str, AfterValidator(_pattern)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Limits(_Table):
    """Times are in seconds, all else for one process. `body_bytes` stands for requests and for
    responses; None leaves room for what the constitution lets be judged."""

    body_bytes: Annotated[int, Field(strict=True, ge=1_024, le=1 << 30)] | None = None
    header_bytes: Annotated[int, Field(strict=True, ge=1_024, le=1 << 20)] = 32_768
    headers: Annotated[int, Field(strict=True, ge=10, le=1_000)] = 100
    header_s: Seconds = 10
    body_s: Seconds = 30
    connect_s: Seconds = 10
    first_byte_s: Seconds = 600
    idle_s: Seconds = 120
    write_s: Seconds = 60
    total_s: Seconds = 900
    keep_alive_s: Seconds = 20
    connections: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 10_000
    in_flight: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 1_000
    in_flight_per_client: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    per_minute_per_client: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] | None = None
    burst_per_client: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None


class Allowed(_Table):
    """What is refused unless it is named here. `betas`: values of `anthropic-beta` and
    `openai-beta`. `tools`: types of tools that run at the provider, or what they begin with.
    `fields`: of a request, that reach for what the provider keeps. `headers`: further ones that go
    to the provider. `origins`: pages whose browsers may ask."""

    betas: frozenset[Text] = frozenset()
    tools: frozenset[Text] = frozenset()
    fields: frozenset[Text] = frozenset()
    headers: frozenset[HeaderName] = frozenset()
    origins: frozenset[Text] = frozenset()


class RouteConfig(_Table):
    """One path. One that the proxy does not know needs a `format`, or `guard = false`: then nothing
    of it is judged."""

    constitution: Text | None = None
    upstream: Address | None = None
    format: Annotated[Named, AfterValidator(_format)] | None = None
    guard: StrictBool = True
    methods: frozenset[Literal["GET", "POST", "PUT", "PATCH", "DELETE"]] = frozenset({"POST"})

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if not self.guard and (self.format or self.constitution):
            raise ValueError("guard = false judges nothing; leave out format and constitution")
        return self


class ClientConfig(_Table):
    """Who may ask, by a key in a variable or by its digest, and on whose behalf. Without an
    `upstream_key_env`, here or for all, the client's own key goes to the provider. `routes` names
    constitutions for single paths."""

    key_env: Variable | None = None
    key_sha256: Digest | None = None
    tenant: Text | None = None
    constitution: Text | None = None
    routes: Mapping[PathPattern, Text] = Field(default_factory=dict)
    upstream_key_env: Variables = Field(default_factory=dict)
    attributes: Mapping[Text, str | tuple[str, ...]] = Field(default_factory=dict)
    language: Text | None = None
    in_flight: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    per_minute: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] | None = None
    burst: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.key_env is None) is (self.key_sha256 is None):
            raise ValueError("expected one of key_env and key_sha256")
        return self


class CheckConfig(_Table):
    """`POST /v1/check`: its own token, by a variable or by its digest, and how often it may ask."""

    token_env: Variable | None = None
    token_sha256: Digest | None = None
    tenant: Text = "check"
    per_minute: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] = 600
    burst: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 60

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if (self.token_env is None) is (self.token_sha256 is None):
            raise ValueError("expected one of token_env and token_sha256")
        return self


class Operations(_Table):
    """The listener for whoever runs the proxy."""

    host: Text = "127.0.0.1"
    port: Port = 9090
    enabled: StrictBool = True


class Tls(_Table):
    cert: Path
    key: Path


class ServeConfig(_Table):
    """All of `[serve]`. `upstream` and `upstream_key_env` are one for all, or one by provider.
    `hosts` are the names under which it may be asked; by default, on loopback, loopback's.
    `models` are names that the log may tell besides those that have a price."""

    upstream: Addresses
    constitution: Text
    offline: StrictBool = False
    host: Text = "127.0.0.1"
    port: Port = 8080
    workers: Annotated[int, Field(strict=True, ge=1, le=64)] = 1
    hosts: Annotated[frozenset[Text], Field(min_length=1)] | None = None
    upstream_key_env: Variables = Field(default_factory=dict)
    refuse: Literal["reply", "problem"] = "reply"
    trust_system: StrictBool = True
    access_log: StrictBool = True
    models: frozenset[Text] = frozenset()
    otel: StrictBool = False
    drain_s: Seconds = 30
    drain_delay_s: Annotated[float, Field(strict=True, ge=0, le=600)] = 0
    reload_s: Annotated[float, Field(strict=True, ge=0, le=3_600)] = 1
    limits: Limits = Limits()
    allow: Allowed = Allowed()
    routes: Mapping[PathPattern, RouteConfig] = Field(default_factory=dict)
    clients: Annotated[Mapping[Label, ClientConfig], Field(max_length=10_000)] = Field(
        default_factory=dict
    )
    check: CheckConfig | None = None
    operations: Operations = Operations()
    tls: Tls | None = None

    @property
    def constitutions(self) -> tuple[str, ...]:
        """Every one that a request may be held to, the default first."""
        named: dict[str, None] = {self.constitution: None}
        for route in self.routes.values():
            if route.constitution:
                named[route.constitution] = None
        for client in self.clients.values():
            for name in (client.constitution, *client.routes.values()):
                if name:
                    named[name] = None
        return tuple(named)

    @property
    def allowed_hosts(self) -> frozenset[str] | None:
        """None: any."""
        if self.hosts is not None:
            return frozenset(host.lower() for host in self.hosts)
        return LOOPBACK if is_loopback(self.host) else None

    def upstream_for(self, provider: Provider) -> str | None:
        return self.upstream.get(provider)


LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_loopback(host: str) -> bool:
    return host in LOOPBACK or host.startswith("127.")


def load_config(
    file: Path | None = None,
    *,
    said: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> ServeConfig:
    """Read `[serve]` of this file, or of the settings' own if it has one; `said` goes before.

    Raises SettingsError that names the file and the key that is wrong, and for what would serve
    the provider's key to anybody.
    """
    own = settings_file(environ)
    found, said = file or own, said or {}
    text = "" if found is None else _text(found)
    in_file = {}
    if found is not None:
        in_file = _table(text, found, is_settings=own is not None and _same(found, own))
    if file is not None and not in_file:
        raise SettingsError(f"{file}: no table [serve] in it")
    values = _over(in_file, said)
    tell = _teller(found, text, said)
    try:
        config = ServeConfig.model_validate(values)
    except ValidationError as error:
        told = wrongs(error, values, tell=tell, known=_fields_at, hints=MISSING)
        raise SettingsError("\n".join(told)) from None
    from guardrails.proxy.contradictions import contradictions  # which looks at what is made here

    if found_wrong := [tell(steps, what) for steps, what in contradictions(config)]:
        raise SettingsError("\n".join(found_wrong))
    return config


def _same(file: Path, other: Path) -> bool:
    return file.absolute() == other.absolute()


def check_tls(tls: Tls) -> None:
    """Raises SettingsError for files that cannot serve."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.cert, tls.key)
    except OSError as error:  # an SSLError is one
        raise SettingsError(
            f"serve.tls: cert {str(tls.cert)!r} and key {str(tls.key)!r} cannot be used: "
            f"{error.strerror or type(error).__name__}; expected a certificate and its key, in PEM"
        ) from None


def _over(values: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for name, value in said.items():
        old = merged.get(name)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[name] = _over(old, value) if both else value  # type: ignore[arg-type]  # as found
    return merged


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")  # editors may put a mark before it
    except FileNotFoundError:
        raise SettingsError(f"{file}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read as TOML: {error}") from None


def _table(text: str, file: Path, *, is_settings: bool) -> dict[str, Any]:
    """Warns of other settings in a file that nobody reads them from."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: cannot be read as TOML: {error}") from None
    table = values.get("serve", {})
    if not isinstance(table, dict):
        raise SettingsError(f"{file}: serve: expected a table [serve]")
    if not is_settings and (others := [name for name in values if name != "serve"]):
        log.warning(
            "of this file only [serve] is read; name it in GUARDRAILS_SETTINGS to have all of it",
            file=str(file),
            not_read=", ".join(others)[:150],
        )
    return table


def _teller(file: Path | None, text: str, said: Mapping[str, Any]) -> Callable[[Steps, str], str]:
    """Puts the option, or the place in the file, before what is wrong."""
    found = places(text)

    def tell(steps: Steps, what: str) -> str:
        key = f"serve.{'.'.join(steps)}" if steps else "serve"
        if _is_said(steps, said):
            return f"--{'-'.join(steps).replace('_', '-')}: {what}"
        if file is None:
            return f"{key}: {what}"
        line, column = found(("serve", *steps))
        return f"{file}:{line}:{column}: {key}: {what}"

    return tell


def _is_said(steps: Steps, said: Mapping[str, Any]) -> bool:
    """Whether a value is an option's."""
    if not steps or steps[0] not in said:
        return False
    within = said[steps[0]]
    return _is_said(steps[1:], within) if isinstance(within, Mapping) else True


MISSING: Mapping[Steps, str] = {
    ("upstream",): "give --upstream URL, or put it into the file",
    ("constitution",): "give --constitution NAME, or put it into the file",
}
_TABLES: Mapping[str, type[BaseModel]] = {
    "limits": Limits,
    "allow": Allowed,
    "routes": RouteConfig,
    "clients": ClientConfig,
    "check": CheckConfig,
    "operations": Operations,
    "tls": Tls,
}


def _fields_at(steps: Steps) -> list[str]:
    table = _TABLES.get(steps[0], ServeConfig) if steps else ServeConfig
    return list(table.model_fields)
