"""Presidio at work. Imported late, in a thread: with what it brings it costs seconds.

Presidio's recognizers are driven one by one instead of through its `AnalyzerEngine`, so that a
deadline can stop between them and spaCy is asked only where a context word can matter. What comes
out is what the engine gives, row for row (a test compares them), save where the engine would fail
open: there CriticError is raised.
"""

# mypy: disallow-subclassing-any=False, warn-return-any=False
# (presidio is read as untyped: see pyproject.toml)

from __future__ import annotations

import logging
import pkgutil
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, cached_property
from threading import Lock
from typing import Any

import spacy.lang
from phonenumbers import PhoneNumber, PhoneNumberMatcher, region_code_for_number
from presidio_analyzer import EntityRecognizer, RecognizerResult, predefined_recognizers
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.pattern_recognizer import REGEX_TIMEOUT_SECONDS
from presidio_analyzer.predefined_recognizers import (
    EmailRecognizer,
    PhoneRecognizer,
    ZaMobileNumberRecognizer,
    ZaTelephoneNumberRecognizer,
)
from tldextract import TLDExtract

from critics.pii.entities import ENTITIES
from guardrails.critic.limits import Deadline
from guardrails.errors import CriticError, CriticTimeout
from guardrails.verdict import Span

__all__ = ["Hit", "analyse"]

ANY_LANGUAGE = "xx"
"""spaCy's rules for no language in particular."""

NEEDS_PACKAGE = frozenset({"ja", "ko", "th", "vi"})
"""spaCy's tokenizers for these differ by what else is installed; a verdict must not."""

MAX_WORDS = 100_000
"""spaCy remembers every word it ever saw, some 500 bytes each; past this many it starts afresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One finding of presidio's."""

    entity: str
    span: Span
    score: float


def analyse(
    text: str, wanted: Mapping[str, float], *, language: str, deadline: Deadline
) -> list[Hit]:
    """Find every entity of `wanted` with at least its score, in the order of the text.

    Raises CriticTimeout when the deadline passes, and CriticError where presidio cannot be sure to
    have looked at everything.
    """
    context = _Context(text, language)
    hits: list[Hit] = []
    with _unlogged():
        for entity, min_score in wanted.items():
            if deadline.passed:
                raise CriticTimeout("no time was left to look for personal data")
            hits += [
                Hit(entity=entity, span=(result.start, result.end), score=result.score)
                for result in _results(text, entity, context)
                if result.score >= min_score
            ]
    return sorted(hits, key=lambda hit: (hit.span, hit.entity))


def _results(text: str, entity: str, context: _Context) -> list[RecognizerResult]:
    """What presidio makes of one entity: matched, checked, raised by context, freed of doubles."""
    recognizer = _recognizer(entity)
    try:
        with _complete(entity):
            results = recognizer.analyze(text, [entity])
        if any(result.score < EntityRecognizer.MAX_SCORE for result in results):
            results = context.enhance(results, recognizer)
        return EntityRecognizer.remove_duplicates(results)
    except CriticError:
        raise
    except Exception as error:  # presidio's errors quote the text
        raise CriticError(f"presidio failed to look for {entity}: {type(error).__name__}") from None


@contextmanager
def _complete(entity: str) -> Iterator[None]:
    """Raise CriticError if a pattern may have been given up on.

    Presidio logs a pattern that takes too long and goes on without it. The limit is counted in CPU
    time of the whole process, as is done here.
    """
    started = time.process_time()
    yield
    if time.process_time() - started >= REGEX_TIMEOUT_SECONDS:
        raise CriticError(f"presidio may have given up looking for {entity} before the end")


@cache
def _recognizer(entity: str) -> EntityRecognizer:
    """Presidio's recognizer of an entity, one for the process: it keeps nothing of a text."""
    named = getattr(predefined_recognizers, ENTITIES[entity].recognizer)
    recognizer: EntityRecognizer = _OURS.get(entity, named)()
    return recognizer


class _Emails(EmailRecognizer):
    """Knows top-level domains from the list in the package alone: not from the network, nor from
    what another program left in a cache."""

    _domains = TLDExtract(suffix_list_urls=(), cache_dir=None)

    def validate_result(self, pattern_text: str) -> bool:
        return bool(self._domains(pattern_text).fqdn)


