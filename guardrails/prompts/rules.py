"""Principles in words for a model: the same words wherever they are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from guardrails.constitution.model import Example, Principle

__all__ = ["MOST_EXAMPLES", "examples_in_words", "fixed_examples", "in_words", "near_examples"]

MOST_EXAMPLES = 5
"""Few and good ones say more than many; more also drown what follows them."""

GRAM = 4


def in_words(principle: Principle) -> str:
    """A principle as a model is told of it, with its examples if they are few."""
    lines = [f"## {principle.id}", principle.text]
    if principle.breach:
        lines.append(f"Breach: {principle.breach}")
    if principle.not_breach:
        lines.append(f"No breach: {principle.not_breach}")
    if principle.requires:
        lines.append(
            "It asks for something to be there: it is breached where that is missing, and a breach "
            "has no quote."
        )
    return "\n".join([*lines, *examples_in_words(*fixed_examples(principle))])


Sides = tuple[Sequence[Example], Sequence[Example]]
"""Breaches, and texts that are none."""


def fixed_examples(principle: Principle) -> Sides:
    """The examples that are told each time: all of them, if they are few. Of many, those near to
    the case are chosen for it, and so cannot be told beforehand."""
    both = (*principle.breach_examples, *principle.fine_examples)
    if len(both) > MOST_EXAMPLES:
        return (), ()
    return principle.breach_examples, principle.fine_examples


def near_examples(principle: Principle, text: str) -> Sides:
    """Of many examples those that share most with a text, both sides of the boundary."""
    if fixed_examples(principle) != ((), ()):
        return (), ()
    seen = _grams(text[:20_000])

    def near(example: Example) -> float:
        grams = _grams(f"{example.prompt or ''} {example.reply}")
        return sum(min(n, seen[gram]) for gram, n in grams.items()) / (grams.total() or 1)

    half = MOST_EXAMPLES // 2
    fine = sorted(principle.fine_examples, key=near, reverse=True)[:half]
    breach = sorted(principle.breach_examples, key=near, reverse=True)[: MOST_EXAMPLES - len(fine)]
    return breach, fine


def examples_in_words(breach: Iterable[Example], fine: Iterable[Example]) -> list[str]:
    return [
        *(f"- breach: {_example(example)}" for example in breach),
        *(f"- no breach: {_example(example)}" for example in fine),
    ]


def _example(example: Example) -> str:
    reply = " ".join(example.reply.split())
    if example.prompt is None:
        return reply
    return f"(asked: {' '.join(example.prompt.split())}) {reply}"


def _grams(text: str) -> Counter[str]:
    folded = "".join(filter(str.isalnum, text.casefold()))
    return Counter(folded[at : at + GRAM] for at in range(max(1, len(folded) - GRAM + 1)))
