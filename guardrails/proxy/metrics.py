"""What is counted, for Prometheus. Labels are of closed lists: nothing that a client writes."""

from __future__ import annotations

import os
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["CONTENT_TYPE", "FOLDER", "Metrics", "Pin"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names where worker processes put their numbers together."""

STATUSES = frozenset(
    {200, 400, 401, 403, 404, 405, 408, 409, 413, 415, 421, 422, 429, 431, 500, 502, 503, 504, 529}
)
VERDICTS = frozenset({"allow", "flag", "redact", "revise", "block", "escalate", "pending"})
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

Pin = tuple[str, str, str]
"""A constitution's id, version and digest."""


class Metrics:
    """Of one process; those of several are added up when they are read."""

    def __init__(self, routes: Iterable[str]) -> None:
        self._registry = registry = CollectorRegistry()
        self._routes = frozenset(routes)
        self._answered: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._begun: dict[str, Histogram] = {}
        self._judged: dict[tuple[str, str], Counter] = {}
        self._decided: dict[tuple[str, str, str], Counter] = {}
        self.requests = Counter(
            "guardrails_proxy_requests",
            "Requests answered, by route and status.",
            ("route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "guardrails_proxy_request_seconds",
            "From the first line of a request to the last byte of its response.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self.upstream_seconds = Histogram(
            "guardrails_proxy_upstream_first_byte_seconds",
            "Until the provider's response begins.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self.upstream_faults = Counter(
            "guardrails_proxy_upstream_faults",
            "Requests that the provider did not answer, by what went wrong.",
            ("phase",),
            registry=registry,
        )
        self.verdicts = Counter(
            "guardrails_proxy_verdicts",
            "Verdicts as clients are told of them; `pending` for streams.",
            ("route", "verdict"),
            registry=registry,
        )
        self.decisions = Counter(
            "guardrails_proxy_decisions",
            "Decisions on record, by stage, verdict and cause; several for a request.",
            ("stage", "verdict", "cause"),
            registry=registry,
        )
        self.unrecorded = Counter(
            "guardrails_proxy_unrecorded",
            "Entries that could not be recorded; nothing of them was delivered.",
            registry=registry,
        )
        self.refused = Counter(
            "guardrails_proxy_refused",
            "Requests that were turned away before they were judged, by reason.",
            ("reason",),
            registry=registry,
        )
        self.left = Counter(
            "guardrails_proxy_clients_left",
            "Clients that left before their response was whole.",
            registry=registry,
        )
        self.reloads = Counter(
            "guardrails_proxy_reloads",
            "Constitutions loaded again, or refused.",
            ("result",),
            registry=registry,
        )
        self._held = Gauge(
            "guardrails_proxy_constitution_info",
            "Processes that hold requests to this version; 0 for one that was replaced.",
            ("constitution", "id", "version", "digest"),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._reloaded_well = Gauge(
            "guardrails_proxy_constitution_last_reload_successful",
            "Whether it could be loaded when it was last tried; 0: an older version is in force.",
            ("constitution",),
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._loaded_at = Gauge(
            "guardrails_proxy_constitution_last_reload_success_timestamp_seconds",
            "When the version in force was loaded, by the process that did so first.",
            ("constitution",),
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._reachable = Gauge(
            "guardrails_proxy_store_reachable",
            "Whether a Redis that settings name could be used when it was last; 0 if a process "
            "could not.",
            ("store",),
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.in_flight = Gauge(
            "guardrails_proxy_in_flight",
            "Requests under way.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.ready = Gauge(
            "guardrails_proxy_ready",
            "Processes that take requests.",
            registry=registry,
            multiprocess_mode="livesum",
        )

    def answered(self, route: str, status: int, seconds: float) -> None:
        route = route if route in self._routes else "none"
        named = str(status) if status in STATUSES else f"{status // 100}xx"
        found = self._answered.get((route, named))
        if found is None:
            found = self.requests.labels(route, named), self.seconds.labels(route)
            self._answered[route, named] = found
        counter, histogram = found
        counter.inc()
        histogram.observe(seconds)

    def holds(self, name: str, made: Pin, before: Pin | None, at: float) -> None:
        """A constitution is loaded, in the place of another version."""
        if before is not None and before != made:
            self._held.labels(name, *before).set(0)
        self._held.labels(name, *made).set(1)
        self._reloaded_well.labels(name).set(1)
        self._loaded_at.labels(name).set(at)

    def holds_still(self, name: str) -> None:
        """A constitution could not be loaded again."""
        self._reloaded_well.labels(name).set(0)

    def reaches(self, store: str, *, is_away: bool) -> None:
        """A store that processes share was looked at."""
        self._reachable.labels(store).set(0 if is_away else 1)

    def begun(self, route: str, seconds: float) -> None:
        """The provider's response."""
        found = self._begun.get(route)
        if found is None:
            found = self._begun[route] = self.upstream_seconds.labels(route)
        found.observe(seconds)

    def decided(self, stage: str, verdict: str, cause: str) -> None:
        found = self._decided.get((stage, verdict, cause))
        if found is None:
            found = self.decisions.labels(stage, verdict, cause)
            self._decided[stage, verdict, cause] = found
        found.inc()

    def judged(self, route: str, verdict: str) -> None:
        found = self._judged.get((route, verdict))
        if found is None:
            if verdict not in VERDICTS or route not in self._routes:
                return
            found = self._judged[route, verdict] = self.verdicts.labels(route, verdict)
        found.inc()

    def text(self) -> bytes:
        """In Prometheus' own format, those of all worker processes together."""
        if not os.environ.get(FOLDER):
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
