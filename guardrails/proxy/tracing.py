"""Traces and metrics by OpenTelemetry's conventions for generative AI; no content, ever.

Needs the extra `otel`; where to send them, the standard's own variables say (OTEL_EXPORTER_OTLP_…).
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from guardrails.asgi.messages import Headers
from guardrails.errors import SettingsError
from guardrails.proxy.passage import Passage
from guardrails.telemetry import log

__all__ = ["Tracing"]

MOST_MODELS = 100
"""Names of models that metrics tell apart: a client can make up any number."""

TO_SEND_S = 5.0

DURATIONS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
"""Source: OpenTelemetry semantic conventions, "Generative AI client metrics"."""

TRACESTATE = re.compile(r"[a-z0-9_*/@-]{1,256}=[!-~]{1,256}")
"""A member of it that holds no blanks, and so no sentence. Source: W3C Trace Context, 3.3.1."""


class Tracing:
    """`span_processor` and `metric_reader` stand in for the exporters. Raises SettingsError without
    the extra, and for an address that is none."""

    def __init__(self, *, span_processor: Any = None, metric_reader: Any = None) -> None:
        try:
            from opentelemetry import propagate
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.trace import SpanKind, Status, StatusCode
        except ImportError:
            raise SettingsError(
                "otel: needs the extra: pip install 'constitutional-guardrails[otel]'"
            ) from None
        resource = Resource.create()
        if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "constitutional-guardrails"}))
        self.resource: Mapping[str, Any] = resource.attributes
        self._spans = TracerProvider(resource=resource, shutdown_on_exit=False)
        if (processor := span_processor or _span_exporter()) is not None:
            self._spans.add_span_processor(processor)
        reader = metric_reader or _metric_exporter()
        self._meters = MeterProvider(
            resource=resource,
            metric_readers=[] if reader is None else [reader],
            shutdown_on_exit=False,
        )
        self._propagate, self._kind = propagate, SpanKind.CLIENT
        self._status, self._error = Status, StatusCode.ERROR
        self._tracer = self._spans.get_tracer("guardrails.proxy")
        meter = self._meters.get_meter("guardrails.proxy")
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            explicit_bucket_boundaries_advisory=DURATIONS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", unit="{token}", explicit_bucket_boundaries_advisory=TOKENS
        )
        self._models = set[str]()

    def begin(self, passage: Passage, headers: Headers, model: str | None) -> TracedCall | None:
        """One request to the provider, as a span, below the client's if it sends one. `model` is
        the name that may be told. None for what is none of a model's business."""
        operation = passage.endpoint.operation
        if operation is None:
            return None
        attributes = self._attributes(passage, operation, model)
        parent = self._propagate.extract(_carried(headers))
        span = self._tracer.start_span(
            f"{operation} {model or ''}".strip(),
            context=parent,
            kind=self._kind,
            attributes=attributes,
        )
        passage.more_headers = self._injected(span)
        return TracedCall(self, span, attributes)

    def _attributes(self, passage: Passage, operation: str, model: str | None) -> dict[str, Any]:
        address = urlsplit(passage.upstream)
        found: dict[str, Any] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": passage.provider,
            "server.address": address.hostname or "",
            "server.port": address.port or (443 if address.scheme == "https" else 80),
        }
        if model is not None:
            found["gen_ai.request.model"] = model
        return found

    def _injected(self, span: Any) -> tuple[tuple[bytes, bytes], ...]:
        from opentelemetry.trace import set_span_in_context

        carrier: dict[str, str] = {}
        self._propagate.inject(carrier, context=set_span_in_context(span))
        return tuple(
            (name.encode("ascii"), value.encode("latin-1"))
            for name, value in carrier.items()
            if name in ("traceparent", "tracestate")
        )

    def measure(
        self, attributes: Mapping[str, Any], took_s: float, tokens: Mapping[str, int]
    ) -> None:
        counted = {**attributes}
        if "gen_ai.request.model" in counted:
            counted["gen_ai.request.model"] = self._counted(counted["gen_ai.request.model"])
        self._duration.record(took_s, counted)
        for kind, count in tokens.items():
            self._tokens.record(count, {**counted, "gen_ai.token.type": kind})

    def failed(self, span: Any) -> None:
        span.set_status(self._status(self._error))

    def _counted(self, model: str) -> str:
        if model not in self._models:
            if len(self._models) >= MOST_MODELS:
                return "other"
            self._models.add(model)
        return model

    def close(self) -> None:
        """Send what is waiting, for a while: a collector that hangs must not hold up the end."""
        sending = [
            threading.Thread(target=each.shutdown, daemon=True)
            for each in (self._spans, self._meters)
        ]
        for thread in sending:
            thread.start()
        until = time.monotonic() + TO_SEND_S
        for thread in sending:
            thread.join(max(0.0, until - time.monotonic()))
        if any(thread.is_alive() for thread in sending):
            log.warning("the collector of traces does not answer; what it was not told is lost")


