"""What the pipeline concludes: stages, findings, decisions. Pure values; may import `errors` only.
What it cost is in `usage`.

Reasons, quotes and content are user text: they are kept out of every `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from guardrails.errors import GuardrailsError
from guardrails.verdict.usage import (
    NOTHING_USED,
    Handover,
    HandoverOutcome,
    PrincipleUse,
    RoleUse,
    Start,
    StartReason,
    Usage,
)

__all__ = [
    "NOTHING_USED",
    "Action",
    "Attempt",
    "Blocked",
    "Cause",
    "ConstitutionPin",
    "Coverage",
    "Decision",
    "Edit",
    "Finding",
    "FindingCause",
    "FindingValue",
    "Handover",
    "HandoverOutcome",
    "PrincipleUse",
    "Repair",
    "RepairRequest",
    "RoleUse",
    "Severity",
    "Span",
    "Stage",
    "Start",
    "StartReason",
    "Usage",
    "Verdict",
    "cause_of",
]

Span = tuple[int, int]
"""Half-open `(start, end)` in code points of the original text."""

Severity = Literal["low", "medium", "high", "critical"]

Action = Literal["allow", "flag", "mask", "pseudonymise", "redact", "revise", "block", "escalate"]
"""What a breach leads to. `allow`, `mask` and `pseudonymise` exist for personal data only."""

Cause = Literal["policy", "outage", "undecided", "limit"]
"""Why a decision is not a plain allow: a breach, an outage, a doubt, or a limit."""

FindingValue = Literal["breach", "undecided", "look"]
"""`look` is a critic's word that a judge should look; it accuses nobody."""

FindingCause = Literal[
    "policy",  # a breach: the principle itself
    "look",  # a cheap critic asked for a judge and none could be asked
    "uncovered",  # no critic that could settle it is available
    "silent",  # asked last and said nothing
    "unsure",  # the critic itself could not tell
    "raised",  # the critic failed
    "timeout",  # the critic did not answer in its own time
    "malformed",  # the critic answered nonsense
    "refused",  # the judging model refused
    "unjudged_part",  # no critic can read this kind of part
    "unknown_format",  # the content's format is not known
    "outage",  # what the critic depends on is away
    "limit",  # the constitution's budget or size limit
]


def cause_of(finding: FindingCause) -> Cause:
    """Fold a finding's cause into the decision's."""
    if finding in ("policy", "outage", "limit"):
        return finding
    return "undecided"


class Stage(StrEnum):
    """Where around the call."""

    INPUT = "input"
    OUTPUT = "output"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    RETRIEVAL = "retrieval"


class Verdict(StrEnum):
    """What is concluded. `<` and `max` go by gravity, so that the gravest wins; each equals its own
    name, as in `decision.verdict == "block"`. Ask `delivers` for whether the content goes on."""

    ALLOW = "allow"
    FLAG = "flag"
    REDACT = "redact"
    REVISE = "revise"
    BLOCK = "block"
    ESCALATE = "escalate"

    @classmethod
    def of(cls, action: Action) -> Verdict:
        """The verdict that an action amounts to; masking and pseudonyms are kinds of redaction."""
        return _VERDICTS[action]

    @property
    def gravity(self) -> int:
        """From 0 for `allow` to 5 for `escalate`."""
        return _GRAVITY[self]

    @property
    def delivers(self) -> bool:
        """Whether the content, changed or not, may go on; else the reply stands in its place."""
        return self < Verdict.BLOCK

    def __lt__(self, other: object) -> bool:
        return self.gravity < _gravity_of(other)

    def __le__(self, other: object) -> bool:
        return self.gravity <= _gravity_of(other)

    def __gt__(self, other: object) -> bool:
        return self.gravity > _gravity_of(other)

    def __ge__(self, other: object) -> bool:
        return self.gravity >= _gravity_of(other)


def _gravity_of(other: object) -> int:
    """A plain text would be compared by its letters, and so wrongly."""
    if not isinstance(other, Verdict):
        raise TypeError(f"a Verdict is compared with another, not with a {type(other).__name__}")
    return other.gravity


