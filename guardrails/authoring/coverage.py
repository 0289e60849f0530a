"""Rules about a file's tests: what they leave out, and what they leave to a judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails.authoring.cases import CaseResult
from guardrails.authoring.codes import LintFinding
from guardrails.authoring.subject import Subject
from guardrails.constitution.model import Principle
from guardrails.verdict import Stage, Verdict

__all__ = ["not_judged", "unreached"]


def unreached(subject: Subject, results: Sequence[CaseResult]) -> Iterator[LintFinding]:
    """L601: a principle is reached where it is named or a critic speaks of it. A scripted judge's
    silent pass does not count: one `judge: {}` would reach everything, and show nothing of it."""
    if not results:
        yield subject.finding("L601", ("tests",), "the file has no tests")
        return
    reached = frozenset().union(*(result.reached for result in results))
    for entry in subject.own:
        if entry.principle.id not in reached:
            message = "no test reaches the principle"
            yield subject.finding("L601", (*entry.loc, "id"), message, _a_test(entry.principle))


_GIVEN = {
    Stage.INPUT: "prompt: …",
    Stage.OUTPUT: "reply: …",
    Stage.TOOL_CALL: "tool: {name: …, arguments: {…}}",
    Stage.TOOL_RESULT: "result: …",
    Stage.RETRIEVAL: "documents: […]",
}


def _a_test(principle: Principle) -> str:
    """A test to fill in, at the principle's first stage."""
    stage = principle.stages[0]
    judged = any(use.tier == "model" for use in principle.critics)
    script = f", judge: {{{principle.id}: {{breach: a quote}}}}" if judged else ""
    return (
        f"add a test such as {{name: …, stage: {stage}, {_GIVEN[stage]}{script}, "
        f"expect: {Verdict.of(principle.actions[stage])}, breaches: [{principle.id}]}}"
    )


def not_judged(subject: Subject, results: Sequence[CaseResult]) -> Iterator[LintFinding]:
    """L602"""
    for index, result in enumerate(results):
        if result.status == "not_judged":
            message = f"the test {result.name!r} is not judged: {result.message}"
            yield subject.finding("L602", ("tests", index), message)
