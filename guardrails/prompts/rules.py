"""Principles in words for a model: the same words wherever they are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache

from guardrails.constitution.model import Example, Principle
from guardrails.prompts.walls import harmless

__all__ = [
    "MOST_EXAMPLES",
    "examples_in_words",
    "fixed_examples",
    "grams",
    "in_words",
    "near_examples",
]

MOST_EXAMPLES = 5
"""Few and good ones say more than many; more also drown what follows them."""

GRAM = 4
LOOKED_AT = 20_000
"""Characters that are looked at for what is near: two milliseconds' worth."""


def in_words(principle: Principle) -> str:
    """A principle as a model is told of it, with its examples if they are few. What is quoted in
    it, such as an attack, is made as harmless as in a judged text."""
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
    told = harmless("\n".join(lines))
    return "\n".join([told, *examples_in_words(*fixed_examples(principle))])


Sides = tuple[Sequence[Example], Sequence[Example]]
"""Breaches, and texts that are none."""


def fixed_examples(principle: Principle) -> Sides:
    """The examples that are told each time: all of them, if they are few. Of many, those near to
    the case are chosen for it, and so cannot be told beforehand: a model follows an example that
    is like its case best, and what that costs is the price of not caching them. Source: Liu et
    al., "What Makes Good In-Context Examples for GPT-3?", 2022."""
    both = (*principle.breach_examples, *principle.fine_examples)
    if len(both) > MOST_EXAMPLES:
        return (), ()
    return principle.breach_examples, principle.fine_examples


def near_examples(principle: Principle, seen: AbstractSet[str]) -> Sides:
    """Of many examples those that share most with a text, of which `seen` are the `grams`; both
    sides of the boundary, whatever the text is like."""
    if fixed_examples(principle) != ((), ()):
        return (), ()

    def near(example: Example) -> float:
        own = _of_example(f"{example.prompt or ''} {example.reply}")
        return len(own & seen) / (len(own) or 1)

    few = max(MOST_EXAMPLES // 2, MOST_EXAMPLES - len(principle.breach_examples))
    fine = sorted(principle.fine_examples, key=near, reverse=True)[:few]
    breach = sorted(principle.breach_examples, key=near, reverse=True)[: MOST_EXAMPLES - len(fine)]
    return breach, fine


def examples_in_words(breach: Iterable[Example], fine: Iterable[Example]) -> list[str]:
    return [
        *(f"- breach: {_example(example)}" for example in breach),
        *(f"- no breach: {_example(example)}" for example in fine),
    ]


def _example(example: Example) -> str:
    reply = harmless(" ".join(example.reply.split()))
    if example.prompt is None:
        return reply
    return f"(asked: {harmless(' '.join(example.prompt.split()))}) {reply}"


def grams(text: str) -> frozenset[str]:
    """The runs of four letters or digits of a text's beginning."""
    folded = "".join(filter(str.isalnum, text[:LOOKED_AT].casefold()))
    return frozenset(folded[at : at + GRAM] for at in range(max(1, len(folded) - GRAM + 1)))


@lru_cache(maxsize=4_096)
def _of_example(text: str) -> frozenset[str]:
    """A constitution's own words: no text of a user is kept here."""
    return grams(text)
