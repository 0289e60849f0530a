"""The tests that stand in a constitution file: run, and told apart from those nobody could judge.

Each test runs one stage through a `Guard` as an application would, with the record in memory. A
test with `judge:` scripts the judge; one without runs offline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from guardrails.audit.trail import MemoryTrail
from guardrails.constitution.model import CaseTest, Constitution
from guardrails.critic.protocol import Critic
from guardrails.exchange import Context, Part, attached
from guardrails.guard import Guard
from guardrails.settings import Settings
from guardrails.testing import scripted_judge
from guardrails.verdict import Coverage, Decision, Stage, Verdict

__all__ = ["Bench", "CaseResult", "Status", "run_case", "run_cases"]

Status = Literal["passed", "failed", "not_judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What came of one test. `place` is its `file:line`.

    `expected_breaches` is None where the test leaves them open. `reached` are the principles that
    had a part in it: named by the test, or spoken of by a critic. `message` says what is wrong or
    who could not be asked, and is empty for a test that passed.
    """

    name: str
    place: str
    status: Status
    expected: str
    got: str
    expected_breaches: tuple[str, ...] | None
    breaches: tuple[str, ...]
    reached: frozenset[str]
    coverage: Coverage
    message: str = ""


async def run_cases(
    constitution: Constitution, *, critics: Iterable[type[Critic]] = ()
) -> list[CaseResult]:
    """Run all tests of a constitution, in order. `critics` stand before installed ones.

    Raises what `Guard.load` raises: tests of a constitution that cannot be enforced have no answer.
    """
    bench = Bench(constitution, critics)
    try:
        return [await bench.run(case) for case in constitution.tests]
    finally:
        await bench.aclose()


async def run_case(
    constitution: Constitution, case: CaseTest, *, critics: Iterable[type[Critic]] = ()
) -> CaseResult:
    """Run one test, as `run_cases` does."""
    bench = Bench(constitution, critics)
    try:
        return await bench.run(case)
    finally:
        await bench.aclose()


_Script = frozenset[tuple[str, str | bool]]


class Bench:
    """Runs the tests of a constitution one by one: with one guard for all that run offline, and
    one for each script of the judge."""

    def __init__(self, constitution: Constitution, critics: Iterable[type[Critic]] = ()) -> None:
        self._constitution = constitution
        self._critics = tuple(critics)
        self._guards: dict[_Script | None, Guard] = {}

    async def run(self, case: CaseTest) -> CaseResult:
        """Run one test. Raises what `Guard.load` raises."""
        decision = await _decide(self._guard(case.judge), case)
        return _result(case, decision, self._constitution)

    async def aclose(self) -> None:
        for guard in self._guards.values():
            await guard.aclose()

    def _guard(self, script: Mapping[str, str | bool] | None) -> Guard:
        key = None if script is None else frozenset(script.items())
        if key not in self._guards:
            judge = () if script is None else (scripted_judge(script),)
            self._guards[key] = Guard.load(
                self._constitution,
                offline=script is None,
                settings=Settings(audit="memory"),
                critics=(*self._critics, *judge),
                trail=MemoryTrail(),
            )
        return self._guards[key]


async def _decide(guard: Guard, case: CaseTest) -> Decision:
    """Run the stage of a test with what it gives for it; the loader saw to it that it does."""
    context = Context(language=case.language, attributes=case.attributes)
    match case.stage:
        case Stage.INPUT:
            return await guard.check_input(_sent(case), context=context)
        case Stage.OUTPUT:
            return await guard.check_output(case.reply, prompt=case.prompt, context=context)
        case Stage.TOOL_CALL:
            tool = case.tool or {}
            return await guard.check_tool_call(
                tool["name"], tool["arguments"], prompt=_before(case), context=context
            )
        case Stage.TOOL_RESULT:
            name = None if case.tool is None else case.tool["name"]
            parts = [Part(text=case.result or "", role="tool", kind="tool_result", name=name)]
        case Stage.RETRIEVAL:
            parts = [Part(text=text, role="tool", kind="document") for text in case.documents]
    return await guard.check(parts, stage=case.stage, prompt=case.prompt, context=context)


def _sent(case: CaseTest) -> object:
    """A prompt with what is attached to it."""
    if not case.attachments:
        return case.prompt
    asked = [Part(text=case.prompt)] if case.prompt is not None else []
    return [*asked, *(attached(kind) for kind in case.attachments)]


