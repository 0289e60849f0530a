"""`constitution lint` and `test`: what is weak or wrong in constitutions, and do their tests pass.

A constitution that does not load is told with all its problems, and the others are still done.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from guardrails.authoring.cases import CaseResult, run_cases
from guardrails.authoring.chosen import Chosen
from guardrails.authoring.lint import LintFinding, lint
from guardrails.cli.documents import document
from guardrails.cli.outcome import Status
from guardrails.cli.screen import show, write_json
from guardrails.constitution.find import constitution_names
from guardrails.constitution.load import load_constitution
from guardrails.constitution.model import Constitution
from guardrails.critic.registry import CriticRegistry
from guardrails.display.visible import visible
from guardrails.errors import ConstitutionError, Problem
from guardrails.settings import load_settings

__all__ = ["lint_all", "test_all"]

ALL = Chosen()
STYLES = {
    "error": "bold red",
    "advice": "yellow",
    "passed": "green",
    "failed": "bold red",
    "not_judged": "yellow",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What came of one constitution: problems if it cannot be used, else findings or results.
    `left_out` is how much advice was found that nobody asked for."""

    name: str
    constitution: Constitution | None = None
    problems: tuple[Problem, ...] = ()
    findings: tuple[LintFinding, ...] = ()
    left_out: int = 0
    results: tuple[CaseResult, ...] = ()

    @property
    def kinds(self) -> Counter[str]:
        """How many there are of each level and status."""
        levels = Counter[str](finding.level for finding in self.findings)
        return levels + Counter[str](result.status for result in self.results)


def lint_all(
    names: Sequence[str], *, as_json: bool, strict: bool = False, chosen: Chosen = ALL
) -> int:
    """Lint each constitution; the status is 1 if anything found is an error, or if `strict`
    anything chosen is found at all."""
    registry = CriticRegistry()

    def examine(constitution: Constitution) -> Examined:
        text = Path(constitution.file).read_text(encoding="utf-8")
        findings = lint(constitution, text, registry)
        told = tuple(finding for finding in findings if chosen.has(finding))
        return Examined(
            name=constitution.id,
            constitution=constitution,
            findings=told,
            left_out=len(findings) - len(told),
        )

    examined = list(_each(names, registry, examine))
    failed = any(one.kinds["error"] or (strict and one.findings) for one in examined)
    return _tell(examined, Status.INTERVENED if failed else Status.FINE, _linted, as_json=as_json)


def test_all(names: Sequence[str], *, strict: bool, as_json: bool) -> int:
    """Run the tests of each constitution; the status is 1 if any failed. A test that only a judge
    could decide is not judged: told, and status 3 if `strict`."""

    def examine(constitution: Constitution) -> Examined:
        results = tuple(asyncio.run(run_cases(constitution)))
        return Examined(name=constitution.id, constitution=constitution, results=results)

    examined = list(_each(names, CriticRegistry(), examine))
    kinds = sum((one.kinds for one in examined), Counter[str]())
    status = Status.UNSETTLED if strict and kinds["not_judged"] else Status.FINE
    status = Status.INTERVENED if kinds["failed"] else status
    return _tell(examined, status, _tested, as_json=as_json)


def _each(
    names: Sequence[str], registry: CriticRegistry, examine: Callable[[Constitution], Examined]
) -> Iterator[Examined]:
    """Load and examine each; without names, all that are found."""
    folder = load_settings().constitutions
    for name in names or constitution_names(folder):
        try:
            yield examine(load_constitution(name, catalogue=registry, folder=folder))
        except ConstitutionError as error:
            yield Examined(name=name, problems=error.problems)


def _tell(
    examined: Sequence[Examined],
    status: Status,
    told: Callable[[Examined], Iterator[Text]],
    *,
    as_json: bool,
) -> int:
    if any(one.problems for one in examined):
        status = Status.WRONG
    if as_json:
        documents = [_document(one) for one in examined]
        write_json({"ok": not status, "constitutions": documents, "status": int(status)})
    else:
        show(*(line for one in examined for line in (*_problems(one), *told(one))), lines=True)
    return status


def _document(one: Examined) -> dict[str, Any]:
    found = one.constitution
    head = {"id": found.id, "version": found.version, "file": found.file} if found else {}
    return {
        "name": one.name,
        **head,
        "problems": document(one.problems),
        "findings": document(one.findings),
        "left_out": one.left_out,
        "results": document(one.results),
    }


def _problems(one: Examined) -> Iterator[Text]:
    for problem in one.problems:
        yield Text(visible(str(problem)), "bold red")


def _linted(one: Examined) -> Iterator[Text]:
    for finding in one.findings:
        yield Text.assemble(
            (visible(f"{finding.file}:{finding.line}:{finding.column}: "), "bold"),
            (f"{finding.code} {finding.level}: ", STYLES[finding.level]),
            visible(f"{finding.where}: " if finding.where else ""),
            visible(finding.message),
            (visible(f"; {finding.hint}"), "dim"),
        )
    yield _summary(one, ("error", "advice"))


def _tested(one: Examined) -> Iterator[Text]:
    for result in one.results:
        if result.status != "passed":
            yield Text.assemble(
                (visible(f"{result.place}: "), "bold"),
                (f"{result.status.replace('_', ' ')}: ", STYLES[result.status]),
                visible(f"{result.name}: {result.message}"),
            )
    yield _summary(one, ("passed", "failed", "not_judged"))


def _summary(one: Examined, kinds: Sequence[str]) -> Text:
    """The constitution and how many there are of each kind."""
    found = one.constitution
    if found is None:
        return Text.assemble((visible(one.name), "bold"), (" cannot be used", "bold red"))
    line = Text(visible(f"{found.id} {found.version}"), "bold")
    for kind in kinds:
        count = one.kinds[kind]
        line.append(f"  {count} {kind.replace('_', ' ')}", STYLES[kind] if count else "dim")
    if one.left_out:
        line.append(f"  {one.left_out} left out", "dim")
    return line
