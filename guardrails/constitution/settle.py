"""The last step: a resolved file becomes a `Constitution`, and what points across it is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from guardrails.constitution.attachments import KINDS, AttachmentAction, Attachments
from guardrails.constitution.cases import TestEntry
from guardrails.constitution.digest import digest
from guardrails.constitution.inherit import Resolved
from guardrails.constitution.mention import read_configs
from guardrails.constitution.model import (
    Budget,
    CaseTest,
    Catalogue,
    Constitution,
    CriticUse,
    Judging,
    OnDoubt,
    Principle,
    Replies,
)
from guardrails.constitution.pii_merge import PiiEntity, PiiHandling
from guardrails.constitution.report import Report
from guardrails.constitution.routing import check_routing, routing_of
from guardrails.constitution.spelling import did_you_mean
from guardrails.constitution.tool_principles import tool_principles
from guardrails.constitution.validate import Document
from guardrails.exchange import Attachment
from guardrails.verdict import Stage

__all__ = ["settle"]

REPLIES: Mapping[str, Replies] = {
    "blocked": {"en": "I can't help with that here."},
    "unavailable": {"en": "This can't be checked right now. Please try again later."},
}

_KINDS: Mapping[str, str] = {
    "CREDIT_CARD": "payment card numbers",
    "EMAIL_ADDRESS": "e-mail addresses",
    "IBAN_CODE": "bank account numbers (IBAN)",
    "IP_ADDRESS": "IP addresses",
    "PHONE_NUMBER": "phone numbers",
    "US_SSN": "US social security numbers",
}


def settle(
    resolved: Resolved, document: Document, catalogue: Catalogue, report: Report
) -> Constitution:
    """Fill in what no file says and check what names ids. Problems go to the report."""
    head = document.head
    keep = tuple(sorted(set(resolved.keep)))
    personal = _personal_data(resolved.pii, keep, catalogue, report)
    found = any(handling.action != "allow" for handling in resolved.pii.values())
    if head.pii is not None and head.pii.keep and not found:
        report.add(("pii", "keep"), "nothing here looks for personal data", "drop it")
    written = (_settled(rule.principle, resolved.languages) for rule in resolved.rules.values())
    tools = tool_principles(resolved.tools, catalogue, resolved.languages, report)
    principles = (*written, *tools, *personal)
    tests = _tests(document, principles, report)
    constitution = Constitution(
        id=resolved.id,
        version=resolved.version,
        digest="",
        title=head.title or "",
        owner=head.owner or "",
        languages=resolved.languages,
        parents=tuple(f"{id}@{version}" for id, version in resolved.lineage.items()),
        principles=principles,
        reply_blocked=_reply("blocked", resolved),
        reply_unavailable=_reply("unavailable", resolved),
        **_settings(resolved.settings),
        keep=keep,
        attachments=_by_kind(resolved.attachments),
        tests=tests,
        amendments=resolved.amendments,
        file=report.source.file,
    )
    judging = constitution.judging
    check_routing(judging.routing, judging.cascade, report.under(*_routing_place(document)))
    return replace(constitution, digest=digest(constitution))


def _routing_place(document: Document) -> Sequence[str | int]:
    """Where the file says where exchanges start; else what it says of the judge made it wrong."""
    for index, entry in document.relax.items():
        if entry.id == "judge" and entry.set.routing is not None:
            return "relax", index, "set", "routing"
    return "judge", "routing"


def _settings(said: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What files say of the whole constitution, under the names of `Constitution`."""
    budget, judge = said.get("budget", {}), dict(said.get("judge", {}))
    if "cascade" in judge:
        judge["cascade"] = tuple(judge["cascade"])
    if "routing" in judge:
        judge["routing"] = routing_of(judge["routing"])
    renamed = {
        "max_attempts": said.get("revision", {}).get("max_attempts"),
        "release": said.get("stream", {}).get("release"),
        "cache_ttl_s": said.get("cache", {}).get("ttl_s"),
    }
    known = {name: value for name, value in renamed.items() if value is not None}
    return {"budget": Budget(**budget), "judging": Judging(**judge), **known}


def _settled(principle: Principle, languages: tuple[str, ...]) -> Principle:
    if principle.reply is None:
        return principle
    return replace(principle, reply=_in_order(principle.reply, languages))


def _reply(key: str, resolved: Resolved) -> Replies:
    return _in_order(resolved.replies.get(key) or REPLIES[key], resolved.languages)


