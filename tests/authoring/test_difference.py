"""What differs in meaning is told by its direction, and what means nothing apart from it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from authoring_samples import loaded
from constitution_samples import Family
from constitution_strategies import files
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from guardrails.authoring.difference import Change, Difference, difference
from guardrails.errors import ConstitutionError

PATTERN = {
    "breach": ["b+"], "unless": ["c"], "look": ["d"], "require": ["e", "f"],
}  # fmt: skip
WHOLE: dict[str, Any] = {
    "id": "sample",
    "version": "1.0.0",
    "title": "T",
    "owner": "O",
    "languages": ["en", "de"],
    "judge": {
        "cascade": ["small", "medium"],
        "timeout_s": 5,
        "routing": {
            "start": [{"severity": "high", "role": "medium"}],
            "confirm": "breach",
            "audit_share": 0.1,
            "reversals": {"share": 0.2},
        },
    },
    "budget": {"deadline_s": 9, "max_calls": 3, "max_cost_usd": 1},
    "revision": {"max_attempts": 2},
    "stream": {"release": "auto"},
    "cache": {"ttl_s": 60},
    "replies": {"blocked": {"en": "No.", "de": "Nein."}, "unavailable": "Later."},
    "principles": [
        {
            "id": "p.one",
            "text": "Says no b.",
            "breach": "Says b.",
            "severity": "high",
            "stages": ["output", "retrieval"],
            "requires": True,
            "action": {"output": "revise", "retrieval": "block"},
            "on_undecided": "block",
            "on_outage": "block",
            "uncovered": "block",
            "applies": {"audience": ["patient", "carer"]},
            "critics": [{"pattern": PATTERN}, "negative_examples", "judge"],
            "remedy": {"rewrite": "Leave b out.", "append": "Ask."},
            "examples": {
                "breach": ["one bad example b", {"prompt": "p", "reply": "r"}],
                "fine": ["c"],
            },
            "reply": {"en": "Ask."},
            "source": {"title": "Rule", "clause": "1"},
        },
        {"id": "p.two", "text": "Is kind."},
        {"id": "p.three", "text": "Is brief.", "critics": [
            {"length": {"max_words": 50, "min_words": 2}}, {"secrets": {"kinds": ["aws", "jwt"]}},
            {"schema": {"schema": {"type": "object"}}}, {"pii": {"entity": "US_SSN"}}, "judge",
        ]},
    ],
    "pii": {
        "output": {"US_SSN": "mask", "IBAN_CODE": {"action": "redact", "min_score": 0.5}},
        "keep": ["x", "y"],
    },
    "tests": [{"name": "t", "reply": "b", "expect": "revise"}],
}  # fmt: skip

ONE = "principles.0"
THREE = "principles.2.critics"


def of(value: dict[str, Any]) -> Any:
    return loaded(json.dumps(value, ensure_ascii=False))


def changed(path: str, new: Any) -> dict[str, Any]:
    """The sample with another value at `principles.0.text`; None takes the key away."""
    value = copy.deepcopy(WHOLE)
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
    place: Any = value
    for step in way:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if new is None:
        del place[last]
    else:
        place[last] = new
    return value


def told(found: Difference) -> set[tuple[str, str, str]]:
    return {(change.effect, change.about, change.key) for change in found.changes}


TIGHTENED = [
    ("principles.1.action", "escalate", "p.two", "action.output"),
    (f"{ONE}.action.retrieval", "escalate", "p.one", "action.retrieval"),
    (f"{ONE}.severity", "critical", "p.one", "severity"),
    (f"{ONE}.scope", "reply", "p.one", "scope"),
    (f"{ONE}.on_undecided", "escalate", "p.one", "on_undecided"),
    (f"{ONE}.on_outage", "escalate", "p.one", "on_outage"),
    (f"{ONE}.uncovered", "escalate", "p.one", "uncovered"),
    (f"{ONE}.locked", True, "p.one", "locked"),
    (f"{ONE}.applies.audience", ["patient", "carer", "nurse"], "p.one", "applies.audience"),
    (f"{ONE}.applies", None, "p.one", "applies.audience"),
    (f"{ONE}.critics.0.pattern.breach", ["b+", "z"], "p.one", "pattern.breach"),
    (f"{ONE}.critics.0.pattern.look", ["d", "z"], "p.one", "pattern.look"),
    (f"{ONE}.critics.0.pattern.unless", None, "p.one", "pattern.unless"),
    (f"{ONE}.critics.0.pattern.require", ["e"], "p.one", "pattern.require"),
    (f"{ONE}.critics.3", "screen", "p.one", None),
    (f"{ONE}.examples.breach", ["one bad example b", "two bad examples b",
     {"prompt": "p", "reply": "r"}], "p.one", "examples.breach"),
    (f"{THREE}.0.length.max_words", 40, "p.three", "length.max_words"),
    (f"{THREE}.0.length.max_characters", 40, "p.three", "length.max_characters"),
    (f"{THREE}.0.length.min_words", 3, "p.three", "length.min_words"),
    (f"{THREE}.1.secrets", {"kinds": ["aws", "jwt", "github"]}, "p.three", "secrets.kinds"),
    (f"{THREE}.3.pii", {"entity": "US_SSN", "min_score": 0.4}, "p.three", "pii.min_score"),
    (f"{THREE}.5", "invisible_text", "p.three", "critics"),
    ("principles.3", {"id": "p.four", "text": "Is new."}, "p.four", ""),
    ("budget.deadline_s", 8, "budget.deadline_s", ""),
    ("budget.max_calls", 2, "budget.max_calls", ""),
    ("budget.max_cost_usd", 0.5, "budget.max_cost_usd", ""),
    ("budget.max_tokens", 5, "budget.max_tokens", ""),
    ("judge.cascade", ["small", "medium", "large"], "judge.cascade", ""),
    ("judge.routing.confirm", None, "judge.routing.confirm", ""),
    ("judge.routing.audit_share", 0.2, "judge.routing.audit_share", ""),
    ("stream.release", "whole", "stream.release", ""),
    ("pii.output.US_SSN", "redact", "pii.output.US_SSN", "action.output"),
    ("pii.output.IBAN_CODE.min_score", 0.4, "pii.output.IBAN_CODE", "pii.min_score"),
    ("pii.output.EMAIL_ADDRESS", "flag", "pii.output.EMAIL_ADDRESS", ""),
    ("pii.keep", ["x"], "pii.keep", ""),
]  # fmt: skip
NEITHER = [
    ("id", "other", "changed", "id", ""),
    ("version", "1.0.1", "changed", "version", ""),
    ("languages", ["en", "de", "fr"], "changed", "languages", ""),
    ("judge.timeout_s", 6, "changed", "judge.timeout_s", ""),
    ("judge.routing.start", None, "changed", "judge.routing.start", ""),
    ("judge.routing.start.0.severity", "critical", "changed", "judge.routing.start", ""),
    ("judge.routing.reversals", None, "changed", "judge.routing.reversals", ""),
    ("judge.cascade", ["medium", "small"], "changed", "judge.cascade", ""),
    ("revision.max_attempts", 1, "changed", "revision.max_attempts", ""),
    ("cache.ttl_s", 61, "changed", "cache.ttl_s", ""),
    ("replies.blocked.en", "Nope.", "wording", "replies.blocked", "en"),
    ("replies.unavailable", "Now.", "wording", "replies.unavailable", "en"),
    (f"{ONE}.text", "Says no B.", "wording", "p.one", "text"),
    (f"{ONE}.breach", None, "wording", "p.one", "breach"),
    (f"{ONE}.not_breach", "Spells b.", "wording", "p.one", "not_breach"),
    (f"{ONE}.reply", None, "wording", "p.one", "reply.en"),
    (f"{ONE}.remedy.rewrite", "Leave it out.", "wording", "p.one", "remedy.rewrite"),
    (f"{ONE}.remedy.append", None, "changed", "p.one", "remedy.append"),
    (f"{ONE}.remedy", {"rewrite": "Leave b out."}, "changed", "p.one", "remedy.append"),
    (f"{ONE}.examples.fine", ["d"], "wording", "p.one", "examples.fine"),
    (f"{ONE}.examples.breach", [{"prompt": "p", "reply": "r"}, "one bad example b"],
     "wording", "p.one", "examples.breach"),
    (f"{ONE}.examples.breach.1.prompt", "q", "wording", "p.one", "examples.breach"),
    (f"{ONE}.critics.0.pattern.require", ["e", "g"], "changed", "p.one", "pattern.require"),
    (f"{ONE}.critics.0.pattern.require", ["f", "e"], "changed", "p.one", "pattern.require"),
    (f"{ONE}.critics.0.pattern.case", True, "changed", "p.one", "pattern.case"),
    (f"{ONE}.requires", None, "changed", "p.one", "requires"),
    (f"{THREE}.2.schema.schema", {"type": "array"}, "changed", "p.three", "schema.schema"),
    (f"{THREE}.5", "screen", "changed", "p.three", "critics"),
    ("title", "Other", "none", "title", ""),
    ("owner", None, "none", "owner", ""),
    ("tests", None, "none", "tests", "t"),
    (f"{ONE}.source", None, "none", "p.one", "source"),
    (f"{ONE}.source.clause", "2", "none", "p.one", "source"),
]  # fmt: skip


def pair(path: str, new: Any) -> tuple[Any, Any]:
    value = changed(path, new) if not path.endswith((".3", ".5")) else _longer(path, new)
    if path == f"{ONE}.requires":
        for sample in (one := copy.deepcopy(WHOLE), value):
            del sample["principles"][0]["critics"][0]["pattern"]["require"]
        return of(one), of(value)
    return of(WHOLE), of(value)


def _longer(path: str, new: Any) -> dict[str, Any]:
    value = copy.deepcopy(WHOLE)
    place: Any = value
    for step in path.split(".")[:-1]:
        place = place[int(step) if step.isdigit() else step]
    place.append(new)
    return value


@pytest.mark.parametrize(
    ("path", "new", "about", "key"),
    [row for row in TIGHTENED if row[3] is not None],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_stricter_is_tightened_and_the_way_back_relaxed(
    path: str, new: Any, about: str, key: str
) -> None:
    old, made = pair(path, new)
    assert told(difference(old, made)) == {("tightened", about, key)}
    assert told(difference(made, old)) == {("relaxed", about, key)}


@pytest.mark.parametrize(
    ("path", "new", "effect", "about", "key"),
    NEITHER,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_neither_stricter_nor_milder_is_told_as_what_it_is(
    path: str, new: Any, effect: str, about: str, key: str
) -> None:
    old, made = pair(path, new)
    assert told(difference(old, made)) == {(effect, about, key)}
    assert told(difference(made, old)) == {(effect, about, key)}
    assert (old.digest == made.digest) is (effect == "none")


def test_fewer_stages_are_milder() -> None:
    value = changed(f"{ONE}.stages", ["output"])
    value["principles"][0]["action"] = "revise"
    found = difference(of(WHOLE), of(value))
    assert told(found) == {("relaxed", "p.one", "stages.retrieval")}


def test_a_judge_that_waits_for_a_look_is_milder() -> None:
    value = changed(f"{ONE}.critics.2", {"judge": {"when": "look"}})
    assert told(difference(of(WHOLE), of(value))) == {("relaxed", "p.one", "judge.when")}


@pytest.mark.parametrize(
    ("config", "effect"),
    [
        ({"breach": ["b"]}, "relaxed"),
        ({"breach": ["b"], "unless": ["c"]}, "changed"),
        ({"require": ["b"]}, "tightened"),
    ],
    ids=["it accuses", "it also excepts", "it asks for something"],
)
def test_letter_case_finds_less(config: dict[str, Any], effect: str) -> None:
    def with_case(case: bool) -> Any:
        rule = {"id": "p.a", "text": "T.", "requires": "require" in config,
                "critics": [{"pattern": {**config, "case": case}}]}  # fmt: skip
        return of({"id": "sample", "version": "1.0.0", "principles": [rule]})

    assert told(difference(with_case(False), with_case(True))) == {(effect, "p.a", "pattern.case")}


def test_the_first_thing_required_is_stricter_and_any_further_one_milder() -> None:
    """Any one of them suffices."""

    def requiring(*patterns: str) -> Any:
        return of(changed(f"{ONE}.critics.0.pattern.require", list(patterns)))

    found = difference(requiring(), requiring("e"))
    assert told(found) == {("tightened", "p.one", "pattern.require")}
    found = difference(requiring("e"), requiring("e", "f"))
    assert told(found) == {("relaxed", "p.one", "pattern.require")}


def test_bad_examples_that_only_a_judge_reads_are_words() -> None:
    value = changed(f"{ONE}.critics", ["judge"])
    one, other = of(value), copy.deepcopy(value)
    other["principles"][0]["examples"]["breach"].append("another b")
    assert told(difference(one, of(other))) == {("wording", "p.one", "examples.breach")}


def test_the_fewest_principles_that_moved_are_named() -> None:
    value = copy.deepcopy(WHOLE)
    value["principles"].append(value["principles"].pop(0))
    (change,) = difference(of(WHOLE), of(value)).changes
    assert (change.effect, change.about, change.key) == ("changed", "principles", "order")
    assert "p.one moved" in change.what


def test_a_principle_that_is_gone_is_milder_and_its_test_of_no_effect() -> None:
    value = copy.deepcopy(WHOLE)
    del value["principles"][0]
    del value["tests"]
    assert told(difference(of(WHOLE), of(value))) == {
        ("relaxed", "p.one", ""),
        ("none", "tests", "t"),
    }


def test_the_gravest_news_comes_first() -> None:
    value = changed("title", "Other")
    value["principles"][0] |= {"text": "x", "severity": "low", "locked": True}
    value["version"] = "1.1.0"
    found = difference(of(WHOLE), of(value)).changes
    effects = [change.effect for change in found]
    assert effects == ["relaxed", "tightened", "changed", "wording", "none"]


# -- what is inherited -----------------------------------------------------------------------------

PARENT = """principles:
  - {id: p.a, text: Says no a., action: block, critics: [{pattern: {breach: ['\\ba\\b']}}]}
  - {id: p.b, text: Says no b.}
