"""The critic `pattern`: what a principle's regular expressions say about a text.

The engine's one scan does the searching; what is left here is what a hit means.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, ClassVar, cast

from pydantic import AfterValidator, Field

from guardrails.constitution.model import CriticConfig, Principle
from guardrails.critic.protocol import (
    CriticFinding,
    Critique,
    CritiqueRequest,
    Declared,
    Need,
    Resources,
    Rule,
    Target,
    Tier,
    Whole,
    Width,
    count_hits,
)
from guardrails.text.patterns import Pattern, compile_pattern
from guardrails.text.scan import bounded
from guardrails.text.sentences import CONTEXT, MAX_CHARACTERS, covering, next_end, whole_sentences
from guardrails.verdict import FindingValue, Span, Stage

__all__ = ["PatternConfig", "PatternCritic"]

MAX_WIDTH = 2_000
"""A wider pattern holds the whole reply: so the format says."""

MAX_PATTERNS = 500
REASON_CHARACTERS = 80

OFF_LOOP_HITS = 1_000
"""More are looked through in a thread."""


def _compiles(source: str) -> str:
    compile_pattern(source, case=False)  # said as below, so that it is remembered for then
    return source


Source = Annotated[str, AfterValidator(_compiles)]
Sources = Annotated[tuple[Source, ...], Field(max_length=MAX_PATTERNS)]


class PatternConfig(CriticConfig):
    """`breach`: a hit is a breach, save in a sentence with an `unless`. `look`: a hit makes the
    judge look. `require`: no hit of any in the whole reply is a breach. `case`: letter case counts.
    """

    grows: ClassVar[frozenset[str]] = frozenset({"breach", "look"})

    breach: Annotated[Sources, Field(description="A hit is a breach.")] = ()
    unless: Annotated[
        Sources, Field(description="In a sentence with this, such a hit only makes the judge look.")
    ] = ()
    look: Annotated[Sources, Field(description="A hit makes the judge look.")] = ()
    require: Annotated[
        Sources, Field(description="No hit of any of them in the whole reply is a breach.")
    ] = ()
    case: Annotated[bool, Field(description="true: letter case counts. Default: false.")] = False

    def problems(self, principle: Principle) -> Sequence[tuple[tuple[str | int, ...], str]]:
        return tuple(self._problems(principle))

    def _problems(self, principle: Principle) -> Iterator[tuple[tuple[str | int, ...], str]]:
        if not (self.breach or self.look or self.require):
            yield (), "nothing to search for; give `breach`, `look` or `require`"
        if self.unless and not self.breach:
            yield ("unless",), "there is no `breach` that this could except; give one or drop it"
        if self.look and not _judged(principle):
            yield (
                ("look",),
                "asks for a judge and this principle has none; add `judge` to its critics, "
                "or make the pattern a `breach`",
            )
        if self.require and not principle.requires:
            yield ("require",), "asks for something to be there; say `requires: true`"

    def compiled(self, sources: Iterable[str]) -> tuple[Pattern, ...]:
        return tuple(compile_pattern(source, case=self.case) for source in sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """One rule, compiled. `judged`: somebody other than a deterministic critic can be asked."""

    principle: Principle
    breach: tuple[Pattern, ...]
    unless: tuple[Pattern, ...]
    look: tuple[Pattern, ...]
    require: tuple[Pattern, ...]
    judged: bool

    @classmethod
    def of(cls, rule: Rule) -> _Search:
        config = cast("PatternConfig", rule.config)
        return cls(
            principle=rule.principle,
            breach=config.compiled(config.breach),
            unless=config.compiled(config.unless),
            look=config.compiled(config.look),
            require=config.compiled(config.require),
            judged=_judged(rule.principle),
        )

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        return (*self.breach, *self.unless, *self.look, *self.require)


Found = Mapping[Pattern, Sequence[Span]]


class PatternCritic:
    """Regular expressions of RE2's dialect on the normalised text; see `guardrails.text.patterns`.

    It searches nothing itself: a text without a hit costs the shared scan some 4 µs per kB for all
    patterns together, and 5 µs per pattern and 2 kB once any of them hits.

    Known misses: the same idea in other words, other languages or misspelt; letters exchanged for
    look-alikes of another script (Cyrillic а for Latin a: NFKC keeps them apart); words taken apart
    by spaces or signs; what lies further apart than an unbounded repeat's 100 characters. An
    `unless` is only looked for in the sentences of its hit: a negation one sentence earlier is not
    seen.

    Of more than 1,000 hits of a principle in one text the last covers all the rest of the text.
    """

    name: ClassVar[str] = "pattern"
    version: ClassVar[str] = "1.0.0"
    tier: ClassVar[Tier] = "deterministic"
    Config: ClassVar[type[CriticConfig]] = PatternConfig

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._searches = tuple(map(_Search.of, rules))

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> PatternCritic:
        return cls(rules)

    def need(self, stage: Stage) -> Need:
        """An `unless` may stand at the other end of the sentences that its hit is in."""
        width = 0
        for search in self._at(stage):
            widest = max((pattern.width for pattern in search.patterns), default=0)
            if search.require or widest > MAX_WIDTH:
                return Whole()
            width = max(width, widest + 2 * MAX_CHARACTERS * bool(search.unless))
        return Width(width)

    def margin(self, stage: Stage) -> int:
        """As far back as an `unless` may stand in a sentence that is cut for its length."""
        widths = [p.width for search in self._at(stage) for p in search.unless]
        return MAX_CHARACTERS + max(widths) if widths else 0

    def is_open(self, stage: Stage, text: str, at: int) -> bool:
        """What it looks for is declared. An `unless` may yet come in a sentence that goes on."""
        if not any(search.unless for search in self._at(stage)):
            return False
        start = max(0, at - CONTEXT)
        return next_end(text[start:], at - start - 1) is None

    def declared(self) -> Sequence[Declared]:
        """Each pattern is its own key, so that principles that ask for the same share it."""
        stages: dict[Pattern, frozenset[Stage]] = {}
        for search in self._searches:
            for pattern in search.patterns:
                there = stages.get(pattern, frozenset())
                stages[pattern] = there.union(search.principle.stages)
        return tuple(
            Declared(key=pattern, pattern=pattern, stages=where)
            for pattern, where in stages.items()
        )

    def _at(self, stage: Stage) -> Iterator[_Search]:
        return (search for search in self._searches if stage in search.principle.stages)

    def critique_now(self, request: CritiqueRequest) -> Critique | None:
        return None if count_hits(request.hits) > OFF_LOOP_HITS else self._look(request)

    async def critique(self, request: CritiqueRequest) -> Critique:
        return await asyncio.to_thread(self._look, request)

    def _look(self, request: CritiqueRequest) -> Critique:
        ids = frozenset(request.asked)
        asked = [search for search in self._searches if search.principle.id in ids]
        return Critique(
            looked=frozenset([search.principle.id for search in asked]),
            findings=tuple(_all_findings(asked, request)),
        )


def _all_findings(asked: Sequence[_Search], request: CritiqueRequest) -> list[CriticFinding]:
    findings: list[CriticFinding] = []
    for target in request.targets:
        found = cast("Found", request.hits.get(target.part, {}))
        if found:
            for search in asked:
                findings += _findings(search, target, found)
    for search in asked:
        if search.require and not _is_there(search, request):
            reason = "nothing that is required is there"
            findings.append(
                CriticFinding(principle=search.principle.id, value="breach", reason=reason)
            )
    return findings


def _judged(principle: Principle) -> bool:
    return any(use.tier != "deterministic" for use in principle.critics)


def _is_there(search: _Search, request: CritiqueRequest) -> bool:
    """Whether the reply has what the principle requires; what a model thinks is not its reply."""
    return any(
        pattern in request.hits.get(target.part, {})
        for target in request.targets
        if request.parts[target.part].kind != "thinking"
        for pattern in search.require
    )


def _findings(search: _Search, target: Target, found: Found) -> Iterator[CriticFinding]:
    hits = _hits(search.breach, found)
    excepted = _Excepted(search, target.text, found) if hits else None
    breaches = [hit for hit in hits if excepted is None or hit[1] not in excepted]
    looks = _hits(search.look, found)
    if search.judged and len(breaches) < len(hits):
        looks = [hit for hit in hits if excepted is not None and hit[1] in excepted] + looks
    end = len(target.text)
    for pattern, span in bounded(breaches, end):
        yield _finding(search, target, "breach", pattern, span)
    for pattern, span in bounded(looks, end):
        yield _finding(search, target, "look", pattern, span)


def _hits(patterns: Iterable[Pattern], found: Found) -> list[tuple[Pattern, Span]]:
    return [(pattern, span) for pattern in patterns for span in found.get(pattern, ())]


def _finding(
    search: _Search, target: Target, value: FindingValue, pattern: Pattern, span: Span
) -> CriticFinding:
    return CriticFinding(
        principle=search.principle.id,
        value=value,
        part=target.part,
        span=span,
        reason=f"matches {pattern.source[:REASON_CHARACTERS]}",
    )


class _Excepted:
    """The spans of a text that share a sentence with an `unless` of the rule, which in a longer one
    is at most 1,000 characters away."""

    def __init__(self, search: _Search, text: str, found: Found) -> None:
        places = sorted(span for pattern in search.unless for span in found.get(pattern, ()))
        self._starts = [start for start, _ in places]
        self._reach = list(accumulate((end for _, end in places), max))
        self._sentences = whole_sentences(text) if places else []

    def __contains__(self, span: Span) -> bool:
        if not self._starts:
            return False
        start, end = covering(self._sentences, span)
        start, end = max(start, span[0] - MAX_CHARACTERS), min(end, span[1] + MAX_CHARACTERS)
        before = bisect_left(self._starts, end)
        return before > 0 and self._reach[before - 1] > start
