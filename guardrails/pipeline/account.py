"""What the judgements of one reply come to, taken together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from guardrails.pipeline.engine import Outcome
from guardrails.pipeline.tiers import Judgement
from guardrails.verdict import (
    NOTHING_USED,
    Attempt,
    Cause,
    Coverage,
    Finding,
    Repair,
    Span,
    Usage,
    Verdict,
)

__all__ = ["Account", "Place", "PlaceOf"]

Place = tuple[int, int]
"""A text of the reply, and one of its parts."""

PlaceOf = Callable[[int], Place | None]
"""Where a part of what was judged stands in the reply."""


class Account:
    """The sum of several judgements. A finding that is seen again counts once."""

    def __init__(self) -> None:
        self.verdict = Verdict.ALLOW
        self.usage = NOTHING_USED
        self.elapsed_s = 0.0
        """What it took beyond what `usage` tells of."""
        self.models: dict[str, str] = {}
        self._causes: dict[Verdict, Cause] = {}
        self._findings: dict[tuple[object, ...], tuple[Finding, Place | None]] = {}
        self._attempts: list[tuple[Attempt, PlaceOf]] = []
        self._uncovered: dict[str, None] = {}
        self._unjudged: dict[Place, None] = {}
        self._windows = self._left_out = 0
        self._repair: Repair | None = None

    def seen(self, judgement: Judgement, place_of: PlaceOf) -> None:
        self.usage += judgement.usage
        self.models.update(judgement.models)
        self._cover(judgement.coverage, place_of)

    def made(self, outcome: Outcome, place_of: PlaceOf) -> None:
        """All of an outcome but its findings, which must be placed."""
        self.usage += replace(outcome.usage, latency_ms=0.0)
        self.models.update(outcome.models)
        self._cover(outcome.coverage, place_of)
        self._attempts += [(attempt, place_of) for attempt in outcome.attempts]
        self.ruled(outcome.verdict, outcome.cause)
        self._repair = outcome.repair or self._repair

    def ruled(self, verdict: Verdict, cause: Cause | None) -> None:
        if cause is not None:
            self._causes.setdefault(verdict, cause)
        self.verdict = max(self.verdict, verdict)

    def found(self, finding: Finding, place: Place | None, span: Span | None) -> None:
        """A finding, in the coordinates of what came."""
        known = (finding.principle, finding.critic, finding.value, finding.cause, place, span)
        placed = replace(finding, part=None, span=span)
        self._findings.setdefault(known, (placed, place))

    def outcome(self, index: Mapping[int, int], last: Outcome | None, before: int) -> Outcome:
        """All of it. `index` is of each text the number of its first part among the exchange's,
        `last` what ended the reply before its time."""

        def of(place: Place | None) -> int | None:
            return None if place is None else index.get(place[0], before) + place[1]

        def placed(attempt: Attempt, place_of: PlaceOf) -> Attempt:
            edits = tuple(replace(e, part=of(place_of(e.part)) or e.part) for e in attempt.edits)
            return replace(attempt, edits=edits)

        verdict, cause = self.verdict, self._causes.get(self.verdict)
        return Outcome(
            verdict=verdict,
            cause=None if verdict is Verdict.ALLOW else cause,
            findings=tuple(replace(f, part=of(p)) for f, p in self._findings.values()),
            content=None,
            reply=None if last is None else last.reply,
            attempts=tuple(placed(*attempt) for attempt in self._attempts),
            coverage=Coverage(
                uncovered=tuple(self._uncovered),
                windows=self._windows,
                unjudged_parts=tuple(sorted(of(place) or 0 for place in self._unjudged)),
                left_out=self._left_out,
            ),
            usage=self.usage + Usage(latency_ms=self.elapsed_s * 1000),
            models=self.models,
            repair=self._repair,
        )

    def _cover(self, coverage: Coverage, place_of: PlaceOf) -> None:
        for part in coverage.unjudged_parts:
            if (place := place_of(part)) is not None:
                self._unjudged[place] = None
        self._uncovered |= dict.fromkeys(coverage.uncovered)
        self._windows = max(self._windows, coverage.windows)
        self._left_out = max(self._left_out, coverage.left_out)