budget: {max_calls: 3}
pii: {output: {US_SSN: redact}}
"""


def child(folder: Path, parent: str, text: str, version: str = "1.0.0") -> Any:
    folder.mkdir(exist_ok=True)
    family = Family(folder)
    family.add("parent", parent, version=version)
    family.add("child", text, extends="parent@^1")
    return family.load("child")


def find(found: Difference, about: str) -> Change:
    (change,) = (change for change in found.changes if change.about == about)
    return change


def test_what_a_parent_changes_is_told_with_its_origin(tmp_path: Path) -> None:
    old = child(tmp_path / "old", PARENT, "")
    new = child(tmp_path / "new", PARENT.replace("block", "escalate"), "", "1.1.0")
    change = find(difference(old, new), "p.a")
    assert (change.effect, change.key, change.origin) == (
        "tightened",
        "action.output",
        "parent@1.1.0",
    )
    assert (change.was, change.now) == ("block", "escalate")
    assert change.place.endswith("new/parent.yaml:5")


def test_what_is_relaxed_and_withdrawn_is_told_with_its_reason(tmp_path: Path) -> None:
    old = child(tmp_path, PARENT, "")
    amended = """relax:
  - {id: p.a, set: {action: flag, on_undecided: block, on_outage: block}, reason: it is the subject}
  - {id: budget, set: {max_calls: 5}, reason: long talks}
  - {id: pii.output.US_SSN, set: {action: allow}, reason: they are made up}
