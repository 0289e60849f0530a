"""For tests, one's own and ours: critics that follow a script, critics that fail, a fixed clock.

Nothing here talks to a network. May import lines 0 to 3.
"""

from __future__ import annotations

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

__all__ = [
    "BROKEN",
    "Answer",
    "FixedClock",
    "ScriptExhaustedError",
    "breaching",
    "broken_critic",
    "passing",
    "scripted_critic",
    "scripted_judge",
]
