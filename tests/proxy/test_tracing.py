"""OpenTelemetry by the GenAI conventions: which model, how long, how many tokens; no content."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from proxy_house import (
    LIMIT_S,
    REPLY,
    House,
    config_of,
    provider,
    serving,
    until,
    written,
)
from proxy_wire import CHAT, MESSAGES, RESPONSES, ask, chat, connected, messages, request, responses

from guardrails.errors import SettingsError
from guardrails.proxy import tracing
from guardrails.proxy.tokens import UsageReader
from guardrails.proxy.tracing import Tracing
from guardrails.testing import FakeProvider, Fault, api_error

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Seen:
    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.metrics = InMemoryMetricReader()
        self.tracing = Tracing(
            span_processor=SimpleSpanProcessor(self.spans), metric_reader=self.metrics
        )

    def span(self) -> Any:
        """The one of a call, which ends a little after its response."""
        until(lambda: bool(self.spans.get_finished_spans()))
        (found,) = self.spans.get_finished_spans()
        self.spans.clear()
        return found

    def points(self) -> dict[str, list[Any]]:
        data: Any = self.metrics.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture(scope="module")
def seen() -> Seen:
    return Seen()


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeProvider]:
    with provider([]) as made:
        yield made


@pytest.fixture(scope="module")
def house(
    seen: Seen, upstream: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    config = config_of(upstream.url, written(tmp_path_factory.mktemp("tracing")), models=["gpt-5"])
    with serving(config, tracing=seen.tracing) as made:
        yield made


CALLS = {
    "messages": (MESSAGES, messages, "anthropic"),
    "chat": (CHAT, chat, "openai"),
    "responses": (RESPONSES, responses, "openai"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("path", "body", "vendor"), CALLS.values(), ids=CALLS)
def test_a_call_is_a_span(
    house: House, seen: Seen, upstream: FakeProvider, path: str, body: Any, vendor: str,
    stream: bool,
) -> None:  # fmt: skip
    upstream.extend("The answer is four, I think.")
    more = {"stream_options": {"include_usage": True}} if path == CHAT and stream else {}
    asked = body("What is it?", stream=stream, **more)
    answer = ask(house.port, path, asked, headers={"traceparent": PARENT})
    assert answer.status == 200
    span = seen.span()
    said = dict(span.attributes)
    assert span.name == f"chat {asked['model']}"
    assert asked["model"] in house.proxy.hosting.known_models
    assert span.kind.name == "CLIENT"
    assert f"{span.parent.trace_id:032x}" in PARENT
    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.provider.name"] == vendor
    assert said["gen_ai.request.model"] == asked["model"]
    assert said["server.address"] == "127.0.0.1"
    assert said["http.response.status_code"] == 200
    assert said["guardrails.verdict"] == "allow"
    assert said["guardrails.record.id"] == answer.headers["guardrails-record"]
    assert said["gen_ai.usage.input_tokens"] > 0
    assert said["gen_ai.usage.output_tokens"] > 0
    sent = upstream.requests[-1].headers["traceparent"]
    assert f"{span.context.span_id:016x}" in sent
    assert "four" not in span.to_json()


def test_an_error_is_told_by_its_kind(house: House, seen: Seen, upstream: FakeProvider) -> None:
    upstream.extend(api_error(529))
    assert ask(house.port, MESSAGES, messages()).status == 529
    span = seen.span()
    assert span.status.status_code.name == "ERROR"
    assert span.attributes["error.type"] == "529"


def test_durations_and_tokens_are_measured(
    house: House, seen: Seen, upstream: FakeProvider
) -> None:
    upstream.extend("Four.")
    ask(house.port, MESSAGES, messages(model="claude-opus-5-5"))
    seen.span()
    points = seen.points()
    assert set(points) == {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
    kinds = {point.attributes["gen_ai.token.type"] for point in points["gen_ai.client.token.usage"]}
    assert kinds == {"input", "output"}


def dripping(text: str) -> Fault:
    return Fault(name="drip", treatment="slow_drip", answer=text, pause_s=0.005)


def test_a_stream_tells_what_was_decided_at_its_end(
    house: House, seen: Seen, upstream: FakeProvider
) -> None:
    upstream.extend(dripping("This is fine. " * 20 + "And this is forbidden. And so on."))
    answer = ask(house.port, MESSAGES, messages(stream=True))
    assert (answer.status, answer.headers["guardrails-verdict"]) == (200, "pending")
    assert REPLY.encode() in answer.body
    said = dict(seen.span().attributes)
    assert said["guardrails.verdict"] == "block"
    assert "error.type" not in said, "what the constitution stopped is no fault"


def test_a_fault_is_told_as_the_log_has_it(tmp_path: Path) -> None:
    seen = Seen()
    config = config_of("http://127.0.0.1:1", written(tmp_path))
    with serving(config, tracing=seen.tracing) as house:
        assert ask(house.port, MESSAGES, messages()).status == 503
        span = seen.span()
    assert span.attributes["error.type"] == "upstream_connect"
    assert span.status.status_code.name == "ERROR"


def test_who_leaves_a_stream_ends_its_span(tmp_path: Path) -> None:
    seen = Seen()
    with (
        provider(dripping("Four. " * 2_000)) as upstream,
        serving(config_of(upstream.url, written(tmp_path)), tracing=seen.tracing) as house,
    ):
        with connected(house.port) as connection:
            connection.sendall(request(MESSAGES, messages(stream=True)))
            assert connection.recv(200)
        span = seen.span()
    assert span.attributes["error.type"] == "left"


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("claude-haiku-5-5", "claude-haiku-5-5"),
        ("claude-haiku-5-5-20261001", "claude-haiku-5-5-20261001"),
        ("jane.doe@example.com", "other"),
        ("aWdub3JlIHByZXZpb3Vz", "other"),
        ("my secret is that I like it", None),
    ],
)
def test_a_model_that_nobody_knows_is_not_told(
    house: House, seen: Seen, upstream: FakeProvider, model: str, told: str | None
) -> None:
    upstream.extend("Four.")
    ask(house.port, MESSAGES, messages(model=model))
    span = seen.span()
    assert span.name == f"chat {told or ''}".strip()
    assert span.attributes.get("gen_ai.request.model") == told
    if told != model:
        assert model not in span.to_json()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("dd=s:2;o:rum, ot=th:0", "dd=s:2;o:rum,ot=th:0"),
        ("a=jane likes it, ot=th:0", "ot=th:0"),
        ("jane likes it", None),
    ],
)
def test_the_state_of_other_tracers_holds_no_sentence(
    house: House, seen: Seen, upstream: FakeProvider, said: str, kept: str | None
) -> None:
    upstream.extend("Four.")
    headers = {"traceparent": PARENT, "tracestate": said}
    assert ask(house.port, MESSAGES, messages(), headers=headers).status == 200
    assert "jane" not in seen.span().to_json()
    assert upstream.requests[-1].headers.get("tracestate") == kept


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "constitutional-guardrails"),
        ({"OTEL_SERVICE_NAME": "shop-guard"}, "shop-guard"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop-guard"}, "shop-guard"),
    ],
    ids=["ours", "a variable of its own", "among others"],
)
def test_whoever_runs_it_may_name_it(
    environ: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)
    spans = InMemorySpanExporter()
    made = Tracing(span_processor=SimpleSpanProcessor(spans), metric_reader=InMemoryMetricReader())
    assert made.resource["service.name"] == name
    made.close()


def test_an_address_without_its_scheme_is_told_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")
    with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP_ENDPOINT: expected an address"):
        Tracing()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    Tracing().close()


def test_a_collector_that_hangs_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracing, "TO_SEND_S", 0.2)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as collector, provider("Four.") as upstream:
        address = f"http://127.0.0.1:{collector.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        config = config_of(upstream.url, written(tmp_path), otel=True)
        with serving(config) as house:
            assert ask(house.port, MESSAGES, messages()).status == 200
            house.drain()
            house.thread.join(LIMIT_S / 4)
            assert not house.thread.is_alive()
    assert "the collector of traces does not answer" in caplog.text


def test_the_log_tells_the_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = Seen()
    with provider("Four.") as upstream:
        config = config_of(upstream.url, written(tmp_path), access_log=True)
        with serving(config, tracing=seen.tracing) as house:
            ask(house.port, MESSAGES, messages(), headers={"traceparent": PARENT})
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (line["event"], line["trace"]) == ("request", PARENT.split("-")[1])


def test_models_that_are_made_up_stay_few_and_hold_no_text(
    house: House, seen: Seen, upstream: FakeProvider
) -> None:
    for number in range(120):
        upstream.extend("Four.")
        ask(house.port, CHAT, chat(model=f"made-up-{number}"))
    upstream.extend("Four.")
    ask(house.port, CHAT, chat(model="my secret is that I like it"))
    until(lambda: len(seen.spans.get_finished_spans()) == 121)
    spans = seen.spans.get_finished_spans()
    seen.spans.clear()
    told = "".join(span.to_json() for span in spans)
    assert "secret" not in told
    assert "made-up" not in told
    duration = seen.points()["gen_ai.client.operation.duration"]
    assert len({point.attributes.get("gen_ai.request.model") for point in duration}) <= 102


# -- counts of tokens ----------------------------------------------------------------------------

COUNTED = b'{"text": "\\"input_tokens\\": 9, ", "usage": {"input_tokens": 3, "output_tokens" : 12}}'


@given(st.lists(st.integers(0, len(COUNTED)), max_size=8))
def test_counts_are_read_however_they_are_cut(cuts: list[int]) -> None:
    reader = UsageReader()
    edges = [0, *sorted(cuts), len(COUNTED)]
    for start, end in pairwise(edges):
        reader.feed(COUNTED[start:end])
    assert (reader.input_tokens, reader.output_tokens) == (3, 12)
