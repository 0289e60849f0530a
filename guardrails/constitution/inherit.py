"""Merging: parents first, then the file's own, by id. Nothing inherited gets milder by accident."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardrails.constitution.attachments import (
    Attachments,
    Doubts,
    common_attachments,
    gravest,
    relaxed_attachments,
    tightened_attachments,
)
from guardrails.constitution.forms import SETTINGS, split_pii_id
from guardrails.constitution.model import Amendment, Catalogue, Replies
from guardrails.constitution.pii_merge import (
    PiiEntity,
    PiiHandling,
    pii_id,
    relaxed_keep,
    relaxed_pii,
    tightened_keep,
    tightened_pii,
)
from guardrails.constitution.relaxing import (
    RELAXED_TOGETHER,
    RelaxAttachments,
    RelaxPrinciple,
    RelaxTools,
)
from guardrails.constitution.report import Report
from guardrails.constitution.rule import (
    Rule,
    amended,
    check_rule,
    merged_replies,
    new_rule,
    relaxed,
    same,
)
from guardrails.constitution.sections import Defaults, PrincipleEntry
from guardrails.constitution.setting_merge import (
    inherited_settings,
    relaxed_setting,
    tightened_setting,
)
from guardrails.constitution.spelling import did_you_mean
from guardrails.constitution.tool_merge import (
    inherited_tools,
    relaxed_tools,
    tightened_tools,
    withdrawn_tools,
)
from guardrails.constitution.tools import TOOL_STAGES, Tooling
from guardrails.constitution.validate import Document
from guardrails.verdict import Stage

__all__ = ["Resolved", "resolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A file with its parents merged in, before defaults that only the last child may fill.

    `settings` holds, per section (`budget`, `judge`, …), only what some file says. `lineage` maps
    the ids of all ancestors to their versions, farthest first.
    """

    id: str
    version: str
    languages: tuple[str, ...] = ("en",)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    pii: Mapping[PiiEntity, PiiHandling] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    tools: Tooling = field(default_factory=Tooling)
    attachments: Attachments = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    replies: Mapping[str, Replies] = field(default_factory=dict)
    amendments: tuple[Amendment, ...] = ()
    lineage: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.id}@{self.version}"


def resolve(
    document: Document, parents: Sequence[Resolved], catalogue: Catalogue, report: Report
) -> Resolved:
    """Merge a file into its parents. What is wrong is reported; the result is then partial."""
    return _Merge(document, parents, catalogue, report).made()


