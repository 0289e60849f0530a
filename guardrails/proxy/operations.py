"""What whoever runs the proxy asks it, on a listener of its own: whether it lives, how it goes."""

from __future__ import annotations

from collections.abc import Callable

from guardrails.asgi.messages import Receive, Scope, Send
from guardrails.proxy.metrics import CONTENT_TYPE, Metrics

__all__ = ["OperationsApp"]


class OperationsApp:
    """`/healthz` while the process lives, `/readyz` while it takes requests, `/metrics`."""

    def __init__(self, metrics: Metrics, is_ready: Callable[[], bool]) -> None:
        self._metrics, self._is_ready = metrics, is_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, kind, body = self._answer(str(scope["method"]), str(scope["path"]))
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, method: str, path: str) -> tuple[int, str, bytes]:
        plain = "text/plain; charset=utf-8"
        if method not in ("GET", "HEAD"):
            return 405, plain, b"GET only\n"
        match path:
            case "/healthz":
                return 200, plain, b"alive\n"
            case "/readyz":
                ready = self._is_ready()
                return (200, plain, b"ready\n") if ready else (503, plain, b"not ready\n")
            case "/metrics":
                return 200, CONTENT_TYPE, self._metrics.text()
            case _:
                return 404, plain, b"there are /healthz, /readyz and /metrics\n"
