"""Traces and metrics by OpenTelemetry's conventions for generative AI; no content, ever.

Needs the extra `otel`; where to send them, the standard's own variables say (OTEL_EXPORTER_OTLP_…).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from guardrails.asgi.messages import Headers
from guardrails.errors import SettingsError
from guardrails.proxy.passage import Passage

__all__ = ["Tracing"]

MOST_MODELS = 100
"""Names of models that metrics tell apart: a client can make up any number."""

DURATIONS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
"""Source: OpenTelemetry semantic conventions, "Generative AI client metrics"."""

Outcome = Callable[[], tuple[int, tuple[str, str, str] | None, str | None]]
"""Status, (verdict, record, constitution), and why the gate answered itself."""


class Tracing:
    """`span_processor` and `metric_reader` stand in for the exporters. Raises SettingsError without
    the extra."""

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
        resource = Resource.create({"service.name": "constitutional-guardrails"})
        self._spans = TracerProvider(resource=resource)
        self._spans.add_span_processor(span_processor or _span_exporter())
        self._meters = MeterProvider(
            resource=resource, metric_readers=[metric_reader or _metric_exporter()]
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

    @contextmanager
    def call(self, passage: Passage, headers: Headers, outcome: Outcome) -> Iterator[None]:
        """One request to the provider, as a span, below the client's if it sends one."""
        operation = passage.endpoint.operation
        if operation is None:
            yield
            return
        attributes = self._attributes(passage, operation)
        carrier = {
            name: said
            for name in ("traceparent", "tracestate")
            if (said := headers.get(name)) is not None
        }
        parent = self._propagate.extract(carrier)
        model = passage.asked.model
        span = self._tracer.start_span(
            f"{operation} {model}".strip(), context=parent, kind=self._kind, attributes=attributes
        )
        passage.more_headers = self._injected(span)
        began = time.perf_counter()
        try:
            yield
        except BaseException as error:
            attributes["error.type"] = type(error).__name__
            raise
        finally:
            self._end(span, passage, attributes, outcome(), time.perf_counter() - began)

    def _attributes(self, passage: Passage, operation: str) -> dict[str, Any]:
        address = urlsplit(passage.upstream)
        found: dict[str, Any] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": passage.provider,
            "server.address": address.hostname or "",
            "server.port": address.port or (443 if address.scheme == "https" else 80),
        }
        if passage.asked.model:
            found["gen_ai.request.model"] = passage.asked.model
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

    def _end(
        self,
        span: Any,
        passage: Passage,
        attributes: dict[str, Any],
        outcome: tuple[int, tuple[str, str, str] | None, str | None],
        took_s: float,
    ) -> None:
        status, decided, _ = outcome
        if passage.upstream_status is not None:
            span.set_attribute("http.response.status_code", passage.upstream_status)
            if passage.upstream_status >= 400:
                attributes["error.type"] = str(passage.upstream_status)
        if decided is not None:
            verdict, record, constitution = decided
            span.set_attribute("guardrails.verdict", verdict)
            span.set_attribute("guardrails.record.id", record)
            span.set_attribute("guardrails.constitution", constitution)
        if "error.type" in attributes:
            span.set_attribute("error.type", attributes["error.type"])
            span.set_status(self._status(self._error))
        elif status >= 500:
            span.set_status(self._status(self._error))
        counted = {**attributes}
        if "gen_ai.request.model" in counted:
            counted["gen_ai.request.model"] = self._counted(passage.asked.model)
        self._duration.record(took_s, counted)
        usage = passage.usage
        if usage is not None:
            for kind, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
                if count is not None:
                    span.set_attribute(f"gen_ai.usage.{kind}_tokens", count)
                    self._tokens.record(count, {**counted, "gen_ai.token.type": kind})
        span.end()

    def _counted(self, model: str) -> str:
        if model not in self._models:
            if len(self._models) >= MOST_MODELS:
                return "other"
            self._models.add(model)
        return model

    def close(self) -> None:
        """Send what is waiting."""
        self._spans.shutdown()
        self._meters.shutdown()


def _span_exporter() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter())


def _metric_exporter() -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(OTLPMetricExporter())
