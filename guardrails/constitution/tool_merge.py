"""How the section `tools` of a file meets what its parents say: a child may only tighten it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from guardrails.constitution.model import Replies
from guardrails.constitution.report import Report
from guardrails.constitution.rule import USE_RELAX, merged_replies
from guardrails.constitution.spelling import did_you_mean
from guardrails.constitution.tool_names import covered
from guardrails.constitution.tools import (
    Argument,
    Tooling,
    ToolRule,
    ToolRuleEntry,
    ToolsSection,
    Written,
    said_of,
    says_something,
)

__all__ = ["inherited_tools", "narrows", "relaxed_tools", "tightened_tools", "withdrawn_tools"]

_ACTIONS = ("flag", "block", "escalate")
_SEVERITIES = ("low", "medium", "high", "critical")
_FEWER = ("match", "one_of", "hosts")
"""Lists of what may be: of fewer things is stricter."""
_MORE = ("refuse", "never_from")
"""Lists of what may not be."""

Conflict = Callable[[str, int, int], None]
"""Reports what two parents, by their index, hold with different content."""


def inherited_tools(parents: Sequence[Tooling], conflict: Conflict) -> Tooling:
    """What the parents say together: the stricter where one is, else they must agree."""
    found, holders = Tooling(), dict[str, int]()
    for index, parent in enumerate(parents):
        if parent.is_empty:
            continue
        allow = found.allow
        if parent.allow is not None:
            allow = parent.allow if allow is None else _in_both(allow, parent.allow)
        rules = dict(found.rules)
        for name, rule in parent.rules.items():
            if rules.setdefault(name, rule) != rule:
                conflict(f"the rule for the tool {name!r}", holders[name], index)
            holders.setdefault(name, index)
        if found.reply is not None and parent.reply not in (None, found.reply):
            conflict("'tools.reply'", holders["<reply>"], index)
        if parent.reply is not None:
            holders.setdefault("<reply>", index)
        both = not found.is_empty
        found = Tooling(
            allow=allow,
            deny=_joined(found.deny, parent.deny),
            rules=rules,
            action=_gravest(_ACTIONS, "block", found.action, parent.action, both),
            severity=_gravest(_SEVERITIES, "medium", found.severity, parent.severity, both),
            reply=found.reply or parent.reply,
            written={**parent.written, **found.written},
        )
    return found


def _in_both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """What both lists allow; of two patterns that only overlap, no name."""
    kept = [name for name in one if covered(name, other)]
    return _joined(kept, [name for name in other if covered(name, one)])


def _gravest(scale: Sequence[str], default: str, one: Any, other: Any, both: bool) -> Any:
    """Of two that are there; nothing said is the default."""
    if not both or one == other:
        return other if not both else one
    return max(one or default, other or default, key=scale.index)


def tightened_tools(
    old: Tooling, said: ToolsSection, languages: tuple[str, ...], origin: str, report: Report
) -> Tooling:
    """The inherited section with what a file says; what would be milder is reported."""
    allow = old.allow
    if said.allow is not None:
        allow = tuple(said.allow)
        for index, name in enumerate(said.allow):
            if old.allow is not None and not covered(name, old.allow):
                what = f"allows {name!r}, which the inherited list does not"
                report.add(("allow", index), what, USE_RELAX)
    written = dict(old.written)
    for key in said.model_fields_set & {"allow", "deny"}:
        written[key] = Written(origin=origin, place=report.source.place((*report.at, key)))
    rules = dict(old.rules)
    for name, entry in (said.rules or {}).items():
        below = report.under("rules", name)
        if not says_something(entry) and name not in old.rules:
            hint = "say 'arguments', 'additional' or 'never_from'"
            below.add((), "the rule says nothing of what the tool may be called with", hint)
            continue
        rules[name] = _tightened(old, name, entry, languages, origin, below)
    action = said.action or old.action
    severity = said.severity or old.severity
    if not old.is_empty:
        action = _graver(_ACTIONS, "action", said.action, old.action, "block", report)
        severity = _graver(_SEVERITIES, "severity", said.severity, old.severity, "medium", report)
    return Tooling(
        allow=allow,
        deny=_joined(old.deny, said.deny or ()),
        rules=rules,
        action=action,
        severity=severity,
        reply=_reply(old.reply, said.reply, languages),
        written=written,
    )


def _tightened(
    section: Tooling,
    name: str,
    entry: ToolRuleEntry,
    languages: tuple[str, ...],
    origin: str,
    report: Report,
) -> ToolRule:
    rule = section.rules.get(name, ToolRule())
    written = Written(origin=origin, place=report.source.place(report.at))
    additional = rule.additional if entry.additional is None else entry.additional
    if additional and not rule.additional:
        report.add(("additional",), "lets in arguments that the inherited rule refuses", USE_RELAX)
        additional = False
    arguments = dict(rule.arguments)
    for path, said in (entry.arguments or {}).items():
        below = report.under("arguments", path)
        if path not in arguments and not rule.additional:
            what = "is an argument that the inherited rule refuses"
            below.add((), what, USE_RELAX, at_key=True)
        arguments[path] = _narrowed(arguments.get(path, {}), said_of(said), below)
    action, severity = entry.action or rule.action, entry.severity or rule.severity
    if name in section.rules:
        default = rule.action or section.action
        action = _graver(_ACTIONS, "action", entry.action, default, "block", report)
        action = action if entry.action else rule.action
        grave = rule.severity or section.severity
        severity = _graver(_SEVERITIES, "severity", entry.severity, grave, "medium", report)
        severity = severity if entry.severity else rule.severity
    return ToolRule(
        arguments=arguments,
        additional=additional,
        never_from=_joined(rule.never_from, entry.never_from or ()),
        action=action,
        severity=severity,
        reply=_reply(rule.reply, entry.reply, languages),
        written=rule.written or written,
    )


def _narrowed(old: Argument, new: Argument, report: Report) -> Argument:
    """What both say of one argument."""
    made = dict(old)
    for key, value in new.items():
        before = old.get(key)
        if before is None:
            made[key] = value
        elif key in _MORE:
            made[key] = list(_joined(before, value))
        elif _is_wider(key, value, before):
            report.add((key,), "is wider than what is inherited", USE_RELAX)
        else:
            made[key] = value
    return made


def narrows(old: Mapping[str, Argument], new: Mapping[str, Argument]) -> bool:
    """Whether nothing fits the new rules for arguments that does not fit the old ones."""
    for path, said in old.items():
        now = new.get(path, {})
        for key, before in said.items():
            value = now.get(key)
            if before is None or value == before:
                continue
            if value is None:
                return False
            if key == "never_from":
                if not all(covered(item, value) for item in before):
                    return False
            elif key in _MORE:
                if any(item not in _several(value) for item in _several(before)):
                    return False
            elif _is_wider(key, _several(value), _several(before)):
                return False
    return True


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _is_wider(key: str, new: Any, old: Any) -> bool:
    if key in _FEWER:
        return any(item not in old for item in new)
    if key == "required":
        return bool(old and not new)
    return bool(new < old if key == "min" else new > old)


def relaxed_tools(
    old: Tooling, said: ToolsSection, languages: tuple[str, ...], origin: str, report: Report
) -> Tooling:
    """The inherited section in which what is set takes the place of what was there: a list for a
    list, a tool's rule for that tool's rule, of which an action, severity or reply may change
    alone."""
    if old.is_empty:
        report.add(("id",), "no parent says anything about tools", "set it under 'tools'")
        return old
    below = report.under("set")
    rules = {}
    for name, entry in (said.rules or {}).items():
        if name not in old.rules:
            near = did_you_mean(name, old.rules)
            below.add(("rules", name), f"no parent has a rule for {name!r}", near, at_key=True)
        else:
            rules[name] = entry
    whole = {name: entry for name, entry in rules.items() if says_something(entry)}
    alone = tightened_tools(
        Tooling(), said.model_copy(update={"rules": whole}), languages, origin, below
    )
    ways = {
        name: _otherwise(old.rules[name], entry, languages)
        for name, entry in rules.items()
        if name not in whole
    }
    alone = replace(alone, rules={**alone.rules, **ways})
    if len(rules) == len(said.rules or {}) and not _says_more(alone, old, said):
        below.add((), "the constitution says so already", "drop the relaxation")
    return replace(
        old,
        allow=old.allow if said.allow is None else alone.allow,
        deny=old.deny if said.deny is None else alone.deny,
        rules={**old.rules, **alone.rules},
        action=said.action or old.action,
        severity=said.severity or old.severity,
        reply=_reply(old.reply, said.reply, languages),
        written={**old.written, **alone.written},
    )


def _otherwise(rule: ToolRule, entry: ToolRuleEntry, languages: tuple[str, ...]) -> ToolRule:
    """A rule that asks for the same, with another action, severity or reply."""
    return replace(
        rule,
        action=entry.action or rule.action,
        severity=entry.severity or rule.severity,
        reply=_reply(rule.reply, entry.reply, languages),
    )


def _says_more(alone: Tooling, old: Tooling, said: ToolsSection) -> bool:
    """Whether a relaxation changes anything."""
    keys = said.model_fields_set - {"rules"}
    return any(getattr(alone, key) != getattr(old, key) for key in keys) or any(
        old.rules.get(name) != rule for name, rule in alone.rules.items()
    )


def withdrawn_tools(tools: Tooling, id: str) -> Tooling:
    """Without one of the principles that come of the section."""
    kind, _, name = id.removeprefix("tools.").partition(".")
    if kind == "allow":
        return replace(tools, allow=None)
    if kind == "deny":
        return replace(tools, deny=())
    rules, rule = dict(tools.rules), tools.rules[name]
    if kind == "arguments":
        kept = {path: _only(said) for path, said in rule.arguments.items() if "never_from" in said}
        rule = replace(rule, arguments=kept, additional=True)
    else:
        bare = {path: _without(said) for path, said in rule.arguments.items()}
        rule = replace(rule, never_from=(), arguments=bare)
    rules[name] = rule
    return replace(tools, rules=rules)


def _only(said: Argument) -> Argument:
    return {"never_from": said["never_from"]}


def _without(said: Argument) -> Argument:
    return {key: value for key, value in said.items() if key != "never_from"}


def _graver(
    scale: Sequence[str],
    key: str,
    said: str | None,
    inherited: str | None,
    default: str,
    report: Report,
) -> Any:
    before = inherited or default
    if said is not None and scale.index(said) < scale.index(before):
        report.add((key,), f"{said!r} is milder than the inherited {before!r}", USE_RELAX)
        return inherited
    return said or inherited


def _reply(old: Replies | None, said: Any, languages: tuple[str, ...]) -> Replies | None:
    return old if said is None else merged_replies(old, said, languages)


def _joined(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*old, *new]))
