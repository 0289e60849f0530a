"""Rules about where the judge starts: whether anything can ever start there."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.authoring.codes import LintFinding
from guardrails.authoring.subject import Subject
from guardrails.constitution.model import CriticUse, Principle, StartRule
from guardrails.constitution.routing import is_met

__all__ = ["unmet"]


def unmet(subject: Subject) -> Iterator[LintFinding]:
    """L403"""
    if "routing" not in subject.said.get("judge", {}):
        return
    judged = [
        principle
        for principle in subject.constitution.principles
        if any(use.tier == "model" for use in principle.critics)
    ]
    for n, rule in enumerate(subject.constitution.judging.routing.start):
        if not any(_can_meet(rule, principle) for principle in judged):
            message = f"no judged principle can meet it: {_told(rule)}"
            yield subject.finding("L403", ("judge", "routing", "start", n), message)


def _can_meet(rule: StartRule, principle: Principle) -> bool:
    looks = any(_may_look(use, principle) for use in principle.critics if use.tier != "model")
    return is_met(rule, principle, has_look=looks)


def _may_look(use: CriticUse, principle: Principle) -> bool:
    """Whether it ever says look. Of a critic that is not known here, anything may come."""
    match use.name:
        case "pattern":
            said = use.config.model_dump()
            return bool(said.get("look") or said.get("unless"))
        case "negative_examples":
            return bool(principle.breach_examples)
    return True


def _told(rule: StartRule) -> str:
    asked = [] if rule.severity is None else [f"severity {rule.severity} or graver"]
    return ", ".join([*asked, *(["a critic that looks"] if rule.look else [])])
