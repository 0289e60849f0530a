"""Which of two values is the stricter one: scales, limits, lists, and what critics are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from guardrails.constitution.model import Principle
from guardrails.constitution.tool_merge import narrows
from guardrails.constitution.tool_names import covered
from guardrails.verdict import Action

__all__ = [
    "ACTIONS",
    "ROLES",
    "ConfigChange",
    "Strictness",
    "compared_config",
    "compared_critics",
    "larger",
    "more_than",
    "more_tools",
    "on_scale",
    "smaller",
]

Strictness = Literal["relaxed", "tightened", "changed"]
Stricter = Literal["more", "fewer"]

ACTIONS: tuple[Any, ...] = get_args(Action)
"""Mildest first."""

ROLES = ("small", "medium", "large")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """One thing that a critic is told otherwise."""

    key: str
    effect: Strictness
    was: Any
    now: Any


def on_scale(scale: Sequence[Any], was: Any, now: Any) -> Strictness:
    """On a scale that begins with what is mildest; what is not on it cannot be weighed."""
    if was not in scale or now not in scale or was == now:
        return "changed"
    return "tightened" if scale.index(was) < scale.index(now) else "relaxed"


def smaller(was: float | None, now: float | None) -> Strictness:
    """A limit: the smaller the stricter, and none is the mildest."""
    return _by_size(was, now, none=float("inf"), sign=-1)


def larger(was: float | None, now: float | None) -> Strictness:
    """The larger the stricter, and none is the mildest."""
    return _by_size(was, now, none=float("-inf"), sign=1)


def _by_size(was: float | None, now: float | None, *, none: float, sign: int) -> Strictness:
    before, after = none if was is None else was, none if now is None else now
    if before == after:
        return "changed"
    return "tightened" if (after - before) * sign > 0 else "relaxed"


def more_than(
    was: Sequence[Any], now: Sequence[Any], *, stricter: Stricter
) -> Iterator[tuple[Strictness, list[Any] | None, list[Any] | None]]:
    """What a list has lost and gained: (effect, lost, gained). Where only the order or how often
    something is said differs, the lists themselves, as neither."""
    lost = [item for item in was if item not in now]
    gained = [item for item in now if item not in was]
    more: Strictness = "tightened" if stricter == "more" else "relaxed"
    less: Strictness = "relaxed" if stricter == "more" else "tightened"
    if lost:
        yield less, lost, None
    if gained:
        yield more, None, gained
    if not lost and not gained and list(was) != list(now):
        yield "changed", list(was), list(now)


def more_tools(
    was: Sequence[str], now: Sequence[str], *, stricter: Stricter
) -> Iterator[tuple[Strictness, list[Any] | None, list[Any] | None]]:
    """As `more_than`; a name that a pattern of the other list covers is no loss and no gain."""
    lost = [name for name in was if not covered(name, now)]
    gained = [name for name in now if not covered(name, was)]
    if lost or gained:
        yield from more_than(lost, gained, stricter=stricter)
    elif list(was) != list(now):
        yield "changed", list(was), list(now)


def compared_critics(old: Principle, new: Principle) -> Iterator[tuple[str, Strictness]]:
    """Critics that only one of them names. More eyes are stricter; but a local critic beside a
    judge can also acquit what the judge would have been asked about."""
    before, after = ({use.name: use.tier for use in p.critics} for p in (old, new))
    judged = "model" in before.values() and "model" in after.values()
    for name in dict.fromkeys([*before, *after]):
        if name in before and name in after:
            continue
        if judged and {**before, **after}[name] == "local":
            yield name, "changed"
        else:
            yield name, "tightened" if name in after else "relaxed"


def compared_config(
    old: Principle,
    new: Principle,
    critic: str,
    was: Mapping[str, Any],
    now: Mapping[str, Any],
) -> Iterator[ConfigChange]:
    """What a critic that both name is told otherwise. What is not known here is neither, save the
    lists that a child may add to: these are stricter the longer they are."""
    use = new.critic(critic)
    grows = use.config.grows if use is not None else frozenset()
    for key in dict.fromkeys([*was, *now]):
        before, after = was.get(key), now.get(key)
        if before == after:
            continue
        rule = _RULES.get((critic, key), "more" if key in grows else None)
        if rule in ("more tools", "fewer tools") and before is not None and after is not None:
            stricter: Stricter = "more" if rule == "more tools" else "fewer"
            for effect, lost, gained in more_tools(before, after, stricter=stricter):
                yield ConfigChange(key=key, effect=effect, was=lost, now=gained)
        elif rule in ("more", "fewer") and isinstance(before, list) and isinstance(after, list):
            for effect, lost, gained in more_than(before, after, stricter=rule):
                yield ConfigChange(key=key, effect=effect, was=lost, now=gained)
        else:
            effect = _weighed(rule, critic, key, was, now)
            yield ConfigChange(key=key, effect=effect, was=before, now=after)


_RULES: Mapping[tuple[str, str], Any] = {
    ("pattern", "breach"): "more",
    ("pattern", "look"): "more",
    ("pattern", "unless"): "fewer",
    ("pattern", "require"): "any of them",
    ("pattern", "case"): "case",
    ("judge", "when"): ("look", "open"),
    ("pii", "min_score"): smaller,
    ("pii", "keep"): "fewer",
    ("secrets", "kinds"): "more",
    ("invisible_text", "kinds"): "more",
    ("schema", "fenced"): (True, False),
    ("tools", "allow"): "fewer tools",
    ("tools", "arguments"): lambda was, now: _arguments(was or {}, now or {}),
    ("tools", "deny"): "more tools",
    ("tools", "never_from"): "more tools",
    ("tools", "additional"): (True, False),
    **{("length", f"max_{unit}"): smaller for unit in ("characters", "words", "sentences")},
    **{("length", f"min_{unit}"): larger for unit in ("characters", "words", "sentences")},
}
"""How to weigh what a critic is told; a scale begins with what is mildest."""


def _weighed(
    rule: Any, critic: str, key: str, was: Mapping[str, Any], now: Mapping[str, Any]
) -> Strictness:
    before, after = was.get(key), now.get(key)
    if rule == "any of them":
        return _alternatives(before or [], after or [])
    if rule == "case":
        return _case(was, now)
    if isinstance(rule, tuple):
        return on_scale(rule, before, after)
    if callable(rule):
        effect: Strictness = rule(before, after)
        return effect
    return "changed"


def _alternatives(was: Sequence[Any], now: Sequence[Any]) -> Strictness:
    """Any one of them suffices, so one more makes it easier; but the first one asks for it."""
    before, after = set(was), set(now)
    if bool(before) != bool(after):
        return "tightened" if after else "relaxed"
    if before < after:
        return "relaxed"
    return "tightened" if after < before else "changed"


def _arguments(was: Mapping[str, Any], now: Mapping[str, Any]) -> Strictness:
    """What a tool may be called with: stricter where nothing may be that might not be before."""
    if narrows(was, now):
        return "tightened"
    return "relaxed" if narrows(now, was) else "changed"


def _case(was: Mapping[str, Any], now: Mapping[str, Any]) -> Strictness:
    """Where letter case counts, less is hit: fewer breaches, but fewer exceptions, too."""
    accuses = any(said.get(key) for said in (was, now) for key in ("breach", "look"))
    excuses = any(said.get(key) for said in (was, now) for key in ("unless", "require"))
    if accuses == excuses:
        return "changed"
    counts = bool(now.get("case"))
    return "relaxed" if counts == accuses else "tightened"
