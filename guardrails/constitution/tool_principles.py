"""The principles that the section `tools` comes to, each enforced by the critic `tools`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from guardrails.constitution.mention import read_configs
from guardrails.constitution.model import Catalogue, CriticUse, OnDoubt, Principle, Replies
from guardrails.constitution.report import Report
from guardrails.constitution.tool_names import is_pattern
from guardrails.constitution.tools import (
    TOOL_STAGES,
    Tooling,
    ToolRule,
    Written,
    checks_arguments,
    keeps_apart,
)

__all__ = ["CRITIC", "tool_principles"]

CRITIC = "tools"
MOST_NAMED = 20


def tool_principles(
    tools: Tooling, catalogue: Catalogue, languages: tuple[str, ...], report: Report
) -> list[Principle]:
    """One principle for each thing that the section asks for."""
    if tools.is_empty:
        return []
    if CRITIC not in catalogue:
        report.add(("tools",), f"no critic {CRITIC!r} is installed", "install it again")
        return []
    return [
        _principle(id, text, config, tools, rule, catalogue, languages, report)
        for id, text, config, rule in _asked(tools)
    ]


def _asked(tools: Tooling) -> Iterator[tuple[str, str, dict[str, Any], ToolRule | Written | None]]:
    if tools.allow is not None:
        text = (
            f"Calls no other tools than {_listed(tools.allow)}."
            if tools.allow
            else "Calls no tools."
        )
        yield "tools.allow", text, {"allow": tools.allow}, tools.written.get("allow")
    if tools.deny:
        text = f"Does not call these tools: {_listed(tools.deny)}."
        yield "tools.deny", text, {"deny": tools.deny}, tools.written.get("deny")
    for name, rule in tools.rules.items():
        if checks_arguments(rule):
            told = {path: _told(said) for path, said in rule.arguments.items()}
            config = {"tool": name, "arguments": told, "additional": rule.additional}
            text = f"Calls {_tools(name)} only with arguments that the rules for it allow."
            yield f"tools.arguments.{name}", text, config, rule
        if keeps_apart(rule):
            sources = {
                path: {"never_from": said["never_from"]}
                for path, said in rule.arguments.items()
                if "never_from" in said
            }
            config = {"tool": name, "never_from": rule.never_from, "arguments": sources}
            named = dict.fromkeys(
                [*rule.never_from, *(n for said in sources.values() for n in said["never_from"])]
            )
            text = (
                f"Hands {_tools(name)} nothing that was copied from a result of {_listed(named)}."
            )
            yield f"tools.never-from.{name}", text, config, rule


def _told(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key != "never_from"}


def _tools(name: str) -> str:
    return f"each tool {name}" if is_pattern(name) else f"the tool {name}"


def _listed(names: Mapping[str, None] | tuple[str, ...]) -> str:
    some = [*names]
    more = f" and {len(some) - MOST_NAMED} more" if len(some) > MOST_NAMED else ""
    return f"{', '.join(some[:MOST_NAMED])}{more}"


def _principle(
    id: str,
    text: str,
    config: Mapping[str, Any],
    tools: Tooling,
    rule: ToolRule | Written | None,
    catalogue: Catalogue,
    languages: tuple[str, ...],
    report: Report,
) -> Principle:
    own = rule if isinstance(rule, ToolRule) else ToolRule(written=rule)
    action = own.action or tools.action or "block"
    doubt: OnDoubt = "flag" if action == "flag" else "block"
    reply = own.reply or tools.reply
    written = own.written or Written(origin="", place="")
    entry = catalogue[CRITIC]
    critics: tuple[CriticUse, ...] = ()
    try:
        read = read_configs(entry.config, {CRITIC: config})[CRITIC]
        critics = (CriticUse(name=CRITIC, tier=entry.tier, config=read),)
    except ValidationError as error:
        what = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        report.add(("tools",), f"{id}: {what}")
    return Principle(
        id=id,
        text=text,
        severity=own.severity or tools.severity or "medium",
        stages=TOOL_STAGES,
        actions=dict.fromkeys(TOOL_STAGES, action),
        on_undecided=doubt,
        on_outage=doubt,
        critics=critics,
        reply=None if reply is None else _in_order(reply, languages),
        origin=written.origin,
        place=written.place,
    )


def _in_order(said: Replies, languages: tuple[str, ...]) -> Replies:
    """The first language of the constitution first: any other falls back to it."""
    order = dict.fromkeys([*(tag for tag in languages if tag in said), *sorted(said)])
    return {tag: said[tag] for tag in order}
