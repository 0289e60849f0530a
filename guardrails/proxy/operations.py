"""What whoever runs the proxy asks it, on a listener of its own: whether it lives, how it goes."""

from __future__ import annotations

from guardrails.asgi.messages import Receive, Scope, Send
from guardrails.proxy.metrics import CONTENT_TYPE, Metrics
from guardrails.proxy.readiness import Readiness

__all__ = ["OperationsApp"]

PLAIN = "text/plain; charset=utf-8"


class OperationsApp:
    """`/healthz` while the process lives, `/readyz` while it can serve, `/metrics`."""

    def __init__(self, metrics: Metrics, readiness: Readiness) -> None:
        self._metrics, self._readiness = metrics, readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, kind, body = await self._answer(str(scope["method"]), str(scope["path"]))
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, method: str, path: str) -> tuple[int, str, bytes]:
        if method not in ("GET", "HEAD"):
            return 405, PLAIN, b"GET only\n"
        match path:
            case "/healthz":
                return 200, PLAIN, b"alive\n"
            case "/readyz":
                return await self._ready()
            case "/metrics":
                return 200, CONTENT_TYPE, self._metrics.text()
            case _:
                return 404, PLAIN, b"there are /healthz, /readyz and /metrics\n"

    async def _ready(self) -> tuple[int, str, bytes]:
        state = await self._readiness.state()
        lines = ("ready" if state.is_ready else "not ready", *state.lines)
        body = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        return (200 if state.is_ready else 503), PLAIN, body
