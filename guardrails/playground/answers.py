"""What the page is told, as JSON: the state of the file, and what became of a text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

from guardrails.constitution.model import Constitution
from guardrails.display.pieces import Piece, changed, marked
from guardrails.display.visible import visible
from guardrails.playground.bench import State
from guardrails.verdict import Decision, Finding

__all__ = ["decision_answer", "state_answer"]

Json = dict[str, Any]


def state_answer(state: State) -> Json:
    """The constitution, what is wrong with its file, and how its tests went."""
    found = state.guard.constitution if state.guard else None
    return {
        "revision": state.revision,
        "stale": state.is_stale,
        "constitution": None if found is None else _constitution(found),
        "problems": [
            {
                "line": problem.line,
                "column": problem.column,
                "where": visible(problem.where),
                "what": visible(problem.what),
                "hint": visible(problem.hint),
                "source": _line(state, problem.line),
            }
            for problem in state.problems
        ],
        "findings": [
            {
                "code": finding.code,
                "level": finding.level,
                "line": finding.line,
                "message": visible(finding.message),
                "hint": visible(finding.hint),
            }
            for finding in state.findings
        ],
        "tests": [
            {
                "name": visible(result.name),
                "place": int(result.place.rpartition(":")[2] or 0),
                "status": result.status,
                "message": visible(result.message),
            }
            for result in state.results
        ],
    }


def decision_answer(decision: Decision, text: str, part: int, rules: Constitution) -> Json:
    """One decision over the text that stood at `part` of its exchange."""
    mine = [finding for finding in decision.findings if finding.part in (part, None)]
    edits = [
        edit
        for attempt in decision.attempts
        if attempt.released
        for edit in attempt.edits
        if edit.part == part
    ]
    spans = [finding.span for finding in mine if finding.span is not None]
    return {
        "stage": str(decision.stage),
        "verdict": str(decision.verdict),
        "cause": decision.cause,
        "marked": _pieces(marked(text, spans)),
        "changed": _pieces(changed(text, edits)) if edits else None,
        "delivered": visible(decision.text),
        "delivers": decision.delivers,
        "reply": None if decision.reply_key is None else visible(decision.reply_key),
        "findings": [_finding(finding, text, rules) for finding in _each_once(mine)],
        "open": [
            {"id": id, "text": visible(rules.principle(id).text)}
            for id in decision.coverage.uncovered
        ],
    }


def _constitution(found: Constitution) -> Json:
    return {
        "id": found.id,
        "version": found.version,
        "title": visible(found.title),
        "digest": found.digest,
        "principles": len(found.principles),
    }


def _line(state: State, number: int) -> str:
    return visible(state.lines[number - 1]) if 0 < number <= len(state.lines) else ""


def _each_once(findings: Sequence[Finding]) -> Iterable[Finding]:
    """One for each principle, critic and kind of finding."""
    kinds = {(f.principle, f.critic, f.value, f.cause): f for f in reversed(findings)}
    return reversed(kinds.values())


def _finding(finding: Finding, text: str, rules: Constitution) -> Json:
    principle = next((p for p in rules.principles if p.id == finding.principle), None)
    quote = "" if finding.span is None else text[slice(*finding.span)]
    return {
        "principle": finding.principle,
        "text": visible(principle.text) if principle else "",
        "action": finding.action,
        "severity": finding.severity,
        "critic": finding.critic,
        "value": finding.value,
        "cause": finding.cause,
        "quote": visible(quote),
        "reason": visible(finding.reason),
        "place": _place(principle.place, rules.file) if principle else "",
    }


def _place(place: str, own: str) -> str:
    """`line 12`, or `base.yaml line 12` for what a parent says."""
    file, _, line = place.rpartition(":")
    named = "" if file == own else f"{PurePath(file).name} "
    return f"{named}line {line}" if line else ""


def _pieces(pieces: Iterable[Piece]) -> list[list[str]]:
    return [[piece.kind, visible(piece.text)] for piece in pieces]
