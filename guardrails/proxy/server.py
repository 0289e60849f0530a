"""One process of the proxy: both listeners, signals, draining, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import uvicorn

from guardrails.asgi.messages import ASGIApp
from guardrails.audit.trail import MemoryTrail, Trail
from guardrails.errors import GuardrailsError, SettingsError, raise_together
from guardrails.guard.stores import shared_stores
from guardrails.proxy.check import CheckEndpoint
from guardrails.proxy.config import Limits, ServeConfig, check_tls
from guardrails.proxy.gate import CHECK, Gate
from guardrails.proxy.hosting import Hosting
from guardrails.proxy.keys import Keys, check_token_digest, refuse_shared_token
from guardrails.proxy.limits import Traffic
from guardrails.proxy.logs import access_log
from guardrails.proxy.metrics import Metrics
from guardrails.proxy.operations import OperationsApp
from guardrails.proxy.protocol import bounded_protocol
from guardrails.proxy.readiness import Readiness
from guardrails.proxy.relay import Relay
from guardrails.proxy.routes import Endpoints
from guardrails.proxy.signals import hear_reloads
from guardrails.proxy.stores import Stores
from guardrails.proxy.tracing import Tracing
from guardrails.settings import Settings
from guardrails.telemetry import log

__all__ = ["Proxy", "Serving", "bind", "loop_factory", "make_proxy", "run"]

T = TypeVar("T")

ENDING = (signal.SIGTERM, signal.SIGINT)
SAME_SIGNAL_S = 0.5
"""A signal to a group of processes may arrive twice, by way of the parent."""
YOUNG_OBJECTS = 5_000
"""So many are made before cycles among them are looked for. With ten times as many, a thousand
streams at once took 125 MiB more: what is old is looked through every hundredth time only."""
TO_END_S = 5.0
"""What requests may take to close their records, once they have been cancelled."""


@dataclass(slots=True, kw_only=True)
class Proxy:
    """The gate with all that it needs. `load` it, then run it on a loop."""

    config: ServeConfig
    gate: Gate
    relay: Relay
    hosting: Hosting
    metrics: Metrics
    stores: Stores
    tracing: Tracing | None = None
    _watching: list[asyncio.Task[None]] = field(default_factory=list, repr=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gate]:
        """Open while it serves. At the end all records are written."""
        await self.relay.begin()
        await self.stores.look()  # a second at most: told before a request meets it
        self._watching.append(asyncio.create_task(self.stores.watch()))
        if self.config.reload_s:
            self._watching.append(asyncio.create_task(self.hosting.watch()))
        try:
            yield self.gate
        finally:
            for task in self._watching:
                task.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TO_END_S):
                    while self.gate.traffic.in_flight:  # noqa: ASYNC110 - they are being cancelled
                        await asyncio.sleep(0.01)
            await self.relay.aclose()
            await self.hosting.aclose()
            await self.stores.aclose()
            if self.tracing is not None:
                await asyncio.to_thread(self.tracing.close)


def make_proxy(
    config: ServeConfig,
    *,
    settings: Settings | None = None,
    trail: Trail | None = None,
    tracing: Tracing | None = None,
) -> Proxy:
    """Everything that a proxy needs, its constitutions loaded. Raises SettingsError and what
    `Guard.load` raises, for all at once that would keep a request from being served."""
    wrong: list[GuardrailsError] = []

    def tried(make: Callable[[], T]) -> T | None:
        try:
            return make()
        except GuardrailsError as error:
            wrong.append(error)
            return None

    if (tls := config.tls) is not None:
        tried(lambda: check_tls(tls))
    served = tried(lambda: Endpoints(config))
    keys = tried(lambda: Keys(config))
    if tracing is None and config.otel:
        tracing = tried(Tracing)
    digest = None if config.check is None else tried(partial(check_token_digest, config.check))
    if keys is not None and digest is not None:
        tried(partial(refuse_shared_token, keys, digest))
    if served is None:  # what follows is looked at all the same
        served = Endpoints(config.model_copy(update={"routes": {}, "clients": {}}))
    metrics = Metrics([*(each.name for each in served.all), CHECK])
    relay = Relay(config.limits, more_headers=sorted(config.allow.headers))
    host = partial(Hosting, config, relay, served, metrics, settings=settings)
    hosting = tried(lambda: host(trail=trail))
    trial = hosting or tried(lambda: host(trail=MemoryTrail()))
    if trial is not None:
        tried(trial.load)
    stores = None
    if hosting is not None:
        stores = tried(partial(shared_stores, hosting.settings, offline=config.offline))
    raise_together(wrong)
    if keys is None or hosting is None or stores is None:
        raise AssertionError("what could not be made is told")
    check = None
    if config.check is not None and digest is not None:
        check = CheckEndpoint(
            config.check,
            digest,
            hosting,
            default=config.constitution,
            body_s=config.limits.body_s,
        )
    gate = Gate(
        config,
        keys=keys,
        served=served,
        relay=relay,
        hosting=hosting,
        metrics=metrics,
        traffic=Traffic(config.limits),
        tracing=tracing,
        check=check,
        access=access_log() if config.access_log else None,
    )
    return Proxy(
        config=config,
        gate=gate,
        relay=relay,
        hosting=hosting,
        metrics=metrics,
        stores=Stores(stores, metrics),
        tracing=tracing,
    )


class _Server(uvicorn.Server):
    """uvicorn, but for signals, which are this module's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int, *, options: str) -> socket.socket:
    """A socket that listens already. Raises SettingsError if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(2_048)
    except OSError as error:
        bound.close()
        raise SettingsError(
            f"{host}:{port} cannot be served: {error.strerror or error}; name another {options}; "
            f"port 0 is any that is free"
        ) from None
    bound.set_inheritable(True)
    return bound


class Serving:
    """A proxy on its listeners, from `run` until it is drained."""

    def __init__(
        self, proxy: Proxy, public: socket.socket, operations: socket.socket | None
    ) -> None:
        self._proxy, self._public, self._operations = proxy, public, operations
        self._main = _Server(_uvicorn(proxy.gate, proxy.config.limits, proxy.config))
        self._reloading = set[asyncio.Task[bool]]()
        self._drained_at = 0.0

    @property
    def is_ready(self) -> bool:
        return self._main.started and not self._proxy.gate.draining

    async def run(self, *, signals: Iterable[int] = ENDING, parent: int | None = None) -> None:
        """These signals end it, and SIGHUP loads the constitutions again, if there are any. So
        does the end of the `parent`, by its process id."""
        proxy = self._proxy
        async with proxy.running():
            loop = asyncio.get_running_loop()
            for number in signals:
                loop.add_signal_handler(number, self.drain)
                loop.add_signal_handler(signal.SIGHUP, self.reload)
                hear_reloads()
            orphaned = None if parent is None else asyncio.create_task(self._watch(parent))
            proxy.metrics.ready.set(1)
            readiness = Readiness(proxy.hosting, proxy.stores, lambda: self.is_ready)
            lives = OperationsApp(proxy.metrics, readiness)
            side, telling = None, None
            if self._operations is not None:
                side = _Server(_uvicorn(lives, Limits()))
                telling = asyncio.create_task(side.serve(sockets=[self._operations]))
            try:
                await self._main.serve(sockets=[self._public])
            finally:
                if orphaned is not None:
                    orphaned.cancel()
                if side is not None and telling is not None:
                    side.should_exit = True
                    await telling
                await readiness.aclose()

    def drain(self) -> None:
        """Take no more, once whoever sends requests has had the time to notice, and end what is
        under way. A second time: end at once."""
        proxy, now = self._proxy, time.monotonic()
        if proxy.gate.draining:
            if now - self._drained_at < SAME_SIGNAL_S:
                return
            self._main.should_exit = self._main.force_exit = True
            for task in tuple(self._main.server_state.tasks):
                task.cancel()
            return
        proxy.gate.draining, self._drained_at = True, now
        proxy.metrics.ready.set(0)
        log.info("draining", in_flight=proxy.gate.traffic.in_flight)
        loop = asyncio.get_running_loop()
        loop.call_later(proxy.config.drain_delay_s, setattr, self._main, "should_exit", True)

    async def _watch(self, parent: int) -> None:
        while os.getppid() == parent:  # noqa: ASYNC110 - the system has no event for it
            await asyncio.sleep(1)
        log.error("the parent process has ended")
        self.drain()

    def reload(self) -> None:
        """Load all constitutions again. Who waits already will find what is newest then."""
        if len(self._reloading) > 1:
            return
        task = asyncio.get_running_loop().create_task(self._proxy.hosting.reload())
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)


def run(
    proxy: Proxy,
    public: socket.socket,
    operations: socket.socket | None,
    *,
    signals: Iterable[int] = ENDING,
    parent: int | None = None,
) -> None:
    """Serve until one of the signals, or the end of the parent."""
    _spare_the_collector()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(Serving(proxy, public, operations).run(signals=signals, parent=parent))


def _spare_the_collector() -> None:
    """What was loaded stays, and a request leaves few cycles behind: looking through all of that
    again and again took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for every system
        return None
    return uvloop.new_event_loop


def _uvicorn(app: ASGIApp, limits: Limits, config: ServeConfig | None = None) -> uvicorn.Config:
    tls = None if config is None else config.tls
    return uvicorn.Config(
        app,
        http=bounded_protocol(limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2_048,
        timeout_keep_alive=int(limits.keep_alive_s) or 1,
        timeout_graceful_shutdown=int(config.drain_s) or 1 if config is not None else 1,
        ssl_certfile=None if tls is None else str(tls.cert),
        ssl_keyfile=None if tls is None else str(tls.key),
    )
