"""The critic `negative_examples`: texts that are, or are near, what a principle calls a breach.

Texts are compared by their letters, marks and digits alone, without case: no language is assumed,
and none needs spaces.
"""

from __future__ import annotations

import asyncio
import math
import unicodedata
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

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
from guardrails.text.normalise import normalise
from guardrails.text.sentences import sentences
from guardrails.verdict import FindingValue, Span, Stage

__all__ = ["NegativeExamples", "NegativeExamplesConfig"]

MIN_WORDS = 4
MIN_CHARACTERS = 8
"""A shorter example is a phrase that innocent texts hold too: equal to it is only near. Where words
are not parted by spaces, two characters count as one word."""

UNSPACED = ("CJK ", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "YI ")

GRAM = 4
"""Characters that are compared at once: three meet by chance too often, five miss light edits of
scripts with a character per syllable or word."""

NEAR = 0.6
"""The share of an example's grams that a stretch half as long again must hold to be near: one word
in five may differ. Measured in November 2026: on 1,500 benign prompts and answers (0.9 MB), none of
fifty examples was near at 0.6, nor at 0.5; three words of eleven changed leave 0.58."""

STRETCH = 1.5

SAMPLE, STEP = GRAM + 1, 2
"""Every second 5-gram of a text is looked up first; most texts share next to none."""

LEAST_SAMPLES = 1 / 6
"""How many a near text surely shares, per gram of the example and less one: it lacks 0.4 of the
grams, so is broken in 0.4 / 3 places at most (a break costs three grams or more); each piece of the
0.6 has one 5-gram less than grams, and of those, half less a half are sampled."""

SLACK = 2
MARGIN = 64
"""A finding is at most twice as long as its example and some: room for spaces between letters."""

OFF_LOOP_CHARACTERS = 20_000
"""From here on the comparison takes milliseconds, and is made in a thread."""

MAX_REMEMBERED = 20_000


class NegativeExamplesConfig(CriticConfig):
    """Nothing to set: the examples are the principle's own."""