class _Merge:
    """The state while one file is merged: what it starts from its parents, it ends as its own."""

    def __init__(
        self,
        document: Document,
        parents: Sequence[Resolved],
        catalogue: Catalogue,
        report: Report,
    ) -> None:
        self.document, self.head, self.report = document, document.head, report
        self.parents, self.catalogue = parents, catalogue
        self.languages = self._languages()
        self.withdrawn = {entry.id for entry in document.withdraw.values()}
        self.repeated: dict[tuple[int, int], list[str]] = {}
        self.locks = self._locks()
        self.rules = self._common("rules", lambda id: id, same)
        self.pii = self._common("pii", pii_id, lambda one, other: one == other)
        self.keep = self._inherited_keep()
        self.tools = inherited_tools([parent.tools for parent in parents], self._disagree)
        self.attachments = common_attachments(
            (parent.attachments, _doubts(parent)) for parent in parents
        )
        self.settings = inherited_settings([parent.settings for parent in parents], self._disagree)
        self.replies = self._inherited_replies()
        self._tell_repeated()
        self.inherited = {*self.rules, *map(pii_id, self.pii), *self.tools.ids()}
        self.amendments: list[Amendment] = []
        for parent in parents:
            self.amendments += [a for a in parent.amendments if a not in self.amendments]

    def made(self) -> Resolved:
        for index, entry in self.document.withdraw.items():
            self._withdraw(entry.id, entry.reason, self.report.under("withdraw", index))
        for index, relaxation in self.document.relax.items():
            self._relax(relaxation, self.report.under("relax", index))
        self._attachments()  # before principles of its own, about which it may say what it likes
        for section in (*SETTINGS, "cache"):
            self._set(section)
        self._principles()
        self._personal_data()
        self._tools()
        self._replies()
        lineage = {k: v for parent in self.parents for k, v in parent.lineage.items()}
        lineage |= {parent.id: parent.version for parent in self.parents}
        return Resolved(
            id=self.head.id,
            version=self.head.version,
            languages=self.languages,
            rules=self.rules,
            pii=self.pii,
            keep=self.keep,
            tools=self.tools,
            attachments=self.attachments,
            settings=self.settings,
            replies=self.replies,
            amendments=tuple(self.amendments),
            lineage=lineage,
        )

    @property
    def origin(self) -> str:
        return f"{self.head.id}@{self.head.version}"

    # What the parents agree on

    def _languages(self) -> tuple[str, ...]:
        inherited = dict.fromkeys(tag for parent in self.parents for tag in parent.languages)
        return tuple(self.head.languages or inherited or ("en",))

    def _common(
        self, name: str, id_of: Callable[[Any], str], alike: Callable[[Any, Any], bool]
    ) -> dict[Any, Any]:
        """The parents' rules together. One id with two contents is an error that names both."""
        found: dict[Any, Any] = {}
        holders: dict[Any, Resolved] = {}
        for index, parent in enumerate(self.parents):
            for key, value in getattr(parent, name).items():
                other = holders.setdefault(key, parent)
                inherited = found.setdefault(key, value)
                if not alike(inherited, value) and id_of(key) not in self.withdrawn:
                    self._conflict(index, f"{id_of(key)!r}", other, parent)
        return found

    def _locks(self) -> dict[str, str]:
        """Every principle that some parent locks, whatever another parent says of it, and which."""
        return {
            id: parent.name
            for parent in reversed(self.parents)
            for id, rule in parent.rules.items()
            if rule.principle.locked
        }

    def _disagree(self, what: str, one: int, other: int) -> None:
        self._conflict(other, what, self.parents[one], self.parents[other])

    def _conflict(self, index: int, what: str, one: Resolved, other: Resolved) -> None:
        for near, far in ((one, other), (other, one)):
            if far.id in near.lineage:
                key = self.parents.index(near), self.parents.index(far)
                self.repeated.setdefault(key, []).append(what)
                return
        self.report.add(
            ("extends", index),
            f"{one.name} and {other.name} hold {what} with different content",
            "extend only one of them, or bring them to agree",
        )

    def _tell_repeated(self) -> None:
        """Of a parent's own parent that is named again, once what it says is no longer so."""
        for (near, far), told in self.repeated.items():
            what = ", ".join(told[:3]) if len(told) > 2 else " and ".join(told)
            more = f" and {len(told) - 3:,} more" if len(told) > 3 else ""
            self.report.add(
                ("extends", far),
                f"{self.parents[near].name} extends {self.parents[far].name} and says otherwise of "
                f"{what}{more}",
                f"drop {self.parents[far].id!r} from 'extends'",
            )

    def _inherited_keep(self) -> tuple[str, ...]:
        holders = [(n, p) for n, p in enumerate(self.parents) if p.pii or p.keep]
        for index, parent in holders[1:]:
            if set(parent.keep) != set(holders[0][1].keep):
                self._conflict(index, "'pii.keep'", holders[0][1], parent)
        return holders[0][1].keep if holders else ()

    def _inherited_replies(self) -> dict[str, Replies]:
        found: dict[str, Replies] = {}
        own = self.head.replies.model_fields_set if self.head.replies else frozenset()
        for index, parent in enumerate(self.parents):
            for key, value in parent.replies.items():
                if found.setdefault(key, value) != value and key not in own:
                    other = next(p for p in self.parents if key in p.replies)
                    self._conflict(index, f"'replies.{key}'", other, parent)
        return found

    # What the file takes away or makes milder

    def _withdraw(self, id: str, reason: str, report: Report) -> None:
        if not self._changeable(id, report):
            return
        self.rules.pop(id, None)
        if id.startswith("pii."):
            self.pii.pop(split_pii_id(id), None)
        if id.startswith("tools."):
            self.tools = withdrawn_tools(self.tools, id)
        self._amend("withdraw", id, {}, reason)

    def _relax(self, entry: Any, report: Report) -> None:
        changes = _said(entry.set)
        if not changes:
            report.add(("set",), "sets nothing", "name what becomes milder")
            return
        if any(
            a.kind == "relax" and a.id == entry.id and a.by == self.origin for a in self.amendments
        ):
            report.add(("id",), f"{entry.id!r} is relaxed twice here", "say it in one entry")
        elif isinstance(entry, RelaxPrinciple):
            if not self._changeable(entry.id, report):
                return
            before = len(report.problems)
            rule = relaxed(self.rules[entry.id], entry, languages=self.languages, report=report)
            if len(report.problems) == before:
                self._check(rule, report.under("set"), {})
            self.rules[entry.id] = rule
        elif isinstance(entry, RelaxTools):
            self.tools = relaxed_tools(self.tools, entry.set, self.languages, self.origin, report)
        elif isinstance(entry, RelaxAttachments):
            self.attachments = relaxed_attachments(
                self.attachments, entry.set, _doubts(self), report
            )
        elif entry.id == "pii.keep":
            self.keep = relaxed_keep(self.pii, self.keep, tuple(entry.set.keep), report)
        elif entry.id.startswith("pii."):
            if not self._changeable(entry.id, report):
                return
            key = split_pii_id(entry.id)
            self.pii[key] = relaxed_pii(self.pii[key], changes, self.origin, report)
        else:
            inherited = self.settings.get(entry.id, {})
            self.settings[entry.id] = relaxed_setting(entry.id, inherited, changes, report)
        self._amend("relax", entry.id, changes, entry.reason)

    def _attachments(self) -> None:
        if self.head.attachments is not None:
            self.attachments = tightened_attachments(
                self.attachments,
                self.head.attachments,
                _doubts(self),
                self.report.under("attachments"),
            )

    def _changeable(self, id: str, report: Report) -> bool:
        if id not in self.inherited:
            hint = did_you_mean(id, self.inherited)
            if id in (*RELAXED_TOGETHER, "pii.keep"):
                hint = "it is no principle: say under 'relax' what becomes milder"
            report.add(("id",), f"no parent has a principle {id!r}", hint)
        elif not self._holds(id):
            report.add(("id",), f"{id!r} is withdrawn already")
        elif id in self.locks:
            report.add(("id",), f"{id!r} is locked by {self.locks[id]}", "it can only be tightened")
        else:
            return True
        return False

    def _holds(self, id: str) -> bool:
        """Whether an inherited principle is still there."""
        if id.startswith("tools."):
            return id in self.tools.ids()
        return id in self.rules or (id.startswith("pii.") and split_pii_id(id) in self.pii)

    def _amend(self, kind: Any, id: str, changes: Mapping[str, Any], reason: str) -> None:
        self.amendments.append(
            Amendment(kind=kind, id=id, set=changes, reason=reason, by=self.origin)
        )

    # What the file says itself

    def _set(self, section: str) -> None:
        said = _said(getattr(self.head, section))
        inherited = self.settings.get(section, {})
        if said or inherited:
            self.settings[section] = tightened_setting(section, inherited, said, self.report)

    def _principles(self) -> None:
        defaults = self.head.defaults or Defaults()
        first: dict[str, int] = {}
        for index, entry in self.document.principles.items():
            report = self.report.under("principles", index)
            if entry.id in first:
                what = (
                    f"the id {entry.id!r} stands here twice, first in principles[{first[entry.id]}]"
                )
                report.add(("id",), what, "give each principle an id of its own")
                continue
            first[entry.id] = index
            before = len(report.problems)
            rule = self._principle(entry, defaults, report)
            if rule is None:
                continue
            if len(report.problems) == before:
                mentions = {m.name: n for n, m in enumerate(entry.critics or ())}
                self._check(rule, report, mentions)
            self.rules[entry.id] = rule

    def _principle(self, entry: PrincipleEntry, defaults: Defaults, report: Report) -> Rule | None:
        if entry.id in self.rules:
            rule = self.rules[entry.id]
            return amended(rule, entry, languages=self.languages, report=report)
        if entry.id in self.inherited:
            what = f"{entry.id!r} is withdrawn here, and an id is never used again"
            report.add(("id",), what, "give the new principle an id of its own")
            return None
        if entry.text is None:
            meant = did_you_mean(entry.id, self.rules)
            hint = f"{meant} No parent has {entry.id!r}" if meant else ""
            report.add((), "the key 'text' is missing", hint)
            return None
        return new_rule(
            entry,
            defaults=defaults,
            languages=self.languages,
            origin=self.origin,
            catalogue=self.catalogue,
            report=report,
        )

    def _check(self, rule: Rule, report: Report, mentions: Mapping[str, int]) -> None:
        def critic_at(name: str) -> tuple[str | int, ...]:
            return ("critics", mentions[name], name) if name in mentions else ()

        check_rule(rule.principle, report, critic_at)

    def _personal_data(self) -> None:
        if self.head.pii is not None:
            report = self.report.under("pii")
            inherited = self.pii
            self.pii = tightened_pii(inherited, self.head.pii, self.origin, report)
            self.keep = tightened_keep(inherited, self.keep, self.head.pii, report)

    def _tools(self) -> None:
        if self.head.tools is not None:
            self.tools = tightened_tools(
                self.tools,
                self.head.tools,
                self.languages,
                self.origin,
                self.report.under("tools"),
            )

    def _replies(self) -> None:
        for key, said in _said(self.head.replies).items():
            self.replies[key] = merged_replies(self.replies.get(key), said, self.languages)


def _doubts(known: Resolved | _Merge) -> Doubts:
    """The gravest that anything says in doubt, by stage: its own word, or what follows from its
    action."""
    said: dict[Stage, list[str]] = {stage: [] for stage in Stage}
    for rule in known.rules.values():
        for stage in rule.principle.stages:
            said[stage].append(rule.principle.on_undecided)
    for (stage, _), handling in known.pii.items():
        if handling.action != "allow":
            said[stage].append("flag" if handling.action == "flag" else "block")
    for stage in TOOL_STAGES:
        said[stage] += ("flag" if action == "flag" else "block" for action in known.tools.actions())
    return {stage: gravest(doubts) for stage, doubts in said.items()}


def _said(entry: Any) -> dict[str, Any]:
    """What a mapping of the file says, without its defaults."""
    return {} if entry is None else entry.model_dump(mode="json", exclude_unset=True)
