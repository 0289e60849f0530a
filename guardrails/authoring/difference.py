"""What parts two constitutions in meaning: what got stricter, what got milder, what is worded anew.

Compared are the canonical forms that digests are made of, so that there is a difference of meaning
exactly where digests differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

from guardrails.authoring.strictness import (
    ACTIONS,
    ROLES,
    compared_config,
    compared_critics,
    larger,
    more_than,
    on_scale,
    smaller,
)
from guardrails.constitution.attachments import KINDS, gravest
from guardrails.constitution.digest import canonical
from guardrails.constitution.model import CaseTest, Constitution, Principle, Routing
from guardrails.verdict import Stage

__all__ = ["EFFECTS", "Change", "Difference", "Effect", "difference"]

Effect = Literal["relaxed", "tightened", "changed", "wording", "none"]
"""`changed`: neither stricter nor milder. `wording`: what a judge, a reviser or a person reads.
`none`: no decision can depend on it."""

EFFECTS: tuple[Effect, ...] = ("relaxed", "tightened", "changed", "wording", "none")
"""In the order in which reviewers look at them."""

_DOUBTS = ("flag", "block", "escalate")
_SCALES: Mapping[str, tuple[Any, ...]] = {
    "severity": ("low", "medium", "high", "critical"),
    "scope": ("part", "reply"),
    "on_undecided": _DOUBTS,
    "on_outage": _DOUBTS,
    "uncovered": ("accept", "block", "escalate"),
    "locked": (False, True),
}
"""Mildest first, as inheritance has them."""

_NEUTRAL = {"judge": "timeout_s", "revision": "max_attempts", "cache": "ttl_s"}
"""Settings of which more is neither stricter nor milder."""

_WORDS = ("text", "breach", "not_breach")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs. `was` and `now` are JSON values, None where there is nothing.

    `about` is a principle's id or a setting (`budget.max_calls`), `key` what of the principle it
    is, empty for the principle itself. `origin` is who wrote the principle (`id@version`), where
    that is a parent; `reason` what a `relax` or `withdraw` says, and `by` whose it is; `place` is
    the `file:line` of the principle.
    """

    effect: Effect
    about: str
    key: str = ""
    what: str
    was: Any = None
    now: Any = None
    origin: str = ""
    reason: str = ""
    by: str = ""
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """All that parts two constitutions, grouped by effect in the order of `EFFECTS`."""

    old: Constitution
    new: Constitution
    changes: tuple[Change, ...]

    @property
    def same(self) -> bool:
        """Whether both mean the same: their digests are equal."""
        return self.old.digest == self.new.digest

    def of(self, effect: Effect) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.effect == effect)


def difference(old: Constitution, new: Constitution) -> Difference:
    """Compare two resolved constitutions by what they mean; what means nothing is told last."""
    comparison = _Comparison(old, new)
    changes = [*comparison.meaning(), *comparison.aside()]
    changes.sort(key=lambda change: EFFECTS.index(change.effect))
    return Difference(old=old, new=new, changes=tuple(changes))


