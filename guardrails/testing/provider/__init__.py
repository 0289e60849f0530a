"""A provider of models on a loopback port, which says what a script tells it to.

`server` listens, `script` chooses the answer, `answers` and `faults` are what it may be,
`anthropic`, `chat` and `responses` spell it, `delivery` brings it. May import what `testing` may.
"""

from __future__ import annotations

from guardrails.testing.provider.answers import (
    Block,
    Refusal,
    Reply,
    Thinking,
    ToolCall,
    WholeReply,
)
from guardrails.testing.provider.faults import Fault, api_error, fault, faults
from guardrails.testing.provider.latency import Latency
from guardrails.testing.provider.request import ProviderRequest
from guardrails.testing.provider.script import When
from guardrails.testing.provider.server import FakeProvider

__all__ = [
    "Block",
    "FakeProvider",
    "Fault",
    "Latency",
    "ProviderRequest",
    "Refusal",
    "Reply",
    "Thinking",
    "ToolCall",
    "When",
    "WholeReply",
    "api_error",
    "fault",
    "faults",
]
