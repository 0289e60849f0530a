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

MIXED_RUN = 4
"""So many joiners of several sorts are code; a single sort may be somebody's blank line."""

WIDEST = 4_000
"""A run longer than this is told in pieces."""

NEARBY = 200
"""As far as a neighbour's script counts."""

FEWEST_GREEK = 3
"""Fewer different letters are a quantity's symbols rather than a word."""


class InvisibleTextConfig(CriticConfig):
    """`kinds`: only these; all if it is not said."""

    kinds: Annotated[
        tuple[KindName, ...], Field(min_length=1, description="Only these. Default: all.")
    ] = KINDS


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

    A text in ASCII costs nothing, others some 20 µs per kB, and 2 µs more for each place where
    something is invisible or scripts meet in a word.

    Known misses: a word that is wholly in another script, or of less than four letters; look-alikes
    other than Cyrillic and Greek ones for Latin letters; a hidden character now and then between
    words, or inside words of scripts without spaces; direction turned near to Hebrew or Arabic
    without an override; text in white on white. Known false alarms: line breaks of no width inside
    long words, which some German pages have; a word typed with a letter of the wrong keyboard.
    """

    name: ClassVar[str] = "invisible_text"
    version: ClassVar[str] = "1.0.0"
    tier: ClassVar[Tier] = "deterministic"
    reads_original: ClassVar[bool] = True
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
        return Width(WIDEST + 2 * NEARBY)

    def is_open(self, stage: Stage, text: str, at: int) -> bool:
        """Only what is invisible depends on what follows, and on what is nearby."""
        if text.isascii() or len(text) - at >= WIDEST + 2 * NEARBY:
            return False
        if at and INVISIBLE.match(text, at - 1):
            return True  # a run that may go on
        near = len(text) - at < 2 * NEARBY
        return near and INVISIBLE.search(text, max(0, at - 2 * NEARBY), at) is not None

    def declared(self) -> Sequence[Declared]:
        return ()

    def critique_now(self, request: CritiqueRequest) -> Critique | None:
        foreign = sum(len(t.original) for t in request.targets if not t.original.isascii())
        return None if foreign > OFF_LOOP_CHARACTERS else self._look(request)

    async def critique(self, request: CritiqueRequest) -> Critique:
        return await asyncio.to_thread(self._look, request)

    def _look(self, request: CritiqueRequest) -> Critique:
        asked = [watch for watch in self._watches if watch.principle.id in request.asked]
        foreign = [target for target in request.targets if not target.original.isascii()]
        return Critique(
            looked=frozenset([watch.principle.id for watch in asked]),
            findings=tuple(finding for target in foreign for finding in _findings(target, asked)),
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

_LETTERS = (
    "A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff\u0400-\u052f"
    "\u0531-\u0587\u10a0-\u10ff\u1e00-\u1fff"
)
_ATTACHED = "\u0300-\u034e\u0350-\u036f"
_SPACED_LETTER = re.compile(f"[{_LETTERS}{_ATTACHED}]")
"""Letters of scripts that need nothing invisible inside their words, and accents on them."""

_TAGS = re.compile("[\U000e0000-\U000e007f]")
_DEPRECATED = re.compile("[\u206a-\u206f\ufff0-\ufffb]")
_HARMLESS_INSIDE = "\u00ad\u034f"
"""Soft hyphens, and what keeps accents apart."""

_WIDE_BLANK = "\u3164"
"""Hangul's filler is as wide as a letter, and a blank line in forms."""

_JOINERS = re.compile("[\u00ad\u034f\u180e\u200b-\u200f\u2060-\u2064\ufeff]")

_ORDINARY = frozenset("\u200b\u200c\u200d\u200e\u200f\ufe0f")

_STYLES = re.compile("[\ufe0e\ufe0f]")
"""How an emoji shall look. Editors leave them behind, or set them twice."""

_IDEOGRAPHS = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_VARIED = re.compile(
    f"(?:[{_IDEOGRAPHS}][\U000e0100-\U000e01ef]"
    f"|[\u1800-\u18af][\u180b-\u180d\u180f]"
    f"|(?:0|[^\\s\0-\x7f{_LETTERS}{_ATTACHED}\u2600-\u27bf\U0001f000-\U0001faff])[\ufe00-\ufe0d])"
    r"\Z"
)
"""One selector after something that has variants: an ideograph, a letter of Mongolian, a sign."""

_SELECTOR = re.compile("[\ufe00-\ufe0d\U000e0100-\U000e01ef\u180b-\u180d\u180f]")
_MOST_STYLES = 2

