"""The loop: judge, rule, change the text without a model, judge all of it again, rule again.

Whatever was changed is judged by all principles of its stage before it may go on; what cannot be
made clean is not delivered, and a reply of the constitution stands in its place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, ParamSpec, Protocol, Self, TypeVar

from guardrails.critic.limits import BudgetHandle, Deadline
from guardrails.errors import BudgetExceeded, WireFormatError
from guardrails.exchange import Call, Context, Part
from guardrails.pipeline.calls import moved
from guardrails.pipeline.decide import Observation, Ruling, decide
from guardrails.pipeline.plan import Plan
from guardrails.pipeline.remedy import apply_edits, remedy_edits
from guardrails.pipeline.replies import Reply, reply_to
from guardrails.pipeline.tiers import Judgement, judge
from guardrails.text.normalise import View
from guardrails.verdict import (
    NOTHING_USED,
    Attempt,
    Cause,
    Coverage,
    Edit,
    Finding,
    Repair,
    Span,
    Stage,
    Usage,
    Verdict,
)
from guardrails.wire.tools import ToolSchemas

__all__ = ["Content", "Outcome", "deliberate", "refuse"]

MOST_ROUNDS = 3
"""A text that is changed may breach another principle then; so often it is mended further."""

Method = Literal["redaction", "remedy", "model"]

P = ParamSpec("P")
T = TypeVar("T")

INLINE_PARTS = 500
INLINE_FINDINGS = 100
INLINE_CHARACTERS = 20_000
"""A content of more is changed off the loop."""


class Content(Protocol):
    """A value with its texts, as `wire` reads it."""

    @property
    def value(self) -> object: ...
    @property
    def parts(self) -> tuple[Part, ...]: ...
    @property
    def calls(self) -> tuple[Call, ...]: ...
    def rewrite(self, texts: Mapping[int, str]) -> Self:
        """The value with other texts, read again. Raises WireFormatError if it cannot hold them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an exchange.

    `content` holds the texts that were judged last. `reply` is None exactly if it may go on.
    """

    verdict: Verdict
    cause: Cause | None
    findings: tuple[Finding, ...]
    content: Content | None = field(repr=False)
    reply: Reply | None = None
    attempts: tuple[Attempt, ...] = ()
    coverage: Coverage = Coverage()
    usage: Usage = NOTHING_USED
    models: Mapping[str, str] = field(default_factory=dict)
    repair: Repair | None = None


async def deliberate(
    plan: Plan,
    content: Content,
    *,
    before: Sequence[Part] = (),
    stage: Stage,
    context: Context,
    budget: BudgetHandle,
    schemas: ToolSchemas | None = None,
    known: frozenset[int] = frozenset(),
    is_counted: bool = False,
    may_vanish: bool = False,
    left: Sequence[Part] = (),
) -> Outcome:
    """Judge a content at a stage and make of it what may go on.

    `before` are the parts that only help to judge it, in their order, and so are the `known` ones
    among its own. A call whose arguments are changed still fits `schemas`, or nothing goes on.
    `is_counted`: its size is known to be within the budget. `may_vanish`: it is a piece of a reply
    of which more is left. `left` are texts that have gone right before it. Raises nothing that a
    text, a critic or an endpoint could bring about.
    """
    started = time.perf_counter()
    try:
        if not is_counted:
            _admit(content.parts, known, before, budget)
        work = _Deliberation(
            plan,
            content,
            before,
            stage,
            context,
            budget,
            schemas,
            started,
            known=known,
            may_vanish=may_vanish,
            left=left,
        )
        return await work.outcome()
    except BudgetExceeded as error:
        limit = f"budget.{error.limit}"
        return refuse(plan, limit, stage, context, content=content, usage=_lasted(started))
    finally:
        budget.spend_time(time.perf_counter() - started)


def _lasted(started: float) -> Usage:
    return Usage(latency_ms=(time.perf_counter() - started) * 1000)


def refuse(
    plan: Plan,
    limit: str,
    stage: Stage,
    context: Context,
    *,
    content: Content | None = None,
    usage: Usage = NOTHING_USED,
) -> Outcome:
    """The outcome for what reaches a limit before anybody could judge it."""
    ruling = _limited(limit, stage)
    return Outcome(
        verdict=ruling.verdict,
        cause=ruling.cause,
        findings=ruling.findings,
        content=content,
        reply=reply_to(plan.constitution, ruling.findings, ruling.cause, context.language),
        usage=usage,
    )


def _limited(limit: str, stage: Stage) -> Ruling:
    seen = Observation(about=limit, critic="engine", value="undecided", cause="limit")  # type: ignore[arg-type]  # the budget's names are the limits'
    return decide([seen], stage=stage)


def _admit(
    parts: Sequence[Part], known: frozenset[int], before: Sequence[Part], budget: BudgetHandle
) -> None:
    """Raises BudgetExceeded for more text than one call may hold. What only helps to judge is not
    counted again, for it was judged at its own stage; but no more of it is read, either."""
    judged, helping = 0, sum([len(part.text) for part in before])
    for index, part in enumerate(parts):
        if part.target and index not in known:
            judged += len(part.text)
        else:
            helping += len(part.text)
    if helping > budget.limits["max_chars"]:
        raise BudgetExceeded("max_chars", budget.limits["max_chars"], helping)
    budget.spend_chars(judged)


class _Deliberation:
    """One content under way. Findings and edits are in the coordinates of the exchange as it came,
    however often the text is changed."""

    def __init__(
        self,
        plan: Plan,
        content: Content,
        before: Sequence[Part],
        stage: Stage,
        context: Context,
        budget: BudgetHandle,
        schemas: ToolSchemas | None,
        started: float,
        *,
        known: frozenset[int] = frozenset(),
        may_vanish: bool = False,
        left: Sequence[Part] = (),
    ) -> None:
        """`started`: when the work on it began, by the performance counter."""
        self.started = started
        self.plan, self.original, self.stage = plan, content, stage
        self.schemas, self.misfit, self.known = schemas, False, known
        self.context, self.budget, self.may_vanish = context, budget, may_vanish
        self.left = left
        self.before = tuple(before)
        self.parts = (*before, *content.parts)
        self.is_long = (
            len(content.parts) > INLINE_PARTS
            or sum(len(part.text) for part in content.parts) > INLINE_CHARACTERS
        )
        self.deadline: Deadline = budget.deadline()
        self.content = content
        self.findings: list[Finding] = []
        self.attempts: list[Attempt] = []
        self.rulings: dict[tuple[Edit, ...], Ruling] = {}
        self.verdict = Verdict.ALLOW
        self.usage = NOTHING_USED
        self.models: dict[str, str] = {}
        self.coverage = Coverage()

    async def outcome(self) -> Outcome:
        ruling = await self._judge(self.content)
        self.findings += ruling.findings
        self.verdict = ruling.verdict
        if ruling.verdict not in (Verdict.REDACT, Verdict.REVISE):
            return await self._concluded(ruling)
        if (mended := await self._revised_by_model()) is not None:
            return await self._released(mended)
        for _ in range(MOST_ROUNDS):
            if self.deadline.passed:
                ruling = _limited("budget.deadline_s", self.stage)
                break
            edits = await self._aside(
                remedy_edits, tuple(self.findings), self.parts, self.plan.constitution
            )
            if edits is None or not await self._apply(edits):
                ruling = self._unfit(ruling)
                break
            method: Method = "remedy" if self.verdict is Verdict.REVISE else "redaction"
            ruling = await self._attempt(edits, method)
            if ruling.verdict <= Verdict.FLAG:
                return await self._released(ruling)
            if not await self._learn(ruling, edits):
                break
        return await self._stopped(ruling)

    async def _aside(self, work: Callable[P, T], /, *arguments: P.args, **options: P.kwargs) -> T:
        """Pure work, off the loop where there is much of it."""
        if self.is_long or len(self.findings) > INLINE_FINDINGS:
            return await asyncio.to_thread(work, *arguments, **options)
        return work(*arguments, **options)

    async def _judge(self, content: Content) -> Ruling:
        parts, calls = self._to_judge(content)
        judgement: Judgement = await judge(
            self.plan,
            (*self.before, *parts),
            stage=self.stage,
            context=self.context,
            budget=self.budget,
            deadline=self.deadline,
            calls=moved(calls, len(self.before)),
            left=self.left,
        )
        self.usage += judgement.usage
        self.models.update(judgement.models)
        self.coverage = judgement.coverage
        return await self._aside(decide, judgement.observations, stage=self.stage)

    def _to_judge(self, content: Content) -> tuple[Sequence[Part], Sequence[Call]]:
        """What is known only helps to judge, unless a change has moved the parts."""
        known, parts, calls = self.known, content.parts, content.calls
        if not known or len(parts) != len(self.original.parts):
            return parts, calls
        told = [part.as_context() if n in known else part for n, part in enumerate(parts)]
        return told, [call for call in calls if call.part not in known]

    async def _revised_by_model(self) -> Ruling | None:
        """The ruling on a revision that may go on; None if there is none, and what needs no model
        is left to try."""
        reviser, constitution = self.plan.reviser, self.plan.constitution
        if reviser is None or not reviser.is_needed(self.findings, constitution):
            return None
        findings, again = tuple(self.findings), False
        for _ in range(constitution.max_attempts):
            draft = await reviser.revise(
                findings,
                self.parts,
                constitution,
                budget=self.budget,
                deadline=self.deadline,
                again=again,
            )
            self.usage += draft.usage
            if draft.model is not None:
                self.models["reviser"] = draft.model
            for way in draft.ways:
                if not await self._apply(way.edits):
                    continue
                ruling = await self._attempt(way.edits, way.method)
                if ruling.verdict <= Verdict.FLAG:
                    return ruling
                # The next attempt is told of what this one still breached, or breached anew; the
                # remedies without a model are not: they never see this one's words.
                still = await self._in_original(ruling, way.edits)
                findings, again = (*self.findings, *still), True
        return None

    async def _apply(self, edits: tuple[Edit, ...]) -> bool:
        """Make the changed content. False if that is nothing else than before, cannot be held by
        the content's type, or leaves nothing of a reply: silence is no answer to anybody."""
        tried = self.attempts[-1].edits if self.attempts else ()
        if not edits or edits == tried:
            return False
        try:
            changed = await self._aside(self._changed, edits)
        except WireFormatError:
            return False
        has_text = any(p.text.strip() for p in changed.parts if p.target)
        if self.stage is Stage.OUTPUT and not has_text and not self.may_vanish:
            return False
        self.content = changed
        return True

    def _changed(self, edits: tuple[Edit, ...]) -> Content:
        offset = len(self.before)
        texts = apply_edits(self.parts, edits)
        changed = self.original.rewrite({index - offset: text for index, text in texts.items()})
        self.misfit = self.schemas is not None and not self.schemas.admit(
            self.original.calls, changed.calls
        )
        if self.misfit:
            raise WireFormatError("a tool would not take the changed arguments")
        return changed

    def _unfit(self, ruling: Ruling) -> Ruling:
        """A call that its tool's schema refuses is never handed on: then nothing is."""
        if not self.misfit:
            return ruling
        seen = Observation(
            about="format.tool_schema", critic="engine", value="undecided", cause="unknown_format"
        )
        return decide([seen], stage=self.stage)

    async def _attempt(self, edits: tuple[Edit, ...], method: Method) -> Ruling:
        if (known := self.rulings.get(edits)) is not None:  # one of a reviser's ways before
            return known
        ruling = self.rulings[edits] = await self._judge(self.content)
        self.attempts.append(
            Attempt(
                method=method,
                edits=edits,
                verdict=ruling.verdict,
                released=ruling.verdict <= Verdict.FLAG,
            )
        )
        return ruling

    async def _learn(self, ruling: Ruling, edits: Sequence[Edit]) -> bool:
        """Take in what the changed text still breaches; False if that cannot be mended."""
        still = await self._in_original(ruling, edits)
        if ruling.verdict not in (Verdict.REDACT, Verdict.REVISE) or not still:
            return False
        known = set(self.findings)  # what the change left as it was is found once more
        self.findings += [finding for finding in still if finding not in known]
        self.verdict = max(self.verdict, ruling.verdict)
        return True

    async def _in_original(self, ruling: Ruling, edits: Sequence[Edit]) -> list[Finding]:
        """The findings in the changed text, told of the original if it has the same parts."""
        if len(self.content.parts) != len(self.original.parts):
            return []
        return await self._aside(_in_original, ruling.findings, edits, self.parts)

    def _later(self, ruling: Ruling) -> tuple[Finding, ...]:
        """What was found only in the changed text, which has no place in the original."""
        known = {(f.principle, f.critic, f.cause) for f in self.findings}
        return tuple(
            replace(finding, part=None, span=None)
            for finding in ruling.findings
            if (finding.principle, finding.critic, finding.cause) not in known
        )

    async def _concluded(self, ruling: Ruling) -> Outcome:
        """Goes on as it is, or not at all."""
        return await self._made(ruling.verdict, ruling.cause, tuple(self.findings))

    async def _released(self, ruling: Ruling) -> Outcome:
        return await self._made(self.verdict, "policy", (*self.findings, *self._later(ruling)))

    async def _stopped(self, ruling: Ruling) -> Outcome:
        """It could not be mended."""
        graver = ruling.verdict >= Verdict.BLOCK
        findings = (*self.findings, *self._later(ruling))
        return await self._made(
            max(Verdict.BLOCK, ruling.verdict), ruling.cause if graver else "policy", findings
        )

    async def _made(
        self, verdict: Verdict, cause: Cause | None, findings: tuple[Finding, ...]
    ) -> Outcome:
        reply = None
        if not verdict.delivers:
            reply = reply_to(self.plan.constitution, findings, cause, self.context.language)
        return Outcome(
            verdict=verdict,
            cause=cause,
            findings=findings,
            content=self.content,
            reply=reply,
            attempts=tuple(self.attempts),
            coverage=self._covered(),
            repair=await self._aside(self._repair) if self._was_to_be_revised else None,
            usage=self.usage + _lasted(self.started),
            models=self.models,
        )

    def _covered(self) -> Coverage:
        if not self.known:
            return self.coverage
        return replace(self.coverage, known_parts=len(self.known))

    @property
    def _was_to_be_revised(self) -> bool:
        return any(finding.action == "revise" for finding in self.findings)

    def _repair(self) -> Repair | None:
        from guardrails.pipeline.revision import repair_of  # with it comes what asks models

        return repair_of(self.findings, self.parts, self.plan.constitution)


def _in_original(
    findings: Sequence[Finding], edits: Sequence[Edit], parts: Sequence[Part]
) -> list[Finding]:
    """Findings in the changed text, told of the original: what touches a replacement covers all
    that was replaced."""
    made: dict[int, list[tuple[Span, str]]] = {}
    for edit in edits:
        made.setdefault(edit.part, []).append((edit.span, edit.replacement))
    views: dict[int, View] = {}
    told: list[Finding] = []
    for finding in findings:
        if finding.span is not None and (part := finding.part) is not None:
            if part not in views:
                text = parts[part].text
                views[part] = View(text, text).replace(made.get(part, []))
            told.append(replace(finding, span=views[part].to_original(finding.span)))
        else:
            told.append(finding)
    return told
