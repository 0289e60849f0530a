"""Presidio's recognizers by entity; our own stand in where presidio's depend on a network, give up
in silence, or take quadratic time. They find the same: tests hold them against the originals.
"""

# mypy: disallow-subclassing-any=False, warn-return-any=False
# (presidio is read as untyped: see pyproject.toml)

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from typing import NamedTuple

import regex  # type: ignore[import-untyped]  # comes with presidio
from phonenumbers import (
    PhoneNumber,
    PhoneNumberMatch,
    PhoneNumberMatcher,
    region_code_for_number,
)
from presidio_analyzer import EntityRecognizer, Pattern, RecognizerResult, predefined_recognizers
from presidio_analyzer.predefined_recognizers import (
    EmailRecognizer,
    PhoneRecognizer,
    ZaMobileNumberRecognizer,
    ZaTelephoneNumberRecognizer,
)
from tldextract import TLDExtract

from critics.pii.entities import ENTITIES
from guardrails.critic.limits import Deadline
from guardrails.errors import CriticTimeout
from guardrails.verdict import Span

__all__ = ["deadline_of_search", "recognizer_of"]

FLAGS = regex.IGNORECASE | regex.MULTILINE | regex.DOTALL
"""What presidio compiles its patterns with."""

FEWEST_PHONE_DIGITS = ENTITIES["PHONE_NUMBER"].digits

deadline_of_search: ContextVar[Deadline | None] = ContextVar("critics_pii_deadline", default=None)
"""When the search now under way must end; None outside of one."""


@cache
def recognizer_of(entity: str) -> EntityRecognizer:
    """The recognizer of an entity, one for the process: it keeps nothing of a text."""
    named = getattr(predefined_recognizers, ENTITIES[entity].recognizer)
    recognizer: EntityRecognizer = _OURS.get(entity, named)()
    return recognizer


class _Emails(EmailRecognizer):
    """Knows top-level domains from the list in the package alone: not from the network, nor from
    what another program left in a cache. Its pattern is matched in linear time."""

    _domains = TLDExtract(suffix_list_urls=(), cache_dir=None)

    def __init__(self) -> None:
        (original,) = EmailRecognizer.PATTERNS
        pattern = Pattern(original.name, original.regex, original.score)
        pattern.compiled_regex, pattern.compiled_with_flags = EmailPattern(), FLAGS
        super().__init__(patterns=[pattern])

    def validate_result(self, pattern_text: str) -> bool:
        return bool(self._domains(pattern_text).fqdn)


class EmailPattern:
    """Matches what presidio's e-mail pattern does, without trying each start anew.

    A local part holds no `@`, so every match belongs to one: the domain follows it, and the local
    part reaches back to the first word edge in the run of its characters.
    """

    _MARKS = r"!#$%&'*+\-/=?^_`{|}~\w"
    _local = regex.compile(rf"(?r)[{_MARKS}.]*[{_MARKS}]", FLAGS)
    _start = regex.compile(rf"\b[{_MARKS}]", FLAGS)
    _domain = regex.compile(r"@\w++(?:-++\w++)*+(?:\.\w++(?:-++\w++)*+)++", FLAGS)

    def finditer(self, text: str, timeout: float | None = None) -> Iterator[_Match]:
        """The matches in order, as presidio reads them. It never takes long: no time-out."""
        at, end = text.find("@"), 0
        while at >= 0:
            local = self._local.match(text, end, at)
            domain = self._domain.match(text, at) if local else None
            start = self._start.search(text, local.start(), at) if local and domain else None
            if start and domain:
                end = domain.end()
                yield _Match((start.start(), end))
            at = text.find("@", at + 1)


class _Match(NamedTuple):
    place: Span

    def span(self) -> Span:
        return self.place


class _Phones(PhoneRecognizer):
    """Tries every candidate, region by region; which region took it plays no part."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: object = None
    ) -> list[RecognizerResult]:
        return EntityRecognizer.remove_duplicates(
            [
                self._get_recognizer_result(match, text, region, nlp_artifacts)
                for region in self.supported_regions
                for match in _PhoneMatches(text, region, self.leniency)
                if self._wanted(match.number)
            ]
        )

    def _wanted(self, number: PhoneNumber) -> bool:
        return True


class _ZaPhones(_Phones):
    def _wanted(self, number: PhoneNumber) -> bool:
        here = region_code_for_number(number) == self.REGION
        return here and self._classify(number) == self.target_classification


class _ZaMobiles(_ZaPhones, ZaMobileNumberRecognizer):
    pass


class _ZaTelephones(_ZaPhones, ZaTelephoneNumberRecognizer):
    pass


class _PhoneMatches(PhoneNumberMatcher):
    """Does not stop after 65,535 failed tries, as the original silently does, but at the deadline;
    and does not parse what has too few digits for any region."""

    def __init__(self, text: str, region: str, leniency: int) -> None:
        super().__init__(text, region, leniency=leniency, max_tries=sys.maxsize)

    def _parse_and_verify(self, candidate: str, offset: int) -> PhoneNumberMatch | None:
        deadline = deadline_of_search.get()
        if deadline is not None and deadline.passed:
            raise CriticTimeout("no time was left to look for phone numbers")
        if sum(map(str.isdecimal, candidate)) < FEWEST_PHONE_DIGITS:
            return None
        return super()._parse_and_verify(candidate, offset)


_OURS: Mapping[str, type[EntityRecognizer]] = {
    "EMAIL_ADDRESS": _Emails,
    "PHONE_NUMBER": _Phones,
    "ZA_MOBILE_NUMBER": _ZaMobiles,
    "ZA_TELEPHONE_NUMBER": _ZaTelephones,
}
