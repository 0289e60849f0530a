"""Whether a revision states something new: numbers, names and links that nothing vouches for. Pure.

A model that mends a text may make things up; what it may not make up are facts a reader acts on.
Known misses: a name of one word that begins a sentence, numbers in words beyond those listed here,
and whatever is false without a number, a name or a link.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

from guardrails.text.sentences import sentences

__all__ = ["Vouching", "new_facts"]

_LINK = re.compile(
    r"(?:https?://|www\.)[^\s<>\"')\]]+|[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,190}"
    r"|(?<![\w@.-])(?:[\w-]{1,63}\.){1,8}(?:com|org|net|info|io|dev|app|gov|edu|eu|de|at|ch|uk|fr|us)"
    r"\b(?:/[^\s<>\"')\]]*)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d{1,3}(?:[\u00a0\u2009\u202f '’]\d{3})+(?![\w])|\d+(?:[.,:/]\d+)*"  # 1 200, or 1,200.50
)
_LISTED = re.compile(r"^[ \t]*\(?\d{1,2}[.)](?=\s)", re.MULTILINE)
"""The number of an item of a list."""
_GROUPED = re.compile(r"\d{1,3}(?:[.,\u00a0\u2009\u202f '’]\d{3})+")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_OPENS = re.compile(r"(?:[:;…–—•*#>\"“„«(\[/|]|(?:^|\s)-|\d[.)])\s*$")
"""What comes before a word that is written as at the begin of a sentence."""

FEW = 12

_IN_WORDS = {
    word: str(number)
    for number, words in enumerate(
        (
            *("two twice double zwei zweimal doppelt", "three thrice drei dreimal", "four vier"),
            *("five fünf", "six sechs", "seven sieben", "eight acht", "nine neun", "ten zehn"),
            *("eleven elf", "twelve zwölf"),
        ),
        2,
    )
    for word in words.split()
} | {"hundred": "100", "hundert": "100", "thousand": "1000", "tausend": "1000"}

_GERMAN = frozenset(
    {
        *("der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer"),
        *("und", "oder", "nicht", "ist", "sind", "sie", "ihnen", "ihr", "ihre", "ihren", "ihrer"),
        *("mit", "von", "für", "auf", "bei", "zu", "zum", "zur", "im", "am", "wird", "werden"),
        *("kann", "können", "sollte", "bitte", "auch", "wenn", "dass"),
    }
)
_TITLES = frozenset(
    {
        *("herr", "herrn", "frau", "dr", "prof", "professor", "doktor"),
        *("mr", "mrs", "ms", "mx", "sir", "dame", "lord", "lady", "st"),
    }
)


def new_facts(text: str, known: Iterable[str]) -> list[str]:
    """The numbers, links and names in a text that none of the known texts holds."""
    return Vouching(known).new_facts(text)


class Vouching:
    """Texts that vouch for what they hold, read once for all that is asked of them."""

    def __init__(self, known: Iterable[str]) -> None:
        source = "\n".join(known)
        self._numbers = {value for number in _numbers(source) for value in _values(number)}
        self._links = {_link(link) for link in _LINK.findall(source)}
        self._words = {part for word in _WORD.findall(source) for part in _forms(word)}
        self._german = _is_german(source)

    def new_facts(self, text: str) -> list[str]:
        """The numbers, links and names in a text that nothing here vouches for."""
        rest = _LINK.sub(" ", text)
        numbers = _numbers(_LISTED.sub("", rest))
        return [
            *(link for link in _LINK.findall(text) if not self._knows_link(_link(link))),
            *(number for number in numbers if not self._knows_number(number)),
            *(name for name in self._names(rest) if not self._words & _forms(name)),
        ]

    def _knows_number(self, number: str) -> bool:
        """That number, or what may as well be several: 10 200."""
        apart = number.split()
        return bool(self._numbers & _values(number)) or (
            len(apart) > 1 and all(self._numbers & _values(each) for each in apart)
        )

    def _knows_link(self, link: str) -> bool:
        """That link, or another one of the same place that goes further down."""
        return any(
            known == link or (known.startswith(link) and known[len(link)] in "/?#")
            for known in self._links
        )

    def _names(self, text: str) -> Iterator[str]:
        """Words with a capital where none is due. In German, where every noun has one, only those
        behind a title, or two of them in a row that are both unknown."""
        german = self._german or _is_german(text)
        last: re.Match[str] | None = None
        for start, end in sentences(text):
            words = list(_WORD.finditer(text, start, end))
            if last is not None and last[0].casefold() in _TITLES:
                words = [last, *words]  # the full stop of a title ends nothing
            for before, word in pairwise(words):
                opening = max(start, word.start() - FEW)
                if not _is_capital(word[0]) or _OPENS.search(text, opening, word.start()):
                    continue
                if not german or self._is_german_name(text, before, word):
                    yield word[0]
            last = words[-1] if words else None

    def _is_german_name(self, text: str, before: re.Match[str], word: re.Match[str]) -> bool:
        if text[before.end() : word.start()].strip(".").strip():
            return False  # a comma or the like in between
        if before[0].casefold() in _TITLES:
            return True
        return (
            _is_capital(before[0])
            and not self._words & _forms(before[0])
            and before[0].casefold() not in _GERMAN
            and word[0].casefold() not in _GERMAN
        )


def _is_german(text: str) -> bool:
    words = [word.casefold() for word in _WORD.findall(text[:4_000])]
    return len(words) > 2 and sum(word in _GERMAN for word in words) > len(words) / 7


def _is_capital(word: str) -> bool:
    """I, I'm and I'd are nobody's name."""
    return word[0].isupper() and len(re.split(r"['’]", word)[0]) > 1


def _forms(word: str) -> set[str]:
    """A word with the parts of a compound, without the s of a possessive or a plural."""
    folded = word.casefold()
    forms = {folded, *re.split(r"['’-]", folded)}
    forms |= {form[:-1] for form in forms if form.endswith("s")}
    return {form for form in forms if len(form) > 1}


def _numbers(text: str) -> list[str]:
    words = (_IN_WORDS.get(word.casefold()) for word in _WORD.findall(text))
    return [*_NUMBER.findall(text), *(number for number in words if number)]


def _values(number: str) -> set[str]:
    """What a number may stand for: 1,200, 1.200, 1 200 and 1200 are one; so are 07 and 7, 3,5 and
    3.5, 3.50 and 3.5. Where a comma may be a decimal one, both are meant."""
    number = "".join(str(unicodedata.digit(sign)) if sign.isdigit() else sign for sign in number)
    if _GROUPED.fullmatch(number):
        whole = re.sub(r"\D", "", number)
        return {whole.lstrip("0") or "0", re.sub(r"\D", ".", number)}
    parts = re.split(r"[,.]", re.sub(r"[\u00a0\u2009\u202f '’]", "", number))
    if len(parts) == 1:
        return {parts[0].lstrip("0") or "0"}
    whole, fraction = "".join(parts[:-1]), parts[-1].rstrip("0")
    whole = whole.lstrip("0") or "0"
    return {f"{whole}.{fraction}" if fraction else whole}


def _link(link: str) -> str:
    bare = re.sub(r"^(?:https?://)?(?:www\.)?", "", link.casefold())
    return bare.rstrip(".,;:!?/")
