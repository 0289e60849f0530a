"""Rules about words: hedges, two ideas in one, sources, reasons, and principles that say the same.

The word lists are English, as the codes' table says; in other languages they find nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from guardrails.authoring.codes import LintFinding
from guardrails.authoring.subject import Subject
from guardrails.constitution.model import Principle
from guardrails.text.sentences import sentences

__all__ = [
    "hedges",
    "hollow_reasons",
    "missing_sources",
    "twins",
    "two_ideas",
    "unjudged",
    "unread_attachments",
]

_HEDGE = re.compile(
    r"\b(?:usually|generally|typically|normally|ordinarily|often|sometimes|mostly|ideally|"
    r"preferably|possibly|perhaps|(?:try|tries|trying|attempts?|aims?|strives?) to|"
    r"(?:where|when|wherever|whenever|if|as far as|as much as|insofar as) "
    r"(?:possible|appropriate|feasible|practical|practicable|needed|necessary|reasonable)|"
    r"as (?:appropriate|needed|necessary)|more or less|to some extent|and so on|etc)\b",
    re.IGNORECASE,
)
"""Words that leave it to the reader whether the rule holds."""

_SECOND_IDEA = re.compile(
    r";|\b(?:as well as|in addition|additionally|furthermore|moreover|besides|"
    r"and (?:also|must|should|shall|will|may|never|always|cannot|can't|"
    r"(?:do|does|is|are|should|must)(?: not|n't)))\b",
    re.IGNORECASE,
)
"""Where a second rule begins. A mere "and" is none: "finds and tells" may well be one idea."""

_PLACEHOLDER = re.compile(r"\W*(?:to ?do|tbd|fixme|xxx|n/a|none|see above)\b", re.IGNORECASE)
MIN_REASON_WORDS = 3

_NEGATION = frozenset(
    {"not", "no", "never", "none", "nobody", "nothing", "without", "refuses", "refuse", "avoids"}
    | {"avoid", "cannot", "don't", "doesn't", "won't", "can't", "isn't", "mustn't"}
)
_COLOURLESS = frozenset({"do", "does", "is", "are", "be", "a", "an", "the", "to", "must", "always"})
_LEFT_OUT = _NEGATION | _COLOURLESS
_WORD = re.compile(r"\w+(?:['’]\w+)?")

NEAR = 0.8
"""The share of common words, of all words of both texts, from which two texts are nearly the same:
of eight words one may differ, of four none."""


def hedges(subject: Subject) -> Iterator[LintFinding]:
    """L101"""
    for entry in subject.entries:
        for key in ("text", "breach", "not_breach"):
            if hedge := _HEDGE.search(entry.said.get(key, "")):
                message = f"{hedge.group()!r} leaves it open when this holds"
                yield subject.finding("L101", (*entry.loc, key), message)


def two_ideas(subject: Subject) -> Iterator[LintFinding]:
    """L102"""
    for entry in subject.entries:
        text = entry.said.get("text", "")
        count = len(sentences(text.strip()))
        if count > 1:
            message = f"{count} sentences; a principle holds one idea"
        elif second := _SECOND_IDEA.search(text):
            message = f"{second.group()!r} begins a second idea"
        else:
            continue
        yield subject.finding("L102", (*entry.loc, "text"), message)


def unjudged(subject: Subject) -> Iterator[LintFinding]:
    """L103"""
    for entry in subject.own:
        uses = entry.principle.critics
        if all(use.tier == "deterministic" for use in uses):
            names = ", ".join(use.name for use in uses)
            message = f"only deterministic critics look ({names}): nobody judges the text"
            yield subject.finding("L103", (*entry.loc, "text"), message)


def missing_sources(subject: Subject) -> Iterator[LintFinding]:
    """L106"""
    for entry in subject.own:
        if entry.principle.source is None:
            yield subject.finding("L106", (*entry.loc, "id"), "the principle has no source")


def unread_attachments(subject: Subject) -> Iterator[LintFinding]:
    """L107. What stands under `relax` has its reason there."""
    for stage, said in (subject.said.get("attachments") or {}).items():
        if said == "flag":
            message = f"attachments at {stage} are let through"
            yield subject.finding("L107", ("attachments", stage), message)
            continue
        for kind in (kind for kind in said if said[kind] == "flag") if said != "block" else ():
            message = f"attachments of the kind {kind!r} at {stage} are let through"
            yield subject.finding("L107", ("attachments", stage, kind), message)


def hollow_reasons(subject: Subject) -> Iterator[LintFinding]:
    """L701"""
    for section in ("relax", "withdraw"):
        for index, said in enumerate(subject.said.get(section, [])):
            reason = said["reason"]
            if len(reason.split()) < MIN_REASON_WORDS or _PLACEHOLDER.match(reason):
                message = f"the reason for {said['id']!r} says nothing"
                yield subject.finding("L701", (section, index, "reason"), message)


@dataclass(frozen=True, slots=True)
class _Gist:
    """A text reduced to the words that carry it, and whether it forbids them."""

    words: frozenset[str]
    negated: bool

    @classmethod
    def of(cls, text: str) -> _Gist:
        words = [word.replace("’", "'") for word in _WORD.findall(text.casefold())]
        negations = sum(word in _NEGATION for word in words)
        carrying = (w.removesuffix("s") for w in words if w not in _LEFT_OUT)
        return cls(frozenset(carrying), negations % 2 == 1)

    def is_near(self, other: _Gist) -> bool:
        common = len(self.words & other.words)
        return common > 0 and common >= NEAR * len(self.words | other.words)


def twins(subject: Subject) -> Iterator[LintFinding]:
    """L104, L105: told at the later of the two, if the file writes it, else at the other."""
    own = {entry.principle.id: entry for entry in subject.own}
    said = [p for p in subject.constitution.principles if p.entity is None]
    rules = [(p, _Gist.of(p.text)) for p in said if not p.id.startswith("tools.")]
    for index, (principle, gist) in enumerate(rules):
        for earlier, other in rules[:index]:
            entry = own.get(principle.id) or own.get(earlier.id)
            if entry is None or not gist.is_near(other) or not _meet(principle, earlier):
                continue
            twin = earlier.id if entry.principle is principle else principle.id
            if gist.negated == other.negated:
                code, message = "L104", f"says nearly the same as {twin!r}"
            else:
                code, message = "L105", f"says nearly the opposite of {twin!r}"
            yield subject.finding(code, (*entry.loc, "text"), message)


def _meet(one: Principle, other: Principle) -> bool:
    """Whether both can hold for one caller at one stage."""
    return bool(set(one.stages) & set(other.stages)) and one.applies == other.applies
