"""The critic `invisible_text`: characters that a reader does not see and a model does.

Source: Unicode 16 (Default_Ignorable_Code_Point, UTS 39 on look-alikes, UTS 51 on emoji); Boucher
and Anderson, "Trojan Source", 2021; Butler, "Smuggling arbitrary data through an emoji", 2025.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field

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
    Width,
)
from guardrails.text.normalise import INVISIBLE
from guardrails.verdict import Span, Stage

__all__ = ["InvisibleTextConfig", "InvisibleTextCritic", "hidden", "look_alikes"]

KindName = Literal["bidi", "look_alikes", "tags", "variation_selectors", "zero_width"]
KINDS: tuple[KindName, ...] = ("bidi", "look_alikes", "tags", "variation_selectors", "zero_width")

OFF_LOOP_CHARACTERS = 20_000
MOST_FINDINGS = 1_000
"""With more of them the last one covers all the rest of the text."""

LONG_RUN = 8
"""Nobody types so many invisible characters in a row, but data hidden in them does."""

WIDEST = 4_000
"""A run longer than this is told in pieces."""


class InvisibleTextConfig(CriticConfig):
    """`kinds`: only these; all if it is not said."""

    kinds: Annotated[tuple[KindName, ...], Field(min_length=1)] = KINDS


@dataclass(frozen=True, slots=True)
class _Watch:
    principle: Principle
    kinds: frozenset[str]


class InvisibleTextCritic:
    """Hidden characters inside words or in long runs, tag characters, direction overrides, data in
    variation selectors; and words of one script with look-alikes of another among their letters.

    Sees the text as it came: the normalised one, which other critics see, has none of this. What
    scripts need stays fine: joiners in Arabic, Persian and the scripts of India, spaces of no width
    in Thai or Khmer, direction marks beside Hebrew or Arabic, emoji with joiners, selectors and
    flags, variants of ideographs, soft hyphens.

    A text in ASCII costs nothing, others some 10 µs per kB.

    Known misses: a word that is wholly in another script; look-alikes other than Cyrillic and Greek
    ones for Latin letters; a hidden character now and then between words; text in white on white.
    """

    name: ClassVar[str] = "invisible_text"
    version: ClassVar[str] = "1.0.0"
    tier: ClassVar[Tier] = "deterministic"
    Config: ClassVar[type[CriticConfig]] = InvisibleTextConfig

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._watches = tuple(
            _Watch(rule.principle, frozenset(cast("InvisibleTextConfig", rule.config).kinds))
            for rule in rules
        )

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> InvisibleTextCritic:
        return cls(rules)

    def need(self, stage: Stage) -> Need:
        return Width(WIDEST)

    def declared(self) -> Sequence[Declared]:
        return ()

    async def critique(self, request: CritiqueRequest) -> Critique:
        asked = [watch for watch in self._watches if watch.principle.id in request.asked]
        findings: list[CriticFinding] = []
        for target in request.targets:
            if target.original.isascii():
                continue
            if len(target.original) > OFF_LOOP_CHARACTERS:
                findings += await asyncio.to_thread(_findings, target, asked)
            else:
                findings += _findings(target, asked)
        return Critique(
            looked=frozenset(watch.principle.id for watch in asked), findings=tuple(findings)
        )


_SAID: dict[str, str] = {
    "bidi": "a character that turns the direction of text round",
    "look_alikes": "a word with letters of another script that look like its own",
    "tags": "text in invisible tag characters",
    "variation_selectors": "data in variation selectors",
    "zero_width": "invisible characters where no script needs them",
}


def _findings(target: Target, watches: Sequence[_Watch]) -> list[CriticFinding]:
    wanted = frozenset[str]().union(*(watch.kinds for watch in watches))
    found = _bounded(_found(target.original, wanted), len(target.original))
    return [
        CriticFinding(
            principle=watch.principle.id,
            value="breach",
            part=target.part,
            span=span,
            of_original=True,
            reason=_SAID[kind],
        )
        for kind, span in found
        for watch in watches
        if kind in watch.kinds
    ]


def _found(text: str, wanted: frozenset[str]) -> Iterator[tuple[str, Span]]:
    if wanted - {"look_alikes"}:
        yield from ((kind, span) for kind, span in hidden(text) if kind in wanted)
    if "look_alikes" in wanted:
        yield from (("look_alikes", span) for span in look_alikes(text))


def _bounded(found: Iterator[tuple[str, Span]], end: int) -> Iterator[tuple[str, Span]]:
    for number, (kind, span) in enumerate(found):
        if number == MOST_FINDINGS:
            yield kind, (span[0], end)
            return
        yield kind, span


# -- what is hidden ------------------------------------------------------------------------------

_TAGS = re.compile("[\U000e0000-\U000e007f]")
_FLAG = "\U0001f3f4"
_FLAG_TAGS = re.compile("[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
"""Emoji flags of regions: a black flag, the region's code in tags, and their end (UTS 51)."""

