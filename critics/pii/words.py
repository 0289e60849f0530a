"""The words round a finding, as presidio's context step reads them: a context word shortly before a
match raises its score.
"""

# mypy: disallow-subclassing-any=False, warn-return-any=False
# (presidio is read as untyped: see pyproject.toml)

from __future__ import annotations

import pkgutil
import sys
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache, cached_property
from threading import Lock
from typing import Any

import spacy.lang
from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts

__all__ = ["Surroundings"]

ANY_LANGUAGE = "xx"
"""spaCy's rules for no language in particular."""

NEEDS_PACKAGE = frozenset({"ja", "ko", "th", "vi"})
"""spaCy's tokenizers for these differ by what else is installed; a verdict must not."""

MAX_WORDS = 100_000
"""spaCy remembers every word it ever saw, some 500 bytes each; past this many it starts afresh."""


class Surroundings:
    """One text's words, told apart only when a score can depend on them."""

    def __init__(self, text: str, language: str) -> None:
        self._text = text
        self._language = language

    def enhance(
        self, results: list[RecognizerResult], recognizer: EntityRecognizer
    ) -> list[RecognizerResult]:
        """Raise the scores of results that one of the recognizer's context words stands before."""
        return _ENHANCER.enhance_using_context(
            text=self._text,
            raw_results=results,
            nlp_artifacts=self._words,
            recognizers=[recognizer],
        )

    @cached_property
    def _words(self) -> NlpArtifacts:
        return _tokenizer(self._language).words(self._text)


class _Enhancer(LemmaContextAwareEnhancer):
    """Finds a match's token by bisection, where the original walks through all tokens."""

    @staticmethod
    def _find_index_of_match_token(
        word: str, start: int, tokens: Sequence[Any], tokens_indices: list[int]
    ) -> int:
        index = max(bisect_right(tokens_indices, start) - 1, 0)
        return index if start < tokens_indices[index] + len(tokens[index]) else index + 1


_ENHANCER = _Enhancer()


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
