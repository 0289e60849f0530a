"""For tests, one's own and ours: critics that follow a script, critics that fail, a fixed clock,
and a provider of models on a loopback port.

Nothing here talks to a network beyond this machine. May import lines 0 to 4. What belongs to the
provider is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from guardrails.testing.clock import FixedClock
from guardrails.testing.critics import (
    BROKEN,
    Answer,
    ScriptExhaustedError,
    breaching,
    broken_critic,
    passing,
    scripted_critic,
)
from guardrails.testing.judge import scripted_judge

if TYPE_CHECKING:
    from guardrails.testing.provider import (
        Block,
        FakeProvider,
        Fault,
        Latency,
        ProviderRequest,
        Refusal,
        Reply,
        Thinking,
        ToolCall,
        When,
        WholeReply,
        api_error,
        fault,
        faults,
    )

__all__ = [
    "BROKEN",
    "Answer",
    "Block",
    "FakeProvider",
    "Fault",
    "FixedClock",
    "Latency",
    "ProviderRequest",
    "Refusal",
    "Reply",
    "ScriptExhaustedError",
    "Thinking",
    "ToolCall",
    "When",
    "WholeReply",
    "api_error",
    "breaching",
    "broken_critic",
    "fault",
    "faults",
    "passing",
    "scripted_critic",
    "scripted_judge",
]

_OF_THE_PROVIDER = frozenset(__all__) - frozenset(globals())


def __getattr__(name: str) -> Any:
    if name not in _OF_THE_PROVIDER:
        raise AttributeError(f"module 'guardrails.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module("guardrails.testing.provider"), name)
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
