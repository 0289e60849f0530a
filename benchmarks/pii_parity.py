"""Hold the critic `pii` against presidio's own AnalyzerEngine, on files of sentences.

    python benchmarks/pii_parity.py FILE.json ... [--entity ENTITY ...]

Each FILE is a JSON array of objects with `full_text`, or JSON lines (.jsonl) with `text`, or with
`prompt` and `response`. Both sides get the same normalised text, all entities the critic knows (or
those named) and no score threshold.
Prints rows, findings and differences per file (row number and finding, never the text) and what
either side took of CPU; exit status 1 if there is a difference.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

# The engine's e-mail check would else ask the network for the list of domains.
os.environ.setdefault("TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS", "")

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
from presidio_analyzer.nlp_engine import SlimSpacyNlpEngine
from spacy.language import Language
from spacy.tokens import Doc

from critics.pii.analysis import analyse
from critics.pii.entities import ENTITIES, Glance
from guardrails.critic.limits import Deadline
from guardrails.text.normalise import normalise

Row = tuple[str, int, int, float]
"""Entity, start, end, score."""

TEXT_KEYS = ("full_text", "text", "prompt", "response")


@Language.component("lower_case_lemmas")
def lower_case_lemmas(doc: Doc) -> Doc:
    for token in doc:
        token.lemma_ = token.lower_
    return doc


class BlankEngine(SlimSpacyNlpEngine):
    """spaCy's blank pipeline, whose lemma is the lower-cased word."""

    def load(self) -> None:
        self.nlp = {}
        for model in self.models:
            language = model["lang_code"]
            self.nlp[language] = spacy.blank(language)
            self.nlp[language].add_pipe("lower_case_lemmas")


class Reference:
    """Presidio as its users run it, with the recognizers of some entities and no trained model."""

    def __init__(self, entities: Iterable[str], *, language: str = "en") -> None:
        self.language = language
        self.entities = list(entities)
        kinds = [getattr(predefined_recognizers, ENTITIES[name].recognizer) for name in entities]
        registry = RecognizerRegistry(
            recognizers=[kind(supported_language=language) for kind in kinds],
            supported_languages=[language],
        )
        nlp = BlankEngine(models=[{"lang_code": language, "model_name": "blank"}])
        self._engine = AnalyzerEngine(
            registry=registry, nlp_engine=nlp, supported_languages=[language]
        )

    def rows(self, text: str, *, min_score: float = 0.0) -> list[Row]:
        results = self._engine.analyze(
            text=text, language=self.language, entities=self.entities, score_threshold=min_score
        )
        return sorted((r.entity_type, r.start, r.end, r.score) for r in results)


def critic_rows(
    text: str, entities: Iterable[str], *, language: str = "en", min_score: float = 0.0
) -> list[Row]:
    """What the critic finds: only entities whose gate lets the text through are looked for."""
    glance = Glance(text)
    wanted = {e: min_score for e in entities if ENTITIES[e].may_be_in(glance, min_score)}
    hits = analyse(text, wanted, language=language, deadline=Deadline(3600))
    return sorted((hit.entity, *hit.span, hit.score) for hit in hits)


def texts(file: Path) -> Iterator[str]:
    items: list[dict[str, Any]]
    if file.suffix == ".jsonl":
        with file.open(encoding="utf-8") as lines:
            items = [json.loads(line) for line in lines]
    else:
        items = json.loads(file.read_text(encoding="utf-8"))
    for item in items:
        yield "\n\n".join(item[key] for key in TEXT_KEYS if key in item)


def compare(file: Path, reference: Reference) -> int:
    """Print one line for the file and one for each difference; returns how many rows differ."""
    rows = findings = differing = 0
    reference_s = critic_s = 0.0
    for number, text in enumerate(texts(file), start=1):
        view = normalise(text).text
        started = time.process_time()
        expected = reference.rows(view)
        between = time.process_time()
        found = critic_rows(view, reference.entities)
        reference_s += between - started
        critic_s += time.process_time() - between
        rows, findings = rows + 1, findings + len(expected)
        if found != expected:
            differing += 1
            print(f"{file.name}:{number}: only presidio {set(expected) - set(found)}")
            print(f"{file.name}:{number}: only critic {set(found) - set(expected)}")
    print(
        f"{file.name}: {rows} rows, {findings} findings, {differing} rows differ; "
        f"CPU presidio {reference_s:.1f} s, critic {critic_s:.1f} s"
    )
    return differing


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--entity", action="append", choices=sorted(ENTITIES), dest="entities")
    options = parser.parse_args(arguments)
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    reference = Reference(options.entities or ENTITIES)
    return 1 if sum([compare(file, reference) for file in options.files]) else 0


if __name__ == "__main__":
    sys.exit(main())