_TURN = re.compile("[\u202a-\u202e\u2066-\u2069]")
_RUNNING_LEFT = "\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff"
_RIGHT_TO_LEFT = re.compile(f"[{_RUNNING_LEFT}]+")
_BREAKS = "\n\r\x1c-\x1e\x85\u2029"
_PARAGRAPH = re.compile(f"[{_BREAKS}]")
_INVISIBLE = INVISIBLE.pattern.strip("[]+")
_END = f"(?<![{_INVISIBLE}{_LETTERS}{_ATTACHED}])\u202c[\u200e\u200f]?(?![{_INVISIBLE}])"
_FORCED = re.compile(f"(?:(?!{_END})[^{_BREAKS}{_RUNNING_LEFT}]){{0,{NEARBY}}}[{_RUNNING_LEFT}]")
"""What an override to the right forces round. Telephones put one about a number, which is idle."""


def hidden(text: str) -> Iterator[tuple[str, Span]]:
    """What is hidden in a text: its kind, and where it stands."""
    text = _without_the_legitimate(text)
    nearby = _RightToLeft(text)
    for run in INVISIBLE.finditer(text):
        begin, stop = run.span()
        if run[0] in _ORDINARY and not _SPACED_LETTER.match(text, begin - 1):
            continue  # as most are, in scripts that need them
        turns = _turns(run, nearby)
        long = stop - begin >= LONG_RUN and run[0].strip(_WIDE_BLANK) != ""
        for start in range(begin, stop, WIDEST):
            end = min(stop, start + WIDEST)
            kind = _kind(
                text[start:end],
                before=text[start - 1 : start],
                after=text[stop : stop + 1],
                long=long,
                turns=turns,
            )
            if kind is not None:
                yield kind, (start, end)


def _kind(run: str, *, before: str, after: str, long: bool, turns: bool) -> str | None:
    """The kind of what a run hides, if it does."""
    if _TAGS.search(run):
        return "tags"
    if turns:
        return "bidi"
    if _selects_nothing(run, before):
        return "variation_selectors"
    if long or _DEPRECATED.search(run) or _is_data(run):
        return "zero_width"
    inside = _SPACED_LETTER.match(before) and _SPACED_LETTER.match(after)
    return "zero_width" if inside and run.strip(_HARMLESS_INSIDE) else None


def _turns(run: re.Match[str], nearby: _RightToLeft) -> bool:
    """Whether letters are shown in another order than they have. What says that letters run as
    they do anyway is idle; what says that some run to the left belongs where some do."""
    if not _TURN.search(run[0]):
        return False
    some = nearby.to(*run.span())
    if "\u202e" in run[0]:
        return True
    if some:
        return "\u202d" in run[0] and _FORCED.match(run.string, run.end()) is not None
    return "\u202b" in run[0] or "\u2067" in run[0]


def _selects_nothing(run: str, before: str) -> bool:
    if len(_STYLES.findall(run)) > _MOST_STYLES:
        return True
    if _STYLES.match(run) and _SPACED_LETTER.match(before):
        return True
    selectors = _SELECTOR.findall(run)
    return bool(selectors) and (len(selectors) > 1 or not _VARIED.match(before + run[:1]))


def _is_data(run: str) -> bool:
    joiners = _JOINERS.findall(run)
    return len(joiners) >= MIXED_RUN and len(set(joiners)) > 1


class _RightToLeft:
    """Where letters run from right to left. To be asked from the front of the text to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = _RIGHT_TO_LEFT.finditer(text)
        self._last: Span | None = None
        self._next: Span | None = (0, 0)

    def to(self, start: int, end: int) -> bool:
        """Whether there are some in the same paragraph, not far from a span."""
        while self._next is not None and self._next[0] < end:
            self._last = self._next if self._next[1] else None
            word = next(self._words, None)
            self._next = None if word is None else word.span()
        return (self._last is not None and self._joined(self._last[1], start)) or (
            self._next is not None and self._joined(end, self._next[0])
        )

    def _joined(self, start: int, end: int) -> bool:
        return end - start <= NEARBY and not _PARAGRAPH.search(self._text, start, end)


# -- what may be hidden --------------------------------------------------------------------------

_FLAG = (
    "\U0001f3f4[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,3}"
    "\U000e007f"
)
"""Emoji flags of regions: a black flag, the region's code in tags, and their end (UTS 51)."""

_NO_LIGATURE = "\u200c(?<=f\u200c)(?=[bfhijklt\u0131])"
"""As typesetters of German and Turkish part letters that fonts would join."""

_BREAK_IN_A_NAME = "\u200b(?<=[a-z]\u200b)(?=[A-Z])"
"""As documentation lets lines break in the names of programs."""

_LEGITIMATE = re.compile(f"{_FLAG}|{_NO_LIGATURE}|{_BREAK_IN_A_NAME}")

_OPERATOR = "[\u2061-\u2064]"
_TERM = (
    "(?>arc(?:cos|cot|sin|tan)|arg|cosh?|coth?|csc|deg|det|dim|exp|gcd|hom|inf|ker|lcm|lim|ln|log"
    f"|max|min|mod|sec|sinh?|sup|tanh?|[0-9]+|d?[{_LETTERS}])"
)
_WITHIN = f"{_LETTERS}{_ATTACHED}{_INVISIBLE}"
_FORMULA = re.compile(
    f"(?<![{_WITHIN}]){_OPERATOR}?{_TERM}(?:{_OPERATOR}{_TERM})*+{_OPERATOR}?(?![{_WITHIN}])"
)
"""Variables and functions with operators in between that have no sign."""


