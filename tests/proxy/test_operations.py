"""The listener for whoever runs the proxy: whether it lives, is ready, and how it goes."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from proxy_house import Records, config_of, provider, serving, until, written
from proxy_wire import MESSAGES, Got, ask, messages

from guardrails.audit.record import Opened
from guardrails.errors import AuditError


def test_it_tells_how_it_goes(tmp_path: Path) -> None:
    with (
        provider("Four.") as upstream,
        serving(config_of(upstream.url, written(tmp_path))) as house,
    ):

        def get(path: str, method: str = "GET") -> Got:
            return ask(house.operations_port, path, method=method)

        until(lambda: get("/readyz").status == 200)
        assert (get("/healthz").status, get("/healthz").body) == (200, b"alive\n")
        assert get("/v1/messages").status == 404
        assert get("/healthz", "POST").status == 405
        ask(house.port, MESSAGES, messages("A forbidden thing."))
        ask(house.port, "/a/secret/path", messages())
        until(lambda: house.metric("guardrails_proxy_requests_total", route="none") == 1)
        metrics = get("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        text = metrics.body.decode()
        assert 'guardrails_proxy_verdicts_total{route="messages",verdict="block"} 1.0' in text
        assert 'guardrails_proxy_refused_total{reason="unknown_path"} 1.0' in text
        assert "guardrails_proxy_ready 1.0" in text
        decided = (
            'guardrails_proxy_decisions_total{cause="policy",stage="input",verdict="block"} 1.0'
        )
        assert decided in text
        assert "secret" not in text
        for path in ("/metrics", "/healthz", "/readyz"):  # not where clients are
            assert ask(house.port, path, method="GET").status == 404


def test_a_stream_is_counted_at_its_end(tmp_path: Path) -> None:
    with (
        provider("This is forbidden.") as upstream,
        serving(config_of(upstream.url, written(tmp_path))) as house,
    ):
        assert ask(house.port, MESSAGES, messages(stream=True)).status == 200
        name = "guardrails_proxy_decisions_total"
        until(lambda: house.metric(name, stage="output", verdict="block") == 1)


def test_what_cannot_be_recorded_is_counted_and_not_delivered(tmp_path: Path) -> None:
    class Full(Records):
        async def open(self, record: Opened) -> None:
            raise AuditError("the disk is full")

    with (
        provider("Four.") as upstream,
        serving(config_of(upstream.url, written(tmp_path)), records=Full()) as house,
    ):
        answer = ask(house.port, MESSAGES, messages())
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert house.metric("guardrails_proxy_unrecorded_total") == 1
        assert upstream.requests.total == 0


def test_who_cannot_record_is_not_ready(tmp_path: Path) -> None:
    class Sick(Records):
        is_sick = False

        async def probe(self, *, durably: bool = True) -> None:
            assert not durably
            if self.is_sick:
                raise AuditError("the audit trail '/var/audit.db' may not be written")

    records = Sick()
    config = config_of("http://127.0.0.1:1", written(tmp_path))
    with serving(config, records=records) as house:

        def ready() -> Got:
            return ask(house.operations_port, "/readyz", method="GET")

        until(lambda: ready().status == 200)
        assert ready().body.startswith(b"ready\nrequests: taken\nrecord: can be written\n")
        records.is_sick = True
        until(lambda: ready().status == 503)
        assert ready().body.startswith(b"not ready\n")
        assert b"record: the audit trail '/var/audit.db' may not be written" in ready().body
        assert ask(house.operations_port, "/healthz", method="GET").status == 200
        records.is_sick = False
        until(lambda: ready().status == 200)


def test_a_record_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    asked, go_on = 0, threading.Event()

    class Slow(Records):
        async def probe(self, *, durably: bool = True) -> None:
            nonlocal asked
            asked += 1
            await asyncio.to_thread(go_on.wait, 20)

    config = config_of("http://127.0.0.1:1", written(tmp_path))
    with serving(config, records=Slow()) as house:
        for _ in range(2):
            answer = ask(house.operations_port, "/readyz", method="GET")
            assert (answer.status, b"did not answer" in answer.body) == (503, True)
        assert asked == 1
        go_on.set()
        until(lambda: ask(house.operations_port, "/readyz", method="GET").status == 200)


def test_what_clients_make_up_makes_no_new_series(tmp_path: Path) -> None:
    with (
        provider("Four.") as upstream,
        serving(config_of(upstream.url, written(tmp_path))) as house,
    ):
        for number in range(30):
            ask(house.port, f"/v1/made-up-{number}", messages(), method=f"GET{number}"[:3])
            ask(house.port, MESSAGES, messages(model=f"made-up-{number}"))
        assert b"made-up" not in house.proxy.metrics.text()
        assert len(house.proxy.metrics.text().splitlines()) < 150