_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef\u180b-\u180d\u180f]")
_LARGE_SELECTOR = re.compile("[\U000e0100-\U000e01ef]")
_IDEOGRAPH = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af\u3005-\u3007]"
)
_OVERRIDE = re.compile("[\u202d\u202e]")
_TURN = re.compile("[\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff]")
_DEPRECATED = re.compile("[\u206a-\u206f\ufff0-\ufffb]")
_SPACED_LETTER = re.compile(
    "[A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff\u0400-\u052f"
    "\u0531-\u0587\u10a0-\u10ff\u1e00-\u1fff]"
)
"""Letters of scripts that need nothing invisible inside their words."""

_SOFT_HYPHEN = "\u00ad"
_MARK_OF_COMBINING = "\u034f"
_OPERATORS = "\u2061\u2062\u2063\u2064"
"""Of formulas: what is applied, multiplied, listed or added there without a sign."""


def hidden(text: str) -> Iterator[tuple[str, Span]]:
    """What is hidden in a text: its kind, and where it stands."""
    right_to_left: bool | None = None
    for run in INVISIBLE.finditer(text):
        start, end = run.span()
        if right_to_left is None and _TURN.search(run[0]):
            right_to_left = _RIGHT_TO_LEFT.search(text) is not None
        before, after = text[max(0, start - 2) : start], text[end : end + 2]
        kind = _kind(run[0], before, after, right_to_left=bool(right_to_left))
        if kind is not None:
            for at in range(start, end, WIDEST):
                yield kind, (at, min(end, at + WIDEST))


def _kind(run: str, before: str, after: str, *, right_to_left: bool) -> str | None:
    """The kind of what a run hides, if it does; `before` and `after` are up to two characters."""
    if _TAGS.search(run) and not (before[-1:] == _FLAG and _FLAG_TAGS.match(run)):
        return "tags"
    if _OVERRIDE.search(run) or (_TURN.search(run) and not right_to_left):
        return "bidi"
    selectors = _SELECTOR.findall(run)
    if selectors and not _selects(selectors, run, before[-1:]):
        return "variation_selectors"
    if _DEPRECATED.search(run):
        return "zero_width"
    if len(run) >= LONG_RUN and not _TAGS.search(run):
        return "zero_width"
    if run.strip(_OPERATORS) == "" and _between_variables(before, after):
        return None
    if run.strip(_SOFT_HYPHEN + _MARK_OF_COMBINING) and _inside_a_word(before, after):
        return "zero_width"
    return None


def _selects(selectors: Sequence[str], run: str, before: str) -> bool:
    """Whether it is one selector that stands right after something that has variants."""
    if len(selectors) > 1 or not run.startswith(selectors[0]) or not before:
        return False
    if _LARGE_SELECTOR.match(selectors[0]):
        return _IDEOGRAPH.match(before) is not None
    return not (before.isspace() or _SPACED_LETTER.match(before))


def _inside_a_word(before: str, after: str) -> bool:
    return bool(_SPACED_LETTER.match(before[-1:]) and _SPACED_LETTER.match(after))


def _between_variables(before: str, after: str) -> bool:
    """Whether single letters stand on both sides, as in a formula."""
    return not any(len(side) == 2 and side.isalpha() for side in (before, after))


# -- what looks alike ----------------------------------------------------------------------------

_LATIN = re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]")
_WORD = re.compile(
    "[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff\u0400-\u052f]{4,64}"
)
_FOREIGN = re.compile("[\u0370-\u03ff\u0400-\u052f]")
_LIKE_LATIN = frozenset("аеорсухіјѕһԁԛԝАВЕКМНОРСТХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧον")
"""Cyrillic and Greek letters that no eye can tell from Latin ones (UTS 39, confusables)."""

_LATIN_ALIKE = frozenset("aeopcyxijshABEKMHOPCTXIJSZNYv")
"""Latin letters of the same looks."""


def look_alikes(text: str) -> Iterator[Span]:
    """Words that look to be of one script and are not."""
    if not _FOREIGN.search(text):
        return
    for word in _WORD.finditer(text):
        if _FOREIGN.search(word[0]) and _LATIN.search(word[0]) and _deceives(word[0]):
            yield word.span()


_ABBREVIATED = re.compile(r"[A-Z]{2,}[\u0370-\u03ff\u0400-\u052f]+$")


def _deceives(word: str) -> bool:
    """Whether all letters of one script pass for letters of the other. An ending of one's own
    after a foreign word, as in "SMSка" or "bossом", deceives nobody."""
    foreign = [sign for sign in word if _FOREIGN.match(sign)]
    latin = [sign for sign in word if _LATIN.match(sign)]
    if _LIKE_LATIN.issuperset(foreign):
        return _among(word, _FOREIGN)
    if not _LATIN_ALIKE.issuperset(latin) or _ABBREVIATED.match(word):
        return False
    return len(latin) < len(foreign) or _among(word, _LATIN)


def _among(word: str, kind: re.Pattern[str]) -> bool:
    """Whether a letter of that kind has one of the other kind after it."""
    kinds = [kind.match(sign) is not None for sign in word]
    return any(here and not then for here, then in pairwise(kinds))
