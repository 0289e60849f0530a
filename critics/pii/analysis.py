"""Presidio at work. Imported late, in a thread: with what it brings it costs seconds.

Presidio's recognizers are driven one by one instead of through its `AnalyzerEngine`, so that a
deadline can stop between them and words are told apart only where a context word can matter. What
comes out is what the engine gives, row for row (a test compares them), save where the engine would
fail open: there CriticError is raised.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.pattern_recognizer import REGEX_TIMEOUT_SECONDS

from critics.pii.recognizers import deadline_of_search, recognizer_of
from critics.pii.words import Surroundings
from guardrails.critic.limits import Deadline
from guardrails.errors import CriticError, CriticTimeout
from guardrails.verdict import Span

__all__ = ["Hit", "analyse"]


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
    surroundings = Surroundings(text, language)
    hits: list[Hit] = []
    with _searching(deadline):
        for entity, min_score in wanted.items():
            if deadline.passed:
                raise CriticTimeout("no time was left to look for personal data")
            hits += [
                Hit(entity=entity, span=(result.start, result.end), score=result.score)
                for result in _results(text, entity, surroundings)
                if result.score >= min_score
            ]
    return sorted(hits, key=lambda hit: (hit.span, hit.entity))


def _results(text: str, entity: str, surroundings: Surroundings) -> list[RecognizerResult]:
    """What presidio makes of one entity: matched, checked, raised by context, freed of doubles."""
    recognizer = recognizer_of(entity)
    try:
        with _complete(entity):
            results = recognizer.analyze(text, [entity])
        if any(result.score < EntityRecognizer.MAX_SCORE for result in results):
            results = surroundings.enhance(results, recognizer)
        found: list[RecognizerResult] = EntityRecognizer.remove_duplicates(results)
    except CriticError:
        raise
    except Exception as error:  # presidio's errors quote the text
        raise CriticError(f"presidio failed to look for {entity}: {type(error).__name__}") from None
    return found


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


@contextmanager
def _searching(deadline: Deadline) -> Iterator[None]:
    token = deadline_of_search.set(deadline)
    try:
        yield
    finally:
        deadline_of_search.reset(token)


class _Discretion(logging.Filter):
    """Drops what presidio logs while it works for us: it quotes the text. What it logs for others
    goes on."""

    def filter(self, record: logging.LogRecord) -> bool:
        return deadline_of_search.get() is None


logging.getLogger("presidio-analyzer").addFilter(_Discretion())
