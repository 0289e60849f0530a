"""What is served: the providers' endpoints that are known, and further paths that are listed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from guardrails.asgi.messages import Headers
from guardrails.errors import SettingsError, raise_together
from guardrails.proxy.answers import RefusedError
from guardrails.proxy.config import Provider, RouteConfig, ServeConfig
from guardrails.wire.formats import Named

__all__ = ["KNOWN", "Endpoint", "Endpoints"]

Kind = Literal["generate", "count", "models", "listed"]
QUERY_VALUE = re.compile(rb"[A-Za-z0-9._:@-]{0,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`name` stands in metrics, logs and traces; `path` is a pattern. Without a `format` nothing of
    it is judged. `operation` is what the GenAI conventions call it."""

    name: str
    path: str
    kind: Kind
    provider: Provider | None
    methods: frozenset[str]
    format: Named | None
    query: Mapping[str, re.Pattern[bytes]] | None = None
    operation: str | None = None


_BETA = {"beta": re.compile(rb"true")}
_PAGES = dict.fromkeys(("after_id", "before_id", "limit", "after", "order", "beta"), QUERY_VALUE)
_POST, _GET = frozenset({"POST"}), frozenset({"GET"})

KNOWN: tuple[Endpoint, ...] = (
    Endpoint(
        name="messages", path="/v1/messages", kind="generate", provider="anthropic",
        methods=_POST, format="anthropic", query=_BETA, operation="chat",
    ),
    Endpoint(
        name="count_tokens", path="/v1/messages/count_tokens", kind="count",
        provider="anthropic", methods=_POST, format="anthropic", query=_BETA,
    ),
    Endpoint(
        name="chat_completions", path="/v1/chat/completions", kind="generate",
        provider="openai", methods=_POST, format="openai-chat", query={}, operation="chat",
    ),
    Endpoint(
        name="responses", path="/v1/responses", kind="generate", provider="openai",
        methods=_POST, format="openai-responses", query={}, operation="chat",
    ),
    Endpoint(
        name="models", path="/v1/models", kind="models", provider=None, methods=_GET,
        format=None, query=_PAGES,
    ),
)  # fmt: skip

_MODEL = re.compile(r"/v1/models/[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
_REFUSABLE = re.compile(
    r"/v1/(?:messages/batches|batches|files|containers|skills|agents|sessions|assistants|threads"
    r"|vector_stores|uploads|fine_tuning|realtime|audio|images|videos|embeddings|moderations"
    r"|completions|complete|conversations|responses|chat/completions|evals|organizations)(?:/.*)?"
)
"""Paths that providers have, so that the message says how to allow them."""


class Endpoints:
    """Finds what a request is for. Raises SettingsError for all paths that mean nothing: they would
    be misspelt ones."""

    def __init__(self, config: ServeConfig) -> None:
        self._exact = {endpoint.path: endpoint for endpoint in KNOWN}
        below: dict[str, Endpoint] = {}
        wrong: list[SettingsError] = []
        for pattern, route in config.routes.items():
            if (found := _fault(pattern, route)) is not None:
                wrong.append(SettingsError(f"serve.routes.{pattern}{found}"))
            elif pattern in self._exact:
                self._exact[pattern] = _changed(self._exact[pattern], route)
            elif pattern.endswith("/*"):
                below[pattern.removesuffix("*")] = _listed(pattern, route)
            else:
                self._exact[pattern] = _listed(pattern, route)
        self._below = sorted(below.items(), key=lambda item: -len(item[0]))
        self.all = (*self._exact.values(), *below.values())
        raise_together([*wrong, *self._faults_of_clients(config)])

    def _faults_of_clients(self, config: ServeConfig) -> Iterator[SettingsError]:
        served = [endpoint.path for endpoint in self.all]
        for name, client in config.clients.items():
            for path in client.routes:
                if path not in served:
                    yield SettingsError(
                        f"serve.clients.{name}.routes: {path!r} is not served; expected one of "
                        f"{', '.join(served)}"
                    )

    def at(self, path: str) -> Endpoint | None:
        """What is known there by this very path, whatever the method."""
        return self._exact.get(path)

    def find(self, path: str, method: str) -> Endpoint:
        """Raises RefusedError for what is not served."""
        found = self._exact.get(path) or self._model(path)
        if found is None:
            found = next((each for start, each in self._below if path.startswith(start)), None)
        if found is None:
            raise self._unknown(path)
        if method not in found.methods:
            named = ", ".join(sorted(found.methods))
            raise RefusedError(405, "method", f"this path takes {named} only")
        return found

    def _model(self, path: str) -> Endpoint | None:
        return self._exact["/v1/models"] if _MODEL.fullmatch(path) else None

    def _unknown(self, path: str) -> RefusedError:
        if _REFUSABLE.fullmatch(path):
            return RefusedError(
                403,
                "unlisted_path",
                "this endpoint is not listed here, for what goes through it would not be judged; "
                "the proxy's [serve.routes] can list its path with a format",
            )
        return RefusedError(404, "unknown_path", "there is no such path here")


def _fault(pattern: str, route: RouteConfig) -> str | None:
    known = [endpoint.path for endpoint in KNOWN]
    if pattern in known:
        return ".format: this path has a format of its own" if route.format else None
    if route.guard and not route.format:
        return (
            f": not one of {', '.join(known)}; to list another path say its format, such as "
            f"'auto' or 'json'"
        )
    return None


def _changed(endpoint: Endpoint, route: RouteConfig) -> Endpoint:
    return endpoint if route.guard else _with_format(endpoint, None)


def _with_format(endpoint: Endpoint, format: Named | None) -> Endpoint:
    return Endpoint(
        name=endpoint.name,
        path=endpoint.path,
        kind=endpoint.kind,
        provider=endpoint.provider,
        methods=endpoint.methods,
        format=format,
        query=endpoint.query,
        operation=endpoint.operation,
    )


def _listed(pattern: str, route: RouteConfig) -> Endpoint:
    return Endpoint(
        name=pattern,
        path=pattern,
        kind="listed",
        provider=None,
        methods=frozenset(route.methods),
        format=(route.format or "auto") if route.guard else None,
    )


def spoken(endpoint: Endpoint | None, headers: Headers) -> Provider:
    """Whose errors the client reads: the path's provider, or the one whose headers it sends."""
    if endpoint is not None and endpoint.provider is not None:
        return endpoint.provider
    anthropic = headers.get("anthropic-version") is not None or headers.get("x-api-key") is not None
    return "anthropic" if anthropic else "openai"


def check_query(endpoint: Endpoint, query: bytes) -> None:
    """Raises RefusedError for parameters that the endpoint does not have: nobody judges them."""
    if not query or endpoint.query is None:
        return
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        form = endpoint.query.get(name.decode("latin-1"))
        if form is None or not form.fullmatch(value):
            raise RefusedError(400, "query", "the query has a parameter that is not known here")