def _in_order(said: Replies, languages: tuple[str, ...]) -> Replies:
    """The first language of the constitution first: any other falls back to it."""
    order = dict.fromkeys([*(tag for tag in languages if tag in said), *sorted(said)])
    return {tag: said[tag] for tag in order}


def _personal_data(
    pii: Mapping[PiiEntity, PiiHandling],
    keep: tuple[str, ...],
    catalogue: Catalogue,
    report: Report,
) -> list[Principle]:
    """One principle for each kind of personal data at each stage where something happens to it."""
    principles = []
    for (stage, entity), handling in sorted(pii.items(), key=_by_stage):
        if handling.action == "allow":
            continue
        entry = catalogue["pii"]
        config = {"entity": entity, "min_score": handling.min_score, "keep": keep}
        try:
            read = read_configs(entry.config, {entity: config})[entity]
        except ValidationError as error:
            what = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            report.add(("pii", "keep"), what)
            break
        principles.append(
            _pii_principle(
                stage, entity, handling, CriticUse(name="pii", tier=entry.tier, config=read)
            )
        )
    return principles


def _by_kind(said: Attachments) -> dict[Stage, dict[Attachment, AttachmentAction]]:
    found: dict[Stage, dict[Attachment, AttachmentAction]] = {}
    for stage in Stage:
        each = {kind: said[stage, kind] for kind in KINDS if (stage, kind) in said}
        if each:
            found[stage] = each
    return found


def _by_stage(item: tuple[PiiEntity, PiiHandling]) -> tuple[int, str]:
    (stage, entity), _ = item
    return list(Stage).index(stage), entity


def _pii_principle(
    stage: Stage, entity: str, handling: PiiHandling, critic: CriticUse
) -> Principle:
    doubt: OnDoubt = "flag" if handling.action == "flag" else "block"
    return Principle(
        id=f"pii.{stage}.{entity}",
        text=f"Does not disclose {_KINDS.get(entity, f'personal data of the kind {entity}')}.",
        stages=(stage,),
        actions={stage: handling.action},
        on_undecided=doubt,
        on_outage=doubt,
        critics=(critic,),
        entity=entity,
        origin=handling.origin,
        place=handling.place,
    )


def _tests(
    document: Document, principles: Sequence[Principle], report: Report
) -> tuple[CaseTest, ...]:
    by_id = {principle.id: principle for principle in principles}
    unread = set(document.written_ids()) - by_id.keys()

    def may_hold(id: str) -> bool:
        """Whether it is, or may be that of something which is left out for its own problems."""
        return id in by_id or id in unread or id.partition(".")[0] in document.unread

    tests = []
    for index, entry in document.tests.items():
        below = report.under("tests", index)
        for n, id in enumerate(entry.breaches or ()):
            if not may_hold(id):
                below.add(("breaches", n), f"no principle {id!r}", did_you_mean(id, by_id))
        for id in entry.judge or ():
            if id in by_id or not may_hold(id):
                _check_scripted(id, by_id, entry.at, below.under("judge", id))
        tests.append(_test(entry, report.source.place(("tests", index))))
    return tuple(tests)


def _check_scripted(id: str, by_id: Mapping[str, Principle], stage: Stage, report: Report) -> None:
    principle = by_id.get(id)
    if principle is None:
        report.add((), f"no principle {id!r}", did_you_mean(id, by_id), at_key=True)
    elif all(use.tier != "model" for use in principle.critics):
        report.add((), f"no judge is asked about {id!r}", "add 'judge' to its critics", at_key=True)
    elif stage not in principle.stages:
        report.add((), f"{id!r} does not hold at stage {str(stage)!r}", at_key=True)


def _test(entry: TestEntry, place: str) -> CaseTest:
    return CaseTest(
        name=entry.name,
        stage=entry.at,
        prompt=entry.prompt,
        reply=entry.reply,
        documents=tuple(entry.documents or ()),
        tool=None if entry.tool is None else entry.tool.model_dump(),
        result=entry.result,
        results=dict(entry.results or {}),
        attachments=tuple(entry.attachments or ()),
        attributes={
            name: value if isinstance(value, str) else tuple(value)
            for name, value in (entry.attributes or {}).items()
        },
        language=entry.language,
        judge=None
        if entry.judge is None
        else {id: scripted.breach for id, scripted in entry.judge.items()},
        expect=entry.expect,
        breaches=None if entry.breaches is None else tuple(entry.breaches),
        place=place,
    )
