"""Requests and responses of the SDKs' HTTP client, with other contents. It is not imported: each is
made of the class of the one that is there."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from guardrails.clients.guarding import Replaced, Sent
from guardrails.wire.formats import Payload

__all__ = ["made_response", "payload_of", "put_content", "sent_in", "with_content"]

DEPENDENT = frozenset({"content-encoding", "content-length", "transfer-encoding", "etag"})
"""Fields about a content's bytes: wrong for other bytes."""


def sent_in(request: Any, data: bytes) -> Sent:
    return Sent(
        data=data,
        media_type=_media_type(request),
        helper=request.headers.get("x-stainless-helper-method", "").startswith("chat."),
    )


def put_content(request: Any, data: bytes) -> None:
    """Let a request say something else."""
    made = type(request)(request.method, request.url, content=data)
    request.stream, request._content = made.stream, data
    request.headers["content-length"] = str(len(data))


def made_response(request: Any, given: Replaced) -> Any:
    """A response that no provider sent."""
    module = sys.modules[type(request).__module__.partition(".")[0]]
    made = module.Response(200, headers=_headers((), given), content=given.data, request=request)
    made.elapsed = timedelta(0)
    return made


def with_content(response: Any, given: Replaced) -> Any:
    made = type(response)(
        response.status_code,
        headers=_headers(response.headers.multi_items(), given),
        content=given.data,
        request=response.request,
        extensions=response.extensions,
    )
    made.elapsed = vars(response).get("_elapsed", timedelta(0))  # unset if no transport was there
    return made


def _headers(old: Iterable[tuple[str, str]], given: Replaced) -> list[tuple[str, str]]:
    gone = DEPENDENT | ({"content-type"} if given.media_type else set())
    kept = [(name, value) for name, value in old if name.lower() not in gone]
    said = [("content-type", given.media_type)] if given.media_type else []
    decision, pin = given.decision, given.decision.constitution
    return [
        *kept,
        *said,
        ("guardrails-verdict", str(decision.verdict)),
        ("guardrails-record", decision.record_id),
        ("guardrails-constitution", f"{pin.id}@{pin.version}"),
    ]


def payload_of(response: Any, data: bytes) -> Payload:
    return Payload(data=data, media_type=_media_type(response), charset=response.charset_encoding)


def _media_type(message: Any) -> str:
    said: str = message.headers.get("content-type", "")
    return said.partition(";")[0].strip().lower()
