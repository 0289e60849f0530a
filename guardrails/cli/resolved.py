"""`constitution show` and `schema`: a constitution as it is enforced, and what came from where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import yaml
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from guardrails.cli.documents import document
from guardrails.cli.outcome import Status
from guardrails.cli.render import COLOURS, plain
from guardrails.cli.screen import show, write_json
from guardrails.constitution.attachments import KINDS, gravest
from guardrails.constitution.load import load_constitution
from guardrails.constitution.model import (
    Amendment,
    Constitution,
    Principle,
    Replies,
    Routing,
    StartRule,
)
from guardrails.constitution.schema import json_schema
from guardrails.critic.registry import CriticRegistry
from guardrails.display.visible import visible
from guardrails.settings import load_settings
from guardrails.text.patterns import compile_pattern
from guardrails.verdict import Action, Stage, Verdict

__all__ = ["show_constitution", "show_schema"]

PATTERN = "pattern"
PATTERN_LISTS = ("breach", "unless", "look", "require")


def show_constitution(name: str, *, as_json: bool) -> int:
    """Print the resolved constitution. Raises ConstitutionError."""
    found = load_constitution(
        name, catalogue=CriticRegistry(), folder=load_settings().constitutions
    )
    if as_json:
        patterns = [p for principle in found.principles for p in _patterns(principle)]
        write_json({**document(found), "patterns": document(patterns)})
    else:
        show(_constitution(found))
    return Status.FINE


def show_schema() -> int:
    """Print the JSON Schema, with the settings of every installed critic."""
    write_json(json_schema(CriticRegistry()))
    return Status.FINE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A pattern of a principle; `width` is the most characters that a match can have."""

    principle: str
    list: str
    source: str
    width: int


def _patterns(principle: Principle) -> Iterator[_Shown]:
    use = principle.critic(PATTERN)
    config = use.config.model_dump() if use else {}
    for name in PATTERN_LISTS:
        for source in config.get(name, ()):
            width = compile_pattern(source, case=config.get("case", False)).width
            yield _Shown(principle=principle.id, list=name, source=source, width=width)


def _constitution(found: Constitution) -> Group:
    judged = [principle for principle in found.principles if principle.entity is None]
    personal = [principle for principle in found.principles if principle.entity is not None]
    blocks: list[RenderableType] = [_head(found)]
    blocks += [_principle(number, principle) for number, principle in enumerate(judged, start=1)]
    if personal:
        blocks.append(_personal_data(personal, found.keep))
    if found.amendments:
        blocks.append(_amendments(found.amendments))
    return Group(blocks[0], *(Padding(block, (1, 0, 0, 0)) for block in blocks[1:]))


def _head(found: Constitution) -> Group:
    budget, judging = found.budget, found.judging
    cost = "" if budget.max_cost_usd is None else f" · ${budget.max_cost_usd:g}"
    facts = {
        "file": found.file,
        "digest": found.digest,
        "owner": found.owner,
        "languages": ", ".join(found.languages),
        "extends": ", ".join(found.parents),
        "budget": f"{budget.deadline_s:g} s · {budget.max_chars:,} characters · "
        f"{budget.max_calls:,} calls · {budget.max_tokens:,} tokens{cost}",
        "judge": f"{' → '.join(judging.cascade)}, {judging.timeout_s:g} s",
        "routing": "\n".join(_routing(judging.routing)),
        "revision": f"attempts: {found.max_attempts}",
        "stream": _release(found),
        "attachments": "\n".join(_attachments(found)),
        "cache": f"{found.cache_ttl_s:,} s",
        "tests": f"{len(found.tests):,}",
        "blocked": _replies(found.reply_blocked),
        "unavailable": _replies(found.reply_unavailable),
    }
    title = Text.assemble((visible(f"{found.id} {found.version}"), "bold"))
    title.append(visible(f"  {found.title}"))
    return Group(title, _facts(facts))


def _attachments(found: Constitution) -> Iterator[str]:
    """What follows from what nobody can read: what the section says, else what the strictest
    principle says in doubt."""
    stages: dict[tuple[str, str], list[str]] = {}
    for stage in (Stage.INPUT, Stage.OUTPUT, Stage.TOOL_RESULT, Stage.RETRIEVAL):
        said = found.attachments.get(stage, {})
        doubt = gravest(principle.on_undecided for principle in found.at(stage))
        ways = {kind: said.get(kind) or doubt for kind in KINDS}
        for action in filter(None, dict.fromkeys(ways.values())):
            kinds = ", ".join(kind for kind, way in ways.items() if way == action)
            stages.setdefault((action, kinds), []).append(str(stage))
    for (action, kinds), at in stages.items():
        let = " (let through, unread)" if action == "flag" else ""
        yield f"{action} {kinds} at {', '.join(at)}{let}"


def _routing(routing: Routing) -> Iterator[str]:
    for rule in routing.start:
        yield f"{rule.role}: {', '.join(_conditions(rule)) or 'else'}"
    if routing.confirm == "breach":
        yield "a breach is put to the next role, too"
    if routing.audit_share:
        yield f"{routing.audit_share:g} of what passes is put to the next role, too"
    if (limit := routing.reversals) is not None:
        enough = f"{limit.share:g} of {limit.samples} or more checked words"
        yield f"a role is passed over if {enough} were contradicted"


