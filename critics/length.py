"""The critic `length`: how long a text may be, and how long it must be."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
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
    Target,
    Tier,
    Whole,
)
from guardrails.text.sentences import sentences
from guardrails.verdict import Span, Stage

__all__ = ["LengthConfig", "LengthCritic"]

Count = Annotated[int, Field(ge=1, le=10_000_000)]

OFF_LOOP_CHARACTERS = 20_000

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff"
    "\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts that put no spaces between words."""

FIRST_IDEOGRAPH_BEYOND = 0x20000


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

    What a model thought before it replies does not count.

    Costs some 0.1 ms per kB that is counted. Known misses: words of scripts without spaces are
    counted by their characters; parts of a word with a hyphen count each; an abbreviation's full
    stop ends a sentence.
    """

    name: ClassVar[str] = "length"
    version: ClassVar[str] = f"1.0.0 unicode-{unicodedata.unidata_version}"
    tier: ClassVar[Tier] = "deterministic"
    Config: ClassVar[type[CriticConfig]] = LengthConfig

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._configs = {rule.principle.id: cast("LengthConfig", rule.config) for rule in rules}
        if any(config.max_words or config.min_words for config in self._configs.values()):
            _word()  # takes some 50 ms to make, which no request should wait for

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> LengthCritic:
        return cls(rules)

    def need(self, stage: Stage) -> Need:
        return Whole()

    def declared(self) -> Sequence[Declared]:
        return ()

    def critique_now(self, request: CritiqueRequest) -> Critique | None:
        size = sum(len(target.text) for target in request.targets)
        return None if size > OFF_LOOP_CHARACTERS else self._look(request)

    async def critique(self, request: CritiqueRequest) -> Critique:
        return await asyncio.to_thread(self._look, request)

    def _look(self, request: CritiqueRequest) -> Critique:
        targets = [t for t in request.targets if request.parts[t.part].kind != "thinking"]
        findings = self._findings(request.asked, targets)
        return Critique(looked=frozenset(request.asked), findings=findings)

    def _findings(
        self, asked: Sequence[str], targets: Sequence[Target]
    ) -> tuple[CriticFinding, ...]:
        return tuple(
            CriticFinding(principle=id, value="breach", part=target.part, span=span, reason=reason)
            for id in asked
            for target in targets
            for span, reason in _faults(self._configs[id], target.text)
        )


@lru_cache(maxsize=1)
def _word() -> re.Pattern[str]:
    """A run of letters, marks and digits, with apostrophes, Armenian's marks of tone and
    decimal points in it; in scripts
    without spaces between words each letter with its marks. Python's own \\w lacks the marks."""
    characters = {"L": "", "M": "", "N": "", "unspaced": ""}
    for code in range(FIRST_IDEOGRAPH_BEYOND):
        sign = chr(code)
        kind = unicodedata.category(sign)[0]
        if kind in characters:
            characters["unspaced" if kind != "M" and _UNSPACED.match(sign) else kind] += sign
    marks, numbers = _class(characters["M"]), _class(characters["N"])
    letters = f"{_class(characters['L'])}{marks}{numbers}_"
    unspaced = f"{_class(characters['unspaced'])}\U00020000-\U0003ffff"
    return re.compile(
        f"[{unspaced}][{marks}]*|[{letters}]++(?:['’׳״՛՜՞][{letters}]++|[.,][{numbers}][{letters}]*+)*"
    )


def _class(characters: str) -> str:
    """Ranges for a set of characters that are in order."""
    ranges: list[tuple[int, int]] = []
    for code in map(ord, characters):
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


def _characters(text: str) -> Iterator[Span]:
    return ((at, at + 1) for at in range(len(text)))


def _words(text: str) -> Iterator[Span]:
    return (word.span() for word in _word().finditer(text))


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
                kept = text[: first_over[0]].rstrip()  # no space is left where it is cut
                yield (len(kept), len(text)), f"more than {most:,} {unit}"
        if least is not None and next(islice(tell(text), least - 1, None), None) is None:
            yield None, f"fewer than {least:,} {unit}"
