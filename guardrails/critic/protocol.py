"""What a critic is: it looks at texts and says, per principle, what it saw. It never decides.

A critic is found by the entry-point group `guardrails.critics`, bound once per constitution, and
holds no state of a request. Spans in what it says are of the text it was given; the engine maps
them back to the original.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from guardrails.cache.verdicts import VerdictCache
from guardrails.constitution.model import Constitution, CriticConfig, Principle, Tier
from guardrails.critic.limits import BudgetHandle, Deadline
from guardrails.exchange import Call, Context, Part
from guardrails.settings import Settings
from guardrails.text.patterns import Pattern
from guardrails.verdict import NOTHING_USED, FindingCause, FindingValue, Span, Stage, Usage

if TYPE_CHECKING:
    from guardrails.llm.roles import Roles

__all__ = [
    "AnswersAtOnce",
    "Critic",
    "CriticFinding",
    "Critique",
    "CritiqueRequest",
    "Declared",
    "Hits",
    "LooksBack",
    "Need",
    "Resources",
    "Rule",
    "Target",
    "TellsOpen",
    "Tier",
    "Unit",
    "Whole",
    "Width",
    "count_hits",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One principle that names the critic, with what stands under the critic's name there."""

    principle: Principle
    config: CriticConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a critic may use besides its rules. `roles` are the models, where some may be asked,
    `verdicts` what they said before, where that is kept."""

    constitution: Constitution
    settings: Settings
    roles: Roles | None = None
    verdicts: VerdictCache | None = None


@dataclass(frozen=True, slots=True)
class Width:
    """No finding is wider than this many characters of normalised text."""

    characters: int


@dataclass(frozen=True, slots=True)
class Unit:
    """Each unit can be judged by itself."""

    name: Literal["sentence"]


@dataclass(frozen=True, slots=True)
class Whole:
    """The whole text must be there."""


Need = Width | Unit | Whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A pattern that the engine's one scan looks for on the critic's behalf.

    `key` is the critic's own name for it, unique within the critic.
    `stages`: where it is wanted.
    """

    key: Hashable
    pattern: Pattern
    stages: frozenset[Stage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A part to judge: `part` indexes the request's parts, `text` is what this critic may see.

    `original` is the text as it came, for deterministic critics that look for what normalising
    takes out; models get the same as `text`.
    """

    part: int
    text: str = field(repr=False)
    original: str = field(default="", repr=False)


Hits = Mapping[int, Mapping[Hashable, Sequence[Span]]]
"""Part index → declared key → spans, for the patterns this critic declared. A pattern without a
hit in a part is absent there."""


def count_hits(hits: Hits) -> int:
    return sum([len(spans) for there in hits.values() for spans in there.values()]) if hits else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CritiqueRequest:
    """One question to a critic.

    `asked` are the ids it should speak about, in declared order. `parts` is the whole exchange as
    this critic may see it (context included); only `targets` are judged. `looks` are those of
    `asked` at which a cheaper critic said look. `calls` are the tool calls among the targets, whole
    and as they came; models get none.
    """

    stage: Stage
    parts: Sequence[Part]
    targets: tuple[Target, ...]
    asked: tuple[str, ...]
    hits: Hits = field(default_factory=dict)
    looks: frozenset[str] = frozenset()
    context: Context = Context()
    deadline: Deadline
    budget: BudgetHandle
    calls: tuple[Call, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticFinding:
    """`part` and `span` point into the request's target text, or into its original if the critic
    looked there; None where nothing can be quoted."""

    principle: str
    value: FindingValue
    part: int | None = None
    span: Span | None = None
    of_original: bool = False
    reason: str = field(default="", repr=False)
    cause: FindingCause = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Critique:
    """What a critic says.

    `looked` are the ids it has looked at; `verdicts` settles some of them (`pass` or `breach`) or
    says `undecided`. A deterministic critic that found nothing only has `looked`. `windows` says in
    how many pieces a long text was judged, `left_out` how many parts of the context were not seen.
    """

    looked: frozenset[str]
    verdicts: Mapping[str, Literal["pass", "breach", "undecided"]] = field(default_factory=dict)
    findings: tuple[CriticFinding, ...] = ()
    usage: Usage = NOTHING_USED
    model: str | None = None
    windows: int = 0
    left_out: int = 0


@runtime_checkable
class Critic(Protocol):
    """A pluggable judge of text. See the module's docstring."""

    name: ClassVar[str]
    version: ClassVar[str]
    tier: ClassVar[Tier]
    Config: ClassVar[type[CriticConfig]]

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> Critic:
        """Make the critic for one constitution, with all the rules that name it."""
        ...

    def need(self, stage: Stage) -> Need:
        """How much text must be there before a finding at this stage is final."""
        ...

    def declared(self) -> Sequence[Declared]:
        """Patterns for the shared scan; may be empty."""
        ...

    async def critique(self, request: CritiqueRequest) -> Critique:
        """Look. May raise; what that means is the engine's business."""
        ...


@runtime_checkable
class AnswersAtOnce(Protocol):
    """A critic that can say its word without waiting, mostly: the engine asks it so first."""

    def critique_now(self, request: CritiqueRequest) -> Critique | None:
        """As `critique`, in well under a millisecond; None for what takes longer, which `critique`
        is then asked."""
        ...


@runtime_checkable
class TellsOpen(Protocol):
    """A critic that can tell when it need not wait for its whole width, so that text of a stream
    leaves earlier. What it has declared is looked after. It is told of normalised text; of text as
    it came if it says `reads_original = True`."""

    def is_open(self, stage: Stage, text: str, at: int) -> bool:
        """Whether what begins before a place in a growing text, which stands where a sentence ends,
        may yet become a finding, or may be one that goes on behind the text's end."""
        ...


@runtime_checkable
class LooksBack(Protocol):
    """A critic whose findings depend on much that stands before them."""

    def margin(self, stage: Stage) -> int:
        """How many characters before a place it must see to judge what is behind it."""
        ...
