"""The critic `pii`: personal data that Presidio's pattern recognizers find, without any model."""

from __future__ import annotations

import asyncio
import difflib
import re
import reprlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, ClassVar, cast

from pydantic import Field, field_validator

from critics.pii.entities import ENTITIES, NEEDS_MODEL, Glance
from guardrails.constitution.model import CriticConfig, Principle
from guardrails.critic.limits import Deadline
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
    Width,
)
from guardrails.errors import CriticError
from guardrails.text.normalise import normalise
from guardrails.text.scan import bounded
from guardrails.verdict import Span, Stage

if TYPE_CHECKING:
    from critics.pii.analysis import Hit

__all__ = ["PiiConfig", "PiiCritic"]

_DECIDES = ("presidio-analyzer", "phonenumbers", "regex", "spacy", "tldextract")
"""Distributions whose version can change a finding."""

WIDEST = 160
"""Characters of what may hold blanks: the widest are phone numbers with all their punctuation and
extension. Source: the patterns of presidio-analyzer 2.2.366 and of phonenumbers."""

BEFORE = 60
"""So many characters before a place are looked at for the begin of something that goes on."""

_MAY_GO_ON = re.compile(r"[^\W_a-zA-Z]|[+(]|HR[AB]\s*\Z", re.IGNORECASE)

OFF_LOOP_CHARACTERS = 20_000
OFF_LOOP_TEXTS = 100
"""From here on the gates too take their time in a thread: about a millisecond."""


class PiiConfig(CriticConfig):
    """Which kind of personal data, from which score on, and which values are nobody's secret."""

    entity: Annotated[
        str,
        Field(json_schema_extra={"enum": sorted(ENTITIES)}, description="The kind that is found."),
    ]
    min_score: Annotated[
        float,
        Field(ge=0, le=1, allow_inf_nan=False, description="Presidio's score. Default: 0.5."),
    ] = 0.5
    keep: Annotated[tuple[str, ...], Field(description="Values that are nobody's secret.")] = ()

    @field_validator("entity")
    @classmethod
    def _known(cls, entity: str) -> str:
        if entity in ENTITIES:
            return entity
        if entity in NEEDS_MODEL:
            raise ValueError(
                f"{entity} needs a trained model to be found, and the critic 'pii' has none; "
                "name an entity with a pattern, or write a principle that a judge can read"
            )
        near = difflib.get_close_matches(entity.upper(), ENTITIES, n=1, cutoff=0.5)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown entity {reprlib.repr(entity)}{meant}")

    @field_validator("keep")
    @classmethod
    def _something(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        if not all(normalise(value).text.strip() for value in keep):
            raise ValueError("a value to keep is empty; leave it out")
        return keep

    def problems(self, principle: Principle) -> Sequence[tuple[tuple[str | int, ...], str]]:
        if "pseudonymise" in principle.actions.values():
            return [((), "'pseudonymise' is not there yet; use 'mask' or 'redact'")]
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """One rule: tell of an entity under a principle. `keep` finds the values it leaves alone."""

    principle: Principle
    config: PiiConfig
    keep: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, rule: Rule) -> _Watch:
        config = cast("PiiConfig", rule.config)
        values = [normalise(value).text for value in config.keep]
        keep = tuple(re.compile(re.escape(value), re.IGNORECASE) for value in values)
        return cls(principle=rule.principle, config=config, keep=keep)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A text with the entities it may hold, each with the least score that any rule asks for."""

    target: Target
    wanted: Mapping[str, float]


class PiiCritic:
    """Personal data by Presidio's recognizers: patterns, checksums, context words.

    One rule, one entity. Every finding of every rule is told, overlapping ones too: the engine
    gives the gravest action to what overlaps (of more than 1,000 of a rule in one text the last
    covers all the rest of it). What lies inside a value to keep is not told by any
    rule; what reaches beyond it is another value. An entity is looked for in texts of every
    language; the language (the caller's, else the constitution's first) only says how words are
    told apart, on which context words depend.

    A text that passes no gate costs some 50 µs per kB; the first that does loads Presidio (2 s or
    more of CPU), later ones cost 0.1 to 5 ms per kB, phone numbers the most of it.

    Known misses: names, places, whatever has no fixed form; a phone number without a word such as
    "phone" among the five before it (it scores 0.4); cards of newer ranges (2-series Mastercard,
    19 digits); numbers in words.
    """

    name: ClassVar[str] = "pii"
    version: ClassVar[str] = " ".join(
        ["1.0.0", *(f"{name}-{metadata.version(name)}" for name in _DECIDES)]
    )
    tier: ClassVar[Tier] = "deterministic"
    is_costly: ClassVar[bool] = True
    Config: ClassVar[type[CriticConfig]] = PiiConfig

    def __init__(self, rules: Sequence[Rule], language: str) -> None:
        self._watches = tuple(map(_Watch.of, rules))
        self._language = language

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> PiiCritic:
        return cls(rules, resources.constitution.languages[0])

    def need(self, stage: Stage) -> Need:
        """Addresses have no greatest width, but no blank in them either, and streams are cut at
        blanks; what may hold blanks is narrower. Context words count only before a match."""
        return Width(WIDEST)

    def is_open(self, stage: Stage, text: str, at: int) -> bool:
        """What has blanks in it is made of digits, or begins like a register's number."""
        return (
            len(text) - at < WIDEST and _MAY_GO_ON.search(text, max(0, at - BEFORE), at) is not None
        )

    def declared(self) -> Sequence[Declared]:
        return ()

    def critique_now(self, request: CritiqueRequest) -> Critique | None:
        """Of texts that hold nothing that looks like personal data; Presidio takes its time."""
        size = sum(len(target.text) for target in request.targets)
        if size >= OFF_LOOP_CHARACTERS or len(request.targets) >= OFF_LOOP_TEXTS:
            return None
        asked, watches = self._asked(request)
        return None if _jobs(request.targets, watches) else _critique(asked)

    async def critique(self, request: CritiqueRequest) -> Critique:
        return await asyncio.to_thread(self._look, request)

    def _look(self, request: CritiqueRequest) -> Critique:
        asked, watches = self._asked(request)
        jobs = _jobs(request.targets, watches)
        if not jobs:
            return _critique(asked)
        language = request.context.language or self._language
        return _critique(asked, _findings_in(jobs, watches, language, request.deadline))

    def _asked(self, request: CritiqueRequest) -> tuple[list[_Watch], list[_Watch]]:
        """The rules that are asked about, and those of them whose entities are looked for."""
        asked = [watch for watch in self._watches if watch.principle.id in request.asked]
        return asked, [w for w in asked if w.principle.actions.get(request.stage) != "allow"]


