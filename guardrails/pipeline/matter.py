"""One principle at one stage, as far as it is known before anything is judged. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from guardrails.constitution.model import Principle, Tier
from guardrails.critic.registry import JudgeConfig
from guardrails.exchange import Context
from guardrails.verdict import Stage, Verdict

__all__ = ["Matter", "applies", "only_after_look", "said_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """`breach` is the verdict that a breach leads to, `gravest` the gravest that the principle can
    lead to at all. `deterministic` critics have to look; those of `last_word`, the dearest tier
    named, have the final say, if there are any."""

    principle: Principle
    breach: Verdict
    gravest: Verdict
    deterministic: tuple[str, ...]
    last_word: tuple[str, ...]
    only_after_look: bool

    @classmethod
    def of(cls, principle: Principle, stage: Stage) -> Matter:
        breach, uncovered = Verdict.of(principle.actions[stage]), principle.uncovered
        return cls(
            principle=principle,
            breach=breach,
            gravest=max(
                breach,
                Verdict.of(principle.on_undecided),
                Verdict.of(principle.on_outage),
                Verdict.ALLOW if uncovered == "accept" else Verdict.of(uncovered),
            ),
            deterministic=_named(principle, "deterministic"),
            last_word=_named(principle, "model") or _named(principle, "local"),
            only_after_look=only_after_look(principle),
        )


def _named(principle: Principle, tier: Tier) -> tuple[str, ...]:
    return tuple(use.name for use in principle.critics if use.tier == tier)


def only_after_look(principle: Principle) -> bool:
    """Whether the judge is asked about this principle only when a cheaper critic said look."""
    use = principle.critic("judge")
    return use is not None and isinstance(use.config, JudgeConfig) and use.config.when == "look"


def applies(principle: Principle, context: Context) -> bool:
    """Whether a principle holds for this caller. An attribute that is not said is a match."""
    for attribute, wanted in principle.applies.items():
        said = context.attributes.get(attribute) or ()
        given = _folded((said,) if isinstance(said, str) else said)
        if given and not given & _folded(wanted):
            return False
    return True


def said_of(context: Context) -> list[tuple[str, list[str]]]:
    """The caller's attributes: the same for whom all principles hold alike."""
    said = context.attributes.items()
    several = ((name, (of,) if isinstance(of, str) else of) for name, of in said)
    return sorted((name, sorted(_folded(values))) for name, values in several)


def _folded(values: Iterable[str]) -> set[str]:
    """Letter case and blanks around a value are nobody's intention to leave a principle out."""
    return {value.strip().casefold() for value in values}
