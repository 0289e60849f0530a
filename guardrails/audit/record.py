"""What is kept of a decision: who, when, under which rules, what was found, and keyed digests.

No user text: reasons, quotes and replacements stay out, texts are digests. `redacted_text` is the
one exception, filled only when settings or an escalated case ask for it. Format 1; records are
stored as canonical bytes and read for ever.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, assert_never

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)

from guardrails.verdict import (
    Action,
    Cause,
    ConstitutionPin,
    Decision,
    FindingCause,
    FindingValue,
    HandoverOutcome,
    Severity,
    Span,
    Stage,
    StartReason,
    Verdict,
)

__all__ = [
    "AttemptRecord",
    "Begun",
    "Closed",
    "ConstitutionRecord",
    "CoverageRecord",
    "Digest",
    "EditRecord",
    "FindingRecord",
    "HandoverRecord",
    "How",
    "Opened",
    "Outcome",
    "PrincipleUseRecord",
    "RecordId",
    "RoleUseRecord",
    "StartRecord",
    "UsageRecord",
    "as_json",
    "canonical",
    "delivery_fault",
    "new_record_id",
    "stored_moment",
]

How = Literal[
    "judged", "restore_pseudonyms", "reply", "application_reply", "nothing", "cut", "interrupted"
]
"""What was delivered: the text judged last; that text with pseudonyms restored; a reply of the
constitution; what the application's own `on_block` gave; nothing at all. Of a stream also: what had
left when it was stopped, then a reply (`cut`); what had left when nobody took any more of it
(`interrupted`)."""

Digest = Annotated[str, StringConstraints(pattern=r"^hmac-sha256:[0-9a-f]{64}$")]
"""As `Trail.digest` makes it; anything else, such as a session in clear, is refused."""

RecordId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
ReplyKey = Annotated[str, StringConstraints(max_length=200)]


def _whole(value: object) -> object:
    """A lone surrogate cannot be stored; it is kept as U+FFFD, as critics see it."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _verdict(value: object) -> object:
    return _VERDICTS.get(value, value) if isinstance(value, str) else value


_VERDICTS = {str(verdict): verdict for verdict in Verdict}


