"""`constitution serve`: run the proxy until it is told to end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from guardrails.cli.outcome import Status
from guardrails.cli.screen import note
from guardrails.errors import AuditError
from guardrails.proxy.config import PROVIDERS, is_loopback
from guardrails.proxy.config_file import load_config
from guardrails.telemetry import log

if TYPE_CHECKING:
    from guardrails.guard.stores import SharedStore
    from guardrails.proxy.hosting import Hosting
    from guardrails.proxy.server import Proxy

__all__ = ["serve"]


IN_MEMORY = "the record is in memory, and ends with each process (audit = memory)"
UNGUARDED = "guard = false, so nothing of it is judged or recorded"
EVENTS_AS_TEXT = (
    "events of this path are read as pieces of a plain text; if their data is JSON, say where the "
    'pieces stand: format = "sse: /pointer"'
)


def serve(config_file: Path | None, said: Mapping[str, Any], *, check_only: bool) -> int:
    """Serve. Raises SettingsError, and what `Guard.load` raises, before anything is served."""
    from guardrails.proxy import logs
    from guardrails.proxy.descriptors import make_room
    from guardrails.proxy.server import bind, make_proxy, run
    from guardrails.proxy.signals import hold_reloads

    if not check_only:
        hold_reloads()
    config = load_config(config_file, said=said)
    proxy = make_proxy(config)
    asyncio.run(_try(proxy.hosting, check_only=check_only, goes_on=config.workers == 1))
    if check_only:
        note("the configuration, the keys, the constitutions and the record can be served")
        _tell_stores(proxy.stores.all)
        if proxy.hosting.settings.audit_file is None:
            note(f"but {IN_MEMORY}")
        for path, route in config.routes.items():
            if route.format == "text":
                note(f"{path}: {EVENTS_AS_TEXT}")
            if not route.guard:
                note(f"{path}: {UNGUARDED}")
        return Status.FINE
    with ExitStack() as open_until_the_end:
        operations = None
        if config.operations.enabled:
            address = config.operations.host, config.operations.port
            operations = open_until_the_end.enter_context(
                bind(*address, options="--operations-host or --operations-port")
            )
        public = open_until_the_end.enter_context(
            bind(config.host, config.port, options="--host or --port")
        )
        logs.set_up()
        make_room(config.limits.connections)
        _tell(proxy, public.getsockname()[1], operations.getsockname()[1] if operations else None)
        if config.workers == 1:
            run(proxy, public, operations)
            return Status.FINE
        from guardrails.proxy.workers import Workers

        return Workers(config, public, operations).run()


async def _try(hosting: Hosting, *, check_only: bool, goes_on: bool) -> None:
    """Whether what is decided can be recorded. Raises AuditError."""
    try:
        if not check_only:  # it would leave files behind, of whoever tries
            await hosting.probe()
    except AuditError:
        goes_on = False
        raise
    finally:
        if check_only or not goes_on:
            await hosting.aclose()


def _tell_stores(stores: Sequence[SharedStore]) -> None:
    """It is served without them, so that it can start before they do."""
    from guardrails.cli.stores import look_at
    from guardrails.proxy.stores import told

    asyncio.run(look_at(stores))
    for store in stores:
        note(told(store))


def _tell(proxy: Proxy, port: int, operations_port: int | None) -> None:
    config = proxy.config
    log.info(
        "serving",
        address=f"{'https' if config.tls else 'http'}://{config.host}:{port}",
        operations=None
        if operations_port is None
        else f"http://{config.operations.host}:{operations_port}",
        constitutions=", ".join(config.constitutions)[:150],
        clients=len(config.clients),
        workers=config.workers,
    )
    if proxy.hosting.settings.audit_file is None:
        log.warning(IN_MEMORY)
    if unguarded := [path for path, route in config.routes.items() if not route.guard]:
        log.warning("nothing of these paths is judged", paths=", ".join(unguarded)[:150])
    addresses = [config.upstream_for(provider) or "" for provider in PROVIDERS]
    addresses += [route.upstream or "" for route in config.routes.values()]
    if any(_is_open(address) for address in addresses):
        log.warning("an upstream is spoken to without TLS: keys and texts can be read on the way")
    if not config.clients and not is_loopback(config.host):
        log.warning("no clients are named: whoever reaches this address may ask with any key")


def _is_open(address: str) -> bool:
    found = urlsplit(address)
    return found.scheme == "http" and not is_loopback(found.hostname or "")
