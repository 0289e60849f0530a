"""The critic `secrets`: credentials in a text."""

from __future__ import annotations

import asyncio
import difflib
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, cast

from pydantic import AfterValidator, Field

from critics.secrets.kinds import KINDS, Kind, is_key_open
from guardrails.constitution.model import CriticConfig, Principle
from guardrails.critic.protocol import (
    CriticFinding,
    Critique,
    CritiqueRequest,
    Declared,
    Need,
    Resources,
    Rule,
    Tier,
    Width,
    count_hits,
)
from guardrails.text.scan import bounded
from guardrails.verdict import Span, Stage

__all__ = ["SecretsConfig", "SecretsCritic"]

OFF_LOOP_HITS = 1_000
"""More are looked through in a thread."""


def _known(name: str) -> str:
    if name in KINDS:
        return name
    near = difflib.get_close_matches(name.lower(), KINDS, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(sorted(KINDS))}"
    raise ValueError(f"unknown kind of secret {reprlib.repr(name)}; {meant}")


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("no kind is named, so nothing would be found; leave `kinds` out for all")
    return names


KindName = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": sorted(KINDS)})]


class SecretsConfig(CriticConfig):
    """`kinds`: only these; all if it is not said."""

    kinds: Annotated[
        tuple[KindName, ...],
        AfterValidator(_some),
        Field(description="Only these. Default: all."),
    ] = tuple(KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """One rule: which kinds breach which principle."""

    principle: Principle
    kinds: tuple[Kind, ...]

    @classmethod
    def of(cls, rule: Rule) -> _Watch:
        names = cast("SecretsConfig", rule.config).kinds
        return cls(principle=rule.principle, kinds=tuple(KINDS[name] for name in names))


class SecretsCritic:
    """Provider keys, tokens and private keys, by fixed prefixes, lengths and alphabets.

    A finding spans the whole credential. What documentation writes in its place (EXAMPLE, xxxx,
    your-key-here, one character repeated, the keys that vendors print themselves) is none. Of more
    than 1,000 in one text the last covers all the rest of the text.

    The shared scan searches; a text without a hit costs nothing more, a hit some 10 µs.

    Known misses: whatever has no fixed form (passwords, AWS secret access keys, keys of issuers
    not in `kinds`); a credential cut by spaces, line breaks or other signs, encoded, or spelt out;
    one glued to a letter or digit before it; a private key of more than 8,000 characters is only
    covered so far; one without its first line. A real credential that happens to hold a word of
    documentation is taken for a placeholder.
    """

    name: ClassVar[str] = "secrets"
    version: ClassVar[str] = "1.0.0"
    tier: ClassVar[Tier] = "deterministic"
    Config: ClassVar[type[CriticConfig]] = SecretsConfig

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._watches = tuple(map(_Watch.of, rules))

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> SecretsCritic:
        return cls(rules)

    def need(self, stage: Stage) -> Need:
        kinds = (kind for watch in self._at(stage) for kind in watch.kinds)
        return Width(max((kind.width for kind in kinds), default=0))

    def is_open(self, stage: Stage, text: str, at: int) -> bool:
        """The kinds are declared; what follows their patterns has no blanks, but in key blocks."""
        return is_key_open(text, at)

    def declared(self) -> Sequence[Declared]:
        """A kind's name is its key."""
        stages: dict[str, set[Stage]] = {}
        for watch in self._watches:
            for kind in watch.kinds:
                stages.setdefault(kind.name, set()).update(watch.principle.stages)
        return tuple(
            Declared(key=name, pattern=KINDS[name].pattern, stages=frozenset(where))
            for name, where in stages.items()
        )

    def critique_now(self, request: CritiqueRequest) -> Critique | None:
        return None if count_hits(request.hits) > OFF_LOOP_HITS else self._look(request)

    async def critique(self, request: CritiqueRequest) -> Critique:
        return await asyncio.to_thread(self._look, request)

    def _look(self, request: CritiqueRequest) -> Critique:
        asked = [watch for watch in self._watches if watch.principle.id in request.asked]
        return Critique(
            looked=frozenset([watch.principle.id for watch in asked]),
            findings=tuple(_findings(asked, request)),
        )

    def _at(self, stage: Stage) -> Iterator[_Watch]:
        return (watch for watch in self._watches if stage in watch.principle.stages)


def _findings(asked: Sequence[_Watch], request: CritiqueRequest) -> list[CriticFinding]:
    findings: list[CriticFinding] = []
    for target in request.targets:
        hits = request.hits.get(target.part)
        if not hits:
            continue
        found = {
            cast("str", key): list(_whole(KINDS[cast("str", key)], target.text, spans))
            for key, spans in hits.items()
        }
        for watch in asked:
            own = [(kind, span) for kind in watch.kinds for span in found.get(kind.name, ())]
            findings += [
                CriticFinding(
                    principle=watch.principle.id,
                    value="breach",
                    part=target.part,
                    span=span,
                    reason=f"a credential: {kind.name}",
                )
                for kind, span in bounded(own, len(target.text))
            ]
    return findings


def _whole(kind: Kind, text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """The credentials that begin at a pattern's hits, save those inside another."""
    at = 0
    for span in spans:
        whole = kind.whole(text, span) if span[0] >= at else None
        if whole is not None:
            yield whole
            at = whole[1]