class _Phones(PhoneRecognizer):
    """Tries every candidate; the original stops after 65,535 failures and says nothing."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: object = None
    ) -> list[RecognizerResult]:
        return EntityRecognizer.remove_duplicates(
            [
                self._get_recognizer_result(match, text, region, nlp_artifacts)
                for region in self.supported_regions
                for match in PhoneNumberMatcher(
                    text, region, leniency=self.leniency, max_tries=sys.maxsize
                )
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


_OURS: Mapping[str, type[EntityRecognizer]] = {
    "EMAIL_ADDRESS": _Emails,
    "PHONE_NUMBER": _Phones,
    "ZA_MOBILE_NUMBER": _ZaMobiles,
    "ZA_TELEPHONE_NUMBER": _ZaTelephones,
}
"""Recognizers that find what presidio's own do, where those depend on a network or give up."""


class _Enhancer(LemmaContextAwareEnhancer):
    """Finds a match's token by bisection, where the original walks through all tokens."""

    @staticmethod
    def _find_index_of_match_token(
        word: str, start: int, tokens: Sequence[Any], tokens_indices: list[int]
    ) -> int:
        index = max(bisect_right(tokens_indices, start) - 1, 0)
        return index if start < tokens_indices[index] + len(tokens[index]) else index + 1


_ENHANCER = _Enhancer()


class _Context:
    """The words of one text, told apart only when a score can depend on them."""

    def __init__(self, text: str, language: str) -> None:
        self._text = text
        self._language = language

    def enhance(
        self, results: list[RecognizerResult], recognizer: EntityRecognizer
    ) -> list[RecognizerResult]:
        enhanced: list[RecognizerResult] = _ENHANCER.enhance_using_context(
            text=self._text,
            raw_results=results,
            nlp_artifacts=self._words,
            recognizers=[recognizer],
        )
        return enhanced

    @cached_property
    def _words(self) -> NlpArtifacts:
        return _tokenizer(self._language).words(self._text)


class _Tokenizer:
    """spaCy's rules for a language, without a model; a word's lemma is the word in lower case.

    One text at a time: spaCy's vocabulary grows as it reads.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self._lock = Lock()
        self._start_afresh()

    def words(self, text: str) -> NlpArtifacts:
        """What presidio's context step reads. The key words are made a set, so that looking one up
        costs the same in a long text as in a short one."""
        with self._lock:
            if len(self._nlp.vocab.strings) > MAX_WORDS:
                self._start_afresh()
            tokens = self._nlp(text)
            words = NlpArtifacts(
                entities=[],
                tokens=tokens,
                tokens_indices=[token.idx for token in tokens],
                lemmas=[token.lower_ for token in tokens],
                nlp_engine=self,
                language=self._language,
            )
        words.keywords = frozenset(words.keywords)
        return words

    def is_stopword(self, word: str, language: str) -> bool:
        return bool(self._nlp.vocab[word].is_stop)

    def is_punct(self, word: str, language: str) -> bool:
        return bool(self._nlp.vocab[word].is_punct)

    def _start_afresh(self) -> None:
        self._nlp = spacy.blank(self._language)
        self._nlp.max_length = sys.maxsize  # the limit is there for models, which are not used


def _tokenizer(language: str) -> _Tokenizer:
    """The tokenizer of a language tag; the general one where spaCy has none of its own."""
    known = language.partition("-")[0].lower()
    return _tokenizer_of(known if known in _languages() else ANY_LANGUAGE)


@cache
def _tokenizer_of(language: str) -> _Tokenizer:
    return _Tokenizer(language)


@cache
def _languages() -> frozenset[str]:
    found = pkgutil.iter_modules(spacy.lang.__path__)
    return frozenset(module.name for module in found if module.ispkg) - NEEDS_PACKAGE


class _Discretion(logging.Filter):
    """Drops what presidio logs while it works for us: it quotes the text. Its other callers' lines
    go on."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _at_work.get()


_at_work: ContextVar[bool] = ContextVar("critics_pii_at_work", default=False)
logging.getLogger("presidio-analyzer").addFilter(_Discretion())


@contextmanager
def _unlogged() -> Iterator[None]:
    token = _at_work.set(True)
    try:
        yield
    finally:
        _at_work.reset(token)
