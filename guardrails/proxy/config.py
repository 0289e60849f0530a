"""What the proxy serves, to whom, and within which limits: the table `[serve]` of the settings.

Nothing here changes a verdict on a text, and no key stands here: a key is named by the variable
that holds it, or by its SHA-256.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from guardrails.errors import SettingsError
from guardrails.mistakes import of_form
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


def check_tls(tls: Tls) -> None:
    """Raises SettingsError for files that cannot serve."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.cert, tls.key)
    except OSError as error:  # an SSLError is one
        raise SettingsError(
            f"serve.tls: cert {str(tls.cert)!r} and key {str(tls.key)!r} cannot be used: "
            f"{error.strerror or type(error).__name__}; expected a certificate and its key, in PEM"
        ) from None