_GRAVITY: Mapping[Verdict, int] = {verdict: gravity for gravity, verdict in enumerate(Verdict)}
_VERDICTS: Mapping[Action, Verdict] = {
    "allow": Verdict.ALLOW,
    "flag": Verdict.FLAG,
    "mask": Verdict.REDACT,
    "pseudonymise": Verdict.REDACT,
    "redact": Verdict.REDACT,
    "revise": Verdict.REVISE,
    "block": Verdict.BLOCK,
    "escalate": Verdict.ESCALATE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One breach or doubt.

    `part` indexes the exchange's parts; `span` is of that part's original text, or None where
    nothing can be pointed at (an omission, an outage).
    """

    principle: str
    critic: str
    value: FindingValue
    cause: FindingCause
    action: Action
    severity: Severity = "medium"
    part: int | None = None
    span: Span | None = None
    reason: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replace `span` of the original text of `part`; an empty span inserts."""

    part: int
    span: Span
    replacement: str = field(repr=False)
    principles: tuple[str, ...] = ()
    kind: Literal["mask", "redact", "replace_sentence", "append", "withhold", "rewrite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One round of critique and revise, kept for the record.

    `verdict` is what judging the revised content again came to.
    """

    method: Literal["redaction", "remedy", "model"]
    edits: tuple[Edit, ...]
    verdict: Verdict
    released: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What was looked at, and what nobody could look at. `known_parts` of a conversation were
    judged before, or are our own replies, and only helped to judge the rest."""

    uncovered: tuple[str, ...] = ()
    windows: int = 0
    unjudged_parts: tuple[int, ...] = ()
    left_out: int = 0
    known_parts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstitutionPin:
    """Which rules a decision was made under: enough to make it again."""

    id: str
    version: str
    digest: str
    offline: bool = False
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairRequest:
    """One breach to be mended: the principle's own words, and the words that breach it (none where
    something is missing). `text` indexes the repair's texts."""

    text: int
    principle: str
    rule: str
    breach: str | None = None
    not_breach: str | None = None
    quote: str = field(default="", repr=False)
    reason: str = field(default="", repr=False)
    rewrite: str | None = None
    replace_sentence: str | None = None
    append: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What is to be mended, for callers who do that in a loop of their own: the texts, without
    what the constitution masks or redacts, and their breaches. What comes of it is judged anew."""

    texts: tuple[str, ...] = field(repr=False)
    breaches: tuple[RepairRequest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict with what it rests on.

    `content` is what may be delivered, in the type that came in (the very same object when nothing
    changed); when blocked it is the constitution's reply. `text` is the same as plain text.
    `reply_key` names the reply that stands in for the content, None when content goes on.
    `repair` says what was to be revised, whether that succeeded or not; None if nothing was.

    That of a stream holds no text but a reply: what was delivered left piece by piece.
    `released_before_breach`: it was stopped for what had left already.
    """

    verdict: Verdict
    cause: Cause | None
    constitution: ConstitutionPin
    stage: Stage
    content: object = field(repr=False)
    text: str = field(repr=False)
    findings: tuple[Finding, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    coverage: Coverage = Coverage()
    usage: Usage = NOTHING_USED
    record_id: str = ""
    reply_key: str | None = None
    repair: Repair | None = None
    released_before_breach: bool = False

    @property
    def delivers(self) -> bool:
        """Whether the content (perhaps redacted or revised) goes on."""
        return self.verdict.delivers

    @property
    def breaches(self) -> tuple[str, ...]:
        """Ids of the breached principles, each once, in the order found."""
        return tuple(dict.fromkeys(f.principle for f in self.findings if f.value == "breach"))


class Blocked(GuardrailsError):
    """Raised by `@guarded(..., on_block="raise")`; `decision` says why."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        named = ", ".join(dict.fromkeys(f.principle for f in decision.findings)) or "no principle"
        super().__init__(
            f"{decision.stage} was stopped: {decision.verdict} ({decision.cause}), {named}; "
            f"record {decision.record_id or 'none'}"
        )
