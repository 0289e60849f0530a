"""One principle on its way through the files: written, amended by children, relaxed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from guardrails.constitution.mention import Mention, failing, mention, read_configs
from guardrails.constitution.model import (
    Catalogue,
    CriticUse,
    Example,
    Principle,
    Remedy,
    Replies,
    Source,
)
from guardrails.constitution.relaxing import RelaxPrinciple
from guardrails.constitution.report import Report
from guardrails.constitution.sections import (
    Defaults,
    ExamplePair,
    ExamplesEntry,
    PrincipleEntry,
    PrincipleFields,
)
from guardrails.verdict import Action, Stage, Verdict

__all__ = ["Rule", "amended", "check_rule", "merged_replies", "new_rule", "relaxed", "same"]

DEFAULT_CRITICS = ("negative_examples", "judge")
WITHHOLDING = frozenset({Stage.RETRIEVAL, Stage.TOOL_RESULT})
"""Stages where `redact` without a span can take the whole part away."""

USE_RELAX = "say so under 'relax', with a reason"

Acting = Action | Mapping[Any, Action]
"""One action for all stages, or one per stage."""

_SCALES: Mapping[str, tuple[Any, ...]] = {
    "severity": ("low", "medium", "high", "critical"),
    "scope": ("part", "reply"),
    "on_undecided": ("flag", "block", "escalate"),
    "on_outage": ("flag", "block", "escalate"),
    "uncovered": ("accept", "block", "escalate"),
    "locked": (False, True),
}
"""Mildest first: a child may go up freely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A principle, and which of `on_undecided` and `on_outage` somebody wrote; one that nobody
    wrote follows the action."""

    principle: Principle
    said: frozenset[str] = frozenset()


def same(one: Rule, other: Rule) -> bool:
    """Whether two rules mean the same, wherever they were written."""

    def meaning(rule: Rule) -> Principle:
        return replace(rule.principle, origin="", place="", source=None)

    return one.said == other.said and meaning(one) == meaning(other)


def new_rule(
    entry: PrincipleEntry,
    *,
    defaults: Defaults,
    languages: tuple[str, ...],
    origin: str,
    catalogue: Catalogue,
    report: Report,
) -> Rule:
    """The rule that a file writes for the first time, every default filled in."""
    stages = _in_order(entry.stages or defaults.stages or [Stage.OUTPUT])
    actions = _actions(entry.action or "block", stages, report)
    doubts = {
        key: getattr(entry, key) or getattr(defaults, key)
        for key in ("on_undecided", "on_outage")
        if getattr(entry, key) or getattr(defaults, key)
    }
    examples = entry.examples or ExamplesEntry()
    principle = Principle(
        id=entry.id,
        text=entry.text or "",
        breach=entry.breach,
        not_breach=entry.not_breach,
        severity=entry.severity or "medium",
        stages=stages,
        scope=entry.scope or "part",
        requires=bool(entry.requires),
        actions=actions,
        uncovered=entry.uncovered or defaults.uncovered or "accept",
        locked=bool(entry.locked),
        applies=_applies(entry),
        critics=tuple(map(_use, entry.critics or _default_critics(catalogue, report))),
        remedy=_remedy(entry),
        breach_examples=_examples(examples.breach),
        fine_examples=_examples(examples.fine),
        reply=_replies(entry.reply, languages) if entry.reply is not None else None,
        source=_source(entry),
        origin=origin,
        place=report.source.place((*report.at, "id")),
    )
    if entry.remedy is not None and "revise" not in actions.values():
        report.add(("remedy",), "no stage has the action 'revise', so this is never used")
    return _made(principle, doubts, frozenset(doubts))


def amended(
    rule: Rule, entry: PrincipleEntry, *, languages: tuple[str, ...], report: Report
) -> Rule:
    """The inherited rule with what a child adds under its id; what would be milder is reported."""
    principle, before = rule.principle, len(report.problems)
    changes: dict[str, Any] = {}
    for key in sorted(entry.model_fields_set - {"id"}):
        value = getattr(entry, key)
        if key in _SCALES:
            changes[key] = _graver(key, value, getattr(principle, key), report)
        elif key in _ADDED:
            changes |= _ADDED[key](principle, value, languages, report.under(key))
        elif _READ[key](entry, languages) != getattr(principle, key):
            report.add((key,), "an inherited principle keeps what it says here", USE_RELAX)
    if entry.action is not None or entry.stages is not None:
        stages = _in_order({*principle.stages, *(entry.stages or ())})
        changes |= _acting(principle, stages, entry.action, report, mild=False)
    made = _made(principle, changes, rule.said | entry.model_fields_set & _DOUBTS)
    if same(made, rule) and len(report.problems) == before:
        report.add((), "this adds nothing to the inherited principle", "drop the entry")
    return made


def relaxed(
    rule: Rule, entry: RelaxPrinciple, *, languages: tuple[str, ...], report: Report
) -> Rule:
    """The inherited rule with what `relax` sets. A list that is set takes the place of the old."""
    principle, changed, before = rule.principle, entry.set, len(report.problems)
    said = changed.model_fields_set
    report = report.under("set")
    changes: dict[str, Any] = {}
    for key in sorted(said - {"stages", "action", "examples", "unless"}):
        read = _READ.get(key)
        changes[key] = read(changed, languages) if read else getattr(changed, key)
    if changed.examples is not None:
        for side in changed.examples.model_fields_set:
            changes[f"{side}_examples"] = _examples(getattr(changed.examples, side))
    if changed.unless is not None:
        uses = changes.get("critics", principle.critics)
        changes["critics"] = _excepting(uses, changed.unless, report.under("unless"))
    if changed.action is not None or changed.stages is not None:
        stages = _in_order(changed.stages or principle.stages)
        changes |= _acting(principle, stages, changed.action, report, mild=True)
    made = _made(principle, changes, rule.said | said & _DOUBTS)
    if same(made, rule) and len(report.problems) == before:
        report.add((), "the principle says so already", "drop the relaxation")
    return made


def check_rule(
    principle: Principle, report: Report, critic_at: Callable[[str], tuple[str | int, ...]]
) -> None:
    """Report what cannot work together. `critic_at` says where a critic is named in the file."""
    if principle.actions.get(Stage.INPUT) == "revise":
        hint = "give one per stage, as {input: block, output: revise}"
        report.add(("action",), "'revise' does not exist at input", hint)
    _check_remedy(principle, report)
    for use in principle.critics:
        try:
            found = [((*loc,), str(what)) for loc, what in use.config.problems(principle)]
        except Exception as error:  # a foreign critic's own checks may fail in any way
            report.add(critic_at(use.name), failing(use.name, error))
            continue
        for loc, what in found:
            report.add((*critic_at(use.name), *loc), what)


def _check_remedy(principle: Principle, report: Report) -> None:
    remedy = principle.remedy
    redacts = {s for s in principle.stages if principle.actions.get(s) == "redact"} - WITHHOLDING
    if principle.requires and redacts:
        what = "'redact' has nothing to take out where something is missing"
        report.add(("action",), what, "use 'revise' with remedy.append, or 'block'")
    if remedy is None:
        return
    if remedy.append is not None and remedy.replace_sentence is not None:
        report.add(("remedy",), "holds both replace_sentence and append", "keep one")
    elif principle.requires and remedy.replace_sentence is not None:
        what = "where something is missing there is no sentence to replace"
        report.add(("remedy", "replace_sentence"), what, "use 'append'")


_DOUBTS = frozenset({"on_undecided", "on_outage"})


def _made(principle: Principle, changes: Mapping[str, Any], said: frozenset[str]) -> Rule:
    changed = replace(principle, **changes)
    follows = "flag" if set(changed.actions.values()) == {"flag"} else "block"
    derived = dict.fromkeys(_DOUBTS - said, follows)
    return Rule(principle=replace(changed, **derived), said=said)  # type: ignore[arg-type]


def _in_order(stages: Iterable[str]) -> tuple[Stage, ...]:
    wanted = set(stages)
    return tuple(stage for stage in Stage if stage in wanted)


def _actions(said: Acting, stages: tuple[Stage, ...], report: Report) -> dict[Stage, Action]:
    """One action per stage, from one for all or a mapping that names each stage."""
    if isinstance(said, str):
        return dict.fromkeys(stages, said)
    for stage in said:
        if stage not in stages:
            what = f"the principle does not hold at {stage!r}"
            report.add(("action", stage), what, "name the stage under 'stages'", at_key=True)
    for stage in stages:
        if stage not in said:
            report.add(("action",), f"no action for stage {str(stage)!r}", "name each stage")
    return {stage: said.get(stage, "block") for stage in stages}


def _acting(
    principle: Principle,
    stages: tuple[Stage, ...],
    said: Acting | None,
    report: Report,
    *,
    mild: bool,
) -> dict[str, Any]:
    """Stages and actions after a change; a new stage acts as the others do, if all agree."""
    old = principle.actions
    common = next(iter(old.values())) if len(set(old.values())) == 1 else None
    each = dict.fromkeys(stages, said) if isinstance(said, str) else said or {}
    for stage in each.keys() - set(stages):
        what = f"the principle does not hold at {str(stage)!r}"
        report.add(("action", stage), what, "name the stage under 'stages'", at_key=True)
    actions: dict[Stage, Action] = {}
    for stage in stages:
        action = each.get(stage) or old.get(stage) or common
        if action is None:
            what = f"no action for stage {str(stage)!r}"
            report.add(("stages",), what, "the inherited ones differ by stage: give one")
        elif not mild and stage in old and Verdict.of(action) < Verdict.of(old[stage]):
            what = f"{action!r} is milder than the inherited {old[stage]!r}"
            report.add(("action",), what, USE_RELAX)
        actions[stage] = action or "block"
    return {"stages": stages, "actions": actions}


def _graver(key: str, value: Any, inherited: Any, report: Report) -> Any:
    scale = _SCALES[key]
    if scale.index(value) < scale.index(inherited):
        what = f"{_word(value)} is milder than the inherited {_word(inherited)}"
        report.add((key,), what, USE_RELAX)
        return inherited
    return value


def _word(value: Any) -> str:
    return f"'{str(value).lower() if isinstance(value, bool) else value}'"


def _use(said: Mention) -> CriticUse:
    return CriticUse(name=said.name, tier=said.tier, config=said.config)


def _default_critics(catalogue: Catalogue, report: Report) -> list[Mention]:
    found = []
    for name in DEFAULT_CRITICS:
        try:
            found.append(mention(name, catalogue))
        except PydanticCustomError as error:
            report.add_error((), error)
    return found


def _remedy(entry: PrincipleFields) -> Remedy | None:
    return None if entry.remedy is None else Remedy(**entry.remedy.model_dump())


def _source(entry: PrincipleFields) -> Source | None:
    return None if entry.source is None else Source(**entry.source.model_dump())


def _applies(entry: PrincipleFields) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(set(values))) for name, values in (entry.applies or {}).items()}


def _examples(written: Iterable[str | ExamplePair]) -> tuple[Example, ...]:
    return tuple(
        Example(reply=e) if isinstance(e, str) else Example(prompt=e.prompt, reply=e.reply)
        for e in written
    )


def _replies(said: str | Mapping[str, str], languages: tuple[str, ...]) -> Replies:
    return {languages[0]: said} if isinstance(said, str) else dict(said)


def merged_replies(
    inherited: Replies | None, said: str | Mapping[str, str], languages: tuple[str, ...]
) -> Replies:
    """A plain text is what everybody sees; a mapping adds to what is inherited."""
    return {**(inherited or {} if not isinstance(said, str) else {}), **_replies(said, languages)}


def _added_examples(
    principle: Principle, said: ExamplesEntry, languages: tuple[str, ...], report: Report
) -> dict[str, Any]:
    return {
        f"{side}_examples": _joined(getattr(principle, f"{side}_examples"), _examples(written))
        for side, written in (("breach", said.breach), ("fine", said.fine))
    }


def _joined(old: tuple[Any, ...], new: Iterable[Any]) -> tuple[Any, ...]:
    return (*old, *(item for item in new if item not in old))


def _added_reply(
    principle: Principle, said: Any, languages: tuple[str, ...], report: Report
) -> dict[str, Any]:
    return {"reply": merged_replies(principle.reply, said, languages)}


def _added_critics(
    principle: Principle, said: list[Mention], languages: tuple[str, ...], report: Report
) -> dict[str, Any]:
    uses = {use.name: use for use in principle.critics}
    for index, mentioned in enumerate(said):
        old, new = uses.get(mentioned.name), _use(mentioned)
        uses[new.name] = _grown(old, new, report.under(index, new.name)) if old else new
    return {"critics": tuple(uses.values())}


def _grown(old: CriticUse, new: CriticUse, report: Report) -> CriticUse:
    """The inherited configuration with what may be added to it added."""
    values = old.config.model_dump(mode="json", exclude_unset=True)
    for key in sorted(new.config.model_fields_set):
        before, after = getattr(old.config, key), getattr(new.config, key)
        if key in old.config.grows:
            values[key] = [*_joined(tuple(before), after)]
        elif before != after:
            report.add((key,), "an inherited critic keeps what it was told here", USE_RELAX)
    return _configured(old, values, report)


def _excepting(
    uses: tuple[CriticUse, ...], unless: list[str], report: Report
) -> tuple[CriticUse, ...]:
    if not any(use.name == "pattern" for use in uses):
        report.add((), "the principle has no critic 'pattern' that this could except from")
    return tuple(
        _configured(
            use,
            {**use.config.model_dump(mode="json", exclude_unset=True), "unless": unless},
            report,
        )
        if use.name == "pattern"
        else use
        for use in uses
    )


def _configured(use: CriticUse, values: Mapping[str, Any], report: Report) -> CriticUse:
    try:
        config = read_configs(type(use.config), {use.name: values})[use.name]
    except ValidationError as error:
        for item in error.errors(include_url=False):
            report.add(item["loc"][2:], item["msg"].removeprefix("Value error, "))
        return use
    return replace(use, config=config)


_READ: Mapping[str, Callable[[PrincipleFields, tuple[str, ...]], Any]] = {
    "text": lambda entry, _: entry.text,
    "breach": lambda entry, _: entry.breach,
    "not_breach": lambda entry, _: entry.not_breach,
    "requires": lambda entry, _: entry.requires,
    "applies": lambda entry, _: _applies(entry),
    "critics": lambda entry, _: tuple(map(_use, entry.critics or ())),
    "remedy": lambda entry, _: _remedy(entry),
    "reply": lambda entry, languages: _replies(entry.reply or "", languages),
    "source": lambda entry, _: _source(entry),
}
"""How what stands in a file becomes what stands in a principle."""

_ADDED: Mapping[str, Callable[[Principle, Any, tuple[str, ...], Report], dict[str, Any]]] = {
    "examples": _added_examples,
    "critics": _added_critics,
    "reply": _added_reply,
    "stages": lambda *_: {},
    "action": lambda *_: {},
}
"""What a child may add to freely; stages and actions depend on each other and are done together."""
