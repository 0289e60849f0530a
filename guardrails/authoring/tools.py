"""Rules about the section `tools`: lists that contradict each other, rules that nothing reaches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

from guardrails.authoring.cases import CaseResult
from guardrails.authoring.codes import LintFinding
from guardrails.authoring.subject import Subject
from guardrails.constitution.model import Principle
from guardrails.constitution.source import Loc
from guardrails.constitution.spelling import did_you_mean
from guardrails.constitution.tool_names import (
    ANY,
    covers,
    fits,
    is_pattern,
    overlaps,
)
from guardrails.constitution.tools import steps_of
from guardrails.text.dialect import PatternError, read
from guardrails.text.patterns import compile_pattern, compiled, encoded

__all__ = [
    "contradicting",
    "covered_entries",
    "impossible",
    "misspelt_tests",
    "quarrelling",
    "unknown_patterns",
    "unknown_sources",
    "unreachable",
    "untested",
]

SHORTEST = 4
"""Of fewer letters, names that differ in one are simply two."""


def _said(subject: Subject) -> Mapping[str, Any]:
    return subject.said.get("tools") or {}


def _rules(subject: Subject) -> Mapping[str, Any]:
    return _said(subject).get("rules") or {}


def _named(subject: Subject, list: str) -> tuple[str, ...] | None:
    """A resolved list of the section: what parents say of it included."""
    for principle in subject.constitution.principles:
        if principle.id == f"tools.{list}":
            return tuple(_config(principle).get(list) or ())
    return None


def _config(principle: Principle) -> Mapping[str, Any]:
    use = principle.critic("tools")
    return {} if use is None else use.config.model_dump(mode="json")


def contradicting(subject: Subject) -> Iterator[LintFinding]:
    """L801. What a child denies of an inherited list is no contradiction: it tightens it."""
    denied = _named(subject, "deny") or ()
    for index, name in enumerate(_said(subject).get("allow") or ()):
        if (by := _covering(name, denied)) is not None:
            message = f"{name!r} is denied, too{_by(name, by)}"
            yield subject.finding("L801", ("tools", "allow", index), message)


def _covering(name: str, patterns: Iterable[str]) -> str | None:
    return next((pattern for pattern in patterns if covers(pattern, name)), None)


def _by(name: str, pattern: str) -> str:
    return "" if pattern == name else f", by {pattern!r}"


def unreachable(subject: Subject) -> Iterator[LintFinding]:
    """L802"""
    for name, message, hint in _dead_rules(subject):
        yield subject.finding("L802", ("tools", "rules", name), message, hint or None)


def _dead_rules(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """Rules that do nothing: whose, why, and what to do about it if that is known."""
    allowed, denied = _named(subject, "allow"), _named(subject, "deny") or ()
    ids = {principle.id for principle in subject.constitution.principles}
    for name in _rules(subject):
        if (by := _covering(name, denied)) is not None:
            yield name, f"{name!r} is denied{_by(name, by)}", ""
        elif allowed is not None and not any(overlaps(name, other) for other in allowed):
            yield name, f"{name!r} is not allowed", did_you_mean(name, allowed)
        elif not {f"tools.arguments.{name}", f"tools.never-from.{name}"} & ids:
            hint = "say 'additional: false', or what an argument may be"
            yield name, "only names arguments, and lets in all others", hint


def unknown_sources(subject: Subject) -> Iterator[LintFinding]:
    """L803, and L809 where the list of allowed tools does not tell."""
    allowed = _named(subject, "allow")
    results = (name for case in subject.constitution.tests for name in case.results)
    known = {*(allowed or ()), *(_named(subject, "deny") or ()), *_rules(subject), *results}
    for loc, names in _sources(subject):
        for index, name in enumerate(names):
            if allowed is not None and not any(overlaps(name, other) for other in known):
                near = did_you_mean(name, known) or None
                message = f"no tool {name!r} may be called"
                yield subject.finding("L803", (*loc, index), message, near)
            else:
                yield from _misspelt(subject, (*loc, index), name, known)


def misspelt_tests(subject: Subject) -> Iterator[LintFinding]:
    """L809 of tests: who calls a tool that nobody has learns nothing of the one that is meant. A
    test that expects a breach of `allow` is about such a tool."""
    known = {*(_named(subject, "allow") or ()), *(_named(subject, "deny") or ())}
    known |= {*_rules(subject), *(name for _, names in _sources(subject) for name in names)}
    for index, case in enumerate(subject.constitution.tests):
        if case.tool is not None and "tools.allow" not in (case.breaches or ()):
            loc = ("tests", index, "tool", "name")
            yield from _misspelt(subject, loc, case.tool["name"], known)


def _misspelt(subject: Subject, loc: Loc, name: str, known: Iterable[str]) -> Iterator[LintFinding]:
    meant = None if name in known or is_pattern(name) else _meant(name, known)
    if meant is not None:
        message = f"no tool {name!r} is named anywhere else"
        yield subject.finding("L809", loc, message, f"did you mean {meant!r}?")


def _meant(name: str, known: Iterable[str]) -> str | None:
    return next((other for other in known if _is_slip(name, other)), None)


def _is_slip(one: str, other: str) -> bool:
    """Whether one letter, or two that have changed places, make the difference."""
    if one == other or len(one) < SHORTEST:
        return False
    pairs = enumerate(zip(one, other, strict=False))
    start = next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
    left, right = one[start:], other[start:]
    added, missed, another = left[1:] == right, left == right[1:], left[1:] == right[1:]
    return added or missed or another or (left[1::-1] == right[:2] and left[2:] == right[2:])


def unknown_patterns(subject: Subject) -> Iterator[LintFinding]:
    """L806"""
    known = [name for _, name in _written(subject)]
    known += [name for list in ("allow", "deny") for name in _named(subject, list) or ()]
    known += [name for case in subject.constitution.tests for name in case.results]
    known += [name for _, name in _names_in_tests(subject)]
    names = [name for name in dict.fromkeys(known) if not is_pattern(name)]
    for loc, name in _written(subject):
        if is_pattern(name) and name != ANY and not any(fits(other, name) for other in names):
            meant = _meant(name, known)
            hint = None if meant is None else f"did you mean {meant!r}?"
            yield subject.finding("L806", loc, f"no tool that is named here fits {name!r}", hint)


def covered_entries(subject: Subject) -> Iterator[LintFinding]:
    """L807. A single name in `allow` may be there so that no pattern of `deny` takes it for
    another that it looks like."""
    denied = _named(subject, "deny")
    for loc, names in _lists(subject):
        for index, name in enumerate(names):
            if denied and loc == ("tools", "allow") and not is_pattern(name):
                continue
            rest = [other for other in names if other != name]
            if (by := _covering(name, rest)) is not None:
                yield subject.finding("L807", (*loc, index), f"{by!r} covers {name!r}")


def quarrelling(subject: Subject) -> Iterator[LintFinding]:
    """L808, about what the rules come to, parents included."""
    rules, own = dict(_resolved_rules(subject)), _rules(subject)
    for wide, narrow in permutations(rules, 2):
        if not covers(wide, narrow) or not (wide in own or narrow in own):
            continue
        for path in _unknown(rules[narrow]["arguments"], rules[wide]):
            message = f"the rule for {wide!r} lets in no {path!r}, which {narrow!r} names"
            yield subject.finding("L808", _place(own, narrow, wide, path), message)
        for path in _unknown(_required(rules[wide]), rules[narrow]):
            message = f"the rule for {narrow!r} lets in no {path!r}, which {wide!r} requires"
            yield subject.finding("L808", _place(own, narrow, wide, ""), message)


def _unknown(paths: Iterable[str], rule: Mapping[str, Any]) -> Iterator[str]:
    """The paths to arguments that a rule without others does not name."""
    named = {steps_of(path)[0] for path in rule["arguments"]}
    if not rule["additional"] and ANY not in named:
        yield from (path for path in paths if steps_of(path)[0] not in named | {ANY})


def _required(rule: Mapping[str, Any]) -> list[str]:
    return [path for path, said in rule["arguments"].items() if said.get("required")]


def _place(own: Mapping[str, Any], narrow: str, wide: str, path: str) -> Loc:
    """The argument in the narrower rule, or what of the two stands in the file."""
    if narrow not in own:
        return "tools", "rules", wide
    loc: Loc = ("tools", "rules", narrow)
    return (*loc, "arguments", path) if path in (own[narrow].get("arguments") or {}) else loc


def _resolved_rules(subject: Subject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for principle in subject.constitution.principles:
        if principle.id.startswith("tools.arguments."):
            config = _config(principle)
            yield config["tool"], config


def _written(subject: Subject) -> Iterator[tuple[Loc, str]]:
    """Every name and pattern that the section has, and where."""
    for loc, names in _lists(subject):
        yield from (((*loc, index), name) for index, name in enumerate(names))
    yield from ((("tools", "rules", name), name) for name in _rules(subject))


def _lists(subject: Subject) -> Iterator[tuple[Loc, Sequence[str]]]:
    for key in ("allow", "deny"):
        yield ("tools", key), _said(subject).get(key) or ()
    yield from _sources(subject)


def _names_in_tests(subject: Subject) -> Iterator[tuple[Loc, str]]:
    for index, case in enumerate(subject.constitution.tests):
        if case.tool is not None:
            yield ("tests", index, "tool", "name"), case.tool["name"]


def _sources(subject: Subject) -> Iterator[tuple[Loc, Sequence[str]]]:
    for name, rule in _rules(subject).items():
        at: Loc = ("tools", "rules", name)
        if "never_from" in rule:
            yield (*at, "never_from"), rule["never_from"]
        for path, said in (rule.get("arguments") or {}).items():
            if "never_from" in said:
                yield (*at, "arguments", path, "never_from"), said["never_from"]


def impossible(subject: Subject) -> Iterator[LintFinding]:
    """L804, about what the argument comes to, parents included."""
    for name, rule in _rules(subject).items():
        for path in rule.get("arguments") or {}:
            said = _argument(subject, name, path)
            if (why := _impossible(said)) is not None:
                loc = ("tools", "rules", name, "arguments", path)
                yield subject.finding("L804", loc, why)


def _argument(subject: Subject, tool: str, path: str) -> Mapping[str, Any]:
    for principle in subject.constitution.principles:
        if principle.id == f"tools.arguments.{tool}":
            found: Mapping[str, Any] = _config(principle)["arguments"].get(path, {})
            return found
    return {}


def _impossible(said: Mapping[str, Any]) -> str | None:
    longest, patterns = said.get("max_length"), _several(said.get("match"))
    if longest is not None and patterns and all(_least(p) > longest for p in patterns):
        return f"no text that fits 'match' has only {longest} characters"
    if said.get("one_of") and not any(_fits(value, said) for value in said["one_of"]):
        return "none of 'one_of' fits the argument's other rules"
    return None


def _several(patterns: Any) -> Sequence[str]:
    return [patterns] if isinstance(patterns, str) else patterns or []


def _least(pattern: str) -> int:
    """The fewest characters that a match has; 0 where RE2 reads what our own dialect does not."""
    try:
        return read(pattern).least
    except PatternError:
        return 0


def _fits(value: Any, said: Mapping[str, Any]) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    least, most = said.get("min"), said.get("max")
    if (least is not None or most is not None) and not is_number:
        return False
    if (least is not None and value < least) or (most is not None and value > most):
        return False
    if not isinstance(value, str):
        return True
    matched = [compiled(source, weight=0) for source in _several(said.get("match"))]
    if matched and not any(pattern.fullmatch(encoded(value)) for pattern in matched):
        return False
    if any(compile_pattern(source).findall(value) for source in _several(said.get("refuse"))):
        return False
    return said.get("max_length") is None or len(value) <= said["max_length"]


def untested(subject: Subject, results: Sequence[CaseResult]) -> Iterator[LintFinding]:
    """L805. Where the file has no tests at all, L601 says so; of what none can reach, L802."""
    if not results or not _said(subject):
        return
    origin = f"{subject.constitution.id}@{subject.constitution.version}"
    reached = frozenset().union(*(result.reached for result in results))
    dead = {name for name, _, _ in _dead_rules(subject)}
    for principle in subject.constitution.principles:
        if not principle.id.startswith("tools.") or principle.origin != origin:
            continue
        kind, _, name = principle.id.removeprefix("tools.").partition(".")
        if principle.id not in reached and name not in dead:
            loc: Loc = ("tools", "rules", name) if name else ("tools", kind)
            yield subject.finding("L805", loc, f"no test reaches {principle.id!r}")
