"""How the section `pii` of a file meets what its parents say: what is milder needs a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guardrails.constitution.report import Report
from guardrails.constitution.rule import USE_RELAX
from guardrails.constitution.sections import PiiSection
from guardrails.verdict import Action, Stage

__all__ = [
    "PiiEntity",
    "PiiHandling",
    "pii_id",
    "relaxed_keep",
    "relaxed_pii",
    "tightened_keep",
    "tightened_pii",
]

PiiEntity = tuple[Stage, str]
MIN_SCORE = 0.5
_ACTIONS = ("allow", "flag", "mask", "redact", "block")


@dataclass(frozen=True, slots=True, kw_only=True)
class PiiHandling:
    """What happens to one kind of personal data at one stage."""

    action: Action
    min_score: float = MIN_SCORE
    origin: str = field(default="", compare=False)
    place: str = field(default="", compare=False)


PiiRules = Mapping[PiiEntity, PiiHandling]


def pii_id(key: PiiEntity) -> str:
    return f"pii.{key[0]}.{key[1]}"


def tightened_pii(
    inherited: PiiRules, said: PiiSection, origin: str, report: Report
) -> dict[PiiEntity, PiiHandling]:
    """With the file's own word on each kind, which may only be stricter."""
    found = dict(inherited)
    for key, rule in said.rules().items():
        here = report.under(str(key[0]), key[1])
        old = inherited.get(key)
        score = MIN_SCORE if old is None else old.min_score
        found[key] = PiiHandling(
            action=rule.action,
            min_score=score if rule.min_score is None else rule.min_score,
            origin=origin,
            place=_place(here),
        )
        if old is not None:
            _check(old, found[key], here)
    return found


def relaxed_pii(
    old: PiiHandling, changes: Mapping[str, Any], origin: str, report: Report
) -> PiiHandling:
    """After a relaxation, whose place `report` tells."""
    said = {"action": old.action, "min_score": old.min_score, **changes}
    new = PiiHandling(**said, origin=origin, place=_place(report))
    if new == old:
        report.add(("set",), "the constitution says so already", "drop the relaxation")
    return new


def tightened_keep(
    inherited: PiiRules, keep: tuple[str, ...], said: PiiSection, report: Report
) -> tuple[str, ...]:
    """What is kept, if the file says so; beside inherited rules it may not say it anew."""
    if said.keep is None:
        return keep
    if inherited and set(said.keep) != set(keep):
        what = "changes what is kept from inherited rules"
        report.add(("keep",), what, "say so under 'relax' as pii.keep, with a reason")
        return keep
    return tuple(said.keep)


def relaxed_keep(
    inherited: PiiRules, keep: tuple[str, ...], said: tuple[str, ...], report: Report
) -> tuple[str, ...]:
    if not inherited:
        report.add(("id",), "no parent says anything about personal data", "use pii.keep")
    elif set(said) == set(keep):
        report.add(("set",), "the constitution says so already", "drop the relaxation")
    return said


def _place(report: Report) -> str:
    return report.source.place(report.at)


def _check(old: PiiHandling, new: PiiHandling, report: Report) -> None:
    if _ACTIONS.index(new.action) < _ACTIONS.index(old.action):
        report.add((), f"{new.action!r} is milder than the inherited {old.action!r}", USE_RELAX)
    elif new.min_score > old.min_score:
        what = f"a min_score of {new.min_score:g} finds less than the inherited {old.min_score:g}"
        report.add(("min_score",), what, USE_RELAX)