@dataclass(frozen=True)
class _Comparison:
    old: Constitution
    new: Constitution

    @cached_property
    def before(self) -> dict[str, Any]:
        return canonical(self.old)

    @cached_property
    def after(self) -> dict[str, Any]:
        return canonical(self.new)

    def meaning(self) -> Iterator[Change]:
        """What makes the digests differ."""
        for change in self._settings():
            yield self._explained(change, change.about.partition(".")[0])
        yield from self._principles()

    # Settings

    def _settings(self) -> Iterator[Change]:
        before, after = self.before, self.after
        for key in ("id", "version", "languages"):
            yield from _changed(key, before[key], after[key])
        for key, was in before["budget"].items():
            now = after["budget"][key]
            yield from _told(f"budget.{key}", smaller(was, now), was, now)
        cascades = before["judge"]["cascade"], after["judge"]["cascade"]
        yield from _told("judge.cascade", _stronger(*cascades), *cascades)
        yield from _routing(before["judge"], after["judge"])
        release = before["stream"]["release"], after["stream"]["release"]
        yield from _told("stream.release", on_scale(("auto", "whole"), *release), *release)
        for section, key in (
            ("judge", "timeout_s"),
            ("revision", "max_attempts"),
            ("cache", "ttl_s"),
        ):
            yield from _changed(f"{section}.{key}", before[section][key], after[section][key])
        for key, was in before["replies"].items():
            yield from _replies(f"replies.{key}", "", was, after["replies"][key])
        yield from self._attachments()
        for effect, was, now in more_than(before["keep"], after["keep"], stricter="fewer"):
            yield from _told("pii.keep", effect, was, now)

    def _attachments(self) -> Iterator[Change]:
        for stage in Stage:
            was, now = (each.attachments.get(stage, {}) for each in (self.old, self.new))
            for kind in KINDS:
                ways = [
                    said.get(kind) or gravest(p.on_undecided for p in each.at(stage)) or "flag"
                    for said, each in ((was, self.old), (now, self.new))
                ]
                about = f"attachments.{stage}.{kind}"
                yield from _told(about, on_scale(_DOUBTS, *ways), was.get(kind), now.get(kind))

    # Principles

    def _principles(self) -> Iterator[Change]:
        was = {said["id"]: said for said in self.before["principles"]}
        now = {said["id"]: said for said in self.after["principles"]}
        for id in was:
            if id not in now:
                yield self._gone(self.old.principle(id))
        for id, said in now.items():
            if id not in was:
                yield self._come(self.new.principle(id))
            elif was[id] != said:
                yield from self._altered(id, was[id], said)
        yield from _order([id for id in was if id in now], [id for id in now if id in was])

    def _gone(self, principle: Principle) -> Change:
        withdrawn = any(a.kind == "withdraw" and a.id == principle.id for a in self.new.amendments)
        return self._explained(
            Change(
                effect="relaxed",
                about=principle.id,
                what="withdrawn" if withdrawn else "removed",
                was=principle.text,
                origin=_origin(principle, self.old),
                place=principle.place,
            )
        )

    def _come(self, principle: Principle) -> Change:
        return Change(
            effect="tightened",
            about=principle.id,
            what="added",
            now=principle.text,
            origin=_origin(principle, self.new),
            place=principle.place,
        )

    def _altered(self, id: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
        old, new = self.old.principle(id), self.new.principle(id)
        changes = list(_within(old, new, was, now))
        if not changes and new.entity is None:  # a critic may say more of itself than is known here
            changes += _changed(id, dict(was), dict(now))
        for change in changes:
            placed = replace(change, origin=_origin(new, self.new), place=new.place)
            yield self._explained(placed)

    def _explained(self, change: Change, *ids: str) -> Change:
        """With the reason of the amendment that brought it about, if that is new, too."""
        if change.effect == "tightened":
            return change
        for amendment in self.new.amendments:
            about = amendment.id in (change.about, *ids) or (
                amendment.id == "tools" and change.about.startswith("tools.")
            )
            if about and amendment not in self.old.amendments:
                return replace(change, reason=amendment.reason, by=amendment.by)
        return change

    # What means nothing

    def aside(self) -> Iterator[Change]:
        """What people read and no decision depends on."""
        old, new = self.old, self.new
        for key in ("title", "owner"):
            yield from _told(key, "none", getattr(old, key) or None, getattr(new, key) or None)
        yield from _told("extends", "none", list(old.parents) or None, list(new.parents) or None)
        kept = {principle.id: principle for principle in old.principles}
        for principle in new.principles:
            before = kept.get(principle.id)
            if before is not None and before.source != principle.source:
                yield Change(
                    effect="none",
                    about=principle.id,
                    key="source",
                    what="source",
                    was=before.source and str(before.source),
                    now=principle.source and str(principle.source),
                    origin=_origin(principle, new),
                    place=principle.place,
                )
        yield from _tests(old.tests, new.tests)


def _routing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """A breach that must be confirmed can only get milder, a pass that is audited only graver."""
    unsaid = {**asdict(Routing()), "start": []}
    was, now = (said.get("routing", unsaid) for said in (before, after))
    effects = {
        "start": "changed",
        "confirm": on_scale(("breach", "nothing"), was["confirm"], now["confirm"]),
        "audit_share": larger(was["audit_share"], now["audit_share"]),
        "reversals": "changed",
    }
    for key, effect in effects.items():
        yield from _told(f"judge.routing.{key}", effect, _given(was[key]), _given(now[key]))


def _given(value: Any) -> Any:
    """Rules without what they leave open."""
    if isinstance(value, list):
        return [{name: said for name, said in rule.items() if said} for rule in value] or None
    return value


def _within(
    old: Principle, new: Principle, was: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[Change]:
    """What differs in one principle."""
    id = new.id
    yield from _actions(id, was["actions"], now["actions"])
    for key, scale in _SCALES.items():
        effect = on_scale(scale, was[key], now[key])
        yield from _told(id, effect, was[key], now[key], key=key)
    yield from _callers(id, was["applies"], now["applies"])
    for key in ("requires", "entity"):
        yield from _changed(id, was[key], now[key], key=key)
    for name, effect in compared_critics(old, new):
        gone = old.critic(name) is not None
        said = (name, None) if gone else (None, name)
        what = f"critic {name} {'removed' if gone else 'added'}"
        yield Change(effect=effect, about=id, key="critics", what=what, was=said[0], now=said[1])
    for name in (name for name in was["critics"] if name in now["critics"]):
        if name == "pii" and new.entity is not None:
            configs = (_without_keep(was["critics"][name]), _without_keep(now["critics"][name]))
        else:
            configs = (was["critics"][name], now["critics"][name])
        for found in compared_config(old, new, name, *configs):
            yield from _told(id, found.effect, found.was, found.now, key=f"{name}.{found.key}")
    for key in _WORDS if not id.startswith("tools.") else ():  # made of what is compared above
        yield from _wording(id, key, was[key], now[key])
    yield from _replies(id, "reply", was["reply"] or {}, now["reply"] or {})
    yield from _remedy(id, was["remedy"], now["remedy"])
    yield from _examples(id, old, new, was["examples"], now["examples"])


def _without_keep(config: Mapping[str, Any]) -> dict[str, Any]:
    """For the principles of the section `pii`: what is kept stands there once for all of them."""
    return {key: value for key, value in config.items() if key != "keep"}


def _actions(id: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    for stage in dict.fromkeys([*was, *now]):
        before, after = was.get(stage), now.get(stage)
        if before is None or after is None:
            effect: Effect = "tightened" if before is None else "relaxed"
            what = f"stage {stage} {'added' if before is None else 'removed'}"
            yield Change(
                effect=effect, about=id, key=f"stages.{stage}", what=what, was=before, now=after
            )
        else:
            effect = on_scale(ACTIONS, before, after)
            yield from _told(id, effect, before, after, key=f"action.{stage}")


def _callers(
    id: str, was: Mapping[str, list[str]], now: Mapping[str, list[str]]
) -> Iterator[Change]:
    """`applies`: for fewer callers is milder. An attribute that is not named lets all in."""
    for attribute in dict.fromkeys([*was, *now]):
        before, after = was.get(attribute), now.get(attribute)
        key = f"applies.{attribute}"
        if before is None or after is None:
            effect: Effect = "relaxed" if before is None else "tightened"
            yield from _told(id, effect, before, after, key=key)
        elif before != after:
            fewer, more = set(before) >= set(after), set(before) <= set(after)
            effect = "relaxed" if fewer else "tightened" if more else "changed"
            yield from _told(id, effect, before, after, key=key)


def _replies(
    about: str, key: str, was: Mapping[str, str], now: Mapping[str, str]
) -> Iterator[Change]:
    """Per language."""
    for language in dict.fromkeys([*was, *now]):
        named = f"{key}.{language}" if key else language
        yield from _wording(about, named, was.get(language), now.get(language))


_Ways = list[str | None]


def _remedy(id: str, was: _Ways | None, now: _Ways | None) -> Iterator[Change]:
    """A way to mend that comes or goes changes what becomes of a breach, other words only those."""
    empty: _Ways = [None, None, None]
    for key, before, after in zip(
        ("rewrite", "replace_sentence", "append"), was or empty, now or empty, strict=True
    ):
        if before is not None and after is not None:
            yield from _wording(id, f"remedy.{key}", before, after)
        else:
            yield from _changed(id, before, after, key=f"remedy.{key}")
    if was != now and (was or empty) == (now or empty):
        yield from _changed(id, was, now, key="remedy")


def _examples(
    id: str, old: Principle, new: Principle, was: list[list[Any]], now: list[list[Any]]
) -> Iterator[Change]:
    """What a judge reads; but a plain bad example accuses by itself where `negative_examples`
    look, so that one more is stricter."""
    accuse = all(p.critic("negative_examples") is not None for p in (old, new))
    for side, before, after in (("breach", was[0], now[0]), ("fine", was[1], now[1])):
        gone = [example for example in before if example not in after]
        come = [example for example in after if example not in before]
        key = f"examples.{side}"
        for some, effect in ((gone, "relaxed"), (come, "tightened")):
            plain = [e for e in some if accuse and side == "breach" and e[0] is None]
            words = [e for e in some if e not in plain]
            yield from _some(id, key, effect, plain, gone=some is gone)  # type: ignore[arg-type]
            yield from _some(id, key, "wording", words, gone=some is gone)
        if not gone and not come and before != after:
            yield Change(
                effect="wording",
                about=id,
                key=key,
                what=f"{key}: in another order",
                was=_shown(before),
                now=_shown(after),
            )


def _some(
    id: str, key: str, effect: Effect, examples: list[Any], *, gone: bool
) -> Iterator[Change]:
    if examples:
        shown = _shown(examples)
        was, now = (shown, None) if gone else (None, shown)
        yield from _told(id, effect, was, now, key=key)


def _shown(examples: Iterable[list[Any]]) -> list[Any]:
    return [
        reply if prompt is None else {"prompt": prompt, "reply": reply}
        for prompt, reply in examples
    ]


def _order(was: list[str], now: list[str]) -> Iterator[Change]:
    """Which of the principles that both hold stand elsewhere: order is precedence."""
    if was == now:
        return
    kept = _longest_run([was.index(id) for id in now])
    moved = [id for id in now if was.index(id) not in kept]
    what = f"order of principles: {', '.join(moved)} moved"
    yield Change(effect="changed", about="principles", key="order", what=what, was=was, now=now)


def _longest_run(places: list[int]) -> set[int]:
    """A longest increasing subsequence: what need not be moved."""
    longest: list[int] = []
    runs: list[list[int]] = []
    for place in places:
        run = [place]
        for other in runs:
            if other[-1] < place and len(other) >= len(run):
                run = [*other, place]
        runs.append(run)
        longest = run if len(run) > len(longest) else longest
    return set(longest)


def _stronger(was: list[str], now: list[str]) -> Effect:
    """A cascade by the roles that begin and end it; the last has the last word."""
    if was == now:
        return "changed"
    ends = [(ROLES.index(was[end]), ROLES.index(now[end])) for end in (0, -1)]
    if all(before <= after for before, after in ends) and any(b < a for b, a in ends):
        return "tightened"
    if all(before >= after for before, after in ends) and any(b > a for b, a in ends):
        return "relaxed"
    return "changed"


def _tests(old: Iterable[CaseTest], new: Iterable[CaseTest]) -> Iterator[Change]:
    before, after = _by_name(old), _by_name(new)
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name, []), after.get(name, [])
        if was != now:
            word = "added" if not was else "removed" if not now else "changed"
            place = "" if not now else next(t.place for t in new if t.name == name)
            yield Change(
                effect="none", about="tests", key=name, what=f"test {name!r} {word}", place=place
            )


def _by_name(tests: Iterable[CaseTest]) -> dict[str, list[CaseTest]]:
    named: dict[str, list[CaseTest]] = {}
    for test in tests:
        named.setdefault(test.name, []).append(replace(test, place=""))
    return named


def _origin(principle: Principle, constitution: Constitution) -> str:
    own = principle.origin == f"{constitution.id}@{constitution.version}"
    return "" if own else principle.origin


def _told(about: str, effect: Effect, was: Any, now: Any, *, key: str = "") -> Iterator[Change]:
    """A change, if it is one, told by what it is about."""
    if was != now:
        yield Change(effect=effect, about=about, key=key, what=key or about, was=was, now=now)


def _changed(about: str, was: Any, now: Any, *, key: str = "") -> Iterator[Change]:
    yield from _told(about, "changed", was, now, key=key)


def _wording(about: str, key: str, was: Any, now: Any) -> Iterator[Change]:
    yield from _told(about, "wording", was, now, key=key)
