"""What critics may see of an exchange: normalised, and for models without personal data."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from guardrails.critic.protocol import Target
from guardrails.exchange import Part
from guardrails.text.normalise import View, normalise
from guardrails.verdict import Span

__all__ = ["Hidden", "Views", "look_at"]

OFF_LOOP_CHARACTERS = 50_000
OFF_LOOP_PARTS = 200
"""More, all parts together, is normalised and scanned in a thread: some milliseconds would hold up
the loop."""

_PLACEHOLDER = re.compile(r"\[(?=[A-Z][A-Z_]{0,60}_[0-9]{1,9}\])")
"""What our own placeholders look like; found in judged text it is escaped, so that nobody can
pass off a text as hidden data. Bounded, so linear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A span of a view that models must not see."""

    part: int
    span: Span
    entity: str


class Views:
    """The readable parts of an exchange as critics see them, each with its way back.

    `shown` are the parts with the text that critics see, and without the keys that lead to it,
    which may be text, too; `targets` are those to be judged. `is_large`: whether to go through all
    of it in a thread.
    """

    __slots__ = ("for_models", "is_large", "parts", "shown", "targets", "views")

    def __init__(
        self, parts: tuple[Part, ...], views: Mapping[int, View], *, for_models: bool = False
    ) -> None:
        self.parts, self.views, self.for_models = parts, views, for_models
        self.is_large = len(parts) > OFF_LOOP_PARTS or (
            sum([len(part.text) for part in parts]) > OFF_LOOP_CHARACTERS
        )
        self.shown = tuple(
            [
                _shown(part, views[index].text if index in views else "")
                for index, part in enumerate(parts)
            ]
        )
        self.targets = self.of(index for index, part in enumerate(parts) if part.target)

    def of(self, indexes: Iterable[int]) -> tuple[Target, ...]:
        """Those of the parts that can be read, as a critic sees them."""
        return tuple(
            self._target(index, self.views[index]) for index in indexes if index in self.views
        )

    def _target(self, index: int, view: View) -> Target:
        original = view.text if self.for_models else view.original
        return Target(part=index, text=view.text, original=original)

    def without(self, hidden: Iterable[Hidden]) -> Views:
        """These views with personal data replaced by `[ENTITY_n]`: one number per value, counted
        through the exchange in the order of the text."""
        by_part: dict[int, list[Hidden]] = {}
        for item in hidden:
            by_part.setdefault(item.part, []).append(item)
        numbers: dict[tuple[str, str], int] = {}
        counts: dict[str, int] = {}
        views: dict[int, View] = {}
        for index, view in self.views.items():
            edits: list[tuple[Span, str]] = []
            for item in _disjoint(by_part.get(index, [])):
                key = (item.entity, view.text[slice(*item.span)])
                if key not in numbers:
                    counts[item.entity] = numbers[key] = counts.get(item.entity, 0) + 1
                edits.append((item.span, f"[{item.entity}_{numbers[key]}]"))
            edits += _escapes(view.text, [span for span, _ in edits])
            views[index] = view.replace(sorted(edits)) if edits else view
        return Views(self.parts, views, for_models=True)


def _shown(part: Part, text: str) -> Part:
    return Part(text=text, role=part.role, kind=part.kind, target=part.target, name=part.name)


async def look_at(parts: Sequence[Part]) -> Views:
    """Normalise every readable part, off the loop where there is much of them."""
    foreign = sum(len(part.text) for part in parts if not part.text.isascii())
    if len(parts) > OFF_LOOP_PARTS or foreign > OFF_LOOP_CHARACTERS:
        return await asyncio.to_thread(_looked_at, tuple(parts))
    return _looked_at(tuple(parts))


def _looked_at(parts: tuple[Part, ...]) -> Views:
    readable = ((index, part) for index, part in enumerate(parts) if part.readable)
    return Views(parts, {index: normalise(part.text) for index, part in readable})


def _disjoint(hidden: Iterable[Hidden]) -> list[Hidden]:
    """Overlapping spans joined under the first one's entity, in order."""
    joined: list[Hidden] = []
    for item in sorted(hidden, key=lambda item: (item.span[0], -item.span[1])):
        if joined and item.span[0] < joined[-1].span[1]:
            end = max(joined[-1].span[1], item.span[1])
            joined[-1] = replace(joined[-1], span=(joined[-1].span[0], end))
        else:
            joined.append(item)
    return joined


def _escapes(text: str, taken: Sequence[Span]) -> list[tuple[Span, str]]:
    """`taken`, in order and apart, are replaced anyway."""
    ends = [end for _, end in taken]
    escapes: list[tuple[Span, str]] = []
    for match in _PLACEHOLDER.finditer(text):
        after = bisect_left(ends, match.start() + 1)  # the first that ends behind its begin
        if after == len(taken) or taken[after][0] >= match.end():
            escapes.append((match.span(), "\\["))
    return escapes
