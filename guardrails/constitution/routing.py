"""The routing of the judge's cascade in a constitution file: its keys, and what can go wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from guardrails.constitution.forms import Entry, Role
from guardrails.constitution.model import Principle, Reversals, Routing, StartRule
from guardrails.constitution.report import Report
from guardrails.verdict import Severity

__all__ = ["RoutingEntry", "check_routing", "is_met", "routing_of"]

SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")


class StartEntry(Entry):
    """Holds if one open principle is as it says, and the text is as long as it says."""

    role: Annotated[Role, Field(description="Where an exchange starts then.")]
    severity: Annotated[
        Severity | None, Field(description="A principle of this severity or a graver one is open.")
    ] = None
    look: Annotated[
        Literal[True] | None,
        Field(description="A cheaper critic said that a judge should look, at that principle."),
    ] = None
    min_chars: Annotated[
        int | None,
        Field(ge=1, le=100_000_000, description="The judged text has at least so many characters."),
    ] = None


class ReversalsEntry(Entry):
    share: Annotated[
        float,
        Field(gt=0, le=1, description="From this share of its words on, a role is passed over."),
    ]
    samples: Annotated[
        int | None,
        Field(ge=1, le=200, description="So many of them must have been checked. Default: 20."),
    ] = None


class RoutingEntry(Entry):
    start: Annotated[
        list[StartEntry] | None,
        Field(
            min_length=1,
            max_length=20,
            description="The first rule that holds says at which role an exchange starts; "
            "else it is the first role of the cascade.",
        ),
    ] = None
    confirm: Annotated[
        Literal["nothing", "breach"] | None,
        Field(
            description="breach: what a cheaper role calls one, the next role is asked about, too, "
            "and its word holds. Default: nothing."
        ),
    ] = None
    audit_share: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Of the exchanges that a cheaper role passes, this share is put to the "
            "next role, too. Default: 0.",
        ),
    ] = None
    reversals: Annotated[
        ReversalsEntry | None,
        Field(description="Start dearer for principles about which a role was often contradicted."),
    ] = None


def is_met(rule: StartRule, principle: Principle, *, has_look: bool) -> bool:
    """Whether a principle is as a rule says; `has_look`: a cheaper critic said look at it."""
    if rule.look and not has_look:
        return False
    at_least = rule.severity or SEVERITIES[0]
    return SEVERITIES.index(principle.severity) >= SEVERITIES.index(at_least)


def routing_of(said: Mapping[str, Any]) -> Routing:
    """What a file says of routing, with defaults filled in."""
    rest = {key: said[key] for key in ("confirm", "audit_share") if key in said}
    start = tuple(StartRule(**rule) for rule in said.get("start", ()))
    reversals = Reversals(**said["reversals"]) if "reversals" in said else None
    return Routing(start=start, reversals=reversals, **rest)


def check_routing(routing: Routing, cascade: Sequence[str], report: Report) -> None:
    """Report, at the place of the mapping, what names nobody or could never have an effect."""
    always: int | None = None
    for n, rule in enumerate(routing.start):
        if rule.role not in cascade:
            what = f"the cascade has no {rule.role!r}, only {', '.join(cascade)}"
            report.add(("start", n, "role"), what, "name one of those, or add it to the cascade")
        if always is not None:
            what = f"is never reached: start[{always}] holds for every exchange"
            report.add(("start", n), what, "put it before, or drop it")
        elif rule.is_always:
            always = n
    if len(cascade) < 2:
        said = {"confirm": routing.confirm != "nothing", "audit_share": routing.audit_share > 0}
        for key in (key for key, is_said in said.items() if is_said):
            what = f"nobody is left to ask: the cascade has one role, {cascade[0]}"
            report.add((key,), what, "add a dearer role to the cascade, or drop it")
    elif routing.reversals is not None and not routing.looks_again:
        what = "nobody is contradicted where no word is checked"
        report.add(("reversals",), what, "add 'confirm: breach' or an 'audit_share', or drop it")
