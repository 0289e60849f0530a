"""Who is asking, by the key that the request brings. No key is kept, logged or compared in clear.

A key is looked up by a MAC under a key of this process, so that how long a look-up takes says
nothing about the keys that are known.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from guardrails.asgi.messages import Headers
from guardrails.errors import SettingsError, raise_together
from guardrails.exchange import Context
from guardrails.proxy.answers import RefusedError
from guardrails.proxy.config import CheckConfig, ClientConfig, Provider, ServeConfig

__all__ = [
    "Client",
    "Credential",
    "Keys",
    "check_token_digest",
    "credential",
    "refuse_shared_token",
    "secret_of",
]

LONGEST_KEY = 4_096
SHORTEST_KEY = 16
"""Characters of a key that we are to know clients by: one that can be guessed is none."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A key as it came: the header's name and whole value, and the key in it."""

    header: bytes
    value: bytes = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Somebody who may ask. `upstream_keys` go to the provider in the place of the client's own."""

    name: str
    context: Context
    config: ClientConfig | None = field(default=None, repr=False)
    upstream_keys: Mapping[Provider, str] = field(default_factory=dict, repr=False)


def credential(headers: Headers) -> Credential | None:
    """The key of a request, in either style. Raises RefusedError for two different ones, or for
    what is no key."""
    found: list[Credential] = []
    for name, value in headers.items:
        if name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if scheme.lower() != b"bearer":
                raise RefusedError(401, "key", "authorization is not of the form 'Bearer KEY'")
            found.append(Credential(name, value, key.strip()))
        elif name in (b"x-api-key", b"api-key"):
            found.append(Credential(name, value, value.strip()))
    if not found:
        return None
    first = found[0]
    if any(not hmac.compare_digest(other.key, first.key) for other in found[1:]):
        raise RefusedError(
            400, "two_keys", "authorization and x-api-key hold different keys; send one of them"
        )
    if not first.key or len(first.key) > LONGEST_KEY:
        raise RefusedError(401, "key", "the key is empty or too long")
    return first


class Keys:
    """The clients of a configuration. Without any, everybody with a key may ask.

    Raises SettingsError for all variables that are not set, keys that are too short, and those that
    two clients have.
    """

    def __init__(self, config: ServeConfig, environ: Mapping[str, str] = os.environ) -> None:
        self._secret = secrets.token_bytes(32)
        self._common: Mapping[Provider, str] = {}
        wrong: list[SettingsError] = []
        try:
            self._common = _upstream_keys(config.upstream_key_env, "serve", environ)
        except SettingsError as error:
            wrong.append(error)
        self._clients: dict[bytes, Client] = {}
        self._anybody = Client(name="anybody", context=Context(), upstream_keys=self._common)
        for name, said in config.clients.items():
            try:
                self._add(name, said, environ)
            except SettingsError as error:
                wrong.append(error)
        raise_together(wrong)

    def _add(self, name: str, said: ClientConfig, environ: Mapping[str, str]) -> None:
        place = f"serve.clients.{name}"
        own = _upstream_keys(said.upstream_key_env, place, environ)
        digest = _digest(said.key_env, said.key_sha256, place, environ)
        known = hmac.digest(self._secret, digest, hashlib.sha256)
        if known in self._clients:
            other = self._clients[known].name
            raise SettingsError(f"{place}: has the same key as serve.clients.{other}")
        context = Context(
            tenant=said.tenant or name, language=said.language, attributes=said.attributes
        )
        keys = {**self._common, **own}
        self._clients[known] = Client(name=name, context=context, config=said, upstream_keys=keys)

    @property
    def clients(self) -> tuple[Client, ...]:
        return tuple(self._clients.values()) or (self._anybody,)

    def client(self, given: Credential | None) -> Client:
        """Raises RefusedError for a key that nobody here has."""
        if not self._clients:
            if given is None and not self._common:
                raise RefusedError(
                    401, "no_key", "no key: send authorization: Bearer KEY, or x-api-key: KEY"
                )
            return self._anybody
        if given is None:
            raise RefusedError(
                401, "no_key", "no key: send authorization: Bearer KEY, or x-api-key: KEY"
            )
        found = self.of_digest(hashlib.sha256(given.key).digest())
        if found is None:
            raise RefusedError(401, "unknown_key", "this key is not known here")
        return found

    def of_digest(self, digest: bytes) -> Client | None:
        """Whose key has this SHA-256."""
        return self._clients.get(hmac.digest(self._secret, digest, hashlib.sha256))


def refuse_shared_token(keys: Keys, token: bytes) -> None:
    """Who may ask for checks could ask for anything, and the other way round. Raises
    SettingsError."""
    if (client := keys.of_digest(token)) is not None:
        raise SettingsError(
            f"serve.check: its token is the key of serve.clients.{client.name}; make it another one"
        )


def check_token_digest(config: CheckConfig, environ: Mapping[str, str] = os.environ) -> bytes:
    """The SHA-256 of the token for `/v1/check`. Raises SettingsError."""
    return _digest(config.token_env, config.token_sha256, "serve.check", environ)


def _digest(
    variable: str | None, digest: str | None, place: str, environ: Mapping[str, str]
) -> bytes:
    if variable is None:
        return bytes.fromhex(digest or "")
    key = secret_of(variable, place, environ)
    if len(key) < SHORTEST_KEY:
        raise SettingsError(
            f"{place}: the key in {variable} has less than {SHORTEST_KEY} characters; take one "
            f"that nobody can guess, such as `openssl rand -hex 32` makes"
        )
    return hashlib.sha256(key.encode()).digest()


def _upstream_keys(
    said: Mapping[Provider, str], place: str, environ: Mapping[str, str]
) -> dict[Provider, str]:
    keys: dict[Provider, str] = {}
    wrong: list[SettingsError] = []
    for provider, name in said.items():
        try:
            keys[provider] = secret_of(name, f"{place}.upstream_key_env.{provider}", environ)
        except SettingsError as error:
            wrong.append(error)
    raise_together(wrong)
    return keys


def secret_of(variable: str, place: str, environ: Mapping[str, str]) -> str:
    """Raises SettingsError that names the variable."""
    value = environ.get(variable, "").strip()
    if not value:
        raise SettingsError(f"{place}: the variable {variable} is not set")
    if not value.isascii() or not value.isprintable():
        raise SettingsError(f"{place}: {variable} holds what no header can: expected a key")
    return value
