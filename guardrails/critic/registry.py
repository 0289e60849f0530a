"""The catalogue of critics: what the entry points `guardrails.critics` offer or is announced.

Entry points are read once, and again when a folder of `sys.path` has changed; a critic's module
only when a constitution names it.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Literal

from pydantic import Field

from guardrails.constitution.model import CriticConfig, Tier
from guardrails.critic.protocol import Critic
from guardrails.errors import CriticError

__all__ = ["GROUP", "CriticEntry", "CriticRegistry", "JudgeConfig", "ScreenConfig"]

GROUP = "guardrails.critics"


class JudgeConfig(CriticConfig):
    """`judge: {when: look}` asks only after a look; then no look is a pass."""

    when: Annotated[
        Literal["open", "look"],
        Field(description="open: whenever nothing cheaper settled it; look: only after a look."),
    ] = "open"


class ScreenConfig(CriticConfig):
    """The local screen takes no settings in a constitution yet."""


@dataclass(frozen=True, slots=True)
class CriticEntry:
    """A critic in the catalogue. `critic` is None for a name that is known but not installed."""

    name: str
    tier: Tier
    config: type[CriticConfig]
    critic: type[Critic] | None = None


ANNOUNCED: Mapping[str, CriticEntry] = {
    "judge": CriticEntry("judge", "model", JudgeConfig),
    "screen": CriticEntry("screen", "local", ScreenConfig),
}
"""Names that constitutions may use before anything answers to them: they stay uncovered."""


class CriticRegistry(Mapping[str, CriticEntry]):
    """Name → critic, loaded when first asked for.

    `extra` are critics given by the caller; they stand before installed ones of the same name.
    Looking up a name nobody offers raises KeyError; one that two packages offer, or whose package
    does not import, CriticError.
    """

    def __init__(self, extra: Iterable[type[Critic]] = ()) -> None:
        self._loaded = {critic.name: _entry(critic) for critic in extra}
        self._points: dict[str, dict[str, EntryPoint]] = {}
        for point in _offered(tuple(map(_dated, sys.path))):
            self._points.setdefault(point.name, {})[point.value] = point

    def __getitem__(self, name: str) -> CriticEntry:
        if name not in self._loaded:
            if name in self._points:
                self._loaded[name] = _entry(_load(_only(name, self._points[name])))
            elif name in ANNOUNCED:
                self._loaded[name] = ANNOUNCED[name]
            else:
                raise KeyError(name)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._loaded or name in self._points or name in ANNOUNCED

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._loaded, *self._points, *ANNOUNCED}))

    def __len__(self) -> int:
        return len(set(iter(self)))

    def meant(self, name: str) -> str | None:
        """The known name nearest to a misspelt one."""
        return next(iter(difflib.get_close_matches(name, list(self), n=1, cutoff=0.5)), None)


def _dated(place: str) -> tuple[str, int, int]:
    """Where packages may be, and when one last came or went there; zeros where nobody knows."""
    try:
        found = os.stat(place or os.curdir)
    except (OSError, ValueError):
        return place, 0, 0
    return place, found.st_ino, found.st_mtime_ns


@lru_cache(maxsize=4)
def _offered(places: tuple[tuple[str, int, int], ...]) -> tuple[EntryPoint, ...]:
    """The critics of installed packages: reading them anew reads a file of every package there."""
    return tuple(entry_points(group=GROUP))


def _entry(critic: type[Critic]) -> CriticEntry:
    return CriticEntry(critic.name, critic.tier, critic.Config, critic)


def _only(name: str, points: Mapping[str, EntryPoint]) -> EntryPoint:
    """Which of two is meant must not hang on the order of installed packages."""
    if len(points) > 1:
        offered = " and ".join(sorted(points))
        raise CriticError(f"two packages offer the critic {name!r} ({offered}); uninstall one")
    return next(iter(points.values()))


def _load(point: EntryPoint) -> type[Critic]:
    try:
        loaded = point.load()
    except Exception as error:  # a foreign package may fail in any way at import
        raise CriticError(
            f"the critic {point.name!r} ({point.value}) does not import: "
            f"{type(error).__name__}: {error}; repair or uninstall its package"
        ) from error
    missing = [
        name
        for name in ("name", "version", "tier", "Config", "bind", "need", "declared", "critique")
        if not hasattr(loaded, name)
    ]
    if missing or loaded.name != point.name:
        raise CriticError(
            f"the entry point {point.name!r} ({point.value}) is not a critic of that name; "
            f"expected the attributes of guardrails.critic.protocol.Critic"
            + (f", missing: {', '.join(missing)}" if missing else "")
        )
    critic: type[Critic] = loaded
    return critic
