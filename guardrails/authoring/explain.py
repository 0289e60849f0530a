"""Who saw what in a text, which principles that settled, and what a judge would be asked.

The engine's own tiers look, once without any model and once with stand-ins in the models' places
that only note what they are asked; nothing is sent, and nothing goes on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from guardrails.audit.trail import MemoryTrail
from guardrails.authoring.because import Because, Causes
from guardrails.authoring.places import Places
from guardrails.constitution.model import Constitution, Example, Principle, Tier
from guardrails.critic.limits import BudgetHandle
from guardrails.critic.protocol import (
    Critic,
    CriticFinding,
    Critique,
    CritiqueRequest,
    Declared,
    Need,
    Resources,
    Rule,
    Whole,
)
from guardrails.critic.registry import CriticRegistry
from guardrails.exchange import Call, Context, Part
from guardrails.guard import Guard
from guardrails.guard.content import ToolCall, read_content
from guardrails.pipeline.calls import calls_in, moved
from guardrails.pipeline.decide import Observation
from guardrails.pipeline.matter import applies, only_after_look
from guardrails.pipeline.plan import Plan, make_plan
from guardrails.pipeline.tiers import Judgement, judge
from guardrails.settings import Settings, load_settings
from guardrails.text.normalise import normalise
from guardrails.verdict import Decision, Span, Stage

__all__ = ["Explanation", "Heard", "Note", "Question", "Seen", "Standing", "State", "explain"]

State = Literal["breach", "undecided", "open", "passed", "moot", "not_for_caller"]
"""`open`: only somebody who was not asked can settle it. `moot`: the verdict could not have got
graver, so nobody was asked any more."""

EXAMPLES = 5
"""So many of each side at most are shown to a judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A judged part: as it came, as critics see it, and as a model would, personal data hidden."""

    part: int
    original: str = field(repr=False)
    normalised: str = field(repr=False)
    for_models: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that a critic saw. `span` is of the original text; `excepted` is a hit that an
    `unless` excuses."""

    principle: str
    value: Literal["breach", "look", "undecided", "excepted"]
    part: int | None
    span: Span | None
    reason: str = field(repr=False)
    because: tuple[Because, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One critic: whom it was asked about, what it saw, and whom it passed. `failed` names the
    error that it raised."""

    tier: Tier
    critic: str
    asked: tuple[str, ...]
    notes: tuple[Note, ...] = ()
    passed: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What became of one principle, and through whom. `look`: somebody asks for a judge."""

    principle: str
    state: State
    by: tuple[str, ...] = ()
    look: bool = False
    origin: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A principle as a model would be asked about it."""

    critic: str
    principle: str
    text: str
    breach: str | None
    not_breach: str | None
    breach_examples: tuple[Example, ...]
    fine_examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All of it. `decision` is what follows without any model."""

    stage: Stage
    seen: tuple[Seen, ...]
    heard: tuple[Heard, ...]
    principles: tuple[Standing, ...]
    questions: tuple[Question, ...]
    decision: Decision


async def explain(
    constitution: Constitution,
    parts: Sequence[Part],
    *,
    stage: Stage,
    context: Context = Context(),
    critics: Iterable[type[Critic]] = (),
    call: ToolCall | None = None,
) -> Explanation:
    """Judge the targets among `parts` and keep all that is said on the way.

    With a `call`, that is judged, and the parts are what came before it; none: nobody says what
    did. `critics` stand before installed ones. Raises what `Guard.load` raises, and WireFormatError
    for a call that is too deep or too large to be read.
    """
    settings = load_settings().model_copy(update={"audit": "memory"})
    guard = Guard.load(
        constitution, offline=True, settings=settings, critics=critics, trail=MemoryTrail()
    )
    given, calls = (*parts,), calls_in(parts)
    if call is not None:
        content = await read_content(call, stage, constitution.budget.max_chars)
        given, calls = (*parts, *content.parts), moved(content.calls, len(parts))
    bench = _Bench(constitution, given, calls, stage, context, tuple(critics), settings)
    log: list[_Entry] = []
    judgement = await bench.offline(log)
    asked = await bench.asked()
    decision = await (
        guard.check(list(parts), stage=stage, context=context)
        if call is None
        else guard.check_tool_call(
            call.name, call.arguments, prompt=list(parts) or None, context=context
        )
    )
    causes = Causes(CriticRegistry(critics), Places(constitution, settings.constitutions))
    return Explanation(
        stage=stage,
        seen=tuple(bench.seen(asked)),
        heard=tuple([await _heard(entry, bench, causes) for entry in log]),
        principles=tuple(bench.standings(judgement, asked, log)),
        questions=tuple(_questions(constitution, asked)),
        decision=replace(decision, record_id=""),  # there is none
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """One question to a critic, and what came of it."""

    critic: Critic
    request: CritiqueRequest
    answer: Critique | None
    failed: str = ""


class _Noting:
    """A critic of which every word is kept."""

    def __init__(self, critic: Critic, log: list[_Entry]) -> None:
        self._critic, self._log = critic, log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._critic, name)

    def critique_now(self, request: CritiqueRequest) -> None:
        """Its word is waited for, and so is kept."""

    async def critique(self, request: CritiqueRequest) -> Critique:
        try:
            answer = await self._critic.critique(request)
        except Exception as error:
            self._log.append(_Entry(self._critic, request, None, type(error).__name__))
            raise
        told = answer if isinstance(answer, Critique) else None
        self._log.append(_Entry(self._critic, request, told, "" if told else "no critique"))
        return answer


class _StandIn:
    """In a model's place: lets everything pass, and keeps what it was asked."""

    name = ""
    version = "stand-in"
    tier: Tier = "model"
    log: list[_Entry]

    @classmethod
    def bind(cls, rules: Sequence[Rule], resources: Resources) -> _StandIn:
        return cls()

    def need(self, stage: Stage) -> Need:
        return Whole()

    def declared(self) -> Sequence[Declared]:
        return ()

    async def critique(self, request: CritiqueRequest) -> Critique:
        answer = Critique(
            looked=frozenset(request.asked), verdicts=dict.fromkeys(request.asked, "pass")
        )
        self.log.append(_Entry(cast("Critic", self), request, answer))
        return answer


@dataclass(frozen=True, slots=True)
class _Bench:
    """One text under one constitution."""

    constitution: Constitution
    parts: Sequence[Part]
    calls: tuple[Call, ...]
    stage: Stage
    context: Context
    critics: tuple[type[Critic], ...]
    settings: Settings

    async def offline(self, log: list[_Entry]) -> Judgement:
        """Without any model; what critics are asked about the targets is noted in `log`."""
        registry = CriticRegistry(self.critics)
        plan = self._plan(registry, offline=True)
        stage = plan.stages[self.stage]
        noting = tuple(
            replace(bound, critic=cast("Critic", _Noting(bound.critic, log)))
            for bound in stage.critics
        )
        stages = {**plan.stages, self.stage: replace(stage, critics=noting)}
        return await self._judge(replace(plan, stages=stages))

    async def asked(self) -> list[_Entry]:
        """What models would be asked if all that is asked passed."""
        registry = CriticRegistry(self.critics)
        log: list[_Entry] = []
        names = dict.fromkeys(
            use.name
            for principle in self.constitution.principles
            for use in principle.critics
            if use.tier == "model"
        )
        stand_ins = [
            type(
                "StandIn", (_StandIn,), {"name": name, "Config": registry[name].config, "log": log}
            )
            for name in names
        ]
        others = [critic for critic in self.critics if critic.name not in names]
        await self._judge(
            self._plan(
                CriticRegistry([*others, *cast("list[type[Critic]]", stand_ins)]), offline=False
            )
        )
        return log

    def _plan(self, registry: CriticRegistry, *, offline: bool) -> Plan:
        return make_plan(
            self.constitution, registry=registry, settings=self.settings, offline=offline
        )

    async def _judge(self, plan: Plan) -> Judgement:
        limits = self.constitution.budget
        budget = BudgetHandle(
            deadline_s=limits.deadline_s,
            max_chars=limits.max_chars,
            max_calls=limits.max_calls,
            max_tokens=limits.max_tokens,
        )
        return await judge(
            plan,
            self.parts,
            stage=self.stage,
            context=self.context,
            budget=budget,
            deadline=budget.deadline(),
            calls=self.calls,
        )

    def seen(self, asked: Sequence[_Entry]) -> Iterator[Seen]:
        shown = {t.part: t.text for entry in asked for t in entry.request.targets}
        for index, part in enumerate(self.parts):
            if part.target and part.readable:
                yield Seen(
                    part=index,
                    original=part.text,
                    normalised=normalise(part.text).text,
                    for_models=shown.get(index),
                )

    def standings(
        self, judgement: Judgement, asked: Sequence[_Entry], log: Sequence[_Entry]
    ) -> Iterator[Standing]:
        told: dict[str, list[Observation]] = {}
        for observed in judgement.observations:
            if isinstance(observed.about, Principle):
                told.setdefault(observed.about.id, []).append(observed)
        would = {id for entry in asked for id in entry.request.asked}
        for principle in self.constitution.at(self.stage):
            own = told.get(principle.id, [])
            state, by = self._state(principle, own, judgement, principle.id in would, log)
            yield Standing(
                principle=principle.id,
                state=state,
                by=tuple(dict.fromkeys(by)),
                look=any(observed.value == "look" for observed in own),
                origin=principle.origin,
                place=principle.place,
            )

    def _state(
        self,
        principle: Principle,
        own: Sequence[Observation],
        judgement: Judgement,
        asked: bool,
        log: Sequence[_Entry],
    ) -> tuple[State, list[str]]:
        id = principle.id
        if not applies(principle, self.context):
            return "not_for_caller", []
        if breaches := [o.critic for o in own if o.value == "breach"]:
            return "breach", breaches
        if id in judgement.coverage.uncovered:
            return "open", [use.name for use in principle.critics if use.tier == "model"]
        if doubts := [o.critic for o in own if o.value == "undecided"]:
            return "undecided", doubts
        answers = [entry for entry in log if entry.answer is not None]
        if passed := [e.critic.name for e in answers if _passed(e, id)]:
            return "passed", passed
        judged = any(use.tier != "deterministic" for use in principle.critics)
        if judged and not asked and not only_after_look(principle):
            return "moot", []
        return "passed", [e.critic.name for e in answers if id in e.request.asked]


def _passed(entry: _Entry, id: str) -> bool:
    return entry.answer is not None and entry.answer.verdicts.get(id) == "pass"


async def _heard(entry: _Entry, bench: _Bench, causes: Causes) -> Heard:
    request, answer = entry.request, entry.answer
    notes: list[Note] = []
    rules = {principle.id: principle for principle in bench.constitution.principles}
    for finding in () if answer is None else answer.findings:
        because = await causes.of(entry.critic, rules[finding.principle], finding, request)
        notes.append(_note(finding, bench.parts, because))
    for id in request.asked if entry.critic.name == "pattern" else ():
        for finding, because in causes.excepted(rules[id], request):
            notes.append(_note(finding, bench.parts, because, excepted=True))
    return Heard(
        tier=entry.critic.tier,
        critic=entry.critic.name,
        asked=request.asked,
        notes=tuple(sorted(notes, key=lambda note: (note.part or 0, note.span or (0, 0)))),
        passed=tuple(id for id in request.asked if _passed(entry, id)),
        failed=entry.failed,
    )


def _note(
    finding: CriticFinding,
    parts: Sequence[Part],
    because: Sequence[Because],
    *,
    excepted: bool = False,
) -> Note:
    span = finding.span
    if span is not None and finding.part is not None and not finding.of_original:
        span = normalise(parts[finding.part].text).to_original(span)
    return Note(
        principle=finding.principle,
        value="excepted" if excepted else cast("Any", finding.value),
        part=finding.part,
        span=span,
        reason=finding.reason,
        because=tuple(because),
    )


def _questions(constitution: Constitution, asked: Sequence[_Entry]) -> Iterator[Question]:
    """In declared order, as they stand before a judge."""
    for entry in asked:
        for principle in constitution.principles:
            if principle.id in entry.request.asked:
                yield Question(
                    critic=entry.critic.name,
                    principle=principle.id,
                    text=principle.text,
                    breach=principle.breach,
                    not_breach=principle.not_breach,
                    breach_examples=principle.breach_examples[:EXAMPLES],
                    fine_examples=principle.fine_examples[:EXAMPLES],
                )