class _Folding(dict[int, str | None]):
    """For `str.translate`: a letter, mark or digit without its case; nothing for anything else."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        kept = unicodedata.category(character)[0] in "LMN"
        folded = character.casefold() if kept else None
        if len(self) < MAX_REMEMBERED:
            self[code] = folded
        return folded


_FOLDING = _Folding()


class _Example:
    """What breaches some principles.

    `accuses`: those that a text breaches by being the example; for `suspects` it is a reason to
    look, as nearness is for both.
    """

    def __init__(
        self, folded: str, *, length: int, accuses: _Principles, suspects: _Principles
    ) -> None:
        self.folded = folded
        self.accuses = tuple(accuses)
        self.suspects = tuple(suspects)
        self.grams = frozenset(_cut(folded, GRAM))
        self.width = SLACK * length + MARGIN
        self.stretch = math.ceil(STRETCH * len(folded))
        self.samples = max(1, int(len(self.grams) * LEAST_SAMPLES) - 1)
        """How many samples a text shares at least if it is near."""


_Principles = Sequence[Principle]


@dataclass(frozen=True, slots=True)
class _Text:
    """A text folded, with the sentences that have anything left: where each begins in `folded`,
    and its span."""

    folded: str
    begins: tuple[int, ...]
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, text: str) -> _Text:
        pieces: list[str] = []
        begins: list[int] = []
        spans: list[Span] = []
        length = 0
        for start, end in sentences(text):
            sentence = text[start:end]
            if piece := sentence.translate(_FOLDING):
                pieces.append(piece)
                begins.append(length)
                spans.append((start, start + len(sentence.rstrip())))
                length += len(piece)
        return cls("".join(pieces), tuple(begins), tuple(spans))

    def span(self, begin: int, end: int) -> Span:
        """The sentences that hold a stretch of `folded`."""
        first = bisect_right(self.begins, begin) - 1
        last = bisect_right(self.begins, end - 1) - 1
        return self.spans[first][0], self.spans[last][1]


class NegativeExamples:
    """Bad examples recognised: the same one accuses, a similar one makes the judge look.

    A run of sentences that is an example, whatever its case, spacing and punctuation, is a breach
    if the example has four words or eight characters of an unspaced script. A stretch that shares
    most of an example's character 4-grams makes the judge look, if there is one: a negation is as
    near as a copy. `{prompt, reply}` examples are compared by their reply, never at `input`, and
    only ever make it look.

    2 kB cost 0.2 ms against fifty examples, 200 kB 40 ms, and 0.3 µs more for each character of a
    stretch that shares samples with one.

    Known misses: the same thing in other words or another language (shared grams find copies and
    light edits only); an example spread over more than half as much again; letters exchanged for
    look-alikes; with no judge, whatever is not the example itself.
    """

    name: ClassVar[str] = "negative_examples"
    version: ClassVar[str] = f"1.0.0 unicode-{unicodedata.unidata_version}"
    tier: ClassVar[Tier] = "deterministic"
    Config: ClassVar[type[CriticConfig]] = NegativeExamplesConfig

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._ids = frozenset(rule.principle.id for rule in rules)
        self._at = {stage: _Index(_examples(rules, stage)) for stage in Stage}

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> NegativeExamples:
        return cls(rules)

    def need(self, stage: Stage) -> Need:
        return Width(max((example.width for example in self._at[stage].examples), default=0))

    def is_open(self, stage: Stage, text: str, at: int) -> bool:
        """Whether the sentences before a place are the begin of an example, as far as is known."""
        examples = self._at[stage].examples
        widest = max((example.width for example in examples), default=0)
        if len(text) - at >= widest:
            return False
        start = max(0, at - widest)
        return any(
            rest and example.folded.startswith(rest)
            for begin, _ in sentences(text[start:at])
            if (rest := text[start + begin :].translate(_FOLDING))
            for example in examples
        )

    def declared(self) -> Sequence[Declared]:
        return ()

    def critique_now(self, request: CritiqueRequest) -> Critique | None:
        size = sum(len(target.text) for target in request.targets)
        return None if size >= OFF_LOOP_CHARACTERS else self._look(request)

    async def critique(self, request: CritiqueRequest) -> Critique:
        return await asyncio.to_thread(self._look, request)

    def _look(self, request: CritiqueRequest) -> Critique:
        asked = self._ids.intersection(request.asked)
        index = self._at[request.stage]
        targets = request.targets if index.examples else ()
        findings = [f for target in targets for f in _findings(index, target, asked)]
        return Critique(looked=frozenset(asked), findings=tuple(findings))


def _examples(rules: Sequence[Rule], stage: Stage) -> list[_Example]:
    """The examples that count at a stage, those that fold to the same as one."""
    accuses: dict[str, list[Principle]] = {}
    suspects: dict[str, list[Principle]] = {}
    longest: Counter[str] = Counter()
    for principle in (rule.principle for rule in rules if stage in rule.principle.stages):
        for example in principle.breach_examples:
            if example.prompt is not None and stage is Stage.INPUT:
                continue  # its prompt breaches nothing, its reply is none
            text = normalise(example.reply).text
            folded = text.translate(_FOLDING)
            plain = example.prompt is None and _is_long_enough(text)
            (accuses if plain else suspects).setdefault(folded, []).append(principle)
            longest[folded] = max(longest[folded], len(text))
    return [
        _Example(
            folded,
            length=length,
            accuses=accuses.get(folded, ()),
            suspects=suspects.get(folded, ()),
        )
        for folded, length in longest.items()
        if len(folded) >= GRAM
    ]


def _is_long_enough(text: str) -> bool:
    words = [folded for word in text.split() if (folded := word.translate(_FOLDING))]
    unspaced = sum(
        unicodedata.name(character, "").startswith(UNSPACED) for word in words for character in word
    )
    return len(words) >= MIN_WORDS or unspaced >= MIN_CHARACTERS


# -- comparison ----------------------------------------------------------------------------------


class _Index:
    """The examples of a stage, found by samples: most texts share next to none with any of them."""

    def __init__(self, examples: Sequence[_Example]) -> None:
        self.examples = tuple(examples)
        self._short = [n for n, example in enumerate(examples) if len(example.folded) < 2 * SAMPLE]
        self._by_sample: dict[str, list[int]] = {}
        for number, example in enumerate(examples):
            if number not in self._short:
                for sample in set(_cut(example.folded, SAMPLE)):
                    self._by_sample.setdefault(sample, []).append(number)

    def regions(self, folded: str) -> dict[int, list[Span]]:
        """Where a text shares enough samples with an example to be worth comparing."""
        by_sample = self._by_sample
        sampled = range(0, len(folded) - SAMPLE + 1, STEP)
        shared: dict[int, list[int]] = {}
        for at in [at for at in sampled if folded[at : at + SAMPLE] in by_sample]:
            for number in by_sample[folded[at : at + SAMPLE]]:
                shared.setdefault(number, []).append(at)
        found = {
            number: regions
            for number, places in shared.items()
            if (regions := list(_dense(self.examples[number], places)))
        }
        for number in self._short:
            at = folded.find(self.examples[number].folded)
            if at >= 0:
                found[number] = [(at, at + len(self.examples[number].folded))]
        return found


def _same(example: _Example, text: _Text) -> Iterator[Span]:
    """Runs of sentences that are the example."""
    ends = {*text.begins, len(text.folded)}
    for begin in text.begins:
        if text.folded.startswith(example.folded, begin):
            end = begin + len(example.folded)
            start, stop = text.span(begin, end)
            if end in ends and stop - start <= example.width:
                yield start, stop


def _near(example: _Example, text: _Text, regions: Sequence[Span]) -> Span | None:
    """The first stretch of the text that is near to the example."""
    for region in regions:
        stretch = _stretch(example, text.folded, region)
        if stretch is not None:
            begin, stop = text.span(*stretch)
            return begin, min(stop, begin + example.width)
    return None


def _dense(example: _Example, places: Sequence[int]) -> Iterator[Span]:
    """Where enough samples stand close together, with room for a stretch around them."""
    if len(places) < example.samples:
        return
    region: Span | None = None
    for first, last in zip(places, places[example.samples - 1 :], strict=False):
        if last - first > example.stretch:
            continue
        wide = max(0, first - example.stretch), last + example.stretch
        if region is not None and wide[0] > region[1]:
            yield region
            region = None
        region = wide if region is None else (region[0], wide[1])
    if region is not None:
        yield region


def _stretch(example: _Example, folded: str, region: Span) -> Span | None:
    """The first stretch of the region that holds enough different grams of the example."""
    inside: Counter[str] = Counter()
    held: deque[tuple[int, str]] = deque()
    for at, gram in enumerate(_cut(folded[slice(*region)], GRAM), region[0]):
        if gram not in example.grams:
            continue
        held.append((at, gram))
        inside[gram] += 1
        while at + GRAM - held[0][0] > example.stretch:
            _, gone = held.popleft()
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
        if len(inside) >= NEAR * len(example.grams):
            return held[0][0], at + GRAM
    return None


def _cut(folded: str, length: int) -> Iterator[str]:
    return (folded[at : at + length] for at in range(len(folded) - length + 1))


def _findings(index: _Index, target: Target, asked: frozenset[str]) -> list[CriticFinding]:
    candidates = index.regions(target.text.translate(_FOLDING))
    if not candidates:
        return []
    findings: list[CriticFinding] = []
    text = _Text.of(target.text)
    for number, regions in sorted(candidates.items()):
        example = index.examples[number]
        same = list(_same(example, text))
        for span in same:
            findings += _told(example.accuses, asked, "breach", target, span, "is a bad example")
        near = same[0] if same else _near(example, text, regions)
        if near is not None:
            doubted = example.suspects if same else (*example.suspects, *example.accuses)
            judged = [principle for principle in doubted if _judged(principle)]
            findings += _told(judged, asked, "look", target, near, "is near a bad example")
    return findings


def _told(
    principles: Sequence[Principle],
    asked: frozenset[str],
    value: FindingValue,
    target: Target,
    span: Span,
    reason: str,
) -> Iterator[CriticFinding]:
    return (
        CriticFinding(
            principle=principle.id, value=value, part=target.part, span=span, reason=reason
        )
        for principle in principles
        if principle.id in asked
    )


def _judged(principle: Principle) -> bool:
    return any(use.tier != "deterministic" for use in principle.critics)
