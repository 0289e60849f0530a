"""A tiny constitution with two rules, so that a hostile text costs little and a plant is found."""

from __future__ import annotations

from functools import cache

from guardrails.audit.record import Closed, Opened, delivery_fault
from guardrails.audit.trail import MemoryTrail
from guardrails.constitution.load import parse_constitution
from guardrails.constitution.model import Constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.verdict import Stage

__all__ = ["CARD", "HOUSE", "SETTINGS", "STAGES", "WORD", "house", "the_record"]

WORD = "forbidden"
CARD = "4111 1111 1111 1111"
"""The test card that all the world knows."""

STAGES = tuple(Stage)
SETTINGS = Settings(audit="memory")
HOUSE = f"""
schema: 1
id: house
version: 1.0.0
budget: {{max_chars: MAX_CHARS}}
replies: {{blocked: "No, not here.", unavailable: "Not now."}}
principles:
  - {{id: house.word, text: Does not say the word., stages: [{", ".join(STAGES)}], action: block,
     critics: [pattern: {{breach: [{WORD}]}}]}}
pii:
  input: {{CREDIT_CARD: redact}}
  output: {{CREDIT_CARD: redact}}
"""


def house(*, max_chars: int = 20_000_000) -> Guard:
    """A guard that records in memory; see `the_record`."""
    made = _house(max_chars)
    return Guard.load(made, offline=True, settings=SETTINGS, trail=MemoryTrail())


@cache
def _house(max_chars: int) -> Constitution:
    text = HOUSE.replace("MAX_CHARS", str(max_chars))
    return parse_constitution(text, file="house.yaml", catalogue=CriticRegistry())


def the_record(guard: Guard) -> tuple[Opened, Closed]:
    """The record that the guard has made since the last look: one, opened and closed, and what was
    delivered was judged."""
    trail = guard._enforcement.trail
    assert isinstance(trail, MemoryTrail)
    all_opened, all_closed = [*trail.opened], [*trail.closed]
    trail.opened.clear()
    trail.closed.clear()
    (opened,), (closed,) = all_opened, all_closed
    assert opened.record_id == closed.record_id
    assert delivery_fault(opened, closed) is None
    return opened, closed
