"""What critics may see of an exchange: normalised, and for models without personal data."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

from guardrails.critic.protocol import Target
from guardrails.exchange import Part
from guardrails.text.normalise import View, is_plain, normalise
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


class _Normalised(Mapping[int, View]):
    """The readable parts normalised, each when somebody first looks at it: most critics without a
    model never look at what only helps to judge, and a conversation may be long."""

    __slots__ = ("_made", "_parts")

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._made: dict[int, View] = {}

    def __getitem__(self, index: int) -> View:
        view = self._made.get(index)
        if view is None:
            if index not in self:
                raise KeyError(index)
            view = self._made[index] = normalise(self._parts[index].text)
        return view

    def __contains__(self, index: object) -> bool:
        return (
            isinstance(index, int) and 0 <= index < len(self._parts) and self._parts[index].readable
        )

    def __iter__(self) -> Iterator[int]:
        return (index for index, part in enumerate(self._parts) if part.readable)

    def __len__(self) -> int:
        return sum(part.readable for part in self._parts)


class _Shown(Sequence[Part]):
    """The parts with the text that critics see, and without the keys that lead to it, which may be
    text, too."""

    __slots__ = ("_parts", "_views")

    def __init__(self, parts: Sequence[Part], views: Mapping[int, View]) -> None:
        self._parts, self._views = parts, views

    @overload
    def __getitem__(self, index: int) -> Part: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Part, ...]: ...
    def __getitem__(self, index: int | slice) -> Part | tuple[Part, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        part = self._parts[index]
        at = index if index >= 0 else index + len(self)
        return Part(
            text=self._views[at].text if part.readable else "",
            role=part.role,
            kind=part.kind,
            target=part.target,
            name=part.name,
        )

    def __len__(self) -> int:
        return len(self._parts)


class Views:
    """The readable parts of an exchange as critics see them, each with its way back.

    `shown` are all of them, `targets` those to be judged. `is_large`: whether to go through the
    targets in a thread, `is_long`: whether to go through all parts in one.
    """

    __slots__ = ("for_models", "is_large", "is_long", "parts", "shown", "targets", "views")

    def __init__(
        self, parts: tuple[Part, ...], views: Mapping[int, View], *, for_models: bool = False
    ) -> None:
        self.parts, self.views, self.for_models = parts, views, for_models
        self.shown: Sequence[Part] = _Shown(parts, views)
        self.targets = self.of([index for index, part in enumerate(parts) if part.target])
        self.is_large = _is_much([target.text for target in self.targets])
        self.is_long = _is_much([part.text for part in parts])

    def settle(self) -> None:
        """Make now what would be made when somebody first looks at it."""
        for index in self.views:
            self.views[index]

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


def _is_much(texts: Sequence[str]) -> bool:
    return len(texts) > OFF_LOOP_PARTS or sum(map(len, texts)) > OFF_LOOP_CHARACTERS


async def look_at(parts: Sequence[Part]) -> Views:
    """Normalise what is to be judged, off the loop where there is much of it."""
    foreign = ["" if is_plain(part.text) else part.text for part in parts if part.target]
    if _is_much(foreign):
        return await asyncio.to_thread(_looked_at, tuple(parts))
    return _looked_at(tuple(parts))


def _looked_at(parts: tuple[Part, ...]) -> Views:
    return Views(parts, _Normalised(parts))


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