def _critique(asked: Sequence[_Watch], findings: Iterable[CriticFinding] = ()) -> Critique:
    looked = frozenset([watch.principle.id for watch in asked])
    return Critique(looked=looked, findings=tuple(findings))


def _jobs(targets: Iterable[Target], watches: Sequence[_Watch]) -> list[_Job]:
    """The texts that may hold something, by the entities' gates."""
    return [job for target in targets if (job := _job(target, watches)).wanted]


def _job(target: Target, watches: Sequence[_Watch]) -> _Job:
    glance = Glance(target.text)
    least: dict[str, float] = {}
    for watch in watches:
        entity, min_score = watch.config.entity, watch.config.min_score
        if ENTITIES[entity].may_be_in(glance, min_score):
            least[entity] = min(min_score, least.get(entity, min_score))
    return _Job(target=target, wanted=least)


def _findings_in(
    jobs: Sequence[_Job], watches: Sequence[_Watch], language: str, deadline: Deadline
) -> list[CriticFinding]:
    try:
        from critics.pii.analysis import analyse
    except ImportError as error:
        raise CriticError(
            f"presidio-analyzer does not import ({error}); install it again, "
            "or take 'pii' out of the constitution"
        ) from None
    findings: list[CriticFinding] = []
    for job in jobs:
        hits = analyse(job.target.text, job.wanted, language=language, deadline=deadline)
        if hits:
            findings += _findings(job.target, hits, watches)
    return findings


def _findings(
    target: Target, hits: Sequence[Hit], watches: Sequence[_Watch]
) -> Iterator[CriticFinding]:
    kept = _Kept(target.text, [pattern for watch in watches for pattern in watch.keep])
    told = [hit for hit in hits if hit.span not in kept]
    for watch in watches:
        entity, min_score = watch.config.entity, watch.config.min_score
        own = [(h, h.span) for h in told if h.entity == entity and h.score >= min_score]
        for hit, span in bounded(own, len(target.text)):
            yield CriticFinding(
                principle=watch.principle.id,
                value="breach",
                part=target.part,
                span=span,
                reason=f"{hit.entity} {hit.score:.2f}",
            )


class _Kept:
    """Where values to keep stand in a text; a span that lies inside one of them is kept."""

    def __init__(self, text: str, patterns: Iterable[re.Pattern[str]]) -> None:
        places = sorted(
            match.span() for pattern in dict.fromkeys(patterns) for match in pattern.finditer(text)
        )
        self._starts = [start for start, _ in places]
        self._reach = list(accumulate((end for _, end in places), max))

    def __contains__(self, span: Span) -> bool:
        before = bisect_right(self._starts, span[0])
        return before > 0 and self._reach[before - 1] >= span[1]