def _without_the_legitimate(text: str) -> str:
    """The text with what is known to be harmless covered by a sign, one for one."""
    if re.search(_OPERATOR, text):
        text = _FORMULA.sub(_covered, text)
    return _LEGITIMATE.sub(_covered, text)


def _covered(match: re.Match[str]) -> str:
    return "+" * len(match[0])


# -- what looks alike ----------------------------------------------------------------------------

_LATIN_LETTERS = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_FOREIGN_LETTERS = "\u0370-\u03ff\u0400-\u052f"
_LATIN = re.compile(f"[{_LATIN_LETTERS}]")
_FOREIGN = re.compile(f"[{_FOREIGN_LETTERS}]")
_MIXED = re.compile(
    f"[{_LATIN_LETTERS}][{_FOREIGN_LETTERS}]|[{_FOREIGN_LETTERS}][{_LATIN_LETTERS}]"
)
_WORD = re.compile(f"[{_LATIN_LETTERS}{_FOREIGN_LETTERS}]{{4,64}}")
_CYRILLIC = re.compile("[\u0400-\u052f]")
_PURELY_FOREIGN = re.compile(rf"\b[{_FOREIGN_LETTERS}]{{2,}}\b")

_LIKE_LATIN = frozenset("аеорсухіјѕһԁԛԝѵӏёїАВЕКМНОРСТУХІЈЅҮѴӀЁЇΑΒΕΖΗΙΚΜΝΟΡΤΥΧον")
"""Cyrillic and Greek letters that no eye can tell from Latin ones (UTS 39, confusables)."""

_LIKE_CYRILLIC = frozenset("aeopcyxiABEKMHOPCTXYI")
_LIKE_GREEK = frozenset("ovABEZHIKMNOPTXY")
"""Latin letters that look like those of the alphabets most in use."""

_TYPED_AS = frozenset("iI")
"""Latin letters that are typed for і and for the palochka where keyboards lack them."""

_ABBREVIATED = re.compile("[A-Z]{2,}[\u03ac-\u03ce\u0430-\u045f]+$")
_INFLECTED = re.compile("[A-Za-z]{4,}[оаеурсхОАЕУРСХ][\u0400-\u052f]*$")
_OBSERVABLE = re.compile(
    "ν(?:char|crit|cut|eff|esc|exp|in|max|mean|min|obs|out|peak|ref|rest|tot)$"
)


def look_alikes(text: str) -> Iterator[Span]:
    """Words that look to be of one script and are not."""
    if not _MIXED.search(text):
        return
    for word in _WORD.finditer(text):
        if _MIXED.search(word[0]) and _deceives(word):
            yield word.span()


def _deceives(word: re.Match[str]) -> bool:
    """Whether all letters of one script pass for letters of the other. Parts that each begin with
    a capital, and endings of one's own after a foreign word, as in "SMSка", deceive nobody."""
    foreign = [sign for sign in word[0] if _FOREIGN.match(sign)]
    latin = frozenset(sign for sign in word[0] if _LATIN.match(sign))
    if _LIKE_LATIN.issuperset(foreign):
        return not _OBSERVABLE.match(word[0]) and (
            _has_inside(word[0], _FOREIGN) or not _stands_among_foreign(word)
        )
    if _CYRILLIC.search(word[0]):
        if not _LIKE_CYRILLIC.issuperset(latin) or _TYPED_AS.issuperset(latin):
            return False
    elif not _LIKE_GREEK.issuperset(latin) or len(set(foreign)) < FEWEST_GREEK:
        return False  # a quantity of physics, not a word
    if _ABBREVIATED.match(word[0]) or _INFLECTED.match(word[0]) or _is_compound(word[0]):
        return False
    return len(word[0]) < 2 * len(foreign) or _has_inside(word[0], _LATIN)


def _has_inside(word: str, kind: re.Pattern[str]) -> bool:
    """Whether a letter of that kind has one of the other kind after it."""
    kinds = [kind.match(sign) is not None for sign in word]
    return any(here and not then for here, then in pairwise(kinds))


def _stands_among_foreign(word: re.Match[str]) -> bool:
    """Whether there are words of the other script close by, whose endings this one may have."""
    start, end = word.span()
    text = word.string
    return any(
        _PURELY_FOREIGN.search(side)
        for side in (text[max(0, start - NEARBY) : start], text[end : end + NEARBY])
    )


def _is_compound(word: str) -> bool:
    """Whether it has parts in one script each, as СберPay has."""
    scripts = [_LATIN.match(sign) is not None for sign in word]
    return all(
        this == other or (before.islower() and then.isupper())
        for (this, other), (before, then) in zip(pairwise(scripts), pairwise(word), strict=True)
    )
