"""A resolved constitution: parents merged, every default filled in, every critic's config checked.

Values only. Files are read by `document` and `source`, parents merged by `inherit`; whoever holds a
`Constitution` holds one that passed all checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from guardrails.exchange import Attachment
from guardrails.verdict import Action, Severity, Stage

__all__ = [
    "AVAILABLE_LANGUAGES_KEY",
    "Amendment",
    "Budget",
    "CaseTest",
    "Catalogue",
    "CatalogueEntry",
    "Constitution",
    "CriticConfig",
    "CriticUse",
    "Example",
    "Judging",
    "Principle",
    "Remedy",
    "Replies",
    "Reversals",
    "Routing",
    "Source",
    "StartRule",
    "Tier",
]

Tier = Literal["deterministic", "local", "model"]
OnDoubt = Literal["flag", "block", "escalate"]
Uncovered = Literal["accept", "block", "escalate"]

AVAILABLE_LANGUAGES_KEY = "en"
"""The language a reply falls back to."""

Replies = Mapping[str, str]
"""One text per language (BCP 47, lower case); always holds at least one."""


class CriticConfig(BaseModel):
    """What may stand under a critic's name in YAML. Critics subclass it; pydantic's error places
    (`loc`) are walked over the file's nodes, so each error names its line.

    `grows` names the lists that a child constitution may add to; the rest it only changes by
    `relax`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grows: ClassVar[frozenset[str]] = frozenset()

    def problems(self, principle: Principle) -> Sequence[tuple[tuple[str | int, ...], str]]:
        """What is wrong with it under `principle`: (place below the critic's name, message)."""
        return ()


class CatalogueEntry(Protocol):
    """What a constitution must know of a critic to be checked against it."""

    @property
    def name(self) -> str: ...
    @property
    def tier(self) -> Tier: ...
    @property
    def config(self) -> type[CriticConfig]: ...


Catalogue = Mapping[str, CatalogueEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticUse:
    """A principle's mention of a critic, with its checked config."""

    name: str
    tier: Tier
    config: CriticConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A plain example has only `reply` (it is a prompt at the stage `input`)."""

    reply: str
    prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """`replace_sentence=""` drops the sentence. At most one of `replace_sentence` and `append`."""

    rewrite: str | None = None
    replace_sentence: str | None = None
    append: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    title: str
    clause: str | None = None
    url: str | None = None

    def __str__(self) -> str:
        return ", ".join(part for part in (self.title, self.clause, self.url) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principle:
    """One rule, resolved. `critics` are in the order written; the engine orders them by tier.

    `actions` has one entry per stage. A principle made from the `pii` section has `entity` set and
    the id `pii.<stage>.<ENTITY>`. `origin` is `id@version` of the constitution that wrote it,
    `place` its `file:line`.
    """

    id: str
    text: str
    breach: str | None = None
    not_breach: str | None = None
    severity: Severity = "medium"
    stages: tuple[Stage, ...] = (Stage.OUTPUT,)
    scope: Literal["part", "reply"] = "part"
    requires: bool = False
    actions: Mapping[Stage, Action]
    on_undecided: OnDoubt = "block"
    on_outage: OnDoubt = "block"
    uncovered: Uncovered = "accept"
    locked: bool = False
    applies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    critics: tuple[CriticUse, ...] = ()
    remedy: Remedy | None = None
    breach_examples: tuple[Example, ...] = ()
    fine_examples: tuple[Example, ...] = ()
    reply: Replies | None = None
    source: Source | None = None
    entity: str | None = None
    origin: str = ""
    place: str = ""

    def critic(self, name: str) -> CriticUse | None:
        """The mention of that critic, or None."""
        return next((use for use in self.critics if use.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits of one guarded call, both stages together."""

    deadline_s: float = 20.0
    max_chars: int = 1_000_000
    max_calls: int = 16
    max_tokens: int = 100_000
    max_cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRule:
    """At which role an exchange starts, if one open principle is as it says (`severity`: at least
    that) and the judged text has at least `min_chars` characters."""

    role: str
    severity: Severity | None = None
    look: bool = False
    min_chars: int | None = None

    @property
    def is_always(self) -> bool:
        """Whether it holds whatever comes: of the lowest severity is any principle at least."""
        return self.severity in (None, "low") and not self.look and self.min_chars is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversals:
    """From which share of reversed words on, and of how many, a role is passed over."""

    share: float
    samples: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Where in the cascade an exchange starts, and which words are checked by the next role."""

    start: tuple[StartRule, ...] = ()
    confirm: Literal["nothing", "breach"] = "nothing"
    audit_share: float = 0.0
    reversals: Reversals | None = None

    @property
    def looks_again(self) -> bool:
        """Whether any word of a cheaper role is checked."""
        return self.confirm == "breach" or self.audit_share > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Which roles judge, cheapest first; settings say which model plays a role."""

    cascade: tuple[str, ...] = ("small",)
    timeout_s: float = 10.0
    routing: Routing = Routing()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTest:
    """One test from a constitution file; `place` is its `file:line`.

    `judge` is None for an offline test; else id → True (an omission) or the quote that is a breach.
    """

    name: str
    stage: Stage
    prompt: str | None = None
    reply: str | None = None
    documents: tuple[str, ...] = ()
    tool: Mapping[str, Any] | None = None
    result: str | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    attributes: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    language: str | None = None
    judge: Mapping[str, str | bool] | None = None
    expect: Literal["allow", "flag", "redact", "revise", "block", "escalate"]
    breaches: tuple[str, ...] | None = None
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """A `relax` or `withdraw`, kept for `show` and `diff`."""

    kind: Literal["relax", "withdraw"]
    id: str
    set: Mapping[str, Any] = field(default_factory=dict)
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Constitution:
    """A constitution that can be enforced.

    `attachments` is what follows from one at a stage, instead of what principles say in doubt.

    `principles` are in order of precedence, those from `pii` last. `digest` is `sha256:<hex>` over
    the canonical form of all that can change a decision. `parents` are `id@version`, nearest last.
    """

    id: str
    version: str
    digest: str
    title: str = ""
    owner: str = ""
    languages: tuple[str, ...] = ("en",)
    parents: tuple[str, ...] = ()
    principles: tuple[Principle, ...]
    reply_blocked: Replies
    reply_unavailable: Replies
    budget: Budget = Budget()
    judging: Judging = Judging()
    max_attempts: int = 1
    release: Literal["auto", "whole"] = "auto"
    cache_ttl_s: int = 86_400
    keep: tuple[str, ...] = ()
    attachments: Mapping[Stage, Mapping[Attachment, Literal["flag", "block"]]] = field(
        default_factory=dict
    )
    tests: tuple[CaseTest, ...] = ()
    amendments: tuple[Amendment, ...] = ()
    file: str = ""

    def principle(self, id: str) -> Principle:
        """Raises KeyError if there is none of that id."""
        for principle in self.principles:
            if principle.id == id:
                return principle
        raise KeyError(id)

    def at(self, stage: Stage) -> tuple[Principle, ...]:
        """The principles of a stage, in order of precedence."""
        return tuple(p for p in self.principles if stage in p.stages)
