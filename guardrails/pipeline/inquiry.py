"""What is known about one principle while critics are asked, and what follows at the end. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from guardrails.constitution.model import Principle, Tier
from guardrails.critic.protocol import CriticFinding, Critique
from guardrails.pipeline.decide import Observation
from guardrails.pipeline.plan import BoundCritic, only_after_look
from guardrails.verdict import FindingCause, FindingValue, Span, Stage, Verdict

__all__ = ["Conclusion", "Inquiry"]

ToOriginal = Callable[[int, Span], Span]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """`uncovered` when nobody who could have settled it was there to ask."""

    observations: tuple[Observation, ...] = ()
    uncovered: bool = False


@dataclass(slots=True)
class Inquiry:
    """One principle at one stage, from the first critic asked to the last."""

    principle: Principle
    stage: Stage
    breaches: list[Observation] = field(default_factory=list)
    looks: list[Observation] = field(default_factory=list)
    looked: set[str] = field(default_factory=set)
    passed: bool = False
    doubts: list[Observation] = field(default_factory=list)
    """Of the dearest tier that was in doubt."""
    settled: bool = False
    _doubting: Tier | None = None

    @property
    def gravest(self) -> Verdict:
        """The gravest verdict that this principle can still lead to."""
        principle = self.principle
        return max(
            Verdict.of(principle.actions[self.stage]),
            Verdict.of(principle.on_undecided),
            Verdict.of(principle.on_outage),
            Verdict.ALLOW if principle.uncovered == "accept" else Verdict.of(principle.uncovered),
        )

    def asks(self, tier: Tier, reached: Verdict) -> bool:
        """Whether to ask a critic of this tier: not once it is settled, not if the verdict reached
        refuses and this could not make it graver, not a judge that waits for a look."""
        if self.settled or (reached >= Verdict.BLOCK and self.gravest <= reached):
            return False
        return tier != "model" or bool(self.looks) or not only_after_look(self.principle)

    def silent(self, bound: BoundCritic, cause: FindingCause) -> None:
        """The critic could not be heard."""
        self._doubt(bound, self._observation(bound.name, "undecided", cause))

    def hear(self, bound: BoundCritic, critique: Critique, to_original: ToOriginal) -> None:
        """Take in what a critic says about this principle."""
        id = self.principle.id
        verdict = critique.verdicts.get(id)
        own = [finding for finding in critique.findings if finding.principle == id]
        if id in critique.looked or verdict is not None:
            self.looked.add(bound.name)
        for finding in own:
            self._note(bound, finding, to_original)
        if verdict == "breach" and not self.breaches:
            self.breaches.append(self._observation(bound.name, "breach", "policy"))
        elif verdict == "undecided" and all(finding.value != "undecided" for finding in own):
            self.silent(bound, "unsure")
        elif verdict == "pass":
            self._pass(bound.tier)
        elif verdict is None and not own and self._must_speak(bound):
            self.silent(bound, "silent")

    def _must_speak(self, bound: BoundCritic) -> bool:
        """A deterministic critic has only to look; whoever has the last word, to say one."""
        if bound.tier == "deterministic":
            return bound.name not in self.looked
        return bound.name in self._last_word()

    def _note(self, bound: BoundCritic, finding: CriticFinding, to_original: ToOriginal) -> None:
        critic, span = bound.name, finding.span
        seen = not finding.of_original or bound.tier == "model"  # models see no original
        if seen and span is not None and finding.part is not None:
            span = to_original(finding.part, span)
        match finding.value:
            case "breach":
                self.breaches.append(self._observation(critic, "breach", "policy", finding, span))
            case "look":
                self.looks.append(self._observation(critic, "look", "look", finding, span))
            case "undecided":
                cause = "unsure" if finding.cause == "policy" else finding.cause
                self._doubt(bound, self._observation(critic, "undecided", cause, finding, span))

    def _doubt(self, bound: BoundCritic, doubt: Observation) -> None:
        """A dearer tier's doubt takes the place of a cheaper one's; those of one tier all count."""
        if self._doubting != bound.tier:
            self.doubts, self._doubting = [], bound.tier
        self.doubts.append(doubt)

    def _pass(self, tier: Tier) -> None:
        # The judge sees everything, so its pass answers a cheaper critic's look or doubt;
        # anybody else's pass does not, nor does the judge's answer another model's doubt.
        if tier == "model":
            self.looks, self.passed = [], True
            if self._doubting != "model":
                self.doubts = []
        elif not self.looks:
            self.passed = True

    def settle(self, tier: Tier) -> None:
        """Close what is answered now. A deterministic critic's failure is final: what must not
        fail needs no model, so a judge's word cannot stand in for it."""
        self.settled = (
            bool(self.breaches)
            or (bool(self.doubts) and tier == "deterministic")
            or (self.passed and not self.doubts and not self.looks)
        )

    def conclude(self, bound: frozenset[str], *, moot: bool) -> Conclusion:
        """What remains to be said. `bound` names the critics that were there to be asked; a moot
        principle was left unasked because the verdict could not get graver."""
        if self.breaches:
            return Conclusion(observations=tuple(self.breaches))
        if self.doubts:
            return Conclusion(observations=(*self.looks, *self.doubts))
        if self.settled or moot:
            return Conclusion()
        unheard = [
            use.name
            for use in self.principle.critics
            if use.tier == "deterministic" and use.name not in self.looked
        ]
        if unheard:
            return self._undecided(unheard[0], "silent")
        return self._conclude_open(bound)

    def _conclude_open(self, bound: frozenset[str]) -> Conclusion:
        """All deterministic critics have looked and none objected."""
        last = self._last_word()
        if not last:
            return Conclusion(observations=tuple(self.looks))
        if only_after_look(self.principle) and not self.looks:
            return Conclusion()
        heard = [name for name in last if name in bound]
        if heard:
            return self._undecided(heard[-1], "silent")
        observations = list(self.looks)
        if self.principle.uncovered != "accept":
            observations.append(self._observation(last[-1], "undecided", "uncovered"))
        return Conclusion(observations=tuple(observations), uncovered=True)

    def _last_word(self) -> list[str]:
        """The critics of the dearest tier named: theirs is the last word."""
        for tier in ("model", "local"):
            names = [use.name for use in self.principle.critics if use.tier == tier]
            if names:
                return names
        return []

    def _undecided(self, critic: str, cause: FindingCause) -> Conclusion:
        doubt = self._observation(critic, "undecided", cause)
        return Conclusion(observations=(*self.looks, doubt))

    def _observation(
        self,
        critic: str,
        value: FindingValue,
        cause: FindingCause,
        finding: CriticFinding | None = None,
        span: Span | None = None,
    ) -> Observation:
        return Observation(
            about=self.principle,
            critic=critic,
            value=value,
            cause=cause,
            part=finding.part if finding else None,
            span=span,
            reason=finding.reason if finding else "",
        )
