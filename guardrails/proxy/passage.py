"""What is known of one request on its way through: put into the scope, for gate and relay."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field

from guardrails.errors import UpstreamError
from guardrails.exchange import Context
from guardrails.proxy.config import Provider
from guardrails.proxy.features import Asked
from guardrails.proxy.routes import Endpoint
from guardrails.proxy.tokens import UsageReader

__all__ = [
    "ABORT",
    "LEFT",
    "PASSAGE",
    "Passage",
    "ResponseCutError",
    "UpstreamFaultError",
    "request_id_of",
]

ABORT = "guardrails.proxy.abort"
"""Where the server puts what drops the connection at once."""

LEFT = "guardrails.proxy.left"
"""Where the gate puts what the server calls when the client has left."""

PASSAGE = "guardrails.proxy.passage"
"""Where it stands in the scope."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


class ResponseCutError(Exception):
    """A response that had begun cannot be ended: the server drops the connection."""


class UpstreamFaultError(UpstreamError):
    """The provider did not answer as HTTP has it. `phase` is one of a closed list."""

    def __init__(self, phase: str) -> None:
        super().__init__(f"upstream: {phase}")
        self.phase = phase


@dataclass(slots=True, kw_only=True)
class Passage:
    """`key_header` is what tells the provider who pays."""

    request_id: str
    endpoint: Endpoint
    provider: Provider
    upstream: str
    context: Context
    key_header: tuple[bytes, bytes] | None = field(repr=False)
    owns_key: bool = False
    """Whether that key is the proxy's own, and not the client's."""
    asked: Asked = field(default_factory=Asked)
    upstream_status: int | None = None
    first_byte_s: float | None = None
    usage: UsageReader | None = None
    error: int | None = None
    """The status of an error that the middleware has made."""
    more_headers: tuple[tuple[bytes, bytes], ...] = ()
    """Of tracing, for the provider."""

    def passed(self, piece: bytes) -> None:
        if self.usage is not None:
            self.usage.feed(piece)


def request_id_of(said: str | None) -> str:
    """The client's own, if it is well-formed; otherwise a new one."""
    if said is not None and _REQUEST_ID.fullmatch(said):
        return said
    return f"req_{secrets.token_hex(12)}"