def stored_moment(value: datetime) -> str:
    """A moment as records hold it: texts of it are in the order of time."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Text = Annotated[str, BeforeValidator(_whole)]
Moment = Annotated[AwareDatetime, PlainSerializer(stored_moment)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Cost = Annotated[float, Field(ge=0, le=1e12)]
"""Bounded, so that what others wrote into a trail can be added up and printed."""
VerdictName = Annotated[Verdict, BeforeValidator(_verdict), PlainSerializer(str)]


class _Record(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, from_attributes=True, hide_input_in_errors=True
    )


class FindingRecord(_Record):
    """A finding without its reason, which may quote the text."""

    principle: str
    critic: str
    value: FindingValue
    cause: FindingCause
    action: Action
    severity: Severity
    part: int | None
    span: Span | None


class EditRecord(_Record):
    """Where a text was changed and on whose behalf, without what was put there."""

    part: int
    span: Span
    kind: str
    principles: tuple[str, ...]


class AttemptRecord(_Record):
    method: str
    edits: tuple[EditRecord, ...]
    verdict: VerdictName
    released: bool


class CoverageRecord(_Record):
    uncovered: tuple[str, ...] = ()
    windows: int = 0
    unjudged_parts: tuple[int, ...] = ()
    left_out: int = 0
    known_parts: Count = 0


class RoleUseRecord(_Record):
    role: Text
    model: Text
    calls: Count = 0
    asked: Count = 0
    settled: Count = 0
    deferred: Count = 0
    checked: Count = 0
    reversed: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    cost_usd: Cost | None = 0.0


class StartRecord(_Record):
    role: Text
    why: StartReason
    rule: Count | None = None
    principle: str | None = None
    last_role: Text
    last_model: Text
    times: Count = 1
    always_last_usd: Cost | None = 0.0


class HandoverRecord(_Record):
    principle: str
    role: Text
    to: Text
    outcome: HandoverOutcome
    times: Count = 1


class PrincipleUseRecord(_Record):
    principle: Text
    asked: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    cost_usd: Cost | None = 0.0


class UsageRecord(_Record):
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    latency_ms: float = 0.0
    cached: int = 0
    roles: tuple[RoleUseRecord, ...] = ()
    starts: tuple[StartRecord, ...] = ()
    handovers: tuple[HandoverRecord, ...] = ()
    cache_read_tokens: Count = 0
    cache_write_tokens: Count = 0
    principles: tuple[PrincipleUseRecord, ...] = ()


class ConstitutionRecord(_Record):
    id: Text
    version: Text
    digest: str
    offline: bool = False
    models: Mapping[str, str] = {}

    @classmethod
    def of(cls, pin: ConstitutionPin) -> ConstitutionRecord:
        """Made once for all decisions that asked no model."""
        if pin.models:
            return cls.model_validate(pin)
        return _pinned(pin.id, pin.version, pin.digest, pin.offline)


@lru_cache(maxsize=64)
def _pinned(id: str, version: str, digest: str, offline: bool) -> ConstitutionRecord:
    return ConstitutionRecord(id=id, version=version, digest=digest, offline=offline)


class Begun(_Record):
    """Written before the first piece of a stream leaves; what it was judged to be comes at its end,
    as `Opened`."""

    format: Literal[1] = 1
    record_id: RecordId
    at: Moment
    stage: Stage
    constitution: ConstitutionRecord
    tenant: Text
    session: Digest | None = None
    subject: Digest | None = None


class Opened(_Record):
    """Written before anything is delivered; of a stream that has `Begun`, before its end is.

    `judged_digest` is of the text judged last. When a reply stands in for it, `reply_key` names the
    reply and `reply_digest` is of its text as it will be delivered: only so can `verify` tell that
    the reply, and nothing else, went out.

    Of a stream (`streamed`) the digests are of its texts' SHA-256 sums, and `reply_digest` is of
    those of what had left with the reply's after them. `released_before_breach`: what it was
    stopped for had left by then.
    """

    format: Literal[1] = 1
    record_id: RecordId
    at: Moment
    stage: Stage
    verdict: VerdictName
    cause: Cause | None = None
    constitution: ConstitutionRecord
    tenant: Text
    session: Digest | None = None
    subject: Digest | None = None
    findings: tuple[FindingRecord, ...] = ()
    attempts: tuple[AttemptRecord, ...] = ()
    coverage: CoverageRecord = CoverageRecord()
    usage: UsageRecord = UsageRecord()
    judged_digest: Digest
    reply_key: ReplyKey | None = None
    reply_digest: Digest | None = None
    redacted_text: Text | None = None
    streamed: bool = False
    released_before_breach: bool = False

    @classmethod
    def of(
        cls,
        decision: Decision,
        *,
        at: datetime,
        tenant: str,
        judged_digest: str,
        session: str | None = None,
        subject: str | None = None,
        reply_digest: str | None = None,
        redacted_text: str | None = None,
        streamed: bool = False,
    ) -> Opened:
        """The record of a decision. `session` and `subject` are digests already."""
        return cls.model_validate(
            {
                "record_id": decision.record_id,
                "at": at,
                "stage": decision.stage,
                "verdict": decision.verdict,
                "cause": decision.cause,
                "constitution": ConstitutionRecord.of(decision.constitution),
                "tenant": tenant,
                "session": session,
                "subject": subject,
                "findings": decision.findings,
                "attempts": decision.attempts,
                "coverage": decision.coverage,
                "usage": decision.usage,
                "judged_digest": judged_digest,
                "reply_key": decision.reply_key,
                "reply_digest": reply_digest,
                "redacted_text": redacted_text,
                "streamed": streamed,
                "released_before_breach": decision.released_before_breach,
            }
        )


class Closed(_Record):
    """Written once it is known what was delivered; `delivered_digest` is taken where it left."""

    format: Literal[1] = 1
    record_id: RecordId
    at: Moment
    how: How
    delivered_digest: Digest | None = None
    reply_key: ReplyKey | None = None


class Outcome(_Record):
    """What a person said of an escalated case. `accept`: it was rightly stopped; `overrule`: it
    should have gone on. Nothing is delivered by it. A later outcome stands before an earlier."""

    format: Literal[1] = 1
    record_id: RecordId
    at: Moment
    outcome: Literal["accept", "overrule"]
    by: Annotated[Text, StringConstraints(pattern=r"\S", max_length=200)]
    reason: Annotated[Text, StringConstraints(pattern=r"\S", max_length=2_000)]


def new_record_id() -> str:
    """32 hexadecimal digits, 48 bits of milliseconds first, so that ids sort by time."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def as_json(record: Begun | Opened | Closed | Outcome) -> dict[str, Any]:
    """The record as plain JSON values."""
    return record.model_dump(mode="json")


def canonical(value: Mapping[str, Any]) -> bytes:
    """The one form in which a record is stored: JSON, keys sorted, ASCII, no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def delivery_fault(opened: Opened, closed: Closed) -> str | None:
    """What about a delivery breaks promise 1 (nothing leaves unjudged), or None."""
    delivered, lets_through = closed.delivered_digest, opened.verdict.delivers
    match closed.how:
        case "nothing":
            return "nothing was delivered, yet there is a digest of it" if delivered else None
        case how if delivered is None:
            return f"delivered as {how!r} without a digest"
        case "application_reply":
            said = f"verdict {opened.verdict}, yet the application's own reply was delivered"
            return said if lets_through else None
        case "cut" | "interrupted" if not opened.streamed:
            return f"delivered as {closed.how!r}, yet it was no stream"
        case "interrupted":
            return None  # a begin of what was judged: each piece was compared when it left
        case "reply" | "cut":
            if closed.reply_key is None or closed.reply_key != opened.reply_key:
                return f"reply {closed.reply_key!r} was delivered, {opened.reply_key!r} decided"
            said = f"what was delivered is not the reply {closed.reply_key!r}"
            return said if delivered != opened.reply_digest else None
        case "judged" | "restore_pseudonyms" if not lets_through:
            return f"verdict {opened.verdict}, yet the judged text was delivered"
        case "judged":
            said = "what was delivered is not what was judged"
            return said if delivered != opened.judged_digest else None
        case "restore_pseudonyms":
            return None
        case unknown:
            assert_never(unknown)
