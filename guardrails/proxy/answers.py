"""What the proxy says itself, as the provider would, so that its SDKs read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from guardrails.asgi.messages import Send
from guardrails.proxy.config import Provider

__all__ = ["RefusedError", "error_body", "named", "send_error", "send_json"]

_ANTHROPIC: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "request_too_large",
    415: "invalid_request_error",
    421: "invalid_request_error",
    429: "rate_limit_error",
    431: "invalid_request_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_OPENAI: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request_error", "invalid_request"),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "not_allowed"),
    404: ("invalid_request_error", "not_found"),
    405: ("invalid_request_error", "method_not_allowed"),
    408: ("invalid_request_error", "timeout"),
    413: ("invalid_request_error", "request_too_large"),
    415: ("invalid_request_error", "unsupported_encoding"),
    421: ("invalid_request_error", "misdirected_request"),
    429: ("requests", "rate_limit_exceeded"),
    431: ("invalid_request_error", "headers_too_large"),
}


class RefusedError(Exception):
    """A request that goes no further. `reason` is one of a closed list and stands in metrics and
    logs; `message` is for the client and holds nothing of what it sent; `details` are for its SDK
    (Anthropic's `error.details`). `retries=False`: the same request would come to the same, so no
    SDK is to send it again by itself, as it would for the status."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        retry_after_s: int | None = None,
        details: Mapping[str, str] | None = None,
        retries: bool = True,
    ) -> None:
        super().__init__(reason)
        self.status, self.reason, self.message = status, reason, message
        self.retry_after_s, self.details, self.retries = retry_after_s, details, retries


def error_body(
    status: int, message: str, provider: Provider | None, request_id: str
) -> dict[str, Any]:
    """An error in the provider's shape; without one, in a shape that both of them read."""
    kind = _ANTHROPIC.get(status, "api_error")
    anthropic: dict[str, Any] = {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": request_id,
    }
    if provider == "anthropic":
        return anthropic
    named, code = _OPENAI.get(status, ("server_error", "server_error"))
    openai = {"message": message, "type": named, "param": None, "code": code}
    if provider == "openai":
        return {"error": openai}
    return {**anthropic, "error": {**openai, "type": kind}}


def named(request_id: str) -> list[tuple[bytes, bytes]]:
    """Where SDKs look for the id of a request: Anthropic's, and OpenAI's."""
    value = request_id.encode("ascii")
    return [(b"request-id", value), (b"x-request-id", value)]


async def send_error(
    send: Send, refused: RefusedError, provider: Provider | None, request_id: str
) -> None:
    more: list[tuple[bytes, bytes]] = []
    if refused.retry_after_s is not None:
        more.append((b"retry-after", b"%d" % refused.retry_after_s))
    if not refused.retries:
        more.append((b"x-should-retry", b"false"))
    if refused.status == 401:
        more.append((b"www-authenticate", b"Bearer"))
    body = error_body(refused.status, refused.message, provider, request_id)
    if refused.details is not None and provider == "anthropic":
        body["error"]["details"] = refused.details
    await send_json(send, refused.status, body, request_id, more=more)


async def send_json(
    send: Send,
    status: int,
    body: object,
    request_id: str,
    *,
    more: list[tuple[bytes, bytes]] | None = None,
) -> None:
    """A whole response of the proxy's own."""
    data = json.dumps(body).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(data)),
        (b"cache-control", b"no-store"),
        *named(request_id),
        *(more or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
