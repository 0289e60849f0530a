"""OpenTelemetry by the GenAI conventions: which model, how long, how many tokens; no content."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from proxy_house import House, config_of, provider, serving, until, written
from proxy_wire import CHAT, MESSAGES, RESPONSES, ask, chat, messages, responses

from guardrails.proxy.tokens import UsageReader
from guardrails.proxy.tracing import Tracing
from guardrails.testing import FakeProvider, api_error

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
    config = config_of(upstream.url, written(tmp_path_factory.mktemp("tracing")))
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
    assert span.kind.name == "CLIENT"
    assert f"{span.parent.trace_id:032x}" in PARENT
    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.provider.name"] == vendor
    assert said["gen_ai.request.model"] == asked["model"]
    assert said["server.address"] == "127.0.0.1"
    assert said["http.response.status_code"] == 200
    assert said["guardrails.verdict"] == answer.headers["guardrails-verdict"]
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
    assert "secret" not in "".join(span.to_json() for span in spans)
    duration = seen.points()["gen_ai.client.operation.duration"]
    assert len({point.attributes.get("gen_ai.request.model") for point in duration}) <= 102


# -- counts of tokens ----------------------------------------------------------------------------

REPLY = b'{"text": "\\"input_tokens\\": 9, ", "usage": {"input_tokens": 3, "output_tokens" : 12}}'


@given(st.lists(st.integers(0, len(REPLY)), max_size=8))
def test_counts_are_read_however_they_are_cut(cuts: list[int]) -> None:
    reader = UsageReader()
    edges = [0, *sorted(cuts), len(REPLY)]
    for start, end in pairwise(edges):
        reader.feed(REPLY[start:end])
    assert (reader.input_tokens, reader.output_tokens) == (3, 12)
