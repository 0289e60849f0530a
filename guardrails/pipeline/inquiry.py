"""What is known about one principle while critics are asked, and what follows at the end. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from guardrails.constitution.model import Tier
from guardrails.critic.protocol import CriticFinding, Critique
from guardrails.pipeline.decide import Observation
from guardrails.pipeline.matter import Matter
from guardrails.pipeline.plan import BoundCritic
from guardrails.verdict import FindingCause, FindingValue, Span, Verdict

__all__ = ["Conclusion", "Inquiry"]

ToOriginal = Callable[[int, Span], Span]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """`uncovered` when nobody who could have settled it was there to ask."""

    observations: tuple[Observation, ...] = ()
    uncovered: bool = False


NOTHING_TO_SAY = Conclusion()


class Inquiry:
    """One principle at one stage, from the first critic asked to the last."""

    __slots__ = (
        "_doubting", "breaches", "doubts", "looked", "looks", "matter", "passed", "settled",
    )  # fmt: skip

    def __init__(self, matter: Matter) -> None:
        self.matter = matter
        self.breaches: list[Observation] = []
        self.looks: list[Observation] = []
        self.looked: set[str] = set()
        self.passed = False
        self.doubts: list[Observation] = []
        """Of the dearest tier that was in doubt."""
        self.settled = False
        self._doubting: Tier | None = None

    def asks(self, tier: Tier, reached: Verdict) -> bool:
        """Whether to ask a critic of this tier: not once it is settled, not if the verdict reached
        refuses and this could not make it graver, not a judge that waits for a look."""
        if self.settled or (not reached.delivers and self.matter.gravest <= reached):
            return False
        return tier != "model" or bool(self.looks) or not self.matter.only_after_look

    def silent(self, bound: BoundCritic, cause: FindingCause) -> None:
        """The critic could not be heard."""
        self._doubt(bound, self._observation(bound.name, "undecided", cause))

    def hear(self, bound: BoundCritic, critique: Critique, to_original: ToOriginal) -> None:
        """Take in what a critic says about this principle."""
        id = self.matter.principle.id
        if not critique.findings and not critique.verdicts and bound.tier == "deterministic":
            if id in critique.looked:
                self.looked.add(bound.name)
            else:
                self.silent(bound, "silent")
            return
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
        return bound.name in self.matter.last_word

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
            return NOTHING_TO_SAY
        for name in self.matter.deterministic:
            if name not in self.looked:
                return self._undecided(name, "silent")
        return self._conclude_open(bound)

    def _conclude_open(self, bound: frozenset[str]) -> Conclusion:
        """All deterministic critics have looked and none objected."""
        last = self.matter.last_word
        if not last:
            return Conclusion(observations=tuple(self.looks)) if self.looks else NOTHING_TO_SAY
        if self.matter.only_after_look and not self.looks:
            return NOTHING_TO_SAY
        heard = [name for name in last if name in bound]
        if heard:
            return self._undecided(heard[-1], "silent")
        observations = list(self.looks)
        if self.matter.principle.uncovered != "accept":
            observations.append(self._observation(last[-1], "undecided", "uncovered"))
        return Conclusion(observations=tuple(observations), uncovered=True)

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
            about=self.matter.principle,
            critic=critic,
            value=value,
            cause=cause,
            part=finding.part if finding else None,
            span=span,
            reason=finding.reason if finding else "",
        )
