"""Rules about the section `tools`: lists that contradict each other, rules that nothing reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrails.authoring.cases import CaseResult
from guardrails.authoring.codes import LintFinding
from guardrails.authoring.subject import Subject
from guardrails.constitution.model import Principle
from guardrails.constitution.source import Loc
from guardrails.text.dialect import PatternError, read
from guardrails.text.patterns import compile_pattern, compiled, encoded

__all__ = ["contradicting", "impossible", "unknown_sources", "unreachable", "untested"]


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
    said = _said(subject)
    for index, name in enumerate(said.get("allow") or ()):
        if name in (_named(subject, "deny") or ()):
            yield subject.finding("L801", ("tools", "allow", index), f"{name!r} is denied, too")


def unreachable(subject: Subject) -> Iterator[LintFinding]:
    """L802"""
    allowed, denied = _named(subject, "allow"), _named(subject, "deny") or ()
    for name in _rules(subject):
        if name in denied:
            yield subject.finding("L802", ("tools", "rules", name), f"{name!r} is denied")
        elif allowed is not None and name not in allowed:
            yield subject.finding("L802", ("tools", "rules", name), f"{name!r} is not allowed")


def unknown_sources(subject: Subject) -> Iterator[LintFinding]:
    """L803"""
    allowed = _named(subject, "allow")
    if allowed is None:
        return
    known = {*allowed, *(_named(subject, "deny") or ()), *_rules(subject)}
    for loc, names in _sources(subject):
        for index, name in enumerate(names):
            if name not in known:
                message = f"no tool {name!r} may be called"
                yield subject.finding("L803", (*loc, index), message)


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
    """L805. Where the file has no tests at all, L601 says so."""
    if not results or not _said(subject):
        return
    origin = f"{subject.constitution.id}@{subject.constitution.version}"
    reached = frozenset().union(*(result.reached for result in results))
    for principle in subject.constitution.principles:
        if not principle.id.startswith("tools.") or principle.origin != origin:
            continue
        if principle.id not in reached:
            kind, _, name = principle.id.removeprefix("tools.").partition(".")
            loc: Loc = ("tools", "rules", name) if name else ("tools", kind)
            yield subject.finding("L805", loc, f"no test reaches {principle.id!r}")