def _conditions(rule: StartRule) -> Iterator[str]:
    if rule.severity is not None:
        yield f"{rule.severity} or graver"
    if rule.look:
        yield "after a look"
    if rule.min_chars is not None:
        yield f"from {rule.min_chars:,} characters on"


def _facts(facts: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(name, plain(fact))
    return table


def _release(found: Constitution) -> str:
    """When text of a stream leaves, and what holds all of it."""
    holding = [p.id for p in found.at(Stage.OUTPUT) if p.scope == "reply"]
    if found.release == "whole" or not holding:
        return found.release
    return f"{found.release}; whole where somebody looks at {', '.join(holding)} (scope: reply)"


def _replies(replies: Replies) -> str:
    if len(replies) == 1:
        return next(iter(replies.values()))
    return "\n".join(f"{language}: {text}" for language, text in replies.items())


def _principle(number: int, principle: Principle) -> Group:
    head = Text.assemble(
        (f"{number:>2} ", "dim"), (visible(principle.id), "bold"), f"  {principle.severity}"
    )
    for stage, action in principle.actions.items():
        head.append(f"  {action}", style=_colour(action))
        head.append(f" at {stage}")
    facts = {
        "from": f"{principle.origin}  {principle.place}",
        "text": principle.text,
        "breach": principle.breach or "",
        "fine": principle.not_breach or "",
        "critics": ", ".join(use.name for use in principle.critics),
        "in doubt": f"{principle.on_undecided}, outage {principle.on_outage}, "
        f"uncovered {principle.uncovered}",
        "applies": "; ".join(f"{k}: {', '.join(v)}" for k, v in principle.applies.items()),
        "also": ", ".join(_traits(principle)),
        "examples": f"{len(principle.breach_examples)} breach, {len(principle.fine_examples)} fine",
        "remedy": _remedy(principle),
        "reply": _replies(principle.reply) if principle.reply else "",
        "source": str(principle.source or ""),
    }
    for kind, patterns in groupby(_patterns(principle), key=lambda pattern: pattern.list):
        facts[f"pattern {kind}"] = "\n".join(f"{p.source}  (width {p.width:,})" for p in patterns)
    facts |= _calls(principle)
    return Group(head, Padding(_facts(facts), (0, 0, 0, 3)))


def _calls(principle: Principle) -> dict[str, str]:
    """What the section `tools` asks of a tool's arguments."""
    use = principle.critic("tools")
    if use is None:
        return {}
    said = use.config.model_dump(mode="json", exclude_unset=True)
    arguments = "\n".join(
        f"{path}: {', '.join(f'{key}: {_flow(value)}' for key, value in rule.items()) or 'any'}"
        for path, rule in said.get("arguments", {}).items()
    )
    others = "" if said.get("additional", True) else "none"
    return {
        "arguments": arguments,
        "others": others,
        "never from": ", ".join(said.get("never_from", ())),
    }


def _colour(action: Action) -> str:
    return COLOURS[Verdict.of(action)]


def _traits(principle: Principle) -> Iterator[str]:
    if principle.locked:
        yield "locked"
    if principle.requires:
        yield "asks for something to be there"
    if principle.scope == "reply":
        yield "judged on the whole reply only"


def _remedy(principle: Principle) -> str:
    remedy = principle.remedy
    if remedy is None:
        return ""
    ways = {
        "rewrite": remedy.rewrite,
        "replace sentence": remedy.replace_sentence,
        "append": remedy.append,
    }
    return "\n".join(
        f"{way}: {text or '(the sentence is dropped)'}"
        for way, text in ways.items()
        if text is not None
    )


def _personal_data(principles: list[Principle], keep: tuple[str, ...]) -> Group:
    table = Table.grid(padding=(0, 2))
    for principle in principles:
        ((stage, action),) = principle.actions.items()
        table.add_row(
            Text(str(stage), "dim"),
            plain(principle.entity or ""),
            Text(action, _colour(action)),
            plain(principle.origin, "dim"),
        )
    kept = [plain(f"kept as they are: {', '.join(keep)}")] if keep else []
    return Group(Text("personal data", "bold"), Padding(Group(table, *kept), (0, 0, 0, 3)))


def _amendments(amendments: tuple[Amendment, ...]) -> Group:
    lines = [
        Text.assemble(
            (visible(f"{amendment.kind} {amendment.id}"), "bold yellow"),
            visible(f" by {amendment.by}{_changes(amendment)}: {amendment.reason}"),
        )
        for amendment in amendments
    ]
    return Group(Text("amendments", "bold"), Padding(Group(*lines), (0, 0, 0, 3)))


def _flow(value: Any) -> str:
    """A value as it could stand in a file, on one line."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else document(value)
    told = yaml.safe_dump(
        whole, default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False
    )
    return told.strip().removesuffix("...").strip()


def _changes(amendment: Amendment) -> str:
    changes = ", ".join(f"{key}: {_flow(value)}" for key, value in amendment.set.items())
    return f", {changes}" if changes else ""
