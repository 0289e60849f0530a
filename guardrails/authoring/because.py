"""Which pattern or example of a constitution brought a finding about, and where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from guardrails.authoring.places import Places
from guardrails.constitution.model import Constitution, Principle
from guardrails.critic.protocol import (
    Critic,
    CriticFinding,
    CritiqueRequest,
    Resources,
    Rule,
    Target,
)
from guardrails.critic.registry import CriticRegistry
from guardrails.settings import Settings
from guardrails.text.patterns import compile_pattern
from guardrails.text.sentences import covering, sentences
from guardrails.verdict import Span

__all__ = ["Because", "Causes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """`kind` is the list that it stands in: `breach`, `unless`, `look` or `require` of a pattern,
    or `example`. `place` is its `file:line`, "" if no file holds it."""

    kind: str
    source: str = field(repr=False)
    place: str = ""


@dataclass(frozen=True, slots=True)
class Causes:
    """Finds what is behind a critic's word. Of critics that it does not know, nothing."""

    registry: CriticRegistry
    places: Places

    async def of(
        self,
        critic: Critic,
        principle: Principle,
        finding: CriticFinding,
        request: CritiqueRequest,
    ) -> list[Because]:
        match critic.name:
            case "pattern":
                return list(self._patterns(principle, finding, request))
            case "negative_examples":
                return await self._examples(principle, finding, request)
        return []

    def excepted(
        self, principle: Principle, request: CritiqueRequest
    ) -> Iterator[tuple[CriticFinding, list[Because]]]:
        """Hits of `breach` that an `unless` excuses and no judge is asked about."""
        if any(use.tier != "deterministic" for use in principle.critics):
            return
        for target in request.targets:
            for source, span in self._hits(principle, "breach", target):
                excuses = list(self._excuses(principle, target, span))
                if excuses:
                    found = CriticFinding(
                        principle=principle.id,
                        value="look",
                        part=target.part,
                        span=span,
                        reason="a hit in a sentence with an exception",
                    )
                    yield found, [self._because(principle, "breach", source), *excuses]

    def _patterns(
        self, principle: Principle, finding: CriticFinding, request: CritiqueRequest
    ) -> Iterator[Because]:
        if finding.span is None:
            for source in self._sources(principle, "require"):
                yield self._because(principle, "require", source)
            return
        target = next(target for target in request.targets if target.part == finding.part)
        for kind in ("breach", "look"):
            for source, span in self._hits(principle, kind, target):
                if span != finding.span:
                    continue
                excuses = list(self._excuses(principle, target, span)) if kind == "breach" else []
                if (finding.value == "breach") is (kind == "breach" and not excuses):
                    yield self._because(principle, kind, source)
                    yield from excuses

    def _excuses(self, principle: Principle, target: Target, span: Span) -> Iterator[Because]:
        """What excepts a hit: an `unless` in the sentences that it is in."""
        around = covering(sentences(target.text), span)
        sources = [
            source
            for source, hit in self._hits(principle, "unless", target)
            if hit[0] < around[1] and around[0] < hit[1]
        ]
        return (self._because(principle, "unless", source) for source in dict.fromkeys(sources))

    def _hits(self, principle: Principle, kind: str, target: Target) -> Iterator[tuple[str, Span]]:
        case = bool(getattr(_pattern_config(principle), "case", False))
        for source in self._sources(principle, kind):
            for span in compile_pattern(source, case=case).findall(target.text):
                yield source, span

    def _sources(self, principle: Principle, kind: str) -> Sequence[str]:
        return getattr(_pattern_config(principle), kind, ())

    def _because(self, principle: Principle, kind: str, source: str) -> Because:
        place = self.places.pattern(principle.id, kind, source)
        return Because(kind=kind, source=source, place=place)

    async def _examples(
        self, principle: Principle, finding: CriticFinding, request: CritiqueRequest
    ) -> list[Because]:
        """The examples that, alone, bring the same finding about."""
        critic = self.registry["negative_examples"].critic
        use = principle.critic("negative_examples")
        if critic is None or use is None:
            return []
        found = []
        resources = Resources(constitution=self._constitution, settings=Settings())
        for example in principle.breach_examples:
            alone = replace(principle, breach_examples=(example,))
            bound = critic.bind([Rule(principle=alone, config=use.config)], resources)
            answer = await bound.critique(replace(request, asked=(principle.id,)))
            same = [(f.value, f.part, f.span) for f in answer.findings]
            if (finding.value, finding.part, finding.span) in same:
                place = self.places.example(principle.id, "breach", example)
                found.append(Because(kind="example", source=example.reply, place=place))
        return found

    @property
    def _constitution(self) -> Constitution:
        return self.places.constitution


def _pattern_config(principle: Principle) -> Any:
    use = principle.critic("pattern")
    return None if use is None else cast("Any", use.config)