class TracedCall:
    """A span that ends with its response, a stream's end included: until then nobody knows what
    was decided."""

    def __init__(self, tracing: Tracing, span: Any, attributes: dict[str, Any]) -> None:
        self._tracing, self._span, self._attributes = tracing, span, attributes
        self._began = time.perf_counter()

    @property
    def trace_id(self) -> str | None:
        """None where the standard's variables turn tracing off."""
        number = self._span.get_span_context().trace_id
        return f"{number:032x}" if number else None

    def end(self, told: Mapping[str, Any], status: int) -> None:
        """`told` as the log has it (`Account.told`), `status` of the response."""
        span, attributes = self._span, self._attributes
        for name, key in TOLD.items():
            if told.get(key) is not None:
                span.set_attribute(name, told[key])
        upstream = told.get("upstream")
        error = str(upstream) if upstream is not None and upstream >= 400 else told.get("reason")
        if error is not None:
            attributes["error.type"] = error
            span.set_attribute("error.type", error)
        if error is not None or status >= 500:
            self._tracing.failed(span)
        counts = {kind: told.get(key) for kind, key in TOKENS_TOLD.items()}
        tokens = {kind: count for kind, count in counts.items() if count is not None}
        for kind, count in tokens.items():
            span.set_attribute(f"gen_ai.usage.{kind}_tokens", count)
        self._tracing.measure(attributes, time.perf_counter() - self._began, tokens)
        span.end()


TOLD = {
    "http.response.status_code": "upstream",
    "guardrails.verdict": "verdict",
    "guardrails.cause": "cause",
    "guardrails.record.id": "record",
    "guardrails.constitution": "constitution",
}
TOKENS_TOLD = {"input": "tokens_in", "output": "tokens_out"}


def _carried(headers: Headers) -> dict[str, str]:
    """Whose span it stands below. Of the vendors' state only what holds no blanks: it is told in
    traces, and sent on."""
    found = {}
    if (parent := headers.get("traceparent")) is not None:
        found["traceparent"] = parent
    members = [member.strip() for member in (headers.get("tracestate") or "").split(",")]
    if state := ",".join(member for member in members if TRACESTATE.fullmatch(member)):
        found["tracestate"] = state
    return found


def _goes_nowhere(kind: str) -> bool:
    """Whether whoever runs it wants none of these. Raises SettingsError for an address that would
    fail later, time and again."""
    if os.environ.get(f"OTEL_{kind}_EXPORTER", "").strip().lower() == "none":
        return True
    for variable in (f"OTEL_EXPORTER_OTLP_{kind}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        address = os.environ.get(variable, "").strip()
        if address and not address.startswith(("http://", "https://")):
            raise SettingsError(
                f"{variable}: expected an address such as http://collector:4318; traces and "
                f"metrics are sent by OTLP over HTTP"
            )
    return False


def _span_exporter() -> Any:
    if _goes_nowhere("TRACES"):
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter())


def _metric_exporter() -> Any:
    if _goes_nowhere("METRICS"):
        return None
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(OTLPMetricExporter())
