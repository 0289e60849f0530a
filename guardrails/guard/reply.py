"""A reply that leaves while it comes: judged piece by piece, and one record from begin to end."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from guardrails.audit.record import Closed, How, new_record_id
from guardrails.audit.trail import Trail
from guardrails.critic.limits import BudgetHandle
from guardrails.errors import AuditError, DeliveryError
from guardrails.exchange import Context, Part
from guardrails.guard.ledger import begun, opened
from guardrails.guard.turns import Turn, turn_of
from guardrails.pipeline.engine import Outcome
from guardrails.pipeline.given import Release
from guardrails.pipeline.plan import Plan
from guardrails.pipeline.progress import Progress
from guardrails.pipeline.replies import Reply
from guardrails.pipeline.so_far import Head
from guardrails.review.webhook import Webhook
from guardrails.settings import Settings
from guardrails.verdict import ConstitutionPin, Decision, Stage, Verdict
from guardrails.wire.tools import ToolSchemas

__all__ = ["StreamedReply"]


CheckCall = Callable[[str | None, str], Awaitable[Decision]]
"""Judges a tool's call by its name and the JSON of its arguments, and records what comes of it."""


Delivered = Callable[[Sequence[Turn]], Awaitable[None]]
"""Is told of a reply that has gone out whole."""


class _Sum:
    """What was let go of one text, and what of that has left: never more, and nothing else."""

    __slots__ = ("_judged", "_left", "_waiting")

    def __init__(self) -> None:
        self._left = hashlib.sha256()
        self._judged = hashlib.sha256()
        self._waiting = ""

    def judged(self, text: str) -> None:
        self._waiting += text
        self._judged.update(_bytes(text))

    def left(self, text: str) -> bool:
        """Whether it is what was judged next."""
        if not self._waiting.startswith(text):
            return False
        self._waiting = self._waiting[len(text) :]
        self._left.update(_bytes(text))
        return True

    @property
    def of_judged(self) -> str:
        return self._judged.hexdigest()

    @property
    def of_left(self) -> str:
        return self._left.hexdigest()


