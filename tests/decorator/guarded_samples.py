"""A small constitution, a guard for it that records in memory, and a look at the records."""

from __future__ import annotations

from guardrails.audit.record import delivery_fault
from guardrails.audit.trail import MemoryTrail

CONSTITUTION = """
schema: 1
id: house
version: 1.0.0
budget: {max_chars: 5000}
replies: {blocked: "No, not here."}
principles:
  - {id: house.forbidden, text: Says nothing forbidden., stages: [input, output, retrieval],
     action: block, critics: [pattern: {breach: [forbidden]}]}
  - {id: house.secret, text: Keeps the secret., stages: [input, output, retrieval],
     action: redact, critics: [pattern: {breach: [secret]}]}
  - id: house.promise
    text: Promises nothing.
    action: revise
    critics: [pattern: {breach: ['I promise']}]
    remedy: {replace_sentence: "Please ask a person."}
  - {id: house.odd, text: Says nothing odd., stages: [input, output], action: flag,
     critics: [pattern: {breach: [oddly]}]}
"""

REPLY = "No, not here."


class Records(MemoryTrail):
    """What was recorded, held to promise 1 whenever somebody looks."""

    def how(self) -> list[tuple[str, str, str]]:
        """(stage, verdict, how it was delivered) of every record, in the order opened."""
        closed = {record.record_id: record for record in self.closed}
        assert len(closed) == len(self.closed), "a record was closed twice"
        found = []
        for opened in self.opened:
            assert opened.record_id in closed, f"a record of {opened.stage} was left open"
            record = closed[opened.record_id]
            assert delivery_fault(opened, record) is None
            found.append((str(opened.stage), str(opened.verdict), record.how))
        return found