def _before(case: CaseTest) -> object:
    """What came before a call: what somebody asked, and what tools gave back; a test says all."""
    given = [
        Part(text=text, role="tool", kind="tool_result", name=name)
        for name, text in case.results.items()
    ]
    asked = [Part(text=case.prompt, role="user")] if case.prompt is not None else []
    return [*asked, *given]


def _result(case: CaseTest, decision: Decision, constitution: Constitution) -> CaseResult:
    status, message = _compared(case, decision, constitution)
    named = frozenset((*(case.judge or ()), *(case.breaches or ())))
    return CaseResult(
        name=case.name,
        place=case.place,
        status=status,
        expected=case.expect,
        got=str(decision.verdict),
        expected_breaches=case.breaches,
        breaches=decision.breaches,
        reached=named | {finding.principle for finding in decision.findings},
        coverage=decision.coverage,
        message=message,
    )


def _compared(case: CaseTest, decision: Decision, constitution: Constitution) -> tuple[Status, str]:
    """Whether the decision is what was expected. It is not judged where nothing settled it and the
    word of a judge who was not asked could still make it so; where no word could, it failed."""
    unasked = _unasked(decision)
    if unasked and not _decided(decision) and _could_be(case, decision, constitution, unasked):
        return "not_judged", f"only a judge can say: {', '.join(unasked)}"
    if wrong := _differences(case, decision):
        return "failed", "; ".join([*wrong, *_unmended(case, decision, constitution)])
    return "passed", ""


def _decided(decision: Decision) -> bool:
    """Whether something that needs no judge brought the verdict about: a breach, or what nobody
    can read, where that stops it."""
    stopped = decision.verdict >= Verdict.BLOCK
    return any(
        Verdict.of(finding.action) == decision.verdict
        and (
            (finding.value == "breach" and decision.cause == "policy")
            or (finding.cause == "unjudged_part" and stopped)
        )
        for finding in decision.findings
    )


def _unasked(decision: Decision) -> tuple[str, ...]:
    """The principles that a judge would have been asked about."""
    looks = (finding.principle for finding in decision.findings if finding.value == "look")
    return tuple(dict.fromkeys((*looks, *decision.coverage.uncovered)))


def _could_be(
    case: CaseTest, decision: Decision, constitution: Constitution, unasked: tuple[str, ...]
) -> bool:
    """Whether the test could come out as expected, whatever a judge said of what is open."""
    got, expected = set(decision.breaches), Verdict[case.expect.upper()]
    if case.breaches is not None:
        wanted = set(case.breaches)
        if not got <= wanted or not wanted - got <= set(unasked):
            return False
    actions = [Verdict.of(constitution.principle(id).actions[case.stage]) for id in unasked]
    # A redaction or revision that cannot be made ends as block.
    stopped = any(Verdict.REDACT <= action <= Verdict.BLOCK for action in actions)
    settled = _settled(decision)
    return expected == settled or (
        expected > settled and (expected in actions or (expected is Verdict.BLOCK and stopped))
    )


def _settled(decision: Decision) -> Verdict:
    """The verdict without what only a judge could have settled."""
    return max(
        (
            Verdict.of(finding.action)
            for finding in decision.findings
            if finding.cause not in ("look", "uncovered")
        ),
        default=Verdict.ALLOW,
    )


def _differences(case: CaseTest, decision: Decision) -> list[str]:
    wrong = []
    if case.expect != str(decision.verdict):
        cause = f" ({decision.cause})" if decision.cause not in (None, "policy") else ""
        wrong.append(f"expected {case.expect}, got {decision.verdict}{cause}")
    if case.breaches is not None and set(case.breaches) != set(decision.breaches):
        told = ", ".join(decision.breaches) or "none"
        wrong.append(f"expected breaches of {', '.join(case.breaches) or 'none'}, got {told}")
    elif wrong and decision.breaches:
        wrong.append(f"breaches: {', '.join(decision.breaches)}")
    return wrong


def _unmended(case: CaseTest, decision: Decision, constitution: Constitution) -> Iterator[str]:
    """Why nothing came of a revision that was expected."""
    if case.expect != "revise" or decision.verdict != Verdict.BLOCK:
        return
    for id in decision.breaches:
        principle = constitution.principle(id)
        if Verdict.of(principle.actions[case.stage]) != Verdict.REVISE:
            continue
        remedy = principle.remedy
        if remedy is None or (remedy.replace_sentence is None and remedy.append is None):
            yield (
                "no model writes a revision in a test: give its remedy replace_sentence or append"
            )
            return
    if decision.attempts and not any(attempt.released for attempt in decision.attempts):
        yield f"with its remedy it came to {decision.attempts[-1].verdict} again"