class StreamedReply:
    """One streamed reply of a guarded call.

    `open`, `say`, `shut` and `end` tell what comes, `step` what may leave. Whoever hands it out
    says so with `left`, right before; and at the end `close`, or `abandon` where nobody takes any
    more of it. `decision` is there once `step` has given all up to the end, or, where the reply was
    `stopped`, once whoever hands it out has called `stop`.
    """

    def __init__(
        self,
        plan: Plan,
        trail: Trail,
        settings: Settings,
        webhook: Webhook | None,
        *,
        before: Sequence[Part],
        context: Context,
        budget: BudgetHandle,
        check_call: CheckCall | None = None,
        schemas: ToolSchemas | None = None,
        delivered: Delivered | None = None,
    ) -> None:
        self._delivered = delivered
        self._check_call, self._budget = check_call, budget
        self._heads: list[Head] = []
        self.calls: list[Decision] = []
        """What was decided about tool calls so far, each by itself."""
        self._plan, self._trail, self._settings = plan, trail, settings
        self._webhook, self._context, self._before = webhook, context, tuple(before)
        self._progress = Progress(
            plan,
            before=before,
            context=context,
            budget=budget,
            keeps=settings.audit_keeps == "redacted",
            schemas=schemas,
        )
        self._record_id = new_record_id()
        self._sums: list[_Sum] = []
        self._has_begun = self._is_closed = False
        self.has_left = False
        """Whether any of it is with the caller already."""
        self.decision: Decision | None = None

    @property
    def record_id(self) -> str:
        return self._record_id

    @property
    def pin(self) -> ConstitutionPin:
        """The rules that it is judged by."""
        return self._pin(self._progress.outcome())

    # -- what comes ---------------------------------------------------------------------------

    def open(self, head: Head) -> int:
        """A further text begins. Its number."""
        self._sums.append(_Sum())
        self._heads.append(head)
        return self._progress.open(head)

    def say(self, number: int, text: str) -> None:
        self._progress.say(number, text)

    def shut(self, number: int) -> None:
        self._progress.shut(number)

    def end(self) -> None:
        self._progress.end()

    def refuse(self, limit: str) -> None:
        """Withhold the rest, for a limit that was reached."""
        self._progress.refuse(limit)

    # -- what may leave -----------------------------------------------------------------------

    @property
    def stopped(self) -> bool:
        """Whether the rest is withheld, so that the decision's reply stands in its place."""
        return self._progress.stopped

    @property
    def is_full(self) -> bool:
        """Whether nothing more need be read, for more came than may be judged."""
        return self._progress.is_full

    async def step(self) -> list[Release] | None:
        """What may leave now; None once nothing more may before more comes, or ever. What it gives
        is on record. Raises AuditError: then hand out nothing more."""
        releases = await self._progress.advance()
        if releases and self._check_call is not None:
            releases = [await self._with_call(release, self._check_call) for release in releases]
            if self._progress.stopped:
                return None
        for release in releases or ():
            if release.number < len(self._sums):
                self._sums[release.number].judged(release.text)
        if self._progress.is_done and not self._progress.stopped:
            await self._conclude([one.of_judged for one in self._sums])
        elif releases and not self._has_begun:
            self._has_begun = True
            await self._trail.begin(
                begun(
                    self._record_id,
                    self._pin(self._progress.outcome()),
                    stage=Stage.OUTPUT,
                    context=self._context,
                    trail=self._trail,
                )
            )
        return releases

    async def _with_call(self, release: Release, check: CheckCall) -> Release:
        """A tool call as its own stage leaves it. Where that stops it, nothing more leaves."""
        head = self._heads[release.number] if release.number < len(self._heads) else None
        if head is None or head.part.kind != "tool_call" or not head.is_json:
            return release
        decision = await check(head.part.name, release.text)
        self.calls.append(decision)
        if not decision.delivers:
            self._progress.stop(_outcome(decision))
            return release
        text = decision.content
        if not isinstance(text, str) or text == release.text:
            return release
        if not await self._progress.passes(release.number, text):
            self._progress.refuse("format.readable")
        return replace(release, text=text, is_changed=True)

    async def stop(self) -> None:
        """All has left that may of a reply that is stopped: decide. Raises AuditError."""
        if self._progress.stopped:
            await self._conclude([one.of_left for one in self._sums])

    def left(self, number: int, text: str) -> None:
        """That text is handed out now. Raises DeliveryError for what was not judged."""
        if text:
            self.has_left = True
            if number >= len(self._sums) or not self._sums[number].left(text):
                raise DeliveryError(
                    f"record {self._record_id}: what was to leave is not what was judged, and "
                    f"nothing more of it left"
                )

    # -- how it ends --------------------------------------------------------------------------

    async def close(self, how: How | None = None, *, texts: Sequence[str] = ()) -> None:
        """All that goes out is out, the decision's reply included where there is one. `texts` are
        the application's own in its place. Raises AuditError."""
        decision = self.decision
        if decision is None or self._is_closed:
            return
        sums = [one.of_left for one in self._sums]
        if how is None:
            stopped: How = "cut" if self._has_begun else "reply"
            how = "judged" if decision.delivers else stopped
        match how:
            case "cut":
                await self._close(how, [*sums, decision.text])
            case "reply":
                await self._close(how, [decision.text])
            case "application_reply":
                await self._close(how, texts)
            case "nothing" if not self.has_left:
                await self._close(how, None)
            case "nothing":
                await self._close("interrupted", sums)
            case _:
                await self._close(how, sums)

    async def abandon(self) -> None:
        """Nobody takes any more of it. Raises AuditError."""
        if self._is_closed or (self.decision is None and not self._has_begun):
            return
        if self.decision is None:
            await self._conclude([one.of_left for one in self._sums])
        await self.close("nothing")

    async def _close(self, how: How, texts: Sequence[str] | None) -> None:
        self._is_closed, decision = True, self.decision
        await self._trail.close(
            Closed(
                record_id=self._record_id,
                at=datetime.now(UTC),
                how=how,
                delivered_digest=None if texts is None else self._trail.digest(texts),
                reply_key=decision.reply_key if decision and how in ("reply", "cut") else None,
            )
        )
        await self._budget.square()  # the call itself may be over before its stream
        if self._delivered is not None and how in ("judged", "reply"):
            await self._delivered([*self._turns(how)])

    def _turns(self, how: How) -> Iterator[Turn]:
        """What went out, up to a tool call: it comes as other texts than it is sent back as."""
        if how == "reply" and self.decision is not None:
            yield turn_of(Part(text=self.decision.text, role="assistant"))
            return
        for head, sum in zip(self._heads, self._sums, strict=True):
            part = head.part
            if head.is_json or part.kind not in ("text", "thinking"):
                return
            yield Turn(part.role, part.kind, part.name, sum.of_left)

    async def _conclude(self, sums: Sequence[str]) -> None:
        if self.decision is not None:
            return
        outcome = self._progress.outcome()
        decision = self._decision(outcome)
        keeps = decision.verdict is Verdict.ESCALATE or self._settings.audit_keeps == "redacted"
        record = opened(
            decision,
            judged=sums,
            parts=(*self._before, *self._progress.came()) if keeps else (),
            context=self._context,
            constitution=self._plan.constitution,
            trail=self._trail,
            settings=self._settings,
            left=sums if self._has_begun else (),
        )
        self.decision = decision  # a caller who is cancelled meanwhile takes no entry back
        try:
            await self._trail.open(record)
        except AuditError:
            self.decision = None
            raise
        if self._webhook is not None and decision.verdict is Verdict.ESCALATE:
            self._webhook.tell(record)

    def _decision(self, outcome: Outcome) -> Decision:
        reply = outcome.reply
        return Decision(
            verdict=outcome.verdict,
            cause=outcome.cause,
            constitution=self._pin(outcome),
            stage=Stage.OUTPUT,
            content=None if reply is None else reply.text,
            text="" if reply is None else reply.text,
            findings=outcome.findings,
            attempts=outcome.attempts,
            coverage=outcome.coverage,
            usage=outcome.usage,
            record_id=self._record_id,
            reply_key=None if reply is None else reply.key,
            repair=outcome.repair,
            released_before_breach=self._progress.released_before_breach,
        )

    def _pin(self, outcome: Outcome) -> ConstitutionPin:
        constitution = self._plan.constitution
        return ConstitutionPin(
            id=constitution.id,
            version=constitution.version,
            digest=constitution.digest,
            offline=self._plan.offline,
            models=outcome.models,
        )


def _outcome(decision: Decision) -> Outcome:
    """A reply that ends for one of its calls."""
    return Outcome(
        verdict=decision.verdict,
        cause=decision.cause,
        findings=tuple(replace(finding, part=None, span=None) for finding in decision.findings),
        content=None,
        reply=Reply(decision.reply_key or "blocked", decision.text),
        models=decision.constitution.models,
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
