"""A small constitution, guards for it that record in memory, and records held to promise 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from guardrails.audit.record import delivery_fault
from guardrails.audit.trail import MemoryTrail
from guardrails.critic.protocol import Critic
from guardrails.errors import AuditError
from guardrails.guard import Guard
from guardrails.settings import Settings

REPLY, UNAVAILABLE = "No, not here.", "The check is unavailable."

RULES = """
  - {id: house.forbidden, text: Says nothing forbidden.,
     stages: [input, output, tool_call, tool_result, retrieval],
     action: block, critics: [pattern: {breach: [forbidden]}]}
  - {id: house.case, text: Leaves grave cases to people.,
     stages: [input, output, tool_call, tool_result, retrieval],
     action: escalate, critics: [pattern: {breach: [gravely]}]}
  - {id: house.secret, text: Keeps the secret.,
     stages: [input, output, tool_call, tool_result, retrieval],
     action: redact, critics: [pattern: {breach: [secret]}]}
  - id: house.promise
    text: Promises nothing.
    action: revise
    critics: [pattern: {breach: ['I promise']}]
    remedy: {replace_sentence: "Please ask a person."}
  - {id: house.odd, text: Says nothing odd.,
     stages: [input, output, tool_call, tool_result, retrieval],
     action: flag, critics: [pattern: {breach: [oddly]}]}
"""

JUDGED = """
  - {id: house.kind, text: Is kind., stages: [input, output], action: block,
     critics: [pattern: {breach: [forbidden]}, judge]}
"""


def written(rules: str = RULES, head: str = "") -> str:
    return f"""schema: 1
id: house
version: 1.2.0
{head or "budget: {max_chars: 5000}"}
replies: {{blocked: "{REPLY}", unavailable: "{UNAVAILABLE}"}}
principles:{rules}"""


class Records(MemoryTrail):
    """What was recorded, held to promise 1 whenever somebody looks."""

    def how(self) -> list[tuple[str, str, str]]:
        """(stage, verdict, how it was delivered) of every record, in the order opened."""
        closed = {record.record_id: record for record in self.closed}
        assert len(closed) == len(self.closed), "a record was closed twice"
        assert len(closed) == len(self.opened), "a record was closed and not opened"
        found = []
        for opened in self.opened:
            assert opened.record_id in closed, f"a record of {opened.stage} was left open"
            record = closed[opened.record_id]
            assert delivery_fault(opened, record) is None
            found.append((str(opened.stage), str(opened.verdict), record.how))
        return found


class FailingTrail(MemoryTrail):
    """Cannot write the kinds of entries it is told."""

    def __init__(self, *fails: str) -> None:
        super().__init__()
        self.fails = fails

    async def open(self, record: Any) -> None:
        if "open" in self.fails:
            raise AuditError("the disk is full")
        await super().open(record)

    async def close(self, record: Any) -> None:
        if "close" in self.fails:
            raise AuditError("the disk is full")
        await super().close(record)


def guard_in(
    folder: Path,
    text: str = "",
    *,
    critics: Sequence[type[Critic]] = (),
    trail: MemoryTrail | None = None,
    offline: bool = False,
    **settings: Any,
) -> Guard:
    """A guard for a constitution written into a folder."""
    file = folder / "house.yaml"
    file.write_text(text or written())
    return Guard.load(
        file,
        offline=offline,
        critics=critics,
        trail=Records() if trail is None else trail,
        settings=Settings(audit="memory", **settings),
    )
