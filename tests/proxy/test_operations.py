"""The listener for whoever runs the proxy: whether it lives, is ready, and how it goes."""

from __future__ import annotations

from pathlib import Path

from proxy_house import config_of, provider, serving, until, written
from proxy_wire import MESSAGES, Got, ask, messages


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
        assert "secret" not in text
        for path in ("/metrics", "/healthz", "/readyz"):  # not where clients are
            assert ask(house.port, path, method="GET").status == 404


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
