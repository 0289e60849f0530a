"""The critic `length`: how long a text may be, and how long it must be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, ClassVar, Self, cast

from pydantic import Field, model_validator

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
    Whole,
)
from guardrails.text.sentences import sentences
from guardrails.verdict import Span, Stage

__all__ = ["LengthConfig", "LengthCritic"]

Count = Annotated[int, Field(ge=1, le=10_000_000)]

_WORD = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
    r"|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+"
)
"""A run of letters and digits; in scripts without spaces between words each character counts."""


class LengthConfig(CriticConfig):
    """At least one limit. Characters are those of the normalised text."""

    max_characters: Annotated[Count | None, Field(description="At most so many.")] = None
    min_characters: Annotated[Count | None, Field(description="At least so many.")] = None
    max_words: Annotated[Count | None, Field(description="At most so many.")] = None
    min_words: Annotated[Count | None, Field(description="At least so many.")] = None
    max_sentences: Annotated[Count | None, Field(description="At most so many.")] = None
    min_sentences: Annotated[Count | None, Field(description="At least so many.")] = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if all(value is None for value in self.model_dump().values()):
            raise ValueError("no limit is named; give one such as max_words")
        for unit in _UNITS:
            most, least = getattr(self, f"max_{unit}"), getattr(self, f"min_{unit}")
            if most is not None and least is not None and least > most:
                raise ValueError(f"min_{unit} is more than max_{unit}: nothing could fit")
        return self

    def problems(self, principle: Principle) -> Sequence[tuple[tuple[str | int, ...], str]]:
        return [
            ((f"min_{unit}",), "a text that is too short has nothing to redact; use 'block'")
            for unit in _UNITS
            if getattr(self, f"min_{unit}") is not None and "redact" in principle.actions.values()
        ]


class LengthCritic:
    """A text that is too long is breached from the first character over the limit on; one that is
    too short, as a whole. Each part of an exchange counts by itself.

    Costs some 20 µs per kB. Known misses: words of scripts without spaces are counted by their
    characters; an abbreviation's full stop ends a sentence.
    """

    name: ClassVar[str] = "length"
    version: ClassVar[str] = "1.0.0"
    tier: ClassVar[Tier] = "deterministic"
    Config: ClassVar[type[CriticConfig]] = LengthConfig

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._configs = {rule.principle.id: cast("LengthConfig", rule.config) for rule in rules}

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> LengthCritic:
        return cls(rules)

    def need(self, stage: Stage) -> Need:
        return Whole()

    def declared(self) -> Sequence[Declared]:
        return ()

    async def critique(self, request: CritiqueRequest) -> Critique:
        return Critique(
            looked=frozenset(request.asked),
            findings=tuple(
                CriticFinding(
                    principle=id, value="breach", part=target.part, span=span, reason=reason
                )
                for id in request.asked
                for target in request.targets
                for span, reason in _faults(self._configs[id], target.text)
            ),
        )


def _characters(text: str) -> Iterator[Span]:
    return ((at, at + 1) for at in range(len(text)))


def _words(text: str) -> Iterator[Span]:
    return (word.span() for word in _WORD.finditer(text))


def _sentences(text: str) -> Iterator[Span]:
    return (span for span in sentences(text) if text[slice(*span)].strip())


_UNITS: Mapping[str, Callable[[str], Iterator[Span]]] = {
    "characters": _characters,
    "words": _words,
    "sentences": _sentences,
}


def _faults(config: LengthConfig, text: str) -> Iterator[tuple[Span | None, str]]:
    for unit, tell in _UNITS.items():
        most, least = getattr(config, f"max_{unit}"), getattr(config, f"min_{unit}")
        if most is not None:
            first_over = next(islice(tell(text), most, None), None)
            if first_over is not None:
                yield (first_over[0], len(text)), f"more than {most:,} {unit}"
        if least is not None and next(islice(tell(text), least - 1, None), None) is None:
            yield None, f"fewer than {least:,} {unit}"
