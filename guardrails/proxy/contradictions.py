"""What is right by itself in `[serve]`, and cannot be meant beside the rest of it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from guardrails.mistakes import Steps
from guardrails.proxy.config import ServeConfig, is_loopback

__all__ = ["contradictions"]


def contradictions(config: ServeConfig) -> Iterator[tuple[Steps, str]]:
    """Where it stands, and what is wrong."""
    if config.upstream_key_env and not config.clients and not is_loopback(config.host):
        yield (
            ("host",),
            f"{config.host!r} would offer the provider's key to whoever reaches it; name who may "
            f"ask under [serve.clients.NAME], or serve 127.0.0.1",
        )
    if not config.upstream and not any(route.upstream for route in config.routes.values()):
        yield ("upstream",), "expected an address for 'anthropic' or for 'openai'"
    side = config.operations
    if side.enabled and _same_listener(config.host, config.port, side.host, side.port):
        yield ("operations", "port"), f"{side.port} is the port that clients ask, too"
    for steps, address in _upstreams(config):
        if _leads_back(config, address):
            yield steps, "leads back to the proxy itself"
    yield from _bursts(config)


def _is_anywhere(host: str) -> bool:
    """Whether a listener there is reached by all of the machine's addresses."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _same_listener(host: str, port: int, other: str, other_port: int) -> bool:
    return port == other_port != 0 and (host == other or _is_anywhere(host) or _is_anywhere(other))


def _upstreams(config: ServeConfig) -> Iterator[tuple[Steps, str]]:
    seen = set[str]()
    for provider, address in config.upstream.items():
        if address not in seen:  # one for all was told once
            seen.add(address)
            yield ("upstream", provider), address
    for path, route in config.routes.items():
        if route.upstream is not None:
            yield ("routes", path, "upstream"), route.upstream


def _leads_back(config: ServeConfig, address: str) -> bool:
    """Every request would be asked again and again until there is no more room."""
    found = urlsplit(address)
    host = found.hostname or ""
    port = found.port or (443 if found.scheme == "https" else 80)
    here = is_loopback(host) and (is_loopback(config.host) or _is_anywhere(config.host))
    return port == config.port != 0 and (here or host == config.host)


def _bursts(config: ServeConfig) -> Iterator[tuple[Steps, str]]:
    limits = config.limits
    for name, client in config.clients.items():
        if client.burst and not client.per_minute and not limits.per_minute_per_client:
            yield ("clients", name, "burst"), "says nothing without per_minute"
    rates = [limits.per_minute_per_client, *(c.per_minute for c in config.clients.values())]
    if limits.burst_per_client and not any(rates):
        yield ("limits", "burst_per_client"), "says nothing without per_minute_per_client"