withdraw:
  - {id: p.b, reason: nobody says it}
"""
    found = difference(old, child(tmp_path, PARENT, amended))
    assert {(c.about, c.effect, c.reason, c.by) for c in found.changes} == {
        ("p.a", "relaxed", "it is the subject", "child@1.0.0"),
        ("budget.max_calls", "relaxed", "long talks", "child@1.0.0"),
        ("pii.output.US_SSN", "relaxed", "they are made up", "child@1.0.0"),
        ("p.b", "relaxed", "nobody says it", "child@1.0.0"),
    }
    assert find(found, "p.b").what == "withdrawn"


# -- whatever the files are ------------------------------------------------------------------------


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two constitutions of which the second has some things of a third."""
    one, other = draw(files()), draw(files())
    made = copy.deepcopy(one)
    for key in draw(st.sets(st.sampled_from(sorted({*other} - {"principles", "tests"})))):
        made[key] = other[key]
    for mine, theirs in zip(made["principles"], other["principles"], strict=False):
        for key in draw(st.sets(st.sampled_from(sorted({*theirs} - {"id"})), max_size=3)):
            mine[key] = theirs[key]
    made["principles"] += other["principles"][len(one["principles"]) :]
    made["principles"] = draw(st.permutations(made["principles"]))
    for value in (one, made):
        value["tests"] = []
    try:
        return of(one), of(made)
    except ConstitutionError:
        assume(False)
        raise


def directions(found: Difference) -> list[tuple[str, str, str, str, str]]:
    return sorted(
        (c.about, c.key, c.effect, json.dumps(c.was), json.dumps(c.now)) for c in found.changes
    )


BACK = {"tightened": "relaxed", "relaxed": "tightened"}


@given(pairs())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_there_is_a_difference_of_meaning_exactly_where_digests_differ(
    pair: tuple[Any, Any],
) -> None:
    old, new = pair
    found = difference(old, new)
    assert any(change.effect != "none" for change in found.changes) is (old.digest != new.digest)
    assert found.same is (old.digest == new.digest)
    assert not [change for change in found.changes if change.was == change.now]


@given(pairs())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_way_back_is_the_mirror(pair: tuple[Any, Any]) -> None:
    old, new = pair
    back = [
        (about, key, BACK.get(effect, effect), now, was)
        for about, key, effect, was, now in directions(difference(old, new))
    ]
    assert sorted(back) == directions(difference(new, old))


@given(files())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_parts_a_constitution_from_itself(value: dict[str, Any]) -> None:
    assert not difference(of(value), of(value)).changes
